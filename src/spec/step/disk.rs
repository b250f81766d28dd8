//! Steps that let servers find a full disk, or a slow one.

use std::time::Duration;

use super::declare::{Rule, step};
use super::shared::Context;
use crate::spec::decode::{Field, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rules::ranged;
use crate::spec::topology::Group;

const NONE: Time = Time(Duration::ZERO);
const MAX_DELAY: Time = Time(Duration::from_secs(60));
/// What a path of the append-only file may be looked for by, see the preload library.
const LONGEST_DIRECTORY: usize = 61;

step! {
    /// Lets servers find no room on their disk: writes fail with ENOSPC.
    DiskFull DiskFullMap "a disk-full step" [Target, For] {
        /// Which of their files: `append-only`, or `all`. Default: `append-only`.
        default "files" files: Files = Files::AppendOnly,
    }
}

step! {
    /// Makes servers wait for their disk.
    SlowDisk SlowDiskMap "a slow-disk step" [Target, For] {
        /// How much longer each fsync takes. Default: 0s.
        default "fsync" fsync: Time = NONE,
        /// How much longer each write takes. Default: 0s.
        default "write" write: Time = NONE,
        /// Which of their files: `append-only`, or `all`. Default: `append-only`.
        default "files" files: Files = Files::AppendOnly,
    }
}

/// What of a server's files is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    AppendOnly,
    All,
}

word_enum!(Files as "kind of files" {
    "append-only" => Files::AppendOnly,
    "all" => Files::All,
});

impl Rule for DiskFull {
    type Map = DiskFullMap;
    const PRELOAD: bool = true;

    fn check(
        map: &DiskFullMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<DiskFull> {
        check_files(&map.files, context, diagnostics);
        map.filled()
    }

    fn how(&self) -> String {
        match self.files {
            Files::AppendOnly => ", for the append-only file".to_owned(),
            Files::All => String::new(),
        }
    }
}

impl Rule for SlowDisk {
    type Map = SlowDiskMap;
    const PRELOAD: bool = true;

    fn check(
        map: &SlowDiskMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<SlowDisk> {
        let why = "a disk that never answers is a stalled machine: `do: pause`";
        let fsync = ranged("fsync", &map.fsync, NONE, (NONE, MAX_DELAY), why, diagnostics);
        let write = ranged("write", &map.write, NONE, (NONE, MAX_DELAY), why, diagnostics);
        let bad = matches!(map.fsync, Field::Bad) || matches!(map.write, Field::Bad);
        if fsync == NONE && write == NONE && !bad {
            let message = "a slow-disk step needs the key `fsync` or `write`";
            let told = Diagnostic::new(&context.step.span, message);
            diagnostics.push(told.advise("write how much longer each takes, like `fsync: 500ms`"));
        }
        check_files(&map.files, context, diagnostics);
        map.filled()
    }

    fn how(&self) -> String {
        let part = |name: &str, time: Time| match time {
            NONE => String::new(),
            time => format!(", {time} more for each {name}"),
        };
        part("fsync", self.fsync) + &part("write", self.write)
    }
}

/// The group's servers write such files.
fn check_files(field: &Field<Files>, context: &Context<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let advice = "take nodes of the group; sentinels can be slow (`cpu`), and have a wrong `clock`";
    let why = "keep no data on disk, only their configuration";
    context.refuse_sentinels(why, advice, diagnostics);
    if matches!(field, Field::Bad) {
        return;
    }
    let group = &*context.group;
    let span = field.given().map_or(&context.step.span, |at| &at.span);
    if field.or(Files::AppendOnly) == Files::AppendOnly
        && group.directive("appendonly") != Some("yes")
    {
        let message = format!("servers of `{}` keep no append-only file", group.name);
        let advice = "set the group's `config: { appendonly: yes }`, or take `files: all`";
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
    if group.directive("appenddirname").is_some_and(|name| name.len() > LONGEST_DIRECTORY) {
        let message = format!("`{}` has an `appenddirname` that is too long for this", group.name);
        let advice = format!("take one of at most {LONGEST_DIRECTORY} characters");
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
}

impl Files {
    /// What the paths of such files of the group hold; all of them do if it is empty.
    pub fn part_of_path(self, group: &Group) -> String {
        match self {
            Files::AppendOnly => {
                format!("/{}/", group.directive("appenddirname").unwrap_or("appendonlydir"))
            }
            Files::All => String::new(),
        }
    }
}
