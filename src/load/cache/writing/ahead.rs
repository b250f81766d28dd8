//! As `aside`; and who reads a copy whose time is nearly over has it replaced before that, by one reader
//! of all.
//!
//! Refresh-ahead of Oracle Coherence:
//! <https://docs.oracle.com/cd/E15357_01/coh.360/e15723/cache_rtwtwbra.htm>

use std::time::Duration;

use crate::load::cache::process::Process;

/// A copy is replaced in the last fifth of its time.
const LAST: u32 = 5;

/// How long before the end of its time a copy is replaced.
pub(in crate::load::cache) fn before_its_end(process: &Process) -> Duration {
    process.ttl() / LAST
}
