//! What is right is never accused, whatever the seed: leases with confirmed writes, transactions by
//! MULTI, and counters by INCR, all at once.

use crate::drill::place::{Place, seeds};
use crate::drill::ready::measure;
use crate::drill::wrong_caches::is_accused;

const GOOD: &str = "
name: good
topology: cluster-3x1
loads:
  app:
    workload: cache
    rate: 600/s
    clients: 60
    instances: 6
    keys: 5
    reads: 80%
    layers: { l1: { in: process, ttl: 3s }, l2: { group: cache, ttl: 5s } }
    origin: { latency: 1ms..30ms }
    stampede: lease
    invalidate: confirmed
  bank: { workload: transfer, by: multi, rate: 300/s, clients: 20, keys: 20, instances: 2 }
  counts: { workload: counter, by: incr, rate: 300/s, clients: 20, keys: 2, instances: 2, reads: 10% }
settle: 4s
reported: [all]
";

const WRONG: [&str; 9] = [
    "cache.stale.late",
    "cache.resurrected",
    "cache.not_monotonic",
    "cache.outlived",
    "cache.impossible",
    "transfer.torn",
    "transfer.half_done",
    "transfer.lost",
    "counter.wrong",
];

/// Every other seed is calm; else slots move.
#[test]
fn what_is_right_is_never_accused() {
    let moves = "timeline=[{ at: 1s, do: reshard, from: 0, to: 1, slots: 1500 }, \
                 { at: 2s, do: reshard, from: 2, to: 0, slots: 1500 }]";
    for seed in 1..=seeds() {
        let place = Place::new();
        let number = seed.to_string();
        let mut args = vec!["--seed", &number];
        args.extend((seed % 2 == 1).then_some(["--set", moves]).into_iter().flatten());
        let ran = place.play(GOOD, &args);
        assert!(matches!(ran.code, Some(0 | 2)), "seed {seed}: {}{}", ran.out, ran.err);
        let report = place.report();
        for name in WRONG {
            assert_eq!(measure(&report, name), 0.0, "seed {seed}: {name}: {}", report["findings"]);
        }
        assert!(!is_accused(&report), "seed {seed}: {}", report["findings"]);
        for (name, least) in
            [("cache.hits", 3.0), ("transfer.acknowledged", 100.0), ("counter.acknowledged", 100.0)]
        {
            assert!(measure(&report, name) > least, "seed {seed}: {}", report["measures"]);
        }
        place.assert_nothing_left();
    }
}
