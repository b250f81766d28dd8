//! A drill in which nothing happens finds nothing.

use crate::common::heavy_turn;
use crate::drill::place::Place;

const DRILLS: u64 = 20;
/// Without steps, the second half of the load's time is held against the first. Compared as the
/// worst of many windows with a pooled figure, the median of such drills was 20 % and more. Where
/// others begin beside it, the second half may be the better one by far, which is no degradation.
const MOST: f64 = 10.0;

#[test]
#[ignore = "`just test-all`"]
fn it_degrades_nothing_in_the_median() {
    let _turn = heavy_turn();
    let mut degraded = [const { Vec::new() }; 2];
    for seed in 1..=DRILLS {
        let (place, seed) = (Place::new(), seed.to_string());
        let args = ["--profile", "ci", "--set", "settle=8s", "--seed", &seed];
        let mut command = place.run_of("steady-state", &args);
        place
            .watch({
                command.args(["--backend", "process"]);
                command
            })
            .end();
        let report = place.report();
        let names = ["latency.p99.degradation", "throughput.degradation"];
        for (name, values) in names.iter().zip(&mut degraded) {
            values.extend(report["measures"][name]["value"].as_f64());
        }
    }
    for values in &mut degraded {
        assert!(values.len() >= DRILLS as usize / 2, "{values:?}");
        values.sort_by(f64::total_cmp);
        println!("{values:.1?}");
        let median = values[values.len() / 2];
        assert!(median <= MOST, "{median} % in the median: {values:?}");
    }
}
