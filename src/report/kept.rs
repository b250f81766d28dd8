//! What servers told of the keys that they keep, about once a second: how many they let go and when,
//! for how long that stopped them, and how much of their memory became free again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::EvictionOrder;
use crate::model::event::{KeptStats, NodeStats, Phase, Role};
use crate::model::{Nanos, NodeName};

/// Memory is to be free again so long after it should be.
const RECOVERS: Duration = Duration::from_secs(5);
/// What a server counted was so a moment before it was told.
pub(super) const TELLING: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct KeptFold {
    pub loaded: bool,
    pub nodes: BTreeMap<NodeName, Vec<Told>>,
    pub groups: BTreeMap<String, Peak>,
}

#[derive(Clone, Debug)]
pub(super) struct Told {
    pub at: Nanos,
    pub used: u64,
    pub kept: KeptStats,
}

/// The most that the primaries of a group had at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub keys: u64,
    pub bytes: u64,
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

    pub fn told(&self, node: &NodeName) -> &[Told] {
        self.nodes.get(node).map_or(&[], |all| all)
    }
}

/// Pairs of what a server told, one after the other, in the same run.
fn pairs(all: &[Told]) -> impl Iterator<Item = (&Told, &Told)> {
    let pairs = all.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs.filter(|(before, after)| before.kept.run == after.kept.run)
}

pub(super) fn sum(all: &[Told], of: fn(&KeptStats) -> u64) -> u64 {
    pairs(all).map(|(before, after)| of(&after.kept).saturating_sub(of(&before.kept))).sum()
}

/// What a server was stopped by for longest when it let keys go, and for how many milliseconds. None
/// if it did not watch that.
pub(super) fn stall(all: &[Told]) -> Option<(String, u64)> {
    let kinds = all.iter().filter_map(|told| told.kept.stalls_ms.as_ref());
    let is_letting_go = |kind: &str| kind.starts_with("eviction-") || kind.starts_with("expire-");
    let none = all.iter().any(|told| told.kept.stalls_ms.is_some()).then(|| (String::new(), 0));
    let longest = kinds.flatten().filter(|(kind, _)| is_letting_go(kind));
    let longest = longest.max_by_key(|(_, ms)| **ms).map(|(kind, ms)| (kind.clone(), *ms));
    longest.or(none)
}

/// Of the memory that was used beyond a limit when that was set, the share that was free 5 s later, or
/// at the limit's end, in percent: the worst.
pub(super) fn below_limit(all: &[Told]) -> Option<f64> {
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
pub(super) fn after_deadlines(all: &[Told]) -> Option<f64> {
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

/// By the word of `maxmemory-policy`. `allkeys-random` has none.
pub(super) fn order(policy: &str) -> Option<EvictionOrder> {
    match policy.rsplit_once('-')?.1 {
        "lru" => Some(EvictionOrder::Lru),
        "lfu" => Some(EvictionOrder::Lfu),
        "ttl" => Some(EvictionOrder::Ttl),
        _ => None,
    }
}

/// When it evicted keys. What it had when it was asked first may have gone at any time before.
pub(super) fn evictions(all: &[Told]) -> impl Iterator<Item = (Nanos, Nanos)> {
    let before =
        all.first().filter(|told| told.kept.evicted > 0).map(|told| (Nanos::ZERO, told.at));
    let more = pairs(all).filter(|(before, after)| before.kept.evicted < after.kept.evicted);
    before.into_iter().chain(more.map(|(before, after)| (before.at - TELLING, after.at)))
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
