//! Failovers of a group that is no cluster: by its sentinels, or by an operator's command.
//!
//! A sentinel that gets no answer suspects the primary (SDOWN). As many as the quorum agree
//! (ODOWN). One of them is elected to lead the failover and promotes a replica, and the others
//! learn of it. When an operator's command promotes a replica, nobody suspects the primary.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>

use std::net::SocketAddr;

use crate::cluster::node_view::NodeView;
use crate::model::NodeName;
use crate::model::event::FailoverPhase::{self, Agreed, Elected, Propagated, Redundant, Suspected};
use crate::model::event::{EventKind, Role};
use crate::node::Node;

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
    suspected: bool,
    agreed: bool,
    /// No replica follows the new leader yet.
    alone: bool,
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
}

impl Roles {
    /// `nodes` in the roles in which they started, sentinels included.
    pub fn new(nodes: &[Node]) -> Roles {
        Roles {
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
        let leader = self.leader;
        let of_leader = said.is(Role::Sentinel) && said.names == Some(leader);
        if of_leader && !self.suspected && (said.suspects || said.agreed) {
            self.suspected = true;
            return Some((Suspected, leader));
        }
        if of_leader && !self.agreed && said.agreed {
            self.agreed = true;
            return Some((Agreed, leader));
        }
        if let Some(new) = self.new_leader(i).filter(|new| self.elected != Some(*new)) {
            self.elected = Some(new);
            return Some((Elected, new));
        }
        if let Some(new) = self.elected {
            if said.is(Role::Replica) && i == new {
                // It became a replica again.
                self.elected = None;
            }
            if !self.all_name(new) {
                return None;
            }
            (self.leader, self.elected, self.alone) = (new, None, true);
            (self.suspected, self.agreed) = (false, false);
            // If one of them still leads at the next promotion, that is no new promotion.
            self.opinions.iter_mut().flatten().for_each(|one| one.promoted = false);
            return Some((Propagated, new));
        }
        if self.alone && said.is(Role::Replica) && said.names == Some(leader) && said.link_up {
            self.alone = false;
            return Some((Redundant, i));
        }
        // The primary was only slow: nobody doubts it any more.
        let doubts = |one: &Opinion| one.names == Some(leader) && (one.suspects || one.agreed);
        if !self.opinions.iter().flatten().any(doubts) {
            (self.suspected, self.agreed) = (false, false);
        }
        None
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

    /// Whether all live nodes name `new`. The old leader does not count: it may not know yet.
    fn all_name(&self, new: usize) -> bool {
        let all = self.opinions.iter().enumerate();
        let mut live = all.filter_map(|(at, one)| Some((at, one.as_ref()?)));
        live.all(|(at, one)| {
            at == self.leader
                || if at == new { one.is(Role::Primary) } else { one.names == Some(new) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node_view::Leader;

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
            let mut told = Sentinels(Roles::new(&nodes()));
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
            assert_eq!(told.replica(other, new as usize), []);
            assert_eq!(told.sentinel(3, new as usize, ""), []);
            let last = told.sentinel(4, new as usize, "");
            assert_eq!(last, said(Propagated, new), "{new}");
            assert_eq!(told.replica(other, new as usize), said(Redundant, other as u32));
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
        assert_eq!(told.replica(1, 2), [said(Propagated, 2), said(Redundant, 1)].concat());
        assert_eq!(told.replica(0, 2), []);
    }
}
