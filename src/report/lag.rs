//! How late the writes of one group were seen in another one, and how long it took until groups
//! agreed on a key that two of them had written.

use std::time::Duration;

use crate::check::Hidden;
use crate::model::Nanos;
use crate::model::event::SyncPair;

use super::carried::CarriedFold;
use super::data::{LagSecond, Resolution, SyncLag, millis};

/// What was measured between groups that have the same data, collected.
#[derive(Debug, Default)]
pub(super) struct LagFold {
    /// Of clusters, one for each shard.
    pairs: Vec<PairFold>,
    conflicts: Vec<([String; 2], Times)>,
}

#[derive(Debug)]
struct PairFold {
    pair: SyncPair,
    lags: Times,
    /// When writes were acknowledged, and seen.
    seen: Vec<(Nanos, Nanos)>,
    hidden: Vec<(Nanos, Nanos)>,
}

/// What is told of all shards comes within this time, once a second.
const MOMENT_MS: f64 = 250.0;

/// Times of which some had not ended when they were last seen.
#[derive(Clone, Debug, Default)]
struct Times {
    ended_ns: Vec<u64>,
    open_ns: Vec<u64>,
    seconds: Vec<LagSecond>,
}

impl Times {
    fn hear(&mut self, at: Nanos, mut ended_ns: Vec<u64>, open_ns: Vec<u64>) {
        self.open_ns.extend(open_ns);
        ended_ns.sort_unstable();
        let middle = ended_ns.get(ended_ns.len() / 2).copied();
        if let (Some(middle), Some(most)) = (middle, ended_ns.last()) {
            let [p50_ms, max_ms] = [middle, *most].map(|ns| millis(Nanos(ns)));
            self.seconds.push(LagSecond { at_ms: millis(at), p50_ms, max_ms });
        }
        self.ended_ns.extend(ended_ns);
    }

    /// Adds those of another shard. Of a second the latest shard counts.
    fn join(&mut self, other: &Times) {
        self.ended_ns.extend(&other.ended_ns);
        self.open_ns.extend(&other.open_ns);
        for second in &other.seconds {
            let is_same = |known: &&mut LagSecond| (known.at_ms - second.at_ms).abs() < MOMENT_MS;
            match self.seconds.iter_mut().find(is_same) {
                Some(known) => {
                    known.p50_ms = known.p50_ms.max(second.p50_ms);
                    known.max_ms = known.max_ms.max(second.max_ms);
                }
                None => self.seconds.push(*second),
            }
        }
        self.seconds.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    }

    fn count(&self) -> usize {
        self.ended_ns.len() + self.open_ns.len()
    }

    /// In milliseconds. What had not ended counts with the time that it had.
    fn quantiles<const N: usize>(&self, wanted: [f64; N]) -> [f64; N] {
        let mut all = [&self.ended_ns[..], &self.open_ns].concat();
        all.sort_unstable();
        wanted.map(|q| {
            let rank = (q * all.len() as f64).ceil() as usize;
            millis(Nanos(all[rank.clamp(1, all.len()) - 1]))
        })
    }

    fn open_after_ms(&self) -> Option<f64> {
        self.open_ns.iter().min().map(|ns| millis(Nanos(*ns)))
    }
}

impl LagFold {
    pub fn pairs(&mut self, pairs: Vec<SyncPair>) {
        let fold = |pair| PairFold { pair, lags: Times::default(), seen: vec![], hidden: vec![] };
        self.pairs.extend(pairs.into_iter().map(fold));
    }

    /// Lags come with the instants of their writes; drills of before have none.
    pub fn hear(
        &mut self,
        at: Nanos,
        pair: usize,
        (since_ns, lags_ns): (Vec<u64>, Vec<u64>),
        unseen_ns: Vec<u64>,
    ) {
        if let Some(fold) = self.pairs.get_mut(pair) {
            let both = since_ns.iter().zip(&lags_ns);
            fold.seen.extend(both.map(|(since, lag)| (Nanos(*since), Nanos(since + lag))));
            fold.lags.hear(at, lags_ns, unseen_ns);
        }
    }

    pub fn hidden(&mut self, pair: usize, hidden: Vec<(Nanos, Nanos)>) {
        if let Some(fold) = self.pairs.get_mut(pair) {
            fold.hidden.extend(hidden);
        }
    }

    pub fn conflicts(
        &mut self,
        at: Nanos,
        between: [String; 2],
        (ended_ns, open_ns): (Vec<u64>, Vec<u64>),
    ) {
        let known = self.conflicts.iter().position(|(pair, _)| *pair == between);
        let index = known.unwrap_or_else(|| {
            self.conflicts.push((between, Times::default()));
            self.conflicts.len() - 1
        });
        self.conflicts[index].1.hear(at, ended_ns, open_ns);
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

    /// When each target had all that was written until `at`: when it showed the first write of
    /// after that. None if it showed no such write, and some write was waited for in vain.
    pub fn caught_up(&self, at: Nanos) -> Vec<Option<Nanos>> {
        let later = |fold: &PairFold| {
            // Records that do not say when writes were acknowledged say nothing of this.
            let is_told = fold.seen.len() == fold.lags.ended_ns.len();
            let mut seen = fold.seen.iter().filter(|(since, _)| *since >= at);
            let is_waited_for = is_told && !fold.lags.open_ns.is_empty();
            seen.next().map(|(_, seen)| Some(*seen)).or(is_waited_for.then_some(None))
        };
        self.pairs.iter().filter_map(later).collect()
    }

    /// A row for each pair whose source took writes, over all shards.
    pub fn rows(&self, carried: &CarriedFold) -> Vec<SyncLag> {
        let mut rows: Vec<(&SyncPair, Times)> = Vec::new();
        for PairFold { pair, lags, .. } in self.pairs.iter().filter(|fold| fold.lags.count() > 0) {
            let is_same = |other: &SyncPair| (&other.from, &other.to) == (&pair.from, &pair.to);
            match rows.iter_mut().find(|(other, _)| is_same(other)) {
                Some((_, all)) => all.join(lags),
                None => rows.push((pair, lags.clone())),
            }
        }
        rows.into_iter().map(|(pair, lags)| row(pair, &lags, carried)).collect()
    }

    /// A row for each two groups that wrote one key at once.
    pub fn resolutions(&self) -> Vec<Resolution> {
        let row = |(between, times): &([String; 2], Times)| {
            let [p50_ms, p99_ms, max_ms] = times.quantiles([0.5, 0.99, 1.0]);
            Resolution {
                between: between.clone(),
                conflicts: times.count() as u64,
                open: times.open_ns.len() as u64,
                open_after_ms: times.open_after_ms(),
                p50_ms,
                p99_ms,
                max_ms,
                seconds: times.seconds.clone(),
            }
        };
        self.conflicts.iter().filter(|(_, times)| times.count() > 0).map(row).collect()
    }

    /// Until when what was written in one group was not there in another one.
    pub fn not_there(&self) -> Hidden {
        let mut hidden = Hidden::default();
        for fold in &self.pairs {
            let pair = (fold.pair.from.clone(), fold.pair.to.clone());
            hidden.add(pair, fold.hidden.iter().copied());
        }
        hidden
    }
}

fn row(pair: &SyncPair, lags: &Times, carried: &CarriedFold) -> SyncLag {
    let [p50_ms, p99_ms, max_ms] = lags.quantiles([0.5, 0.99, 1.0]);
    let link = Duration::from_nanos(pair.link_ns);
    let backlog = carried.backlog_of(&pair.from, &pair.to);
    SyncLag {
        from: pair.from.clone(),
        to: pair.to.clone(),
        link_ms: link.as_secs_f64() * 1e3,
        writes: lags.count() as u64,
        unseen: lags.open_ns.len() as u64,
        unseen_after_ms: lags.open_after_ms(),
        p50_ms,
        p99_ms,
        max_ms,
        backlog_max: backlog.map(|backlog| backlog.entries),
        backlog_max_bytes: backlog.and_then(|backlog| backlog.bytes),
        seconds: lags.seconds.clone(),
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

impl Resolution {
    /// Whether a figure is only known to be that at least.
    pub fn is_open(&self, ms: f64) -> bool {
        self.open_after_ms.is_some_and(|after| after <= ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> SyncPair {
        let (from, to) = ("us".to_owned(), "eu".to_owned());
        SyncPair { from, to, link_ns: 40_000_000, shard: None }
    }

    /// Two directed pairs, the other one back.
    fn both_ways() -> Vec<SyncPair> {
        let SyncPair { from, to, .. } = pair();
        vec![pair(), SyncPair { from: to, to: from, ..pair() }]
    }

    fn ms(some: impl IntoIterator<Item = u64>) -> Vec<u64> {
        some.into_iter().map(|ms| ms * 1_000_000).collect()
    }

    #[test]
    fn writes_that_were_not_seen_count_with_the_time_that_they_had() {
        let mut fold = LagFold::default();
        fold.pairs(both_ways());
        let lags = ms(41..=140);
        fold.hear(Nanos(1_000_000_000), 0, (vec![], lags), vec![]);
        fold.hear(Nanos(2_000_000_000), 0, (vec![], vec![]), ms([500]));
        let rows = fold.rows(&CarriedFold::default());
        assert_eq!(rows.len(), 1, "nobody wrote in the other one");
        let row = &rows[0];
        assert_eq!((row.writes, row.unseen, row.p50_ms, row.max_ms), (101, 1, 91.0, 500.0));
        assert_eq!((row.p99_ms, row.added_p99_ms()), (140.0, 100.0));
        assert_eq!((row.is_open(row.p99_ms), row.is_open(row.max_ms)), (false, true));
        assert_eq!(row.seconds, [LagSecond { at_ms: 1_000.0, p50_ms: 91.0, max_ms: 140.0 }]);
    }

    #[test]
    fn the_shards_of_a_pair_are_one_row_and_catch_up_each() {
        let mut fold = LagFold::default();
        let shard = |shard| SyncPair { shard: Some(shard), ..pair() };
        fold.pairs(vec![shard(0), shard(1)]);
        fold.hear(Nanos(1_000_000_000), 0, (ms([100]), ms([41])), vec![]);
        fold.hear(Nanos(1_000_050_000), 1, (ms([110]), ms([90])), vec![]);
        fold.hear(Nanos(2_000_000_000), 1, (ms([]), ms([])), ms([500]));
        let rows = fold.rows(&CarriedFold::default());
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.writes, row.unseen, row.p50_ms, row.max_ms), (3, 1, 90.0, 500.0));
        assert_eq!(row.seconds, [LagSecond { at_ms: 1_000.0, p50_ms: 90.0, max_ms: 90.0 }]);
        let at = |ms: u64| Nanos(ms * 1_000_000);
        assert_eq!(fold.caught_up(at(95)), [Some(at(141)), Some(at(200))]);
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
        let mut old = LagFold::default();
        old.pairs(vec![pair()]);
        old.hear(second, 0, (vec![], ms([10])), ms([800]));
        assert_eq!(old.caught_up(at(90)), [], "a record that does not tell when");
    }

    #[test]
    fn conflicts_that_never_end_leave_figures_open() {
        let mut fold = LagFold::default();
        let between = || ["us".to_owned(), "eu".to_owned()];
        fold.conflicts(Nanos(1_000_000_000), between(), (ms(41..=90), vec![]));
        fold.conflicts(Nanos(2_000_000_000), between(), (vec![], ms([2_000])));
        let rows = fold.resolutions();
        assert_eq!((rows.len(), rows[0].conflicts, rows[0].open), (1, 51, 1));
        let [p50, p99] = [rows[0].p50_ms, rows[0].p99_ms];
        assert_eq!((p50, rows[0].is_open(p50)), (66.0, false));
        assert_eq!((p99, rows[0].is_open(p99)), (2_000.0, true));
    }
}
