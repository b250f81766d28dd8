//! Forming groups of servers, seeing who owns which slot, moving slots.
