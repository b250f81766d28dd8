//! By `lww` and `crdt` regions come to hold the same under every scenario in which all take writes,
//! on seeds that are others each day.

use std::env;
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::{heavy_turn, need};
use crate::drill::place::{Place, report};

/// Of each scenario what makes it short. All have loads `near` and most `far`.
const SHORT: [(&str, &[&str]); 11] = [
    ("cross-region-sync", QUIET),
    ("cross-region-conflicts", QUIET),
    ("cross-region-reads", QUIET),
    ("cross-region-invalidation", QUIET),
    ("region-partition", LINK),
    ("asymmetric-link", LINK),
    ("slow-link", LINK),
    ("clock-skew", LINK),
    ("replicator-crash", CRASH),
    ("region-loss", LOSS),
    ("region-return", LOSS),
];
const QUIET: &[&str] = &["loads.far.rate=300/s", "settle=3s"];
const LINK: &[&str] =
    &["loads.far.rate=300/s", "timeline.0.at=1s", "timeline.0.for=2s", "settle=2s"];
const LOSS: &[&str] = &[
    "loads.far.rate=300/s",
    "timeline.0.at=1s",
    "timeline.0.for=2s",
    "timeline.1.at=1s",
    "timeline.1.for=2s",
    "settle=2s",
];
pub const CRASH: &[&str] = &[
    "timeline.0.at=500ms",
    "timeline.0.for=1s",
    "timeline.1.at=1s",
    "timeline.1.for=500ms",
    "timeline.2.at=2500ms",
    "timeline.3.at=3s",
    "timeline.3.for=1s",
    "settle=1s",
];
/// How many seeds for each scenario and rule; `REDRILL_SEEDS` names another number.
const SEEDS: u64 = 2;
/// The most that anybody plays at once: the first seed of a day is this many after that of the day
/// before.
const MOST: u64 = 20;
const AT_ONCE: usize = 3;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// `REDRILL_SEED`, or that of the day.
fn first_seed() -> u64 {
    let days = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    number("REDRILL_SEED").unwrap_or_else(|| days() * MOST)
}

/// Why the regions did not come to hold the same, if so.
fn play((name, set): (&str, &[&str]), rule: &str, seed: u64) -> Option<String> {
    let _turn = heavy_turn();
    let place = Place::new();
    let engines = need::engines();
    let server = engines[seed as usize % engines.len()].to_str().unwrap();
    let (rule, seed) = (format!("sync.rule={rule}"), seed.to_string());
    let common = ["loads.near.rate=300/s", "loads.near.keys=500", &rule];
    let set = common.iter().chain(set).flat_map(|set| ["--set", set]);
    let mut args = vec!["--profile", "ci", "--engine-binary", server, "--seed", &seed];
    args.extend(set);
    let ran = place.watch(place.run_of(name, &args)).end();
    let report = report(&place.folder());
    place.assert_nothing_left();
    let of = |name: &str| report["measures"][name]["value"].as_f64();
    let same = of("sync.consistency") == Some(100.0) && of("sync.diverged") == Some(0.0);
    let failed = report["steps"].as_array().unwrap().iter().any(|step| !step["error"].is_null());
    let why = || format!("{name} {rule} --seed {seed}: {}\n{}", report["why"], ran.out);
    (!same || failed).then(why)
}

#[test]
#[ignore = "`just test-all`"]
fn regions_hold_the_same_under_every_scenario_and_on_every_seed() {
    let (first, seeds) = (first_seed(), number("REDRILL_SEEDS").unwrap_or(SEEDS));
    println!("seeds {first} to {}", first + seeds - 1);
    let all = (first..first + seeds).flat_map(|seed| {
        SHORT.into_iter().flat_map(move |one| ["lww", "crdt"].map(|rule| (one, rule, seed)))
    });
    let (left, wrong) = (Mutex::new(all), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some((one, rule, seed)) = next else { return };
                    wrong.lock().unwrap().extend(play(one, rule, seed));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} drills: {}", wrong.len(), wrong.join("\n"));
}
