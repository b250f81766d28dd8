//! What each instance of a load felt, held against a program that knows nothing of redrill.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use redrill::model::event::{EventKind, Phase};
use redrill::model::slot::slot_of;

use crate::common::need;
use crate::drill::place::{Place, not_run};

const DRILLS: usize = 10;
/// redrill's figure may be that many milliseconds from the program's, which tries both nodes of the
/// shard all the time; and in the median of all instances by so many.
const APART: f64 = 120.0;
const APART_IN_THE_MEDIAN: f64 = 30.0;

const TOPOLOGY: &str = "
name: open
auth: none
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";
const SCENARIO: &str = "
name: outside
topology: ./open.yaml
loads: { app: { rate: 2000/s, clients: 32, instances: 4, keys: 10000 } }
timeline: [{ at: 2s, do: kill, target: primary of shard 1 }]
settle: 5s
expect: [load.recovered <= 6s]
";

/// Sets one key every millisecond, at the node that took it last, and says for how long none did
/// at most, in milliseconds.
const PROGRAM: &str = r#"
import sys, time, redis
from redis.backoff import NoBackoff
from redis.retry import Retry

key, nodes = sys.argv[1], sys.argv[2:]
def client(address):
    host, port = address.rsplit(":", 1)
    once = Retry(NoBackoff(), 0)
    return redis.Redis(host=host, port=int(port), socket_timeout=0.1, retry=once)
clients = [client(address) for address in nodes]
at, worst, good = 0, 0.0, time.monotonic()
end = good + 5.5
while time.monotonic() < end:
    try:
        clients[at].set(key, "1")
        now = time.monotonic()
        worst, good = max(worst, now - good), now
    except redis.RedisError:
        at = (at + 1) % len(clients)
    time.sleep(0.001)
print(worst * 1000)
"#;

/// The same outage by the program, and by each instance.
fn drill(python: &Path) -> (f64, Vec<f64>, f64) {
    let place = Place::new();
    fs::write(place.path().join("open.yaml"), TOPOLOGY).unwrap();
    let mut playing = place.start(SCENARIO, &[]);
    playing.wait_for_phase(Phase::Steps);
    let ready = playing.events().into_iter().find_map(|event| match event.kind {
        EventKind::Ready { nodes } => Some(nodes),
        _ => None,
    });
    let nodes = ready.unwrap();
    let nodes = nodes.iter().filter(|node| node.name.shard() == Some(1));
    let addresses: Vec<String> = nodes.map(|node| node.address.clone()).collect();
    let mut keys = (0..).map(|n| format!("outside:{n}"));
    let key = keys.find(|key| (5_461..10_923).contains(&slot_of(key.as_bytes())));
    let program = Command::new(python)
        .args(["-c", PROGRAM, &key.unwrap()])
        .args(addresses)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = program.wait_with_output().unwrap();
    let outside: f64 = String::from_utf8(told.stdout).unwrap().trim().parse().unwrap();
    playing.end();
    let report = place.report();
    let instances = report["loads"][0]["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 4);
    let felt = instances.iter().map(|one| {
        let silences = one["silences"].as_array().unwrap();
        let of_shard = silences.iter().find(|silence| silence["shard"] == 1).unwrap();
        of_shard["duration_ms"].as_f64().unwrap()
    });
    (outside, felt.collect(), not_run(&report))
}

#[test]
#[ignore = "`just test-all`"]
fn each_feels_the_outage_that_a_program_outside_feels() {
    let Some(python) = need::python_with_redis() else { return };
    let all: Vec<_> = (0..DRILLS).map(|_| drill(&python)).collect();
    for (outside, felt, not_run) in &all {
        println!("outside {outside:.1} ms, instances {felt:.1?}, not run {not_run:.0} ms");
    }
    let mut apart = Vec::new();
    for (outside, felt, not_run) in all {
        assert!(outside > 500.0, "{outside} ms: nothing was down");
        for felt in felt {
            assert!((felt - outside).abs() <= APART + not_run, "{felt} and {outside} ms");
            apart.push((felt - outside).abs());
        }
    }
    apart.sort_by(f64::total_cmp);
    let median = apart[apart.len() / 2];
    assert!(median <= APART_IN_THE_MEDIAN, "{median} ms apart in the median");
}
