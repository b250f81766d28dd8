//! Queues: what went in comes out, and how often.
//!
//! A queue that was **drained**, so that a pop of purpose `Final` found it empty, has given all that it had. What
//! was acknowledged before and never came out is lost, unless a pop without an answer
//! may have taken it: each of these can account for one element, and nobody knows which.
//! Where elements are acknowledged after they came out (streams with groups), a delivery without
//! an answer takes nothing away.

use std::collections::HashMap;

use crate::model::op::{Action, Op, Outcome, QueueOp};
use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding};
use super::history::History;
use super::parts::{self, HELD, Kept, Keys};

/// How often an element may come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// LPUSH and RPOP: once.
    AtMostOnce,
    /// Streams with groups: again and again, until it is acknowledged.
    AtLeastOnce,
}

/// What [`queues`] found.
#[derive(Clone, Debug)]
pub struct Queues {
    delivery: Delivery,
    pub acknowledged: u64,
    /// Acknowledged elements that never came out, at least.
    pub lost: u64,
    /// Elements that came out and cannot have gone in: never sent, or refused.
    pub unexpected: u64,
    /// Deliveries of an element beyond its first.
    pub repeated: u64,
    /// Deliveries that were sent after the element had been dealt with.
    pub after_ack: u64,
    /// Elements of which nobody knew whether they had gone in, and that came out.
    pub recovered: u64,
    /// Queues with acknowledged elements that were not drained.
    pub unknown_keys: u64,
    examples: Examples,
}

/// Judges every queue of the history. Rows of other actions are passed over.
///
/// # Errors
/// Those of the history's reader.
pub fn queues<H: History>(history: &H, delivery: Delivery) -> Result<Queues, H::Error> {
    let mut found = Queues {
        delivery,
        acknowledged: 0,
        lost: 0,
        unexpected: 0,
        repeated: 0,
        after_ack: 0,
        recovered: 0,
        unknown_keys: 0,
        examples: Examples::counted_from(history.zero()),
    };
    parts::in_parts(history, HELD, |keys: Keys<Queue>, _| {
        keys.iter().for_each(|((load, key), queue)| found.judge(*load, *key, queue));
        Ok(())
    })?;
    Ok(found)
}

#[derive(Debug, Default)]
struct Queue {
    elements: HashMap<u64, Element>,
    /// Pops that may have taken something, and nobody knows what.
    unanswered: u64,
    /// When the drain was sent.
    drained: Option<Nanos>,
}

#[derive(Debug, Default)]
struct Element {
    /// It may have gone in.
    pushed: bool,
    acknowledged: Option<Nanos>,
    /// When each delivery was sent.
    delivered: Vec<Nanos>,
    dealt_with: Option<Nanos>,
}

impl Kept for Queue {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Queue(_)) && !matches!(op.outcome, Outcome::Fail(_))
    }

    fn keep(&mut self, op: &Op) {
        let Action::Queue(action) = &op.action else { return };
        let done = (op.outcome == Outcome::Ok).then_some(op.done);
        match action {
            QueueOp::Push(value) => {
                let element = self.elements.entry(*value).or_default();
                element.pushed = true;
                element.acknowledged = element.acknowledged.or(done);
            }
            QueueOp::Pop(value) => {
                self.unanswered += u64::from(done.is_none());
                self.came_out(value, op.sent);
            }
            QueueOp::Ack(value) => {
                let element = self.elements.entry(*value).or_default();
                element.dealt_with = [element.dealt_with, done].into_iter().flatten().min();
            }
            QueueOp::Drain(left) => {
                self.drained = self.drained.max(done.map(|_| op.sent));
                self.came_out(left, op.sent);
            }
        }
    }
}

impl Queue {
    fn came_out<'a>(&mut self, values: impl IntoIterator<Item = &'a u64>, sent: Nanos) {
        for value in values {
            self.elements.entry(*value).or_default().delivered.push(sent);
        }
    }
}

impl Queues {
    fn judge(&mut self, load: u8, key: u64, queue: &Queue) {
        let acknowledged = queue.elements.values().filter(|e| e.acknowledged.is_some()).count();
        self.acknowledged += acknowledged as u64;
        self.unknown_keys += u64::from(queue.drained.is_none() && acknowledged > 0);
        let mut missing = 0;
        for (value, element) in &queue.elements {
            let lost = element.acknowledged.filter(|done| {
                element.delivered.is_empty() && queue.drained.is_some_and(|drained| *done < drained)
            });
            missing += u64::from(lost.is_some());
            if let Some((what, at)) =
                self.element(element).or(lost.map(|at| ("never came out", at)))
            {
                self.examples.offer((at.0, *value, load, key), |_| {
                    Example::new(load, key, at, format!("element {value} of queue {key} {what}"))
                });
            }
        }
        let taken = if self.delivery == Delivery::AtMostOnce { queue.unanswered } else { 0 };
        self.lost += missing.saturating_sub(taken);
    }

    /// Counts what is wrong with an element that came out, and says what.
    fn element(&mut self, element: &Element) -> Option<(&'static str, Nanos)> {
        let first = *element.delivered.iter().min()?;
        let last = *element.delivered.iter().max()?;
        let after = |at: &&Nanos| element.dealt_with.is_some_and(|dealt_with| dealt_with < **at);
        let after_ack = element.delivered.iter().filter(after).count() as u64;
        let repeated = element.delivered.len() as u64 - 1;
        self.repeated += repeated;
        self.after_ack += after_ack;
        self.recovered += u64::from(element.pushed && element.acknowledged.is_none());
        if !element.pushed {
            self.unexpected += 1;
            return Some(("came out, and nobody can have put it in", first));
        }
        if after_ack > 0 {
            return Some(("came out after it had been dealt with", last));
        }
        let once = self.delivery == Delivery::AtMostOnce;
        (once && repeated > 0).then_some(("came out more than once", last))
    }

    /// All that is wrong.
    pub fn wrong(&self) -> u64 {
        let again = match self.delivery {
            Delivery::AtMostOnce => self.repeated,
            Delivery::AtLeastOnce => self.after_ack,
        };
        self.lost + self.unexpected + again
    }

    pub fn verdict(&self) -> Verdict {
        match (self.wrong(), self.unknown_keys) {
            (0, 0) => Verdict::Pass,
            (0, _) => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }

    pub fn finding(&self) -> Finding {
        let Queues { acknowledged, lost, unexpected, repeated, after_ack, recovered, .. } = self;
        let again = match self.delivery {
            Delivery::AtMostOnce => String::new(),
            Delivery::AtLeastOnce => {
                format!(" ({after_ack} of them after they had been dealt with)")
            }
        };
        let mut text = format!(
            "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
             {repeated} delivered again{again}, {recovered} recovered"
        );
        if self.unknown_keys > 0 {
            text += &format!("; {} queues were not drained", self.unknown_keys);
        }
        let (verdict, count, examples) = (self.verdict(), self.wrong(), self.examples.list());
        let kind = match self.delivery {
            Delivery::AtMostOnce => "queues".to_owned(),
            Delivery::AtLeastOnce => "streams".to_owned(),
        };
        Finding { kind, verdict, text, count, examples }
    }
}

#[cfg(test)]
mod tests;
