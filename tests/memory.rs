//! A long run is judged in as much memory as a short one.
//!
//! Counted by the allocator, to the byte: this binary has but one test, so that nobody
//! else's memory is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use redrill::check::{Checker, Context, History, LostWrites, Orders, ReadError, StaleReads};
use redrill::model::op::{Action, Op, OpHead, Purpose, RegisterOp};
use redrill::model::{KeySpan, Nanos, Verdict};

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

/// So many writes to all keys in turn, and a read of each at the end; nothing of it is stored.
struct Rows(u64);

impl History for Rows {
    fn rows(&self) -> usize {
        (self.0 + KEYS) as usize
    }

    fn each_in(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        let rows = (0..self.0 + KEYS).map(|n| row(n, n >= self.0));
        let wanted = |op: &Op| span.holds(op.head()) && wanted(op.head());
        rows.filter(wanted).for_each(|op| on_row(&op));
        Ok(())
    }
}

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
        let history = Rows(rows);
        let context = Context { whole: true, ..Context::default() };
        let judge = |checker: &dyn Checker| {
            peak(|| {
                let found = checker.check(&history, &context).unwrap();
                for finding in &found.findings {
                    assert_eq!((finding.verdict, finding.count), (Verdict::Pass, 0), "{finding:?}");
                }
                // As a text tells: of all keys, or of all writes.
                let of = found.findings[0].text.replace(',', "");
                let all = [format!("of {rows} "), format!("of {KEYS} "), "of 0 ".to_owned()];
                assert!(all.iter().any(|all| of.contains(all)), "{of}");
            })
        };
        let [lost, stale, order] = [judge(&LostWrites), judge(&StaleReads), judge(&Orders)];
        println!("{rows} rows: {lost}, {stale} and {order} bytes at most");
        [lost, stale, order]
    };
    let (short, long) = (judge(SHORT), judge(2 * SHORT));
    for (short, long) in short.into_iter().zip(long) {
        // Tables grow by doubling, so that is not to the byte the same.
        assert!(long < short * 3 / 2, "{long} bytes, and {short} for half of the rows");
    }
}
