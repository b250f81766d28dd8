//! What the verdict is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::event::Compare;
use crate::model::{Measure, NodeName, Unit, Verdict};

/// An expectation and its result. `value` and `bound` are in `unit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    pub text: String,
    pub measure: String,
    /// The load that it is asked of; absent of what is asked of all loads together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    pub op: Compare,
    pub value: Option<f64>,
    /// As in `measures`: how much it was when the load ended, if it was not over then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    pub bound: f64,
    pub unit: Unit,
    pub verdict: Verdict,
    /// Why the verdict is not `pass`.
    pub why: Option<String>,
}

impl Judged {
    /// The value as a person would write it.
    pub(in crate::report) fn shown(&self) -> String {
        let Judged { value, unit, at_least, .. } = *self;
        Measure { value, unit, at_least }.show()
    }

    /// Whether value and bound alone explain the verdict.
    pub(in crate::report) fn is_plain(&self) -> bool {
        self.verdict != Verdict::Unknown
    }
}

/// The reading of the final state, which lost writes are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinalRead {
    pub at_ms: f64,
    /// When what steps left had been undone; null if they left nothing.
    pub undone_ms: Option<f64>,
    /// Since when all nodes agreed after that, with every replica linked; null if they did not.
    pub agreed_ms: Option<f64>,
}

impl FinalRead {
    /// Relative to the undoing, for a person; `None` if nothing was undone.
    pub(in crate::report) fn text(&self) -> Option<String> {
        let after = Unit::Millis.show(self.at_ms - self.undone_ms?);
        let nodes = if self.agreed_ms.is_some() {
            "when all nodes agreed"
        } else {
            "though nodes did not agree"
        };
        Some(format!("read {after} after all was undone, {nodes}"))
    }
}

/// A server that ended although no step had asked for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    #[schemars(with = "String")]
    pub node: NodeName,
    pub at_ms: f64,
    /// How it ended: `signal: 11 (SIGSEGV)`.
    pub status: String,
    /// The last lines of its log.
    pub log: Vec<String>,
}

impl Crash {
    /// One sentence. Its instant counts from the load's start, at `zero_ms`.
    pub(in crate::report) fn text(&self, zero_ms: f64) -> String {
        let at = (self.at_ms - zero_ms) / 1e3;
        let Crash { node, status, .. } = self;
        format!("the server of {node} crashed at {at:.3} s ({status}): no step had asked for that")
    }

    /// Where its whole log is, in the run folder.
    pub(in crate::report) fn log_path(&self) -> String {
        format!("logs/{}.log", self.node.file_name())
    }
}

/// Nodes of a group that did not agree in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    pub group: String,
    /// How they differed, a sentence each.
    pub how: Vec<String>,
    /// It was not when `settle` was over, but after what steps left had been undone.
    #[serde(default)]
    pub after_undoing: bool,
    /// When they were asked.
    #[serde(default)]
    pub at_ms: Option<f64>,
    /// When all agreed and were linked for the last time.
    #[serde(default)]
    pub agreed_ms: Option<f64>,
    /// Why it may not be the servers' fault: the machine was too busy.
    #[serde(default)]
    pub unsure: Option<String>,
}

impl Disagreement {
    pub(in crate::report) fn text(&self) -> String {
        let when = match self.after_undoing {
            true => "after what steps left had been undone",
            false => "within `settle`",
        };
        format!("`{}` did not converge {when}: {}", self.group, self.how.join("; "))
    }
}
