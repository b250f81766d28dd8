//! What a history says was written to each key.

use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};
use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding};
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

/// All writes to one key, and its final state.
#[derive(Debug, Default)]
pub(super) struct Key {
    /// By the instants of sending, once the part is complete.
    writes: Vec<Write>,
    /// For each write, the earliest acknowledgement of it or of any sent later.
    earliest: Vec<Nanos>,
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
        if let Some(value) = op.action.written() {
            let (fate, done) = match op.outcome {
                Outcome::Ok => (Fate::Acknowledged, op.done),
                Outcome::Unknown(_) => (Fate::Unknown, NEVER),
                Outcome::Fail(_) => (Fate::Refused, op.done),
            };
            self.writes.push(Write { value, sent: op.sent, done, fate, load: op.load, by: op.by });
        }
        if let Some(read) = answered(op)
            && self.last.is_none_or(|last| last.sent < read.sent)
        {
            self.last = Some(read);
        }
    }

    fn complete(&mut self) {
        self.writes.sort_unstable_by_key(|w| (w.sent, w.value));
        let mut earliest = NEVER;
        self.earliest = vec![NEVER; self.writes.len()];
        for (write, slot) in self.writes.iter().zip(&mut self.earliest).rev() {
            if write.fate == Fate::Acknowledged {
                earliest = earliest.min(write.done);
            }
            *slot = earliest;
        }
        self.by_value = (0..self.writes.len() as u32).collect();
        self.by_value.sort_unstable_by_key(|&i| self.writes[i as usize].value);
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

    /// The earliest acknowledgement of a write that was sent after the state of
    /// `source` was complete; `None` if there is none, or it cannot be told.
    pub(super) fn superseded(&self, source: Source) -> Option<Nanos> {
        let earliest = *self.earliest.get(self.first_after(source)?)?;
        (earliest != NEVER).then_some(earliest)
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
            Some(Read { value, sent: op.sent, done: op.done })
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

    pub(super) fn counted_from(zero: Nanos) -> Unexpected {
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
