//! Failovers, phase by phase, as the nodes of a cluster see them.
//!
//! First single nodes suspect a primary that they cannot reach (PFAIL). Then a majority agrees
//! (FAIL), then one of its replicas is elected, and at last all nodes name the new primary.
//! Each node is asked every round. Each phase is reported once, with the instant at which the
//! first answer showed it. Nodes that are cut off begin no phase and hold none up, see
//! [`standing`]. See the Redis Cluster specification, "Failure detection" and
//! "Replica election and promotion":
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

mod roles;
mod standing;

use std::collections::{HashMap, HashSet};

use crate::cluster::node_view::NodeView;
use crate::model::event::FailoverPhase::{self, Agreed, Elected, Propagated, Redundant, Suspected};
use crate::model::event::{EventKind, Role};
use crate::net::Cuts;
use crate::node::{Node, NodeLine};

pub(super) use roles::Roles;
use standing::Standing;

/// What the nodes of one cluster say about each shard's primary.
#[derive(Debug)]
pub(super) struct Failovers {
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
    /// What each node said last; `None` while it cannot be reached.
    opinions: Vec<Option<Opinion>>,
    shards: Vec<Shard>,
    standing: Standing,
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
    /// Nodes that have named the elected one without a doubt.
    followers: HashSet<usize>,
    suspected: bool,
    agreed: bool,
    /// No replica follows the last one that was elected yet.
    alone: bool,
    /// Nodes whose doubts say nothing of the leader until they name it without one. They doubted
    /// it before it led, or are cut off, and a node that was cut off doubts a moment longer.
    behind: HashSet<usize>,
}

impl Failovers {
    /// `nodes` in the roles in which they started: ordinal 0 leads each shard. `cuts` are the
    /// links between them that are cut at each moment.
    pub(super) fn new(nodes: &[Node], cuts: Cuts) -> Failovers {
        let shard = |(leader, node): (usize, &Node)| {
            let number = node.name.shard().filter(|_| node.born == Role::Primary)?;
            Some(Shard { number, leader, ..Shard::default() })
        };
        Failovers {
            nodes: nodes.to_vec(),
            by_id: nodes.iter().enumerate().map(|(i, node)| (node.id.clone(), i)).collect(),
            opinions: nodes.iter().map(|_| None).collect(),
            shards: nodes.iter().enumerate().filter_map(shard).collect(),
            standing: Standing::new(nodes, cuts),
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
        self.standing.refresh();
        self.standing.voters = self.shards.iter().map(Shard::newest).collect();
        let mut news = Vec::new();
        for s in 0..self.shards.len() {
            while let Some((phase, node)) = self.shards[s].next(i, &self.opinions, &self.standing) {
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
    /// The last one that was elected, whether all nodes know it or not.
    fn newest(&self) -> usize {
        self.elected.map_or(self.leader, |(new, _)| new)
    }

    /// The next phase of the shard that node `i`'s answer shows, and the node that it is about.
    fn next(
        &mut self,
        i: usize,
        opinions: &[Option<Opinion>],
        standing: &Standing,
    ) -> Option<(FailoverPhase, usize)> {
        let said = opinions[i].as_ref()?;
        let named = said.primaries.get(&self.number).copied();
        self.trust(i, (said, named), standing);
        if let Some(missed) = self.misses(i, said) {
            return Some((missed, self.leader));
        }
        if let Some(new) = self.elects(named) {
            (self.alone, self.followers) = (true, HashSet::new());
            return Some((Elected, new));
        }
        if self.alone && said.follows == Some(self.newest()) {
            self.alone = false;
            return Some((Redundant, i));
        }
        if let Some((new, _)) = self.elected {
            let is_known = self.is_known(new, opinions, standing);
            // If it fails before all know of it, another failover begins.
            let fails = self.followers.contains(&i) && said.doubts(new);
            if is_known || fails && standing.may_suspect(i, new) {
                self.follow(opinions.len());
                return match is_known {
                    true => Some((Propagated, new)),
                    false => self.next(i, opinions, standing),
                };
            }
            return None;
        }
        // The primary was only slow: no node whose doubts count doubts it any more.
        let doubts = |(at, one): (usize, &Option<Opinion>)| {
            let counts = !self.behind.contains(&at);
            counts && one.as_ref().is_some_and(|one| one.doubts(self.leader))
        };
        if !opinions.iter().enumerate().any(doubts) {
            (self.suspected, self.agreed) = (false, false);
        }
        None
    }

    /// Takes in whether node `i` trusts the leader, or the elected one.
    fn trust(
        &mut self,
        i: usize,
        (said, named): (&Opinion, Option<(usize, u64)>),
        standing: &Standing,
    ) {
        let trusts = |node: usize| named.is_some_and(|(at, _)| at == node) && !said.doubts(node);
        if let Some((_, epoch)) = named.filter(|(at, _)| *at == self.leader) {
            self.epoch = self.epoch.max(epoch);
        }
        if !standing.may_suspect(i, self.leader) {
            self.behind.insert(i);
        } else if trusts(self.leader) {
            self.behind.remove(&i);
        }
        if self.elected.is_some_and(|(new, _)| trusts(new)) {
            self.followers.insert(i);
        }
    }

    /// The phase that shows that node `i` misses the leader, if nobody did so before.
    fn misses(&mut self, i: usize, said: &Opinion) -> Option<FailoverPhase> {
        let leader = self.leader;
        // The leader is no witness: it names itself until another node tells it otherwise.
        let is_witness = i != leader && !self.behind.contains(&i);
        let failed = said.failed.contains(&leader);
        // A node that was cut off may suspect the new leader and still take it for a replica.
        let names = said.primaries.get(&self.number).is_some_and(|(at, _)| *at == leader);
        let suspects = names && said.suspects.contains(&leader);
        if is_witness && !self.suspected && (failed || suspects) {
            self.suspected = true;
            return Some(Suspected);
        }
        if is_witness && !self.agreed && failed {
            self.agreed = true;
            return Some(Agreed);
        }
        None
    }

    /// Whether each live node that can hear of `new` names it. The old leader does not count: it
    /// may not know yet.
    fn is_known(&self, new: usize, opinions: &[Option<Opinion>], standing: &Standing) -> bool {
        let names = |one: &Opinion| one.primaries.get(&self.number).map(|(at, _)| *at);
        let live = opinions.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_ref()?)));
        let others = live.filter(|(at, one)| *at != self.leader && names(one) != Some(new));
        let mut ignorant = others.map(|(at, _)| at).peekable();
        if ignorant.peek().is_none() {
            return true;
        }
        let reached = standing.reached_from(new, |at| opinions[at].is_some());
        reached.is_some_and(|reached| !ignorant.any(|at| reached.contains(&at)))
    }

    /// The elected one is the leader from now on.
    fn follow(&mut self, nodes: usize) {
        let Some((leader, newest)) = self.elected else { return };
        *self = Shard {
            number: self.number,
            leader,
            epoch: newest.max(self.epoch),
            alone: self.alone,
            behind: (0..nodes).filter(|at| !self.followers.contains(at)).collect(),
            ..Shard::default()
        };
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
