//! Steps that the preload library carries out: disks that are full or slow, clocks that are wrong.

use super::declare::{Keys, Rule, step};
use super::shared::Context;
use crate::spec::Tools;
use crate::spec::decode::{Field, word_enum};
use crate::spec::quantity::{Shift, SignedPercent, Time};
use crate::spec::topology::Group;

const NONE: Time = Time::secs(0);
const MAX_DELAY: Time = Time::secs(60);
const NEVER: &str = "a disk that never answers is a stalled machine: `do: pause`";
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
        #[range(NONE, MAX_DELAY, NEVER)]
        default "fsync" fsync: Time = NONE,
        /// How much longer each write takes. Default: 0s.
        #[range(NONE, MAX_DELAY, NEVER)]
        default "write" write: Time = NONE,
        /// Which of their files: `append-only`, or `all`. Default: `append-only`.
        default "files" files: Files = Files::AppendOnly,
    }
}

word_enum! {
    /// What of a server's files is meant.
    Files "kind of files" {
        AppendOnly "append-only",
        All "all",
    }
}

impl Rule for DiskFull {
    fn check(map: &DiskFullMap, context: &mut Context<'_>) -> Option<DiskFull> {
        check_files(&map.files, context);
        map.filled()
    }

    fn how(&self) -> String {
        match self.files {
            Files::AppendOnly => ", for the append-only file".to_owned(),
            Files::All => String::new(),
        }
    }

    fn tools(&self) -> Tools {
        Tools { preload: true, debug: false }
    }
}

impl Rule for SlowDisk {
    fn check(map: &SlowDiskMap, context: &mut Context<'_>) -> Option<SlowDisk> {
        let (fsync, write) = (map.fsync.or(NONE), map.write.or(NONE));
        let bad = matches!(map.fsync, Field::Bad) || matches!(map.write, Field::Bad);
        if fsync == NONE && write == NONE && !bad {
            let message = "a slow-disk step needs the key `fsync` or `write`";
            let advice = "write how much longer each takes, like `fsync: 500ms`";
            context.errors.add(&context.step.span, message, advice);
        }
        check_files(&map.files, context);
        map.filled()
    }

    fn how(&self) -> String {
        let part = |name: &str, time: Time| match time {
            NONE => String::new(),
            time => format!(", {time} more for each {name}"),
        };
        part("fsync", self.fsync) + &part("write", self.write)
    }

    fn tools(&self) -> Tools {
        Tools { preload: true, debug: false }
    }
}

/// The group's servers write such files.
fn check_files(field: &Field<Files>, context: &mut Context<'_>) {
    let advice = "take nodes of the group; sentinels can be slow (`cpu`), and have a wrong `clock`";
    let why = "keep no data on disk, only their configuration";
    context.refuse_sentinels(why, advice);
    if matches!(field, Field::Bad) {
        return;
    }
    let group = &*context.group;
    let span = field.span().unwrap_or(&context.step.span);
    if field.or(Files::AppendOnly) == Files::AppendOnly
        && group.directive("appendonly") != Some("yes")
    {
        let message = format!("servers of `{}` keep no append-only file", group.name);
        let advice = "set the group's `config: { appendonly: yes }`, or take `files: all`";
        context.errors.add(span, message, advice);
    }
    if group.directive("appenddirname").is_some_and(|name| name.len() > LONGEST_DIRECTORY) {
        let message = format!("`{}` has an `appenddirname` that is too long for this", group.name);
        let advice = format!("take one of at most {LONGEST_DIRECTORY} characters");
        context.errors.add(span, message, advice);
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

/// In nanoseconds.
const YEAR: i64 = 365 * 24 * 3600 * 1_000_000_000;

step! {
    /// Sets servers' clocks off the true time.
    Clock ClockMap "a clock step" [Target, For] {
        /// By how much it is set at once, ahead or (`-2m`) back. Default: 0s.
        #[range(Shift(-YEAR), Shift(YEAR),
            "a year either way is enough for any certificate, lease or time to live")]
        default "jump" jump: Shift = Shift(0),
        /// By how much it is too fast, or (`-10%`) too slow. Default: 0%.
        #[range(SignedPercent(-90.0), SignedPercent(1000.0),
            "10% makes a minute last 66 s on the server's clock, -10% makes it 54 s")]
        default "drift" drift: SignedPercent = SignedPercent(0.0),
    }
}

impl Rule for Clock {
    fn check(map: &ClockMap, context: &mut Context<'_>) -> Option<Clock> {
        let (jump, drift) = (map.jump.or(Shift(0)), map.drift.or(SignedPercent(0.0)));
        let bad = matches!(map.jump, Field::Bad) || matches!(map.drift, Field::Bad);
        if jump == Shift(0) && drift == SignedPercent(0.0) && !bad {
            let message = "a clock step needs the key `jump` or `drift`";
            let advice = "write `jump: +2m`, `jump: -30s` or `drift: 10%`";
            context.errors.add(&context.step.span, message, advice);
        }
        map.filled()
    }

    fn how(&self) -> String {
        let jump = match self.jump {
            Shift(0) => String::new(),
            jump => format!(" by {jump}"),
        };
        match self.drift {
            SignedPercent(0.0) => jump,
            drift => format!("{jump}, drifting by {drift}"),
        }
    }

    fn tools(&self) -> Tools {
        Tools { preload: true, debug: false }
    }
}
