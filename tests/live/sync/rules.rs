//! What each rule promises, with entries carried by hand in random order and pieces.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{self, OUTBOX, Position};

use super::Server;
use crate::common::need;

/// Servers that hold the same in the end, and how far each is with each other one.
struct Trio {
    servers: Vec<Server>,
    at: BTreeMap<(usize, usize), String>,
}

impl Trio {
    fn start(binary: &std::path::Path, rule: SyncRule) -> Trio {
        let servers = ["us", "eu", "ap"].map(|group| Server::start(binary, group, rule)).into();
        let mut trio = Trio { servers, at: BTreeMap::new() };
        for to in 0..3 {
            for from in (0..3).filter(|from| *from != to) {
                let group = trio.servers[from].group;
                let told: String = trio.servers[to].ask(&functions::position(group)).unwrap();
                trio.at.insert((from, to), Position::parse(&told).unwrap().id);
            }
        }
        trio
    }

    /// Carries so many entries at most; how many it were.
    fn carry(&mut self, from: usize, to: usize, most: usize) -> usize {
        let after = self.at[&(from, to)].clone();
        let (most, begin) = (most.to_string(), format!("({after}"));
        let group = self.servers[from].group;
        let found: Vec<(String, Vec<Vec<u8>>)> =
            self.servers[from].say(&["XRANGE", OUTBOX, &begin, "+", "COUNT", &most]);
        // Each value comes after its name.
        let words: Vec<Vec<u8>> = found
            .iter()
            .flat_map(|(id, fields)| {
                let values = fields.iter().skip(1).step_by(2).cloned();
                std::iter::once(id.clone().into_bytes()).chain(values)
            })
            .collect();
        let Some((last, _)) = found.last() else { return 0 };
        let apply = functions::apply(group, &after, words.iter().map(Vec::as_slice));
        // Whoever carries the same once more is refused.
        for _ in 0..2 {
            let told: String = self.servers[to].ask(&apply).unwrap();
            assert_eq!(Position::parse(&told).unwrap().id, *last);
        }
        self.at.insert((from, to), last.clone());
        found.len()
    }

    fn carry_all(&mut self) {
        let pairs: Vec<(usize, usize)> = self.at.keys().copied().collect();
        while pairs.iter().map(|(from, to)| self.carry(*from, *to, 7)).sum::<usize>() > 0 {}
    }

    fn all<T: PartialEq>(&mut self, read: impl Fn(&mut Server) -> T) -> Vec<T> {
        self.servers.iter_mut().map(read).collect()
    }
}

/// Writes everywhere, and carries a piece of something now and then.
fn mix(trio: &mut Trio, seed: u64, write: impl Fn(&mut Server, &mut StdRng, u32)) {
    let mut random = StdRng::seed_from_u64(seed);
    for n in 0..150 {
        let at = random.random_range(0..3);
        write(&mut trio.servers[at], &mut random, n);
        if random.random_bool(0.3) {
            let (from, to) = (random.random_range(0..3), random.random_range(0..3));
            if from != to {
                let most = random.random_range(1..10);
                trio.carry(from, to, most);
            }
        }
    }
    trio.carry_all();
}

fn same<T: PartialEq>(all: &[T]) -> bool {
    all.windows(2).all(|pair| pair[0] == pair[1])
}

const SEEDS: u64 = 5;

/// How many seeds lead to the same values everywhere.
fn alike(rule: SyncRule, delete: bool) -> u64 {
    let mut alike = 0;
    for server in need::engines() {
        for seed in 0..SEEDS {
            let mut trio = Trio::start(&server, rule);
            mix(&mut trio, seed, |server, random, n| {
                let key = format!("k{}", random.random_range(0..4));
                match delete && random.random_bool(0.2) {
                    true => server.write("del", &key, ""),
                    false => server.write("set", &key, &format!("value {n}")),
                }
            });
            let values = trio.all(|server| [0, 1, 2, 3].map(|n| server.get(&format!("k{n}"))));
            alike += u64::from(same(&values));
        }
    }
    alike
}

fn all_seeds() -> u64 {
    SEEDS * need::engines().len() as u64
}

#[test]
fn the_last_writer_wins_everywhere_on_every_seed() {
    assert_eq!(alike(SyncRule::Lww, false), all_seeds());
    assert_eq!(alike(SyncRule::Lww, true), all_seeds(), "with tombstones");
}

#[test]
fn registers_that_keep_both_values_show_the_same_one_on_every_seed() {
    assert_eq!(alike(SyncRule::Crdt, true), all_seeds());
}

#[test]
fn in_order_of_arrival_servers_come_to_differ() {
    assert!(alike(SyncRule::Naive, false) < all_seeds(), "no seed led to a difference");
}

/// By `naive` an increment that is applied twice counts twice; `carry` tries each piece twice.
#[test]
fn what_was_applied_is_not_applied_again() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Naive);
        (0..20).for_each(|n| trio.servers[n % 3].write("incr", "c", ""));
        trio.carry_all();
        for total in trio.all(|server| server.get("c")) {
            assert_eq!(total.as_deref(), Some("20"));
        }
    }
}

#[test]
fn counters_that_merge_sum_exactly_and_sets_have_everything() {
    for server in need::engines() {
        for seed in 0..SEEDS {
            let mut trio = Trio::start(&server, SyncRule::Crdt);
            mix(&mut trio, seed, |server, random, n| match random.random_bool(0.5) {
                true => server.write("incr", "c", ""),
                false => server.write("sadd", "s", &n.to_string()),
            });
            let told = trio.all(|server| (server.get("c").unwrap(), server.members("s")));
            assert!(same(&told), "{told:?}");
            let (total, elements) = &told[0];
            let total: usize = total.parse().unwrap();
            assert_eq!(total + elements.len(), 150, "each write is there once");
        }
    }
}

/// An element that is added while it is removed elsewhere stays, in whatever order both arrive.
#[test]
fn adding_wins_over_removing_at_the_same_time() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Crdt);
        trio.servers[0].write("sadd", "s", "x");
        trio.servers[0].write("sadd", "s", "gone");
        trio.carry_all();
        trio.servers[1].write("srem", "s", "x");
        trio.servers[1].write("srem", "s", "gone");
        trio.servers[2].write("sadd", "s", "x");
        trio.carry_all();
        for members in trio.all(|server| server.members("s")) {
            assert_eq!(members, ["x"]);
        }
    }
}

/// A removal may come by a shorter way than the adding that it has seen.
#[test]
fn a_removal_that_arrives_before_the_adding_is_remembered() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Crdt);
        trio.servers[0].write("sadd", "s", "x");
        trio.carry(0, 1, 10);
        trio.servers[1].write("srem", "s", "x");
        trio.carry(1, 2, 10);
        trio.carry(0, 2, 10);
        assert_eq!(trio.servers[2].members("s"), [""; 0]);
        trio.carry_all();
        assert!(same(&trio.all(|server| server.members("s"))));
        let left: u64 = trio.servers[2].say(&["HLEN", "redrill:ahead"]);
        assert_eq!(left, 0, "it is remembered for as long as it is needed");
    }
}

#[test]
fn a_register_keeps_both_values_until_somebody_has_seen_them() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Crdt);
        trio.servers[0].write("set", "k", "one");
        trio.servers[1].write("set", "k", "other");
        trio.carry_all();
        for kept in trio.all(|server| server.say::<u64>(&["HLEN", "redrill:of:k"])) {
            assert_eq!(kept, 2);
        }
        trio.servers[2].write("set", "k", "settled");
        trio.carry_all();
        let told =
            trio.all(|server| (server.get("k"), server.say::<u64>(&["HLEN", "redrill:of:k"])));
        assert!(told.iter().all(|told| *told == (Some("settled".to_owned()), 1)), "{told:?}");
    }
}

/// What remembers a deletion goes when all others have been heard of past it.
#[test]
fn tombstones_are_collected() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Lww);
        trio.servers[0].write("set", "k", "there");
        trio.servers[0].write("del", "k", "");
        trio.carry_all();
        let tombstones = |trio: &mut Trio| {
            trio.all(|server| server.say::<u64>(&["ZCARD", "redrill:tombstones"]))
        };
        assert_eq!(tombstones(&mut trio), [1, 1, 1]);
        for round in ["a", "b"] {
            (0..3).for_each(|n| trio.servers[n].write("set", round, "later"));
            trio.carry_all();
        }
        (0..3).for_each(|n| trio.servers[n].write("del", "other", ""));
        trio.carry_all();
        for (n, server) in trio.servers.iter_mut().enumerate() {
            let left: Option<String> = server.say(&["ZSCORE", "redrill:tombstones", "k"]);
            assert_eq!(left, None, "at server {n}");
            let version: Option<String> = server.say(&["HGET", "redrill:versions", "k"]);
            assert_eq!(version, None, "at server {n}");
        }
    }
}

#[test]
fn a_server_that_has_lost_its_data_takes_no_write() {
    for (binary, rule) in need::engines().iter().zip(SyncRule::ALL.iter().cycle()) {
        let mut server = Server::start(binary, "us", *rule);
        server.write("set", "k", "v");
        server.say::<()>(&["FLUSHALL"]);
        let write = functions::write("set", "k", b"again");
        let refused = server.ask::<redis::Value>(&write).unwrap_err();
        assert_eq!(refused.code(), Some("NOTREADY"), "{refused}");
        assert_eq!(server.get("k"), None);
        server.ask::<redis::Value>(&functions::open()).unwrap();
        server.write("set", "k", "again");
    }
}

/// What an attempt to delete the key is told.
fn refusal(server: &mut Server, key: &str) -> String {
    let told = server.ask::<redis::Value>(&functions::write("del", key, b"")).unwrap_err();
    assert_eq!(told.code(), Some("WRONGTYPE"), "{told}");
    told.to_string()
}

/// By `crdt` those elements go that were there, and one that is added at the same time stays.
#[test]
fn a_set_that_is_deleted_keeps_what_is_added_elsewhere_meanwhile() {
    for server in need::engines() {
        for order in [[0, 1, 2], [2, 1, 0]] {
            let mut trio = Trio::start(&server, SyncRule::Crdt);
            (0..3).for_each(|n| trio.servers[n].write("sadd", "s", &format!("early {n}")));
            trio.carry_all();
            trio.servers[order[0]].write("del", "s", "");
            trio.servers[order[0]].write("del", "s", "");
            trio.servers[order[1]].write("sadd", "s", "late");
            trio.servers[order[2]].write("sadd", "s", "early 0");
            assert_eq!(trio.servers[order[0]].members("s"), [""; 0]);
            trio.carry_all();
            for members in trio.all(|server| server.members("s")) {
                assert_eq!(members, ["early 0", "late"]);
            }
            trio.servers[0].write("del", "s", "");
            trio.carry_all();
            for members in trio.all(|server| server.members("s")) {
                assert_eq!(members, [""; 0]);
            }
        }
    }
}

/// Where it was deleted, it had not arrived yet: that must not stop what comes after it.
#[test]
fn by_crdt_an_early_deletion_of_a_set_or_a_counter_changes_nothing() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Crdt);
        trio.servers[0].write("sadd", "s", "x");
        trio.servers[0].write("incr", "c", "");
        ["s", "c"].into_iter().for_each(|key| trio.servers[1].write("del", key, ""));
        trio.carry_all();
        for told in trio.all(|server| (server.members("s"), server.get("c"))) {
            assert_eq!(told, (vec!["x".to_owned()], Some("1".to_owned())));
        }
    }
}

#[test]
fn a_counter_that_merges_cannot_be_deleted() {
    for server in need::engines() {
        let mut server = Server::start(&server, "us", SyncRule::Crdt);
        server.write("incr", "c", "");
        assert!(refusal(&mut server, "c").contains("a counter cannot be deleted by the rule crdt"));
        server.write("incr", "c", "");
        assert_eq!(server.get("c").as_deref(), Some("2"));
    }
}

/// By `lww` a set has no version, so nobody could say what a deletion had seen.
#[test]
fn by_lww_a_set_cannot_be_deleted_and_an_early_deletion_changes_nothing() {
    for server in need::engines() {
        let mut trio = Trio::start(&server, SyncRule::Lww);
        trio.servers[0].write("sadd", "s", "x");
        assert!(refusal(&mut trio.servers[0], "s").contains("a set cannot be deleted"));
        // The set has not arrived there yet.
        trio.servers[1].write("del", "s", "");
        trio.servers[2].write("sadd", "s", "y");
        trio.carry_all();
        for members in trio.all(|server| server.members("s")) {
            assert_eq!(members, ["x", "y"]);
        }
    }
}
