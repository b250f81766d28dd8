//! Whole drills by the whole binary on real servers: those that go well, and those
//! that meet bad luck.

mod acknowledged;
mod active;
mod adapters;
mod at_once;
mod broken;
mod cache_layers;
mod cache_luck;
mod cache_memory;
mod caches;
mod chaos;
mod compared;
mod converges;
mod counters;
mod crowd;
mod dead;
mod dual_writes;
mod external;
pub mod failover;
mod findings;
mod hardships;
mod instances;
mod interrupted;
mod kept;
mod kinds;
mod killed;
mod lacking;
mod library_caches;
mod library_locks;
mod links;
mod lock_deadlocks;
mod lock_faults;
mod locks;
mod logged;
mod lost_updates;
mod migrated;
mod never_accused;
mod old_news;
mod output;
pub mod password;
pub mod place;
mod reader;
mod ready;
mod refused;
mod region_lost;
mod rolling;
mod said;
mod workloads;
mod scaling;
mod sentinel;
mod split_brain;
mod steady;
mod standby;
mod standby_clusters;
mod transfers;
mod verdicts;
mod wrong;
mod wrong_caches;

/// Where drills on links run.
const BACKEND: &[&str] = &["--backend", "process"];

fn linked() -> Option<place::Place> {
    Some(place::Place::new())
}

fn linked_alike() -> Option<place::Place> {
    linked()
}
