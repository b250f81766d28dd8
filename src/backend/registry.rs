//! The registry of running servers on this machine: one small file for each drill and each
//! `up`.
//!
//! An owner removes its file when it ends. A killed owner cannot. Its file then names a dead
//! process, and shows [`Registry::collect_one`] what is left.
//!
//! A record is believed only if no other user can have written it, and nothing is removed but in a
//! folder that has its mark ([`MARK`]): who plants a record has no hold on what gets removed.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::info;

use super::private::{self, nodes_dir};
use super::proc::ProcessId;
use super::programs::end_left;
use crate::files::make::{self, OwnDir};
use crate::files::read;
use crate::log::OrLogged;
use crate::model::event::EngineInfo;
use crate::model::{HostId, NodeName, Password, printable};

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
    #[error("`{}` is not to be trusted as a record of redrill: {why}", path.display())]
    Untrusted { path: PathBuf, why: String },
    #[error("`{}` is no record that this redrill can read: {why}", path.display())]
    Broken { path: PathBuf, why: String },
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
    /// What the folder's [`MARK`] says.
    #[serde(default)]
    pub mark: String,
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

/// The file of a run folder that shows that it is the one which a record names.
pub const MARK: &str = ".redrill";
/// A record of a thousand nodes has a third of it.
const MOST_BYTES: u64 = 1 << 20;

/// The records of a state folder, and why others of its files are none.
#[derive(Debug, Default)]
pub struct Listing {
    pub records: Vec<Record>,
    pub doubtful: Vec<RegistryError>,
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
        let (mark, nodes) = (format!("{:016x}", rand::random::<u64>()), Vec::new());
        let record = Record { id, kind, owner, directory, mark, topology, engine, nodes };
        let file = self.file(&record.id);
        make::dir(&self.state.join("drills")).map_err(|e| state(&self.state, e))?;
        self.make_room(&record.id)?;
        let marked = make::write(&record.directory.join(MARK), &record.mark);
        marked.map_err(|e| state(&record.directory, e))?;
        match text(&record).and_then(|text| make::put_new(&file, text)) {
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

    /// All records, by id, including those of dead owners.
    pub fn records(&self) -> Result<Vec<Record>, RegistryError> {
        self.list().map(|listing| listing.records)
    }

    /// All records, by id, and what cannot be read or trusted as one.
    pub fn list(&self) -> Result<Listing, RegistryError> {
        let dir = self.state.join("drills");
        let state = |source| RegistryError::State { path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
            entries => entries.map_err(state)?,
        };
        let mut listing = Listing::default();
        for entry in entries {
            let path = entry.map_err(state)?.path();
            if path.extension().is_some_and(|e| e == "json") {
                match read_record(&path) {
                    Ok(record) => listing.records.extend(record),
                    Err(why) => listing.doubtful.push(why),
                }
            }
        }
        listing.records.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listing)
    }

    pub fn find(&self, id: &str) -> Result<Option<Record>, RegistryError> {
        check_name(id)?;
        read_record(&self.file(id))
    }

    /// Removes what a dead owner left, and returns a list of it. Its reports, its history and
    /// its logs stay, except those of an `up`.
    pub fn collect_one(&self, record: &Record) -> Result<Vec<String>, RegistryError> {
        if record.is_live() {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        if let Some((parent, name)) = self.left_folder(record)? {
            let ended = end_left(&nodes_dir(&record.directory));
            removed.extend(ended.iter().map(|pid| format!("process {pid}")));
            let path = match record.kind {
                RunKind::Drill | RunKind::Kept => nodes_dir(&record.directory),
                RunKind::Up => record.directory.clone(),
            };
            // By the open folder: its name may be given to another one meanwhile.
            if remove(&parent.join(&name), &path)? {
                removed.push(path.display().to_string());
            }
        }
        let file = self.file(&record.id);
        if remove(&file, &file)? {
            removed.push(file.display().to_string());
        }
        info!(id = record.id, ?removed, "what a dead redrill left is removed");
        Ok(removed)
    }

    /// The folder to remove, as its name in an open one. `None` if the record's folder is gone.
    ///
    /// # Errors
    /// The folder has not the record's mark, or others may write in it.
    fn left_folder(&self, record: &Record) -> Result<Option<(OwnDir, String)>, RegistryError> {
        let untrusted = |why: String| RegistryError::Untrusted { path: self.file(&record.id), why };
        let folder = record.directory.display();
        let open = |path: &Path| match OwnDir::open(path) {
            Ok(dir) => Ok(Some(dir)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(untrusted(format!("its folder is `{folder}`, of which: {e}"))),
        };
        let Some(own) = open(&record.directory)? else { return Ok(None) };
        match record.kind {
            RunKind::Drill | RunKind::Kept => {
                let mark = read_own(&own.join(MARK), MOST_BYTES);
                let is_marked = !record.mark.is_empty()
                    && mark.is_ok_and(|mark| mark.ok() == Some(record.mark.clone().into_bytes()));
                match is_marked {
                    true => Ok(Some((own, "nodes".to_owned()))),
                    false => Err(untrusted(format!(
                        "its folder `{folder}` has not its mark in a file `{MARK}`, so it may be \
                         anybody's; remove `{folder}/nodes` and the record by hand if they are \
                         redrill's"
                    ))),
                }
            }
            RunKind::Up => {
                let up = self.up_dir(&record.id);
                match up.canonicalize().is_ok_and(|up| up == record.directory) {
                    true => {
                        let parent = open(&self.state.join("up"))?;
                        Ok(parent.map(|parent| (parent, record.id.clone())))
                    }
                    false => Err(untrusted(format!(
                        "its folder is `{folder}`, and `redrill up` would have made `{}`",
                        up.display()
                    ))),
                }
            }
        }
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
        text(&self.record)
            .and_then(|text| make::replace(&self.file, text))
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

fn text(record: &Record) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(record)? + "\n")
}

/// `None` if the file does not exist.
fn read_record(file: &Path) -> Result<Option<Record>, RegistryError> {
    let (path, broken) =
        (|| file.to_owned(), |why: String| RegistryError::Broken { path: file.to_owned(), why });
    let text = match read_own(file, MOST_BYTES) {
        Ok(Ok(text)) => text,
        Ok(Err(why)) => return Err(RegistryError::Untrusted { path: path(), why }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(broken(e.to_string())),
    };
    let record: Record = serde_json::from_slice(&text).map_err(|e| broken(e.to_string()))?;
    match file.file_stem().is_some_and(|stem| stem == &*record.id) {
        true => Ok(Some(record)),
        false => Err(broken(format!("it says that its name is `{}`", printable(&record.id)))),
    }
}

/// The content of a file of this user; or why another user may have written it.
fn read_own(file: &Path, most: u64) -> io::Result<Result<Vec<u8>, String>> {
    let file = read::open_inside(file)?;
    match make::foreign(&file.metadata()?) {
        Some(why) => Ok(Err(why)),
        None => read::whole(file, most).map(Ok),
    }
}

/// Whether there was something to remove at `path`, which messages call `name`.
fn remove(path: &Path, name: &Path) -> Result<bool, RegistryError> {
    let removed = match path.is_dir() && !path.is_symlink() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(RegistryError::Remove { path: name.to_owned(), source }),
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

    /// Somebody else's folder, which has a folder `nodes` of its own.
    #[test]
    fn a_planted_record_has_no_hold_on_other_folders() {
        for kind in [RunKind::Drill, RunKind::Kept, RunKind::Up] {
            let (dir, registry, run) = registry();
            let precious = dir.path().join("precious");
            fs::create_dir_all(precious.join("nodes")).unwrap();
            let mut record = orphan(&registry, "a", kind, &run);
            record.directory = precious.canonicalize().unwrap();
            fs::write(registry.file("a"), serde_json::to_string(&record).unwrap()).unwrap();
            let planted = registry.find("a").unwrap().unwrap();
            let refused = registry.collect_one(&planted).unwrap_err();
            assert!(matches!(refused, RegistryError::Untrusted { .. }), "{refused}");
            assert!(precious.join("nodes").exists(), "{kind:?}");
        }
    }

    /// The folder that a record names is replaced by a link to another run folder.
    #[test]
    fn a_link_in_place_of_a_run_folder_is_not_followed() {
        let (dir, registry, run) = registry();
        let record = orphan(&registry, "a", RunKind::Drill, &run);
        let moved = dir.path().join("moved");
        fs::rename(&run, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &run).unwrap();
        assert!(registry.collect_one(&record).is_err());
        assert!(moved.join("nodes").exists());
    }

    #[test]
    fn what_others_may_have_written_is_no_record_and_is_named() {
        use std::os::unix::fs::PermissionsExt;

        let (_dir, registry, run) = registry();
        for id in ["good", "open", "broken", "pipe", "other"] {
            orphan(&registry, id, RunKind::Drill, &run);
        }
        let everybody = fs::Permissions::from_mode(0o666);
        fs::set_permissions(registry.file("open"), everybody).unwrap();
        fs::write(registry.file("broken"), "{").unwrap();
        fs::rename(registry.file("other"), registry.file("renamed")).unwrap();
        fs::remove_file(registry.file("pipe")).unwrap();
        let (fifo, own) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, registry.file("pipe"), fifo, own, 0).unwrap();
        let Listing { records, mut doubtful } = registry.list().unwrap();
        assert_eq!(records.iter().map(|r| &*r.id).collect::<Vec<_>>(), ["good"]);
        doubtful.sort_by_key(ToString::to_string);
        let why = doubtful.iter().map(|error| error.to_string());
        let why: Vec<_> = why.map(|text| text.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(
            why,
            [
                "broken.json` is no record that this redrill can read: EOF while parsing an object at line 1 column 1",
                "open.json` is not to be trusted as a record of redrill: others may write it (mode 666)",
                "pipe.json` is no record that this redrill can read: it is not a regular file",
                "renamed.json` is no record that this redrill can read: it says that its name is `other`",
            ]
        );
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
