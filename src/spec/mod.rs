//! YAML files to checked topologies and scenarios. Every error points at its line.

pub mod scenario;
pub mod topology;

pub use scenario::Scenario;
pub use topology::Topology;
