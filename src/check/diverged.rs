//! Groups that all take writes: at the end, when all is carried, each key is the same in all of
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::Nanos;
use crate::model::measure::count;
use crate::model::op::{Action, CounterOp, Op, Outcome, Purpose, RegisterOp, SetOp};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples};
use super::parts::{self, HELD, History, Kept, Keys, ReadError};

/// Compares the final reads of every key in all groups that have it. It judges loads whose groups
/// [`Context::same_data`] names.
pub struct Diverged;

/// The last final read of each group, by its number among those of the load.
#[derive(Debug, Default)]
struct Everywhere(BTreeMap<u8, (Nanos, Option<Held>)>);

/// What a key held.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Value(u64),
    Elements(BTreeSet<u64>),
}

impl Held {
    /// What a read that was answered found.
    fn of(op: &Op) -> Option<Held> {
        let one = |found: Option<u64>| found.map_or(Held::Nothing, Held::Value);
        match &op.action {
            Action::Register(RegisterOp::Read(found)) => Some(one(*found)),
            Action::Counter(CounterOp::Read(found)) => Some(one(*found)),
            Action::Set(SetOp::Members(all)) if all.is_empty() => Some(Held::Nothing),
            Action::Set(SetOp::Members(all)) => Some(Held::Elements(all.iter().copied().collect())),
            _ => None,
        }
    }

    /// For a person. Of elements those that `others` lack are told.
    fn told(&self, others: &BTreeSet<u64>) -> String {
        match self {
            Held::Nothing => "nothing".to_owned(),
            Held::Value(value) => value.to_string(),
            Held::Elements(all) => {
                let own: Vec<String> =
                    all.difference(others).take(3).map(ToString::to_string).collect();
                let own = if own.is_empty() {
                    String::new()
                } else {
                    format!(" ({} …)", own.join(", "))
                };
                format!("{} elements{own}", count(all.len() as u64))
            }
        }
    }
}

impl Kept for Everywhere {
    fn wants(op: &Op) -> bool {
        op.purpose == Purpose::Final
    }

    fn keep(&mut self, op: &Op) {
        let held = Held::of(op).filter(|_| op.outcome == Outcome::Ok);
        let is_newer = self.0.get(&op.group).is_none_or(|(sent, _)| *sent <= op.sent);
        if is_newer {
            self.0.insert(op.group, (op.sent, held));
        }
    }
}

impl Everywhere {
    /// Whether some group holds that value.
    fn has(&self, value: u64) -> bool {
        self.0.values().any(|(_, held)| *held == Some(Held::Value(value)))
    }

    /// Whether two groups certainly hold different things.
    fn differs(&self) -> bool {
        let mut held = self.0.values().filter_map(|(_, held)| held.as_ref());
        held.next().is_some_and(|first| held.any(|other| other != first))
    }

    /// What each group has, and where its value comes from, if that is known.
    fn told(&self, groups: &[String], origins: &HashMap<u64, String>) -> String {
        let elements = |held: &Option<Held>| match held {
            Some(Held::Elements(all)) => all.clone(),
            _ => BTreeSet::new(),
        };
        let sets = self.0.values().map(|(_, held)| elements(held));
        let in_all = sets.reduce(|one, other| &one & &other).unwrap_or_default();
        let in_group = |(group, (_, held)): (&u8, &(Nanos, Option<Held>))| {
            let name = groups.get(usize::from(*group)).map_or("?", String::as_str);
            let origin = match held {
                Some(Held::Value(value)) => origins.get(value),
                _ => None,
            };
            let origin = origin.map_or(String::new(), |origin| format!(" ({origin})"));
            let held = held.as_ref().map_or("was not read".to_owned(), |held| held.told(&in_all));
            format!("{name}: {held}{origin}")
        };
        self.0.iter().map(in_group).collect::<Vec<_>>().join(", ")
    }
}

/// The keys that differ, with the writes that what they hold comes from.
fn examples(
    history: &dyn History,
    context: &Context,
    worst: BTreeMap<(u64, u8), Everywhere>,
) -> Result<Examples, ReadError> {
    let mut origins: BTreeMap<(u64, u8), HashMap<u64, String>> = BTreeMap::new();
    if !worst.is_empty() {
        history.each_of(&|head| worst.contains_key(&(head.key, head.keyspace())), &mut |op| {
            let at = (op.key, op.keyspace());
            let is_held = |value: &u64| worst.get(&at).is_some_and(|held| held.has(*value));
            if let Some(value) = op.action.written().filter(is_held) {
                origins.entry(at).or_default().insert(value, origin(op, context));
            }
        })?;
    }
    let mut examples = Examples::counted_from(context.zero);
    for ((key, load), everywhere) in worst {
        let groups = context.same_data.get(usize::from(load)).map_or(&[][..], Vec::as_slice);
        let origins = origins.remove(&(key, load)).unwrap_or_default();
        let at = everywhere.0.values().map(|(at, _)| *at).max().unwrap_or_default();
        examples.offer((key, 0, load, key), |_| {
            let text = format!("key {key} differs: {}", everywhere.told(groups, &origins));
            Example::new(load, key, at, text)
        });
    }
    Ok(examples)
}

/// Who wrote a value, when, and which group took it.
fn origin(write: &Op, context: &Context) -> String {
    let (client, sent) = (write.process, context.zero.tell(write.sent));
    match (write.purpose, write.outcome) {
        (Purpose::Fill, _) => "filled in before the load".to_owned(),
        (_, Outcome::Ok) => {
            let (group, done) = (context.done_by(write.load, write.by), write.done);
            let group = group.map_or("acknowledged".to_owned(), |name| format!("{name} took it"));
            format!("client {client} sent it at {sent}, {group} at {}", context.zero.tell(done))
        }
        _ => format!("client {client} sent it at {sent}, and does not know whether it was done"),
    }
}

impl Checker for Diverged {
    fn name(&self) -> &'static str {
        "groups with the same data"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let (mut keys, mut unread, mut diverged) = (0, 0, 0);
        let mut worst: BTreeMap<(u64, u8), Everywhere> = BTreeMap::new();
        parts::in_parts(history, HELD, |part: Keys<Everywhere>, _| {
            for ((load, key), everywhere) in part {
                let Some(groups) = context.same_data.get(usize::from(load)) else { continue };
                let read = everywhere.0.values().filter(|(_, held)| held.is_some()).count();
                keys += 1;
                if everywhere.differs() {
                    diverged += 1;
                    worst.insert((key, load), everywhere);
                    if worst.len() > Examples::MOST {
                        worst.pop_last();
                    }
                } else if read < groups.len() {
                    unread += 1;
                }
            }
            Ok(())
        })?;
        let mut told = Checked::default();
        if keys == 0 {
            return Ok(told);
        }
        let examples = examples(history, context, worst)?;
        let text = format!("{} of {} keys differ between groups", count(diverged), count(keys));
        told.find("sync.diverged", verdict(diverged, unread), (diverged, text), &examples);
        let text = format!("{} keys could not be read in every group", count(unread));
        told.find_unread("sync.diverged", (diverged, unread), text);
        told.of_final_state(unread, "sync.diverged", diverged as f64);
        let equal = (keys - diverged) as f64 / keys as f64 * 100.0;
        told.measure("sync.consistency", Some(equal).filter(|_| unread == 0));
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Verdict, Workload};

    fn read(group: u8, key: u64, action: Action) -> Op {
        let at = Nanos(u64::from(group) + 10);
        Op { group, purpose: Purpose::Final, ..Op::new(key, action, at, at) }
    }

    fn register(group: u8, key: u64, value: u64) -> Op {
        read(group, key, Action::Register(RegisterOp::Read(Some(value))))
    }

    fn judged(ops: &[Op]) -> Checked {
        let same_data = vec![vec!["us".to_owned(), "eu".to_owned()]];
        let context = Context { same_data, ..Context::default() };
        Diverged.check(&ops, &context).unwrap()
    }

    #[test]
    fn keys_that_differ_are_found_with_what_each_group_has() {
        let ops = [register(0, 1, 5), register(1, 1, 5), register(0, 2, 6), register(1, 2, 7)];
        let told = judged(&ops);
        assert_eq!(told.measures["sync.diverged"], 1.0);
        assert_eq!(told.measures["sync.consistency"], 50.0);
        assert_eq!(told.findings[0].verdict, Verdict::Fail);
        assert_eq!(told.findings[0].examples[0].text, "key 2 differs: us: 6, eu: 7");
        let none = read(1, 3, Action::Register(RegisterOp::Read(None)));
        let told = judged(&[register(0, 3, 1), none]);
        assert_eq!(told.findings[0].examples[0].text, "key 3 differs: us: 1, eu: nothing");
        assert_eq!(judged(&ops[..2]).findings[0].verdict, Verdict::Pass);
    }

    #[test]
    fn what_a_group_has_is_told_with_the_write_that_it_comes_from() {
        let second = |n: u64| Nanos(n * 1_000_000_000);
        let write = |load: u8, value: u64, outcome| {
            let action = Action::Register(RegisterOp::Write(value));
            let shares = (load > 0).then_some(0);
            let op = Op::new(2, action, second(value), second(value + 1));
            Op { load, shares, process: 40 + u32::from(load), outcome, ..op }
        };
        let fill = |value| Op { purpose: Purpose::Fill, ..write(0, value, Outcome::Ok) };
        let unknown = Outcome::Unknown(crate::model::op::Cause::Timeout);
        let text = |ops: [Op; 3], held: [u64; 2]| {
            let found = [register(0, 2, held[0]), register(1, 2, held[1])];
            let ops: Vec<Op> = ops.into_iter().chain(found).collect();
            let [us, eu] = ["us", "eu"].map(str::to_owned);
            let same_data = vec![vec![us.clone(), eu.clone()], vec![eu, us]];
            let context = Context { same_data, ..Context::default() };
            let told = crate::check::check(&[Workload::Register; 2], &&ops[..], &context).unwrap();
            let differ = told.findings.iter().find(|one| one.kind == "diverged_keys").unwrap();
            differ.examples[0].text.clone()
        };
        let ops = || [fill(5), write(0, 6, Outcome::Ok), write(1, 7, Outcome::Ok)];
        assert_eq!(
            text(ops(), [6, 7]),
            "key 2 differs: us: 6 (client 40 sent it at 6.000s, us took it at 7.000s), eu: 7 \
             (client 41 sent it at 7.000s, eu took it at 8.000s)"
        );
        assert_eq!(
            text([fill(5), write(0, 6, Outcome::Ok), write(1, 7, unknown)], [5, 7]),
            "key 2 differs: us: 5 (filled in before the load), eu: 7 (client 41 sent it at 7.000s, \
             and does not know whether it was done)"
        );
    }

    #[test]
    fn the_order_of_elements_makes_no_difference_and_missing_ones_are_told() {
        let set =
            |group, key, all: &[u64]| read(group, key, Action::Set(SetOp::Members(all.into())));
        let told = judged(&[set(0, 1, &[3, 1]), set(1, 1, &[1, 3])]);
        assert_eq!(told.findings[0].verdict, Verdict::Pass);
        let told = judged(&[set(0, 1, &[3, 1, 2]), set(1, 1, &[1])]);
        let text = &told.findings[0].examples[0].text;
        assert_eq!(text, "key 1 differs: us: 3 elements (2, 3 …), eu: 1 elements");
    }

    /// The load writes to the first group. What the second one holds is no loss of the load's.
    #[test]
    fn other_checkers_hear_of_the_own_group_only() {
        let write = Op::new(1, Action::Register(RegisterOp::Write(5)), Nanos(1), Nanos(2));
        let older = read(1, 1, Action::Register(RegisterOp::Read(None)));
        let ops = [write, register(0, 1, 5), older];
        let same_data = vec![vec!["us".to_owned(), "eu".to_owned()]];
        let context = Context { same_data, ..Context::default() };
        let told = crate::check::check(&[Workload::Register], &&ops[..], &context).unwrap();
        assert_eq!(told.measures["writes.lost"], 0.0);
        assert_eq!(told.measures["sync.diverged"], 1.0);
        let alone = crate::check::check(&[Workload::Register], &&ops[..2], &Context::default());
        assert!(!alone.unwrap().measures.contains_key("sync.diverged"));
    }

    #[test]
    fn a_group_that_was_not_read_makes_it_unknown() {
        let timed_out = Outcome::Unknown(crate::model::op::Cause::Timeout);
        let lost = Op { outcome: timed_out, ..register(1, 1, 0) };
        let told = judged(&[register(0, 1, 5), lost]);
        assert_eq!(told.findings[0].verdict, Verdict::Unknown);
        assert!(told.measures.is_empty());
        let told = judged(&[register(0, 1, 5)]);
        assert_eq!(told.findings[0].verdict, Verdict::Unknown, "its read is not recorded at all");
        assert!(judged(&[]).findings.is_empty());
    }
}
