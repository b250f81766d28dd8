//! Entities of an origin: one operation reads or writes one, through all layers
//! ([`crate::load::cache`]).

use rand::RngExt;
use smallvec::smallvec;

use super::session::{Draw, Plan, Sessions, Stage, Values};
use crate::load::cache;
use crate::load::client::{Commands, Read};
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, FoundIn};
use crate::spec::cache::Warm;
use crate::spec::scenario::Load;

#[derive(Debug)]
pub(super) struct Cache {
    warm: Warm,
    /// The share of reads that ask for what is not there.
    absent: f64,
}

impl Cache {
    pub(super) fn of(load: &Load) -> Cache {
        let cache = load.cache.as_ref();
        Cache {
            warm: cache.map_or(Warm::None, |cache| cache.warm),
            absent: cache.map_or(0.0, |cache| cache.absent),
        }
    }
}

const READ: Action = Action::Cache(CacheOp::Read {
    version: None,
    from: FoundIn::Origin,
    asked: None,
    kept: None,
    met: None,
});
const WRITE: Action = Action::Cache(CacheOp::Write { version: 0, at: Nanos::ZERO, commands: None });

impl Sessions for Cache {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let is_absent = reads && self.absent > 0.0 && draw.rng.random_bool(self.absent);
        // The origin has those that were counted.
        let key = if is_absent { draw.filled + key } else { key };
        smallvec![Plan::bare(key, if reads { READ } else { WRITE })]
    }

    fn fill(&self, _: u64) -> Option<Action> {
        match self.warm {
            // Nothing has been read yet.
            Warm::None | Warm::Frequency | Warm::Predictive => None,
            Warm::Priority => Some(READ),
        }
    }

    fn last(&self) -> Action {
        READ
    }

    /// What the group has at the end.
    fn command(&self, key: &str, _: &Plan, _: &mut Values) -> (Commands, Read) {
        cache::last(key)
    }
}
