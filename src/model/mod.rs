//! The words of redrill as types: no I/O, no async.
//!
//! Everything above this module uses these types, so a drill's record can be read, checked and
//! drawn long after its servers are gone.

pub mod catalogue;
pub mod clock;
pub mod event;
pub mod histogram;
pub mod ids;
mod info;
mod key_span;
pub mod logged;
pub mod measure;
pub mod op;
mod outside;
pub mod owners;
mod pacing;
mod password;
mod rate;
mod session_end;
pub mod slot;
pub mod step;
pub mod traffic;
mod words;
mod workload;

pub use clock::{Clock, Nanos};
pub use ids::{HostId, NodeKind, NodeName, ShardName};
pub use key_span::{KeySpan, bucket};
pub use measure::{Measure, Unit, Verdict};
pub use outside::{acts, from_json, printable, printable_lines, shown, shown_plain};
pub use pacing::Pacing;
pub use password::Password;
pub use rate::{Ramp, Rate};
pub use session_end::{LockRules, SessionEnd, SessionEnds};
pub use step::StepKind;
pub use workload::Workload;
