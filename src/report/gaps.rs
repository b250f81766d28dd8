//! The times between good answers that an operation which still waits may turn out to have felt.
//!
//! An operation is known once it has ended. If others had good answers while it waited, the times
//! between these are silences all the same: it wanted something all along.

use crate::model::Nanos;

/// Stretches between one good answer and the next, in their order. Each is longer than all after it:
/// whoever has waited through an earlier one has waited through the later ones too, and of those the
/// longest counts.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<(Nanos, Nanos)>);

impl Gaps {
    /// After the good answer at `from` the next one came at `to`.
    pub fn add(&mut self, from: Nanos, to: Nanos) {
        let length = to.since(from);
        while self.0.last().is_some_and(|(from, to)| to.since(*from) <= length) {
            self.0.pop();
        }
        self.0.push((from, to));
    }

    /// The longest stretch, until the last good answer, in which something waited that was due at
    /// `wanted`; `None` if the last good answer came before that.
    pub fn longest_since(&self, wanted: Nanos) -> Option<(Nanos, Nanos)> {
        let first = self.0.partition_point(|(_, to)| *to <= wanted);
        let felt = self.0[first..].iter().take(2).map(|(from, to)| ((*from).max(wanted), *to));
        felt.max_by_key(|(from, to)| to.since(*from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_is_that_of_all_stretches(
            lengths in proptest::collection::vec(1u64..50, 1..40),
            wanted in 0u64..1_000,
        ) {
            let (mut gaps, mut at, mut naive) = (Gaps::default(), 0, 0);
            for length in lengths {
                gaps.add(Nanos(at), Nanos(at + length));
                naive = naive.max((at + length).saturating_sub(at.max(wanted)));
                at += length;
            }
            let found = gaps.longest_since(Nanos(wanted)).map_or(0, |(from, to)| to.0 - from.0);
            prop_assert_eq!(found, naive);
        }
    }
}
