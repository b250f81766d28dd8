//! By how much the worst window of a span is worse than what was usual before.
//!
//! The worst of many windows is worse than the worst of few, although nothing changed; and the
//! worst of several is worse than all taken together. So the worst window of a span is compared
//! with the worst one of *as long a time* before: with the median of many such times. If the time
//! before is shorter than the span, its worst window is carried on to that length as maxima grow
//! (Gumbel's law: by a share of their spread for each doubling), so that one bad second is seen
//! however long the span is.

/// The median is that of so many stretches of the time before: at least, and at most twice as many;
/// of all if there are fewer.
const STRETCHES: usize = 100;

/// In percent. Windows slide: each begins a bucket after the one before, and is `hops` long. The
/// higher a value is, the worse; all have one sign. `None` if there are none before, or in the
/// span.
pub(super) fn degradation(before: &[f64], during: &[f64], hops: usize) -> Option<f64> {
    let worst = worst(during)?;
    let usual = usual(before, during.len(), hops)?;
    (worst * usual > 0.0 || worst == 0.0 && usual != 0.0).then(|| (worst / usual - 1.0) * 100.0)
}

/// Without steps, the second half of the time is compared with the first. Both are equally long,
/// and no window reaches from one into the other.
pub(super) fn of_halves(windows: &[f64], hops: usize) -> Option<f64> {
    let half = (windows.len() + 1).checked_sub(hops)? / 2;
    degradation(&windows[..half], &windows[windows.len() - half..], hops)
}

fn worst(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::max)
}

/// What the worst of `count` windows usually is.
fn usual(before: &[f64], count: usize, hops: usize) -> Option<f64> {
    if count <= before.len() {
        // As many tell the median, of a time of any length.
        let step = ((before.len() - count) / STRETCHES).max(1);
        let stretches = before.windows(count.max(1)).step_by(step);
        return median(stretches.filter_map(worst).collect());
    }
    let longer = count as f64 / before.len() as f64;
    Some(worst(before)? + spread(before, hops) * 6f64.sqrt() / std::f64::consts::PI * longer.ln())
}

/// Of an even number it is the mean of the two in the middle: the upper one would be too much.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some((upper + values[(values.len() - 1) / 2]) / 2.0)
}

/// The standard deviation of windows that have nothing in common.
fn spread(values: &[f64], hops: usize) -> f64 {
    let apart: Vec<f64> = values.iter().copied().step_by(hops.max(1)).collect();
    let mean = apart.iter().sum::<f64>() / apart.len() as f64;
    let squares: f64 = apart.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (apart.len().max(2) - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Latencies of a window, and windows of a second.
    const A_SECOND: usize = 300;
    const HOPS: usize = 10;

    /// Latencies with a long tail, which do not change, in sliding windows: their 99th
    /// percentiles.
    fn calm(seconds: usize, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let mut latency = || {
            let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            (0.5 * normal).exp()
        };
        let drawn: Vec<f64> = (0..seconds * A_SECOND).map(|_| latency()).collect();
        let p99 = |window: &[f64]| {
            let mut window = window.to_vec();
            let rank = window.len() * 99 / 100;
            *window.select_nth_unstable_by(rank, f64::total_cmp).1
        };
        drawn.windows(A_SECOND).step_by(A_SECOND / HOPS).map(p99).collect()
    }

    /// However long it is quiet, before and during.
    #[test]
    fn what_does_not_change_does_not_degrade() {
        for (before, during) in [(10, 3), (10, 10), (10, 40), (30, 5), (30, 60)] {
            let (mut fair, mut naive) = (Vec::new(), Vec::new());
            for seed in 0..60 {
                let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
                let mut calm = |seconds| calm(seconds, &mut random);
                let (before, during) = (calm(before), calm(during));
                fair.push(degradation(&before, &during, HOPS).unwrap());
                let usual = median(before).unwrap();
                naive.push((worst(&during).unwrap() / usual - 1.0) * 100.0);
            }
            let (fair, naive) = (median(fair).unwrap(), median(naive).unwrap());
            println!("{before} s before, {during} s during: {fair:.1} %, {naive:.1} %");
            assert!(fair.abs() < 4.0, "{before} s before, {during} s during: {fair} %");
            assert!(naive > 10.0, "this is what it is compared with: {naive} %");
        }
    }

    /// Seen backwards, a time is as much better as it was worse: no half has an advantage.
    #[test]
    fn halves_are_compared_alike() {
        for seconds in 3..12 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seconds as u64);
            let mut windows = calm(seconds, &mut random);
            let onward = of_halves(&windows, HOPS).unwrap();
            windows.reverse();
            let backward = of_halves(&windows, HOPS).unwrap();
            assert!(onward.abs() > 0.1, "{seconds} s: {onward} %");
            let product = (1.0 + onward / 100.0) * (1.0 + backward / 100.0);
            assert!((product - 1.0).abs() < 1e-9, "{seconds} s: {onward} %, {backward} %");
        }
        assert_eq!(of_halves(&[1.0; HOPS], HOPS), None, "all have a part in common");
    }

    #[test]
    fn of_two_stretches_neither_counts_alone() {
        let before = [1.0, 1.0, 3.0];
        assert_eq!(degradation(&before, &[3.0, 1.0], 1), Some(50.0), "between 1 and 3");
    }

    /// One bad second of many is as bad as it is.
    #[test]
    fn what_gets_worse_for_a_second_is_seen() {
        for (before, during) in [(10, 5), (10, 100)] {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
            let (before, mut during) = (calm(before, &mut random), calm(during, &mut random));
            let usual = worst(&before).unwrap();
            during[7] = usual * 5.0;
            let found = degradation(&before, &during, HOPS).unwrap();
            assert!((250.0..500.0).contains(&found), "{found}");
        }
    }

    /// Of answers a second the lowest is the worst, which is said by a sign.
    #[test]
    fn fewer_answers_are_worse() {
        let (before, during) = (vec![-1_000.0; 50], [vec![-1_000.0; 20], vec![-250.0]].concat());
        assert_eq!(degradation(&before, &during, HOPS), Some(-75.0));
        assert_eq!(degradation(&before, &[0.0], HOPS), Some(-100.0));
        assert_eq!(degradation(&[0.0; 5], &[-3.0], HOPS), None, "there was nothing before");
        assert_eq!(degradation(&[], &[-3.0], HOPS), None);
        assert_eq!(degradation(&before, &[], HOPS), None);
    }
}
