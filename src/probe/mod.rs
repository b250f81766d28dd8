//! Watching a drill from outside: whether each slot is served, and which view each node has.
//!
//! There are three instruments, and none is part of the load:
//!
//! - The [`Prober`] writes and reads *canaries*, keys spread over the slots of every shard, at
//!   fixed instants. Their answers show outages: where nobody could write or read, and for how
//!   long.
//! - The [`Watcher`] asks every node for its view, and reports since when all views have been
//!   the same.
//! - The [`LagProber`] writes in each of several groups that have the same data, and reads in the
//!   others, so that one sees how late they are. Where all of them take writes, it also writes one
//!   key in two of them at once, and sees how long it takes until all agree, and compares samples of
//!   the loads' keys.
//!
//! All are open loops: a server that does not answer does not slow their schedule, nor the
//! requests to other servers. And none may mistake redrill's own trouble for the servers':
//! `blind_time` counts the time in which the machine did not let redrill look.

mod agreement;
pub mod canary;
mod conflict;
mod conflict_prober;
mod convergence;
mod failover;
mod lag;
mod lag_prober;
mod counter;
mod outage;
mod prober;
mod rounds;
mod sample;
mod servers;
mod tied;
mod canary_probe;
mod turns;
mod blind_time;
mod watch;

pub use lag_prober::LagProber;
pub use prober::{ProbeError, Prober};
pub use sample::Sampled;
pub use servers::Member;
pub use tied::{Tied, Writing};
pub use watch::Watcher;
