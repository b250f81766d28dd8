//! The servers that keep keys for a time: their rows, and what checkers are told of them.

use std::time::Duration;

use crate::check::{Keepers, Room};
use crate::model::event::LoadInfo;
use crate::model::step::StepKind;
use crate::model::{Nanos, NodeName, Workload};

use super::data::Keeper;
use super::kept::{TELLING, Told, after_deadlines, below_limit, evictions, order, stall, sum};
use super::record::Record;

/// A new role is seen so long after it was taken, or sooner.
const SEEN: Duration = Duration::from_secs(1);

fn recovered(record: &Record, node: &NodeName, all: &[Told]) -> Option<f64> {
    let expires = |load: &LoadInfo| load.group == node.group && load.workload == Workload::Expiry;
    let expired = record.info.loads.iter().any(expires).then(|| after_deadlines(all)).flatten();
    [below_limit(all), expired].into_iter().flatten().reduce(f64::min)
}

/// A row for each server that watched for how long its own work stopped it.
pub(super) fn rows(record: &Record) -> Vec<Keeper> {
    let row = |(node, all): (&NodeName, &Vec<Told>)| {
        let (stalled_by, stall_ms) = stall(all)?;
        Some(Keeper {
            node: node.clone(),
            limit_bytes: all.iter().map(|told| told.kept.limit_bytes).max().filter(|n| *n > 0),
            used_max_bytes: all.iter().map(|told| told.used).max()?,
            evicted: sum(all, |kept| kept.evicted),
            expired: sum(all, |kept| kept.expired),
            stall_ms: stall_ms as f64,
            stalled_by: Some(stalled_by).filter(|kind| !kind.is_empty()),
            recovered: recovered(record, node, all),
        })
    };
    record.kept.nodes.iter().filter_map(row).collect()
}

/// What checkers are told of the servers that keep the keys of loads.
pub(super) fn keepers(record: &Record, counted: &dyn Fn(&LoadInfo) -> Vec<NodeName>) -> Keepers {
    let mut keepers = Keepers::default();
    let loads = &record.info.loads;
    for (number, load) in (0..).zip(loads) {
        if !load.workload.expires() || !record.kept.loaded {
            continue;
        }
        let nodes = counted(load);
        for (index, node) in (0..).zip(&nodes) {
            let all = record.kept.told(node);
            evictions(all).for_each(|span| keepers.add_evicted((number, index), span));
            losses(record, node).for_each(|span| keepers.add_lost((number, index), span));
        }
        let Some(peak) = record.kept.groups.get(&load.group) else { continue };
        let of_node = |node: &NodeName| {
            let all = record.kept.told(node);
            let before = all.first().map_or(0, |told| told.kept.evicted);
            before + sum(all, |kept| kept.evicted)
        };
        let is_limited =
            |node: &NodeName| record.kept.told(node).iter().any(|told| told.kept.limit_bytes > 0);
        let policy = nodes.iter().find_map(|node| record.kept.told(node).last());
        keepers.add_room(
            number,
            Room {
                keys: peak.keys,
                bytes: peak.bytes,
                evicted: nodes.iter().map(of_node).sum(),
                limited: nodes.iter().any(is_limited),
                order: policy.and_then(|told| order(&told.kept.policy)),
                alone: loads.iter().filter(|other| other.group == load.group).count() == 1,
            },
        );
    }
    keepers
}

/// When the node may have lost what it had: it was started anew, emptied by a step, or replaced by one
/// that lacked some of it.
fn losses(record: &Record, node: &NodeName) -> impl Iterator<Item = (Nanos, Nanos)> {
    let all = record.kept.told(node).windows(2);
    let anew = all.filter(|pair| pair[0].kept.run != pair[1].kept.run);
    let anew: Vec<_> = anew.map(|pair| (pair[0].at - TELLING, pair[1].at)).collect();
    let ns = |ms: f64| Nanos((ms * 1e6) as u64);
    // What goes for want of memory is evicted, and servers count that.
    let empties = record
        .steps
        .iter()
        .filter(|step| step.effects().empties && step.info.kind != StepKind::MemoryPressure);
    let hits = empties.flat_map(|step| &step.hits).filter(|hit| hit.node == *node);
    let emptied: Vec<_> =
        hits.map(|hit| (ns(hit.at_ms), hit.undone_ms.map_or(ns(hit.at_ms), ns) + SEEN)).collect();
    let elections = record.failovers.elections().iter();
    let over = elections.filter(|one| one.over.contains(node) || one.to == *node);
    let replaced: Vec<_> = over.map(|one| (one.at - SEEN, one.at + SEEN)).collect();
    anew.into_iter().chain(emptied).chain(replaced)
}
