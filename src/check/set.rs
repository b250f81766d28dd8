//! Sets: every acknowledged element is there at the end, once, and nothing else.

use std::collections::HashMap;

use crate::model::Nanos;
use crate::model::op::{Action, Op, Outcome, Purpose, SetOp};

use super::checker::Context;
use super::parts::Kept;
use super::per_key::{Found, PerKey, Words};
use super::recovery_point::RecoveryPoints;

/// Judges every set by the last answered read of its members of purpose `Final`.
pub struct Sets;

#[derive(Debug, Default)]
pub struct Set {
    /// When an element was first acknowledged, and by whom; `None` if it never was.
    inserted: HashMap<u64, Option<Acknowledged>>,
    last: Option<(Nanos, Box<[u64]>)>,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    sent: Nanos,
    done: Nanos,
    /// The load, and the index of the node.
    by: Option<(u8, u16)>,
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
                let by = op.by.map(|by| (op.load, by));
                let now = ok.then_some(Acknowledged { sent: op.sent, done: op.done, by });
                let known = self.inserted.entry(*element).or_default();
                *known = known.iter().copied().chain(now).min_by_key(|one| one.done);
            }
        }
    }
}

const WORDS: Words = Words {
    name: "sets",
    family: "set",
    known: &["acknowledged"],
    sums: &[],
    text: "{lost} of {acknowledged} acknowledged elements lost, {unexpected} unexpected, \
           {duplicated} duplicated, {recovered} recovered",
    unread: "{unread} sets could not be read at the end",
};

impl PerKey for Sets {
    type Key = Set;

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn judge(&self, at: (u8, u64), set: &Set, found: &mut Found) {
        let acknowledged = set.inserted.values().flatten().count() as u64;
        found.add("acknowledged", acknowledged);
        let context = found.context.clone();
        let Context { sides, failures, .. } = &*context;
        let points = found.points.get_or_insert_with(|| RecoveryPoints::new(failures));
        let Some((read, members)) = &set.last else {
            if acknowledged > 0 {
                points.unread();
                found.unread();
            }
            return;
        };
        let mut times: HashMap<u64, u32> = HashMap::new();
        members.iter().for_each(|element| *times.entry(*element).or_default() += 1);
        let element = |element: u64| format!("element {element} of set {}", at.1);
        for (number, times) in &times {
            match set.inserted.get(number) {
                None => {
                    found.add("unexpected", 1);
                    found.show(at, (read.0, *number), *read, |_| {
                        format!("{} is there, and nobody can have added it", element(*number))
                    });
                }
                Some(None) => found.add("recovered", 1),
                Some(Some(_)) => {}
            }
            if *times > 1 {
                found.add("duplicated", 1);
                found.show(at, (read.0, *number), *read, |_| {
                    format!("{} is there more than once", element(*number))
                });
            }
        }
        for (number, acknowledged) in &set.inserted {
            let Some(Acknowledged { sent, done, by }) = *acknowledged else { continue };
            let points = found.points.get_or_insert_with(RecoveryPoints::default);
            if times.contains_key(number) {
                points.survived(failures, at, done);
            } else if done < *read {
                let wrong_side = by.map(|node| sides.lost(node, done));
                points.lost(failures, at, ((sent, done), wrong_side));
                found.add("lost", 1);
                found.show(at, (done.0, *number), done, |zero| {
                    format!(
                        "{} was acknowledged at {} and is lost",
                        element(*number),
                        zero.tell(done)
                    )
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
