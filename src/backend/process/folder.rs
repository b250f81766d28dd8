//! What nodes have on disk: each its directory while it lives, and its log for good.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::{BackendError, NodePlan};
use super::config;
use crate::model::NodeName;

/// Enough of a log to see why a server ended.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 4096;

/// `nodes/` and `logs/` in a run folder. Dropping it removes `nodes/`.
pub struct Folder {
    paths: Paths,
}

/// Where things are; a copy of it removes nothing.
#[derive(Clone)]
pub struct Paths {
    nodes: PathBuf,
    logs: PathBuf,
}

impl std::ops::Deref for Folder {
    type Target = Paths;
    fn deref(&self) -> &Paths {
        &self.paths
    }
}

impl Folder {
    pub fn make(run_folder: &Path) -> Result<Folder, BackendError> {
        make_dir(run_folder)?;
        // Servers change their directory, so what they are told must be absolute.
        let run_folder = run_folder.canonicalize().map_err(|e| cannot_write(run_folder, e))?;
        let paths = Paths { nodes: nodes_dir(&run_folder), logs: run_folder.join("logs") };
        make_dir(&paths.nodes)?;
        let folder = Folder { paths };
        make_dir(&folder.logs)?;
        Ok(folder)
    }

    pub fn clone_paths(&self) -> Paths {
        self.paths.clone()
    }

    /// Makes the node's directory, and gives the path of its redis.conf.
    pub fn write_node(&self, plan: &NodePlan) -> Result<PathBuf, BackendError> {
        let dir = self.nodes.join(plan.name.file_name());
        make_dir(&dir)?;
        let conf = ("redis.conf".to_owned(), config::text(plan, &dir, &self.log(&plan.name)));
        for (name, content) in plan.files.iter().chain([&conf]) {
            let path = dir.join(name);
            fs::write(&path, content).map_err(|e| cannot_write(&path, e))?;
        }
        Ok(dir.join(&conf.0))
    }

    pub fn open_log(&self, name: &NodeName) -> Result<File, BackendError> {
        let opened = OpenOptions::new().create(true).append(true).open(self.log(name));
        opened.map_err(|e| self.log_error(name, e))
    }

    pub fn log_error(&self, name: &NodeName, error: io::Error) -> BackendError {
        cannot_write(&self.log(name), error)
    }

    pub fn remove_nodes(&self) -> Result<(), BackendError> {
        match fs::remove_dir_all(&self.nodes) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(cannot_write(&self.nodes, e)),
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is told by `shutdown`, and found by `redrill gc`.
        let _ = self.remove_nodes();
    }
}

impl Paths {
    fn log(&self, name: &NodeName) -> PathBuf {
        self.logs.join(format!("{}.log", name.file_name()))
    }

    /// The last lines of the node's log; empty if it cannot be read.
    pub fn log_tail(&self, name: &NodeName) -> String {
        tail(&self.log(name)).unwrap_or_default()
    }
}

/// Where nodes live in a run folder.
pub fn nodes_dir(run_folder: &Path) -> PathBuf {
    run_folder.join("nodes")
}

/// The last lines of a file that may be large.
pub fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut end = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

fn make_dir(path: &Path) -> Result<(), BackendError> {
    fs::create_dir_all(path).map_err(|e| cannot_write(path, e))
}

fn cannot_write(path: &Path, source: io::Error) -> BackendError {
    BackendError::Folder { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let lines: Vec<String> = (0..10_000).map(|n| format!("line {n}")).collect();
        fs::write(&log, lines.join("\n\n")).unwrap();
        assert_eq!(tail(&log).unwrap(), lines[10_000 - TAIL_LINES..].join("\n"));
        fs::write(&log, "").unwrap();
        assert_eq!(tail(&log).unwrap(), "");
    }
}
