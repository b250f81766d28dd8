//! Stale reads: they missed a write that was acknowledged before they were sent.

use std::time::Duration;

use crate::model::op::Purpose;
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context};
use super::finding::{Example, Examples};
use super::history::{History, ReadError};
use super::parts::{self, HELD, Keys};
use super::register::{Key, Read, Source, Unexpected, answered};

/// Counts the reads that missed a write acknowledged before they were sent.
///
/// A read that saw the value of write *f* is stale if some acknowledged write to
/// its key was sent after *f* was done and was done before the read was sent. Its
/// age is the time from the earliest acknowledgement of such a write to the read's
/// sending. If the outcome of *f* is unknown, the read is not called stale.
///
/// Final reads are not counted here: what they miss is lost.
pub struct StaleReads;

impl Checker for StaleReads {
    fn name(&self) -> &'static str {
        "stale reads"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(Found::read(history, HELD, context.zero)?.told(context.whole))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Reads that were answered.
    pub reads: u64,
    pub stale: u64,
    /// The greatest age of a stale read.
    pub oldest: Option<Duration>,
    examples: Examples,
    /// Reads of a value that no write can have put there.
    pub unexpected: Unexpected,
}

impl Found {
    pub fn read(history: &dyn History, limit: usize, zero: Nanos) -> Result<Found, ReadError> {
        let mut found = Found {
            examples: Examples::counted_from(zero),
            unexpected: Unexpected::counted_from(zero),
            ..Found::default()
        };
        let unwritten = Key::default();
        parts::in_parts(history, limit, |keys: Keys<Key>, part| {
            history.each(&mut |op| {
                if op.purpose == Purpose::Final || !part.holds(op.keyspace(), op.key) {
                    return;
                }
                if let Some(read) = answered(op) {
                    let key = keys.get(&(op.keyspace(), op.key)).unwrap_or(&unwritten);
                    found.judge(op.keyspace(), op.key, key, &read);
                }
            })
        })?;
        Ok(found)
    }

    fn judge(&mut self, load: u8, number: u64, key: &Key, read: &Read) {
        self.reads += 1;
        let source = key.source(read);
        if matches!(source, Source::Refused | Source::Nowhere) {
            self.unexpected.add(load, number, read, source);
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

    pub fn told(&self, whole: bool) -> Checked {
        let mut text = format!("{} of {} reads stale", self.stale, self.reads);
        let age = self.oldest.map(|age| age.as_secs_f64() * 1e3);
        if let Some(age) = age {
            text += &format!(", by up to {age:.1} ms");
        }
        let mut told = Checked::default();
        told.find("reads.stale", self.verdict(), (self.stale, text), &self.examples);
        told.findings.extend(self.unexpected.finding("reads", whole));
        told.measure("reads.stale", Some(self.stale as f64));
        told.measure("reads.stale.age.max", Some(age.unwrap_or(0.0)));
        told
    }
}
