//! What was done with one entity.

use crate::check::parts::Kept;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, Ended, FoundIn, Op, Outcome, Purpose};

#[derive(Debug, Default)]
pub struct Entity {
    pub(super) reads: Vec<Read>,
    /// Those that left copies before the load.
    pub(super) warmed: Vec<Read>,
    /// Those of the origin that no client waited for.
    pub(super) beside: Vec<Read>,
    /// Copies in the memory of processes, and on hosts.
    pub(super) held: Vec<Held>,
    /// What steps wanted to have a copy.
    pub(super) wanted: Vec<Warmed>,
    /// When processes did not ask the group.
    pub(super) guarded: Vec<Guarded>,
    /// Those that the origin took, in the order of their versions.
    pub(super) writes: Vec<Write>,
    /// From due to done, in nanoseconds, of those that were acknowledged.
    pub(super) wrote: Vec<u64>,
    /// Commands to the group for each that the origin took, if they were counted.
    pub(super) commands: Vec<u32>,
    /// Versions that a process was to write to the origin when it ended.
    pub(super) lost: Vec<u64>,
    /// What the group had at the end, if redrill reads it.
    pub(super) last: Vec<Read>,
    /// Comparisons of all copies with the origin.
    pub(super) swept: Vec<Swept>,
    /// The origin had no room for so many reads and writes.
    pub(super) refused: u64,
    /// When an instance found something in the place of its copy that is none.
    pub(super) broken: Vec<Nanos>,
    /// What instances told of the copies that they encoded and decoded.
    pub(super) coded: Coded,
    /// For how long reads and writes that ended ok took, in nanoseconds, from sent to done.
    pub(super) worked: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coded {
    pub(super) copies: u64,
    pub(super) bytes: u64,
    pub(super) nanos: u64,
}

impl std::ops::AddAssign for Coded {
    fn add_assign(&mut self, other: Coded) {
        let Coded { copies, bytes, nanos } = other;
        self.copies += copies;
        self.bytes += bytes;
        self.nanos += nanos;
    }
}

/// A read, whatever came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// The load and its instance.
    pub(super) instance: (u8, u16),
    pub(super) process: u32,
    pub(super) intended: Nanos,
    pub(super) sent: Nanos,
    pub(super) done: Nanos,
    pub(super) is_ok: bool,
    pub(super) version: Option<u64>,
    pub(super) from: FoundIn,
    pub(super) asked: Option<(Nanos, Nanos)>,
    pub(super) kept: Option<Nanos>,
    /// When it saw that the copy under the entity's name was another one's.
    pub(super) met: Option<Nanos>,
    /// The server that has the copy, as the load counts nodes.
    pub(super) by: Option<u16>,
}

/// A copy that was left in the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    /// It was there then.
    pub(super) done: Nanos,
    /// The origin had been asked for it from then on.
    pub(super) asked: Nanos,
    /// Until when it may be served.
    pub(super) kept: Nanos,
    pub(super) by: Option<u16>,
}

impl Read {
    /// It found a copy that was there.
    pub(super) fn is_hit(&self) -> bool {
        self.is_ok
            && match self.from {
                FoundIn::Process | FoundIn::Host | FoundIn::NearGroup | FoundIn::Group => true,
                FoundIn::Origin | FoundIn::Other => false,
            }
    }

    /// From when until when it asked the origin, if it left the answer in the group.
    pub(super) fn left(&self) -> Option<(Nanos, Nanos)> {
        let left = self.from == FoundIn::Origin && self.kept.is_some();
        self.asked.filter(|_| left)
    }

    pub(super) fn is_miss(&self) -> bool {
        self.is_ok && matches!(self.from, FoundIn::Origin | FoundIn::Other)
    }
}

/// A copy that a process could answer with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) version: u64,
    pub(super) until: Nanos,
    pub(super) ended: Ended,
    pub(super) in_host: bool,
}

/// An entity that a step wanted to have a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Warmed {
    pub(super) load: u8,
    pub(super) step: u32,
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    pub(super) has: bool,
    /// The version of the copy that was made, and until when it may be served.
    pub(super) left: Option<(u64, Nanos)>,
}

/// A process did not ask the group from when until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    /// The load and its instance.
    pub(super) instance: (u8, u16),
    pub(super) from: Nanos,
    pub(super) to: Nanos,
}

/// All copies of a process, and its share of the group's, were compared with the origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swept {
    pub(super) load: u8,
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    /// So many were older at last; none if the group did not answer.
    pub(super) older: Option<u64>,
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
    /// Reads of the origin, whether anybody waited for them or not: from when until when.
    pub(super) fn asked(&self) -> impl Iterator<Item = (Nanos, Nanos)> {
        self.reads.iter().chain(&self.beside).filter_map(|read| read.asked)
    }

    /// Copies that were left in the group.
    pub(super) fn puts(&self) -> impl Iterator<Item = Put> {
        let all = self.reads.iter().chain(&self.beside).chain(&self.warmed);
        all.filter_map(|read| {
            Some(Put { done: read.done, asked: read.left()?.0, kept: read.kept?, by: read.by })
        })
    }

    /// When its own group had no copy at the end, and which server said so.
    pub(super) fn absent(&self) -> Option<(Nanos, Option<u16>)> {
        let read = self.last.iter().find(|read| read.from == FoundIn::Group)?;
        (read.is_ok && read.version.is_none()).then_some((read.sent, read.by))
    }

    /// Acknowledged writes that are lost: the origin has neither them nor anything newer.
    pub(super) fn lost(&self) -> usize {
        let there = self.writes.iter().map(|write| write.version);
        let newest = there.filter(|version| !self.lost.contains(version)).max();
        let is_acknowledged = |version| {
            let mut of_it = self.writes.iter().filter(|write| write.version == version);
            of_it.any(|write| write.done.is_some())
        };
        let is_lost = |version: &&u64| newest.is_none_or(|newest| **version > newest);
        self.lost.iter().filter(is_lost).filter(|version| is_acknowledged(**version)).count()
    }

    /// The first version after `version`, if there is one.
    pub(super) fn after(&self, version: u64) -> &[Write] {
        &self.writes[self.writes.partition_point(|write| write.version <= version)..]
    }
}

impl Kept for Entity {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Cache(_))
    }

    fn keep(&mut self, op: &Op) {
        let Action::Cache(action) = op.action else { return };
        let (is_ok, process) = (op.outcome == Outcome::Ok, op.process);
        let overloaded = Outcome::Fail(crate::model::op::Cause::Overloaded);
        self.refused += u64::from(op.outcome == overloaded);
        if is_ok && matches!(op.purpose, Purpose::Load | Purpose::Fill) {
            self.worked += op.done.since(op.sent).as_nanos() as u64;
        }
        match action {
            CacheOp::Read { version, from, asked, kept, met } => {
                let (intended, sent, done) = (op.intended, op.sent, op.done);
                let instance = (op.load, op.instance);
                let read = Read {
                    instance,
                    process,
                    intended,
                    sent,
                    done,
                    is_ok,
                    version,
                    from,
                    asked,
                    kept,
                    met,
                    by: op.by,
                };
                match op.purpose {
                    Purpose::Fill => self.warmed.push(read),
                    Purpose::Beside => self.beside.push(read),
                    Purpose::Load => self.reads.push(read),
                    Purpose::Final => match from {
                        FoundIn::Group | FoundIn::NearGroup => self.last.push(read),
                        // A final read that nobody answered says nothing of where it was.
                        FoundIn::Process | FoundIn::Host | FoundIn::Origin | FoundIn::Other => {
                            self.last.extend((!is_ok).then_some(read));
                        }
                    },
                }
            }
            CacheOp::Held { version, ended, in_host } => {
                self.held.push(Held { version, until: op.done, ended, in_host });
            }
            CacheOp::Warmed { step, has, left } => {
                let (load, from, to) = (op.load, op.sent, op.done);
                self.wanted.push(Warmed { load, step, from, to, has, left });
            }
            CacheOp::Lost { version } => self.lost.push(version),
            CacheOp::Swept { older } => {
                self.swept.push(Swept { load: op.load, from: op.sent, to: op.done, older });
            }
            CacheOp::Guarded => {
                let (instance, from, to) = ((op.load, op.instance), op.sent, op.done);
                self.guarded.push(Guarded { instance, from, to });
            }
            CacheOp::Broken => self.broken.push(op.done),
            CacheOp::Coded { copies, bytes, nanos } => self.coded += Coded { copies, bytes, nanos },
            CacheOp::Write { version, at, commands } => {
                let done = is_ok.then_some(op.done);
                // What changed together with another entity nobody waited for.
                if op.purpose == Purpose::Load {
                    self.wrote.extend(done.map(|done| done.since(op.intended).as_nanos() as u64));
                    self.commands.extend(commands.filter(|_| version > 0));
                }
                if version > 0 {
                    self.writes.push(Write { version, at, done });
                }
            }
        }
    }

    fn complete(&mut self) {
        self.reads.sort_unstable_by_key(|read| (read.sent, read.done));
        self.writes.sort_unstable_by_key(|write| write.version);
        self.held.sort_unstable_by_key(|held| held.version);
    }
}
