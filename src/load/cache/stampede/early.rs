//! Somebody asks the origin before the copy's time is over: the sooner, the longer the origin takes,
//! and each reader by chance, so that seldom two do.
//!
//! A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
//! 2015: <https://cseweb.ucsd.edu/~avattani/papers/cache_stampede.pdf> (XFetch, with a beta of 1).

use std::time::Duration;

use rand::RngExt;

use crate::load::cache::copy::entity::Copy;
use crate::load::cache::process::Process;
use crate::model::Nanos;

pub(in crate::load::cache) fn is_due(process: &Process, copy: &Copy) -> bool {
    let chance = process.chance.borrow_mut().random_range(f64::MIN_POSITIVE..1.0);
    is_due_at(process.clock.now(), copy, chance)
}

/// `chance` is above 0, and 1 at most.
fn is_due_at(now: Nanos, copy: &Copy, chance: f64) -> bool {
    let sooner = Duration::from_nanos(copy.took).mul_f64(-chance.ln());
    now + sooner >= copy.until
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_the_sooner_the_longer_the_origin_takes() {
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let copy = |took| Copy { id: 1, version: 1, until: ms(1_000), took: ms(took).0 };
        let due_at = |took, chance| {
            (0..=1_000).find(|now| is_due_at(ms(*now), &copy(took), chance)).unwrap()
        };
        assert_eq!(due_at(60, 1.0), 1_000, "at its end");
        // One reader in e is so lucky, and one in e squared.
        assert_eq!(due_at(60, (-1.0_f64).exp()), 940);
        assert_eq!(due_at(60, (-2.0_f64).exp()), 880);
        assert_eq!(due_at(300, (-1.0_f64).exp()), 700);
    }
}
