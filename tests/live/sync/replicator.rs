//! The replicator as a process: it is killed while it carries, and told nonsense.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{self, OUTBOX, Writers, write};
use redrill::sync::protocol::{Order, Place, Progress, VERSION};

use super::Server;
use crate::common::{heavy_turn, need, until};

pub const RULES: [SyncRule; 3] = [SyncRule::Lww, SyncRule::Crdt, SyncRule::Naive];
pub const SOON: Duration = Duration::from_secs(30);

fn replicate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
    command.arg("replicate").stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A replicator that carries from the one to the other.
pub struct Replicator(Child, BufReader<ChildStdout>);

impl Replicator {
    pub fn start(from: &Server, to: &Server, rule: SyncRule) -> Replicator {
        Replicator::between([from, to].map(Server::place), rule)
    }

    pub fn between(both: [Place; 2], rule: SyncRule) -> Replicator {
        Replicator::of(both, rule, Writers::All)
    }

    pub fn of([from, to]: [Place; 2], rule: SyncRule, writers: Writers) -> Replicator {
        let rule = rule.word().to_owned();
        let (protocol, standby) = (VERSION, writers == Writers::OneOf);
        let order = Order { protocol, rule, standby, from, to, password: None, batch: 500 };
        let mut child = replicate().spawn().unwrap();
        let line = serde_json::to_string(&order).unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        // Its greeting.
        said.read_line(&mut String::new()).unwrap();
        Replicator(child, said)
    }

    /// The next line that is `wanted`.
    pub fn line(&mut self, wanted: impl Fn(&Progress) -> bool) -> Progress {
        let lines = self.1.by_ref().lines();
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

/// Entries that are gone cannot be carried, so all keys are compared: deletions count too.
#[test]
fn what_was_cut_off_before_it_was_read_is_told_and_brought() {
    for (rule, server) in RULES.into_iter().zip(need::engines().into_iter().cycle()) {
        let mut us = Server::start(&server, "us", rule);
        let mut eu = Server::start(&server, "eu", rule);
        {
            let mut first = Replicator::start(&us, &eu, rule);
            us.write("set", "gone", "v");
            us.write("sadd", "set", "a");
            first.line(|progress| progress.applied == 2);
        }
        eu.write("set", "own", "of eu");
        us.write("del", "gone", "");
        (0..10).for_each(|n| us.write("set", &format!("k{n}"), "v"));
        (0..3).for_each(|_| us.write("incr", "count", ""));
        us.write("sadd", "set", "b");
        us.write("set", "last", "v");
        let _: u64 = us.say(&["XTRIM", OUTBOX, "MAXLEN", "1"]);
        let mut replicator = Replicator::start(&us, &eu, rule);
        let told = replicator.line(|progress| progress.passes == 1);
        assert!(told.pass.unwrap().starts_with("15 entries were cut off"), "{rule:?}");
        assert!(until(SOON, || eu.get("last").is_some()));
        assert_eq!(eu.get("k9").as_deref(), Some("v"));
        assert_eq!(eu.get("count").as_deref(), Some("3"));
        assert_eq!(eu.members("set"), ["a", "b"]);
        assert_eq!(eu.get("own").as_deref(), Some("of eu"));
        // `naive` knows of no deletion but by its entry.
        assert_eq!(eu.get("gone").is_some(), rule == SyncRule::Naive, "{rule:?}");
    }
}

/// A server that comes back empty takes no write before it has its data again, its own included,
/// and both go on from there.
#[test]
fn a_server_that_lost_its_data_gets_them_back() {
    for (rule, server) in RULES.into_iter().zip(need::engines().into_iter().cycle()) {
        let mut us = Server::start(&server, "us", rule);
        let mut eu = Server::start(&server, "eu", rule);
        let mut there = Replicator::start(&us, &eu, rule);
        let mut back = Replicator::start(&eu, &us, rule);
        us.write("set", "a", "of us");
        eu.write("set", "b", "of eu");
        for server in [&mut us, &mut eu] {
            (0..5).for_each(|_| server.write("incr", "count", ""));
            server.write("sadd", "set", server.group);
        }
        there.line(|progress| progress.applied + progress.discarded == 7);
        back.line(|progress| progress.applied + progress.discarded == 7);
        us.say::<()>(&["FLUSHALL"]);
        us.say::<()>(&["FUNCTION", "FLUSH"]);
        us.ask::<redis::Value>(&functions::load(rule, Writers::All, "us", us.tag())).unwrap();
        let told = back.line(|progress| progress.passes == 1);
        assert!(told.pass.unwrap().starts_with("its target had lost its data"));
        assert_eq!(us.get("a").as_deref(), Some("of us"));
        assert_eq!(us.get("b").as_deref(), Some("of eu"));
        assert_eq!(us.get("count"), eu.get("count"));
        assert_eq!(us.members("set"), ["eu", "us"]);
        (0..5).for_each(|_| us.write("incr", "count", ""));
        us.write("set", "a", "again");
        assert!(until(SOON, || eu.get("a").as_deref() == Some("again")), "{rule:?}");
        assert_eq!(us.get("count"), eu.get("count"), "{rule:?}");
        if rule == SyncRule::Crdt {
            assert_eq!(us.get("count").as_deref(), Some("15"));
        }
    }
}

/// Three servers with a replicator for each direction.
struct Ring {
    servers: Vec<Server>,
    replicators: BTreeMap<(usize, usize), Replicator>,
    rule: SyncRule,
}

impl Ring {
    fn start(binary: &Path, rule: SyncRule) -> Ring {
        let servers = ["us", "eu", "ap"].map(|group| Server::start(binary, group, rule)).into();
        let mut ring = Ring { servers, replicators: BTreeMap::new(), rule };
        (0..9).map(|n| (n / 3, n % 3)).filter(|(a, b)| a != b).for_each(|pair| ring.join(pair));
        ring
    }

    fn join(&mut self, (from, to): (usize, usize)) {
        let (a, b) = (&self.servers[from], &self.servers[to]);
        let replicator = Replicator::start(a, b, self.rule);
        self.replicators.insert((from, to), replicator);
    }

    /// Writes of all kinds, at random servers. One that waits for its data refuses.
    fn write(&mut self, random: &mut StdRng, count: u32) {
        for n in 0..count {
            let server = &mut self.servers[random.random_range(0..3)];
            let key = format!("k{}", random.random_range(0..5));
            let element = format!("{n}{}", server.group);
            let write = match random.random_range(0..6) {
                0 => write("del", &key, b""),
                1 => write("incr", "c", b""),
                2 => write("sadd", "s", element.as_bytes()),
                _ => write("set", &key, element.as_bytes()),
            };
            match server.ask::<redis::Value>(&write) {
                Err(error) if error.code() == Some("NOTREADY") => {}
                done => drop(done.unwrap()),
            }
        }
    }

    /// What each server holds.
    fn held(&mut self) -> Vec<(Vec<Option<String>>, Vec<String>)> {
        let keys = ["k0", "k1", "k2", "k3", "k4", "c"];
        let of = |server: &mut Server| {
            (keys.iter().map(|key| server.get(key)).collect(), server.members("s"))
        };
        self.servers.iter_mut().map(of).collect()
    }

    fn differences(&mut self) -> String {
        let held = self.held();
        let elements: BTreeSet<&String> = held.iter().flat_map(|(_, set)| set).collect();
        let differ =
            elements.into_iter().map(|one| (one, held.iter().map(|(_, set)| set.contains(one))));
        let differ = differ.map(|(one, at)| (one, at.collect::<Vec<_>>()));
        let differ: Vec<_> = differ.filter(|(_, at)| at.contains(&false)).collect();
        let values: Vec<_> = held.iter().map(|(values, _)| values).collect();
        format!("values {values:?}, elements {differ:?}")
    }
}

/// It gets its data back from a group that has not heard of its life in between, which another group
/// has. What was written in that life and in the one after it is told apart.
#[test]
fn a_server_that_loses_its_data_twice_begins_two_lives() {
    let rule = SyncRule::Crdt;
    let start = |group| Server::start(&need::engines()[0], group, rule);
    let (mut us, mut eu, mut ap) = (start("us"), start("eu"), start("ap"));
    let lose = |us: &mut Server| {
        us.say::<()>(&["FLUSHALL"]);
        us.say::<()>(&["FUNCTION", "FLUSH"]);
        us.ask::<redis::Value>(&functions::load(rule, Writers::All, "us", us.tag())).unwrap();
        Replicator::start(&eu, us, rule).line(|progress| progress.passes == 1);
    };
    lose(&mut us);
    (0..2).for_each(|_| us.write("incr", "c", ""));
    Replicator::start(&us, &ap, rule).line(|progress| progress.applied == 2);
    lose(&mut us);
    us.write("incr", "c", "");
    Replicator::start(&us, &eu, rule).line(|progress| progress.applied == 1);
    let pairs = [[&us, &eu], [&eu, &us], [&us, &ap], [&ap, &us], [&eu, &ap], [&ap, &eu]];
    let _ring = pairs.map(|[from, to]| Replicator::start(from, to, rule));
    let mut held = || [&mut us, &mut eu, &mut ap].map(|server| server.get("c"));
    let all_have_three = until(SOON, || held().iter().all(|c| c.as_deref() == Some("3")));
    assert!(all_have_three, "{:?}", held());
}

/// Outboxes are cut off while a replicator is dead, and servers lose all that they have, functions
/// included, in the middle of writes.
#[test]
fn whatever_is_cut_off_or_lost_all_come_to_hold_the_same() {
    let _turn = heavy_turn();
    let engines = need::engines();
    for seed in 0..12 {
        let rule = [SyncRule::Lww, SyncRule::Crdt][seed % 2];
        let mut random = StdRng::seed_from_u64(seed as u64);
        let mut ring = Ring::start(&engines[seed % engines.len()], rule);
        for _ in 0..3 {
            ring.write(&mut random, 200);
            let (one, other) = (random.random_range(0..3), random.random_range(1..3));
            match random.random_bool(0.5) {
                true => {
                    let pair = (one, (one + other) % 3);
                    drop(ring.replicators.remove(&pair));
                    ring.write(&mut random, 200);
                    let _: u64 = ring.servers[one].say(&["XTRIM", OUTBOX, "MAXLEN", "3"]);
                    ring.join(pair);
                }
                false => {
                    // In one step: nobody sees functions without data.
                    let mut lost = redis::pipe();
                    lost.atomic().cmd("FLUSHALL").ignore().cmd("FUNCTION").arg("FLUSH").ignore();
                    let server = &mut ring.servers[one];
                    lost.exec(&mut server.connection).unwrap();
                    let load = functions::load(rule, Writers::All, server.group, server.tag());
                    server.ask::<redis::Value>(&load).unwrap();
                }
            }
            ring.write(&mut random, 200);
            // Not all are to lose what they have before anybody has got it back.
            let server = &mut ring.servers[one];
            let name = functions::name_of_data(server.tag());
            let has = |server: &mut Server| server.ask::<Option<String>>(&name).unwrap();
            assert!(until(SOON, || has(server).is_some()));
        }
        let same = until(SOON, || ring.held().windows(2).all(|pair| pair[0] == pair[1]));
        assert!(same, "seed {seed}, {rule:?}: {}", ring.differences());
        std::thread::sleep(Duration::from_millis(500));
        let held = ring.held();
        assert!(held.windows(2).all(|pair| pair[0] == pair[1]), "{}", ring.differences());
        assert!(!held[0].1.is_empty(), "something is left");
    }
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
    assert_eq!(told.refused, None, "nobody refuses");
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
