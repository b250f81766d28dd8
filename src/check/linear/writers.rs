//! Which call wrote which value.

use super::call::Call;

/// The writes and the compare-and-sets of one key, by the values that they write.
#[derive(Debug)]
pub(super) struct Writers {
    /// Value and index of the call, sorted.
    by_value: Vec<(u64, u32)>,
}

impl Writers {
    pub fn of(calls: &[Call]) -> Writers {
        let writer = |(i, call): (usize, &Call)| Some((call.written()?, i as u32));
        let mut by_value: Vec<(u64, u32)> = calls.iter().enumerate().filter_map(writer).collect();
        by_value.sort_unstable();
        Writers { by_value }
    }

    /// Whether no value was written twice.
    pub fn are_unique(&self) -> bool {
        self.by_value.windows(2).all(|pair| pair[0].0 != pair[1].0)
    }

    /// In the order of their values, the indices of their calls.
    pub fn calls(&self) -> impl Iterator<Item = u32> {
        self.by_value.iter().map(|(_, call)| *call)
    }

    /// The place in that order of the first writer of `value`.
    pub fn place(&self, value: u64) -> Option<usize> {
        let place = self.by_value.partition_point(|(other, _)| *other < value);
        self.by_value.get(place).filter(|(found, _)| *found == value).map(|_| place)
    }
}
