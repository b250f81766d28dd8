//! Updates that a broken lock loses, against a listener that knows nothing of redrill's loads: it
//! hears (MONITOR) what the server of the accounts executes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use redrill::model::event::Phase;

use crate::common::need;
use crate::drill::locks::{load, measure, scenario, server_of};
use crate::drill::place::Place;

/// What was written to one account, as the server executed it.
#[derive(Default)]
struct Account {
    before: Option<u64>,
    writes: u64,
    last: u64,
}

/// Listens until the server ends. A line is `1732.5 [0 127.0.0.1:4] "SET" "{app:3}:account" "7"`.
fn listen(to: TcpStream) -> BTreeMap<String, Account> {
    let mut accounts = BTreeMap::<String, Account>::new();
    for line in BufReader::new(to).lines().map_while(Result::ok) {
        let mut words = line.split('"').skip(1).step_by(2);
        let (Some("SET"), Some(key), Some(balance)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if key.ends_with(":account") {
            let account = accounts.entry(key.to_owned()).or_default();
            account.last = balance.parse().unwrap();
            account.before.get_or_insert(account.last - 1);
            account.writes += 1;
        }
    }
    accounts
}

#[test]
fn as_many_updates_are_lost_as_the_server_of_the_accounts_executed_in_vain() {
    let place = Place::new();
    let app = load("app", "hold: 200ms, patience: 3s", "rate: 40/s, keys: 4, clients: 20");
    let mut playing = place.start(&scenario("locks-1x0", &[&app], "5s"), &[]);
    playing.wait_for_phase(Phase::Settle);
    let record = &place.records()[0];
    let bank = record.nodes.iter().find(|node| node.name.to_string() == "bank/0/0").unwrap();
    let mut monitor = TcpStream::connect(bank.address.to_string()).unwrap();
    if let Some(password) = record.password() {
        write!(monitor, "AUTH {}\r\n", password.reveal()).unwrap();
    }
    write!(monitor, "MONITOR\r\n").unwrap();
    let listener = thread::spawn(|| listen(monitor));
    let mut locks = server_of(&place, "locks/0/0");
    for _ in 0..6 {
        thread::sleep(Duration::from_millis(500));
        let () = redis::cmd("FLUSHALL").query(&mut locks).unwrap();
    }
    let ran = playing.end();
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    let accounts = listener.join().unwrap();
    let lost = |one: &Account| one.writes - (one.last - one.before.unwrap());
    let lost = accounts.values().map(lost).sum::<u64>() as f64;
    let report = place.report();
    let told = measure(&report, "lock.updates.lost");
    // Of a write without an answer nobody is told that it was done.
    let unknown = measure(&report, "errors.total");
    assert!(lost > 0.0 && told <= lost && lost <= told + unknown, "{lost} and {told}: {}", ran.out);
    place.assert_nothing_left();
}

/// A lock on one primary that has replicas, and sentinels that promote one of them.
#[test]
#[ignore = "`just test-all`"]
fn a_mutex_on_a_primary_with_two_replicas_is_broken_by_a_failover() {
    let text = "
name: locks
topology: sentinel-1x2
loads:
  app:
    workload: lock
    lock: { ttl: 10s, hold: 6s, patience: 8s, retry: 100ms }
    rate: 50/s
    clients: 500
    keys: 400
timeline:
  - { at: 3s, do: partition, between: [cache/0/0, cache/0/1], for: 5s }
  - { at: 3s, do: partition, between: [cache/0/0, cache/0/2], for: 5s }
  - { at: 3500ms, do: kill, target: cache/0/0 }
settle: 8s
reported: [all]
expect: [failovers == 1]
";
    for server in need::engines() {
        // One seed in five may find nothing.
        let found = (1..=5).any(|seed| {
            let place = Place::new();
            let seed = seed.to_string();
            let binary = server.to_str().unwrap();
            let ran = place.play(text, &["--seed", &seed, "--engine-binary", binary]);
            let report = place.report();
            println!("{}", ran.out);
            measure(&report, "failovers") == 1.0 && measure(&report, "lock.overlaps") > 0.0
        });
        assert!(found, "{}", server.display());
    }
}
