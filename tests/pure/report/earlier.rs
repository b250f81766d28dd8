//! A run that redrill 0.1 left before operations had a payload for each family: its history is
//! read as it is.
//!
//! Six loads, one of each workload, on three primaries without replicas; slots move from one to
//! another, and a primary dies and comes back empty.

use std::path::Path;

use redrill::model::Verdict;
use redrill::report;

#[test]
fn an_earlier_run_is_judged_as_it_was() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/report/earlier");
    let r = report::build(&run).unwrap();
    assert_eq!((r.verdict, r.loads.len()), (Verdict::Fail, 6));
    // As that version's own report.json has them.
    for (name, value) in [
        ("writes.acknowledged", 31.0),
        ("writes.lost", 14.0),
        ("counter.acknowledged", 15.0),
        ("counter.wrong", 5.0),
        ("set.acknowledged", 12.0),
        ("set.wrong", 7.0),
        ("queue.acknowledged", 13.0),
        ("queue.wrong", 11.0),
        ("stream.acknowledged", 10.0),
        ("stream.wrong", 7.0),
        ("reads.stale", 0.0),
    ] {
        assert_eq!(r.value(name), Some(value), "{name}");
    }
    let answered: Vec<u64> = r.loads.iter().map(|load| load.figures.answered).collect();
    assert_eq!(answered, [20, 30, 24, 12, 16, 16]);
}
