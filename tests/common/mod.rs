//! What live tests share: the server to run, topologies, and looking for what is left.

// Each of the test binaries with servers compiles this module and uses a part of it.
#![allow(dead_code)]

pub mod need;
pub mod said;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use redrill::backend::ProcessBackend;
use redrill::backend::proc;
use redrill::backend::process::binary::{ServerBinary, on_path};
use redrill::model::Password;
use redrill::spec::Topology;
use redrill::spec::topology::{Auth, Engine, Group, Limits, Mode, Placement};

/// The server that tests run: `REDRILL_SERVER`, else the one on PATH. Live tests do
/// not pass without one.
pub fn server() -> PathBuf {
    let named = env::var_os("REDRILL_SERVER").map(PathBuf::from);
    named
        .or_else(|| on_path("redis-server"))
        .or_else(|| on_path("valkey-server"))
        .expect("live tests need redis-server or valkey-server on PATH, or REDRILL_SERVER")
}

pub fn backend(run_folder: &Path) -> ProcessBackend {
    backend_of(&server(), run_folder)
}

pub fn backend_of(server: &Path, run_folder: &Path) -> ProcessBackend {
    let binary = ServerBinary::at(server).unwrap();
    ProcessBackend::open(&binary, run_folder).unwrap()
}

pub fn group(name: &str, mode: Mode) -> Group {
    Group {
        name: name.to_owned(),
        mode,
        placement: Placement::Anywhere,
        config: BTreeMap::new(),
        port: None,
        limits: Limits::default(),
    }
}

pub fn cluster(shards: u32, replicas: u32) -> Group {
    group("cache", Mode::Cluster { shards, replicas })
}

pub fn topology(groups: Vec<Group>) -> Topology {
    Topology {
        sync: None,
        name: "test".to_owned(),
        summary: String::new(),
        engine: Engine::default(),
        auth: Auth::Password,
        regions: Vec::new(),
        links: Vec::new(),
        groups,
    }
}

/// A program that does what the shell script says.
pub fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    // Written by another process: while this one has a file open for writing, a child
    // of another test's thread may inherit it, and the kernel refuses to run it.
    let wrote = Command::new("sh")
        .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod +x "$1""#, "sh"])
        .arg(&path)
        .arg(text)
        .status()
        .unwrap();
    assert!(wrote.success());
    path
}

/// Pids of the servers whose working directory lies in `folder`.
pub fn servers_in(folder: &Path) -> Vec<u32> {
    let folder = folder.canonicalize().unwrap_or(folder.to_owned());
    let inside = |pid: &u32| proc::directory(*pid).is_some_and(|dir| dir.starts_with(&folder));
    proc::pids().filter(inside).collect()
}

/// No server is left that ran in `folder`, and none of their directories.
pub fn assert_nothing_left(folder: &Path) {
    assert!(until(Duration::from_secs(2), || servers_in(folder).is_empty()), "servers are left");
    assert!(!folder.join("nodes").exists(), "the nodes' directories are left");
}

/// Whether `fact` comes true within `most`.
pub fn until(most: Duration, mut fact: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if fact() {
            return true;
        }
        if began.elapsed() > most {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// `redis-cli --cluster check` has nothing to say against the cluster. Without a
/// redis-cli nothing is held, and that is said.
pub fn assert_redis_cli_agrees(address: &str, password: Option<&Password>) {
    let Some(cli) = need::cli() else { return };
    let mut check = Command::new(cli);
    check.args(["--cluster", "check", address]);
    let out = with_password(&mut check, password).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let agrees = out.status.success()
        && said.contains("[OK] All nodes agree about slots configuration.")
        && said.contains("[OK] All 16384 slots covered.");
    assert!(agrees, "{said}");
}

/// For redis-cli, which takes it from there.
pub fn with_password<'c>(command: &'c mut Command, password: Option<&Password>) -> &'c mut Command {
    match password {
        Some(password) => command.env("REDISCLI_AUTH", password.reveal()),
        None => command,
    }
}

/// A client of one server.
pub fn client(address: impl Display, password: Option<&Password>) -> redis::Client {
    let secret = password.map(|password| format!(":{}@", password.reveal()));
    redis::Client::open(format!("redis://{}{address}", secret.unwrap_or_default())).unwrap()
}

/// Runs the shell script `inside` where `folder` is a file system of its own, which
/// nobody else sees: `$1` is the folder, and `args` follow. None where nothing may be
/// mounted.
pub fn on_own_disk(
    folder: &Path,
    options: &str,
    inside: &str,
    args: &[&OsStr],
    environment: &Command,
) -> Option<Ran> {
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(folder);
        command
    };
    let can = namespace(r#"mount -t tmpfs none "$1""#).output();
    if !can.is_ok_and(|can| can.status.success()) {
        need::skip(need::Need::Disk, "no file system may be mounted here");
        return None;
    }
    let mount = format!(r#"mount -t tmpfs -o {options} none "$1" && {inside}"#);
    let mut command = namespace(&mount);
    command.args(args);
    command.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(run(&mut command))
}

pub fn logs(folder: &Path) -> String {
    let files = fs::read_dir(folder.join("logs")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
}

/// The redrill binary with a state folder of its own.
pub fn redrill(state: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
    command.args(args).env("REDRILL_STATE_DIR", state).env("REDRILL_ENGINE_BINARY", server());
    command
}

/// One of the tests that load the machine. Many tests may wait side by side, and only so many
/// may load it: servers that are not run in time miss each other.
pub struct HeavyTurn(());

static HEAVY: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
const MOST_HEAVY: u32 = 3;

pub fn heavy_turn() -> HeavyTurn {
    let running = HEAVY.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let free = HEAVY.1.wait_while(running, |running| *running == MOST_HEAVY);
    *free.unwrap_or_else(|poisoned| poisoned.into_inner()) += 1;
    HeavyTurn(())
}

impl Drop for HeavyTurn {
    fn drop(&mut self) {
        *HEAVY.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) -= 1;
        HEAVY.1.notify_one();
    }
}

/// `redrill gc` removes what any dead redrill left in the Docker engine. So tests that call it,
/// and those that look at what is left before, take turns.
pub fn gc_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// `redrill gc`, in its turn.
pub fn gc(state: &Path) -> Ran {
    let _turn = gc_turn();
    run(&mut redrill(state, &["gc"]))
}

/// Where no Docker engine is.
pub const NO_DOCKER: &str = "unix:///nowhere/docker.sock";

/// Makes it a machine that has nothing to run servers with.
pub fn without_servers(command: &mut Command) -> &mut Command {
    let command = command.env_remove("REDRILL_ENGINE_BINARY").env("PATH", "/nowhere");
    command.env("DOCKER_HOST", NO_DOCKER)
}

/// What came of a run.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
