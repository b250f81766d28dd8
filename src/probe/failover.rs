//! Failovers, phase by phase, as the nodes of a cluster see them.
//!
//! First single nodes suspect a primary that they cannot reach (PFAIL). Then a majority agrees
//! (FAIL), then one of its replicas is elected, and at last all nodes name the new primary.
//! Each node is asked every round. Each phase is reported once, with the instant at which the
//! first answer showed it. See the Redis Cluster specification, "Failure detection" and
//! "Replica election and promotion":
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

mod roles;

use std::collections::{HashMap, HashSet};

use crate::cluster::node_view::NodeView;
use crate::model::event::FailoverPhase::{self, Agreed, Elected, Propagated, Redundant, Suspected};
use crate::model::event::{EventKind, Role};
use crate::node::{Node, NodeLine};

pub(super) use roles::Roles;

/// What the nodes of one cluster say about each shard's primary.
#[derive(Debug)]
pub(super) struct Failovers {
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
    /// What each node said last; `None` while it cannot be reached.
    opinions: Vec<Option<Opinion>>,
    shards: Vec<Shard>,
}

/// What one node says. Nodes are indexes into [`Failovers::nodes`].
#[derive(Debug, Default)]
struct Opinion {
    suspects: HashSet<usize>,
    failed: HashSet<usize>,
    /// The primary of each shard that owns slots, and its epoch.
    primaries: HashMap<u32, (usize, u64)>,
    /// The primary that this node replicates, if the link is up.
    follows: Option<usize>,
}

#[derive(Debug, Default)]
struct Shard {
    number: u32,
    /// The last primary that all nodes agreed on.
    leader: usize,
    /// The leader's epoch. A node that names another primary with an older epoch has old news.
    epoch: u64,
    /// The last one that was elected since, and its epoch.
    elected: Option<(usize, u64)>,
    suspected: bool,
    agreed: bool,
    /// No replica follows the new leader yet.
    alone: bool,
    /// Nodes that doubted the leader before it led. A node that was cut off from it doubts it a
    /// moment longer.
    behind: HashSet<usize>,
}

impl Failovers {
    /// `nodes` in the roles in which they started: ordinal 0 leads each shard.
    pub(super) fn new(nodes: &[Node]) -> Failovers {
        let shard = |(leader, node): (usize, &Node)| {
            let number = node.name.shard().filter(|_| node.born == Role::Primary)?;
            Some(Shard { number, leader, ..Shard::default() })
        };
        Failovers {
            nodes: nodes.to_vec(),
            by_id: nodes.iter().enumerate().map(|(i, node)| (node.id.clone(), i)).collect(),
            opinions: nodes.iter().map(|_| None).collect(),
            shards: nodes.iter().enumerate().filter_map(shard).collect(),
        }
    }

    /// Records what node `i` said, or that it cannot be reached (`None`). Returns the phases
    /// that are new.
    pub(super) fn hear(&mut self, i: usize, node_view: Option<&NodeView>) -> Vec<EventKind> {
        self.opinions[i] =
            node_view.map(|node_view| Opinion::of(node_view, &self.nodes, &self.by_id));
        if self.opinions[i].is_none() {
            return Vec::new();
        }
        let mut news = Vec::new();
        for s in 0..self.shards.len() {
            while let Some((phase, node)) = self.shards[s].next(i, &self.opinions) {
                news.push(self.told(s, phase, node, i));
            }
        }
        news
    }

    fn told(&self, shard: usize, phase: FailoverPhase, node: usize, by: usize) -> EventKind {
        EventKind::Failover {
            group: self.nodes[by].name.group.clone(),
            shard: self.shards[shard].number,
            phase,
            node: self.nodes[node].name.clone(),
            by: self.nodes[by].name.clone(),
        }
    }
}

impl Shard {
    /// The next phase of the shard that node `i`'s answer shows, and the node that it is about.
    fn next(&mut self, i: usize, opinions: &[Option<Opinion>]) -> Option<(FailoverPhase, usize)> {
        let said = opinions[i].as_ref()?;
        let leader = self.leader;
        let (named, epoch) = said.primaries.get(&self.number).copied().unzip();
        if named == Some(leader) {
            self.epoch = self.epoch.max(epoch.unwrap_or(0));
        }
        if !said.doubts(leader) {
            self.behind.remove(&i);
        }
        let witness = i != leader && !self.behind.contains(&i);
        let failed = said.failed.contains(&leader);
        // A node that was cut off may suspect the new leader and still take it for a replica.
        let suspects = named == Some(leader) && said.suspects.contains(&leader);
        // The leader is no witness: it names itself until another node tells it otherwise.
        if witness && !self.suspected && (failed || suspects) {
            self.suspected = true;
            return Some((Suspected, leader));
        }
        if witness && !self.agreed && failed {
            self.agreed = true;
            return Some((Agreed, leader));
        }
        if let Some(new) = self.elects(named.zip(epoch)) {
            return Some((Elected, new));
        }
        if let Some((new, newest)) = self.elected {
            let others = opinions.iter().enumerate().filter(|(at, _)| *at != leader);
            let mut others = others.filter_map(|(_, opinion)| opinion.as_ref());
            let doubt =
                opinions.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_ref()?)));
            let names = |one: &Opinion| one.primaries.get(&self.number).map(|(at, _)| *at);
            if others.all(|one| names(one) == Some(new)) {
                *self = Shard {
                    number: self.number,
                    leader: new,
                    epoch: newest.max(self.epoch),
                    alone: true,
                    behind: doubt.filter(|(_, one)| one.doubts(new)).map(|(at, _)| at).collect(),
                    ..Shard::default()
                };
                return Some((Propagated, new));
            }
            return None;
        }
        if self.alone && said.follows == Some(leader) {
            self.alone = false;
            return Some((Redundant, i));
        }
        // The primary was only slow: nobody doubts it any more.
        if !opinions.iter().flatten().any(|one| one.doubts(leader)) {
            (self.suspected, self.agreed) = (false, false);
        }
        None
    }

    /// The node that was elected, by the primary that a node names and its epoch. What is older
    /// than the last election is old news: a node that was cut off names the one before. The
    /// leader may be elected again after another one was.
    fn elects(&mut self, named: Option<(usize, u64)>) -> Option<usize> {
        let (new, epoch) = named?;
        let (last, newest) = self.elected.unwrap_or((self.leader, self.epoch));
        if epoch <= newest {
            return None;
        }
        match new == last {
            true => self.elected.iter_mut().for_each(|(_, newest)| *newest = epoch),
            false => self.elected = Some((new, epoch)),
        }
        (new != last).then_some(new)
    }
}

impl Opinion {
    fn doubts(&self, node: usize) -> bool {
        self.suspects.contains(&node) || self.failed.contains(&node)
    }

    fn of(node_view: &NodeView, nodes: &[Node], by_id: &HashMap<String, usize>) -> Opinion {
        let place = |id: &str| by_id.get(id).copied();
        let known = || node_view.lines.iter().filter_map(|line| Some((place(&line.id)?, line)));
        let flagged = |flag: fn(&NodeLine) -> bool| {
            known().filter(|(_, line)| flag(line)).map(|(at, _)| at).collect()
        };
        let leads = |line: &NodeLine| line.flags.role == Role::Primary && !line.slots.is_empty();
        let leading = known().filter(|(_, line)| leads(line));
        let own = node_view.own_line().and_then(|line| line.primary.as_deref());
        Opinion {
            suspects: flagged(|line| line.flags.pfail),
            failed: flagged(|line| line.flags.fail),
            primaries: leading
                .filter_map(|(at, line)| Some((nodes[at].shard()?, (at, line.epoch))))
                .collect(),
            follows: own.filter(|_| node_view.link_up == Some(true)).and_then(place),
        }
    }
}

#[cfg(test)]
mod tests;
