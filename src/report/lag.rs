//! How late the writes of one group were seen in another one.

use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::SyncPair;

use super::data::{LagSecond, SyncLag, millis};

/// The lags of all pairs, collected.
#[derive(Debug, Default)]
pub(super) struct LagFold {
    pairs: Vec<PairFold>,
}

#[derive(Debug)]
struct PairFold {
    pair: SyncPair,
    lags_ns: Vec<u64>,
    /// When writes were acknowledged, and seen.
    seen: Vec<(Nanos, Nanos)>,
    unseen_ns: Vec<u64>,
    seconds: Vec<LagSecond>,
}

impl LagFold {
    pub fn pairs(&mut self, pairs: Vec<SyncPair>) {
        self.pairs.extend(pairs.into_iter().map(PairFold::new));
    }

    /// Lags come with the instants of their writes; drills of before have none.
    pub fn hear(
        &mut self,
        at: Nanos,
        pair: usize,
        (since_ns, mut lags_ns): (Vec<u64>, Vec<u64>),
        unseen_ns: Vec<u64>,
    ) {
        let Some(fold) = self.pairs.get_mut(pair) else { return };
        fold.unseen_ns.extend(unseen_ns);
        let both = since_ns.iter().zip(&lags_ns);
        fold.seen.extend(both.map(|(since, lag)| (Nanos(*since), Nanos(since + lag))));
        lags_ns.sort_unstable();
        let middle = lags_ns.get(lags_ns.len() / 2).copied();
        if let (Some(middle), Some(most)) = (middle, lags_ns.last()) {
            let [p50_ms, max_ms] = [middle, *most].map(|ns| millis(Nanos(ns)));
            fold.seconds.push(LagSecond { at_ms: millis(at), p50_ms, max_ms });
        }
        fold.lags_ns.extend(lags_ns);
    }

    /// The groups that have the same data.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let first = |at: &usize| {
            let name = &self.pairs[*at].pair.from;
            self.pairs[..*at].iter().all(|other| other.pair.from != *name)
        };
        (0..self.pairs.len()).filter(first).map(|at| &*self.pairs[at].pair.from)
    }

    pub fn has_pairs(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// For each pair whose source took writes after `at`: when the target had all that was written
    /// until then; none if it never had.
    pub fn caught_up(&self, at: Nanos) -> Vec<Option<Nanos>> {
        let later = |fold: &PairFold| {
            let mut seen = fold.seen.iter().filter(|(since, _)| *since >= at);
            let is_waited_for = !fold.unseen_ns.is_empty();
            seen.next().map(|(_, seen)| Some(*seen)).or(is_waited_for.then_some(None))
        };
        self.pairs.iter().filter_map(later).collect()
    }

    /// A row for each pair whose source took writes.
    pub fn rows(&self) -> Vec<SyncLag> {
        let written = |fold: &&PairFold| fold.lags_ns.len() + fold.unseen_ns.len() > 0;
        self.pairs.iter().filter(written).map(PairFold::row).collect()
    }
}

impl PairFold {
    fn new(pair: SyncPair) -> PairFold {
        PairFold { pair, lags_ns: vec![], seen: vec![], unseen_ns: vec![], seconds: vec![] }
    }

    fn row(&self) -> SyncLag {
        let mut all = self.lags_ns.clone();
        all.extend(&self.unseen_ns);
        all.sort_unstable();
        let quantile = |q: f64| {
            let rank = (q * all.len() as f64).ceil() as usize;
            millis(Nanos(all[rank.clamp(1, all.len()) - 1]))
        };
        let link = Duration::from_nanos(self.pair.link_ns);
        SyncLag {
            from: self.pair.from.clone(),
            to: self.pair.to.clone(),
            link_ms: link.as_secs_f64() * 1e3,
            writes: all.len() as u64,
            unseen: self.unseen_ns.len() as u64,
            unseen_after_ms: self.unseen_ns.iter().min().map(|ns| millis(Nanos(*ns))),
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            max_ms: quantile(1.0),
            seconds: self.seconds.clone(),
        }
    }
}

impl SyncLag {
    /// Whether a figure is only known to be that at least: a write that was not seen for less time
    /// may have taken longer.
    pub fn is_open(&self, ms: f64) -> bool {
        self.unseen_after_ms.is_some_and(|after| after <= ms)
    }

    /// What replication adds to the link.
    pub fn added_p99_ms(&self) -> f64 {
        self.p99_ms - self.link_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> SyncPair {
        SyncPair { from: "us".to_owned(), to: "eu".to_owned(), link_ns: 40_000_000 }
    }

    fn ms(some: impl IntoIterator<Item = u64>) -> Vec<u64> {
        some.into_iter().map(|ms| ms * 1_000_000).collect()
    }

    #[test]
    fn writes_that_were_not_seen_count_with_the_time_that_they_had() {
        let mut fold = LagFold::default();
        fold.pairs(vec![pair(), pair()]);
        let lags = ms(41..=140);
        fold.hear(Nanos(1_000_000_000), 0, (vec![], lags), vec![]);
        fold.hear(Nanos(2_000_000_000), 0, (vec![], vec![]), ms([500]));
        let rows = fold.rows();
        assert_eq!(rows.len(), 1, "nobody wrote in the other one");
        let row = &rows[0];
        assert_eq!((row.writes, row.unseen, row.p50_ms, row.max_ms), (101, 1, 91.0, 500.0));
        assert_eq!((row.p99_ms, row.added_p99_ms()), (140.0, 100.0));
        assert_eq!((row.is_open(row.p99_ms), row.is_open(row.max_ms)), (false, true));
        assert_eq!(row.seconds, [LagSecond { at_ms: 1_000.0, p50_ms: 91.0, max_ms: 140.0 }]);
    }

    #[test]
    fn a_group_has_caught_up_when_it_shows_the_first_write_after_that() {
        let mut fold = LagFold::default();
        fold.pairs(vec![pair(), pair(), pair()]);
        let second = Nanos(1_000_000_000);
        fold.hear(second, 0, (ms([90, 100, 110]), ms([960, 950, 940])), vec![]);
        fold.hear(second, 1, (ms([90]), ms([10])), ms([800]));
        let at = |ms: u64| Nanos(ms * 1_000_000);
        assert_eq!(fold.caught_up(at(95)), [Some(at(1_050)), None], "the third took no writes");
        assert_eq!(fold.caught_up(at(90)), [Some(at(1_050)), Some(at(100))]);
    }
}
