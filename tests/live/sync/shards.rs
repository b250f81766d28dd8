//! The functions and the replicator in a shard of a cluster: keys of many slots, and redrill's own
//! beside them.

use std::time::Duration;

use redrill::model::slot::slot_of;
use redrill::spec::sync::SyncRule;
use redrill::spec::{Options, Source, parse_topology};
use redrill::sync::functions::{self, OUTBOX};
use redrill::sync::shard::Shard;

use super::Server;
use super::replicator::Replicator;
use crate::common::{heavy_turn, need, until};

const SOON: Duration = Duration::from_secs(30);

/// The second of three, and its slots.
fn shard() -> (Shard, [&'static str; 2]) {
    let text = "name: t\ngroups: { us: { mode: cluster, shards: 3 } }";
    let topology = parse_topology(&Source::new("t.yaml", text), &Options::default()).unwrap();
    (Shard::all_of(&topology.groups[0]).remove(1), ["5461", "10922"])
}

/// So many keys that it has.
fn keys(count: usize) -> Vec<String> {
    let shard = shard().0;
    let keys = (0..).map(|n| format!("app:{n}"));
    keys.filter(|key| shard.has(key)).take(count).collect()
}

fn all_of(server: &mut Server) -> Vec<(String, String)> {
    let mut names: Vec<String> = server.say(&["KEYS", "app:*"]);
    names.sort();
    let value = |server: &mut Server, name: &str| match &*server.say::<String>(&["TYPE", name]) {
        "set" => server.members(name).join(" "),
        _ => server.get(name).unwrap_or_default(),
    };
    names.into_iter().map(|name| (name.clone(), value(server, &name))).collect()
}

/// Each of two writes to the same keys, which are of many slots.
fn write_in_both(both: &mut [Server; 2], round: u32) {
    let names = keys(30);
    for server in both {
        let group = server.group;
        for (n, name) in names.iter().enumerate() {
            match n % 3 {
                0 if n % 2 == 0 && round > 0 => server.write("del", name, ""),
                0 => server.write("set", name, &format!("{group} {round}")),
                1 => server.write("incr", name, ""),
                _ => server.write("sadd", name, &format!("{group}-{round}")),
            }
        }
    }
}

#[test]
fn a_shard_is_carried_with_keys_of_all_its_slots() {
    let _turn = heavy_turn();
    for binary in need::engines() {
        for rule in [SyncRule::Lww, SyncRule::Crdt] {
            let mut both =
                ["us", "eu"].map(|group| Server::start_shard(&binary, group, rule, shard()));
            let _there = Replicator::start(&both[0], &both[1], rule);
            let back = Replicator::start(&both[1], &both[0], rule);
            (0..3).for_each(|round| write_in_both(&mut both, round));
            let same = |both: &mut [Server; 2]| {
                let [one, other] = both.each_mut().map(all_of);
                one == other && !one.is_empty()
            };
            assert!(until(SOON, || same(&mut both)), "{rule:?}: {:?}", both.each_mut().map(all_of));
            // Entries that are gone are brought by a full pass.
            drop(back);
            write_in_both(&mut both, 3);
            both[1].write("set", &keys(1)[0], "last");
            let outbox = format!("{OUTBOX}{}", both[1].tag());
            let _: u64 = both[1].say(&["XTRIM", &outbox, "MAXLEN", "1"]);
            let mut back = Replicator::start(&both[1], &both[0], rule);
            back.line(|progress| progress.passes == 1);
            assert!(until(SOON, || same(&mut both)), "{rule:?}: {:?}", both.each_mut().map(all_of));
            if rule == SyncRule::Crdt {
                assert_eq!(both[0].get(&keys(2)[1]).as_deref(), Some("8"), "4 in each");
            }
            own_keys_are_in_the_slot_of_the_tag(&mut both[0]);
        }
    }
}

fn own_keys_are_in_the_slot_of_the_tag(server: &mut Server) {
    let tag = server.tag().to_string();
    let own: Vec<String> = server.say(&["KEYS", "redrill:*"]);
    assert!(own.len() > 3, "{own:?}");
    assert!(own.iter().all(|key| slot_of(key.as_bytes()) == slot_of(tag.as_bytes())), "{own:?}");
}

/// What is of another shard is refused, and a replicator finds the primary of its own.
#[test]
fn keys_of_other_shards_are_refused() {
    for binary in need::engines() {
        let mut server = Server::start_shard(&binary, "us", SyncRule::Lww, shard());
        let own = shard().0;
        let other = (0..).map(|n| format!("app:{n}")).find(|key| !own.has(key)).unwrap();
        let write = functions::write("set", &other, b"v");
        let refused = server.ask::<redis::Value>(&write).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("not served") || text.contains("unbound slot"), "{text}");
    }
}
