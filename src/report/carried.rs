//! What redrill's own replicators carried, and how far behind they were.

use std::collections::BTreeMap;

use crate::model::NodeName;
use crate::spec::sync::replicator;

/// What servers said of each replicator, collected.
#[derive(Clone, Debug, Default)]
pub(super) struct CarriedFold {
    all: BTreeMap<NodeName, OfOne>,
    /// By the name that the replicators of a pair share: a pair of clusters has one for each shard.
    most: BTreeMap<String, Backlog>,
}

#[derive(Clone, Debug, Default)]
struct OfOne {
    /// In all, and what the servers said last.
    discarded: (u64, u64),
    behind: Backlog,
}

/// What is still to be applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub entries: u64,
    /// Drills of before do not tell.
    pub bytes: Option<u64>,
}

impl Backlog {
    fn sum(self, other: Backlog) -> Backlog {
        let both = self.bytes.zip(other.bytes);
        Backlog { entries: self.entries + other.entries, bytes: both.map(|(a, b)| a + b) }
    }

    /// The most of each, which may be of different times.
    fn most(self, other: Backlog) -> Backlog {
        Backlog { entries: self.entries.max(other.entries), bytes: self.bytes.max(other.bytes) }
    }
}

impl CarriedFold {
    pub fn hear(&mut self, pair: NodeName, discarded: u64, behind: Backlog) {
        let group = pair.group.clone();
        let one = self.all.entry(pair).or_default();
        one.behind = behind;
        let (sum, last) = one.discarded;
        // A server that lost its data counts from 0 again.
        let more = discarded.checked_sub(last).unwrap_or(discarded);
        one.discarded = (sum + more, discarded);
        let shards = self.all.iter().filter(|(other, _)| other.group == group);
        let now = shards.map(|(_, one)| one.behind).reduce(Backlog::sum).unwrap_or_default();
        let most = self.most.entry(group).or_default();
        *most = most.most(now);
    }

    /// Updates that a rule threw away; none without replicators.
    pub fn discarded(&self) -> Option<u64> {
        let sum = self.all.values().map(|one| one.discarded.0).sum();
        (!self.all.is_empty()).then_some(sum)
    }

    /// The most that any pair was behind; none without replicators.
    pub fn backlog(&self) -> Option<Backlog> {
        self.most.values().copied().reduce(Backlog::most)
    }

    /// The most that this pair of groups was behind.
    pub fn backlog_of(&self, from: &str, to: &str) -> Option<Backlog> {
        self.most.get(&replicator(from, to, 0).group).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_pair_are_behind_together_and_the_worst_pair_counts() {
        let mut fold = CarriedFold::default();
        assert_eq!((fold.discarded(), fold.backlog()), (None, None));
        let behind = |entries, bytes| Backlog { entries, bytes: Some(bytes) };
        let (us, eu) = (|shard| replicator("us", "eu", shard), replicator("eu", "us", 0));
        fold.hear(us(0), 3, behind(5, 500));
        fold.hear(us(1), 4, behind(7, 2_000));
        fold.hear(us(0), 1, behind(0, 0));
        fold.hear(eu, 0, behind(9, 90));
        assert_eq!(fold.discarded(), Some(8), "one counts from 0 again");
        assert_eq!(fold.backlog(), Some(behind(12, 2_500)));
        assert_eq!(fold.backlog_of("us", "eu"), Some(behind(12, 2_500)));
        assert_eq!(fold.backlog_of("eu", "us"), Some(behind(9, 90)));
        assert_eq!(fold.backlog_of("us", "ap"), None);
    }

    #[test]
    fn a_drill_of_before_tells_entries_only() {
        let mut fold = CarriedFold::default();
        fold.hear(replicator("us", "eu", 0), 0, Backlog { entries: 5, bytes: None });
        assert_eq!(fold.backlog(), Some(Backlog { entries: 5, bytes: None }));
    }
}
