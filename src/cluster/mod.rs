//! Forming groups of servers, seeing who owns which slot, moving slots.

pub mod plan;
pub mod view;
