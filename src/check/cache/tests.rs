//! Caches, one case after the other.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::check::ideal::{self, Order, Touch};
use crate::check::keepers::{Keepers, Room};
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
fn misses_and_what_the_origin_is_asked_are_counted_in_their_windows() {
    let windows = crate::check::Windows {
        every: Duration::from_nanos(100),
        begins: vec![vec![Nanos(0), Nanos(100)]],
    };
    let context = Context { windows, ..Context::default() };
    let ops = [asked(1, (10, 20), 40), asked(1, (95, 120), 200), asked(1, (250, 260), 300)];
    let told = Caches.check(&ops.as_slice(), &context).unwrap();
    let counts = |name: &str| told.over_time[name].counts(0).to_vec();
    assert_eq!(counts("origin.requests"), [2, 0], "by the time at which it was asked");
    assert_eq!(
        (counts("cache.misses.cold"), counts("cache.misses.expired")),
        (vec![1, 0], vec![0, 1])
    );
    assert_eq!(told.measures["origin.requests"], 3.0);
}

#[test]
fn each_miss_has_a_cause() {
    let names = [
        "cache.misses.cold",
        "cache.misses.expired",
        "cache.misses.invalidated",
        "cache.misses.gone",
    ];
    let first = asked(1, (10, 20), 100);
    let then = |more: &[Op]| of(&[std::slice::from_ref(&first), more].concat(), names);
    assert_eq!(then(&[]), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(then(&[asked(1, (110, 120), 200)]), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(then(&[asked(1, (50, 60), 200)]), [1.0, 0.0, 0.0, 1.0]);
    let deleted = [write(2, 30, (25, 40)), asked(2, (50, 60), 200)];
    assert_eq!(then(&deleted), [1.0, 0.0, 1.0, 0.0]);
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

const CAUSES: [&str; 6] = [
    "cache.misses.cold",
    "cache.misses.expired",
    "cache.misses.invalidated",
    "cache.misses.evicted",
    "cache.misses.lost",
    "cache.misses.gone",
];

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

#[test]
fn a_copy_that_a_server_let_go_was_evicted_or_lost_with_it() {
    let by = |node, op: Op| Op { by: Some(node), ..op };
    let ops = [by(0, asked(1, (10, 20), 100)), by(0, asked(1, (50, 60), 200))];
    let causes = |evicted: [&[(u64, u64)]; 2], lost: [&[(u64, u64)]; 2]| {
        let [evicted, lost] = [evicted, lost].map(|spans| spans.map(<[_]>::to_vec));
        let told = told_of(CACHE, keepers(&evicted, &lost), &ops);
        CAUSES[3..].iter().map(|name| told.measures[name]).collect::<Vec<_>>()
    };
    assert_eq!(causes([&[(30, 40)], &[]], [&[], &[]]), [1.0, 0.0, 0.0]);
    assert_eq!(causes([&[], &[]], [&[(30, 40)], &[]]), [0.0, 1.0, 0.0]);
    assert_eq!(causes([&[(30, 35)], &[]], [&[(30, 40)], &[]]), [0.0, 0.0, 1.0], "either");
    assert_eq!(causes([&[], &[(30, 40)]], [&[], &[]]), [0.0, 0.0, 1.0], "it is another server's");
    assert_eq!(causes([&[(5, 15), (70, 80)], &[]], [&[], &[]]), [0.0, 0.0, 1.0], "not then");
}

fn some_ops() -> impl Strategy<Value = Vec<Op>> {
    // Writes have their versions in the order in which the origin takes them.
    let writes = prop::collection::vec((1..30_u64, 0..4_u64, 0..20_u64, any::<bool>()), 0..6);
    let reads = prop::collection::vec((1..8_u64, 0..150_u64, 0..40_u64, any::<bool>()), 0..12);
    (writes, reads).prop_map(|(writes, reads)| {
        let mut at = 0;
        let mut ops = Vec::new();
        for (version, (gap, before, after, ok)) in (2..).zip(writes) {
            at += gap;
            let op = write(version, at, (at.saturating_sub(before), at + after));
            let outcome = if ok { Outcome::Ok } else { Outcome::Unknown(Cause::Timeout) };
            ops.push(Op { outcome, ..op });
        }
        ops.extend(reads.into_iter().map(|(version, sent, took, asks)| match asks {
            true => asked(version, (sent, sent + took), sent + took + 30),
            false => read(version, FoundIn::Group, (sent, sent + took)),
        }));
        ops
    })
}

fn some_spans() -> impl Strategy<Value = Spans> {
    let spans = || prop::collection::vec((0..150_u64, 0..20_u64), 0..3);
    let ends =
        |spans: Vec<(u64, u64)>| spans.into_iter().map(|(at, more)| (at, at + more)).collect();
    (spans(), spans()).prop_map(move |(one, other)| [ends(one), ends(other)])
}

/// Each read that asked the origin, with every copy, every write and every instant of a server.
fn causes_by_comparing_all(ops: &[Op], evicted: &Spans, lost: &Spans) -> [f64; 6] {
    let copies: Vec<&Op> = ops.iter().filter(|op| is_asked(op)).collect();
    let wrote = |from: u64, to: u64| {
        ops.iter().any(|op| match op.action {
            Action::Cache(CacheOp::Write { at, .. }) => (from..=to).contains(&at.0),
            _ => false,
        })
    };
    let mut counts = [0.0; 6];
    for read in &copies {
        let before = copies.iter().filter(|copy| copy.done <= read.sent);
        let Some(copy) = before.max_by_key(|copy| (copy.done, copy.sent)) else {
            counts[0] += 1.0;
            continue;
        };
        let ends = copy.done.0 + 30;
        let is_over = ends <= read.done.0;
        let is_deleted = wrote(copy.sent.0, read.done.0);
        let happened = |spans: &Spans| {
            let of = |node: Option<u16>| node.map_or(&[][..], |node| &spans[usize::from(node)][..]);
            let mut all = of(copy.by).iter().chain(of(read.by));
            all.any(|(from, to)| (copy.done.0..=read.done.0).any(|at| (*from..=*to).contains(&at)))
        };
        let cause = match (is_over, is_deleted) {
            (true, false) => 1,
            (true, true) if read.sent.0 >= ends => 1,
            (_, true) => 2,
            (false, false) => match (happened(evicted), happened(lost)) {
                (true, false) => 3,
                (false, true) => 4,
                _ => 5,
            },
        };
        counts[cause] += 1.0;
    }
    counts
}

fn is_asked(op: &Op) -> bool {
    matches!(op.action, Action::Cache(CacheOp::Read { asked: Some(_), .. }))
}

proptest! {
    #[test]
    fn the_cause_of_a_miss_is_what_comparing_all_finds(
        ops in some_ops(),
        evicted in some_spans(),
        lost in some_spans(),
    ) {
        let ops: Vec<Op> = (0..).zip(ops).map(|(at, op)| Op { by: Some(at % 2), ..op }).collect();
        let told = told_of(CACHE, keepers(&evicted, &lost), &ops);
        let causes = CAUSES.map(|name| told.measures[name]);
        prop_assert_eq!(causes, causes_by_comparing_all(&ops, &evicted, &lost));
    }
}

/// Reads of entities of one size, one after the other, through a cache with room for so many that
/// evicts by LRU or, if not `right`, what was used last.
fn through_a_cache(reads: &[u64], room: usize, right: bool) -> Vec<Op> {
    let mut list: Vec<u64> = Vec::new();
    let step = |(at, entity): (usize, &u64)| {
        let sent = at as u64 * 10;
        let found = list.iter().position(|held| held == entity).map(|place| list.remove(place));
        if found.is_none() && list.len() == room {
            list.remove(if right { 0 } else { room - 1 });
        }
        list.push(*entity);
        let op = match found {
            Some(_) => read(1, FoundIn::Group, (sent, sent + 1)),
            None => asked(1, (sent, sent + 1), 1 << 40),
        };
        Op { key: *entity, by: Some(0), ..op }
    };
    reads.iter().enumerate().map(step).collect()
}

fn figures_of(ops: &[Op], room: usize) -> Checked {
    let mut keepers = keepers(&[vec![(0, 1 << 30)], vec![]], &Spans::default());
    let (keys, evicted, order) = (room as u64, 1, Some(Order::Lru));
    keepers.add_room(0, Room { keys, bytes: 0, evicted, order, alone: true });
    told_of(CacheInfo { copies: Some((10, 10)), ..CACHE }, keepers, ops)
}

proptest! {
    #[test]
    fn efficiency_is_hits_against_those_of_the_best_choice(
        reads in prop::collection::vec(0..8_u64, 1..80),
        room in 1..5_usize,
    ) {
        let ops = through_a_cache(&reads, room, true);
        let told = figures_of(&ops, room);
        let hits = ops.iter().filter(|op| !is_asked(op)).count() as f64;
        let plain: Vec<u32> = reads.iter().map(|entity| *entity as u32).collect();
        let best = ideal::belady(&plain, room) as f64;
        let efficiency = (best > 0.0).then(|| hits / best * 100.0);
        prop_assert_eq!(told.measures.get("cache.efficiency").copied(), efficiency);
        // What LRU evicts, LRU would not hold.
        prop_assert!(told.measures.get("eviction.accuracy").is_none_or(|share| *share == 100.0));
        let by_memory = &told.by_memory[&0];
        let touches: Vec<Touch> = plain.iter().map(|entity| Touch::Read(*entity)).collect();
        for share in [100.0, 200.0] {
            let room = (room as f64 * share / 100.0) as usize;
            let held = ideal::held(&touches, &[0; 80], room, Order::Lru);
            let hits = held.iter().filter(|held| **held).count() as f64 / reads.len() as f64 * 100.0;
            let (_, told) = by_memory.points.iter().find(|(at, _)| *at == share).unwrap();
            prop_assert!((told - hits).abs() < 1e-9, "{} against {} at {}", told, hits, share);
        }
    }
}

#[test]
fn a_server_that_evicts_what_was_used_last_is_not_accurate() {
    let reads: Vec<u64> = (0..200_u64).map(|n| if n % 2 == 0 { n % 3 } else { n % 17 }).collect();
    let accuracy = |right| {
        let ops = through_a_cache(&reads, 6, right);
        figures_of(&ops, 6).measures["eviction.accuracy"]
    };
    assert_eq!(accuracy(true), 100.0);
    assert!(accuracy(false) < 60.0, "{}", accuracy(false));
}

#[test]
fn what_expired_or_was_deleted_no_memory_would_have_had() {
    let entity = |key, op: Op| Op { key, by: Some(0), ..op };
    let ops = [
        entity(1, asked(1, (10, 11), 100)),
        entity(1, asked(1, (110, 111), 1_000)),
        entity(1, write(2, 205, (200, 206))),
        entity(1, asked(2, (210, 211), 1_000)),
        entity(1, read(2, FoundIn::Group, (220, 221))),
    ];
    assert_eq!(figures_of(&ops, 1).measures["cache.efficiency"], 100.0);
}

#[test]
fn a_server_that_takes_no_copy_is_no_better_than_one_that_evicts() {
    let unkept = |at: u64| {
        let action = CacheOp::Read {
            version: Some(1),
            from: FoundIn::Origin,
            asked: Some((Nanos(at), Nanos(at + 1))),
            kept: None,
            met: None,
        };
        Op::new(1, Action::Cache(action), Nanos(at), Nanos(at + 1))
    };
    let hit = Op { key: 2, ..read(1, FoundIn::Group, (90, 91)) };
    let left = Op { key: 2, ..asked(1, (5, 6), 1_000) };
    let efficiency = |more: &[Op]| {
        let ops = [&[left.clone(), hit.clone()], more].concat();
        figures_of(&ops, 2).measures["cache.efficiency"]
    };
    assert_eq!(efficiency(&[unkept(10)]), 100.0, "nobody could have had it");
    assert_eq!(efficiency(&[unkept(10), unkept(20)]), 50.0);
    let written = write(2, 15, (14, 16));
    assert_eq!(efficiency(&[unkept(10), written, unkept(20)]), 100.0, "it is another version");
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
