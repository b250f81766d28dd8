//! An entity, and its copies as they stand in the group.
//!
//! - `entity`: an entity, and its copies as bytes.
//! - `data`: what it holds; `coder`: in which format.
//! - `put`: how a copy is left in the group.

pub(super) mod coder;
mod data;
pub(super) mod entity;
pub(super) mod put;
