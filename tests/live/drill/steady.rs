//! A drill in which nothing happens finds nothing.

use crate::common::heavy_turn;
use crate::common::need::{self, Need};
use crate::drill::place::Place;

/// Of fewer the median is beyond the bound too often by chance: of 20 about once in 30
/// tests, of 40 once in 300, as drawn from the windows of 40 drills.
const DRILLS: u64 = 40;
/// Without steps, the second half of the load's time is held against the first. Compared as the
/// worst of many windows with a pooled figure, the median of such drills was 20 % and more.
const MOST: f64 = 10.0;

#[test]
#[ignore = "`just alone`"]
fn it_degrades_nothing_in_the_median() {
    let _turn = heavy_turn();
    let mut degraded = [const { Vec::new() }; 2];
    for seed in 1..=DRILLS {
        let (place, seed) = (Place::new(), seed.to_string());
        let args = ["--profile", "ci", "--set", "settle=8s", "--seed", &seed];
        let mut command = place.run_of("steady-state", &args);
        command.args(["--backend", "process"]);
        place.watch(command).end();
        let report = place.report();
        // Where others begin or end beside it, one half is slower.
        if !report["busy"].is_null() {
            continue;
        }
        let names = ["latency.p99.degradation", "throughput.degradation"];
        for (name, values) in names.iter().zip(&mut degraded) {
            values.extend(report["measures"][name]["value"].as_f64());
        }
    }
    for values in &mut degraded {
        values.sort_by(f64::total_cmp);
        println!("{values:.1?}");
        if values.len() < DRILLS as usize / 2 {
            return need::skip(Need::Quiet, "half of the drills found the machine too busy");
        }
        let middle = values.len() / 2;
        let median = (values[middle] + values[values.len() - 1 - middle]) / 2.0;
        assert!(median.abs() <= MOST, "{median} % in the median: {values:?}");
    }
}
