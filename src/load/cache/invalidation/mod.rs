//! What becomes of the copies of what is written.
//!
//! - `change`: what a writer does with the copy in the group, and when the origin has what it wrote.
//! - `versioned`, `tags`, `pattern`: ways to invalidate by more than an entity's name; `family`:
//!   entities that change together.
//! - `news`, `confirmations`: what processes tell each other of writes.
//! - `bulk`: what somebody changes past the users.

pub(super) mod bulk;
pub(super) mod change;
pub(super) mod confirmations;
pub(super) mod family;
pub(super) mod news;
pub(super) mod pattern;
pub(super) mod tags;
pub(super) mod versioned;
