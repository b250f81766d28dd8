//! Actors: programs that take part and are no servers, on every backend.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redrill::backend::proc::ProcessId;
use redrill::backend::registry::{Registry, RunKind};
use redrill::backend::sockets::SocketOwner;
use redrill::backend::{ActorPipes, ActorPlan, Backend, BackendError, Data, NodeExited};
use redrill::model::NodeName;
use redrill::model::event::EngineInfo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::backend::place::Place;
use crate::common;

const SOON: Duration = Duration::from_secs(5);
const ECHO: &str = "echo $REDRILL_ACTOR is here >&2; while read line; do echo got $line; done";

fn shell(script: &str) -> ActorPlan {
    let args = vec!["-c".to_owned(), script.to_owned()];
    let (name, env) = (NodeName::actor("app", 0), Vec::new());
    ActorPlan { name, program: "sh".into(), args, env, talks: true }
}

struct Talk {
    stdin: ChildStdin,
    lines: tokio::io::Lines<tokio::io::BufReader<ChildStdout>>,
}

impl Talk {
    fn over(ActorPipes { stdin, stdout }: ActorPipes) -> Talk {
        let stdout = ChildStdout::from_std(stdout).unwrap();
        let lines = tokio::io::BufReader::new(stdout).lines();
        Talk { stdin: ChildStdin::from_std(stdin).unwrap(), lines }
    }

    async fn say(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hears(&mut self) -> String {
        let line = timeout(SOON, self.lines.next_line()).await.expect("it answers");
        line.unwrap().expect("its output goes on")
    }
}

async fn exit(exits: &mut tokio::sync::broadcast::Receiver<NodeExited>) -> NodeExited {
    timeout(SOON, exits.recv()).await.expect("its end is told").unwrap()
}

fn runs(pid: u32) -> bool {
    ProcessId::of(pid).is_some_and(ProcessId::is_alive)
}

fn is_gone(pid: u32) {
    let began = Instant::now();
    while runs(pid) {
        assert!(began.elapsed() < SOON, "process {pid} is left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn an_actor_is_paused_killed_stopped_and_started_again(place: Place) {
    let backend = place.backend().await;
    let (name, mut exits) = (NodeName::actor("app", 0), backend.exits());
    let mut starts = backend.programs().start_actor(shell(ECHO)).await.unwrap();
    let mut talk = Talk::over(starts.recv().await.unwrap());
    talk.say("one").await;
    assert_eq!(talk.hears().await, "got one");
    assert!(backend.runs(&name) && backend.log_tail(&name) == "app/actor/0 is here");
    let again = backend.start_again(&name, Data::Kept).await;
    assert!(matches!(again, Err(BackendError::Running { .. })), "{again:?}");

    backend.pause(&name).await.unwrap();
    talk.say("two").await;
    assert!(timeout(Duration::from_millis(200), talk.lines.next_line()).await.is_err(), "paused");
    backend.resume(&name).await.unwrap();
    assert_eq!(talk.hears().await, "got two");

    backend.kill(&name).await.unwrap();
    let NodeExited { name: ended, status, asked, .. } = exit(&mut exits).await;
    assert!(ended == name && asked && status.contains("SIGKILL"), "{ended} {status}");
    assert!(!backend.runs(&name) && backend.kill(&name).await.is_err());
    assert_eq!(talk.lines.next_line().await.unwrap(), None, "its output has ended");

    backend.start_again(&name, Data::Dropped).await.unwrap();
    let mut talk = Talk::over(starts.recv().await.unwrap());
    talk.say("three").await;
    assert_eq!(talk.hears().await, "got three");
    backend.stop(&name).await.unwrap();
    assert!(exit(&mut exits).await.status.contains("SIGTERM"));

    backend.start_again(&name, Data::Kept).await.unwrap();
    let mut talk = Talk::over(starts.recv().await.unwrap());
    talk.say("four").await;
    assert_eq!(talk.hears().await, "got four");
    // One that is paused at the end goes as well.
    backend.pause(&name).await.unwrap();
    backend.shutdown().await.unwrap();
    assert!(!backend.runs(&name));
    let log = fs::read_to_string(place.folder().join("logs/app-actor-0.log")).unwrap();
    assert_eq!(log.lines().count(), 3, "a start a line: {log}");
    assert!(!place.folder().join("nodes").exists());
    place.assert_nothing_left().await;
}

async fn what_an_actor_started_ends_with_it(place: Place) {
    let backend = place.backend().await;
    let mut exits = backend.exits();
    let script = "sleep 300 & echo $!; read line; echo nobody speaks >&2; exit 3";
    let mut starts = backend.programs().start_actor(shell(script)).await.unwrap();
    let mut talk = Talk::over(starts.recv().await.unwrap());
    let child = talk.hears().await.parse().unwrap();
    assert!(runs(child));
    drop(talk.stdin);
    let exited = exit(&mut exits).await;
    assert!(!exited.asked && exited.status.contains("exit status: 3"), "{exited:?}");
    assert_eq!(exited.log_tail, "nobody speaks");
    is_gone(child);
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

async fn a_program_that_is_not_there_is_named(place: Place) {
    let backend = place.backend().await;
    let plan = ActorPlan { program: "no-such-adapter".into(), ..shell("") };
    let error = backend.programs().start_actor(plan).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot start app/actor/0, `no-such-adapter`:"), "{error}");
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

/// By its own process, or by one that it started.
async fn connections_of_an_actor_are_told_from_others(place: Place) {
    let backend = place.backend().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap();
    let connect = format!("exec 3<>/dev/tcp/{}/{}", door.ip(), door.port());
    let script = format!("{connect}; read line; exec 3>&-; ({connect}; read line; true); true");
    let plan = ActorPlan { program: "bash".into(), ..shell(&script) };
    let mut starts = backend.programs().start_actor(plan).await.unwrap();
    let mut talk = Talk::over(starts.recv().await.unwrap());
    let owners = backend.programs().socket_owners();
    let actor = SocketOwner::Program(NodeName::actor("app", 0));
    for by in ["itself", "one that it started"] {
        let (_open, peer) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        assert_eq!(owners(peer, door), Some(actor.clone()), "{by}");
        talk.say("go on").await;
    }
    let own = TcpStream::connect(door).await.unwrap();
    assert_eq!(owners(own.local_addr().unwrap(), door), Some(SocketOwner::Redrill));
    let stranger = format!("{connect}; sleep 10");
    let mut stranger = Command::new("bash").args(["-c", &stranger]).spawn().unwrap();
    listener.accept().await.unwrap();
    let (_open, peer) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    assert_eq!(owners(peer, door), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

on_every_backend! {
    connections_of_an_actor_are_told_from_others
    an_actor_is_paused_killed_stopped_and_started_again
    what_an_actor_started_ends_with_it
    a_program_that_is_not_there_is_named
}

/// Where the process that is to be killed has its run folder and its registry.
const KILLED: &str = "REDRILL_TEST_KILLED";

/// What `killed_with_its_actor` runs in a process of its own, and kills. The actor starts one
/// program that stays in its process group, and one that leaves it.
#[tokio::test]
async fn owner_of_an_actor() {
    let Some(dir) = env::var_os(KILLED).map(PathBuf::from) else { return };
    let run = dir.join("run");
    let backend = common::backend(&run);
    let engine = EngineInfo::default();
    let registry = Registry::at(dir.join("state"));
    let _registered = registry.register("killed", RunKind::Drill, &run, "t", &engine).unwrap();
    let script = "sleep 300 & echo $!; setsid sleep 300 & echo $!; echo $$; sleep 300; true";
    let mut starts = backend.programs().start_actor(shell(script)).await.unwrap();
    let stdout = starts.recv().await.unwrap().stdout;
    for line in BufReader::new(stdout).lines().take(3) {
        writeln!(std::io::stderr(), "pid {}", line.unwrap()).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[test]
fn a_killed_redrill_leaves_no_actor() {
    let dir = tempfile::tempdir().unwrap();
    let (_, here) = module_path!().split_once("::").unwrap();
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("{here}::owner_of_an_actor"), "--nocapture"])
        .env(KILLED, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines().map(Result::unwrap);
    let pids = lines.filter_map(|line| line.strip_prefix("pid ")?.trim().parse().ok()).take(3);
    let pids: Vec<u32> = pids.collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    is_gone(pids[2]);

    let registry = Registry::at(dir.path().join("state"));
    let record = registry.find("killed").unwrap().unwrap();
    let removed = registry.collect_one(&record).unwrap();
    let ended = removed.iter().filter(|what| what.starts_with("process")).count();
    assert!(ended >= 2, "{removed:?}");
    pids.into_iter().for_each(is_gone);
    assert!(!dir.path().join("run/nodes").exists() && dir.path().join("run/logs").exists());
}
