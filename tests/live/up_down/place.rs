//! A place for topologies that are brought up by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redrill::backend::registry::{Record, Registry};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::common::{Ran, gc, redrill, run, servers_in, until};

/// A state folder, and the servers that run in it; ends what a failed test left.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn redrill(&self, args: &[&str]) -> Ran {
        match args {
            ["gc"] => gc(self.path()),
            _ => run(&mut redrill(self.path(), args)),
        }
    }

    pub fn done(&self, args: &[&str]) -> String {
        let ran = self.redrill(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    pub fn status(&self) -> Vec<Value> {
        serde_json::from_str(&self.done(&["status", "--format", "json"])).unwrap()
    }

    pub fn record(&self, name: &str) -> Record {
        Registry::at(self.path()).find(name).unwrap().unwrap()
    }

    /// What is left, by name.
    pub fn left(&self) -> Vec<PathBuf> {
        let folders = ["up", "drills"].map(|folder| std::fs::read_dir(self.path().join(folder)));
        folders.into_iter().flatten().flatten().flatten().map(|entry| entry.path()).collect()
    }

    pub fn is_empty(&self) -> bool {
        servers_in(self.path()).is_empty() && self.left().is_empty()
    }

    pub fn assert_empty(&self) {
        assert!(until(Duration::from_secs(2), || servers_in(self.path()).is_empty()));
        let left = self.left();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = redrill(self.path(), &["down", "--all"]).output();
        gc(self.path());
    }
}

pub fn kill(pid: &str) {
    signal(pid.parse().unwrap(), Signal::KILL);
}

pub fn signal(pid: i32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}
