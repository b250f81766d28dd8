//! Entities of an origin: one operation reads or writes one, through all layers
//! ([`crate::load::cache`]).

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
}

impl Cache {
    pub(super) fn of(load: &Load) -> Cache {
        Cache { warm: load.cache.as_ref().map_or(Warm::None, |cache| cache.warm) }
    }
}

const READ: Action = Action::Cache(CacheOp::Read {
    version: None,
    from: FoundIn::Origin,
    asked: None,
    kept: None,
    met: None,
});
const WRITE: Action = Action::Cache(CacheOp::Write { version: 0, at: Nanos::ZERO });

impl Sessions for Cache {
    fn begin(&self, key: u64, reads: bool, _: &mut Draw) -> Stage {
        smallvec![Plan::bare(key, if reads { READ } else { WRITE })]
    }

    fn fill(&self, _: u64) -> Option<Action> {
        match self.warm {
            Warm::None => None,
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
