//! Which nodes of a group can know what happens while links between them are cut.
//!
//! A failure is decided by voters: a cluster's primaries, or a group's sentinels. A node that
//! reaches fewer than half of them misses everybody, and its suspicions say nothing of a primary.
//! Nor does the suspicion of a node that has only lost its own link to the primary. A node hears
//! of a new primary from any other one that reaches it, so it takes a chain of links.

use std::collections::HashSet;

use crate::model::traffic::End;
use crate::net::Cuts;
use crate::node::Node;

/// Nodes are indexes.
#[derive(Debug)]
pub(super) struct Standing {
    cuts: Cuts,
    ends: Vec<End>,
    /// The version of the cuts that `cut` shows.
    version: u64,
    /// From each node to each other one; `None` while nothing is cut.
    cut: Option<Vec<Vec<bool>>>,
    /// Who decides that a primary has failed.
    pub(super) voters: Vec<usize>,
}

impl Standing {
    pub(super) fn new(nodes: &[Node], cuts: Cuts) -> Standing {
        let ends = nodes.iter().map(|node| End::from(node.name.clone())).collect();
        let mut standing = Standing { cuts, ends, version: 0, cut: None, voters: Vec::new() };
        standing.cut = standing.cuts.matrix(&standing.ends);
        standing
    }

    /// Takes in what has been cut or healed since the last time.
    pub(super) fn refresh(&mut self) {
        let version = self.cuts.version();
        if version != self.version {
            (self.version, self.cut) = (version, self.cuts.matrix(&self.ends));
        }
    }

    /// Whether a suspicion of `primary` by node `i` counts.
    pub(super) fn may_suspect(&self, i: usize, primary: usize) -> bool {
        if self.cut.is_none() {
            return true;
        }
        let mut others = self.voters.iter().filter(|voter| **voter != primary).peekable();
        let is_alone = others.peek().is_none();
        let (cut, all) = others.fold((0, 0), |(cut, all), voter| {
            (cut + usize::from(self.is_cut(*voter, primary)), all + 1)
        });
        let misses_only_it = self.is_cut(i, primary) && cut * 2 < all;
        (is_alone || self.reaches_half(i)) && !misses_only_it
    }

    /// Whether node `i` reaches half of the voters or more, both ways, itself included.
    fn reaches_half(&self, i: usize) -> bool {
        let reached = self.voters.iter().filter(|voter| !self.is_cut(i, **voter)).count();
        reached * 2 >= self.voters.len()
    }

    /// The live nodes that can hear of what node `from` knows; `None` if all can, or if it is
    /// `from` that is cut off.
    pub(super) fn reached_from(
        &self,
        from: usize,
        is_live: impl Fn(usize) -> bool,
    ) -> Option<HashSet<usize>> {
        let cut = self.cut.as_ref().filter(|_| self.reaches_half(from))?;
        let (mut reached, mut next) = (HashSet::from([from]), vec![from]);
        while let Some(at) = next.pop() {
            let open = (0..cut.len()).filter(|to| !cut[at][*to] && is_live(*to));
            next.extend(open.filter(|to| reached.insert(*to)));
        }
        Some(reached)
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut[a][b] || cut[b][a])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;
    use crate::model::event::Role;
    use crate::net::{CutEntry, Ends, Pairs};

    /// Primaries 0, 1 and 2, their replicas 3, 4 and 5.
    fn standing(parted: &[usize], from: Option<&[usize]>) -> (Standing, CutEntry) {
        let addr = "127.0.0.1:7000".parse().unwrap();
        let name = |n: usize| NodeName::new("c", n as u32 % 3, n as u32 / 3);
        let nodes: Vec<Node> =
            (0..6).map(|n| Node::new(name(n), addr, "", Role::Primary)).collect();
        let ends = |which: &[usize]| Ends::only(which.iter().map(|n| name(*n)));
        let pairs = match from {
            Some(from) => Pairs::between(ends(parted), ends(from)),
            None => Pairs::around(ends(parted)),
        };
        let cuts = Cuts::default();
        let mut standing = Standing::new(&nodes, cuts.clone());
        let entry = cuts.add(pairs);
        standing.refresh();
        standing.voters = vec![0, 1, 2];
        (standing, entry)
    }

    fn witnesses(standing: &Standing, of: usize) -> Vec<usize> {
        (0..6).filter(|i| *i != of && standing.may_suspect(*i, of)).collect()
    }

    #[test]
    fn who_is_cut_off_from_most_primaries_is_no_witness() {
        let (standing, _cut) = standing(&[5], None);
        assert_eq!(witnesses(&standing, 1), [0, 2, 3, 4], "a replica");
        let (standing, _cut) = self::standing(&[2], None);
        assert_eq!(witnesses(&standing, 1), [0, 3, 4, 5], "a primary");
        assert_eq!(witnesses(&standing, 2), [0, 1, 3, 4, 5], "it is the one that is missed");
        let (standing, _cut) = self::standing(&[2, 5], None);
        assert_eq!(witnesses(&standing, 1), [0, 3, 4], "both, though they have each other");
        assert_eq!(witnesses(&standing, 2), [0, 1, 3, 4]);
    }

    #[test]
    fn who_has_lost_only_its_own_link_to_a_primary_is_no_witness() {
        let (standing, _cut) = standing(&[1], Some(&[5]));
        assert_eq!(witnesses(&standing, 1), [0, 2, 3, 4]);
        let (standing, _cut) = self::standing(&[1], Some(&[0, 2]));
        assert_eq!(witnesses(&standing, 1), [0, 2, 3, 4, 5], "most have lost it");
    }

    #[test]
    fn two_primaries_or_a_single_one_have_no_majority_elsewhere() {
        let (mut standing, _cut) = standing(&[1], None);
        standing.voters = vec![0, 1];
        assert_eq!(witnesses(&standing, 1), [0, 2, 3, 4, 5]);
        assert_eq!(witnesses(&standing, 0), [1, 2, 3, 4, 5]);
        standing.voters = vec![1];
        assert_eq!(witnesses(&standing, 1), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn news_takes_any_chain_of_links_between_live_nodes() {
        let reached = |standing: &Standing, from, dead: &[usize]| {
            let reached = standing.reached_from(from, |n| !dead.contains(&n));
            let mut reached: Vec<usize> = reached.unwrap().into_iter().collect();
            reached.sort_unstable();
            reached
        };
        let (standing, _cut) = standing(&[5], None);
        assert_eq!(reached(&standing, 4, &[1]), [0, 2, 3, 4]);
        assert_eq!(standing.reached_from(5, |_| true), None, "it was made primary on its own");
        let (standing, _cut) = self::standing(&[5], Some(&[4]));
        assert_eq!(reached(&standing, 4, &[1]), [0, 2, 3, 4, 5], "through others");
        let (standing, cut) = self::standing(&[5], None);
        drop(cut);
        let mut standing = standing;
        standing.refresh();
        assert_eq!(standing.reached_from(4, |_| true), None, "nothing is cut any more");
    }
}
