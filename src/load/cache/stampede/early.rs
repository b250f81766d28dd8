//! Somebody asks the origin before the copy's time is over: the sooner, the longer the origin takes,
//! and each reader by chance, so that seldom two do.
//!
//! A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
//! 2015: <https://cseweb.ucsd.edu/~avattani/papers/cache_stampede.pdf> (XFetch, with a beta of 1).

use std::time::Duration;

use rand::RngExt;

use crate::load::cache::copy::entity::Copy;
use crate::load::cache::process::Process;

pub(in crate::load::cache) fn is_due(process: &Process, copy: &Copy) -> bool {
    let chance: f64 = process.chance.borrow_mut().random_range(f64::MIN_POSITIVE..1.0);
    let sooner = Duration::from_nanos(copy.took).mul_f64(-chance.ln());
    process.clock.now() + sooner >= copy.until
}
