//! Queues: which elements come out, and how often.
//!
//! A queue is **drained** if a pop of purpose `Final` found it empty: it has returned all its
//! elements. An element that was acknowledged before and never came out is lost, unless a pop
//! without an answer may have taken it: each such pop can account for one element, and nobody
//! knows which. If elements are acknowledged after they came out (streams with groups), a
//! delivery without an answer removes nothing.

use std::collections::HashMap;

use crate::model::op::{Action, Op, Outcome, QueueOp};
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples};
use super::history::{History, ReadError};
use super::parts::{self, HELD, Kept, Keys};

/// Judges every queue. Rows of other actions are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queues {
    /// LPUSH and RPOP: an element comes out once.
    AtMostOnce,
    /// Streams with groups: it comes out again and again, until it is acknowledged.
    AtLeastOnce,
}

impl Checker for Queues {
    fn name(&self) -> &'static str {
        match self {
            Queues::AtMostOnce => "queues",
            Queues::AtLeastOnce => "streams",
        }
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(self.found(history, context.zero)?.told(*self))
    }
}

impl Queues {
    fn found(self, history: &dyn History, zero: Nanos) -> Result<Found, ReadError> {
        let mut found = Found { examples: Examples::counted_from(zero), ..Found::default() };
        parts::in_parts(history, HELD, |keys: Keys<Queue>, _| {
            keys.iter().for_each(|((load, key), queue)| found.judge(self, (*load, *key), queue));
            Ok(())
        })?;
        Ok(found)
    }
}

#[derive(Clone, Debug, Default)]
struct Found {
    acknowledged: u64,
    /// Acknowledged elements that never came out, at least.
    lost: u64,
    /// Elements that came out and cannot have gone in: never sent, or refused.
    unexpected: u64,
    /// Deliveries of an element beyond its first.
    repeated: u64,
    /// Deliveries that were sent after the element had been acknowledged (XACK).
    after_ack: u64,
    /// Elements that came out although it was unknown whether they had gone in.
    recovered: u64,
    /// Queues with acknowledged elements that were not drained.
    unread: u64,
    examples: Examples,
}

#[derive(Debug, Default)]
struct Queue {
    elements: HashMap<u64, Element>,
    /// Pops without an answer, which may have taken an element.
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

impl Found {
    fn judge(&mut self, queues: Queues, (load, key): (u8, u64), queue: &Queue) {
        let acknowledged = queue.elements.values().filter(|e| e.acknowledged.is_some()).count();
        self.acknowledged += acknowledged as u64;
        self.unread += u64::from(queue.drained.is_none() && acknowledged > 0);
        let mut missing = 0;
        for (value, element) in &queue.elements {
            let lost = element.acknowledged.filter(|done| {
                element.delivered.is_empty() && queue.drained.is_some_and(|drained| *done < drained)
            });
            missing += u64::from(lost.is_some());
            if let Some((what, at)) =
                self.element(queues, element).or(lost.map(|at| ("never came out", at)))
            {
                self.examples.offer((at.0, *value, load, key), |_| {
                    Example::new(load, key, at, format!("element {value} of queue {key} {what}"))
                });
            }
        }
        let taken = if queues == Queues::AtMostOnce { queue.unanswered } else { 0 };
        self.lost += missing.saturating_sub(taken);
    }

    /// Counts what is wrong with an element that came out, and describes it.
    fn element(&mut self, queues: Queues, element: &Element) -> Option<(&'static str, Nanos)> {
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
        let once = queues == Queues::AtMostOnce;
        (once && repeated > 0).then_some(("came out more than once", last))
    }

    /// The number of everything that is wrong.
    fn wrong(&self, queues: Queues) -> u64 {
        let again = match queues {
            Queues::AtMostOnce => self.repeated,
            Queues::AtLeastOnce => self.after_ack,
        };
        self.lost + self.unexpected + again
    }

    fn verdict(&self, queues: Queues) -> Verdict {
        verdict(self.wrong(queues), self.unread)
    }

    fn told(&self, queues: Queues) -> Checked {
        let Found { acknowledged, lost, unexpected, repeated, after_ack, recovered, .. } = self;
        let again = match queues {
            Queues::AtMostOnce => String::new(),
            Queues::AtLeastOnce => {
                format!(" ({after_ack} of them after they had been dealt with)")
            }
        };
        let mut text = format!(
            "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
             {repeated} delivered again{again}, {recovered} recovered"
        );
        if self.unread > 0 {
            text += &format!("; {} queues were not drained", self.unread);
        }
        let [sum, put_in, counts @ ..] = match queues {
            Queues::AtMostOnce => [
                "queue.wrong",
                "queue.acknowledged",
                "queue.lost",
                "queue.unexpected",
                "queue.repeated",
                "queue.recovered",
            ],
            Queues::AtLeastOnce => [
                "stream.wrong",
                "stream.acknowledged",
                "stream.lost",
                "stream.unexpected",
                "stream.repeated",
                "stream.recovered",
            ],
        };
        let (wrong, mut told) = (self.wrong(queues), Checked::default());
        told.find(sum, self.verdict(queues), (wrong, text), &self.examples);
        told.measure(put_in, Some(*acknowledged as f64));
        told.counts(self.unread, &[(sum, wrong)]);
        for (name, count) in counts.into_iter().zip([*lost, *unexpected, *repeated, *recovered]) {
            told.counts(self.unread, &[(name, count)]);
        }
        if queues == Queues::AtLeastOnce {
            told.counts(self.unread, &[("stream.after_ack", *after_ack)]);
        }
        told
    }
}

#[cfg(test)]
mod tests;
