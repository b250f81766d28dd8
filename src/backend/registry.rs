//! The registry of running servers on this machine: one small file for each drill and each
//! `up`.
//!
//! An owner removes its file when it ends. A killed owner cannot. Its file then names a dead
//! process, and shows [`collect`] what is left.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::info;

use super::private::{self, nodes_dir};
use super::proc::ProcessId;
use super::programs::end_left;
use crate::log::OrLogged;
use crate::model::event::EngineInfo;
use crate::model::{HostId, NodeName, Password};

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("there is no home directory to keep redrill's state in; set REDRILL_STATE_DIR")]
    NoHome,
    #[error("cannot use redrill's state in `{}`: {source}", path.display())]
    State { path: PathBuf, source: io::Error },
    #[error(
        "`{id}` is running already (pid {pid}); end it with `redrill down {id}`, or choose another `--name`"
    )]
    Taken { id: String, pid: u32 },
    #[error("`{id}` cannot be a name: use letters, digits, `-`, `_` and `.`, at most 128 of them")]
    BadName { id: String },
    #[error("cannot tell this process's own start time from /proc")]
    NoProc,
    #[error("cannot remove `{}`, which a killed redrill left: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// `redrill run`: its folder has a report, which stays.
    Drill,
    /// `redrill run --keep` after the drill's end: only its servers are up.
    Kept,
    /// `redrill up`: its folder exists only while it runs.
    Up,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub kind: RunKind,
    pub owner: ProcessId,
    /// Absolute. The nodes live in `nodes/` in it.
    pub directory: PathBuf,
    pub topology: String,
    pub engine: EngineInfo,
    /// Empty until they have started.
    pub nodes: Vec<NodeRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub name: NodeName,
    pub address: String,
    /// The node id in the cluster; empty outside a cluster.
    pub cluster_id: String,
    pub process: Option<ProcessId>,
    /// The machine that it runs on, and whose process that is.
    #[serde(default, skip_serializing_if = "HostId::is_here")]
    pub host: HostId,
}

/// Where records are.
#[derive(Clone, Debug)]
pub struct Registry {
    state: PathBuf,
}

/// A record that exists as long as this value.
#[derive(Debug)]
pub struct Registration {
    file: PathBuf,
    record: Record,
}

impl Registry {
    /// `$REDRILL_STATE_DIR`, else `$XDG_STATE_HOME/redrill`, else `~/.local/state/redrill`.
    pub fn locate() -> Result<Registry, RegistryError> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = set("REDRILL_STATE_DIR")
            .or_else(|| Some(set("XDG_STATE_HOME")?.join("redrill")))
            .or_else(|| Some(env::home_dir()?.join(".local/state/redrill")))
            .ok_or(RegistryError::NoHome)?;
        Ok(Registry::at(std::path::absolute(&state).unwrap_or(state)))
    }

    /// For tests.
    pub fn at(state: impl Into<PathBuf>) -> Registry {
        Registry { state: state.into() }
    }

    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// The folder of `redrill up NAME`.
    pub fn up_dir(&self, name: &str) -> PathBuf {
        self.state.join("up").join(name)
    }

    fn file(&self, id: &str) -> PathBuf {
        self.state.join("drills").join(format!("{id}.json"))
    }

    /// Adds a record that names this process as the owner. `directory` must exist. What a
    /// killed owner of the same id left is removed first.
    pub fn register(
        &self,
        id: &str,
        kind: RunKind,
        directory: &Path,
        topology: &str,
        engine: &EngineInfo,
    ) -> Result<Registration, RegistryError> {
        check_name(id)?;
        let owner = ProcessId::own().ok_or(RegistryError::NoProc)?;
        let state = |path: &Path, source| RegistryError::State { path: path.to_owned(), source };
        let directory = directory.canonicalize().map_err(|e| state(directory, e))?;
        let (id, topology, engine) = (id.to_owned(), topology.to_owned(), engine.clone());
        let record = Record { id, kind, owner, directory, topology, engine, nodes: Vec::new() };
        let file = self.file(&record.id);
        fs::create_dir_all(self.state.join("drills")).map_err(|e| state(&self.state, e))?;
        self.make_room(&record.id)?;
        match put_new(&file, &record) {
            Ok(()) => {
                info!(file = %file.display(), "registered");
                Ok(Registration { file, record })
            }
            // Another process was faster.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let pid = self.find(&record.id)?.map_or(0, |there| there.owner.pid);
                Err(RegistryError::Taken { id: record.id, pid })
            }
            Err(e) => Err(state(&file, e)),
        }
    }

    /// Removes what a killed owner of `id` left.
    ///
    /// # Errors
    /// `id` is not a valid name, or a live process has it.
    pub fn make_room(&self, id: &str) -> Result<(), RegistryError> {
        match self.find(id)? {
            Some(there) if there.is_live() => {
                Err(RegistryError::Taken { id: there.id, pid: there.owner.pid })
            }
            Some(there) => self.collect_one(&there).map(drop),
            None => Ok(()),
        }
    }

    /// All records, by id, including those of dead owners. Other files are ignored.
    pub fn records(&self) -> Result<Vec<Record>, RegistryError> {
        let dir = self.state.join("drills");
        let state = |source| RegistryError::State { path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(state)?,
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(state)?.path();
            if path.extension().is_some_and(|e| e == "json") {
                records.extend(read(&path).or_logged("read a record of a drill").flatten());
            }
        }
        records.sort_by(|a: &Record, b| a.id.cmp(&b.id));
        Ok(records)
    }

    pub fn find(&self, id: &str) -> Result<Option<Record>, RegistryError> {
        check_name(id)?;
        read(&self.file(id))
    }

    /// Removes what a dead owner left, and returns a list of it. Its reports, its history and
    /// its logs stay, except those of an `up`.
    pub fn collect_one(&self, record: &Record) -> Result<Vec<String>, RegistryError> {
        if record.is_live() {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        let ended = end_left(&nodes_dir(&record.directory));
        removed.extend(ended.iter().map(|pid| format!("process {pid}")));
        let folder = match record.kind {
            RunKind::Drill | RunKind::Kept => nodes_dir(&record.directory),
            RunKind::Up => record.directory.clone(),
        };
        for path in [folder, self.file(&record.id)] {
            if remove(&path)? {
                removed.push(path.display().to_string());
            }
        }
        info!(id = record.id, ?removed, "what a dead redrill left is removed");
        Ok(removed)
    }
}

impl Record {
    /// Whether the process that owns the servers still runs.
    pub fn is_live(&self) -> bool {
        self.owner.is_alive()
    }

    /// What its servers ask of clients, as far as this user may know.
    pub fn password(&self) -> Option<Password> {
        private::password(&self.directory)
    }

    /// The file with that, which only its owner may read.
    pub fn password_file(&self) -> PathBuf {
        private::password_file(&self.directory)
    }
}

impl Registration {
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Adds the nodes to the record, and keeps their password beside them, for their owner.
    pub fn set_nodes(
        &mut self,
        nodes: Vec<NodeRecord>,
        password: Option<&Password>,
    ) -> Result<(), RegistryError> {
        if let Some(password) = password {
            let path = self.record.directory.clone();
            private::keep_password(&path, password)
                .map_err(|source| RegistryError::State { path, source })?;
        }
        self.record.nodes = nodes;
        self.write()
    }

    /// The drill has ended, and its servers stay up.
    pub fn set_kept(&mut self) -> Result<(), RegistryError> {
        self.record.kind = RunKind::Kept;
        self.write()
    }

    fn write(&self) -> Result<(), RegistryError> {
        replace(&self.file, &self.record)
            .map_err(|source| RegistryError::State { path: self.file.clone(), source })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // `collect` finds a record that stays.
        fs::remove_file(&self.file).or_logged("remove a record");
    }
}

/// An id becomes a file name.
fn check_name(id: &str) -> Result<(), RegistryError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match (1..=128).contains(&id.len()) && id.chars().all(fits) && !id.starts_with('.') {
        true => Ok(()),
        false => Err(RegistryError::BadName { id: id.to_owned() }),
    }
}

/// Replaces the whole file at once, so that nobody reads half of it.
fn replace(file: &Path, record: &Record) -> io::Result<()> {
    let draft = draft(file, record)?;
    fs::rename(&draft, file)
}

/// The same, but fails if the file exists.
fn put_new(file: &Path, record: &Record) -> io::Result<()> {
    let draft = draft(file, record)?;
    let put = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    put
}

fn draft(file: &Path, record: &Record) -> io::Result<PathBuf> {
    let draft = file.with_extension(format!("draft-{}", std::process::id()));
    let text = serde_json::to_string_pretty(record)?;
    fs::write(&draft, text + "\n")?;
    Ok(draft)
}

/// `None` if the file does not exist.
fn read(file: &Path) -> Result<Option<Record>, RegistryError> {
    let read = fs::read(file).and_then(|text| Ok(serde_json::from_slice(&text)?));
    match read {
        Ok(record) => Ok(Some(record)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RegistryError::State { path: file.to_owned(), source }),
    }
}

/// Whether there was something to remove.
fn remove(path: &Path) -> Result<bool, RegistryError> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(RegistryError::Remove { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::proc;

    fn engine() -> EngineInfo {
        EngineInfo { kind: "redis".into(), version: "7.0.15".into() }
    }

    fn registry() -> (tempfile::TempDir, Registry, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir_all(run.join("nodes/cache-0-0")).unwrap();
        fs::create_dir_all(run.join("logs")).unwrap();
        let registry = Registry::at(dir.path().join("state"));
        (dir, registry, run)
    }

    /// A record as if its owner had been killed.
    fn orphan(registry: &Registry, id: &str, kind: RunKind, run: &Path) -> Record {
        let mut registration = registry.register(id, kind, run, "t", &engine()).unwrap();
        registration.record.owner.start += 1;
        registration.set_nodes(Vec::new(), None).unwrap();
        let record = registration.record.clone();
        std::mem::forget(registration);
        record
    }

    #[test]
    fn a_record_is_there_for_as_long_as_its_guard() {
        let (_dir, registry, run) = registry();
        assert!(registry.records().unwrap().is_empty());
        let registration = registry.register("a", RunKind::Drill, &run, "t", &engine()).unwrap();
        assert_eq!(registry.records().unwrap(), [registration.record().clone()]);
        let again = registry.register("a", RunKind::Up, &run, "t", &engine()).unwrap_err();
        assert!(matches!(again, RegistryError::Taken { pid, .. } if pid == std::process::id()));
        drop(registration);
        assert!(registry.find("a").unwrap().is_none());
    }

    #[test]
    fn what_the_living_have_is_not_touched() {
        let (_dir, registry, run) = registry();
        let registration = registry.register("a", RunKind::Up, &run, "t", &engine()).unwrap();
        assert!(registry.collect_one(registration.record()).unwrap().is_empty());
        assert!(run.join("nodes").exists() && registry.find("a").unwrap().is_some());
    }

    #[test]
    fn of_a_dead_drill_the_logs_stay() {
        let (_dir, registry, run) = registry();
        let record = orphan(&registry, "a", RunKind::Drill, &run);
        assert!(!record.is_live());
        let removed = registry.collect_one(&record).unwrap();
        assert_eq!(removed.len(), 2, "{removed:?}");
        assert!(!run.join("nodes").exists() && run.join("logs").exists());
        assert!(registry.find("a").unwrap().is_none());
    }

    /// Such a server is in no process group that redrill knows.
    #[test]
    fn of_a_dead_drill_what_made_itself_a_daemon_is_ended() {
        let (_dir, registry, run) = registry();
        let home = run.join("nodes/cache-0-0").canonicalize().unwrap();
        let mut child = std::process::Command::new("setsid");
        let mut child = child.args(["sleep", "60"]).current_dir(&home).spawn().unwrap();
        while proc::directory(child.id()).as_ref() != Some(&home) {
            std::thread::yield_now();
        }
        let record = orphan(&registry, "a", RunKind::Drill, &run);
        let removed = registry.collect_one(&record).unwrap();
        assert!(removed.contains(&format!("process {}", child.id())), "{removed:?}");
        assert!(child.wait().unwrap().code().is_none(), "it was killed");
    }

    #[test]
    fn the_name_of_a_dead_one_is_free() {
        let (_dir, registry, run) = registry();
        orphan(&registry, "a", RunKind::Drill, &run);
        let registration = registry.register("a", RunKind::Drill, &run, "t", &engine()).unwrap();
        assert!(registration.record().is_live());
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        let (_dir, registry, run) = registry();
        for bad in ["", "../up", ".hidden", "a/b", "a b", &"x".repeat(129)] {
            let refused = registry.register(bad, RunKind::Up, &run, "t", &engine());
            assert!(matches!(refused, Err(RegistryError::BadName { .. })), "{bad}");
        }
    }
}
