//! Tests that time servers from within this process, and stop it. They take turns, and nothing
//! else may run beside them.

#[path = "../common/mod.rs"]
mod common;

mod lag;

mod probe;
mod probe_watch;
mod probing;
mod truth;
