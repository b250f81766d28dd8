//! What it costs that both sides of a cut serve their clients, and what replicas that a write
//! must have first are worth then.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::drill::place::Place;
use crate::drill::reader::Reader;
use crate::drill::ready::{measure, promises, replaced};

/// The ready scenario, with less time before and after what happens.
pub const SOONER: &[&str] = &[
    "timeline.0.at=1s",
    "timeline.0.for=9s",
    "timeline.1.at=3s",
    "timeline.2.at=3s",
    "timeline.3.at=3s",
];

/// How many writes were lost, by the report, which agrees with a reader of the servers.
fn lost(place: &Place, more: &[&str]) -> f64 {
    let set: Vec<&str> =
        SOONER.iter().chain(&["settle=6s"]).chain(more).flat_map(|set| ["--set", set]).collect();
    let args = [&["--profile", "ci", "--keep", "--backend", "process"], &set[..]].concat();
    let mut playing = place.watch(place.run_of("split-brain", &args));
    playing.wait_for_words("The topology is up until Ctrl-C");
    let (ops, mut reader) = (place.ops(), Reader::of(place));
    let [near, far] =
        [(0, "near"), (1, "far")].map(|(load, name)| reader.lost(&ops, load, name).len() as f64);
    drop(reader);
    playing.signal(Signal::INT);
    playing.end();
    let report = place.report();
    promises(&report);
    assert_eq!(replaced(&report), 3, "{}", report["failovers"]);
    let lost = measure(&report, "writes.lost");
    assert_eq!(lost, near + far, "{}", report["findings"]);
    assert!(far * 10.0 < near, "the second region is the one that wins: {near} and {far}");
    place.assert_nothing_left();
    lost
}

#[test]
#[ignore = "`just test-all`"]
fn one_sides_writes_are_lost_and_fewer_if_a_replica_must_have_them() {
    let (bare, careful) = (Place::new(), Place::new());
    let all = lost(&bare, &[]);
    // Half of 1,000 operations a second for 9 s; a busy machine does not get through them all.
    assert!(all >= 500.0, "{all}");
    let few = lost(
        &careful,
        &["loads.near.min-replicas-to-write=1", "loads.near.min-replicas-max-lag=1s"],
    );
    // The first side's writes are lost from the cut until it is undone, nine seconds later; the
    // other side wrote nothing for the two seconds until its replicas took over.
    let report = bare.report();
    assert!(measure(&report, "rpo") >= 6_000.0, "{}", report["failovers"]);
    let far = |outage: &&Value| outage["region"] == "eu-west" && outage["action"] == "write";
    let outages = report["outages"].as_array().unwrap().iter().filter(far);
    let longest = outages.filter_map(|o| o["duration_ms"].as_f64()).fold(0.0, f64::max);
    assert!(longest >= 1_500.0, "{}", report["outages"]);
    assert!(measure(&report, "downtime.write.max") >= longest);
    // Those of the first second or two, until a primary counts its replica as gone.
    assert!(few >= 1.0 && few * 2.0 < all, "{few} and not {all}");
    for (place, refused) in [(bare, false), (careful, true)] {
        let causes = &place.report()["loads"][0]["met"]["causes"];
        assert_eq!(causes["no_replicas"].as_u64() > Some(100), refused, "{causes}");
        let page = fs::read_to_string(place.folder().join("report.html")).unwrap();
        assert_eq!(page.contains("NOREPLICAS"), refused);
    }
}
