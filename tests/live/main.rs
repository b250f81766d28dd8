//! Tests on real servers. A new one is a file in the folder of what it tests.

#[path = "../common/mod.rs"]
mod common;

mod backend;
mod docker;
mod drill;
mod load;
mod moving;
mod net;
mod node;
mod sync;
mod up_down;
