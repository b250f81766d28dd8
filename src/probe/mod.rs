//! Watching a drill from outside: whether each slot is served, and what each
//! node believes.
//!
//! Two instruments stand here, and neither is part of the load:
//!
//! - The [`Prober`] writes and reads *canaries*, keys spread over the slots of
//!   every shard, at fixed instants. From their answers it tells
//!   outages: who could not write or read, and for how long.
//! - The [`Watcher`] asks every node what it believes, and tells since when all
//!   of them have believed the same.
//!
//! Both are open loops: a server that does not answer neither slows their
//! schedule nor holds up what is asked of others. And both must not mistake
//! redrill's own trouble for the servers': `blind_time` keeps count of the time in
//! which the machine did not let redrill look.

mod belief;
pub mod canary;
mod convergence;
mod failover;
mod counter;
mod outage;
mod prober;
mod rounds;
mod canary_probe;
mod blind_time;
mod watch;

pub use prober::{ProbeError, Prober};
pub use watch::Watcher;
