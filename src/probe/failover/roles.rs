//! Failovers of a group that is no cluster: by its sentinels, or by an operator's command.
//!
//! A sentinel that gets no answer suspects the primary (SDOWN). As many as the quorum agree
//! (ODOWN). One of them is elected to lead the failover and promotes a replica, and the others
//! learn of it. When an operator's command promotes a replica, nobody suspects the primary.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::cluster::node_view::NodeView;
use crate::model::NodeName;
use crate::model::event::FailoverPhase::{self, Agreed, Elected, Propagated, Redundant, Suspected};
use crate::model::event::{EventKind, Role};
use crate::net::Cuts;
use crate::node::Node;

use super::standing::Standing;

/// What the nodes and sentinels of one group say of its primary.
#[derive(Debug)]
pub struct Roles {
    nodes: Vec<(NodeName, SocketAddr)>,
    /// What each said last; `None` while it cannot be reached.
    opinions: Vec<Option<Opinion>>,
    /// The role of each at its last answer. It is kept when connections break: a sentinel that
    /// promotes a node closes all connections to it.
    roles: Vec<Option<Role>>,
    /// The last primary that all nodes agreed on.
    leader: usize,
    elected: Option<usize>,
    /// Sentinels that have named the elected one without a doubt.
    followers: HashSet<usize>,
    suspected: bool,
    agreed: bool,
    /// No replica follows the last one that was elected yet.
    alone: bool,
    /// Sentinels whose doubts say nothing of the leader until they name it without one: they are
    /// cut off, or have not named it yet.
    behind: HashSet<usize>,
    standing: Standing,
}

#[derive(Clone, Copy, Debug)]
struct Opinion {
    role: Option<Role>,
    /// It is a primary now and was a replica before.
    promoted: bool,
    names: Option<usize>,
    suspects: bool,
    agreed: bool,
    link_up: bool,
}

impl Opinion {
    fn is(&self, role: Role) -> bool {
        self.role == Some(role)
    }

    /// It is a sentinel's, of `node` as the primary.
    fn watches(&self, node: usize) -> bool {
        self.is(Role::Sentinel) && self.names == Some(node)
    }

    fn doubts(&self, node: usize) -> bool {
        self.watches(node) && (self.suspects || self.agreed)
    }
}

impl Roles {
    /// `nodes` in the roles in which they started, sentinels included. `cuts` are the links
    /// between them that are cut at each moment.
    pub fn new(nodes: &[Node], cuts: Cuts) -> Roles {
        let mut standing = Standing::new(nodes, cuts);
        standing.voters = (0..nodes.len()).filter(|i| nodes[*i].name.is_sentinel()).collect();
        let (followers, behind) = Default::default();
        Roles {
            standing,
            followers,
            behind,
            nodes: nodes.iter().map(|node| (node.name.clone(), node.announced)).collect(),
            opinions: nodes.iter().map(|_| None).collect(),
            roles: nodes.iter().map(|_| None).collect(),
            leader: nodes.iter().position(|node| node.born == Role::Primary).unwrap_or_default(),
            elected: None,
            suspected: false,
            agreed: false,
            alone: false,
        }
    }

    /// Records what node `i` said, or that it cannot be reached (`None`). Returns the phases
    /// that are new.
    pub fn hear(&mut self, i: usize, node_view: Option<&NodeView>) -> Vec<EventKind> {
        let before = self.opinions[i].take();
        let Some(node_view) = node_view else { return Vec::new() };
        let role = self.role(node_view);
        let promoted = role == Some(Role::Primary)
            && (self.roles[i] == Some(Role::Replica) || before.is_some_and(|one| one.promoted));
        self.roles[i] = role;
        self.opinions[i] = Some(Opinion { promoted, ..self.opinion(node_view) });
        self.standing.refresh();
        let mut news = Vec::new();
        while let Some((phase, node)) = self.next(i) {
            news.push(self.told(phase, node, i));
        }
        news
    }

    fn place(&self, at: SocketAddr) -> Option<usize> {
        self.nodes.iter().position(|(_, here)| *here == at)
    }

    /// A node that replicates a node of another group is the primary in its own.
    fn role(&self, node_view: &NodeView) -> Option<Role> {
        let outside = node_view.leader.at.is_some_and(|at| self.place(at).is_none());
        let leads = node_view.role == Some(Role::Replica) && outside;
        if leads { Some(Role::Primary) } else { node_view.role }
    }

    fn opinion(&self, node_view: &NodeView) -> Opinion {
        Opinion {
            role: self.role(node_view),
            promoted: false,
            names: node_view.leader.at.and_then(|at| self.place(at)),
            suspects: node_view.leader.suspected,
            agreed: node_view.leader.agreed,
            link_up: node_view.link_up == Some(true),
        }
    }

    fn told(&self, phase: FailoverPhase, node: usize, by: usize) -> EventKind {
        let name = |i: usize| self.nodes[i].0.clone();
        EventKind::Failover {
            group: name(by).group,
            shard: 0,
            phase,
            node: name(node),
            by: name(by),
        }
    }

    /// The next phase of the group that node `i`'s answer shows, and the node that it is about.
    fn next(&mut self, i: usize) -> Option<(FailoverPhase, usize)> {
        let said = self.opinions[i]?;
        self.trust(i, said);
        if let Some(missed) = self.misses(i, said) {
            return Some((missed, self.leader));
        }
        if let Some(new) = self.new_leader(i).filter(|new| self.elected != Some(*new)) {
            (self.elected, self.alone) = (Some(new), true);
            self.followers.clear();
            return Some((Elected, new));
        }
        let newest = self.elected.unwrap_or(self.leader);
        if self.alone && said.is(Role::Replica) && said.names == Some(newest) && said.link_up {
            self.alone = false;
            return Some((Redundant, i));
        }
        if let Some(new) = self.elected {
            if said.is(Role::Replica) && i == new {
                // It became a replica again.
                (self.elected, self.alone) = (None, false);
            }
            let is_known = self.is_known(new);
            // If it fails before all know of it, another failover begins.
            let fails = self.followers.contains(&i) && said.doubts(new);
            if is_known || fails && self.standing.may_suspect(i, new) {
                self.follow(new);
                return match is_known {
                    true => Some((Propagated, new)),
                    false => self.next(i),
                };
            }
            return None;
        }
        // The primary was only slow: no sentinel whose doubts count doubts it any more.
        let doubts = |(at, one): (usize, &Option<Opinion>)| {
            !self.behind.contains(&at) && one.is_some_and(|one| one.doubts(self.leader))
        };
        if !self.opinions.iter().enumerate().any(doubts) {
            (self.suspected, self.agreed) = (false, false);
        }
        None
    }

    /// Takes in whether sentinel `i` trusts the leader, or the elected one.
    fn trust(&mut self, i: usize, said: Opinion) {
        let trusts = |node: usize| said.watches(node) && !said.doubts(node);
        if !self.standing.may_suspect(i, self.leader) {
            self.behind.insert(i);
        } else if trusts(self.leader) {
            self.behind.remove(&i);
        }
        if self.elected.is_some_and(trusts) {
            self.followers.insert(i);
        }
    }

    /// The phase that shows that sentinel `i` misses the leader, if nobody did so before.
    fn misses(&mut self, i: usize, said: Opinion) -> Option<FailoverPhase> {
        let is_witness = said.doubts(self.leader) && !self.behind.contains(&i);
        if is_witness && !self.suspected {
            self.suspected = true;
            return Some(Suspected);
        }
        if is_witness && !self.agreed && said.agreed {
            self.agreed = true;
            return Some(Agreed);
        }
        None
    }

    /// The elected one is the leader from now on.
    fn follow(&mut self, new: usize) {
        (self.leader, self.elected) = (new, None);
        (self.suspected, self.agreed) = (false, false);
        let followers = std::mem::take(&mut self.followers);
        self.behind = (0..self.nodes.len()).filter(|at| !followers.contains(at)).collect();
        // If one of them still leads at the next promotion, that is no new promotion.
        self.opinions.iter_mut().flatten().for_each(|one| one.promoted = false);
    }

    /// The new primary, by the answer of node `i`. The node must call itself primary, and must
    /// have been a replica before or be named by a majority of sentinels. A node that was
    /// restarted or cut off may call itself primary without knowing better.
    fn new_leader(&self, i: usize) -> Option<usize> {
        let said = self.opinions[i]?;
        let new = if said.is(Role::Sentinel) { said.names? } else { i };
        let own = self.opinions[new]?;
        let named = || {
            let sentinels = self.nodes.iter().filter(|(name, _)| name.is_sentinel()).count();
            let opinions = self.opinions.iter().flatten();
            let name = |one: &&Opinion| one.is(Role::Sentinel) && one.names == Some(new);
            opinions.filter(name).count() * 2 > sentinels
        };
        (new != self.leader && own.is(Role::Primary) && (own.promoted || named())).then_some(new)
    }

    /// Whether each live node that can hear of `new` names it. The old leader does not count: it
    /// may not know yet.
    fn is_known(&self, new: usize) -> bool {
        let names = |at: usize, one: &Opinion| match at == new {
            true => one.is(Role::Primary),
            false => one.names == Some(new),
        };
        let all = self.opinions.iter().enumerate();
        let live = all.filter_map(|(at, one)| Some((at, one.as_ref()?)));
        let others = live.filter(|(at, one)| *at != self.leader && !names(*at, one));
        let mut ignorant = others.map(|(at, _)| at).peekable();
        if ignorant.peek().is_none() {
            return true;
        }
        let reached = self.standing.reached_from(new, |at| self.opinions[at].is_some());
        reached.is_some_and(|reached| !ignorant.any(|at| reached.contains(&at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node_view::Leader;
    use crate::net::{Ends, Pairs};

    /// 0, 1 and 2 are nodes, 3 and 4 sentinels.
    fn nodes() -> Vec<Node> {
        let node = |(n, name): (usize, NodeName)| {
            let addr = format!("127.0.0.{}:7000", n + 1).parse().unwrap();
            let born = match n {
                0 => Role::Primary,
                1 | 2 => Role::Replica,
                _ => Role::Sentinel,
            };
            Node::new(name, addr, "", born)
        };
        let kept = (0..3).map(|n| NodeName::new("c", 0, n));
        let sentinels = (0..2).map(|n| NodeName::sentinel("c", n));
        kept.chain(sentinels).enumerate().map(node).collect()
    }

    fn node_view(n: usize, role: Role, names: Option<usize>, doubt: &str) -> NodeView {
        let nodes = nodes();
        NodeView {
            node: nodes[n].name.clone(),
            state_ok: true,
            role: Some(role),
            link_up: (role == Role::Replica).then_some(doubt != "unlinked"),
            lines: Vec::new(),
            leader: Leader {
                at: names.map(|n| nodes[n].announced),
                suspected: doubt.contains("down"),
                agreed: doubt == "odown",
            },
        }
    }

    struct Sentinels(Roles);

    impl Sentinels {
        /// All nodes in the roles in which they started.
        fn new() -> Sentinels {
            let mut told = Sentinels(Roles::new(&nodes(), Cuts::default()));
            assert_eq!(told.primary(0), []);
            for n in [1, 2] {
                assert_eq!(told.replica(n, 0), []);
            }
            for n in [3, 4] {
                assert_eq!(told.sentinel(n, 0, ""), []);
            }
            told
        }

        fn hear(&mut self, n: usize, node_view: NodeView) -> Vec<(FailoverPhase, String)> {
            let phase = |what| match what {
                EventKind::Failover { phase, node, shard: 0, .. } => (phase, node.to_string()),
                other => panic!("{other:?}"),
            };
            self.0.hear(n, Some(&node_view)).into_iter().map(phase).collect()
        }

        fn primary(&mut self, n: usize) -> Vec<(FailoverPhase, String)> {
            self.hear(n, node_view(n, Role::Primary, None, ""))
        }

        fn replica(&mut self, n: usize, of: usize) -> Vec<(FailoverPhase, String)> {
            self.hear(n, node_view(n, Role::Replica, Some(of), ""))
        }

        fn sentinel(&mut self, n: usize, of: usize, doubt: &str) -> Vec<(FailoverPhase, String)> {
            self.hear(n, node_view(n, Role::Sentinel, Some(of), doubt))
        }
    }

    fn said(phase: FailoverPhase, node: u32) -> Vec<(FailoverPhase, String)> {
        vec![(phase, format!("c/0/{node}"))]
    }

    #[test]
    fn sentinels_go_through_the_phases() {
        let mut told = Sentinels::new();
        assert_eq!(told.sentinel(3, 0, "sdown"), said(Suspected, 0));
        assert_eq!(told.sentinel(4, 0, "sdown"), [], "told once");
        assert_eq!(told.sentinel(3, 0, "odown"), said(Agreed, 0));
        assert_eq!(told.0.hear(0, None), [], "it is dead");
        assert_eq!(told.0.hear(1, None), [], "its connections are ended when it is promoted");
        assert_eq!(told.primary(1), said(Elected, 1));
        assert_eq!(told.sentinel(3, 1, ""), []);
        assert_eq!(told.hear(2, node_view(2, Role::Replica, Some(1), "unlinked")), []);
        assert_eq!(told.sentinel(4, 1, ""), said(Propagated, 1));
        assert_eq!(told.hear(2, node_view(2, Role::Replica, Some(1), "unlinked")), []);
        assert_eq!(told.replica(2, 1), said(Redundant, 2));
        assert_eq!(told.primary(0), [], "what comes back thinks that it leads");
        assert_eq!(told.replica(0, 1), []);
        assert_eq!(told.sentinel(4, 1, "sdown"), said(Suspected, 1), "and the next one");
    }

    #[test]
    fn who_still_leads_after_another_was_promoted_is_not_elected_again() {
        let mut told = Sentinels::new();
        for (new, old, other) in [(1, 0, 2), (2, 1, 0)] {
            let leads = |told: &mut Sentinels| told.primary(old as usize);
            assert_eq!(told.primary(new as usize), said(Elected, new));
            let linked = told.replica(other, new as usize);
            assert_eq!(linked, said(Redundant, other as u32), "though not all know it");
            assert_eq!(told.sentinel(3, new as usize, ""), []);
            let last = told.sentinel(4, new as usize, "");
            assert_eq!(last, said(Propagated, new), "{new}");
            assert_eq!(told.replica(other, new as usize), []);
            assert_eq!(leads(&mut told), [], "it is told to follow only later");
            assert_eq!(told.primary(new as usize), []);
            assert_eq!(told.replica(old as usize, new as usize), []);
        }
    }

    #[test]
    fn one_sentinel_that_knows_no_better_elects_nobody() {
        let mut told = Sentinels::new();
        told.primary(1);
        told.replica(2, 1);
        told.sentinel(3, 1, "");
        assert_eq!(told.sentinel(4, 1, ""), said(Propagated, 1));
        assert_eq!(told.primary(0), [], "it was cut off");
        assert_eq!(told.sentinel(3, 0, ""), [], "it was started again");
        assert_eq!(told.sentinel(4, 0, ""), said(Elected, 0), "most of them name it");
    }

    #[test]
    fn one_that_was_only_slow_may_be_suspected_again() {
        let mut told = Sentinels::new();
        assert_eq!(told.sentinel(3, 0, "sdown"), said(Suspected, 0));
        assert_eq!(told.sentinel(3, 0, ""), []);
        assert_eq!(told.sentinel(3, 0, "sdown"), said(Suspected, 0));
    }

    #[test]
    fn an_operators_command_is_a_failover_without_suspicion() {
        let mut told = Sentinels::new();
        for n in [3, 4] {
            told.0.hear(n, None);
        }
        assert_eq!(told.primary(2), said(Elected, 2));
        assert_eq!(told.primary(2), []);
        assert_eq!(told.replica(1, 2), [said(Redundant, 1), said(Propagated, 2)].concat());
        assert_eq!(told.replica(0, 2), []);
    }

    #[test]
    fn a_sentinel_and_a_replica_that_are_cut_off_begin_nothing_and_hold_nothing_up() {
        let names = [NodeName::new("c", 0, 2), NodeName::sentinel("c", 2)];
        let third = NodeName::sentinel("c", 2);
        let addr = "127.0.0.6:7000".parse().unwrap();
        let all = [nodes(), vec![Node::new(third, addr, "", Role::Sentinel)]].concat();
        let cuts = Cuts::default();
        let mut told = Sentinels(Roles::new(&all, cuts.clone()));
        let lost = |of: usize, doubt: &str| {
            let leader = node_view(3, Role::Sentinel, Some(of), doubt).leader;
            NodeView { node: all[5].name.clone(), leader, ..node_view(3, Role::Sentinel, None, "") }
        };
        told.primary(0);
        told.replica(1, 0);
        told.replica(2, 0);
        told.sentinel(3, 0, "");
        told.sentinel(4, 0, "");
        told.hear(5, lost(0, ""));
        let cut = cuts.add(Pairs::around(Ends::only(names)));
        assert_eq!(told.hear(5, lost(0, "sdown")), [], "it misses everybody");
        assert_eq!(told.sentinel(3, 0, "sdown"), said(Suspected, 0));
        assert_eq!(told.sentinel(4, 0, "odown"), said(Agreed, 0));
        told.0.hear(0, None);
        assert_eq!(told.primary(1), said(Elected, 1));
        assert_eq!(told.sentinel(3, 1, ""), []);
        assert_eq!(told.sentinel(4, 1, ""), said(Propagated, 1), "2 and 5 cannot know");
        assert_eq!(told.hear(5, lost(0, "sdown")), []);
        drop(cut);
        assert_eq!(told.hear(5, lost(1, "sdown")), [], "it is back, and has not reached it yet");
        assert_eq!(told.hear(5, lost(1, "")), []);
        assert_eq!(told.replica(2, 1), said(Redundant, 2));
        assert_eq!(told.hear(5, lost(1, "sdown")), said(Suspected, 1), "now it knows");
    }

    #[test]
    fn a_new_primary_that_fails_before_all_know_it_is_another_failover() {
        let mut told = Sentinels::new();
        assert_eq!(told.primary(1), said(Elected, 1));
        assert_eq!(told.sentinel(3, 1, ""), []);
        told.0.hear(1, None);
        assert_eq!(told.sentinel(3, 1, "sdown"), said(Suspected, 1));
        assert_eq!(told.primary(2), said(Elected, 2));
    }
}
