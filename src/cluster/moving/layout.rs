//! Which node owns which slot by its own report, and which slots are half moved.
//!
//! Each node is asked about itself, because gossip may lag behind, and always does while slots
//! move.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;

use super::progress::Reason;
use crate::model::event::Role;
use crate::model::slot::SLOTS;
use crate::node::{Node, NodeLine};

/// A node that answered.
#[derive(Clone, Debug)]
pub struct Member {
    pub node: Node,
    /// Its line about itself.
    pub line: NodeLine,
}

impl Member {
    pub fn id(&self) -> &str {
        &self.line.id
    }
}

/// The group as its live nodes describe themselves. Members are referred to by index.
#[derive(Debug)]
pub struct Layout {
    pub members: Vec<Member>,
    /// The shards of all nodes by node id, including nodes that did not answer.
    shards: HashMap<String, u32>,
    owners: Vec<Option<usize>>,
}

/// What has to be done about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// The owner gives the slot to another member, or continues to.
    Move { from: usize, to: usize },
    /// `at` has marks or keys of a move that went elsewhere. Its keys go to `to`, which owns
    /// the slot or is being given it. Both may be the same: then only the marks are removed.
    Tidy { at: usize, to: usize },
}

impl Layout {
    /// Asks all nodes. Nodes that do not answer are left out.
    pub async fn of(nodes: &[Node]) -> Layout {
        let ask = async |node: &Node| -> Option<Member> {
            let lines = node.admin.cluster_nodes().await.ok()?;
            let line = lines.into_iter().find(|line| line.flags.myself)?;
            Some(Member { node: node.clone(), line })
        };
        let members = join_all(nodes.iter().map(ask)).await.into_iter().flatten().collect();
        let shard = |node: &Node| Some((node.id.clone(), node.shard()?));
        Layout::new(members, nodes.iter().filter_map(shard).collect())
    }

    fn new(members: Vec<Member>, shards: HashMap<String, u32>) -> Layout {
        let mut owners: Vec<Option<usize>> = vec![None; SLOTS as usize];
        for (index, member) in members.iter().enumerate() {
            if member.line.flags.role != Role::Primary {
                continue;
            }
            for slot in member.line.slots.iter() {
                let owner = &mut owners[slot as usize];
                // If two nodes claim a slot, the newer epoch wins, as it does among the nodes.
                let older = |rival: usize| members[rival].line.epoch < member.line.epoch;
                if owner.is_none_or(older) {
                    *owner = Some(index);
                }
            }
        }
        Layout { members, shards, owners }
    }

    pub fn owner(&self, slot: u16) -> Option<usize> {
        self.owners[slot as usize]
    }

    /// The member that is the shard's primary now.
    pub fn primary(&self, shard: u32) -> Option<usize> {
        let here = |member: &Member| {
            member.node.shard() == Some(shard) && member.line.flags.role == Role::Primary
        };
        let candidates = self.members.iter().enumerate().filter(|(_, member)| here(member));
        let best =
            candidates.max_by_key(|(_, member)| (!member.line.slots.is_empty(), member.line.epoch));
        best.map(|(index, _)| index)
    }

    /// Whether other nodes of the shard live, so that one of them may become its primary.
    pub fn may_recover(&self, shard: u32) -> bool {
        self.members.iter().any(|member| member.node.shard() == Some(shard))
    }

    /// Only primaries' marks count: Valkey's replicas repeat their primary's.
    pub fn primaries(&self) -> impl Iterator<Item = (usize, &Member)> {
        let primary = |(_, member): &(usize, &Member)| member.line.flags.role == Role::Primary;
        self.members.iter().enumerate().filter(primary)
    }

    pub fn primaries_except(&self, one: usize, two: usize) -> Vec<&Member> {
        let others = self.primaries().filter(|(index, _)| *index != one && *index != two);
        others.map(|(_, member)| member).collect()
    }

    /// Whether the slot's owner is giving it to another node, which may not answer.
    pub fn is_given_away(&self, slot: u16) -> bool {
        let owner = self.owner(slot).map(|owner| &self.members[owner]);
        owner.is_some_and(|owner| owner.line.migrating.iter().any(|(marked, _)| *marked == slot))
    }

    /// All slots with marks of a move on any primary.
    pub fn marked(&self) -> impl Iterator<Item = u16> + '_ {
        let marks = |(_, member)| {
            let Member { line, .. }: &Member = member;
            line.migrating.iter().chain(&line.importing).map(|(slot, _)| *slot)
        };
        self.primaries().flat_map(marks)
    }

    /// The nodes that import the slot from its owner.
    pub fn importers(&self, slot: u16) -> Vec<usize> {
        let fetches = |(index, member): &(usize, &Member)| {
            let mut marks = member.line.importing.iter();
            self.owner(slot) != Some(*index) && marks.any(|(marked, _)| *marked == slot)
        };
        self.primaries().filter(fetches).map(|(index, _)| index).collect()
    }

    /// The ids of all current primaries: they change when one fails.
    pub fn heads(&self) -> Vec<String> {
        self.primaries().map(|(_, member)| member.id().to_owned()).collect()
    }

    /// The primary with this id, or the one that leads its shard now: a node that was replaced
    /// may be back, as a replica.
    fn heir(&self, id: &str) -> Result<Option<usize>, Reason> {
        if let Some((index, _)) = self.primaries().find(|(_, member)| member.id() == id) {
            return Ok(Some(index));
        }
        let Some(&shard) = self.shards.get(id) else { return Ok(None) };
        self.primary(shard).map(Some).ok_or(Reason::NoPrimary(shard))
    }

    /// What each half-moved slot needs first. If a slot goes on to a third shard after that,
    /// the next look finds it.
    pub fn half_moved(&self) -> Result<BTreeMap<u16, Task>, Reason> {
        let mut tasks = BTreeMap::new();
        // The owner's own marks are the best source for where a slot was going.
        for (at, member) in self.primaries() {
            for (slot, id) in &member.line.migrating {
                let Some(owner) = self.owner(*slot) else { continue };
                let task = match self.heir(id)? {
                    Some(to) if owner == at && to != at => Task::Move { from: at, to },
                    _ => Task::Tidy { at, to: owner },
                };
                tasks.entry(*slot).or_insert(task);
            }
        }
        for (at, member) in self.primaries() {
            for (slot, _) in &member.line.importing {
                let Some(owner) = self.owner(*slot) else { continue };
                match tasks.get(slot) {
                    _ if owner == at => drop(tasks.insert(*slot, Task::Tidy { at, to: owner })),
                    None => drop(tasks.insert(*slot, Task::Move { from: owner, to: at })),
                    // Two members import it, and each may have some of its keys.
                    Some(&Task::Move { to, .. }) if to != at => {
                        let mut given = self.members[owner].line.migrating.iter();
                        let to = if given.any(|(s, _)| s == slot) { to } else { owner };
                        tasks.insert(*slot, Task::Tidy { at, to });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn layout(own_lines: &[&str]) -> Layout {
        let member = |(shard, text): (usize, &&str)| {
            let line = NodeLine::parse(text).unwrap();
            let name = NodeName::new("c", shard as u32, 0);
            let node = Node::new(name, line.addr.unwrap(), line.id.clone(), Role::Primary);
            Member { node, line }
        };
        Layout::new(own_lines.iter().enumerate().map(member).collect(), HashMap::new())
    }

    fn line(id: &str, epoch: u64, slots: &str) -> String {
        format!("{id} 127.0.0.1:1@1 myself,master - 0 0 {epoch} connected {slots}")
    }

    #[test]
    fn each_half_moved_state_is_known() {
        let a = line("a", 1, "0-9 [1->-b] [2->-b] [5->-b] [4->-c]");
        let b = line("b", 5, "4-5 10-19 [2-<-a] [3-<-a]");
        let layout = layout(&[&a, &b]);
        let tasks = layout.half_moved().unwrap();
        let onwards = Task::Move { from: 0, to: 1 };
        assert_eq!(tasks[&1], onwards, "only migrating");
        assert_eq!(tasks[&2], onwards, "both");
        assert_eq!(tasks[&3], onwards, "only importing");
        let tidy = Task::Tidy { at: 0, to: 1 };
        assert_eq!(tasks[&5], tidy, "the new owner knows, the old one does not");
        assert_eq!(tasks[&4], tidy, "on its way to a node that nobody knows");
        assert_eq!(tasks.len(), 5);
    }

    #[test]
    fn a_target_that_is_back_as_a_replica_has_an_heir() {
        let shard_1 = |n| NodeName::new("c", 1, n);
        let member = |name, role, text: &str| {
            let line = NodeLine::parse(text).unwrap();
            Member { node: Node::new(name, line.addr.unwrap(), line.id.clone(), role), line }
        };
        let source = line("a", 1, "0-9 [1->-b]");
        let back = "b 127.0.0.1:1@1 myself,slave h 0 0 5 connected";
        let members = vec![
            member(NodeName::new("c", 0, 0), Role::Primary, &source),
            member(shard_1(0), Role::Primary, back),
            member(shard_1(1), Role::Replica, &line("h", 5, "10-19")),
        ];
        let shards = [("a", 0), ("b", 1), ("h", 1)].map(|(id, shard)| (id.to_owned(), shard));
        let layout = Layout::new(members, shards.into());
        assert_eq!(layout.half_moved().unwrap()[&1], Task::Move { from: 0, to: 2 });
    }

    #[test]
    fn what_a_second_one_has_fetched_is_gathered_first() {
        let [b, c] = [line("b", 2, "[1-<-a] [2-<-a]"), line("c", 3, "[1-<-a] [2-<-a]")];
        let tasks = layout(&[&line("a", 1, "0-9 [1->-c]"), &b, &c]).half_moved().unwrap();
        assert_eq!(tasks[&1], Task::Tidy { at: 1, to: 2 }, "with what the owner gives");
        assert_eq!(tasks[&2], Task::Tidy { at: 2, to: 0 }, "or else at the owner");
    }

    #[test]
    fn the_newer_epoch_owns_a_slot_that_two_claim() {
        let layout = layout(&[&line("a", 3, "0-9"), &line("b", 2, "9-19")]);
        assert_eq!(layout.owner(9), Some(0));
        assert_eq!(layout.owner(20), None);
        assert_eq!(layout.primary(1), Some(1));
        assert_eq!(layout.primary(2), None);
    }
}
