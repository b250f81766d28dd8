//! Sets: every acknowledged element is there at the end, once, and nothing else.

use std::collections::HashMap;

use crate::model::op::{Action, Op, Outcome, Purpose, SetOp};
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples};
use super::history::{History, ReadError};
use super::parts::{self, HELD, Kept, Keys};

/// Judges every set by the last answered read of its members of purpose `Final`. Rows of other
/// actions are ignored.
pub struct Sets;

impl Checker for Sets {
    fn name(&self) -> &'static str {
        "sets"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(Found::read(history, context.zero)?.told())
    }
}

#[derive(Clone, Debug, Default)]
struct Found {
    acknowledged: u64,
    /// Acknowledged elements that are not there at the end.
    lost: u64,
    /// Elements at the end that nobody can have added: never sent, or refused.
    unexpected: u64,
    /// Elements that are there more than once at the end.
    duplicated: u64,
    /// Elements that are there although it was unknown whether they had been added.
    recovered: u64,
    /// Sets with acknowledged elements that could not be read at the end.
    unread: u64,
    examples: Examples,
}

#[derive(Debug, Default)]
struct Set {
    /// When an element was first acknowledged; `None` if it never was.
    inserted: HashMap<u64, Option<Nanos>>,
    last: Option<(Nanos, Box<[u64]>)>,
}

impl Kept for Set {
    fn wants(op: &Op) -> bool {
        match op.action {
            Action::Set(SetOp::Members(_)) => op.purpose == Purpose::Final,
            Action::Set(SetOp::Insert(_)) => !matches!(op.outcome, Outcome::Fail(_)),
            _ => false,
        }
    }

    fn keep(&mut self, op: &Op) {
        let Action::Set(action) = &op.action else { return };
        let ok = op.outcome == Outcome::Ok;
        match action {
            SetOp::Members(members) => {
                if ok && self.last.as_ref().is_none_or(|(sent, _)| *sent < op.sent) {
                    self.last = Some((op.sent, members.clone()));
                }
            }
            SetOp::Insert(element) => {
                let done = self.inserted.entry(*element).or_default();
                *done = [*done, ok.then_some(op.done)].into_iter().flatten().min();
            }
        }
    }
}

impl Found {
    fn read(history: &dyn History, zero: Nanos) -> Result<Found, ReadError> {
        let mut found = Found { examples: Examples::counted_from(zero), ..Found::default() };
        parts::in_parts(history, HELD, |keys: Keys<Set>, _| {
            keys.iter().for_each(|((load, key), set)| found.judge(*load, *key, set));
            Ok(())
        })?;
        Ok(found)
    }

    fn judge(&mut self, load: u8, key: u64, set: &Set) {
        let acknowledged = set.inserted.values().flatten().count() as u64;
        self.acknowledged += acknowledged;
        let Some((read, members)) = &set.last else {
            self.unread += u64::from(acknowledged > 0);
            return;
        };
        let zero = self.examples.zero;
        let mut times: HashMap<u64, u32> = HashMap::new();
        members.iter().for_each(|element| *times.entry(*element).or_default() += 1);
        let mut show = |element: u64, at: Nanos, what: &str| {
            self.examples.offer((at.0, element, load, key), |_| {
                Example::new(load, key, at, format!("element {element} of set {key} {what}"))
            });
        };
        for (element, times) in &times {
            match set.inserted.get(element) {
                None => {
                    self.unexpected += 1;
                    show(*element, *read, "is there, and nobody can have added it");
                }
                Some(None) => self.recovered += 1,
                Some(Some(_)) => {}
            }
            if *times > 1 {
                self.duplicated += 1;
                show(*element, *read, "is there more than once");
            }
        }
        for (element, done) in &set.inserted {
            if let Some(done) = done.filter(|done| done < read && !times.contains_key(element)) {
                self.lost += 1;
                let told = format!("was acknowledged at {} and is lost", zero.tell(done));
                show(*element, done, &told);
            }
        }
    }

    /// The number of everything that is wrong.
    fn wrong(&self) -> u64 {
        self.lost + self.unexpected + self.duplicated
    }

    fn verdict(&self) -> Verdict {
        verdict(self.wrong(), self.unread)
    }

    fn told(&self) -> Checked {
        let Found { acknowledged, lost, unexpected, duplicated, recovered, unread, .. } = self;
        let wrong = self.wrong();
        let mut text = format!(
            "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
             {duplicated} duplicated, {recovered} recovered"
        );
        if *unread > 0 {
            text += &format!("; {unread} sets could not be read at the end");
        }
        let mut told = Checked::default();
        told.find("set.wrong", self.verdict(), (wrong, text), &self.examples);
        told.measure("set.acknowledged", Some(*acknowledged as f64));
        let at_the_end = [
            ("set.wrong", wrong),
            ("set.lost", *lost),
            ("set.unexpected", *unexpected),
            ("set.duplicated", *duplicated),
            ("set.recovered", *recovered),
        ];
        told.counts(*unread, &at_the_end);
        told
    }
}

#[cfg(test)]
mod tests;
