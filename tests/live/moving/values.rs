//! Every kind of value arrives as it left.

use std::path::Path;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};
use redrill::cluster::moving::carry_out;
use redrill::cluster::plan::Route;
use redrill::model::slot::slot_of;
use redrill::node::Node;
use redrill::spec::step::{Method, Pace};

use crate::common::server;
use crate::moving::test_cluster::{TestCluster, key};

fn command(words: &[&str], key: &str) -> Cmd {
    let mut cmd = redis::cmd(words[0]);
    for word in &words[1..] {
        match *word {
            "KEY" => cmd.arg(key),
            word => cmd.arg(word),
        };
    }
    cmd
}

/// How a value is made, and how it is read so that its order does not matter where
/// it has none.
const KINDS: &[(&[&str], &[&str])] = &[
    (&["SET KEY plain"], &["GET KEY"]),
    (&["SETBIT KEY 70 1"], &["GET KEY"]),
    (&["HSET KEY a 1 b 2 c 3"], &["HGET KEY a", "HGET KEY b", "HGET KEY c", "HLEN KEY"]),
    (&["RPUSH KEY one two three two"], &["LRANGE KEY 0 -1"]),
    (&["SADD KEY x y z"], &["SMISMEMBER KEY x y z w", "SCARD KEY"]),
    (&["SADD KEY 1 2 3"], &["SMISMEMBER KEY 1 2 3 4", "SCARD KEY"]),
    (&["ZADD KEY 1.5 a -inf b 7 c"], &["ZRANGE KEY 0 -1 WITHSCORES"]),
    (
        &[
            "XADD KEY 5-1 field first",
            "XADD KEY 6-1 field second",
            "XADD KEY 7-1 field third",
            "XGROUP CREATE KEY readers 0",
            "XREADGROUP GROUP readers ann COUNT 2 STREAMS KEY >",
            "XACK KEY readers 5-1",
            "XDEL KEY 7-1",
        ],
        &["XRANGE KEY - +", "XINFO STREAM KEY FULL"],
    ),
];

async fn run(node: &Node, line: &str, key: &str) -> Value {
    let words: Vec<&str> = line.split(' ').collect();
    node.admin.query(&command(&words, key)).await.unwrap()
}

#[derive(Debug)]
struct Found {
    values: Vec<Value>,
    /// Wall-clock milliseconds; negative if it never does.
    expires: i64,
}

async fn read(node: &Node, key: &str, reads: &[&str], seen: bool) -> Found {
    let mut values = vec![run(node, "TYPE KEY", key).await];
    for line in reads {
        let value = run(node, line, key).await;
        values.push(if seen { value } else { without_times(value) });
    }
    let expires = node.admin.query(redis::cmd("PEXPIRETIME").arg(key)).await.unwrap();
    Found { values, expires }
}

/// Without when a stream's consumers were seen last: servers that move slots by themselves
/// make the consumers anew.
fn without_times(value: Value) -> Value {
    let is_time = |value: &Value| matches!(value, Value::BulkString(name) if name == b"seen-time" || name == b"active-time");
    let Value::Array(items) = value else { return value };
    let mut kept = Vec::new();
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        if is_time(&item) {
            items.next();
        } else {
            kept.push(without_times(item));
        }
    }
    Value::Array(kept)
}

/// MIGRATE carries the time that a key has left, so it gains what its way took, within `took`.
fn assert_arrived(before: &Found, after: &Found, key: &str, took: Duration) {
    assert_eq!(before.values, after.values, "{key}");
    assert_eq!(before.expires < 0, after.expires < 0, "{key}");
    let gained = after.expires - before.expires;
    let most = took.as_millis() as i64 + 1;
    assert!((0..=most).contains(&gained), "{key} expires {gained} ms later");
}

pub async fn every_kind_moves(server: &Path, how: (Method, Pace)) {
    let cluster = TestCluster::of(server, 3, 0).await;
    let source = cluster.primary(0);
    let seen = how.0 == Method::Migrate;
    let mut made: Vec<(String, &[&str], Found)> = Vec::new();
    for (slot, (makes, reads)) in (0..60u16).zip(KINDS.iter().cycle()) {
        for n in 0..6 {
            let key = key(slot, n);
            for line in *makes {
                run(source, line, &key).await;
            }
            if n % 2 == 1 {
                run(source, "PEXPIRE KEY 3600123", &key).await;
            }
            let before = read(source, &key, reads, seen).await;
            made.push((key, reads, before));
        }
    }
    // Not text, and larger than a batch may be; and a key that is not text either.
    let big: Vec<u8> =
        (0..5 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let odd_key = [key(3, 7).as_bytes(), &[0, 255, 13, 10]].concat();
    assert_eq!(slot_of(&odd_key), 3);
    source.admin.query::<()>(redis::cmd("SET").arg(&odd_key).arg(&big)).await.unwrap();
    source
        .admin
        .query::<()>(redis::cmd("RPUSH").arg(key(4, 9)).arg(vec![&big[..100_000]; 20]))
        .await
        .unwrap();
    // Gone before it gets its turn.
    source
        .admin
        .query::<()>(redis::cmd("SET").arg(key(5, 9)).arg("x").arg("PX").arg(1))
        .await
        .unwrap();

    let route = [Route { slots: (0..=59).into(), from: 0, to: 1 }];
    tokio::time::sleep(Duration::from_millis(5)).await;
    let began = Instant::now();
    let moved = carry_out(&route, &cluster.nodes, how, |_| (), || false).await.unwrap();
    let took = began.elapsed();
    assert_eq!(moved.slots, 60);
    cluster.assert_owner(0..60, 1).await;
    let target = cluster.primary(1);
    for (key, reads, before) in &made {
        assert_arrived(before, &read(target, key, reads, seen).await, key, took);
    }
    let arrived: Vec<u8> = target.admin.query(redis::cmd("GET").arg(&odd_key)).await.unwrap();
    assert!(arrived == big, "{} bytes of {} arrived", arrived.len(), big.len());
    let list: Vec<Vec<u8>> =
        target.admin.query(redis::cmd("LRANGE").arg(key(4, 9)).arg(0).arg(-1)).await.unwrap();
    assert!(list.len() == 20 && list.iter().all(|item| item[..] == big[..100_000]));
    assert_eq!(run(target, "EXISTS KEY", &key(5, 9)).await, Value::Int(0));
    let left: u64 = source.admin.query(&redis::cmd("DBSIZE")).await.unwrap();
    assert_eq!(left, 0);
    cluster.down().await;
}

#[tokio::test]
async fn every_kind_of_value_arrives_as_it_left() {
    every_kind_moves(&server(), (Method::Migrate, Pace::default())).await;
}

#[tokio::test]
async fn every_kind_of_value_arrives_as_it_left_in_haste() {
    every_kind_moves(&server(), (Method::Migrate, Pace::Fast)).await;
}
