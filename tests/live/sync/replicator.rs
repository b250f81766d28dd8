//! The replicator as a process: it is killed while it carries, and told nonsense.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{OUTBOX, write};
use redrill::sync::protocol::{Order, Place, Progress, VERSION};

use super::Server;
use crate::common::{heavy_turn, need, until};

const SOON: Duration = Duration::from_secs(30);

fn replicate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
    command.arg("replicate").stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A replicator that carries from the one to the other.
struct Replicator(Child);

impl Replicator {
    fn start(from: &Server, to: &Server, rule: SyncRule) -> Replicator {
        let place =
            |server: &Server| Place { group: server.group.to_owned(), nodes: vec![server.address] };
        let (from, to) = (place(from), place(to));
        let rule = rule.word().to_owned();
        let order = Order { protocol: VERSION, rule, from, to, password: None, batch: 500 };
        let mut child = replicate().spawn().unwrap();
        let line = serde_json::to_string(&order).unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
        Replicator(child)
    }

    /// The first line, after its greeting, that is `wanted`.
    fn line(&mut self, wanted: impl Fn(&Progress) -> bool) -> Progress {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines().skip(1);
        let lines = lines.map(|line| serde_json::from_str::<Progress>(&line.unwrap()).unwrap());
        lines.take(300).find(wanted).expect("it never says so")
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        // SIGKILL.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Increments are carried as they are (by `naive`), so one that is applied twice counts twice.
#[test]
fn one_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice() {
    let _turn = heavy_turn();
    for server in need::engines() {
        let mut us = Server::start(&server, "us", SyncRule::Naive);
        let mut eu = Server::start(&server, "eu", SyncRule::Naive);
        let mut written = 0u64;
        for _ in 0..6 {
            let _replicator = Replicator::start(&us, &eu, SyncRule::Naive);
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(400) {
                let mut some = redis::pipe();
                (0..20).for_each(|_| _ = some.add_command(write("incr", "c", b"")).ignore());
                some.exec(&mut us.connection).unwrap();
                written += 20;
            }
            // It is killed here, in the middle of carrying.
        }
        let _replicator = Replicator::start(&us, &eu, SyncRule::Naive);
        let total = |eu: &mut Server| eu.get("c").map_or(0, |total| total.parse::<u64>().unwrap());
        assert!(until(SOON, || total(&mut eu) >= written), "{} of {written}", total(&mut eu));
        assert_eq!(total(&mut eu), written);
    }
}

#[test]
fn what_was_cut_off_before_it_was_read_is_told() {
    let server = &need::engines()[0];
    let mut us = Server::start(server, "us", SyncRule::Lww);
    let eu = Server::start(server, "eu", SyncRule::Lww);
    (0..10).for_each(|n| us.write("set", &format!("k{n}"), "v"));
    let _: u64 = us.say(&["XTRIM", OUTBOX, "MAXLEN", "4"]);
    let mut replicator = Replicator::start(&us, &eu, SyncRule::Lww);
    let told = replicator.line(|progress| progress.applied == 4);
    assert_eq!((told.missing, told.error), (6, None));
}

/// A source that is gone is an error that is told, and the replicator waits for it.
#[test]
fn a_server_that_is_gone_is_told_and_waited_for() {
    let server = &need::engines()[0];
    let us = Server::start(server, "us", SyncRule::Lww);
    let eu = Server::start(server, "eu", SyncRule::Lww);
    let mut replicator = Replicator::start(&us, &eu, SyncRule::Lww);
    drop(us);
    let told = replicator.line(|progress| progress.error.is_some());
    assert!(told.error.unwrap().contains("group `us` has no primary"));
    let ended = replicator.0.try_wait().unwrap();
    assert!(ended.is_none(), "{ended:?}");
    // The end of its input is its own.
    drop(replicator.0.stdin.take());
    assert!(until(SOON, || replicator.0.try_wait().unwrap().is_some()));
}

#[test]
fn nonsense_ends_it_and_shows_no_password() {
    for line in [
        "hello",
        "{}",
        r#"{"protocol":9,"rule":"lww","batch":1,"password":"secret1","from":{"group":"a","nodes":["127.0.0.1:1"]},"to":{"group":"b","nodes":["127.0.0.1:2"]}}"#,
        r#"{"protocol":1,"rule":"lww","batch":1,"password":"secret1","from":{"group":"a","nodes":[]},"to":{"group":"b","nodes":["127.0.0.1:2"]}}"#,
    ] {
        let mut child = replicate().stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains("this is no order") && !said.contains("secret1"), "{said}");
    }
    let nothing = replicate().stdin(Stdio::null()).output().unwrap();
    assert_eq!(nothing.status.code(), Some(0), "no order, no work");
}
