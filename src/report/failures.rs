//! The failures that may have lost acknowledged writes, and what each failover lost.
//!
//! A shard fails when a replica is elected, and when a step ends its primary, which may come back
//! without its data before anybody has missed it.

use crate::check::{Failure, Failures, RecoveryPoints};
use crate::model::Nanos;
use crate::model::event::LoadInfo;

use super::data::Failover;
use super::record::Record;

pub(super) fn of(record: &Record, failovers: &[Failover]) -> Failures {
    let elected = failovers.iter().filter_map(failure);
    let mut all: Vec<Failure> = elected.chain(record.ended.iter().cloned()).collect();
    all.sort_by(|a, b| (a.at, &a.group, a.shard).cmp(&(b.at, &b.group, b.shard)));
    all.dedup();
    let load = |load: &LoadInfo| {
        let owners = record.owners.get(&load.group).cloned().unwrap_or_default();
        (load.name.clone(), load.group.clone(), owners)
    };
    Failures { all, loads: record.info.loads.iter().map(load).collect() }
}

/// That of a failover: at the fault, or when it was first seen if there was none.
fn failure(row: &Failover) -> Option<Failure> {
    row.to.as_ref()?;
    let phases = [row.injected_ms, row.suspected_ms, row.agreed_ms, row.elected_ms];
    let at = phases.into_iter().flatten().next().or(row.propagated_ms)?;
    let at = Nanos((at * 1e6).round() as u64);
    Some(Failure { group: row.group.clone(), shard: row.shard, at })
}

/// Adds to each failover what it lost.
pub(super) fn tell(failovers: &mut [Failover], failures: &Failures, points: &RecoveryPoints) {
    let each: Vec<(u64, Option<f64>)> = points.each().collect();
    for row in failovers {
        let index = failure(row).and_then(|own| failures.all.iter().position(|one| *one == own));
        if let Some((lost, rpo_ms)) = index.and_then(|i| each.get(i)).copied() {
            (row.lost, row.rpo_ms) = (Some(lost), rpo_ms);
        }
    }
}
