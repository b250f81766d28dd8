//! When what was written in one group was certainly not there in another one.

use std::collections::HashMap;

use crate::model::Nanos;

/// An instant, and the one until which nothing that was sent since was there.
pub(super) type Span = (Nanos, Nanos);

/// For each pair of groups, by their names. Both instants of its spans rise.
#[derive(Clone, Debug, Default)]
pub struct Hidden(HashMap<(String, String), Vec<Span>>);

impl Hidden {
    /// What was acknowledged at the first instant of each was not there at the second.
    pub fn add(&mut self, pair: (String, String), seen: impl IntoIterator<Item = (Nanos, Nanos)>) {
        let spans = self.0.entry(pair).or_default();
        spans.extend(seen);
        spans.sort_unstable();
        let mut latest = Nanos::ZERO;
        for (_, until) in spans {
            latest = latest.max(*until);
            *until = latest;
        }
    }

    pub(super) fn of(&self, from: &str, to: &str) -> &[Span] {
        self.0.get(&(from.to_owned(), to.to_owned())).map_or(&[], |spans| spans)
    }
}

/// Until when what was sent at `sent` was certainly not there. No write is there before it is
/// sent.
pub(super) fn until(spans: &[Span], sent: Nanos) -> Nanos {
    let known = spans.partition_point(|(since, _)| *since <= sent);
    let until = known.checked_sub(1).map_or(Nanos::ZERO, |last| spans[last].1);
    until.max(sent)
}
