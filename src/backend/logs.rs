//! The logs of a drill's nodes: `logs/cache-0-0.log` in its run folder. They are kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::BackendError;
use crate::files::{make, read};
use crate::model::NodeName;
use crate::model::logged::{LogLine, explaining};

/// Enough of a log to see why a server ended.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 256 * 1024;
/// So much of the end of a log is searched for lines that explain something.
const SCANNED_BYTES: u64 = 4 << 20;
/// A server that crashes writes a report of hundreds of lines, and its beginning says why.
const REPORT: &str = "REPORT START";
const REPORT_LINES: usize = 6;
/// Nobody reads more of a line.
const LINE: usize = 200;

#[derive(Clone, Debug)]
pub struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// Creates the folder in the run folder.
    pub fn make(run_folder: &Path) -> Result<Logs, BackendError> {
        let logs = Logs { folder: run_folder.join("logs") };
        make_dir(&logs.folder)?;
        Ok(logs)
    }

    pub fn path(&self, name: &NodeName) -> PathBuf {
        self.folder.join(format!("{}.log", name.file_name()))
    }

    /// Opens it for appending.
    pub fn open(&self, name: &NodeName) -> Result<File, BackendError> {
        make::append(&self.path(name)).map_err(|e| self.error(name, e))
    }

    pub fn error(&self, name: &NodeName, error: io::Error) -> BackendError {
        cannot_write(&self.path(name), error)
    }

    /// The lines of the node's log that explain something; none if it cannot be read.
    pub fn explaining(&self, name: &NodeName) -> Vec<LogLine> {
        let end = end_of(&self.path(name), SCANNED_BYTES).unwrap_or_default();
        explaining(name, String::from_utf8_lossy(&end).lines())
    }

    /// The last lines of the node's log; empty if it cannot be read.
    pub fn tail(&self, name: &NodeName) -> String {
        tail(&self.path(name)).unwrap_or_default()
    }
}

pub fn make_dir(path: &Path) -> Result<(), BackendError> {
    make::dir(path).map_err(|e| cannot_write(path, e))
}

pub fn cannot_write(path: &Path, source: io::Error) -> BackendError {
    BackendError::Folder { path: path.to_owned(), source }
}

/// The last bytes of a file, which may be large.
fn end_of(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = read::open_inside(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    Ok(end)
}

/// The last lines of a file.
fn tail(path: &Path) -> io::Result<String> {
    let end = end_of(path, TAIL_BYTES)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(TAIL_LINES);
    let report = lines.iter().rposition(|line| line.contains(REPORT)).filter(|at| *at < last);
    let told = match report {
        Some(at) => [&lines[at..at + REPORT_LINES], &["…"], &lines[last + REPORT_LINES..]].concat(),
        None => lines[last..].to_vec(),
    };
    let cut = |line: &&str| line.chars().take(LINE).collect::<String>();
    Ok(told.iter().map(cut).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let lines: Vec<String> = (0..10_000).map(|n| format!("line {n}")).collect();
        fs::write(&log, lines.join("\n\n")).unwrap();
        assert_eq!(tail(&log).unwrap(), lines[10_000 - TAIL_LINES..].join("\n"));
        let crashed = [&lines[..], &["=== REPORT START".into(), "by signal 11".into()], &lines];
        fs::write(&log, crashed.concat().join("\n")).unwrap();
        let told = tail(&log).unwrap();
        assert!(told.starts_with("=== REPORT START\nby signal 11\nline 0\n"), "{told}");
        assert!(told.ends_with("\nline 9999") && told.contains("\n…\nline 9994\n"), "{told}");
        fs::write(&log, "").unwrap();
        assert_eq!(tail(&log).unwrap(), "");
    }
}
