//! A long run is judged in as much memory as a short one.
//!
//! Counted by the allocator, to the byte: this binary has but one test, so that nobody
//! else's memory is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use redrill::check::{lost_writes, orders, stale_reads};
use redrill::model::Nanos;
use redrill::model::Verdict;
use redrill::model::op::{Action, Op, Purpose, RegisterOp};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held at once, in bytes.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

const KEYS: u64 = 20_000;

/// Writes to all keys in turn, and a read of each at the end; nothing of it is stored.
fn history(rows: u64) -> impl Fn() -> Result<Rows, Infallible> {
    move || Ok(Box::new((0..rows + KEYS).map(move |n| Ok(row(n, n >= rows)))))
}

type Rows = Box<dyn Iterator<Item = Result<Op, Infallible>>>;

fn row(n: u64, last: bool) -> Op {
    let (purpose, action) = match last {
        // It finds the last write, which is one round of all keys before.
        true => (Purpose::Final, RegisterOp::Read(Some(n - KEYS))),
        false => (Purpose::Load, RegisterOp::Write(n)),
    };
    Op { purpose, ..Op::new(n % KEYS, Action::Register(action), Nanos(n), Nanos(n)) }
}

#[test]
fn a_longer_run_is_judged_in_the_same_memory() {
    // More rows than are held at once, and twice as many.
    const SHORT: u64 = 1_200_000;
    let judge = |rows: u64| {
        let history = history(rows);
        let lost = peak(|| {
            let found = lost_writes(&history).unwrap();
            assert_eq!((found.acknowledged, found.lost, found.unexpected), (rows, 0, 0));
        });
        let stale = peak(|| assert_eq!(stale_reads(&history).unwrap().stale, 0));
        let order = peak(|| {
            let found = orders(&history).unwrap();
            assert_eq!(found.linearizable.verdict(true), Verdict::Pass);
            assert_eq!(found.linearizable.keys, KEYS);
        });
        println!("{rows} rows: {lost}, {stale} and {order} bytes at most");
        [lost, stale, order]
    };
    let (short, long) = (judge(SHORT), judge(2 * SHORT));
    for (short, long) in short.into_iter().zip(long) {
        // Tables grow by doubling, so that is not to the byte the same.
        assert!(long < short * 3 / 2, "{long} bytes, and {short} for half of the rows");
    }
}
