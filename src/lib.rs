//! Resilience drills for Redis and Valkey.
//!
//! The modules are layers: each may use only those listed above it here. `tests/pure/layers.rs`
//! checks that. `docs/architecture.md` explains how they fit together.

pub mod model;
pub mod files;
pub mod log;
pub mod wake;
pub mod peer;
pub mod spec;
pub mod node;
pub mod net;
pub mod backend;
pub mod cluster;
pub mod sync;
pub mod load;
pub mod fault;
pub mod probe;
pub mod check;
pub mod drill;
pub mod report;
pub mod cli;
