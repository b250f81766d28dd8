//! A cluster's `nodes.conf`, written before its nodes start.
//!
//! A cluster node stores what it knows of the others in this file and reads it when it starts.
//! If the file already names all nodes with their slots and roles, the nodes need no
//! introduction: the cluster starts complete, and the time this takes hardly grows with its
//! size.
//!
//! Servers since Redis 7.2 also store an id that the nodes of a shard share. Without one in the
//! file, each node draws its own. Replicas then take over their primary's id, but a primary
//! never finds itself in its own CLUSTER SHARDS. So the id is written for servers that know it.
//! Redis 7.0 would take it for a hostname.
//!
//! A line of the file is a line of CLUSTER NODES,
//! <https://redis.io/docs/latest/commands/cluster-nodes/>.

use std::net::SocketAddr;

use crate::model::event::{EngineInfo, Role};
use crate::model::slot::{SLOTS, SlotSet};

/// The distance from a node's port to its cluster bus port.
pub const BUS: u16 = 10_000;

/// The file's entry for one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub id: String,
    pub addr: SocketAddr,
    pub shard: u32,
    pub role: Role,
}

/// A whole cluster, from which each node's file is made.
#[derive(Clone, Debug)]
pub struct NodesConf {
    members: Vec<Member>,
    /// By shard.
    slots: Vec<SlotSet>,
    /// By shard; empty for servers without shard ids.
    shard_ids: Vec<String>,
}

impl NodesConf {
    /// Every shard of `members` has one primary and gets an equal part of the slots.
    pub fn new(members: Vec<Member>, shards: u32, engine: &EngineInfo) -> NodesConf {
        let ids = if knows_shard_ids(engine) { shards } else { 0 };
        let shard_ids = (0..ids).map(|_| random_id()).collect();
        NodesConf { members, slots: even_slots(shards), shard_ids }
    }

    /// The file of the node with this id.
    pub fn of(&self, id: &str) -> String {
        let lines = self.members.iter().map(|member| self.line(member, member.id == id));
        lines.collect::<String>() + &vars(self.slots.len())
    }

    fn line(&self, member: &Member, myself: bool) -> String {
        let shard = member.shard as usize;
        let shard_id = self.shard_ids.get(shard).map(String::as_str);
        let slots = &self.slots[shard];
        let role = match member.role {
            // Each epoch differs, or the nodes would first resolve the conflict among
            // themselves.
            Role::Primary => format!("master - 0 0 {} connected {slots}", shard + 1),
            Role::Replica | Role::Sentinel => {
                format!("slave {} 0 0 0 connected", self.primary_id(member.shard))
            }
        };
        line(&member.id, member.addr, shard_id, myself, &role)
    }

    fn primary_id(&self, shard: u32) -> &str {
        let primary = self.members.iter().find(|m| m.shard == shard && m.role == Role::Primary);
        primary.map(|primary| primary.id.as_str()).unwrap_or("-")
    }
}

/// The file of a node that knows no other and owns nothing. It has its id already, so that
/// redrill knows the id before the node starts.
pub fn of_a_stranger(id: &str, addr: SocketAddr, engine: &EngineInfo) -> String {
    let shard_id = knows_shard_ids(engine).then(random_id);
    line(id, addr, shard_id.as_deref(), true, "master - 0 0 0 connected") + &vars(0)
}

/// The line about a node; `role` is everything after its flag `myself`.
fn line(id: &str, addr: SocketAddr, shard_id: Option<&str>, myself: bool, role: &str) -> String {
    let (ip, port) = (addr.ip(), addr.port());
    // The field before the id is the hostname.
    let shard_id = shard_id.map(|id| format!(",,shard-id={id}")).unwrap_or_default();
    let myself = if myself { "myself," } else { "" };
    format!("{id} {ip}:{port}@{}{shard_id} {myself}{role}\n", port + BUS)
}

fn vars(epoch: usize) -> String {
    format!("vars currentEpoch {epoch} lastVoteEpoch 0\n")
}

/// Redis from 7.2 on, and every Valkey.
fn knows_shard_ids(engine: &EngineInfo) -> bool {
    let mut numbers = engine.version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (7, 2)
}

/// 40 hexadecimal digits.
pub fn random_id() -> String {
    rand::random::<[u8; 20]>().iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

/// All slots, divided among the shards as `redis-cli --cluster create` divides them.
pub fn even_slots(shards: u32) -> Vec<SlotSet> {
    // In single precision and rounded half away from zero, as `redis-cli` does.
    let each = f32::from(SLOTS) / shards as f32;
    let mut first = 0;
    (0..shards)
        .map(|shard| {
            let last = match shard + 1 == shards {
                true => SLOTS - 1,
                false => ((shard as f32 * each + each - 1.0).round() as u16).max(first),
            };
            let slots = SlotSet::from(first..=last);
            first = last + 1;
            slots
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(version: &str) -> NodesConf {
        let member = |n: u8, shard, role| Member {
            id: format!("{n:040}"),
            addr: SocketAddr::from(([127, 64, 0, n], 6379)),
            shard,
            role,
        };
        let members = vec![
            member(1, 0, Role::Primary),
            member(2, 0, Role::Replica),
            member(3, 1, Role::Primary),
            member(4, 2, Role::Primary),
        ];
        let engine = EngineInfo { kind: "redis".into(), version: version.into() };
        NodesConf::new(members, 3, &engine)
    }

    #[test]
    fn the_file_names_all_nodes() {
        let one = "0".repeat(39) + "1";
        let text = conf("7.0.15").of(&one);
        let ids = |n| format!("{n:040}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                format!("{} 127.64.0.1:6379@16379 myself,master - 0 0 1 connected 0-5460", ids(1)),
                format!("{} 127.64.0.2:6379@16379 slave {} 0 0 0 connected", ids(2), ids(1)),
                format!("{} 127.64.0.3:6379@16379 master - 0 0 2 connected 5461-10922", ids(3)),
                format!("{} 127.64.0.4:6379@16379 master - 0 0 3 connected 10923-16383", ids(4)),
                "vars currentEpoch 3 lastVoteEpoch 0".to_owned(),
            ]
        );
    }

    #[test]
    fn the_nodes_of_a_shard_share_an_id_where_servers_know_of_it() {
        for version in ["7.2.0", "8.0.2", "10.0.0"] {
            let conf = conf(version);
            let text = conf.of("nobody");
            let ids: Vec<&str> =
                text.lines().filter_map(|l| l.split(",,shard-id=").nth(1)).collect();
            let ids: Vec<&str> = ids.iter().map(|id| id.split(' ').next().unwrap()).collect();
            assert_eq!(ids.len(), 4, "{text}");
            assert!(ids[0] == ids[1] && ids[1] != ids[2] && ids[2] != ids[3], "{text}");
            assert!(ids.iter().all(|id| id.len() == 40), "{text}");
        }
    }

    #[test]
    fn slots_are_divided_evenly_and_completely() {
        for shards in [1, 3, 6, 7, 10, 33, 1000] {
            let slots = even_slots(shards);
            let sizes: Vec<usize> = slots.iter().map(SlotSet::len).collect();
            assert_eq!(sizes.iter().sum::<usize>(), usize::from(SLOTS));
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1, "{shards}: {sizes:?}");
        }
    }
}
