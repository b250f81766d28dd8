//! Resilience drills for Redis and Valkey.
//!
//! The modules stand in layers: each may use only what is listed above it here,
//! which `tests/pure/layers.rs` holds. `docs/architecture.md` tells how they fit.

pub mod model;
pub mod log;
pub mod wake;
pub mod spec;
pub mod node;
pub mod net;
pub mod backend;
pub mod cluster;
pub mod load;
pub mod fault;
pub mod probe;
pub mod check;
pub mod drill;
pub mod report;
pub mod cli;
