//! Both checkers compared with their definitions, written a second time as plainly as possible,
//! over small random histories.

use std::time::Duration;

use proptest::prelude::*;

use crate::model::catalogue::{self, ScenarioFacts};
use crate::model::event::CacheInfo;
use crate::model::op::{
    Action, CacheOp, Cause, FoundIn, LockOp, Op, OpHead, Outcome, Purpose, RegisterOp, SetOp,
};
use crate::model::{Nanos, Verdict, Workload};

use super::per_key::PerKey;
use super::*;

pub(super) fn op(action: Action, key: u64, sent: u64, done: u64, outcome: Outcome) -> Op {
    Op { outcome, ..Op::new(key, action, Nanos(sent), Nanos(done)) }
}

/// What a checker counts, by the words of its measures, with its verdict.
pub(super) fn judged<C: PerKey>(checker: C, ops: &[Op]) -> (per_key::Counts, Verdict) {
    let mut all = per_key::found(&checker, &ops, &Context::default()).unwrap().all();
    let verdict = all.verdict(checker.words().family);
    (all, verdict)
}

/// What it tells of rows: its finding.
pub(super) fn finding(checker: &dyn Checker, ops: &[Op]) -> Finding {
    checker.check(&ops, &Context::default()).unwrap().findings.remove(0)
}

fn write(key: u64, value: u64, sent: u64, done: u64) -> Op {
    op(Action::Register(RegisterOp::Write(value)), key, sent, done, Outcome::Ok)
}

fn read(key: u64, value: Option<u64>, sent: u64, done: u64) -> Op {
    op(Action::Register(RegisterOp::Read(value)), key, sent, done, Outcome::Ok)
}

fn last(key: u64, value: Option<u64>, sent: u64) -> Op {
    Op { purpose: Purpose::Final, ..read(key, value, sent, sent + 1) }
}

fn lost_in(ops: &[Op], limit: usize, context: &Context) -> lost::Found {
    lost::Found::read(&ops, limit, context).unwrap()
}

/// The value that a read found; `None` if it is no read.
fn found(op: &Op) -> Option<Option<u64>> {
    match op.action {
        Action::Register(RegisterOp::Read(value)) => Some(value),
        _ => None,
    }
}

fn reading(value: Option<u64>) -> Action {
    Action::Register(RegisterOp::Read(value))
}

fn lost(ops: &[Op]) -> lost::Found {
    lost_in(ops, parts::HELD, &Context::default())
}

fn stale(ops: &[Op]) -> stale::Found {
    stale::Found::read(&ops, parts::HELD, &Context::default()).unwrap()
}

fn linearizable(ops: &[Op]) -> orders::Linearizable {
    orders::read(&ops, parts::HELD, Default::default()).unwrap().0
}

/// The verdicts of the findings.
fn verdicts(told: Checked) -> Vec<Verdict> {
    told.findings.iter().map(|finding| finding.verdict).collect()
}

fn whole() -> Context {
    Context { whole: true, ..Context::default() }
}

/// Acknowledged writes that `read` missed in every order of overlapping operations: each
/// possible writer of its value (or the empty beginning) had ended before them.
fn missed<'a>(ops: &'a [Op], read: &Op) -> Vec<&'a Op> {
    let value = found(read).unwrap();
    let writers: Vec<&Op> = ops
        .iter()
        .filter(|f| f.key == read.key && value.is_some() && f.action.written() == value)
        .filter(|f| !matches!(f.outcome, Outcome::Fail(_)) && f.sent <= read.done)
        .collect();
    let done_before = |f: &Op, w: &Op| f.outcome == Outcome::Ok && f.done < w.sent;
    let explained = value.is_none() || !writers.is_empty();
    ops.iter()
        .filter(|w| w.action.written().is_some() && w.key == read.key && w.outcome == Outcome::Ok)
        .filter(|w| w.done < read.sent)
        .filter(|w| explained && writers.iter().all(|f| done_before(f, w)))
        .collect()
}

fn strange(ops: &[Op], read: &Op) -> bool {
    let value = found(read).unwrap();
    value.is_some()
        && !ops.iter().any(|f| {
            f.action.written() == value
                && f.key == read.key
                && f.sent <= read.done
                && !matches!(f.outcome, Outcome::Fail(_))
        })
}

fn answered_reads(ops: &[Op], purpose: Purpose) -> impl Iterator<Item = &Op> {
    ops.iter()
        .filter(move |r| found(r).is_some() && r.outcome == Outcome::Ok && r.purpose == purpose)
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Ok),
        1 => Just(Outcome::Unknown(Cause::Timeout)),
        1 => Just(Outcome::Fail(Cause::ClusterDown)),
    ]
}

/// A few keys, instants close enough that rows often overlap or touch, and values that reads
/// are likely to find. Some values are written twice or never.
fn histories() -> impl Strategy<Value = Vec<Op>> {
    let row = (any::<bool>(), 0..3u64, 0..12u64, 0..60u64, 0..12u64, outcomes());
    let rows = prop::collection::vec(row, 0..24);
    let finals = prop::collection::vec((prop::option::of(0..12u64), 40..90u64, outcomes()), 3);
    (rows, finals).prop_map(|(rows, finals)| {
        let mut ops: Vec<Op> = rows
            .into_iter()
            .map(|(writes, key, value, sent, took, outcome)| {
                let row = match writes {
                    true => write(key, value, sent, sent + took),
                    false => read(key, (value > 0).then_some(value), sent, sent + took),
                };
                Op { outcome, ..row }
            })
            .collect();
        for (key, (value, sent, outcome)) in finals.into_iter().enumerate() {
            ops.push(Op { outcome, ..last(key as u64, value, sent) });
        }
        ops
    })
}

/// Value 2 was acknowledged at 30 and lost; reads find 1 again.
#[test]
fn a_value_that_came_back_is_not_late() {
    let by = |op: Op, node: u16| Op { by: Some(node), ..op };
    let writes = [by(write(1, 1, 0, 10), 0), by(write(1, 2, 20, 30), 0)];
    let back = |node| (0..50).map(move |i| by(read(1, Some(1), 1_000 + i, 1_001 + i), node));
    let found = |rest: Vec<Op>, context: &Context| {
        let ops = [&writes[..], &rest].concat();
        let found = stale::Found::read(&&ops[..], parts::HELD, context).unwrap();
        (found.stale, found.reverted, found.oldest)
    };
    let none = Context::default();
    // The final state says so.
    let ends = |value| last(1, Some(value), 3_000);
    assert_eq!(found(back(1).chain([ends(1)]).collect(), &none), (0, 50, None));
    // A later write hides it there, but who had acknowledged it answered.
    let covered = || [by(write(1, 3, 2_000, 2_001), 1), ends(3)];
    assert_eq!(found(back(0).chain(covered()).collect(), &none), (0, 50, None));
    // Another node may just be late, unless it had been elected in that one's place.
    let late = (50, 0, Some(Duration::from_nanos(1_019)));
    assert_eq!(found(back(1).chain(covered()).collect(), &none), late);
    let mut context = Context::default();
    context.sides.add((0, 0), Nanos(500), Nanos(u64::MAX));
    assert_eq!(found(back(1).chain(covered()).collect(), &context), late, "it is a replica");
    context.sides.add_lead((0, 1), Nanos(500), Nanos(u64::MAX));
    assert_eq!(found(back(1).chain(covered()).collect(), &context), (0, 50, None));
    // Who missed something that was there as well was late.
    let both = vec![by(write(1, 3, 900, 910), 1), by(read(1, Some(1), 1_000, 1_001), 1), ends(3)];
    assert_eq!(found(both, &context), (0, 1, None), "the node that had acknowledged it lost it");
    let both = vec![by(write(1, 3, 900, 910), 2), by(read(1, Some(1), 1_000, 1_001), 1), ends(3)];
    assert_eq!(found(both, &context), (1, 0, Some(Duration::from_nanos(90))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn lost_writes_are_those_of_the_definition(ops in histories(), limit in 1..40usize) {
        let found = lost_in(&ops, limit, &Context::default());
        let finals: Vec<&Op> = answered_reads(&ops, Purpose::Final).collect();
        let gone: Vec<&Op> = finals.iter().flat_map(|r| missed(&ops, r)).collect();
        prop_assert_eq!(found.lost, gone.len() as u64);
        let begins: Vec<Nanos> = (0..4).map(|n| Nanos(5 + n * 7)).collect();
        let windows = Windows { every: Duration::from_nanos(7), begins: vec![begins.clone()] };
        let timed = lost_in(&ops, limit, &Context { windows, ..Context::default() });
        let within = |from: Nanos| move |w: &&&Op| w.done >= from && w.done.0 < from.0 + 7;
        let counts = begins.iter().map(|from| gone.iter().filter(within(*from)).count() as u64);
        prop_assert_eq!(timed.over_time.counts(0), counts.collect::<Vec<_>>());
        let odd = finals.iter().filter(|r| strange(&ops, r)).count();
        prop_assert_eq!(found.unexpected.count(), odd as u64);
        let acknowledged: Vec<&Op> = ops
            .iter()
            .filter(|w| w.action.written().is_some() && w.outcome == Outcome::Ok)
            .collect();
        prop_assert_eq!(found.acknowledged, acknowledged.len() as u64);
        let unknown = (0..3).filter(|key| {
            acknowledged.iter().any(|w| w.key == *key) && finals.iter().all(|r| r.key != *key)
        });
        prop_assert_eq!(found.unread, unknown.count() as u64);
    }

    #[test]
    fn stale_reads_are_those_of_the_definition(ops in histories(), limit in 1..40usize) {
        let context = Context { many_writers: true, ..Context::default() };
        let found = stale::Found::read(&&ops[..], limit, &context).unwrap();
        let reads: Vec<&Op> = answered_reads(&ops, Purpose::Load).collect();
        let finals: Vec<&Op> = answered_reads(&ops, Purpose::Final).collect();
        let lost: Vec<&Op> = finals.iter().flat_map(|r| missed(&ops, r)).collect();
        let is_lost = |w: &Op| lost.iter().any(|other| std::ptr::eq(*other, w));
        let there = |r: &Op| missed(&ops, r).into_iter().filter(|w| !is_lost(w));
        let ages: Vec<Duration> =
            reads.iter().filter_map(|r| there(r).map(|w| r.sent.since(w.done)).max()).collect();
        let back = |r: &&&Op| !missed(&ops, r).is_empty() && there(r).next().is_none();
        prop_assert_eq!(found.reverted, reads.iter().filter(back).count() as u64);
        prop_assert_eq!(found.reads, reads.len() as u64);
        prop_assert_eq!(found.stale, ages.len() as u64);
        prop_assert_eq!(found.oldest, ages.iter().max().copied());
        // Small numbers are exact in a histogram.
        let behind = found.behind.unwrap();
        let versions = reads.iter().filter(|r| there(r).next().is_some());
        let versions = versions.map(|r| missed(&ops, r).len() as u64).max();
        prop_assert_eq!(behind.versions.max(), versions.unwrap_or(0));
        prop_assert_eq!(behind.versions.len(), found.reads);
        let oldest = found.oldest.unwrap_or_default().as_nanos() as u64;
        prop_assert_eq!(behind.ages.max(), oldest);
        let odd = reads.iter().filter(|r| strange(&ops, r)).count();
        prop_assert_eq!(found.unexpected.count(), odd as u64);
    }

    #[test]
    fn the_parts_in_which_a_history_is_read_do_not_show(ops in histories(), limit in 1..40usize) {
        let told = |limit: usize| {
            let (linearizable, sessions) = orders::read(&&ops[..], limit, Default::default()).unwrap();
            (linearizable.told(true).findings, sessions.told().findings)
        };
        prop_assert_eq!(told(limit), told(parts::HELD));
    }

    /// The check of all orders finds everything that the two simple checks find.
    #[test]
    fn what_lost_or_stale_is_has_no_order(ops in histories()) {
        let simple = [lost(&ops).verdict(), stale(&ops).verdict()].contains(&Verdict::Fail)
            || stale(&ops).reverted > 0
            || lost(&ops).unexpected.count() + stale(&ops).unexpected.count() > 0;
        let verdict = linearizable(&ops).verdict(true);
        prop_assert!(!simple || verdict == Verdict::Fail);
    }

    /// A server that does everything at once, in order, has no findings.
    #[test]
    fn a_right_server_is_never_accused(rows in rows_of_a_right_server()) {
        prop_assert_eq!(verdicts(lost(&rows).told(&whole())), [Verdict::Pass]);
        prop_assert_eq!(verdicts(stale(&rows).told(true)), [Verdict::Pass; 2]);
        prop_assert_eq!(linearizable(&rows).verdict(true), Verdict::Pass);
    }
}

/// Each operation takes effect at one instant between sending and answer. Some answers to
/// writes are lost (the outcome is unknown, done or not).
fn rows_of_a_right_server() -> impl Strategy<Value = Vec<Op>> {
    let row = (any::<bool>(), 0..2u64, 0..9u64, 0..9u64, 0..8u8);
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let mut state = [None; 2];
        let mut ops = Vec::new();
        for (i, (writes, key, before, after, luck)) in rows.into_iter().enumerate() {
            let (now, value) = (100 + 3 * i as u64, i as u64);
            let (sent, done) = (now - before, now + after);
            if !writes {
                ops.push(read(key, state[key as usize], sent, done));
                continue;
            }
            if luck != 0 {
                state[key as usize] = Some(value);
            }
            let unknown = Outcome::Unknown(Cause::ConnectionLost);
            let outcome = if luck < 2 { unknown } else { Outcome::Ok };
            ops.push(Op { outcome, ..write(key, value, sent, done) });
        }
        ops.extend((0..2).map(|key| last(key, state[key as usize], 1000)));
        ops
    })
}

/// Two keys, written in turn and read back, as a correct server would answer.
fn right() -> Vec<Op> {
    let mut ops = Vec::new();
    for i in 0..10 {
        let (key, sent) = (i % 2, 100 * i);
        ops.push(write(key, i, sent, sent + 10));
        ops.push(read(key, Some(i), sent + 20, sent + 30));
    }
    ops.extend([last(0, Some(8), 5000), last(1, Some(9), 5000)]);
    ops
}

#[test]
fn one_changed_row_is_seen() {
    assert_eq!(lost(&right()).verdict(), Verdict::Pass);
    assert_eq!(stale(&right()).verdict(), Verdict::Pass);

    let mut ops = right();
    let end = ops.len() - 1;
    ops[end].action = reading(Some(5));
    let found = lost(&ops);
    assert_eq!(found.lost, 2, "values 7 and 9 are gone");
    assert_eq!(stale(&ops).stale, 0, "a final read is not a stale read");

    ops[end].action = reading(None);
    assert_eq!(lost(&ops).lost, 5, "all writes to the key are gone with it");

    ops[end].action = reading(Some(77));
    let found = lost(&ops);
    assert_eq!((found.lost, found.unexpected.count()), (0, 1));
    assert_eq!(verdicts(found.clone().told(&whole())), [Verdict::Pass, Verdict::Fail]);
    assert_eq!(verdicts(found.told(&Context::default())), [Verdict::Pass, Verdict::Unknown]);

    ops[end].outcome = Outcome::Fail(Cause::Timeout);
    let found = lost(&ops);
    assert_eq!((found.unread, found.verdict()), (1, Verdict::Unknown));

    let mut ops = right();
    ops[19].action = reading(Some(5));
    let found = stale(&ops);
    assert_eq!((found.stale, found.oldest), (1, Some(Duration::from_nanos(920 - 710))));
    assert_eq!(lost(&ops).lost, 0);
}

/// The write may be in a missing row. Everything else is judged all the same.
#[test]
fn a_value_without_a_write_proves_something_only_of_a_whole_history() {
    let mut ops = vec![write(0, 1, 0, 10), read(0, Some(7), 20, 30), last(0, Some(1), 90)];
    let verdicts = |ops: &[Op]| {
        let found = linearizable(ops);
        (found.verdict(true), found.verdict(false))
    };
    assert_eq!(verdicts(&ops), (Verdict::Fail, Verdict::Unknown));
    ops.extend([write(0, 2, 40, 50), read(0, Some(1), 60, 70)]);
    assert_eq!(verdicts(&ops), (Verdict::Fail, Verdict::Fail));
}

#[test]
fn an_unknown_write_excuses_whatever_follows() {
    let unknown = Outcome::Unknown(Cause::Timeout);
    let mut ops = vec![
        Op { outcome: unknown, ..write(0, 1, 0, 1000) },
        write(0, 2, 2000, 2010),
        read(0, Some(1), 3000, 3010),
        last(0, Some(1), 9000),
    ];
    let found = |ops: &[Op]| (lost(ops).lost, stale(ops).stale, stale(ops).reverted);
    assert_eq!(found(&ops), (0, 0, 0));
    ops[0].outcome = Outcome::Ok;
    assert_eq!(found(&ops), (1, 0, 1), "what followed it is lost");
}

#[test]
fn writes_that_overlap_may_have_happened_in_either_order() {
    let ops = [write(0, 1, 0, 100), write(0, 2, 100, 200), last(0, Some(1), 900)];
    assert_eq!(lost(&ops).lost, 0, "sent in the very nanosecond in which the other was done");
    let ops = [write(0, 1, 0, 100), write(0, 2, 101, 200), last(0, Some(1), 900)];
    assert_eq!(lost(&ops).lost, 1);
}

#[test]
fn loads_do_not_share_keys() {
    let other = |op: Op| Op { load: 1, ..op };
    let ops = [
        write(0, 1, 0, 10),
        other(write(0, 2, 100, 110)),
        last(0, Some(1), 900),
        other(last(0, Some(2), 900)),
    ];
    assert_eq!(lost(&ops).verdict(), Verdict::Pass);
}

#[test]
fn examples_are_few_and_the_worst() {
    let mut ops: Vec<Op> = (0..100).map(|i| write(i, i, 1000 - i, 2000 - i)).collect();
    ops.extend((0..100).map(|i| last(i, None, 9000)));
    let findings = lost(&ops).told(&whole()).findings;
    assert_eq!(findings[0].count, 100);
    assert_eq!(findings[0].examples.len(), 20);
    assert_eq!(findings[0].examples[0].key, 99, "acknowledged first");
    let text = &findings[0].examples[0].text;
    assert!(text.contains("key 99 was gone at the end: value 99"), "{text}");
}

/// A history that cannot be read.
struct Torn;

impl History for Torn {
    fn rows(&self) -> usize {
        1
    }

    fn each_in(
        &self,
        _: KeySpan,
        _: &dyn Fn(OpHead) -> bool,
        _: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        Err("torn".into())
    }
}

#[test]
fn a_reader_s_error_is_handed_on_by_every_checker() {
    let context = Context { many_writers: true, ..whole() };
    for workload in Workload::ALL {
        for checker in of(workload) {
            let told = checker.check(&Torn, &context).unwrap_err().to_string();
            assert_eq!(told, "torn", "{}", checker.name());
        }
        assert_eq!(check(&[workload], &Torn, &context).unwrap_err().to_string(), "torn");
    }
}

const HELD: LockOp = LockOp::Read { token: 1, balance: None };

/// What one says in a drill is counted by a measure that such a drill has.
#[test]
fn every_checker_tells_measures_of_the_catalogue_and_a_finding_that_one_counts() {
    for workload in Workload::ALL {
        let (many_writers, active_active) = (true, true);
        let own_replicators = true;
        let (fenced, abandoned) = (true, true);
        let facts = ScenarioFacts {
            may_fail_over: true,
            active_active,
            own_replicators,
            fenced,
            abandoned,
            ..none()
        };
        let facts = ScenarioFacts { workloads: &[workload], ..facts };
        let groups = 0..workload.groups() as u8;
        let on = |group| right().into_iter().map(move |op| Op { group, ..op });
        // Of locks nothing is known if nobody had one.
        let had = [LockOp::Acquire { token: 1, shared: false, got: Some(0) }, HELD];
        let had = had.map(|action| Op::new(9, Action::Lock(action), Nanos(1), Nanos(2)));
        let had = had.into_iter().filter(|_| workload == Workload::Lock);
        // What is left in a cache is known if somebody looks at the end.
        let left = CacheOp::Read {
            version: None,
            from: FoundIn::Group,
            asked: None,
            kept: None,
            met: None,
        };
        let left = Op::new(9, Action::Cache(left), Nanos(1), Nanos(2));
        let left = Op { purpose: Purpose::Final, ..left };
        let left = (workload == Workload::Cache).then_some(left);
        let ops: Vec<Op> = groups.flat_map(on).chain(had).chain(left).collect();
        let cache = CacheInfo {
            old_for_ms: 0.0,
            deletes: true,
            entities: None,
            guarded: false,
            by_library: false,
            copies: None,
        };
        let context = Context { many_writers, caches: vec![Some(cache)], ..whole() };
        let told = check(&[workload], &&ops[..], &context).unwrap();
        assert!(!told.findings.is_empty(), "{workload:?}");
        for finding in &told.findings {
            assert!(catalogue::of_finding(&finding.kind).is_some(), "{finding:?}");
        }
        for name in told.measures.keys().chain(told.over_time.keys()) {
            let known = catalogue::known(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(known.lacks(&facts), None, "{name} of {workload:?}");
        }
        for name in told.of_loads.values().flat_map(|own| own.measures.keys()) {
            let known = catalogue::known(name).unwrap();
            assert_eq!(known.of_each(), Some(workload), "{name}");
        }
        // What needs no load, probes find and not a checker.
        let of_loads = |known: &&catalogue::Known| !known.needs.is_empty();
        let judged = catalogue::CATALOGUE.iter().filter(|known| known.finding.is_some());
        // All loads that several groups have the keys of are compared, whatever their workload.
        let judged = judged.filter(|known| known.finding != Some("diverged_keys"));
        for known in judged.filter(of_loads) {
            let told = told.measures.contains_key(known.name);
            assert_eq!(told, known.lacks(&facts).is_none(), "{} of {workload:?}", known.name);
        }
    }
}

fn none() -> ScenarioFacts<'static> {
    ScenarioFacts::default()
}

/// A load of sets beside one of registers: each checker sees the rows of its own loads only, and
/// only these are counted over time.
#[test]
fn a_checker_judges_the_loads_that_it_is_registered_for() {
    let mut ops = right();
    let end = ops.len() - 1;
    ops[end].action = reading(None);
    let begins = vec![vec![Nanos(0)]; 2];
    let windows = Windows { every: Duration::from_secs(1), begins };
    let context = Context { windows, ..whole() };
    let told = |loads| check(loads, &&ops[..], &context).unwrap();
    let both = told(&[Workload::Register, Workload::Set]);
    let verdict = |kind| both.findings.iter().find(|f| f.kind == kind).unwrap().verdict;
    assert_eq!((verdict("lost_writes"), verdict("sets")), (Verdict::Fail, Verdict::Pass));
    let over_time = &both.over_time["writes.lost"];
    assert_eq!((over_time.counts(0), over_time.counts(1)), (&[5][..], &[][..]));
    let other = told(&[Workload::Set, Workload::Register]);
    assert_eq!(other.measures["writes.lost"], 0.0, "load 0 has sets now");
}

/// What could not be read may be lost as well: nobody knows how much is.
#[test]
fn a_loss_beside_keys_that_could_not_be_read_is_a_part_of_all() {
    let rows = [write(0, 1, 0, 5), last(0, None, 100), write(1, 2, 0, 5)];
    let told = check(&[Workload::Register], &&rows[..], &whole()).unwrap();
    let of_kind = told.findings.iter().filter(|finding| finding.kind == "lost_writes");
    let both: Vec<_> = of_kind.map(|finding| (finding.verdict, finding.count)).collect();
    assert_eq!(both, [(Verdict::Fail, 1), (Verdict::Unknown, 1)]);
    for name in ["writes.lost", "writes.lost.share", "rpo"] {
        assert_eq!(told.measures.get(name), None, "{name}");
    }
    assert_eq!((told.at_least["writes.lost"], told.at_least["writes.lost.share"]), (1.0, 50.0));

    let insert = |element, key| op(Action::Set(SetOp::Insert(element)), key, 0, 5, Outcome::Ok);
    let members = Op {
        purpose: Purpose::Final,
        ..op(Action::Set(SetOp::Members([].into())), 0, 90, 91, Outcome::Ok)
    };
    let rows = [insert(1, 0), members, insert(2, 1)];
    let told = check(&[Workload::Set], &&rows[..], &whole()).unwrap();
    let verdicts: Vec<_> = told.findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Unknown]);
    assert_eq!((told.measures.get("set.lost"), told.at_least["set.lost"]), (None, 1.0));
}

/// Later writes hide lost registers, and no lost element of a set.
#[test]
fn what_a_failure_cost_is_known_from_sets_too() {
    let insert = |element, ms| op(Action::Set(SetOp::Insert(element)), 0, ms - 1, ms, Outcome::Ok);
    let members = Action::Set(SetOp::Members([1].into()));
    let members = Op { purpose: Purpose::Final, ..op(members, 0, 9_000, 9_001, Outcome::Ok) };
    let elements = (1..4).map(|element| Op { by: Some(0), ..insert(element, 1_000 * element) });
    let sets = elements.chain([members]).map(|op| Op { load: 1, ..op });
    let rows: Vec<Op> = right().into_iter().chain(sets).collect();
    let load = |name: &str| (name.to_owned(), "c".to_owned(), Default::default());
    let failure = Failure { group: "c".to_owned(), shard: 0, at: Nanos(3_500) };
    let failures = Failures { all: vec![failure], loads: vec![load("app"), load("ledger")] };
    let context = Context { failures, ..whole() };
    let told = check(&[Workload::Register, Workload::Set], &&rows[..], &context).unwrap();
    // The oldest that is lost was acknowledged 1,500 ns before.
    assert_eq!((told.measures["writes.lost"], told.measures["rpo"]), (0.0, 0.0015));
    assert_eq!(told.recovery_points.unwrap().each().next(), Some((2, Some(0.0015))));
}
