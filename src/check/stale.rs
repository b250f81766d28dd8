//! Stale reads: they missed a write that was acknowledged before they were sent.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::Verdict;
use crate::model::histogram::{histogram, record};
use crate::model::measure::count;
use crate::model::op::Purpose;

use super::checker::{Checked, Checker, Context, Sides};
use super::finding::{Example, Examples};
use super::parts::{self, HELD, History, Keys, ReadError};
use super::register::{Key, Missed, Read, Source, Unexpected, Write, answered};

/// Counts the reads that missed a write acknowledged before they were sent.
///
/// A read that saw the value of write *f* is stale if some acknowledged write to
/// its key was sent after *f* was done and was done before the read was sent. Its
/// age is the time from the earliest acknowledgement of such a write to the read's
/// sending. If the outcome of *f* is unknown, the read is not called stale.
///
/// If all that it missed had been lost by then, the read was not late: the value of *f* is all
/// that there is. It is counted as one of a value that **came back**. A write is certainly lost if
/// the final state contradicts it, if the node that had acknowledged it answered the read, or if
/// that node had been superseded by the one that did.
///
/// Final reads are not counted here: what they miss is lost.
pub struct StaleReads;

impl Checker for StaleReads {
    fn name(&self) -> &'static str {
        "stale reads"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(Found::read(history, HELD, context)?.told(context.whole))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Reads that were answered.
    pub reads: u64,
    pub stale: u64,
    /// The greatest age of a stale read.
    pub oldest: Option<Duration>,
    /// Of all reads, if several groups take writes.
    pub behind: Option<Behind>,
    /// Reads of a value that came back because what had followed it was lost.
    pub reverted: u64,
    examples: Examples,
    back: Examples,
    /// Reads of a value that no write can have put there.
    pub unexpected: Unexpected,
}

/// How far reads were behind what had been acknowledged anywhere: since when, in nanoseconds, and
/// by how many writes. A read that was not stale was not behind.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub ages: Histogram<u64>,
    pub versions: Histogram<u64>,
}

impl Behind {
    fn new() -> Behind {
        Behind { ages: histogram(), versions: histogram() }
    }

    fn add(&mut self, age: Duration, versions: u64) {
        let all = [(&mut self.ages, age.as_nanos() as u64), (&mut self.versions, versions)];
        for (histogram, value) in all {
            record(histogram, value);
        }
    }

    fn measure(&self, told: &mut Checked) {
        let p99 = |of: &Histogram<u64>| of.value_at_quantile(0.99) as f64;
        told.measure("reads.stale.age.p99", Some(p99(&self.ages) / 1e6));
        told.measure("reads.stale.versions.p99", Some(p99(&self.versions)));
        told.measure("reads.stale.versions.max", Some(self.versions.max() as f64));
    }
}

impl Found {
    pub fn read(
        history: &dyn History,
        limit: usize,
        context: &Context,
    ) -> Result<Found, ReadError> {
        let mut found = Found {
            examples: Examples::counted_from(context.zero),
            back: Examples::counted_from(context.zero),
            unexpected: Unexpected::counted_from(context.zero),
            behind: context.many_writers.then(Behind::new),
            ..Found::default()
        };
        let unwritten = Key::default();
        parts::in_parts(history, limit, |keys: Keys<Key>, span| {
            history.each_in(span, &|_| true, &mut |op| {
                if op.purpose != Purpose::Final
                    && let Some(read) = answered(op)
                {
                    let key = keys.get(&(op.keyspace(), op.key)).unwrap_or(&unwritten);
                    found.judge((op.keyspace(), op.key), key, &read, &context.sides);
                }
            })
        })?;
        Ok(found)
    }

    fn judge(&mut self, at: (u8, u64), key: &Key, read: &Read, sides: &Sides) {
        self.reads += 1;
        let source = key.source(read);
        if matches!(source, Source::Refused | Source::Nowhere) {
            self.unexpected.add(at.0, at.1, read, source);
        }
        let missed = key.missed(read, source, sides);
        if let Some(behind) = &mut self.behind {
            match &missed {
                Some(Missed { write, is_lost: false }) => {
                    behind.add(read.sent.since(write.done), key.newer(read, source));
                }
                _ => behind.add(Duration::ZERO, 0),
            }
        }
        match missed {
            Some(Missed { write, is_lost: true }) => self.add_reverted(at, read, write),
            Some(Missed { write, is_lost: false }) => self.add(at, read, write),
            None => {}
        }
    }

    fn add(&mut self, (load, key): (u8, u64), read: &Read, missed: &Write) {
        let age = read.sent.since(missed.done);
        self.stale += 1;
        self.oldest = self.oldest.max(Some(age));
        let rank = (u64::MAX - age.as_nanos() as u64, read.sent.0, load, key);
        self.examples.offer(rank, |zero| {
            let text = format!(
                "a read of key {key}, sent at {}, {}, but a newer one had been acknowledged {} before",
                zero.tell(read.sent),
                saw(read),
                zero.tell_span(age, 3)
            );
            Example::new(load, key, read.done, text)
        });
    }

    fn add_reverted(&mut self, (load, key): (u8, u64), read: &Read, lost: &Write) {
        self.reverted += 1;
        self.back.offer((read.sent.0, lost.value, load, key), |zero| {
            let text = format!(
                "a read of key {key}, sent at {}, {}: value {}, acknowledged at {}, had been lost",
                zero.tell(read.sent),
                saw(read),
                lost.value,
                zero.tell(lost.done)
            );
            Example::new(load, key, read.done, text)
        });
    }

    pub fn verdict(&self) -> Verdict {
        if self.stale == 0 { Verdict::Pass } else { Verdict::Fail }
    }

    pub fn told(&self, whole: bool) -> Checked {
        let [stale, reverted, reads] = [self.stale, self.reverted, self.reads].map(count);
        let mut text = format!("{stale} of {reads} reads stale");
        if let Some(age) = self.oldest {
            text += &format!(", by up to {}", self.examples.zero.tell_span(age, 1));
        }
        let mut told = Checked::default();
        told.find("reads.stale", self.verdict(), (self.stale, text), &self.examples);
        let verdict = if self.reverted == 0 { Verdict::Pass } else { Verdict::Fail };
        let text = format!(
            "{reverted} of {reads} reads found what was there before a write that had been lost"
        );
        told.find("reads.reverted", verdict, (self.reverted, text), &self.back);
        told.measure("reads.reverted", Some(self.reverted as f64));
        told.findings.extend(self.unexpected.finding("reads", whole));
        told.measure("reads.stale", Some(self.stale as f64));
        self.behind.iter().for_each(|behind| behind.measure(&mut told));
        told.measure(
            "reads.stale.age.max",
            Some(self.oldest.unwrap_or_default().as_secs_f64() * 1e3),
        );
        told
    }
}

fn saw(read: &Read) -> String {
    match read.value {
        Some(value) => format!("answered with value {value}"),
        None => "found no key".to_owned(),
    }
}
