//! Whether the downtime that redrill reports is the downtime that there was.
//!
//! A primary is kept from running for a known time, and the outages that probes
//! report are held against it. `cargo test --test truth -- --nocapture` prints
//! every figure.

mod common;
mod probing;

use std::time::Duration;

use redrill::model::Nanos;
use redrill::model::op::Action;

use probing::{ALONE, Outage, PROBE, Rig, Told};

const STALLS: [u64; 3] = [300, 700, 1500];

const REPETITIONS: usize = 20;
const QUIET: Duration = Duration::from_secs(30);

/// One repetition: a shard's primary did not run from `from` to `to`.
struct Stall {
    shard: u32,
    from: Nanos,
    to: Nanos,
}

impl Stall {
    fn millis(&self) -> f64 {
        self.to.since(self.from).as_secs_f64() * 1e3
    }

    fn covers(&self, outage: &Outage) -> bool {
        outage.from <= self.to && outage.to.is_none_or(|to| to >= self.from)
    }

    /// The longest outage of any of the shard's canaries, as `downtime.*.max` counts.
    fn reported(&self, told: &Told, action: Action) -> f64 {
        let outages = told.outages.iter().filter(|o| o.action == action && self.covers(o));
        let lengths = outages.map(|o| {
            assert_eq!(o.canary.shard, self.shard, "another shard's canary had an outage: {o:?}");
            o.to.expect("it was over long before the end").since(o.from).as_secs_f64() * 1e3
        });
        lengths.fold(0.0, f64::max)
    }
}

#[tokio::test]
async fn the_reported_outage_is_the_true_one() {
    let _alone = ALONE.lock().await;
    let rig = Rig::up(common::cluster(3, 0), PROBE, &[]).await;
    let mut stalls = Vec::new();
    for i in 0..REPETITIONS {
        // Not in step with the probes' ticks.
        tokio::time::sleep(Duration::from_micros(400_000 + 3_700 * i as u64)).await;
        let (shard, time) = (i as u32 % 3, Duration::from_millis(STALLS[i % 3]));
        let (from, to) = rig.stall(rig.node(shard, 0), time).await;
        stalls.push(Stall { shard, from, to });
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    let told = rig.down().await;
    told.warnings.iter().for_each(|warning| println!("{warning}"));
    for action in [Action::Write, Action::Read] {
        let mut errors = Vec::new();
        for stall in &stalls {
            let reported = stall.reported(&told, action);
            let error = reported - stall.millis();
            println!(
                "{action:?}: true {:.1} ms, reported {reported:.1}, {error:+.1}",
                stall.millis()
            );
            errors.push(error.abs());
        }
        errors.sort_by(f64::total_cmp);
        let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
        println!("{action:?}: off by {median:.1} ms in the median, {worst:.1} at worst");
        let bound = PROBE.every.as_secs_f64() * 1e3 + 5.0;
        assert!(median <= bound, "off by {median:.1} ms in the median");
    }
    let astray = told.outages.iter().filter(|o| !stalls.iter().any(|stall| stall.covers(o)));
    assert_eq!(astray.count(), 0, "outages while no server was stopped: {:?}", told.outages);
}

#[tokio::test]
async fn a_quiet_cluster_has_no_outage() {
    let _alone = ALONE.lock().await;
    let rig = Rig::up(common::cluster(3, 0), PROBE, &[]).await;
    tokio::time::sleep(QUIET).await;
    let probes = rig.canaries.len() as f64 * 2.0 * QUIET.as_secs_f64() / PROBE.every.as_secs_f64();
    let told = rig.down().await;
    println!("{} probes, {} failed; warnings: {:?}", told.sent, told.failed, told.warnings);
    assert!(told.outages.is_empty(), "{:?}", told.outages);
    assert_eq!(told.failed, 0);
    // Ticks that were overslept are missing; on a machine so busy nothing could be told.
    assert!(told.sent as f64 > probes / 2.0, "{} of {probes} probes were sent", told.sent);
}
