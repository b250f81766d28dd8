//! What was done with one entity.

use crate::check::parts::Kept;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, FoundIn, Op, Outcome, Purpose};

#[derive(Debug, Default)]
pub struct Entity {
    pub(super) reads: Vec<Read>,
    /// Those that left copies before the load.
    pub(super) warmed: Vec<Read>,
    /// Those that the origin took, in the order of their versions.
    pub(super) writes: Vec<Write>,
    /// From due to done, in nanoseconds, of those that were acknowledged.
    pub(super) wrote: Vec<u64>,
    /// The origin had no room for so many reads and writes.
    pub(super) refused: u64,
}

/// A read, whatever came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) process: u32,
    pub(super) intended: Nanos,
    pub(super) sent: Nanos,
    pub(super) done: Nanos,
    pub(super) is_ok: bool,
    pub(super) version: Option<u64>,
    pub(super) from: FoundIn,
    pub(super) asked: Option<(Nanos, Nanos)>,
    pub(super) kept: Option<Nanos>,
}

impl Read {
    /// It found a copy that was there.
    pub(super) fn is_hit(&self) -> bool {
        self.is_ok && matches!(self.from, FoundIn::Process | FoundIn::Group)
    }

    pub(super) fn is_miss(&self) -> bool {
        self.is_ok && matches!(self.from, FoundIn::Origin | FoundIn::Other)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) version: u64,
    /// The origin has it since then.
    pub(super) at: Nanos,
    /// When it was acknowledged, if it was.
    pub(super) done: Option<Nanos>,
}

impl Entity {
    /// The first version after `version`, if there is one.
    pub(super) fn after(&self, version: u64) -> &[Write] {
        &self.writes[self.writes.partition_point(|write| write.version <= version)..]
    }
}

impl Kept for Entity {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Cache(_)) && op.purpose != Purpose::Final
    }

    fn keep(&mut self, op: &Op) {
        let Action::Cache(action) = op.action else { return };
        let (is_ok, process) = (op.outcome == Outcome::Ok, op.process);
        let overloaded = Outcome::Fail(crate::model::op::Cause::Overloaded);
        self.refused += u64::from(op.outcome == overloaded);
        match action {
            CacheOp::Read { version, from, asked, kept } => {
                let (intended, sent, done) = (op.intended, op.sent, op.done);
                let read =
                    Read { process, intended, sent, done, is_ok, version, from, asked, kept };
                match op.purpose {
                    Purpose::Fill => self.warmed.push(read),
                    Purpose::Load | Purpose::Final => self.reads.push(read),
                }
            }
            CacheOp::Write { version, at } => {
                let done = is_ok.then_some(op.done);
                self.wrote.extend(done.map(|done| done.since(op.intended).as_nanos() as u64));
                if version > 0 {
                    self.writes.push(Write { version, at, done });
                }
            }
        }
    }

    fn complete(&mut self) {
        self.reads.sort_unstable_by_key(|read| (read.sent, read.done));
        self.writes.sort_unstable_by_key(|write| write.version);
    }
}
