//! Replicators whose target is full, takes no writes or fails over, and whose links break in the
//! middle of a batch.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{self, Position, write};
use redrill::sync::protocol::Place;
use redrill::sync::shard::Tag;

use super::replicator::{RULES, Replicator, SOON};
use super::{Server, own_address};
use crate::common::{heavy_turn, need, until};

/// How far `to` is with the outbox of `us`.
fn position(to: &mut Server) -> Position {
    let told: String = to.ask(&functions::position("us")).unwrap();
    Position::parse(&told).unwrap()
}

/// Entries of all kinds: so many of each of four, and none that changes nothing.
fn write_some(us: &mut Server, from: u32, count: u32) {
    let value = |n: u32| format!("{n}:{}", "x".repeat(100)).into_bytes();
    let mut all = redis::pipe();
    for n in from..from + count {
        all.add_command(write("incr", "c", b"")).ignore();
        all.add_command(write("sadd", "s", n.to_string().as_bytes())).ignore();
        all.add_command(write("set", &format!("k{}", n % 7), &value(n))).ignore();
        all.add_command(write("set", "last", &value(n))).ignore();
    }
    all.exec(&mut us.connection).unwrap();
}

fn held(server: &mut Server) -> (Vec<Option<String>>, Vec<String>) {
    let keys = ["c", "last", "k0", "k1", "k2", "k3", "k4", "k5", "k6"];
    (keys.iter().map(|key| server.get(key)).collect(), server.members("s"))
}

/// All that `us` wrote is in `eu`, and each of so many entries was applied once.
fn assert_carried_once(us: &mut Server, eu: &mut Server, rule: SyncRule, written: u32) {
    let entries = u64::from(4 * written);
    assert!(until(SOON, || position(eu).number >= entries), "{rule:?}: {:?}", position(eu));
    let Position { number, applied, discarded, .. } = position(eu);
    assert_eq!((number, applied + discarded), (entries, entries), "{rule:?}");
    // By `naive` an increment that is applied twice counts twice.
    assert_eq!(eu.get("c"), Some(written.to_string()), "{rule:?}");
    assert_eq!(held(eu), held(us), "{rule:?}");
}

/// While the target refuses, the replicator says why. Nothing of a batch is applied in part.
#[test]
fn a_target_that_is_full_or_takes_no_writes_is_told_and_waited_for() {
    let refusals =
        [("maxmemory", "1", "0", "OOM"), ("min-replicas-to-write", "1", "0", "NOREPLICAS")];
    for (rule, server) in RULES.into_iter().zip(need::engines().into_iter().cycle()) {
        for (name, refuses, takes, word) in refusals {
            let mut us = Server::start(&server, "us", rule);
            let mut eu = Server::start(&server, "eu", rule);
            let mut replicator = Replicator::between([us.place(), eu.place()], rule);
            write_some(&mut us, 0, 10);
            replicator.line(|progress| progress.applied + progress.discarded == 40);
            eu.say::<()>(&["CONFIG", "SET", name, refuses]);
            write_some(&mut us, 10, 500);
            let told = replicator.line(|progress| progress.error.is_some());
            assert_eq!(told.refused.as_deref(), Some(word), "{rule:?}: {told:?}");
            assert!(told.error.as_ref().unwrap().contains(word), "{rule:?}: {told:?}");
            assert_eq!(eu.get("c").as_deref(), Some("10"), "{rule:?}");
            eu.say::<()>(&["CONFIG", "SET", name, takes]);
            assert_carried_once(&mut us, &mut eu, rule, 510);
            let well =
                replicator.line(|progress| progress.behind == Some(0) && progress.error.is_none());
            assert_eq!(well.refused, None, "{rule:?}");
        }
    }
}

/// The replica that is promoted lacks what came from elsewhere since a while ago, and what was
/// written there: some of it, or all that was ever. `naive` gets back keys, and cannot count.
#[test]
#[ignore = "`just test-all`"]
fn a_target_that_fails_over_gets_again_what_its_new_primary_lacks() {
    let _turn = heavy_turn();
    let rules = [SyncRule::Lww, SyncRule::Crdt];
    for (rule, server) in rules.into_iter().zip(need::engines().into_iter().cycle()) {
        for (before, since) in [(3, 0), (3, 5), (0, 0), (0, 5)] {
            fail_over(&server, rule, (before, since));
        }
    }
}

/// So many own writes are in the replica before it is on its own, and it takes so many then.
fn fail_over(server: &Path, rule: SyncRule, (before, since): (u32, u32)) {
    let which = format!("{rule:?}, {before} before and {since} since");
    let mut us = Server::start(server, "us", rule);
    let mut eu = Server::start(server, "eu", rule);
    let mut replica = Server::start(server, "eu", rule);
    replica.follow(eu.address);
    let both = Place { nodes: vec![eu.address, replica.address], ..eu.place() };
    let mut there = Replicator::between([us.place(), both.clone()], rule);
    let _back = Replicator::between([both, us.place()], rule);
    (0..before).for_each(|n| eu.write("sadd", "s", &format!("early {n}")));
    write_some(&mut us, 0, 100);
    let has = |server: &mut Server, elements: u32| {
        until(SOON, || server.members("s").len() == elements as usize)
    };
    assert!(has(&mut replica, 100 + before), "{which}");

    replica.say::<()>(&["REPLICAOF", "NO", "ONE"]);
    write_some(&mut us, 100, 100);
    eu.write("sadd", "s", "of eu");
    eu.write("set", "own", "of eu");
    assert!(has(&mut eu, 200 + before + 1) && has(&mut us, 200 + before + 1), "{which}");
    assert!(until(SOON, || us.get("own").is_some()), "{which}");
    assert!(has(&mut replica, 100 + before), "{which}");
    (0..since).for_each(|n| replica.write("sadd", "s", &format!("late {n}")));
    eu.follow(replica.address);
    let told = there.line(|progress| progress.passes == 1).pass.unwrap();
    // One that has written since has begun another life.
    let [own, others] = ["its target had lost some of its own", "its target lacked writes"];
    assert!(told.starts_with(if since == 0 { own } else { others }), "{which}: {told}");
    write_some(&mut us, 200, 100);
    assert!(has(&mut replica, 300 + before + 1 + since), "{which}: {:?}", held(&mut replica).1);
    assert!(has(&mut us, 300 + before + 1 + since), "{which}: {:?}", held(&mut us).1);
    assert!(until(SOON, || held(&mut replica) == held(&mut us)), "{which}");
    assert_eq!(replica.get("own").as_deref(), Some("of eu"), "{which}");
    assert_eq!(replica.get("c").as_deref(), Some("300"), "{which}");
}

/// Passes bytes on to a server, and breaks each connection somewhere.
struct Breaking {
    address: SocketAddr,
    broken: Arc<AtomicU32>,
    is_whole: Arc<AtomicBool>,
}

impl Breaking {
    /// After how many bytes, in either direction, the seed says: more than it takes to begin, which
    /// sends the functions.
    fn before(server: &Server, seed: u64) -> Breaking {
        let listener = TcpListener::bind((own_address(), 6379)).unwrap();
        let address = listener.local_addr().unwrap();
        let (broken, is_whole) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let told = Breaking { address, broken: broken.clone(), is_whole: is_whole.clone() };
        let (server, mut random) = (server.address, StdRng::seed_from_u64(seed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { return };
                let both = [random.random_range(20_000..90_000), random.random_range(50..90_000)];
                let ways = [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))];
                for (most, (from, to)) in both.into_iter().zip(ways) {
                    let (broken, is_whole) = (broken.clone(), is_whole.clone());
                    thread::spawn(move || {
                        let (from, to) = (from.unwrap(), to.unwrap());
                        if pass(&from, &to, most, &is_whole).is_none() {
                            broken.fetch_add(1, Ordering::Relaxed);
                        }
                        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        told
    }
}

/// Passes bytes on, `most` at most as long as it is not whole: none then.
fn pass(
    mut from: &TcpStream,
    mut to: &TcpStream,
    most: usize,
    is_whole: &AtomicBool,
) -> Option<()> {
    let (mut left, mut bytes) = (most, [0; 4_096]);
    loop {
        let read = from.read(&mut bytes).ok().filter(|read| *read > 0);
        let Some(read) = read else { return Some(()) };
        let passed = if is_whole.load(Ordering::Relaxed) { read } else { read.min(left) };
        if to.write_all(&bytes[..passed]).is_err() {
            return Some(());
        }
        if passed < read {
            return None;
        }
        left = left.saturating_sub(read);
    }
}

/// A piece may have been applied whose answer is lost, or have arrived in part.
#[test]
fn links_that_break_in_the_middle_of_a_batch_lose_nothing_and_do_nothing_twice() {
    let _turn = heavy_turn();
    for (rule, server) in RULES.into_iter().zip(need::engines().into_iter().cycle()) {
        let mut us = Server::start(&server, "us", rule);
        let mut eu = Server::start(&server, "eu", rule);
        let breaking = [&us, &eu].map(|server| Breaking::before(server, rule as u64));
        let place = |group: &str, breaking: &Breaking| Place {
            group: group.to_owned(),
            tag: Tag::default(),
            nodes: vec![breaking.address],
        };
        write_some(&mut us, 0, 2_000);
        let [from, to] = [("us", &breaking[0]), ("eu", &breaking[1])].map(|(g, b)| place(g, b));
        let mut replicator = Replicator::between([from, to], rule);
        let broken = || breaking.each_ref().map(|one| one.broken.load(Ordering::Relaxed));
        let told = replicator.line(|progress| progress.error.is_some());
        assert!(told.error.is_some(), "{rule:?}");
        assert!(until(SOON, || broken().iter().sum::<u32>() >= 20), "{rule:?}: {:?}", broken());
        assert!(broken().iter().all(|broken| *broken > 0), "{rule:?}: {:?}", broken());
        write_some(&mut us, 2_000, 500);
        breaking.iter().for_each(|one| one.is_whole.store(true, Ordering::Relaxed));
        assert_carried_once(&mut us, &mut eu, rule, 2_500);
    }
}

/// What a new primary counts before it knows what it lacks adds up with what others bring back.
#[test]
fn increments_at_a_new_primary_add_up_with_those_that_it_lacked() {
    for server in need::engines() {
        let rule = SyncRule::Crdt;
        let mut us = Server::start(&server, "us", rule);
        let [mut eu, mut new] = ["eu", "eu"].map(|group| Server::start(&server, group, rule));
        new.follow(eu.address);
        let both = Place { nodes: vec![eu.address, new.address], ..eu.place() };
        let _there = Replicator::between([us.place(), both.clone()], rule);
        let _back = Replicator::between([both, us.place()], rule);
        eu.write("incr", "n", "");
        assert!(until(SOON, || new.get("n").is_some()));
        new.say::<()>(&["REPLICAOF", "NO", "ONE"]);
        (0..9).for_each(|_| eu.write("incr", "n", ""));
        assert!(until(SOON, || us.get("n").as_deref() == Some("10")));
        (0..5).for_each(|_| new.write("incr", "n", ""));
        eu.follow(new.address);
        let sums = |server: &mut Server| until(SOON, || server.get("n").as_deref() == Some("15"));
        assert!(sums(&mut new) && sums(&mut us), "{:?} and {:?}", new.get("n"), us.get("n"));
    }
}

/// Of three groups one has more of what a new primary lacks, and comes later.
#[test]
fn a_new_primary_gets_back_what_any_other_group_has() {
    let rules = [SyncRule::Lww, SyncRule::Crdt];
    for (rule, server) in rules.into_iter().zip(need::engines().into_iter().cycle()) {
        let [mut us, mut ap] = ["us", "ap"].map(|group| Server::start(&server, group, rule));
        let [mut eu, mut new] = ["eu", "eu"].map(|group| Server::start(&server, group, rule));
        new.follow(eu.address);
        let both = || Place { nodes: vec![eu.address, new.address], ..eu.place() };
        let [to_us, to_ap] =
            [&us, &ap].map(|other| Replicator::between([both(), other.place()], rule));
        let mut set = |key: &str, by: &mut Server| {
            eu.write("set", key, "v");
            assert!(until(SOON, || by.get(key).is_some()), "{rule:?}: {key}");
        };
        set("both have it", &mut new);
        new.say::<()>(&["REPLICAOF", "NO", "ONE"]);
        set("ap has it", &mut ap);
        drop(to_ap);
        set("us has it", &mut us);
        drop(to_us);
        eu.follow(new.address);
        new.write("set", "of the new one", "v");
        let both = Place { nodes: vec![new.address], ..eu.place() };
        let between = |one: Place, other: Place| Replicator::between([one, other], rule);
        let mut from_ap = between(ap.place(), both.clone());
        from_ap.line(|progress| progress.passes == 1);
        let _others = [
            between(us.place(), both.clone()),
            between(both.clone(), us.place()),
            between(both, ap.place()),
            between(us.place(), ap.place()),
            between(ap.place(), us.place()),
        ];
        for key in ["both have it", "ap has it", "us has it", "of the new one"] {
            for server in [&mut new, &mut us, &mut ap] {
                let has = until(SOON, || server.get(key).is_some());
                assert!(has, "{rule:?}: {key}, in {}", server.group);
            }
        }
    }
}
