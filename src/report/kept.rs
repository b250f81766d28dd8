//! What servers told of the keys that they keep, about once a second: how many they let go and when,
//! for how long that stopped them, and how much of their memory became free again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::{EvictionOrder, Keepers, Room};
use crate::model::event::{KeptStats, LoadInfo, NodeStats, Phase, Role};
use crate::model::step::StepKind;
use crate::model::{Nanos, NodeName, Workload};

use super::data::Keeper;
use super::record::Record;

/// Memory is to be free again so long after it should be.
const RECOVERS: Duration = Duration::from_secs(5);
/// What a server counted was so a moment before it was told.
const TELLING: Duration = Duration::from_millis(500);
/// A new role is seen so long after it was taken, or sooner.
const SEEN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct KeptFold {
    loaded: bool,
    nodes: BTreeMap<NodeName, Vec<Told>>,
    groups: BTreeMap<String, Peak>,
}

#[derive(Clone, Debug)]
struct Told {
    at: Nanos,
    used: u64,
    kept: KeptStats,
}

/// The most that the primaries of a group had at once.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    keys: u64,
    bytes: u64,
}

impl KeptFold {
    pub fn phase(&mut self, phase: Phase) {
        self.loaded |= phase == Phase::Steps;
    }

    pub fn hear(&mut self, at: Nanos, nodes: &[NodeStats]) {
        let mut now: BTreeMap<&str, Peak> = BTreeMap::new();
        for node in nodes {
            let Some(kept) = &node.kept else { continue };
            if node.role == Role::Primary {
                let sum = now.entry(&node.name.group).or_default();
                sum.keys += node.keys;
                sum.bytes += kept.data_bytes;
            }
            let told = Told { at, used: node.memory_bytes, kept: kept.clone() };
            self.nodes.entry(node.name.clone()).or_default().push(told);
        }
        for (group, Peak { keys, bytes }) in now {
            let most = self.groups.entry(group.to_owned()).or_default();
            *most = Peak { keys: most.keys.max(keys), bytes: most.bytes.max(bytes) };
        }
    }

    fn told(&self, node: &NodeName) -> &[Told] {
        self.nodes.get(node).map_or(&[], |all| all)
    }
}

/// Pairs of what a server told, one after the other, in the same run.
fn pairs(all: &[Told]) -> impl Iterator<Item = (&Told, &Told)> {
    let pairs = all.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs.filter(|(before, after)| before.kept.run == after.kept.run)
}

fn sum(all: &[Told], of: fn(&KeptStats) -> u64) -> u64 {
    pairs(all).map(|(before, after)| of(&after.kept).saturating_sub(of(&before.kept))).sum()
}

/// What a server was stopped by for longest when it let keys go, and for how many milliseconds. None
/// if it did not watch that.
fn stall(all: &[Told]) -> Option<(String, u64)> {
    let kinds = all.iter().filter_map(|told| told.kept.stalls_ms.as_ref());
    let is_letting_go = |kind: &str| kind.starts_with("eviction-") || kind.starts_with("expire-");
    let none = all.iter().any(|told| told.kept.stalls_ms.is_some()).then(|| (String::new(), 0));
    let longest = kinds.flatten().filter(|(kind, _)| is_letting_go(kind));
    let longest = longest.max_by_key(|(_, ms)| **ms).map(|(kind, ms)| (kind.clone(), *ms));
    longest.or(none)
}

/// Of the memory that was used beyond a limit when that was set, the share that was free 5 s later, or
/// at the limit's end, in percent: the worst.
fn below_limit(all: &[Told]) -> Option<f64> {
    let share = |(at, (before, after)): (usize, (&Told, &Told))| {
        let limit = after.kept.limit_bytes;
        let is_new = limit > 0 && (before.kept.limit_bytes == 0 || before.kept.limit_bytes > limit);
        let beyond = before.used.checked_sub(limit).filter(|beyond| is_new && *beyond > 0)?;
        let until = after.at + RECOVERS;
        let same = all[at + 1..].iter();
        let same = same.take_while(|told| told.at <= until && told.kept.limit_bytes == limit);
        let left = same.last()?.used.saturating_sub(limit);
        Some((1.0 - left as f64 / beyond as f64).max(0.0) * 100.0)
    };
    let one_run = |pair: &[Told]| pair[0].kept.run == pair[1].kept.run;
    let pairs = all.windows(2).enumerate().filter(|(_, pair)| one_run(pair));
    pairs.filter_map(|(at, pair)| share((at, (&pair[0], &pair[1])))).reduce(f64::min)
}

/// Of the memory that keys took at most, the share that was free at the end, 5 s after the last one's
/// time was over, in percent. None of a server that had hardly any.
fn after_deadlines(all: &[Told]) -> Option<f64> {
    /// What a server needs for itself changes by less.
    const WORTH_TELLING: u64 = 256 << 10;
    let data = |told: &Told| told.kept.data_bytes;
    let last = all.last()?;
    let run: Vec<u64> =
        all.iter().filter(|told| told.kept.run == last.kept.run).map(data).collect();
    let (least, most) = (*run.iter().min()?, *run.iter().max()?);
    let taken = Some(most - least).filter(|taken| *taken >= WORTH_TELLING)?;
    let left = data(last) - least;
    Some((1.0 - left as f64 / taken as f64).max(0.0) * 100.0)
}

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
        let policy = nodes.iter().find_map(|node| record.kept.told(node).last());
        keepers.add_room(
            number,
            Room {
                keys: peak.keys,
                bytes: peak.bytes,
                evicted: nodes.iter().map(of_node).sum(),
                order: policy.and_then(|told| order(&told.kept.policy)),
                alone: loads.iter().filter(|other| other.group == load.group).count() == 1,
            },
        );
    }
    keepers
}

/// By the word of `maxmemory-policy`. `allkeys-random` has none.
fn order(policy: &str) -> Option<EvictionOrder> {
    match policy.rsplit_once('-')?.1 {
        "lru" => Some(EvictionOrder::Lru),
        "lfu" => Some(EvictionOrder::Lfu),
        "ttl" => Some(EvictionOrder::Ttl),
        _ => None,
    }
}

/// When it evicted keys. What it had when it was asked first may have gone at any time before.
fn evictions(all: &[Told]) -> impl Iterator<Item = (Nanos, Nanos)> {
    let before =
        all.first().filter(|told| told.kept.evicted > 0).map(|told| (Nanos::ZERO, told.at));
    let more = pairs(all).filter(|(before, after)| before.kept.evicted < after.kept.evicted);
    before.into_iter().chain(more.map(|(before, after)| (before.at - TELLING, after.at)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each second: what is used, the limit, what keys take, and keys evicted until then.
    fn told(seconds: &[(u64, u64, u64, u64)]) -> Vec<Told> {
        let one =
            |(second, (used, limit_bytes, data_bytes, evicted)): (u64, &(u64, u64, u64, u64))| {
                let run = "a".to_owned();
                let kept = KeptStats {
                    run,
                    evicted: *evicted,
                    limit_bytes: *limit_bytes,
                    data_bytes: *data_bytes,
                    ..KeptStats::default()
                };
                Told { at: Nanos(second * 1_000_000_000), used: *used, kept }
            };
        (0..).zip(seconds).map(one).collect()
    }

    #[test]
    fn what_was_beyond_a_new_limit_is_to_be_free_five_seconds_later() {
        let of = |after: &[u64]| {
            let before = [(100, 0, 0, 0), (110, 0, 0, 0)];
            let seconds: Vec<_> =
                before.into_iter().chain(after.iter().map(|used| (*used, 60, 0, 0))).collect();
            below_limit(&told(&seconds))
        };
        assert_eq!(of(&[100, 80, 70]), Some(80.0));
        assert_eq!(of(&[60]), Some(100.0));
        assert_eq!(of(&[110, 110, 110, 110, 110, 85, 60]), Some(50.0), "what comes later is late");
        assert_eq!(below_limit(&told(&[(100, 0, 0, 0), (100, 120, 0, 0)])), None, "it is no limit");
    }

    #[test]
    fn memory_of_keys_whose_time_is_over_is_to_be_free_at_the_end() {
        let data = |mb: &[u64]| {
            let all: Vec<_> = mb.iter().map(|mb| (0, 0, mb << 20, 0)).collect();
            after_deadlines(&told(&all))
        };
        assert_eq!(data(&[1, 11, 11, 3]), Some(80.0));
        assert_eq!(data(&[1, 11, 1]), Some(100.0));
        assert_eq!(data(&[1, 1, 1]), None, "nothing was there");
    }

    #[test]
    fn evictions_are_between_two_counts() {
        let all = told(&[(0, 0, 0, 5), (0, 0, 0, 5), (0, 0, 0, 9)]);
        let spans: Vec<_> = evictions(&all).collect();
        let before = (Nanos::ZERO, Nanos(0));
        assert_eq!(spans, [before, (Nanos(500_000_000), Nanos(2_000_000_000))]);
        assert_eq!(evictions(&told(&[(0, 0, 0, 0), (0, 0, 0, 0)])).count(), 0);
        assert_eq!(sum(&all, |kept| kept.evicted), 4);
    }
}
