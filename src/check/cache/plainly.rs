//! What is wrong in a history, when old copies are gone, and who asks at once: judged a second time,
//! by comparing each operation with each other one, on small histories made by chance.

use proptest::prelude::*;

use super::tests::{PROMISED, told};
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, Cause, Ended, FoundIn, Op, Outcome, Purpose};

const PLACES: [FoundIn; 6] = [
    FoundIn::Process,
    FoundIn::Host,
    FoundIn::NearGroup,
    FoundIn::Group,
    FoundIn::Origin,
    FoundIn::Other,
];
const ENDS: [Ended; 6] =
    [Ended::Expired, Ended::Evicted, Ended::Invalidated, Ended::Replaced, Ended::Open, Ended::Lost];

type Chance = (u64, u64, u64, u64, u64, bool);

/// Of three processes, with an answer or without, from anywhere.
fn read((version, sent, took, place, kept, ok): Chance) -> Op {
    let (from, (sent, done)) =
        (PLACES[place as usize % PLACES.len()], (Nanos(sent), Nanos(sent + took)));
    // Who asks the origin takes a while to get there.
    let asked = (from == FoundIn::Origin).then(|| (Nanos(sent.0 + took / 3), done));
    let kept = (kept > 5).then_some(Nanos(sent.0 + kept));
    let version = (version > 0).then_some(version);
    let action = CacheOp::Read { version, from, asked, kept, met: None };
    let outcome = if ok { Outcome::Ok } else { Outcome::Unknown(Cause::Timeout) };
    let op = Op::new(1, Action::Cache(action), sent, done);
    let purpose = if place == 8 { Purpose::Beside } else { Purpose::Load };
    Op { outcome, purpose, instance: (took % 3) as u16, ..op }
}

fn held((version, since, lasted, ended, _, in_host): Chance) -> Op {
    let ended = ENDS[ended as usize % ENDS.len()];
    let action = CacheOp::Held { version, ended, in_host };
    Op::new(1, Action::Cache(action), Nanos(since), Nanos(since + lasted * 2))
}

fn history() -> impl Strategy<Value = Vec<Op>> {
    let one = || (0..8_u64, 0..150_u64, 0..40_u64, 0..10_u64, 0..60_u64, any::<bool>());
    // Writes have their versions in the order in which the origin takes them.
    let writes = prop::collection::vec((1..30_u64, 0..4_u64, 0..20_u64, any::<bool>()), 0..6);
    let reads = prop::collection::vec(one(), 0..14);
    let copies = prop::collection::vec(one(), 0..8);
    (writes, reads, copies).prop_map(|(writes, reads, copies)| {
        let mut at = 0;
        let mut ops: Vec<Op> = (2..)
            .zip(writes)
            .map(|(version, (gap, before, after, ok))| {
                at += gap;
                let action =
                    Action::Cache(CacheOp::Write { version, at: Nanos(at), commands: None });
                let sent = Nanos(at.saturating_sub(before));
                let outcome = if ok { Outcome::Ok } else { Outcome::Unknown(Cause::Timeout) };
                Op { outcome, ..Op::new(1, action, sent, Nanos(at + after)) }
            })
            .collect();
        ops.extend(reads.into_iter().map(read));
        ops.extend(copies.into_iter().map(held));
        ops
    })
}

struct Write {
    version: u64,
    at: u64,
    done: Option<u64>,
}

fn writes(ops: &[Op]) -> Vec<Write> {
    let of = |op: &Op| match op.action {
        Action::Cache(CacheOp::Write { version, at, .. }) => {
            let done = (op.outcome == Outcome::Ok).then_some(op.done.0);
            Some(Write { version, at: at.0, done })
        }
        _ => None,
    };
    ops.iter().filter_map(of).collect()
}

struct Read<'o> {
    op: &'o Op,
    version: Option<u64>,
    from: FoundIn,
    asked: Option<(u64, u64)>,
    kept: Option<u64>,
}

impl Read<'_> {
    fn is_ok(&self) -> bool {
        self.op.outcome == Outcome::Ok && self.op.purpose == Purpose::Load
    }
}

fn reads(ops: &[Op]) -> Vec<Read<'_>> {
    fn of(op: &Op) -> Option<Read<'_>> {
        let Action::Cache(CacheOp::Read { version, from, asked, kept, .. }) = op.action else {
            return None;
        };
        let asked = asked.map(|(from, to)| (from.0, to.0));
        Some(Read { op, version, from, asked, kept: kept.map(|kept| kept.0) })
    }
    ops.iter().filter_map(of).collect()
}

const SERVED: [&str; 7] = [
    "cache.stale",
    "cache.stale.late",
    "cache.resurrected",
    "cache.impossible",
    "cache.outlived",
    "cache.not_monotonic",
    "cache.stale.age.max",
];

fn served(ops: &[Op]) -> [f64; 7] {
    let (writes, reads) = (writes(ops), reads(ops));
    let count = |is: &dyn Fn(&Read) -> bool| reads.iter().filter(|read| is(read)).count() as f64;
    let newer = |version: u64| writes.iter().filter(move |write| write.version > version);
    let is_possible = |read: &Read| match read.version {
        None => false,
        Some(1) => true,
        Some(own) => writes.iter().any(|w| w.version == own && w.at <= read.op.done.0),
    };
    let possible = |read: &Read| read.version.filter(|_| read.is_ok() && is_possible(read));
    let ages = |read: &Read| {
        let replaced = possible(read).and_then(|own| newer(own).map(|write| write.at).min())?;
        (replaced < read.op.sent.0).then(|| read.op.sent.0 - replaced)
    };
    let is_late = |read: &Read| {
        possible(read).is_some_and(|own| {
            newer(own).any(|w| w.done.is_some_and(|done| done + PROMISED < read.op.sent.0))
        })
    };
    let is_resurrected = |read: &Read| {
        let left = read.from == FoundIn::Origin && read.kept.is_some();
        let put = read.version.zip(read.asked).filter(|_| left);
        put.is_some_and(|(own, (_, answered))| {
            newer(own).any(|write| write.done.is_some_and(|done| done < answered))
        })
    };
    let is_near = |read: &Read| matches!(read.from, FoundIn::Process | FoundIn::Host);
    let is_outlived = |read: &Read| {
        read.is_ok() && is_near(read) && read.kept.is_some_and(|kept| kept < read.op.sent.0)
    };
    let went_back = |read: &Read| {
        let before = |other: &Read| {
            other.is_ok()
                && other.op.instance == read.op.instance
                && other.op.done < read.op.sent
                && other.version > read.version
        };
        read.is_ok() && read.version.is_some() && reads.iter().any(before)
    };
    [
        count(&|read| ages(read).is_some()),
        count(&is_late),
        count(&is_resurrected),
        count(&|read| read.is_ok() && !is_possible(read)),
        count(&is_outlived),
        count(&went_back),
        reads.iter().filter_map(ages).max().unwrap_or(0) as f64 / 1e6,
    ]
}

/// The least that so many of all are not above; NaN of none.
fn quantile(mut all: Vec<u64>, share: f64) -> f64 {
    all.sort_unstable();
    let at = (all.len() as f64 * share).ceil() as usize;
    all.get(at.max(1) - 1).map_or(f64::NAN, |value| *value as f64)
}

const GONE: [&str; 5] = [
    "invalidation.p99",
    "invalidation.max",
    "invalidation.host.p99",
    "invalidation.cascade",
    "invalidation.reached",
];

fn gone(ops: &[Op]) -> [f64; 5] {
    let (writes, reads) = (writes(ops), reads(ops));
    let helds = || {
        ops.iter().filter_map(|op| match op.action {
            Action::Cache(CacheOp::Held { version, ended, in_host }) => {
                Some((version, ended, in_host, op.done.0))
            }
            _ => None,
        })
    };
    let (mut near, mut host, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for write in &writes {
        let Some(done) = write.done else { continue };
        let last = |host: bool| {
            let older = helds().filter(|(version, _, in_host, until)| {
                *in_host == host && *version < write.version && *until > write.at
            });
            older.map(|(.., until)| until).max()
        };
        let from_group = reads.iter().filter(|read| {
            let older = read.version.is_some_and(|version| version < write.version);
            // Those who watch a library's cache find something there too.
            matches!(read.op.purpose, Purpose::Load | Purpose::Beside)
                && read.op.outcome == Outcome::Ok
                && matches!(read.from, FoundIn::Group | FoundIn::NearGroup)
                && older
                && read.op.sent.0 > done
        });
        let far = from_group.map(|read| read.op.sent.0).max();
        let since = |last: u64| last.saturating_sub(done);
        near.extend(last(false).map(since));
        host.extend(last(true).map(since));
        all.extend(last(false).max(last(true)).max(far).map(since));
    }
    let (mut due, mut went) = (0, 0);
    for (version, ended, _, until) in helds() {
        let newer = writes.iter().filter(|write| write.version > version && write.done.is_some());
        let Some(write) = newer.min_by_key(|write| write.version) else { continue };
        if until <= write.at {
            continue;
        }
        match ended {
            Ended::Invalidated | Ended::Replaced => (due, went) = (due + 1, went + 1),
            Ended::Expired | Ended::Open => {
                due += u32::from(write.done.is_some_and(|done| until > done + PROMISED));
            }
            Ended::Evicted | Ended::Lost => {}
        }
    }
    let reached = if due > 0 { f64::from(went) / f64::from(due) * 100.0 } else { f64::NAN };
    let longest = near.iter().max().map_or(f64::NAN, |longest| *longest as f64);
    let [near, host, all] = [near, host, all].map(|times| quantile(times, 0.99) / 1e6);
    [near, longest / 1e6, host, all, reached]
}

const AT_ONCE: [&str; 6] = [
    "stampede.computations.max",
    "stampede.spared",
    "stampede.prevented",
    "stampede.lock.p95",
    "stampede.wait.mean",
    "stampede.wait.max",
];

fn at_once(ops: &[Op]) -> [f64; 6] {
    let reads = reads(ops);
    let asked: Vec<(u64, u64)> = reads.iter().filter_map(|read| read.asked).collect();
    // Those that overlap, or overlap one that does, are one stampede: named by its first one.
    let mut stampede: Vec<usize> = (0..asked.len()).collect();
    for _ in 0..asked.len() {
        for (a, one) in asked.iter().enumerate() {
            for (b, other) in asked.iter().enumerate() {
                if one.0 < other.1 && other.0 < one.1 {
                    stampede[a] = stampede[a].min(stampede[b]);
                }
            }
        }
    }
    let sizes: Vec<usize> = (0..asked.len())
        .map(|name| stampede.iter().filter(|of| **of == name).count())
        .filter(|size| *size > 0)
        .collect();
    let share = |part: usize, of: usize| match of {
        0 => f64::NAN,
        of => part as f64 / of as f64 * 100.0,
    };
    let waits: Vec<u64> = reads
        .iter()
        .filter(|read| read.is_ok() && read.from == FoundIn::Other)
        .map(|read| read.op.done.0 - read.op.sent.0)
        .collect();
    let need_not = waits.len() + asked.len() - sizes.len();
    let of_load = reads.iter().filter(|read| read.op.purpose == Purpose::Load);
    let to_ask = of_load.filter_map(|read| Some(read.asked?.0 - read.op.sent.0)).collect();
    let longest = waits.iter().max().map_or(f64::NAN, |longest| *longest as f64);
    [
        sizes.iter().max().map_or(0.0, |most| *most as f64),
        share(waits.len(), need_not),
        share(sizes.iter().filter(|size| **size == 1).count(), sizes.len()),
        quantile(to_ask, 0.95) / 1e6,
        waits.iter().sum::<u64>() as f64 / waits.len() as f64 / 1e6,
        longest / 1e6,
    ]
}

/// What the checker tells, and nothing (0) where it judged no entity.
fn of<const N: usize>(ops: &[Op], names: [&str; N]) -> [f64; N] {
    let told = told(ops);
    names.map(|name| told.measures.get(name).copied().unwrap_or(f64::NAN))
}

fn differ<const N: usize>(names: [&str; N], told: [f64; N], plainly: [f64; N]) -> Vec<String> {
    let all = names.into_iter().zip(told.into_iter().zip(plainly));
    let same = |one: f64, other: f64| one.is_nan() && other.is_nan() || (one - other).abs() < 1e-9;
    all.filter(|(_, (one, other))| !same(*one, *other))
        .map(|(name, (one, other))| format!("{name} is {other}, and was told as {one}"))
        .collect()
}

proptest! {
    #[test]
    fn what_is_told_is_what_comparing_all_finds(ops in history()) {
        prop_assume!(!ops.is_empty());
        let served = differ(SERVED, of(&ops, SERVED), served(&ops));
        let gone = differ(GONE, of(&ops, GONE), gone(&ops));
        let at_once = differ(AT_ONCE, of(&ops, AT_ONCE), at_once(&ops));
        let none: Vec<String> = Vec::new();
        prop_assert_eq!([served, gone, at_once].concat(), none);
    }
}
