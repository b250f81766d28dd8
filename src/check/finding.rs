//! What a checker found, in words that a report can show.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::catalogue::known;
use crate::model::op::{BEGINNING, RegisterOp};
use crate::model::{Nanos, Verdict};

use super::linear::Call;

/// The outcome of one check. A check that found nothing wrong is told as well,
/// so that a reader sees that it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is about, in a word: `lost_writes`. The catalogue of measures says which measure
    /// counts it.
    pub kind: String,
    #[schemars(with = "String")]
    pub verdict: Verdict,
    /// One sentence for a person.
    pub text: String,
    /// How many operations are concerned.
    pub count: u64,
    /// The worst of them, worst first; at most 20.
    pub examples: Vec<Example>,
}

/// One operation that a finding is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Example {
    /// Index of the load in the scenario.
    pub load: u8,
    /// The key's number in that load.
    pub key: u64,
    /// Instant of the operation's answer, in milliseconds since the drill's start.
    pub at_ms: f64,
    /// For a person: its instants count from the load's start.
    pub text: String,
    /// Operations that prove it. Of a key that is not linearizable as they were sent: a few, or all if the
    /// search took too long. Of what contradicts causality a circle: each has a `link` to the next one,
    /// and the last one to the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub window: Vec<Proof>,
}

/// One of the operations that together have no order, or go in a circle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    pub process: u32,
    pub action: ProofAction,
    /// What was read or written; absent if there was no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// What a compare-and-set found; absent if that was no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    pub sent_ms: f64,
    /// Null if it was never answered.
    pub done_ms: Option<f64>,
    /// Its key's number, where operations on several keys prove something together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// Why it comes before the next operation of a circle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// The group that took it, where several groups take writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Why an operation of a circle comes before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The next one is a later operation of the same process.
    Process,
    /// The next one found its value.
    Read,
    /// It filled the key before all operations of the load.
    Filled,
    /// It found the value of the next one, although its process knew another write to the key: so that write
    /// must have been overwritten by the next one.
    Found,
    /// It found no key, although its process knew a write to it: so it must have come before that write, which
    /// is the first of the circle.
    FoundNothing,
}

/// What it did to the register or the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofAction {
    Read,
    Write,
    Cas,
    /// It had the lock; `value` is its token.
    Held,
}

impl Finding {
    /// What the measure `name` counts.
    pub(super) fn counted_by(
        name: &str,
        verdict: Verdict,
        (count, text): (u64, String),
        examples: &Examples,
    ) -> Finding {
        let kind = known(name).and_then(|known| known.finding);
        debug_assert!(kind.is_some(), "the catalogue does not say which findings {name} counts");
        let kind = kind.unwrap_or(name).to_owned();
        Finding { kind, verdict, text, count, examples: examples.list() }
    }
}

impl Example {
    pub(super) fn new(load: u8, key: u64, at: Nanos, text: String) -> Example {
        Example { load, key, at_ms: millis(at), text, window: Vec::new() }
    }
}

impl Call {
    /// For a person, to the microsecond: windows are short.
    pub(super) fn told(&self, zero: Zero) -> String {
        let value = |value: Option<u64>| value.map_or("no key".to_owned(), |v| v.to_string());
        let act = match self.act {
            RegisterOp::Read(found) => format!("read {}", value(found)),
            RegisterOp::Write(written) => format!("wrote {written}"),
            RegisterOp::Cas { from, to } => format!("changed {} to {to}", value(from)),
        };
        let (sent, done) = (zero.tell_exactly(self.sent), zero.tell_exactly(self.done));
        let span = match self.is_answered() {
            true => format!("{sent} to {done}"),
            false => format!("sent at {sent}, never answered"),
        };
        match self.process {
            BEGINNING => format!("it began with {}", value(self.written())),
            process => format!("process {process} {act} ({span})"),
        }
    }
}

impl From<&Call> for Proof {
    fn from(call: &Call) -> Proof {
        let (action, value, expected) = match call.act {
            RegisterOp::Read(value) => (ProofAction::Read, value, None),
            RegisterOp::Write(value) => (ProofAction::Write, Some(value), None),
            RegisterOp::Cas { from, to } => (ProofAction::Cas, Some(to), from),
        };
        let done_ms = call.is_answered().then(|| millis(call.done));
        let (process, sent_ms) = (call.process, millis(call.sent));
        let (key, link) = (None, None);
        Proof { process, action, value, expected, sent_ms, done_ms, key, link, group: None }
    }
}

pub(super) fn millis(at: Nanos) -> f64 {
    at.0 as f64 / 1e6
}

/// How sentences tell instants.
#[derive(Clone, Copy, Debug)]
pub enum Zero {
    /// They count from here.
    At(Nanos),
    /// A history without times: a millisecond stands for an event.
    Events,
}

impl Default for Zero {
    fn default() -> Zero {
        Zero::At(Nanos::ZERO)
    }
}

impl Zero {
    /// `4.203s`; what was before zero is below nothing.
    pub(super) fn tell(self, at: Nanos) -> String {
        self.told(at, 3)
    }

    /// To the microsecond.
    pub(super) fn tell_exactly(self, at: Nanos) -> String {
        self.told(at, 6)
    }

    fn told(self, at: Nanos, digits: usize) -> String {
        match self {
            Zero::At(zero) => {
                let seconds = (i128::from(at.0) - i128::from(zero.0)) as f64 / 1e9;
                format!("{seconds:.digits$}s")
            }
            Zero::Events => format!("event {}", millis(at)),
        }
    }

    /// A time between two instants: `4.2 ms`.
    pub(super) fn tell_span(self, span: Duration, digits: usize) -> String {
        let ms = span.as_secs_f64() * 1e3;
        match self {
            Zero::At(_) => format!("{ms:.digits$} ms"),
            Zero::Events => format!("{ms:.0} events"),
        }
    }
}

/// The few examples of lowest rank among all that were offered.
#[derive(Clone, Debug, Default)]
pub(super) struct Examples {
    pub(super) zero: Zero,
    kept: Vec<(Rank, Example)>,
}

/// The order of examples: first what is worse, then whatever makes the order total, so that the
/// result does not depend on the parts in which a history is read.
pub(super) type Rank = (u64, u64, u8, u64);

impl Examples {
    pub(super) const MOST: usize = 20;

    pub(super) fn counted_from(zero: Zero) -> Examples {
        Examples { zero, kept: Vec::new() }
    }

    /// Keeps the example if it ranks among the first; `make` is called only then.
    pub(super) fn offer(&mut self, rank: Rank, make: impl FnOnce(Zero) -> Example) {
        let at = self.kept.partition_point(|(other, _)| *other <= rank);
        if at < Self::MOST {
            self.kept.insert(at, (rank, make(self.zero)));
            self.kept.truncate(Self::MOST);
        }
    }

    pub(super) fn list(&self) -> Vec<Example> {
        self.kept.iter().map(|(_, example)| example.clone()).collect()
    }
}
