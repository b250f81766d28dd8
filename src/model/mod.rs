//! The words of redrill as types: no I/O, no async.
//!
//! Everything above this module uses these types, so a drill's record can be read, checked and
//! drawn long after its servers are gone.

mod action;
pub mod catalogue;
pub mod clock;
pub mod event;
pub mod ids;
mod info;
pub mod measure;
pub mod op;
mod printable;
pub mod slot;
pub mod step;
pub mod traffic;
pub mod verdict;
mod workload;

pub use clock::{Clock, Nanos};
pub use ids::{HostId, NodeKind, NodeName, ShardName};
pub use measure::{Measure, Unit};
pub use printable::{printable, printable_lines};
pub use step::StepKind;
pub use verdict::Verdict;
pub use workload::Workload;
