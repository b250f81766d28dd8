//! Keys whose operations have no order: the history of them is not linearizable.

use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding, Proof, Zero};
use super::linear::{self, Act, Call, Judged, Order};

/// What is known of the order of the operations on each key.
#[derive(Clone, Debug, Default)]
pub struct Linearizable {
    /// Keys with at least one operation that took effect, or may have.
    pub keys: u64,
    /// Keys whose operations no order explains.
    pub broken: u64,
    /// Keys of which an order explains all but values that nobody wrote.
    pub strange: u64,
    /// Keys of which the search was given up.
    pub undecided: u64,
    examples: Examples,
}

impl Linearizable {
    pub(super) fn count_from(&mut self, zero: Nanos) {
        self.examples = Examples::counted_from(zero);
    }

    pub(super) fn judge(&mut self, load: u8, key: u64, calls: &[Call], steps: u64) {
        self.keys += u64::from(!calls.is_empty());
        let Judged { order, unwritten } = linear::judge(calls, steps);
        match order {
            Order::Impossible(window) => {
                self.broken += 1;
                self.show(load, key, window);
            }
            Order::Exists | Order::Undecided if !unwritten.is_empty() => self.strange += 1,
            Order::Undecided => self.undecided += 1,
            Order::Exists => {}
        }
    }

    /// The smallest windows first.
    fn show(&mut self, load: u8, key: u64, window: Vec<Call>) {
        let Some((first, last)) = window.first().zip(window.last()).map(|(a, b)| (*a, *b)) else {
            return;
        };
        self.examples.offer((window.len() as u64, first.sent.0, load, key), |zero| {
            let told: Vec<String> = window.iter().map(|call| call.told(zero)).collect();
            let text = format!(
                "no order explains these {} operations on key {key}: {}",
                window.len(),
                told.join("; ")
            );
            let window = window.iter().map(Proof::from).collect();
            Example { window, ..Example::new(load, key, last.sent, text) }
        });
    }

    /// The keys that are not linearizable, or at least so many. `whole` says that the history is complete:
    /// in one that was cut off, the write of a strange value may be among the missing rows.
    pub fn violated(&self, whole: bool) -> u64 {
        self.broken + if whole { self.strange } else { 0 }
    }

    pub fn verdict(&self, whole: bool) -> Verdict {
        match (self.violated(whole), self.undecided + self.strange) {
            (0, 0) => Verdict::Pass,
            (0, _) => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }

    pub fn finding(&self, whole: bool) -> Finding {
        let count = self.violated(whole);
        let mut text = format!("{count} of {} keys not linearizable", self.keys);
        if !whole && self.strange > 0 {
            text += &format!("; of {} the writes are missing", self.strange);
        }
        if self.undecided > 0 {
            text += &format!("; the search was given up for {}", self.undecided);
        }
        let (kind, verdict) = ("linearizability".to_owned(), self.verdict(whole));
        Finding { kind, verdict, text, count, examples: self.examples.list() }
    }
}

impl Call {
    /// To the microsecond: windows are short.
    pub(super) fn told(&self, zero: Zero) -> String {
        let value = |value: Option<u64>| value.map_or("no key".to_owned(), |v| v.to_string());
        let act = match self.act {
            Act::Read(found) => format!("read {}", value(found)),
            Act::Write(written) => format!("wrote {written}"),
            Act::Cas { from, to } => format!("changed {} to {to}", value(from)),
        };
        let (sent, done) = (zero.tell_exactly(self.sent), zero.tell_exactly(self.done));
        let span = match self.is_answered() {
            true => format!("{sent} to {done}"),
            false => format!("sent at {sent}, never answered"),
        };
        format!("process {} {act} ({span})", self.process)
    }
}
