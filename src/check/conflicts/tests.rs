use proptest::prelude::*;

use super::*;
use crate::check::hidden::Hidden;
use crate::model::Nanos;
use crate::model::op::{Action, RegisterOp};

/// A write by the load `us` (0) or `eu` (1), to a key of the first.
fn write(load: u8, value: u64, sent: u64, done: u64) -> Op {
    let action = Action::Register(RegisterOp::Write(value));
    Op { load, shares: Some(0), ..Op::new(1, action, Nanos(sent), Nanos(done)) }
}

/// What is written in one group is there in the other one 40 later. That was looked at every 10.
fn context(lag: u64) -> Context {
    let [us, eu] = ["us", "eu"].map(str::to_owned);
    let seen = |n: u64| (Nanos(n * 10), Nanos(n * 10 + lag));
    let mut hidden = Hidden::default();
    hidden.add((us.clone(), eu.clone()), (0..100).map(seen));
    hidden.add((eu.clone(), us.clone()), (0..100).map(seen));
    let same_data = vec![vec![us.clone(), eu.clone()], vec![eu, us]];
    Context { many_writers: true, same_data, hidden, ..Context::default() }
}

fn told(ops: &[Op], context: &Context) -> (f64, Vec<String>) {
    let told = Conflicts.check(&ops, context).unwrap();
    let examples = told.findings[0].examples.iter().map(|example| example.text.clone());
    assert_eq!(told.findings[0].verdict, Verdict::Pass, "that writes meet is nobody's fault");
    (told.measures["sync.conflicts"], examples.collect())
}

#[test]
fn writes_meet_if_each_was_done_before_the_other_was_there() {
    let context = context(40);
    let both = [write(0, 5, 100, 101), write(1, 6, 120, 121)];
    let (met, examples) = told(&both, &context);
    assert_eq!(met, 2.0);
    let text = "key 1: us wrote 5 (0.000s to 0.000s), and eu wrote 6 (0.000s to 0.000s), each \
                without the other";
    assert_eq!(examples, [text]);
    let at_once = [write(0, 5, 100, 101), write(1, 6, 139, 140)];
    assert_eq!(told(&at_once, &context).0, 2.0, "the first was not there when it was done");
    let later = [write(0, 5, 100, 101), write(1, 6, 139, 141)];
    assert_eq!(told(&later, &context).0, 0.0, "it may have been there");
    let same = [write(0, 5, 100, 101), write(0, 6, 120, 121)];
    assert_eq!(told(&same, &context).0, 0.0, "one group knows what it has");
    let other = [write(0, 5, 100, 101), Op { key: 2, ..write(1, 6, 120, 121) }];
    assert_eq!(told(&other, &context).0, 0.0);
    let unknown = Outcome::Unknown(crate::model::op::Cause::Timeout);
    let lost = [write(0, 5, 100, 101), Op { outcome: unknown, ..write(1, 6, 120, 121) }];
    assert_eq!(told(&lost, &context).0, 0.0, "nobody knows when it was done");
}

#[test]
fn who_won_is_told_and_both_are_drawn() {
    let both = [write(0, 5, 100, 101), write(1, 6, 120, 121)];
    let found = |load: u8, value| Op {
        purpose: Purpose::Final,
        action: Action::Register(RegisterOp::Read(Some(value))),
        ..write(load, value, 900, 901)
    };
    let example = |last: &[u64]| {
        let last = last.iter().zip(0..).map(|(value, load)| found(load, *value));
        let ops: Vec<Op> = both.iter().cloned().chain(last).collect();
        Conflicts.check(&&ops[..], &context(40)).unwrap().findings[0].examples[0].clone()
    };
    let told = |last: &[u64]| example(last).text;
    assert!(told(&[6, 6]).ends_with("without the other; in the end 6 was there, of eu"));
    assert!(told(&[5]).ends_with("; in the end 5 was there, of us"));
    assert!(told(&[7, 7]).ends_with("; both were overwritten later"));
    assert!(told(&[5, 6]).ends_with("; in the end the groups had one each"));
    let drawn = example(&[6]).window;
    let groups: Vec<_> = drawn.iter().map(|proof| proof.group.as_deref()).collect();
    assert_eq!(groups, [Some("us"), Some("eu")]);
}

#[test]
fn where_nobody_looked_only_what_is_certain_counts() {
    let blind = Context { hidden: Hidden::default(), ..context(40) };
    let both = [write(0, 5, 100, 101), write(1, 6, 100, 101)];
    assert_eq!(told(&both, &blind).0, 0.0, "a link may take no time at all");
    // Nothing is seen from 500 on for so long.
    let mut cut = Context { hidden: Hidden::default(), ..context(40) };
    let seen = (0..100).map(|n| (Nanos(n * 10), Nanos(n * 10 + 40)));
    let there = seen.clone().chain([(Nanos(500), Nanos(900))]);
    cut.hidden.add(("us".to_owned(), "eu".to_owned()), there);
    cut.hidden.add(("eu".to_owned(), "us".to_owned()), seen);
    let both = [write(0, 5, 510, 511), write(1, 6, 850, 851), write(0, 7, 880, 881)];
    let (met, _) = told(&both, &cut);
    assert_eq!(met, 3.0, "through the cut, and within the lag");
    // Of another shard nobody knows that: any key may be in it.
    let quick = (0..100).map(|n| (Nanos(n * 10), Nanos(n * 10 + 40)));
    cut.hidden.add(("us".to_owned(), "eu".to_owned()), quick);
    assert_eq!(told(&both, &cut).0, 2.0, "only within the lag");
    let one_way = Context { many_writers: false, ..context(40) };
    assert!(Conflicts.check(&&both[..], &one_way).unwrap().measures.is_empty());
}

/// The definition, as plainly as possible.
fn plainly(ops: &[Op], context: &Context) -> f64 {
    let name = |op: &Op| context.same_data[usize::from(op.load)][0].clone();
    let until = |from: &Op, to: &Op| {
        let in_each = context.hidden.of(&name(from), &name(to)).iter().map(|spans| {
            let known = spans.iter().filter(|(since, _)| *since <= from.sent);
            known.map(|(_, until)| *until).chain([from.sent]).max().unwrap()
        });
        in_each.min().unwrap_or(from.sent)
    };
    let meets = |one: &&Op| {
        ops.iter().any(|other| {
            other.load != one.load
                && other.key == one.key
                && other.done <= until(one, other)
                && one.done <= until(other, one)
        })
    };
    ops.iter().filter(meets).count() as f64
}

proptest! {
    #[test]
    fn those_of_the_definition_are_counted(
        rows in prop::collection::vec((0..2u8, 0..3u64, 0..900u64, 0..60u64), 0..30),
        lag in 0..80u64,
    ) {
        let op = |(value, (load, key, sent, took)): (u64, (u8, u64, u64, u64))| {
            Op { key, ..write(load, value, sent, sent + took) }
        };
        let ops: Vec<Op> = (0..).zip(rows).map(op).collect();
        let context = context(lag);
        prop_assert_eq!(told(&ops, &context).0, plainly(&ops, &context));
    }
}
