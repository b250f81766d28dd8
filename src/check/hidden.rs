//! When what was written in one group was certainly not there in another one.

use std::collections::HashMap;

use crate::model::Nanos;

/// An instant, and the one until which nothing that was sent since was there.
type Span = (Nanos, Nanos);
/// The spans of one shard, and of a group that has none.
pub(super) type Shard = Vec<Span>;

/// For each pair of groups, by their names, the spans of each shard. Both of their instants rise.
#[derive(Clone, Debug, Default)]
pub struct Hidden(HashMap<(String, String), Vec<Shard>>);

impl Hidden {
    /// One more shard of the pair: what was acknowledged at the first instant of each was not there
    /// at the second.
    pub fn add(&mut self, pair: (String, String), seen: impl IntoIterator<Item = (Nanos, Nanos)>) {
        let mut spans: Vec<Span> = seen.into_iter().collect();
        spans.sort_unstable();
        let mut latest = Nanos::ZERO;
        for (_, until) in &mut spans {
            latest = latest.max(*until);
            *until = latest;
        }
        self.0.entry(pair).or_default().push(spans);
    }

    pub(super) fn of(&self, from: &str, to: &str) -> &[Shard] {
        self.0.get(&(from.to_owned(), to.to_owned())).map_or(&[], |shards| shards)
    }
}

/// Until when what was sent at `sent` was certainly not there, whichever shard it is of. No write is
/// there before it is sent.
pub(super) fn until(shards: &[Shard], sent: Nanos) -> Nanos {
    shards.iter().map(|spans| until_in(spans, sent)).min().unwrap_or(sent)
}

fn until_in(spans: &[Span], sent: Nanos) -> Nanos {
    let known = spans.partition_point(|(since, _)| *since <= sent);
    let until = known.checked_sub(1).map_or(Nanos::ZERO, |last| spans[last].1);
    until.max(sent)
}
