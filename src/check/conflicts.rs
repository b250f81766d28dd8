//! Writes to one key in different groups, of which neither knew the other one.
//!
//! Each group takes writes at once and hears of the others' later. Two acknowledged writes met if
//! each was done before the other could be there: whatever rule decides then throws one of them
//! away, or keeps both, and nobody was asked.
//!
//! What was there when is not guessed. Replicators carry writes in their order. So where a write
//! that redrill made itself was not there yet ([`hidden`]), no later one was either.

use std::collections::BTreeMap;

use crate::model::Verdict;
use crate::model::measure::count;
use crate::model::op::{Op, Outcome, Purpose};

use super::checker::{Checked, Checker, Context};
use super::finding::{Example, Examples, Zero};
use super::hidden::{self, Span};
use super::parts::{self, HELD, History, Kept, Keys, ReadError};
use super::register::Write;

/// Counts the writes that met another one. It says nothing where one group takes the writes of all.
pub struct Conflicts;

/// The acknowledged writes to a key, in the order of their sending.
#[derive(Default)]
struct Writes(Vec<Write>);

impl Kept for Writes {
    fn wants(op: &Op) -> bool {
        op.purpose == Purpose::Load && op.outcome == Outcome::Ok && op.action.written().is_some()
    }

    fn keep(&mut self, op: &Op) {
        self.0.extend(Write::of(op));
    }

    fn complete(&mut self) {
        self.0.sort_unstable_by_key(|write| (write.sent, write.value));
    }
}

/// The writes of one group, with the one of all from each on that was done first.
struct Group {
    writes: Vec<Write>,
    first_done: Vec<Write>,
}

impl Group {
    fn new(writes: Vec<Write>) -> Group {
        let mut first: Option<Write> = None;
        let earlier = |write: &Write| {
            let known = first.filter(|known| known.done < write.done);
            *first.insert(known.unwrap_or(*write))
        };
        let mut first_done: Vec<Write> = writes.iter().rev().map(earlier).collect();
        first_done.reverse();
        Group { writes, first_done }
    }

    /// A write that certainly met `one`, which another group took: it was done before `one` could
    /// be here, and was sent so late that `one` was done before it could be there.
    fn met(&self, one: &Write, (here, there): (&[Span], &[Span])) -> Option<&Write> {
        let from = self.writes.partition_point(|other| hidden::until(there, other.sent) < one.done);
        self.first_done.get(from).filter(|other| other.done <= hidden::until(here, one.sent))
    }
}

impl Checker for Conflicts {
    fn name(&self) -> &'static str {
        "conflicts"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut told = Checked::default();
        if !context.many_writers {
            return Ok(told);
        }
        let (mut all, mut met) = (0, 0);
        let mut examples = Examples::counted_from(context.zero);
        parts::in_parts(history, HELD, |keys: Keys<Writes>, _| {
            for ((load, key), Writes(writes)) in keys {
                all += writes.len() as u64;
                met += judge((load, key), writes, context, &mut examples);
            }
            Ok(())
        })?;
        let text = format!(
            "{} of {} writes met one to the same key in another group, at least",
            count(met),
            count(all)
        );
        told.find("sync.conflicts", Verdict::Pass, (met, text), &examples);
        told.measure("sync.conflicts", Some(met as f64));
        Ok(told)
    }
}

/// Returns how many of the writes to a key met another one.
fn judge(at: (u8, u64), writes: Vec<Write>, context: &Context, examples: &mut Examples) -> u64 {
    let mut by_group: BTreeMap<&str, Vec<Write>> = BTreeMap::new();
    for write in writes {
        let group = context.same_data.get(usize::from(write.load)).and_then(|all| all.first());
        by_group.entry(group.map_or("", String::as_str)).or_default().push(write);
    }
    let groups: Vec<(&str, Group)> =
        by_group.into_iter().map(|(name, writes)| (name, Group::new(writes))).collect();
    let mut met = 0;
    for (own, group) in &groups {
        let others = groups.iter().filter(|(name, _)| name != own);
        let ways = |name: &str| (context.hidden.of(own, name), context.hidden.of(name, own));
        let others: Vec<_> = others.map(|(name, other)| (*name, other, ways(name))).collect();
        for one in &group.writes {
            let mut meets = others
                .iter()
                .filter_map(|(name, other, ways)| Some((*name, other.met(one, *ways)?)));
            let Some((name, other)) = meets.next() else { continue };
            met += 1;
            // Of the two that met, the earlier one tells.
            if one.sent <= other.sent {
                let rank = (one.sent.0, one.value, at.0, at.1);
                examples.offer(rank, |zero| example(at, (own, one), (name, other), zero));
            }
        }
    }
    met
}

fn example(
    (load, key): (u8, u64),
    one: (&str, &Write),
    other: (&str, &Write),
    zero: Zero,
) -> Example {
    let told = |(group, write): (&str, &Write)| {
        let [sent, done] = [write.sent, write.done].map(|at| zero.tell(at));
        format!("{group} wrote {} ({sent} to {done})", write.value)
    };
    let text = format!("key {key}: {}, and {}, each without the other", told(one), told(other));
    Example::new(load, key, other.1.done, text)
}

#[cfg(test)]
mod tests;
