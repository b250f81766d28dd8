//! Groups to which writes are carried from others, and the reference replicator that carries them.
//! All of them take writes, or one for all.
//!
//! A client writes through a function of the server, which writes the data, its version and an
//! entry of the group's outbox, a stream, in one step. For each directed pair of groups there is a
//! replicator: a process that reads the outbox of the one and applies its entries to the other, in
//! one step with its position. It may die at any instant; the next one goes on from the position,
//! so nothing is left out and nothing is applied twice. Only writes of a group's own clients are in
//! its outbox, so nothing is handed on.
//!
//! In a cluster each shard is for itself: it has an outbox, and for each directed pair there is a
//! replicator that carries from it to the shard with the same slots.
//!
//! A group that has lost its data takes no writes until a replicator has brought them back.
//!
//! Standby clusters are the same, but one takes the writes at a time: that of the latest term,
//! which replicators bring to all.
//!
//! - [`term`]: which of several standby groups takes the writes.
//! - [`shard`]: the shards of a group, and how redrill's own keys are named in each.
//! - [`functions`]: the functions of each rule, which are Lua, and how they are called.
//! - [`protocol`]: what a replicator is told and tells, line by line.
//! - `pass`: brings all data where entries are not enough.
//! - `link`: a replicator's connection to the primary of a group.
//! - [`replicator`]: a replicator's work.
//! - [`carried`]: how far each pair is, as the servers say.
//! - [`marks`]: the same where somebody else's replicator carries, as keys show it.

pub mod carried;
pub mod functions;
mod link;
pub mod marks;
mod pass;
pub mod protocol;
pub mod replicator;
pub mod shard;
pub mod term;
