//! What comes of a read, and what an operation has done so far.

use std::cell::Cell;

use futures::future::{LocalBoxFuture, Shared};

use super::copy::entity::{Copy, Entity};
use super::origin::Wrote;
use crate::model::Nanos;
use crate::model::op::{CacheOp, Cause, FoundIn};

/// A question that is on its way to the origin.
pub(super) type Flight = Shared<LocalBoxFuture<'static, Result<Found, Cause>>>;

/// What comes of a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) copy: Copy,
    pub(super) from: FoundIn,
    /// Until when the copy may be served that was found, or was left in the group.
    pub(super) kept: Option<Nanos>,
    /// The node that has the copy.
    pub(super) by: Option<u16>,
}

/// What an operation has done so far, whether its client waits for its end or not.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// From when until when it asked the origin.
    pub(super) asked: Cell<Option<(Nanos, Nanos)>>,
    /// What the origin has of it.
    pub(super) wrote: Wrote,
    /// How many commands were sent to the group for a write.
    pub(super) commands: Cell<u32>,
}

impl Found {
    /// What somebody else found, for whom this one waited.
    pub(super) fn of_another(self) -> Found {
        Found { from: FoundIn::Other, kept: None, ..self }
    }

    pub(super) fn told(&self, entity: &Entity, asked: Option<(Nanos, Nanos)>) -> CacheOp {
        // What is another entity's was never this one's.
        let version = Some(self.copy.version).filter(|_| self.copy.id == entity.id);
        CacheOp::Read { version, from: self.from, asked, kept: self.kept, met: entity.met.get() }
    }
}
