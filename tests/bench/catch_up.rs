//! How soon two regions that both take writes have caught up after a cut of 20 s: 2,000 writes a
//! second from each side, over a link of 40 ms and 100 mbit, by the rule `lww`.
//!
//! The cores are shared by four servers, two replicators, and redrill with its relay.

use std::collections::BTreeMap;
use std::time::Duration;

use redrill::model::event::{Event, EventKind, Phase};

use crate::drill;
use crate::table::{Better, Side, Table};

const BOUND_S: f64 = 5.0;
/// At the load's beginning nothing is usual yet.
const WARM: Duration = Duration::from_secs(1);
const SETTINGS: [&str; 5] = [
    "loads.near.rate=2000/s",
    "loads.near.reads=0%",
    "loads.far.rate=2000/s",
    "loads.far.reads=0%",
    "links.0={ between: [us-east, eu-west], latency: 40ms, bandwidth: 100mbit }",
];

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("redrill run region-partition");
    for _ in 0..runs {
        let played = drill::play(&["region-partition"], &SETTINGS)?;
        ours.values.push(caught_up(&played.events()?)?.as_secs_f64());
    }
    let what = "a cut of 20 s, 2,000 writes/s a side: caught up after";
    table.add(what, "s", Better::Lower, ours, Side::bound(BOUND_S), 1.0);
    Ok(())
}

/// From the healing of the link until neither replicator is further behind than it was at most
/// before the cut. Writes go on, so some are always under way.
fn caught_up(events: &[Event]) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut behind = BTreeMap::new();
    let (mut usual, mut most) = (0, 0);
    let (mut loaded, mut cut, mut healed) = (None, None, None);
    for Event { at, kind } in events {
        match kind {
            EventKind::Phase { phase: Phase::Steps } => loaded = Some(*at),
            EventKind::StepBegan { .. } => cut = Some(*at),
            EventKind::StepUndone { .. } => healed = Some(*at),
            EventKind::Replicated { pair, behind: entries, .. } => {
                behind.insert(pair, *entries);
                let worst = behind.values().copied().max().unwrap_or(0);
                match (loaded, cut, healed) {
                    (_, _, Some(healed)) if worst <= usual && most > 2 * usual => {
                        eprintln!("bench: up to {most} entries behind, before the cut {usual}");
                        return Ok(at.since(healed));
                    }
                    (_, Some(_), _) => most = most.max(worst),
                    (Some(loaded), ..) if at.since(loaded) > WARM => usual = usual.max(worst),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Err(format!("they did not catch up: {most} entries behind, before the cut {usual}").into())
}
