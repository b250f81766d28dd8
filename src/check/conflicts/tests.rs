use proptest::prelude::*;

use super::*;
use crate::check::checker::Sides;
use crate::check::hidden::Hidden;
use crate::model::op::{Action, RegisterOp};
use crate::model::{Nanos, NodeName};

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

/// Clients of `us` that turn to `eu` write there, and what a group took it knows.
#[test]
fn a_write_is_of_the_group_whose_node_answered() {
    let context = |may_turn| {
        let mut sides = Sides::default();
        for (node, group) in [(0, "us"), (1, "us"), (2, "eu")] {
            sides.name((0, node), NodeName::new(group, 0, 0));
        }
        sides.name((1, 0), NodeName::new("eu", 0, 0));
        Context { sides, may_turn: vec![may_turn, false], ..context(40) }
    };
    let other = || Op { by: Some(0), ..write(1, 6, 120, 121) };
    let met =
        |by, may_turn| told(&[Op { by, ..write(0, 5, 100, 101) }, other()], &context(may_turn)).0;
    assert_eq!(met(Some(0), true), 2.0, "both groups took one");
    assert_eq!(met(Some(2), true), 0.0, "one group took both");
    assert_eq!(met(None, true), 0.0, "nobody knows who took it");
    assert_eq!(met(None, false), 2.0, "there is no other group that its clients use");
}

#[test]
fn who_won_is_told_and_both_are_drawn() {
    let both = [write(0, 5, 100, 101), write(1, 6, 120, 121)];
    let found = |group: u8, value| Op {
        purpose: Purpose::Final,
        action: Action::Register(RegisterOp::Read(value)),
        group,
        ..write(0, 0, 900, 901)
    };
    // As all checkers are asked, which mostly hear of the own group's final reads only.
    let example = |last: &[Option<u64>]| {
        let last = last.iter().zip(0..).map(|(value, group)| found(group, *value));
        let ops: Vec<Op> = both.iter().cloned().chain(last).collect();
        let loads = [crate::model::Workload::Register; 2];
        let told = crate::check::check(&loads, &&ops[..], &context(40)).unwrap();
        let of_conflicts = told.findings.iter().find(|found| found.kind == "conflicts").unwrap();
        of_conflicts.examples[0].clone()
    };
    let told = |last: &[Option<u64>]| example(last).text;
    let ends = |last: &[Option<u64>], end: &str| {
        let text = told(last);
        assert!(text.ends_with(&format!("each without the other{end}")), "{text}");
    };
    ends(&[], "");
    ends(&[Some(6), Some(6)], "; in the end 6 was there, of eu");
    ends(&[Some(5), Some(5)], "; in the end 5 was there, of us");
    ends(&[Some(7), Some(7)], "; both were overwritten later");
    ends(&[Some(5), Some(6)], "; in the end us had 5, eu had 6");
    ends(&[Some(6), Some(7)], "; in the end us had 6, eu had 7");
    ends(&[Some(6), None], "; in the end us had 6, eu had nothing");
    ends(&[Some(6)], "; in the end us had 6");
    let drawn = example(&[Some(6), Some(6)]).window;
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
