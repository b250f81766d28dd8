//! How groups are tied together: which of them have the same data, and how it comes to all of them.
//!
//! Groups are indices into [`Topology::groups`](super::Topology::groups).

use super::decode::word_enum;
use crate::model::NodeName;

/// One data set that several groups have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSync {
    /// The servers' own replication: the first node of each copy follows the source.
    Replica {
        /// The group that takes the writes at first.
        from: usize,
        /// The groups that copy it.
        to: Vec<usize>,
    },
    /// The same between clusters, which cannot replicate each other: for each shard, a replicator
    /// in each direction carries what is written. The one back has nothing to carry until another
    /// group takes the writes.
    Standby {
        /// The cluster that takes the writes at first.
        from: usize,
        to: Vec<usize>,
    },
    /// Each group takes writes, and for each shard of each directed pair of them a replicator
    /// carries them.
    ActiveActive { rule: SyncRule, between: Vec<usize> },
    /// Each group takes writes, and somebody else's replicator carries them: for each directed pair
    /// the program `command`, with its arguments. None: the groups carry them by themselves.
    External { command: Option<Vec<String>>, between: Vec<usize> },
}

impl DataSync {
    /// The groups that have the data, the source first if there is one.
    pub fn members(&self) -> Vec<usize> {
        match self {
            DataSync::Replica { from, to } | DataSync::Standby { from, to } => {
                [*from].into_iter().chain(to.clone()).collect()
            }
            DataSync::ActiveActive { between, .. } | DataSync::External { between, .. } => {
                between.clone()
            }
        }
    }

    /// The group that takes the writes at first, and those that copy it; none if each takes its
    /// own.
    pub fn one_way(&self) -> Option<(usize, &[usize])> {
        match self {
            DataSync::Replica { from, to } | DataSync::Standby { from, to } => Some((*from, to)),
            DataSync::ActiveActive { .. } | DataSync::External { .. } => None,
        }
    }

    /// The groups of which one takes the writes for all; none if each takes its own.
    pub fn followers(&self) -> Vec<usize> {
        if self.one_way().is_some() { self.members() } else { Vec::new() }
    }

    /// Those of them whose servers follow each other, so that roles say which group takes the
    /// writes.
    pub fn by_roles(&self) -> Vec<usize> {
        if matches!(self, DataSync::Replica { .. }) { self.members() } else { Vec::new() }
    }

    /// The groups that each take writes; none if one takes them for all.
    pub fn writers(&self) -> Vec<usize> {
        if self.one_way().is_none() { self.members() } else { Vec::new() }
    }

    /// The rule by which redrill's own replicators carry; none if it has none.
    pub fn rule(&self) -> Option<SyncRule> {
        match self {
            DataSync::ActiveActive { rule, .. } => Some(*rule),
            // One group writes at a time, and what it writes later stays.
            DataSync::Standby { .. } => Some(SyncRule::Lww),
            DataSync::Replica { .. } | DataSync::External { .. } => None,
        }
    }

    /// Each group with each other one, in both directions.
    pub fn directed(&self) -> Vec<(usize, usize)> {
        let members = self.members();
        let of = |from: usize| members.iter().map(move |to| (from, *to));
        members.iter().flat_map(|from| of(*from)).filter(|(from, to)| from != to).collect()
    }

    /// Each source with each target, where replicators are started.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        match self {
            DataSync::Replica { .. } | DataSync::External { command: None, .. } => Vec::new(),
            DataSync::Standby { .. }
            | DataSync::ActiveActive { .. }
            | DataSync::External { .. } => self.directed(),
        }
    }
}

/// The name of the replicator that carries what is written in a shard of one group to the other.
pub fn replicator(from: &str, to: &str, shard: u32) -> NodeName {
    NodeName::actor(format!("{from}-to-{to}"), shard)
}

word_enum! {
    /// How what is written in one group comes to others.
    Strategy "strategy" {
        Replica "replica",
        ActiveActive "active-active",
        External "external",
    }
}

word_enum! {
    /// What a replicator does where two groups have written to one key.
    SyncRule "rule" {
        /// In order of arrival: what comes last stays. Groups come to differ.
        Naive "naive",
        /// The last writer wins, by a clock that all groups follow.
        Lww "lww",
        /// Nothing is thrown away: counters add up, sets are joined, registers keep both values.
        Crdt "crdt",
    }
}
