//! Transactions on several registers: whether they have one order, together with all else on the
//! same keys. Histories from elsewhere have them; redrill's own loads have none.

use std::collections::HashMap;

use crate::model::Verdict;
use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples, Finding};
use super::linear::{Found, Txn, search_together};
use super::parts::{History, ReadError};
use super::register::NEVER;

/// The steps of all searches together.
const STEPS: u64 = 3_000_000;

/// Judges keys together that transactions tie to each other. [`super::Orders`] judges each key by
/// itself, so it misses what only two keys show: a transaction seen on one and not on the other.
///
/// The operations of a transaction have one number of a session. The history is held in memory.
pub struct Transactions;

impl Checker for Transactions {
    fn name(&self) -> &'static str {
        "transactions"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut ops: Vec<Op> = Vec::new();
        history.each(&mut |op| {
            if matches!(op.action, Action::Register(_)) && op.purpose != Purpose::Final {
                ops.push(op.clone());
            }
        })?;
        let mut checked = Checked::default();
        let ties = Ties::of(&ops);
        if ties.are_none() {
            return Ok(checked);
        }
        let (mut groups, mut broken, mut undecided, mut steps) = (0, 0, 0, STEPS);
        let mut examples = Examples::counted_from(context.zero);
        for (keys, txns) in ties.groups(&ops) {
            let first = txns.first().map_or(NEVER, |txn| txn.sent);
            groups += 1;
            match search_together(txns, &mut steps) {
                Found::Order => {}
                Found::Nothing => undecided += 1,
                Found::NoOrder => {
                    broken += 1;
                    examples.offer((first.0, 0, 0, keys[0]), |zero| {
                        let named: Vec<String> = keys.iter().map(u64::to_string).collect();
                        let text = format!(
                            "no order explains what was done to the keys {} from {} on",
                            named.join(", "),
                            zero.tell(first)
                        );
                        Example::new(0, keys[0], first, text)
                    });
                }
            }
        }
        let mut text =
            format!("{broken} of {groups} groups of keys that transactions tie not linearizable");
        if undecided > 0 {
            text += &format!("; the search was given up for {undecided}");
        }
        let verdict: Verdict = verdict(broken, undecided);
        let (kind, examples) = ("transactions".to_owned(), examples.list());
        checked.findings.push(Finding { kind, verdict, text, count: broken, examples });
        Ok(checked)
    }
}

/// Which keys are judged together: for each, another one of its group, or itself.
struct Ties(HashMap<u64, u64>);

impl Ties {
    fn of(ops: &[Op]) -> Ties {
        let mut ties = Ties(HashMap::new());
        for pair in ops.windows(2).filter(|pair| session(&pair[0]).is_some()) {
            if session(&pair[0]) == session(&pair[1]) {
                let (one, other) = (ties.root(pair[0].key), ties.root(pair[1].key));
                ties.0.insert(one, other);
                ties.0.insert(other, other);
            }
        }
        ties
    }

    fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    fn root(&self, mut key: u64) -> u64 {
        while let Some(next) = self.0.get(&key).filter(|next| **next != key) {
            key = *next;
        }
        key
    }

    /// The keys of each group, and what was done to them.
    fn groups(&self, ops: &[Op]) -> Vec<(Vec<u64>, Vec<Txn>)> {
        let mut groups: HashMap<u64, (Vec<u64>, Vec<Txn>)> = HashMap::new();
        let mut last = None;
        for op in ops.iter().filter(|op| self.0.contains_key(&op.key)) {
            let (keys, txns) = groups.entry(self.root(op.key)).or_default();
            let place = keys.iter().position(|key| *key == op.key).unwrap_or_else(|| {
                keys.push(op.key);
                keys.len() - 1
            });
            let Action::Register(act) = op.action else { continue };
            let goes_on = session(op).is_some() && session(op) == last;
            last = session(op);
            let is_read = matches!(act, RegisterOp::Read(_));
            let done = match op.outcome {
                Outcome::Ok => op.done,
                Outcome::Unknown(_) => NEVER,
                Outcome::Fail(_) => continue,
            };
            match txns.last_mut().filter(|_| goes_on) {
                Some(txn) => txn.acts.push((place, act)),
                // It shows nothing and changes nothing.
                None if is_read && done == NEVER && session(op).is_none() => {}
                None => txns.push(Txn { sent: op.sent, done, acts: vec![(place, act)] }),
            }
        }
        let mut groups: Vec<(Vec<u64>, Vec<Txn>)> = groups.into_values().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        groups
    }
}

fn session(op: &Op) -> Option<u64> {
    op.part.map(|part| part.session)
}

#[cfg(test)]
mod tests;
