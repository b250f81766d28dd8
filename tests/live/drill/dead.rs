//! Lock libraries that die, and replicators of redrill's own that somebody kills from outside.

use std::fs;
use std::time::Duration;

use redrill::model::event::Phase;
use rustix::process::Signal;

use crate::common::until;
use crate::drill::place::{Place, kill};
use crate::drill::wrong::{self, Outcome};

/// In what way a library's locks end, and what it answers to the first so many of its orders.
const DEATHS: [(&str, u32); 10] = [
    ("errors", 0),
    ("taken", 0),
    ("fails", 0),
    ("hangs", 0),
    ("errors", 60),
    ("taken", 60),
    ("fails", 60),
    ("hangs", 60),
    ("ends", 60),
    ("ends", 10),
];

/// What a drill expects: nothing, or one thing of which a release could be mistaken for a sign.
const EXPECTED: [&str; 2] = ["", "load.downtime.max <= 1s"];

/// A drill of a lock library that dies, of which nothing else is wrong.
pub fn library(place: &Place, number: usize, seed: u64) -> (String, Outcome) {
    let (mode, count) = DEATHS[number % DEATHS.len()];
    // One that has had locks is found by what is expected of it.
    let expected = EXPECTED[usize::from(count > 0 || number / DEATHS.len() % 2 == 1)];
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/drill/dead_lock.py");
    let text = format!(
        "name: dead-library\ntopology: locks-1x0\nloads:\n  app: {{ workload: lock, group: locks, \
         client: {{ command: [python3, '{program}', {mode}, '{count}'] }}, rate: 40/s, clients: 20, \
         keys: 10, timeout: 500ms, \
         lock: {{ ttl: 2s, hold: 5ms, patience: 1s, accounts: bank }} }}\n\
         timeline: []\nsettle: 5s\nexpect: [{expected}]\n"
    );
    let args = ["--seed", &seed.to_string()];
    let outcome = wrong::play(place, &written(place, &text), &args, None);
    (format!("locks of a library that {mode} after {count}, `{expected}`"), outcome)
}

/// A drill on two regions, of which somebody kills a replicator under load.
pub fn helper(place: &Place, number: usize, seed: u64) -> (String, Outcome) {
    let rule = ["lww", "crdt"][number % 2];
    let text = "name: dead-helper\ntopology: active-active-2r\nloads:\n  near: { group: us, region: \
         us-east, rate: 300/s, clients: 16, keys: 500 }\ntimeline: []\nsettle: 4s\n\
         expect: [sync.consistency == 100%, writes.lost == 0]\n";
    let rule_set = format!("sync.rule={rule}");
    let args = ["--seed", &seed.to_string(), "--set", &rule_set, "--backend", "process"];
    let mut playing = place.watch(place.run_of(&written(place, text), &args));
    playing.wait_for_phase(Phase::Steps);
    std::thread::sleep(Duration::from_millis(500 + 300 * (number as u64 % 5)));
    let found = until(Duration::from_secs(5), || !replicators_of(playing.pid()).is_empty());
    assert!(found, "no replicator runs: {}", playing.errors());
    let all = replicators_of(playing.pid());
    kill(all[number / 2 % all.len()], Signal::KILL);
    let ran = playing.end();
    let what = format!("two regions by {rule}, one replicator killed by somebody");
    (what, wrong::outcome(place, "dead-helper", &ran))
}

fn written(place: &Place, text: &str) -> String {
    let file = place.path().join("scenario.yaml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// The processes that a redrill has started as its replicators.
fn replicators_of(redrill: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_one = |pid: &u32| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
        let (Ok(stat), Ok(words)) = (read("stat"), read("cmdline")) else { return false };
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        parent == Some(redrill.to_string().as_str())
            && words.split('\0').nth(1) == Some("replicate")
    };
    let mut found: Vec<u32> = pids.filter(is_one).collect();
    found.sort_unstable();
    found
}

/// The servers are right: what differs is for redrill's own loss.
#[test]
fn a_replicator_that_somebody_kills_fails_no_server() {
    let place = Place::new();
    let (what, outcome) = helper(&place, 0, 1);
    assert_eq!(outcome.verdict, "unknown", "{what}: {:?}", outcome.why);
    let lost = |why: &String| why.contains("redrill's own replicator");
    assert!(outcome.why.iter().any(lost), "{:?}", outcome.why);
}
