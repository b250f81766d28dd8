//! The run folder: everything that a drill leaves behind.
//!
//! `runs/2026-11-20T18-03-22Z-cluster-reshard/` is created before anything starts and is filled
//! during the drill. So a report can be made even if redrill is killed halfway.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::model::event::{Event, EventKind, Sink};

/// A folder for one drill's files.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
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
    /// Creates `parent/<instant>-<scenario>/`. If two drills start in the same second, the
    /// second gets a number at the end.
    pub fn create(parent: &Path, started: &str, scenario: &str) -> Result<RunFolder, FolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FolderError { path, source }
        };
        fs::create_dir_all(parent).map_err(failed(parent))?;
        let stem = format!("{}-{scenario}", started.replace(':', "-"));
        for n in 1.. {
            let path = parent.join(if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
            match fs::create_dir(&path) {
                Ok(()) => {
                    let path = path.canonicalize().map_err(failed(&path))?;
                    return Ok(RunFolder { path });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && n < 1000 => {}
                Err(e) => return Err(failed(&path)(e)),
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// The name of the folder, which is the drill's id.
    pub fn id(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn path(&self) -> &Path {
        &self.path
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
        fs::write(&path, text).map_err(|source| FolderError { path, source })
    }

    /// The sink that writes `events.jsonl`.
    pub fn event_log(&self) -> Result<EventLog, FolderError> {
        let path = self.events();
        match OpenOptions::new().create_new(true).write(true).open(&path) {
            Ok(file) => Ok(EventLog { file: BufWriter::new(file), path, broken: None }),
            Err(source) => Err(FolderError { path, source }),
        }
    }
}

/// Writes each event as one line. Events that others wait for (a phase, a step, the end) are on
/// disk at once. Samples follow with the next of those, or when the buffer is full.
pub struct EventLog {
    file: BufWriter<File>,
    path: PathBuf,
    /// The first failure. After it, nothing more is written.
    broken: Option<io::Error>,
}

impl EventLog {
    fn write(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, event)?;
        self.file.write_all(b"\n")?;
        match event.kind {
            EventKind::Probes { .. } | EventKind::Sample(_) => Ok(()),
            _ => self.file.flush(),
        }
    }

    /// Returns when all is on disk, or the first error.
    pub fn finish(mut self) -> Result<(), FolderError> {
        let outcome = match self.broken.take() {
            Some(error) => Err(error),
            None => self.file.flush(),
        };
        outcome.map_err(|source| FolderError { path: self.path, source })
    }
}

impl Sink for EventLog {
    fn hear(&mut self, event: &Event) {
        if self.broken.is_none() {
            self.broken = self.write(event).err();
        }
    }
}
