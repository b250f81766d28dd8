//! What is known of the servers that keep a load's keys: when they let some go, and how many they
//! had.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ideal::Order;
use crate::model::Nanos;

/// Those of all loads. Nodes are counted as the history of a load counts them.
#[derive(Clone, Debug, Default)]
pub struct Keepers {
    nodes: HashMap<(u8, u16), Spans>,
    rooms: BTreeMap<u8, Room>,
}

/// Times in which a server let keys go.
#[derive(Clone, Debug, Default)]
struct Spans {
    evicted: Vec<(Nanos, Nanos)>,
    lost: Vec<(Nanos, Nanos)>,
}

/// The memory of a load's group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// The most keys that its primaries had at once, and the most bytes that keys and values took.
    pub keys: u64,
    pub bytes: u64,
    /// Keys that they evicted since their start.
    pub evicted: u64,
    /// They have a `maxmemory`, or had one for a while.
    pub limited: bool,
    /// The order in which they evict; none if that is by chance, or none at all.
    pub order: Option<Order>,
    /// No other load has keys there.
    pub alone: bool,
}

/// What may have become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LetGo {
    pub(super) evicted: bool,
    pub(super) lost: bool,
}

impl Keepers {
    /// The node evicted keys at some time from `from` to `to`.
    pub fn add_evicted(&mut self, node: (u8, u16), (from, to): (Nanos, Nanos)) {
        self.nodes.entry(node).or_default().evicted.push((from, to));
    }

    /// The node lost its data, or its role to one that lacked some of it.
    pub fn add_lost(&mut self, node: (u8, u16), (from, to): (Nanos, Nanos)) {
        self.nodes.entry(node).or_default().lost.push((from, to));
    }

    pub fn add_room(&mut self, load: u8, room: Room) {
        self.rooms.insert(load, room);
    }

    pub(super) fn room(&self, load: u8) -> Option<Room> {
        self.rooms.get(&load).copied()
    }

    /// What may have become of a key between these instants that one of `nodes` had; of all nodes if
    /// it is not known which one.
    pub(super) fn let_go(
        &self,
        load: u8,
        nodes: [Option<u16>; 2],
        (from, to): (Nanos, Nanos),
    ) -> LetGo {
        let is_known = nodes.iter().any(Option::is_some);
        let own = self
            .nodes
            .iter()
            .filter(|((of, node), _)| *of == load && (!is_known || nodes.contains(&Some(*node))));
        let meets = |spans: &[(Nanos, Nanos)]| spans.iter().any(|one| one.0 <= to && one.1 >= from);
        own.fold(LetGo { evicted: false, lost: false }, |all, (_, spans)| LetGo {
            evicted: all.evicted || meets(&spans.evicted),
            lost: all.lost || meets(&spans.lost),
        })
    }
}

/// Hits by how much memory there is, if copies are evicted in the order of their last use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HitsByMemory {
    /// The keys that make 100 %.
    pub keys: u64,
    /// The share of memory, and of the reads that came to the group those that would be hits, in
    /// percent.
    pub points: Vec<(f64, f64)>,
}

impl HitsByMemory {
    /// The points of the table, in percent of the memory that there was.
    pub const SHARES: [f64; 5] = [25.0, 50.0, 100.0, 200.0, 400.0];
}
