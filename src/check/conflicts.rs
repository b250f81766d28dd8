//! Writes to one key in different groups, of which neither knew the other one.
//!
//! Each group takes writes at once and hears of the others' later. Two acknowledged writes met if
//! each was done before the other could be there: whatever rule decides then throws one of them
//! away, or keeps both, and nobody was asked.
//!
//! What was there when is not guessed. Replicators carry writes in their order. So where a write
//! that redrill made itself was not there yet ([`hidden`]), no later one was either.

use std::collections::BTreeMap;

use crate::model::measure::count;
use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context};
use super::finding::{Example, Examples, Proof, ProofAction, Zero, millis};
use super::hidden::{self, Shard};
use super::parts::{self, HELD, History, Kept, Keys, ReadError};
use super::register::Write;

/// Counts the writes that met another one. It says nothing where one group takes the writes of all.
pub struct Conflicts;

/// The acknowledged writes to a key, in the order of their sending, and what each group had in the
/// end, by its number: when that was read, and the value.
#[derive(Default)]
struct Writes {
    all: Vec<Write>,
    last: BTreeMap<u8, (Nanos, Option<u64>)>,
}

impl Kept for Writes {
    fn wants(op: &Op) -> bool {
        let of_interest = match op.purpose {
            Purpose::Load => op.action.written().is_some(),
            Purpose::Final => matches!(op.action, Action::Register(RegisterOp::Read(_))),
            Purpose::Fill | Purpose::Beside => false,
        };
        of_interest && op.outcome == Outcome::Ok
    }

    fn keep(&mut self, op: &Op) {
        match (op.purpose, &op.action) {
            (Purpose::Load, _) => self.all.extend(Write::of(op)),
            (_, Action::Register(RegisterOp::Read(found))) => {
                let last = self.last.entry(op.group).or_insert((op.sent, *found));
                *last = (*last).max((op.sent, *found));
            }
            _ => {}
        }
    }

    fn complete(&mut self) {
        self.all.sort_unstable_by_key(|write| (write.sent, write.value));
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
    fn met(&self, one: &Write, (here, there): (&[Shard], &[Shard])) -> Option<&Write> {
        let from = self.writes.partition_point(|other| hidden::until(there, other.sent) < one.done);
        self.first_done.get(from).filter(|other| other.done <= hidden::until(here, one.sent))
    }
}

impl Checker for Conflicts {
    fn name(&self) -> &'static str {
        "conflicts"
    }

    fn compares_groups(&self) -> bool {
        true
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut told = Checked::default();
        if !context.many_writers {
            return Ok(told);
        }
        let (mut all, mut met) = (0, 0);
        let mut examples = Examples::counted_from(context.zero);
        parts::in_parts(history, HELD, |keys: Keys<Writes>, _| {
            for ((load, key), writes) in keys {
                all += writes.all.len() as u64;
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
fn judge(at: (u8, u64), writes: Writes, context: &Context, examples: &mut Examples) -> u64 {
    let mut by_group: BTreeMap<&str, Vec<Write>> = BTreeMap::new();
    let Writes { all, last } = writes;
    let last = End::new(last, context.same_data.get(usize::from(at.0)));
    for write in all {
        let Some(group) = context.done_by(write.load, write.by) else { continue };
        by_group.entry(group).or_default().push(write);
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
                let decided = [one, other].iter().any(|write| last.has(write.value));
                let rank = (u64::from(!decided), one.sent.0, at.0, at.1);
                examples.offer(rank, |zero| example(at, [(own, one), (name, other)], &last, zero));
            }
        }
    }
    met
}

/// What was there in the end, by the names of the groups.
struct End<'a> {
    held: Vec<(&'a str, Option<u64>)>,
    /// Each group was read.
    whole: bool,
}

impl<'a> End<'a> {
    fn new(last: BTreeMap<u8, (Nanos, Option<u64>)>, groups: Option<&'a Vec<String>>) -> End<'a> {
        let groups = groups.map_or(&[][..], Vec::as_slice);
        let name = |group: u8| groups.get(usize::from(group)).map_or("?", String::as_str);
        let held: Vec<_> = last.iter().map(|(group, (_, found))| (name(*group), *found)).collect();
        End { whole: held.len() == groups.len(), held }
    }

    fn has(&self, value: u64) -> bool {
        self.held.iter().any(|(_, found)| *found == Some(value))
    }

    /// Who of the two won, if all groups agree; otherwise what each has.
    fn told(&self, both: [(&str, &Write); 2]) -> String {
        let Some((_, first)) = self.held.first() else { return String::new() };
        if !self.whole || self.held.iter().any(|(_, found)| found != first) {
            let held = self.held.iter().map(|(group, found)| {
                let found = found.map_or("nothing".to_owned(), |value| value.to_string());
                format!("{group} had {found}")
            });
            return format!("; in the end {}", held.collect::<Vec<_>>().join(", "));
        }
        match both.iter().find(|(_, write)| Some(write.value) == *first) {
            Some((group, write)) => format!("; in the end {} was there, of {group}", write.value),
            None => "; both were overwritten later".to_owned(),
        }
    }
}

fn example((load, key): (u8, u64), both: [(&str, &Write); 2], last: &End, zero: Zero) -> Example {
    let [one, other] = both.map(|(group, write)| {
        let [sent, done] = [write.sent, write.done].map(|at| zero.tell(at));
        format!("{group} wrote {} ({sent} to {done})", write.value)
    });
    let end = last.told(both);
    let text = format!("key {key}: {one}, and {other}, each without the other{end}");
    let drawn = |(group, write): (&str, &Write)| Proof {
        process: u32::from(write.load),
        action: ProofAction::Write,
        value: Some(write.value),
        expected: None,
        sent_ms: millis(write.sent),
        done_ms: Some(millis(write.done)),
        key: None,
        link: None,
        group: Some(group.to_owned()),
    };
    let done = both[1].1.done;
    Example { window: both.map(drawn).into(), ..Example::new(load, key, done, text) }
}

#[cfg(test)]
mod tests;
