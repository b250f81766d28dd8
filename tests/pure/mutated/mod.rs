//! Histories of which it is known that they are right, changed by the hundred: what checkers say of
//! each must be what an independent judge says.
//!
//! The judges (`judge.rs`) follow the definitions in `docs/measures.md` word by word, try everything,
//! and share no code with the checkers. All is drawn from a seed, which a failure names. Another
//! family of keys is a [`Family`] here.

mod change;
mod judge;
mod right;

use redrill::check::{self, Checked, Context};
use redrill::model::event::CacheInfo;
use redrill::model::op::{Op, Outcome, Purpose};
use redrill::model::{Nanos, Verdict, Workload};

/// What a history proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Right,
    Wrong,
    /// What would decide it was not read.
    Unread,
    /// The judge cannot tell.
    Untold,
}

struct Family {
    name: &'static str,
    workload: Workload,
    /// Findings of other kinds are not judged here; all are if there is none.
    kinds: &'static [&'static str],
    right: fn(&mut Random) -> Vec<Op>,
    /// Changes what an operation found or did; false if it is none to change.
    change: fn(&mut Random, &mut Op) -> bool,
    judge: fn(&[Op]) -> Truth,
    many_writers: bool,
}

const SEEDS: u64 = 150;
/// Changed histories of each seed.
const CHANGED: u64 = 4;

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Family {
    fn check(&self, ops: &[Op]) -> Checked {
        let cache = CacheInfo {
            old_for_ms: judge::OLD_FOR as f64 / 1e6,
            deletes: true,
            entities: Some(100),
            guarded: false,
            by_library: false,
            copies: None,
        };
        let caches = vec![(self.workload == Workload::Cache).then_some(cache)];
        let many_writers = self.many_writers;
        let context = Context { whole: true, many_writers, caches, ..Context::default() };
        check::check(&[self.workload], &ops, &context).unwrap()
    }

    fn verdict(&self, checked: &Checked) -> Verdict {
        let judged = |kind: &str| self.kinds.is_empty() || self.kinds.contains(&kind);
        let findings = checked.findings.iter().filter(|finding| judged(&finding.kind));
        Verdict::worst(findings.map(|finding| finding.verdict))
    }

    /// The checkers and the judge agree on it. What the judge says.
    fn agree(&self, ops: &[Op], what: &str) -> Truth {
        let (truth, checked) = ((self.judge)(ops), self.check(ops));
        let right = match truth {
            Truth::Right => Verdict::Pass,
            Truth::Wrong => Verdict::Fail,
            Truth::Unread => Verdict::Unknown,
            Truth::Untold => return truth,
        };
        let verdict = self.verdict(&checked);
        if verdict != right {
            let rows = ops.iter().map(|op| {
                format!(
                    "{:?} {:?} {:?} {}-{} {:?} g{} p{} k{}\n",
                    op.purpose,
                    op.action,
                    op.outcome,
                    op.sent.0,
                    op.done.0,
                    op.by,
                    op.group,
                    op.process,
                    op.key
                )
            });
            let rows: String = rows.collect();
            let findings: Vec<_> = checked.findings.iter().map(|f| (f.verdict, &f.text)).collect();
            panic!("{}, {what}: {verdict:?} should be {right:?}: {findings:?}\n{rows}", self.name);
        }
        truth
    }

    fn play(&self) {
        let mut counts = [0; 3];
        for seed in 0..SEEDS {
            let random = &mut Random(seed);
            let right = (self.right)(random);
            let named = |what: &str| format!("seed {seed}, {what}");
            assert_eq!(self.agree(&right, &named("as it was")), Truth::Right, "seed {seed}");
            self.harmless(random, &right, seed);
            let unread = change::unread(random, &right);
            counts[1] += u64::from(self.agree(&unread, &named("unread")) == Truth::Unread);
            for n in 0..CHANGED {
                let changed = change::at_random(random, &right, self.change);
                match self.agree(&changed, &named(&format!("change {n}"))) {
                    Truth::Wrong => counts[0] += 1,
                    Truth::Right => counts[2] += 1,
                    Truth::Unread | Truth::Untold => {}
                }
            }
        }
        let [wrong, unread, right] = counts;
        println!("{}: {wrong} wrong, {unread} unread, {right} right after a change", self.name);
        assert!(wrong >= 100, "{}: only {wrong} were wrong", self.name);
        let reads_all = right::reads_at_the_end(self.workload) && !self.many_writers;
        assert!(unread >= 100 || !reads_all, "{}: only {unread} were unread", self.name);
    }

    /// Other instants, and another order of the file, change nothing.
    fn harmless(&self, random: &mut Random, ops: &[Op], seed: u64) {
        let known = self.check(ops);
        for (what, changed) in [
            ("later", change::later(ops, Nanos(random.below(1_000_000)))),
            ("another order", change::shuffled(random, ops)),
            ("other keys", change::other_keys(ops)),
        ] {
            let checked = self.check(&changed);
            assert_eq!(checked.measures, known.measures, "{}, seed {seed}: {what}", self.name);
            assert_eq!(self.verdict(&checked), Verdict::Pass, "{}, seed {seed}: {what}", self.name);
        }
    }
}

fn is_final(op: &Op) -> bool {
    op.purpose == Purpose::Final
}

fn is_ok(op: &Op) -> bool {
    op.outcome == Outcome::Ok
}

macro_rules! families {
    ($($test:ident: $workload:ident, $kinds:expr, $many_writers:expr;)*) => {$(
        #[test]
        fn $test() {
            Family {
                name: stringify!($test),
                workload: Workload::$workload,
                kinds: $kinds,
                right: right::$test,
                change: change::$test,
                judge: judge::$test,
                many_writers: $many_writers,
            }
            .play();
        }
    )*};
}

families! {
    registers: Register, &[], false;
    compare_and_set: Cas, &[], false;
    counters: Counter, &[], false;
    sets: Set, &[], false;
    queues: Queue, &[], false;
    transfers: Transfer, &["transfers"], false;
    dual_writes: DualWrite, &[], false;
    locks: Lock, &["lock_overlaps"], false;
    caches: Cache, &["late_reads", "impossible_reads"], false;
    causality: Register, &["causality"], true;
}
