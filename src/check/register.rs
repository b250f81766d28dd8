//! What a history says was written to each key.

use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};
use crate::model::{Nanos, Verdict};

use super::checker::Sides;
use super::finding::{Example, Examples, Finding, Zero};
use super::parts::Kept;

/// An instant that never comes: when a write of unknown outcome is done.
pub(super) const NEVER: Nanos = Nanos(u64::MAX);

#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub value: u64,
    pub sent: Nanos,
    /// [`NEVER`] if the outcome is unknown.
    pub done: Nanos,
    pub fate: Fate,
    /// Whose it is: of those that share the key.
    pub load: u8,
    /// Who answered, as [`Op::by`] says.
    pub by: Option<u16>,
}

impl Write {
    /// The write that `op` is, if it is one.
    pub fn of(op: &Op) -> Option<Write> {
        let value = op.action.written()?;
        let (fate, done) = match op.outcome {
            Outcome::Ok => (Fate::Acknowledged, op.done),
            Outcome::Unknown(_) => (Fate::Unknown, NEVER),
            Outcome::Fail(_) => (Fate::Refused, op.done),
        };
        Some(Write { value, sent: op.sent, done, fate, load: op.load, by: op.by })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    Unknown,
    /// The server certainly did not do it.
    Refused,
}

/// A read that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub value: Option<u64>,
    pub sent: Nanos,
    pub done: Nanos,
    /// Whose it is, and who answered.
    pub load: u8,
    pub by: Option<u16>,
}

/// Where a read's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The state that the read saw was complete at this instant: later writes follow it.
    Since(Nanos),
    /// The key's state before any write.
    Beginning,
    /// A write of unknown outcome: nothing can be said to follow it.
    AnyTime,
    /// Only of writes that the server certainly did not do.
    Refused,
    /// Of no write at all that was sent before the read ended.
    Nowhere,
}

/// A write that a read missed.
pub(super) struct Missed<'a> {
    pub write: &'a Write,
    /// It was lost before the read was sent, and so was all else that the read missed.
    pub is_lost: bool,
}

/// All writes to one key, and its final state.
#[derive(Debug, Default)]
pub(super) struct Key {
    /// By the instants of sending, once the part is complete.
    writes: Vec<Write>,
    /// For each write, which of it and all sent later was acknowledged first.
    earliest: Vec<Option<u32>>,
    /// Those from here on the final state contradicts, if they were done before it was read.
    lost_from: usize,
    /// Indices of `writes` by their values.
    by_value: Vec<u32>,
    /// The last final read that was answered.
    pub last: Option<Read>,
}

impl Kept for Key {
    fn wants(op: &Op) -> bool {
        let last = op.purpose == Purpose::Final;
        op.action.written().is_some() || (last && matches!(op.action, Action::Register(_)))
    }

    fn keep(&mut self, op: &Op) {
        self.writes.extend(Write::of(op));
        if let Some(read) = answered(op)
            && self.last.is_none_or(|last| last.sent < read.sent)
        {
            self.last = Some(read);
        }
    }

    fn complete(&mut self) {
        self.writes.sort_unstable_by_key(|w| (w.sent, w.value));
        let mut earliest: Option<u32> = None;
        self.earliest = vec![None; self.writes.len()];
        for (i, write) in self.writes.iter().enumerate().rev() {
            let is_earlier = |i: u32| write.done <= self.writes[i as usize].done;
            if write.fate == Fate::Acknowledged && earliest.is_none_or(is_earlier) {
                earliest = Some(i as u32);
            }
            self.earliest[i] = earliest;
        }
        self.by_value = (0..self.writes.len() as u32).collect();
        self.by_value.sort_unstable_by_key(|&i| self.writes[i as usize].value);
        let last = self.last.and_then(|last| self.first_after(self.source(&last)));
        self.lost_from = last.unwrap_or(self.writes.len());
    }
}

impl Key {
    pub(super) fn acknowledged(&self) -> usize {
        self.writes.iter().filter(|w| w.fate == Fate::Acknowledged).count()
    }

    /// What `read` proves about the instant of the state that it saw. Should a value
    /// have been written more than once, the writing that proves least counts.
    pub(super) fn source(&self, read: &Read) -> Source {
        let Some(value) = read.value else { return Source::Beginning };
        let value_of = |&i: &u32| self.writes[i as usize].value;
        let first = self.by_value.partition_point(|i| value_of(i) < value);
        let writers = self.by_value[first..].iter().take_while(|i| value_of(i) == value);
        let writers = writers.map(|&i| &self.writes[i as usize]).filter(|w| w.sent <= read.done);
        let mut source = Source::Nowhere;
        for write in writers {
            source = match (write.fate, source) {
                (Fate::Unknown, _) | (_, Source::AnyTime) => Source::AnyTime,
                (Fate::Acknowledged, Source::Since(done)) => Source::Since(done.max(write.done)),
                (Fate::Acknowledged, _) => Source::Since(write.done),
                (Fate::Refused, Source::Nowhere) => Source::Refused,
                (Fate::Refused, known) => known,
            };
        }
        source
    }

    /// Of the writes that `read` missed, the one that was acknowledged first: of those that were
    /// there to be found if there are any, or else of those that were lost by then.
    pub(super) fn missed(&self, read: &Read, source: Source, sides: &Sides) -> Option<Missed<'_>> {
        let first = self.first_after(source)?;
        let at = (*self.earliest.get(first)?)? as usize;
        let earliest = Some(&self.writes[at]).filter(|write| write.done < read.sent)?;
        if !self.is_gone(at, read, sides) {
            return Some(Missed { write: earliest, is_lost: false });
        }
        let before = self.writes[first..].iter().take_while(|write| write.sent < read.sent);
        let late = before.enumerate().filter(|(i, write)| {
            write.fate == Fate::Acknowledged
                && write.done < read.sent
                && !self.is_gone(first + i, read, sides)
        });
        let late = late.map(|(_, write)| write).min_by_key(|write| write.done);
        Some(Missed { write: late.unwrap_or(earliest), is_lost: late.is_none() })
    }

    /// Whether it is certain that the write had been lost when `read`, which missed it, was sent.
    fn is_gone(&self, at: usize, read: &Read, sides: &Sides) -> bool {
        let write = &self.writes[at];
        if at >= self.lost_from && self.last.is_some_and(|last| write.done < last.sent) {
            return true;
        }
        let (Some(wrote), Some(answered)) = (write.by, read.by) else { return false };
        // Who acknowledged it does not have it any more; or was superseded by who answered.
        let (wrote, answered) = ((write.load, wrote), (read.load, answered));
        wrote == answered || (sides.lost(wrote, read.sent) && sides.leads(answered, read.sent))
    }

    /// How many writes that had been acknowledged by then `read` certainly missed.
    pub(super) fn newer(&self, read: &Read, source: Source) -> u64 {
        let sent = self.writes[self.first_after(source).unwrap_or(self.writes.len())..].iter();
        let sent = sent.take_while(|write| write.sent < read.sent);
        let is_missed = |w: &&Write| w.fate == Fate::Acknowledged && w.done < read.sent;
        sent.filter(is_missed).count() as u64
    }

    /// The acknowledged writes that were sent after the state of `source` was complete.
    pub(super) fn following(&self, source: Source) -> impl Iterator<Item = &Write> {
        let first = self.first_after(source).unwrap_or(self.writes.len());
        self.writes[first..].iter().filter(|w| w.fate == Fate::Acknowledged)
    }

    fn first_after(&self, source: Source) -> Option<usize> {
        match source {
            Source::Beginning => Some(0),
            Source::Since(done) => Some(self.writes.partition_point(|w| w.sent <= done)),
            Source::AnyTime | Source::Refused | Source::Nowhere => None,
        }
    }
}

/// The read that `op` is, if it is one and was answered.
pub(super) fn answered(op: &Op) -> Option<Read> {
    match op.action {
        Action::Register(RegisterOp::Read(value)) if op.outcome == Outcome::Ok => {
            Some(Read { value, sent: op.sent, done: op.done, load: op.load, by: op.by })
        }
        _ => None,
    }
}

/// Reads that answered with a value that was never written to their key, or only
/// by writes that the server said it did not do.
#[derive(Clone, Debug, Default)]
pub(super) struct Unexpected {
    count: u64,
    examples: Examples,
}

impl Unexpected {
    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn counted_from(zero: Zero) -> Unexpected {
        Unexpected { count: 0, examples: Examples::counted_from(zero) }
    }

    pub(super) fn add(&mut self, load: u8, key: u64, read: &Read, source: Source) {
        self.count += 1;
        let value = read.value.unwrap_or_default();
        self.examples.offer((read.sent.0, value, load, key), |zero| {
            let why = match source {
                Source::Refused => "its write had been refused",
                _ => "nothing had written it there",
            };
            let text =
                format!("key {key} held value {value} at {}, but {why}", zero.tell(read.done));
            Example::new(load, key, read.done, text)
        });
    }

    /// The finding, if there is anything to tell.
    pub(super) fn finding(&self, what: &str, whole: bool) -> Option<Finding> {
        (self.count > 0).then(|| Finding {
            kind: "unexpected_values".to_owned(),
            verdict: if whole { Verdict::Fail } else { Verdict::Unknown },
            text: format!("{} {what} found a value that no write can have left", self.count),
            count: self.count,
            examples: self.examples.list(),
        })
    }
}
