//! Caches, one case after the other.

mod invalidated;
mod memory;
mod misses;

use super::*;
use crate::check::keepers::Keepers;
use crate::model::Nanos;
use crate::model::event::CacheInfo;
use crate::model::op::{Action, CacheOp, Cause, Ended, FoundIn, Op, Outcome, Purpose};

pub(super) const PROMISED: u64 = 20;
const ENTITIES: u64 = 1_000;

fn read(version: u64, from: FoundIn, (sent, done): (u64, u64)) -> Op {
    let version = Some(version);
    let action = CacheOp::Read { version, from, asked: None, kept: None, met: None };
    Op::new(1, Action::Cache(action), Nanos(sent), Nanos(done))
}

/// It asked the origin all the time, and left a copy until then.
fn asked(version: u64, at: (u64, u64), kept: u64) -> Op {
    let (asked, kept) = (Some((Nanos(at.0), Nanos(at.1))), Some(Nanos(kept)));
    let action =
        CacheOp::Read { version: Some(version), from: FoundIn::Origin, asked, kept, met: None };
    Op::new(1, Action::Cache(action), Nanos(at.0), Nanos(at.1))
}

fn write(version: u64, at: u64, (sent, done): (u64, u64)) -> Op {
    let action = CacheOp::Write { version, at: Nanos(at), commands: None };
    Op::new(1, Action::Cache(action), Nanos(sent), Nanos(done))
}

const CACHE: CacheInfo = CacheInfo {
    old_for_ms: PROMISED as f64 / 1e6,
    deletes: true,
    entities: Some(ENTITIES),
    guarded: false,
    by_library: false,
    copies: None,
};

pub(super) fn told(ops: &[Op]) -> Checked {
    told_of(CACHE, Keepers::default(), ops)
}

fn told_of(cache: CacheInfo, keepers: Keepers, ops: &[Op]) -> Checked {
    let context = Context { caches: vec![Some(cache)], keepers, ..Context::default() };
    Caches.check(&ops, &context).unwrap()
}

fn of<const N: usize>(ops: &[Op], names: [&str; N]) -> [f64; N] {
    let told = told(ops);
    names.map(|name| told.measures.get(name).copied().unwrap_or(f64::NAN))
}

const WRONG: [&str; 4] =
    ["cache.stale", "cache.stale.late", "cache.resurrected", "cache.impossible"];

#[test]
fn an_old_version_is_stale_at_once_and_late_after_the_promised_time() {
    let written = write(2, 105, (100, 110));
    let of = |sent| of(&[written.clone(), read(1, FoundIn::Group, (sent, sent + 2))], WRONG);
    assert_eq!(of(105), [0.0; 4], "it was sent before");
    assert_eq!(of(106), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(of(130), [1.0, 0.0, 0.0, 0.0], "within what is promised");
    assert_eq!(of(131), [1.0, 1.0, 0.0, 0.0]);
    let late = told(&[written, read(1, FoundIn::Group, (131, 133))]);
    assert_eq!(late.findings[0].verdict, Verdict::Fail);
    assert!(late.findings[0].examples[0].text.contains("got version 1 from group"), "{late:?}");
}

#[test]
fn a_write_that_nobody_heard_of_makes_reads_stale_and_not_late() {
    let unheard = Op { outcome: Outcome::Unknown(Cause::Timeout), ..write(2, 105, (100, 200)) };
    let late = read(1, FoundIn::Process, (500, 501));
    assert_eq!(of(&[unheard, late.clone()], WRONG), [1.0, 0.0, 0.0, 0.0]);
    let refused = Op { outcome: Outcome::Fail(Cause::Overloaded), ..write(0, 0, (100, 101)) };
    assert_eq!(of(&[refused.clone(), late], WRONG), [0.0; 4], "the origin did not take it");
    assert_eq!(of(&[refused], ["origin.shed"]), [1.0]);
}

#[test]
fn what_the_origin_never_had_is_impossible() {
    let written = write(2, 105, (100, 110));
    let of = |op| of(&[written.clone(), op], ["cache.impossible"]);
    assert_eq!(of(read(2, FoundIn::Group, (90, 104))), [1.0], "not yet");
    assert_eq!(of(read(2, FoundIn::Group, (90, 105))), [0.0]);
    assert_eq!(of(read(3, FoundIn::Group, (200, 201))), [1.0], "never");
    let none =
        CacheOp::Read { version: None, from: FoundIn::Group, asked: None, kept: None, met: None };
    assert_eq!(of(Op::new(1, Action::Cache(none), Nanos(1), Nanos(2))), [1.0], "another one's");
}

#[test]
fn what_is_not_there_is_told_to_be_absent_and_nothing_else_is() {
    let of = |key, version| {
        let op = Op { key, ..read(version, FoundIn::Group, (10, 12)) };
        of(&[op], ["cache.impossible"])
    };
    assert_eq!([of(ENTITIES, 0), of(ENTITIES - 1, 1)], [[0.0]; 2]);
    assert_eq!([of(ENTITIES, 1), of(ENTITIES - 1, 0)], [[1.0]; 2]);
}

#[test]
fn an_old_version_that_is_put_back_is_found() {
    let written = write(2, 105, (100, 110));
    let of = |op| of(&[written.clone(), op], ["cache.resurrected"]);
    assert_eq!(of(asked(1, (90, 111), 500)), [1.0]);
    assert_eq!(of(asked(1, (90, 110), 500)), [0.0], "it may have been deleted after that");
    assert_eq!(of(asked(2, (106, 120), 500)), [0.0]);
}

/// It may have found out that somebody wrote meanwhile, and have left nothing.
#[test]
fn a_library_is_not_accused_of_what_it_may_not_have_left() {
    let cache = CacheInfo { by_library: true, ..CACHE };
    let ops = [write(2, 105, (100, 110)), asked(1, (90, 111), 500)];
    let told = told_of(cache, Keepers::default(), &ops);
    assert_eq!(told.measures.get("cache.resurrected"), None);
    assert!(told.findings.iter().all(|finding| finding.verdict == Verdict::Pass), "{told:?}");
}

/// In nanoseconds: nineteen hits of 2 and one of 40, a miss of 100 and one of 300, each half of that at
/// the origin.
#[test]
fn what_reads_take_is_told_of_hits_and_of_misses() {
    let hits = (0..20).map(|n| (n, if n == 7 { 40 } else { 2 }));
    let mut ops: Vec<Op> =
        hits.map(|(n, took)| read(1, FoundIn::Group, (n * 50, n * 50 + took))).collect();
    for (sent, took) in [(5_000, 100), (6_000, 300)] {
        let asked = Some((Nanos(sent), Nanos(sent + took / 2)));
        let (version, from, kept, met) = (Some(1), FoundIn::Origin, None, None);
        let action = CacheOp::Read { version, from, asked, kept, met };
        ops.push(Op::new(1, Action::Cache(action), Nanos(sent), Nanos(sent + took)));
    }
    let [hit, miss, saved] = of(&ops, ["cache.hit.p95", "cache.miss.p95", "cache.time_saved"]);
    assert_eq!([hit, miss].map(|ms| (ms * 1e6).round()), [2.0, 300.0]);
    // Half of the hits take 2, and half of the origin's answers 50.
    assert_eq!(saved, 96.0);
}

#[test]
fn how_soon_a_reader_sees_that_a_copy_is_anothers() {
    let met = |sent: u64, after: u64, version| {
        let (from, met) = (FoundIn::Origin, Some(Nanos(sent + after)));
        let action = CacheOp::Read { version, from, asked: None, kept: None, met };
        Op::new(1, Action::Cache(action), Nanos(sent), Nanos(sent + 100))
    };
    let ops = [met(100, 10, Some(1)), met(300, 30, Some(1)), read(1, FoundIn::Group, (500, 501))];
    let names = ["keys.collided", "keys.detected.p99", "keys.resolved"];
    let [collided, detected, resolved] = of(&ops, names);
    assert_eq!((collided, (detected * 1e6).round(), resolved), (2.0, 30.0, 100.0));
}

#[test]
fn readers_that_ask_at_once_are_a_stampede() {
    let waited = |at| read(1, FoundIn::Other, at);
    let ops = [asked(1, (10, 20), 50), asked(1, (12, 22), 50), asked(1, (21, 30), 50)];
    let more = [waited((11, 21)), asked(1, (60, 70), 90), waited((60, 72))];
    let names = ["stampede.computations.max", "stampede.spared", "stampede.prevented"];
    assert_eq!(of(&[&ops[..], &more].concat(), names), [3.0, 50.0, 50.0]);
    let [mean, longest] = of(&more, ["stampede.wait.mean", "stampede.wait.max"]);
    assert_eq!((mean, longest), (11e-6, 12e-6));
}

#[test]
fn what_copies_take_as_bytes_is_of_those_that_there_were() {
    let beside = |action| {
        let op = Op::new(1, Action::Cache(action), Nanos(15), Nanos(15));
        Op { purpose: Purpose::Beside, ..op }
    };
    let coded = |copies, bytes, nanos| beside(CacheOp::Coded { copies, bytes, nanos });
    let names = ["format.share", "format.bytes", "format.broken"];
    let found = read(1, FoundIn::Group, (10, 30));
    let slow =
        Op { outcome: Outcome::Unknown(Cause::Timeout), ..read(1, FoundIn::Group, (10, 900)) };
    let ops = [found.clone(), write(2, 15, (10, 70)), slow, coded(2, 500, 6), coded(1, 400, 2)];
    assert_eq!(of(&ops, names), [10.0, 300.0, 0.0]);
    let nobody = told(std::slice::from_ref(&found));
    assert_eq!(
        (nobody.measures.get("format.share"), nobody.measures.get("format.bytes")),
        (None, None)
    );
    let broken = told(&[found, beside(CacheOp::Broken)]);
    assert_eq!(broken.measures["format.broken"], 1.0);
    let finding = broken.findings.iter().find(|one| one.kind == "broken_copies").unwrap();
    assert_eq!((finding.verdict, finding.examples.len()), (Verdict::Fail, 1));
}

#[test]
fn a_write_is_lost_if_the_origin_has_neither_it_nor_anything_newer() {
    let lost = |version| {
        let action = Action::Cache(CacheOp::Lost { version });
        Op::new(1, action, Nanos(300), Nanos(300))
    };
    let writes = [write(2, 100, (100, 101)), write(3, 200, (200, 201))];
    let of = |more: &[Op]| of(&[&writes[..], more].concat(), ["cache.lost"]);
    assert_eq!(of(&[]), [0.0]);
    assert_eq!(of(&[lost(3)]), [1.0]);
    assert_eq!(of(&[lost(2)]), [0.0], "a newer one is there");
    assert_eq!(of(&[lost(2), lost(3)]), [2.0]);
    let unheard = Op { outcome: Outcome::Unknown(Cause::Timeout), ..write(4, 250, (250, 251)) };
    assert_eq!(of(&[unheard, lost(4)]), [0.0], "nobody was told that it was written");
}

#[test]
fn what_a_step_warmed_is_counted_and_compared_with_a_load_that_was_not_warmed() {
    const MS: u64 = 1_000_000;
    let warmed = |key, (from, to): (u64, u64), has, left: Option<u64>| {
        let left = left.map(|until| (1, Nanos(until * MS)));
        let action = Action::Cache(CacheOp::Warmed { step: 1, has, left });
        Op::new(key, action, Nanos(from * MS), Nanos(to * MS))
    };
    let read = |(load, key), from, sent: u64| {
        let at = (sent * MS, sent * MS + 1);
        Op { load, key, ..read(1, from, at) }
    };
    let names = ["warm.time", "warm.done", "warm.used", "warm.gain"];
    let steps = [
        warmed(1, (10, 30), true, Some(500)),
        warmed(2, (12, 60), true, Some(500)),
        warmed(3, (12, 20), true, None),
        warmed(4, (12, 14), false, None),
    ];
    let reads = [
        read((0, 1), FoundIn::Group, 100),
        read((0, 2), FoundIn::Group, 600), // its time was over
        read((0, 4), FoundIn::Origin, 110),
        read((0, 4), FoundIn::Group, 120),
        read((0, 1), FoundIn::Origin, 5),     // before it
        read((0, 4), FoundIn::Origin, 2_060), // long after it
        read((1, 1), FoundIn::Origin, 100),
        read((1, 2), FoundIn::Origin, 100),
    ];
    let all = [&steps[..], &reads].concat();
    assert_eq!(of(&all, names), [50.0, 75.0, 50.0, 75.0]);
    let alone = [&steps[..], &reads[..6]].concat();
    assert!(of(&alone, names)[3].is_nan(), "there is nothing to compare it with");
    assert!(of(&reads, names).iter().all(|value| value.is_nan()), "nothing was warmed");
}

/// Spans of the nodes 0 and 1 in which keys were evicted, and in which data was lost.
type Spans = [Vec<(u64, u64)>; 2];

fn keepers(evicted: &Spans, lost: &Spans) -> Keepers {
    let mut keepers = Keepers::default();
    let span = |(from, to): &(u64, u64)| (Nanos(*from), Nanos(*to));
    for node in [0, 1] {
        let at = usize::from(node);
        evicted[at].iter().for_each(|one| keepers.add_evicted((0, node), span(one)));
        lost[at].iter().for_each(|one| keepers.add_lost((0, node), span(one)));
    }
    keepers
}

fn is_asked(op: &Op) -> bool {
    matches!(op.action, Action::Cache(CacheOp::Read { asked: Some(_), .. }))
}
