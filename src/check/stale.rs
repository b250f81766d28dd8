//! Stale reads: they missed a write that was acknowledged before they were sent.

use std::time::Duration;

use crate::model::op::Purpose;
use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding};
use super::history::History;
use super::parts::{self, HELD, Keys};
use super::register::{Key, Read, Source, answered};
use super::unexpected::Unexpected;

/// What [`stale_reads`] found.
#[derive(Clone, Debug, Default)]
pub struct StaleReads {
    /// Reads that were answered.
    pub reads: u64,
    pub stale: u64,
    /// The greatest age of a stale read.
    pub oldest: Option<Duration>,
    /// Reads of a value that no write can have put there.
    pub unexpected: u64,
    examples: Examples,
    strange: Unexpected,
}

/// Counts the reads that missed a write acknowledged before they were sent.
///
/// A read that saw the value of write *f* is stale if some acknowledged write to
/// its key was sent after *f* was done and was done before the read was sent. Its
/// age is the time from the earliest acknowledgement of such a write to the read's
/// sending. If the outcome of *f* is unknown, the read is not called stale.
///
/// Final reads are not counted here: what they miss is [lost](super::lost_writes).
///
/// # Errors
/// Those of the history's reader.
pub fn stale_reads<H: History>(history: &H) -> Result<StaleReads, H::Error> {
    in_parts_of(history, HELD)
}

pub(super) fn in_parts_of<H: History>(history: &H, limit: usize) -> Result<StaleReads, H::Error> {
    let mut found =
        StaleReads { examples: Examples::counted_from(history.zero()), ..StaleReads::default() };
    found.strange.count_from(history.zero());
    let unwritten = Key::default();
    parts::in_parts(history, limit, |keys: Keys<Key>, part| {
        for op in history.rows()? {
            let op = op?;
            if op.purpose == Purpose::Final || !part.holds(op.load, op.key) {
                continue;
            }
            if let Some(read) = answered(&op) {
                let key = keys.get(&(op.load, op.key)).unwrap_or(&unwritten);
                found.judge(op.load, op.key, key, &read);
            }
        }
        Ok(())
    })?;
    found.unexpected = found.strange.count();
    Ok(found)
}

impl StaleReads {
    fn judge(&mut self, load: u8, number: u64, key: &Key, read: &Read) {
        self.reads += 1;
        let source = key.source(read);
        if matches!(source, Source::Refused | Source::Nowhere) {
            self.strange.add(load, number, read, source);
        }
        if let Some(missed) = key.superseded(source).filter(|missed| *missed < read.sent) {
            self.add(load, number, read, missed);
        }
    }

    fn add(&mut self, load: u8, key: u64, read: &Read, missed: Nanos) {
        let age = read.sent.since(missed);
        self.stale += 1;
        self.oldest = self.oldest.max(Some(age));
        let rank = (u64::MAX - age.as_nanos() as u64, read.sent.0, load, key);
        self.examples.offer(rank, |zero| {
            let saw = match read.value {
                Some(value) => format!("answered with value {value}"),
                None => "found no key".to_owned(),
            };
            let age = age.as_secs_f64() * 1e3;
            let text = format!(
                "a read of key {key}, sent at {}, {saw}, but a newer one had been acknowledged {age:.3} ms before",
                zero.tell(read.sent)
            );
            Example::new(load, key, read.done, text)
        });
    }

    pub fn verdict(&self) -> Verdict {
        if self.stale == 0 { Verdict::Pass } else { Verdict::Fail }
    }

    /// The findings. `whole` says that the history is complete: in one that was cut
    /// off, the write of a strange value may be among the missing rows.
    pub fn findings(&self, whole: bool) -> Vec<Finding> {
        let of = format!("{} of {} reads stale", self.stale, self.reads);
        let text = match self.oldest {
            Some(age) => format!("{of}, by up to {:.1} ms", age.as_secs_f64() * 1e3),
            None => of,
        };
        let stale = Finding {
            kind: "stale_reads".to_owned(),
            verdict: self.verdict(),
            text,
            count: self.stale,
            examples: self.examples.list(),
        };
        std::iter::once(stale).chain(self.strange.finding("reads", whole)).collect()
    }
}
