//! Why reads found no copy.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

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

const CAUSES: [&str; 6] = [
    "cache.misses.cold",
    "cache.misses.expired",
    "cache.misses.invalidated",
    "cache.misses.evicted",
    "cache.misses.lost",
    "cache.misses.gone",
];

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
