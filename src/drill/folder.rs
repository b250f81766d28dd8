//! The run folder: everything that a drill leaves behind.
//!
//! `runs/2026-11-20T18-03-22Z-cluster-reshard/` is created before anything starts and is filled
//! during the drill. So a report can be made even if redrill is killed halfway.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::backend::claim::{Claim, claim};
use crate::files::make;
use crate::model::event::{Event, EventKind, Sink};

use super::room::Room;

/// How many drills of one scenario may start in one second.
const MOST: usize = 1000;

/// A folder for one drill's files. Its name is the drill's id, by which servers, containers and
/// people know the drill, so no other drill of this machine has it meanwhile.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    room: Room,
    _id: Claim,
}

/// The run folder cannot be used; nothing was started.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the run folder {}: {source}; name another place with --out DIR, or make room there",
    path.display()
)]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

impl RunFolder {
    /// Creates `parent/<instant>-<scenario>/`. If two drills start in the same second, wherever
    /// their folders are, the second gets a number at the end.
    pub fn create(parent: &Path, started: &str, scenario: &str) -> Result<RunFolder, FolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FolderError { path, source }
        };
        is_text(parent).map_err(failed(parent))?;
        make::dir(parent).map_err(failed(parent))?;
        let parent = &parent.canonicalize().map_err(failed(parent))?;
        is_text(parent).map_err(failed(parent))?;
        let stem = format!("{}-{scenario}", started.replace(':', "-"));
        for n in 1..=MOST {
            let id = if n == 1 { stem.clone() } else { format!("{stem}-{n}") };
            let path = parent.join(&id);
            let Some(id) = claim(&id).map_err(failed(&path))? else { continue };
            match make::new_dir(&path) {
                Ok(()) => {
                    let room = Room::keep(&path).map_err(failed(&path))?;
                    return Ok(RunFolder { path, room, _id: id });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(&path)(e)),
            }
        }
        Err(failed(&parent.join(stem))(io::ErrorKind::AlreadyExists.into()))
    }

    /// The name of the folder, which is the drill's id.
    pub fn id(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn room(&self) -> &Room {
        &self.room
    }

    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl.zst")
    }

    /// Writes one small file of the folder.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        make::write(&path, text).map_err(|source| FolderError { path, source })
    }

    /// The sink that writes `events.jsonl`.
    pub fn event_log(&self) -> Result<EventLog, FolderError> {
        let path = self.events();
        match make::new(&path) {
            Ok(file) => Ok(EventLog::new(file, path, self.room.clone())),
            Err(source) => Err(FolderError { path, source }),
        }
    }
}

/// Records and messages name the folder, and they are text.
fn is_text(path: &Path) -> io::Result<()> {
    let error = || io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
    path.to_str().map(drop).ok_or_else(error)
}

/// How many bytes of samples may wait to be written.
const WAITING: usize = 8 << 10;

/// Writes each event as one line. Events that others wait for (a phase, a step, the end) are on
/// disk at once. Samples follow with the next of those, or when there are many.
pub struct EventLog {
    file: File,
    path: PathBuf,
    room: Room,
    /// What is not on disk yet: whole lines, and the rest of one that a full disk has cut.
    waiting: Vec<u8>,
    /// The room that was kept for the end is used.
    last_room: bool,
    /// Nothing more is written.
    broken: Option<io::Error>,
}

impl EventLog {
    fn new(file: File, path: PathBuf, room: Room) -> EventLog {
        EventLog { file, path, room, waiting: Vec::new(), last_room: false, broken: None }
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.file.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.last_room => return Err(error),
                Err(error) => {
                    self.room.run_out(format!("cannot write {}: {error}", self.path.display()));
                    self.last_room = true;
                }
            }
        }
        Ok(())
    }

    /// Returns when all is on disk, or the first error.
    pub fn finish(mut self) -> Result<(), FolderError> {
        let outcome = self.broken.take().map_or_else(|| self.write(), Err);
        outcome.map_err(|source| FolderError { path: self.path, source })
    }
}

impl Sink for EventLog {
    fn hear(&mut self, event: &Event) {
        if self.broken.is_some() {
            return;
        }
        let line = serde_json::to_writer(&mut self.waiting, event);
        self.waiting.push(b'\n');
        let waits = matches!(event.kind, EventKind::Probes { .. } | EventKind::Sample(_));
        let written = line.map_err(io::Error::from).and_then(|()| match waits {
            true if self.waiting.len() < WAITING => Ok(()),
            _ => self.write(),
        });
        self.broken = written.err();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::{self, OpenOptions};
    use std::os::unix::ffi::OsStrExt;

    use futures::FutureExt;

    use super::*;
    use crate::model::Nanos;
    use crate::model::event::{End, Phase};

    #[test]
    fn drills_of_one_second_have_ids_of_their_own_wherever_their_folders_are() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // No other run of this test has this name.
        let scenario = format!("twice-{}", std::process::id());
        let create = |at: &tempfile::TempDir| {
            RunFolder::create(at.path(), "2026-11-20T18:03:22Z", &scenario)
        };
        let first = create(&one).unwrap();
        let second = create(&other).unwrap();
        assert_eq!(first.id(), format!("2026-11-20T18-03-22Z-{scenario}"));
        assert_eq!(second.id(), format!("{}-2", first.id()));
        drop(first);
        assert_eq!(create(&one).unwrap().id(), format!("2026-11-20T18-03-22Z-{scenario}-3"));
    }

    #[test]
    fn a_folder_that_no_record_can_name_is_refused_before_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join(OsStr::from_bytes(b"\xff"));
        let refused = RunFolder::create(&out, "2026-11-20T18:03:22Z", "brief").unwrap_err();
        assert!(refused.to_string().contains("not UTF-8"), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    /// The device refuses every byte as a full disk does.
    #[test]
    fn events_that_cannot_be_written_say_so_at_once_and_use_the_room_that_was_kept() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::keep(dir.path()).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = EventLog::new(full, "events.jsonl".into(), room.clone());
        log.hear(&Event { at: Nanos::ZERO, kind: EventKind::Phase { phase: Phase::Form } });
        let why = room.ran_out().now_or_never().unwrap();
        assert!(why.starts_with("cannot write events.jsonl: No space left"), "{why}");
        // In its place a disk that has room again.
        let disk = dir.path().join("events.jsonl");
        let (file, broken) = (File::create(&disk).unwrap(), None);
        let mut log = EventLog { file, broken, ..log };
        log.hear(&Event { at: Nanos::ZERO, kind: EventKind::Ended { end: End::Completed } });
        log.finish().unwrap();
        assert_eq!(fs::read_to_string(disk).unwrap().lines().count(), 2);
    }
}
