//! Queues: which elements come out, and how often.
//!
//! A queue is **drained** if a pop of purpose `Final` found it empty: it has returned all its
//! elements. An element that was acknowledged before and never came out is lost, unless a pop
//! without an answer may have taken it: each such pop can account for one element, and nobody
//! knows which. If elements are acknowledged after they came out (streams with groups), a
//! delivery without an answer removes nothing.

use std::collections::HashMap;

use crate::model::Nanos;
use crate::model::op::{Action, Op, Outcome, QueueOp};

use super::parts::Kept;
use super::per_key::{Found, PerKey, Words};

/// Judges every queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queues {
    /// LPUSH and RPOP: an element comes out once.
    AtMostOnce,
    /// Streams with groups: it comes out again and again, until it is acknowledged.
    AtLeastOnce,
}

#[derive(Debug, Default)]
pub struct Queue {
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
            QueueOp::Open => {}
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

const QUEUE: Words = Words {
    name: "queues",
    family: "queue",
    known: &["acknowledged"],
    sums: &[],
    text: "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
           {repeated} delivered again, {recovered} recovered",
    unread: "{unread} queues were not drained",
};

const STREAM: Words = Words {
    name: "streams",
    family: "stream",
    text: "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
           {repeated} delivered again ({after_ack} of them after they had been dealt with), \
           {recovered} recovered",
    ..QUEUE
};

impl PerKey for Queues {
    type Key = Queue;

    fn words(&self) -> &'static Words {
        match self {
            Queues::AtMostOnce => &QUEUE,
            Queues::AtLeastOnce => &STREAM,
        }
    }

    fn judge(&self, at: (u8, u64), queue: &Queue, found: &mut Found) {
        let acknowledged = queue.elements.values().filter(|e| e.acknowledged.is_some()).count();
        found.add("acknowledged", acknowledged as u64);
        if queue.drained.is_none() && acknowledged > 0 {
            found.unread();
        }
        let mut missing: u64 = 0;
        for (value, element) in &queue.elements {
            let lost = element.acknowledged.filter(|done| {
                element.delivered.is_empty() && queue.drained.is_some_and(|drained| *done < drained)
            });
            missing += u64::from(lost.is_some());
            let odd = self.element(element, found).or(lost.map(|at| ("never came out", at)));
            if let Some((what, when)) = odd {
                let text = |_| format!("element {value} of queue {} {what}", at.1);
                found.show(at, (when.0, *value), when, text);
            }
        }
        let taken = if *self == Queues::AtMostOnce { queue.unanswered } else { 0 };
        found.add("lost", missing.saturating_sub(taken));
    }
}

impl Queues {
    /// Counts what is wrong with an element that came out, and describes it.
    fn element(self, element: &Element, found: &mut Found) -> Option<(&'static str, Nanos)> {
        let first = *element.delivered.iter().min()?;
        let last = *element.delivered.iter().max()?;
        let after = |at: &&Nanos| element.dealt_with.is_some_and(|dealt_with| dealt_with < **at);
        let after_ack = element.delivered.iter().filter(after).count() as u64;
        let repeated = element.delivered.len() as u64 - 1;
        found.add("repeated", repeated);
        found.add("after_ack", after_ack);
        found.add("recovered", u64::from(element.pushed && element.acknowledged.is_none()));
        if !element.pushed {
            found.add("unexpected", 1);
            return Some(("came out, and nobody can have put it in", first));
        }
        if after_ack > 0 {
            return Some(("came out after it had been dealt with", last));
        }
        let once = self == Queues::AtMostOnce;
        (once && repeated > 0).then_some(("came out more than once", last))
    }
}

#[cfg(test)]
mod tests;
