//! How soon old copies are gone, and which are left.

use super::*;

#[test]
fn each_layer_has_its_own_time_until_old_copies_are_gone() {
    let held = |until, in_host| {
        let action = CacheOp::Held { version: 1, ended: Ended::Invalidated, in_host };
        Op::new(1, Action::Cache(action), Nanos(0), Nanos(until))
    };
    let ops = [write(2, 105, (100, 110)), held(130, false), held(150, true)];
    let names = ["invalidation.p99", "invalidation.host.p99", "invalidation.cascade"];
    assert_eq!(of(&ops, names).map(|ms| (ms * 1e6).round()), [20.0, 40.0, 40.0]);
    assert_eq!(of(&ops, ["invalidation.reached"]), [100.0]);
}

/// What a final read found in the group.
fn last(version: Option<u64>, at: u64) -> Op {
    let (from, asked, kept, met) = (FoundIn::Group, None, None, None);
    let action = Action::Cache(CacheOp::Read { version, from, asked, kept, met });
    Op { purpose: Purpose::Final, ..Op::new(1, action, Nanos(at), Nanos(at + 1)) }
}

#[test]
fn a_copy_that_a_write_should_have_emptied_is_left() {
    let written = write(2, 105, (100, 110));
    let names = ["invalidation.left", "cache.stale", "cache.stale.late"];
    let of = |last| of(&[written.clone(), last], names);
    assert_eq!(of(last(Some(1), 131)), [1.0, 0.0, 0.0], "nobody has read it");
    assert_eq!(of(last(Some(1), 130)), [0.0; 3], "within what is promised");
    assert_eq!(of(last(Some(2), 200)), [0.0; 3]);
    assert_eq!(of(last(None, 200)), [0.0; 3]);
    let left = told(&[written.clone(), last(Some(1), 131)]);
    let found = left.findings.iter().find(|found| found.kind == "left_copies").unwrap();
    assert_eq!(found.verdict, Verdict::Fail);
    let unread = Op { outcome: Outcome::Fail(Cause::Timeout), ..last(None, 200) };
    assert!(of(unread.clone())[0].is_nan(), "nobody knows");
    let other = Op { key: 2, ..last(None, 200) };
    let unsure = told(&[written.clone(), unread, other]);
    let found = unsure.findings.iter().find(|found| found.kind == "left_copies").unwrap();
    assert_eq!(found.verdict, Verdict::Unknown);
    assert!(told(&[written]).findings.iter().all(|found| found.kind != "left_copies"));
}

/// A thing of a user, which changed when another one was written.
#[test]
fn dependants_are_judged_as_what_was_written() {
    let beside = |outcome| {
        let action = CacheOp::Write { version: 2, at: Nanos(105), commands: None };
        let op = Op::new(1, Action::Cache(action), Nanos(105), Nanos(110));
        Op { purpose: Purpose::Beside, outcome, ..op }
    };
    let unheard = Outcome::Unknown(Cause::Timeout);
    let held = |until| {
        let action = CacheOp::Held { version: 1, ended: Ended::Invalidated, in_host: false };
        Op::new(1, Action::Cache(action), Nanos(0), Nanos(until))
    };
    let old = read(1, FoundIn::Group, (131, 133));
    let names = ["cache.stale", "cache.stale.late", "invalidation.left", "cache.impossible"];
    let of_all = |outcome| of(&[beside(outcome), old.clone(), last(Some(1), 140)], names);
    assert_eq!(of_all(Outcome::Ok), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(of_all(unheard), [1.0, 0.0, 0.0, 0.0], "nobody promised anything");
    assert_eq!(of(&[beside(Outcome::Ok), read(2, FoundIn::Group, (106, 107))], names)[3], 0.0);
    let times = of(&[beside(Outcome::Ok), held(130)], ["invalidation.p99", "cache.write.p95"]);
    assert_eq!((times[0] * 1e6).round(), 20.0);
    assert!(times[1].is_nan(), "no client waited for it");
}

#[test]
fn commands_are_those_of_writes_that_the_origin_took() {
    let counted = |version, commands| {
        let action = CacheOp::Write { version, at: Nanos(105), commands };
        Op::new(1, Action::Cache(action), Nanos(100), Nanos(110))
    };
    let ops = [counted(2, Some(2)), counted(3, Some(5)), counted(0, Some(0)), counted(4, None)];
    assert_eq!(of(&ops, ["cache.write.commands"]), [3.5]);
    assert!(of(&[counted(2, None)], ["cache.write.commands"])[0].is_nan());
}

#[test]
fn a_sweep_lasts_until_no_process_finds_anything_older() {
    let swept = |instance, (from, to), older| {
        let op = Op::new(0, Action::Cache(CacheOp::Swept { older }), Nanos(from), Nanos(to));
        Op { purpose: Purpose::Beside, instance, ..op }
    };
    let of = |ops: &[Op]| {
        let told = told(ops);
        let name = "consistency.sweep";
        [&told.measures, &told.at_least].map(|all| all.get(name).map(|ms| (ms * 1e6).round()))
    };
    let first = swept(0, (100, 130), Some(0));
    assert_eq!(of(&[]), [None, None]);
    assert_eq!(of(&[first.clone(), swept(1, (105, 150), Some(0))]), [Some(50.0), None]);
    assert_eq!(of(&[first.clone(), swept(1, (105, 150), Some(3))]), [None, Some(50.0)]);
    assert_eq!(of(&[first, swept(1, (105, 150), None)]), [None, None], "a server did not tell");
}
