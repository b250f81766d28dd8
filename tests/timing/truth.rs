//! Whether the downtime that redrill reports is the downtime that there was.
//!
//! A primary is kept from running for a known time, and what `report.json` says of it
//! is held against that time. `cargo test --test timing -- --nocapture` prints every
//! figure.

use std::time::Duration;

use redrill::model::Nanos;
use redrill::model::event::{Canary, Event, EventKind};
use serde_json::Value;

use crate::probing::reported::reported;
use crate::probing::{ALONE, PROBE, Rig};

const STALLS: [u64; 3] = [300, 700, 1500];

/// Of each length.
const REPETITIONS: usize = 7;
/// Between two repetitions, and a little more.
const PAUSE: Duration = Duration::from_millis(400);
const QUIET: Duration = Duration::from_secs(15);

/// One repetition: a shard's primary did not run from `from` to `to`.
struct Stall {
    shard: u32,
    planned: u64,
    from: Nanos,
    to: Nanos,
}

impl Stall {
    fn millis(&self) -> f64 {
        self.to.since(self.from).as_secs_f64() * 1e3
    }

    /// Whether the event is of this repetition. Counts of probes are of all of them.
    fn has(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::OutageBegan { from, .. } | EventKind::OutageEnded { from, .. } => {
                from + PAUSE / 2 >= self.from && from < self.to + PAUSE / 2
            }
            EventKind::Probes { .. } => true,
            _ => false,
        }
    }

    /// The report of a drill in which this repetition is all that happened.
    fn report(&self, canaries: &[Canary], events: &[Event]) -> Value {
        let own: Vec<Event> = events.iter().filter(|event| self.has(event)).cloned().collect();
        let report = reported(canaries, &own);
        for outage in report["outages"].as_array().unwrap() {
            assert_eq!(outage["shard"], self.shard, "of another shard's canary: {outage}");
            assert!(outage["to_ms"].is_number(), "it was over long before the end: {outage}");
        }
        report
    }
}

#[tokio::test]
async fn the_reported_outage_is_the_true_one() {
    let _alone = ALONE.lock().await;
    let rig = Rig::up(crate::common::cluster(3, 0), PROBE, &[]).await;
    let (canaries, mut stalls) = (rig.canaries.clone(), Vec::new());
    for i in 0..STALLS.len() * REPETITIONS {
        // Not in step with the probes' ticks.
        tokio::time::sleep(PAUSE + Duration::from_micros(3_700 * i as u64)).await;
        // Not in step with the lengths either: every shard gets each of them.
        let (shard, planned) = ((i + i / 3) as u32 % 3, STALLS[i % 3]);
        let (from, to) = rig.stall(rig.node(shard, 0), Duration::from_millis(planned)).await;
        stalls.push(Stall { shard, planned, from, to });
    }
    tokio::time::sleep(PAUSE).await;
    let told = rig.down().await;
    told.warnings.iter().for_each(|warning| println!("{warning}"));

    let reports: Vec<Value> = stalls.iter().map(|s| s.report(&canaries, &told.events)).collect();
    for action in ["write", "read"] {
        let error = |(stall, report): (&Stall, &Value)| {
            let reported = &report["measures"][format!("downtime.{action}.max")]["value"];
            let (truth, reported) = (stall.millis(), reported.as_f64().unwrap());
            let error = reported - truth;
            println!("{action}: true {truth:.1} ms, reported {reported:.1}, {error:+.1}");
            (stall.planned, error.abs())
        };
        let errors: Vec<(u64, f64)> = stalls.iter().zip(&reports).map(error).collect();
        for planned in STALLS {
            let those = errors.iter().filter(|(length, _)| *length == planned);
            assert_close(&format!("{action}, {planned} ms"), those.map(|(_, error)| *error));
        }
        assert_close(action, errors.iter().map(|(_, error)| *error));
    }
    let listed: usize = reports.iter().map(|r| r["outages"].as_array().unwrap().len()).sum();
    assert_eq!(listed, told.outages.len(), "some while no server was stopped: {:?}", told.outages);
}

/// In the median, by no more than a probe's interval and 5 ms.
fn assert_close(what: &str, errors: impl Iterator<Item = f64>) {
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_by(f64::total_cmp);
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    println!("{what}: off by {median:.1} ms in the median, {worst:.1} at worst");
    let bound = PROBE.every.as_secs_f64() * 1e3 + 5.0;
    assert!(median <= bound, "{what}: off by {median:.1} ms in the median");
}

#[tokio::test]
async fn a_quiet_cluster_has_no_outage() {
    let _alone = ALONE.lock().await;
    let rig = Rig::up(crate::common::cluster(3, 0), PROBE, &[]).await;
    tokio::time::sleep(QUIET).await;
    // One canary of each of the three shards, written and read.
    let probes = 3.0 * 2.0 * QUIET.as_secs_f64() / PROBE.every.as_secs_f64();
    let told = rig.down().await;
    println!("{} probes, {} failed; warnings: {:?}", told.sent, told.failed, told.warnings);
    assert!(told.outages.is_empty(), "{:?}", told.outages);
    assert_eq!(told.failed, 0);
    // Ticks that were overslept are missing; on a machine so busy nothing could be told.
    assert!(told.sent as f64 > probes / 2.0, "{} of {probes} probes were sent", told.sent);
}
