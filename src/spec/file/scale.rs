//! The maps of steps that grow a cluster or make it smaller.

use super::step::{AddReplica, AddShard, RemoveShard};
use crate::spec::decode::{object, words};
use crate::spec::quantity::Time;
use crate::spec::scenario::{Method, Pace};

object! {
    /// Starts a new shard, with as many replicas as the others have, and lets it join.
    AddShardMap "an add-shard step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `add-shard`
        required "do" kind: AddShard,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// `even` gives it as many slots as each other shard then has, `none` leaves it empty.
        /// Default: `even`.
        optional "slots" slots: Share,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Moves all slots of a shard to the others, has it forgotten, and stops its servers.
    RemoveShardMap "a remove-shard step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `remove-shard`
        required "do" kind: RemoveShard,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that leaves, counted from 0.
        required "shard" shard: u32,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Starts a server and lets it join as a replica.
    AddReplicaMap "an add-replica step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `add-replica`
        required "do" kind: AddReplica,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that it joins, counted from 0.
        required "shard" shard: u32,
    }
}

/// What a new shard gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    Even,
    None,
}

words!(Share as "share" { "even" => Share::Even, "none" => Share::None });
