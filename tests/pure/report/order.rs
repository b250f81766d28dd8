//! The order in which a history has its loads' rows changes nothing. A load hands its rows over some at
//! a time, so in the file they stand up to half a second behind those of other loads.

use redrill::model::NodeName;
use redrill::model::event::{EventKind, RegionInfo};
use redrill::model::op::{Op, Outcome};
use redrill::report::json;

use super::tiny::{at, build, events, history};

/// Two loads in a region, of which each does every second operation.
fn drill() -> (Vec<redrill::model::event::Event>, Vec<Op>) {
    let mut told = events();
    for event in &mut told {
        let EventKind::Drill(info) = &mut event.kind else { continue };
        let region = |(name, shard): (&str, u32)| RegionInfo {
            name: name.to_owned(),
            nodes: vec![NodeName::new("cache", shard, 0)],
        };
        info.regions = [("us", 0), ("eu", 1)].map(region).to_vec();
        info.loads[0].region = Some("us".to_owned());
        info.loads[0].nodes = [0, 1].map(|shard| NodeName::new("cache", shard, 0)).to_vec();
        let other = info.loads[0].clone();
        info.loads.push(redrill::model::event::LoadInfo { name: "other".to_owned(), ..other });
    }
    let of_load = |op: Op| {
        let failed = (2..6).contains(&(op.key % 10)) && op.intended < at(8_000);
        let outcome = match failed {
            true => Outcome::Unknown(redrill::model::op::Cause::Timeout),
            false => op.outcome,
        };
        Op { load: (op.key % 2) as u8, by: Some((op.key % 3 % 2) as u16), outcome, ..op }
    };
    (told, history().into_iter().map(of_load).collect())
}

/// The rows of each load are late by as much as its next handing over, of which `turn` says when it
/// is.
fn handed_over(ops: &[Op], turn: u64) -> Vec<Op> {
    let mut ops = ops.to_vec();
    ops.sort_by_key(|op| {
        let ms = op.done.0 / 1_000_000 + turn * 70 * (1 + u64::from(op.load) * 3);
        (ms / 500 * 500 + 500 - turn * 70 * (1 + u64::from(op.load) * 3) % 500, op.load)
    });
    ops
}

#[test]
fn the_order_of_the_file_across_loads_changes_no_report() {
    let (told, ops) = drill();
    let report = |ops: &[Op]| {
        let mut report = build(&told, ops);
        report.folder = "runs/order".into();
        json::render(&report).unwrap()
    };
    let known = report(&ops);
    for turn in 0..8 {
        let other = handed_over(&ops, turn);
        assert_ne!(other, ops, "{turn}: it is another order");
        assert_eq!(report(&other), known, "{turn}");
    }
}
