//! Counting by the windows of time in which loads are told of.

use std::time::Duration;

use crate::model::Nanos;

/// How many were counted in each window of each load. It grows with the windows, never with
/// what is counted.
#[derive(Clone, Debug, Default)]
pub struct OverTime {
    every: Duration,
    loads: Vec<Windows>,
}

#[derive(Clone, Debug)]
struct Windows {
    begins: Vec<Nanos>,
    counts: Vec<u64>,
}

impl OverTime {
    /// Windows as long as `every`; of each load, their `begins` in order.
    pub fn new(every: Duration, begins: Vec<Vec<Nanos>>) -> OverTime {
        let windows = |begins: Vec<Nanos>| Windows { counts: vec![0; begins.len()], begins };
        OverTime { every, loads: begins.into_iter().map(windows).collect() }
    }

    /// What lies in no window is not counted, such as what was before the load.
    pub(super) fn count(&mut self, load: u8, at: Nanos) {
        let Some(windows) = self.loads.get_mut(usize::from(load)) else { return };
        let begun = windows.begins.partition_point(|begin| *begin <= at);
        let Some(last) = begun.checked_sub(1) else { return };
        if at < windows.begins[last] + self.every {
            windows.counts[last] += 1;
        }
    }

    /// An entry for each window of `load`.
    pub fn counts(&self, load: usize) -> &[u64] {
        self.loads.get(load).map_or(&[], |windows| &windows.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_the_window_that_it_lies_in() {
        let begins = |some: &[u64]| some.iter().copied().map(Nanos).collect();
        let windows = vec![begins(&[50, 150, 350]), begins(&[55])];
        let mut found = OverTime::new(Duration::from_nanos(100), windows);
        for at in [49, 50, 149, 150, 249, 250, 349, 449, 450] {
            found.count(0, Nanos(at));
        }
        found.count(1, Nanos(54));
        found.count(1, Nanos(55));
        found.count(2, Nanos(55));
        assert_eq!(found.counts(0), [2, 2, 1], "neither before, nor between, nor after");
        assert_eq!(found.counts(1), [1]);
        assert_eq!(found.counts(2), [0; 0]);
    }
}
