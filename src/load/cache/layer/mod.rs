//! Where copies are.
//!
//! - `copies`: in the memory of a process, or of a host; `lives`: from when until when it could answer
//!   with which of them.
//! - `servers`: in a group, as a process asks it; `guard`: a circuit breaker before that.
//! - `near_group`: in a group that stands before the farthest one.

pub(super) mod copies;
pub(super) mod guard;
mod lives;
pub(super) mod near_group;
pub(super) mod servers;
