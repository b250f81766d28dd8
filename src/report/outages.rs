//! Collects outages: the longest and the sum for each canary, and a list for the reader.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::Canary;
use crate::model::op::{Access, Cause};

use super::data::{Outage, millis};
use super::spans::Span;

/// How many outages are listed; all are counted.
const LISTED: usize = 2_000;
/// How many are kept, for finding those of failovers.
const KEPT: usize = 200_000;
/// How late a node's report may be.
const LATE: Duration = Duration::from_millis(200);

/// The outages of one canary for one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suffered {
    pub longest: Duration,
    pub total: Duration,
    /// The same without the time in which redrill itself was not run.
    pub longest_watched: Duration,
    pub total_watched: Duration,
}

impl Listed {
    fn overlaps(&self, span: Span) -> bool {
        self.from < span.to && self.to.is_none_or(|to| to > span.from)
    }

    fn holds_at(&self, at: Nanos) -> bool {
        self.from <= at && self.to.is_none_or(|to| to > at - LATE)
    }
}

impl Suffered {
    fn add(&mut self, outage: &Listed) {
        let watched = outage.length.saturating_sub(outage.blind);
        self.longest = self.longest.max(outage.length);
        self.total += outage.length;
        self.longest_watched = self.longest_watched.max(watched);
        self.total_watched += watched;
    }

    fn worse(self, other: &Suffered) -> Suffered {
        Suffered {
            longest: self.longest.max(other.longest),
            total: self.total.max(other.total),
            longest_watched: self.longest_watched.max(other.longest_watched),
            total_watched: self.total_watched.max(other.total_watched),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outages {
    suffered: BTreeMap<(usize, bool), Suffered>,
    open: HashMap<(usize, Access), (Nanos, Cause)>,
    listed: Vec<Listed>,
    left_out: u64,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    canary: usize,
    action: Access,
    from: Nanos,
    to: Option<Nanos>,
    length: Duration,
    /// The part of `length` in which redrill itself was not run.
    blind: Duration,
    cause: Option<Cause>,
}

fn key(canary: usize, action: Access) -> (usize, bool) {
    (canary, action == Access::Write)
}

impl Outages {
    pub fn began(&mut self, canary: usize, action: Access, from: Nanos, cause: Cause) {
        self.open.entry((canary, action)).or_insert((from, cause));
    }

    pub fn ended(
        &mut self,
        (canary, action): (usize, Access),
        (from, to): (Nanos, Nanos),
        blind: Duration,
    ) {
        let cause = self.open.remove(&(canary, action)).map(|(_, cause)| cause);
        let length = to.since(from);
        self.count(Listed { canary, action, from, to: Some(to), length, blind, cause });
    }

    /// Counts outages that never ended: until the first of `ends` after their beginning. Then all
    /// are known, and are kept in the order of their beginnings.
    pub fn close(&mut self, ends: &[Nanos]) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_by_key(|((canary, action), (from, _))| (*from, key(*canary, *action)));
        for ((canary, action), (from, cause)) in open {
            let end = ends.iter().find(|end| **end > from).copied().unwrap_or(from);
            let length = end.since(from);
            let (to, blind, cause) = (None, Duration::ZERO, Some(cause));
            self.count(Listed { canary, action, from, to, length, blind, cause });
        }
        self.listed.sort_by_key(|one| (one.from, key(one.canary, one.action)));
    }

    fn count(&mut self, outage: Listed) {
        self.suffered.entry(key(outage.canary, outage.action)).or_default().add(&outage);
        if self.listed.len() < KEPT {
            self.listed.push(outage);
        } else {
            self.left_out += 1;
        }
    }

    /// The longest outage of any of the canaries that `of` accepts, and the greatest sum of a
    /// single one.
    pub fn worst(&self, action: Access, of: impl Fn(usize) -> bool) -> Suffered {
        self.suffered
            .iter()
            .filter(|((canary, write), _)| *write == (action == Access::Write) && of(*canary))
            .fold(Suffered::default(), |worst, (_, one)| worst.worse(one))
    }

    /// When the first of the canaries that `of` accepts was served again. Each counts by the
    /// outage within `span` that it had at `at`, or else by its longest one. `None` if no
    /// canary had one that ended.
    pub fn first_end(
        &self,
        action: Access,
        (span, at): (Span, Nanos),
        of: impl Fn(usize) -> bool,
    ) -> Option<Nanos> {
        let mut chosen: BTreeMap<usize, &Listed> = BTreeMap::new();
        let rank = |one: &Listed| (one.holds_at(at), one.length);
        let mine = |one: &&Listed| one.action == action && one.overlaps(span) && of(one.canary);
        for outage in self.listed.iter().filter(mine) {
            let kept = chosen.entry(outage.canary).or_insert(outage);
            if rank(outage) > rank(kept) {
                *kept = outage;
            }
        }
        chosen.values().filter_map(|outage| outage.to).min()
    }

    /// Whether one of the canaries that `of` accepts has an outage within `span` that never
    /// ended.
    pub fn is_open(&self, action: Access, span: Span, of: impl Fn(usize) -> bool) -> bool {
        let open = |one: &Listed| one.action == action && one.to.is_none() && one.overlaps(span);
        self.listed.iter().any(|one| open(one) && of(one.canary))
    }

    /// When all canaries were served after the outages within `span`, and after those that began
    /// before these were over; its beginning if there were none. `None` if one never ended.
    pub fn over(&self, span: Span) -> Option<Nanos> {
        let (mut over, mut until) = (span.from, span.to);
        for one in &self.listed {
            if one.overlaps(Span { from: span.from, to: until }) {
                over = over.max(one.to?);
                until = until.max(over);
            }
        }
        Some(over)
    }

    /// The worst canary: the longest outage, and the greatest sum, of the parts that count by
    /// `part`.
    pub fn worst_part(
        &self,
        action: Access,
        part: impl Fn(usize, Span) -> Duration,
    ) -> (Duration, Duration) {
        let (mut longest, mut sums) = (Duration::ZERO, BTreeMap::new());
        for one in self.listed.iter().filter(|one| one.action == action) {
            let length = part(one.canary, Span { from: one.from, to: one.from + one.length });
            longest = longest.max(length);
            *sums.entry(one.canary).or_insert(Duration::ZERO) += length;
        }
        (longest, sums.into_values().max().unwrap_or_default())
    }

    /// The outages in the order of their beginnings, and how many were left out. `owner` is the
    /// shard that a canary belonged to, and `region` the one that it was probed from.
    pub fn list<'c>(
        &self,
        canaries: &'c [Canary],
        owner: impl Fn(&Canary, Nanos) -> u32,
        region: impl Fn(&'c Canary) -> Option<&'c str>,
    ) -> (Vec<Outage>, u64) {
        let left_out = self.left_out + self.listed.len().saturating_sub(LISTED) as u64;
        let rows = self.listed.iter().take(LISTED).filter_map(|one| {
            let canary = canaries.get(one.canary)?;
            Some(Outage {
                group: canary.group.clone(),
                shard: owner(canary, one.from),
                slot: canary.slot,
                moves: canary.moves,
                region: region(canary).map(str::to_owned),
                action: one.action,
                from_ms: millis(one.from),
                to_ms: one.to.map(millis),
                duration_ms: one.length.as_secs_f64() * 1e3,
                blind_ms: one.blind.as_secs_f64() * 1e3,
                cause: one.cause,
            })
        });
        (rows.collect(), left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Write outages: each a canary, its beginning and its end, in milliseconds.
    fn outages(all: &[(usize, u64, Option<u64>)]) -> Outages {
        let mut outages = Outages::default();
        for (canary, from, to) in all {
            outages.began(*canary, Access::Write, ms(*from), Cause::Timeout);
            if let Some(to) = to {
                let span = (ms(*from), ms(*to));
                outages.ended((*canary, Access::Write), span, Duration::ZERO);
            }
        }
        outages.close(&[ms(30_000)]);
        outages
    }

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// For a failover from 1,000 on, which all nodes knew at 3,100; `at` is the election.
    fn first_end(all: &[(usize, u64, Option<u64>)], at: u64) -> Option<Nanos> {
        let span = Span { from: ms(1_000), to: ms(3_600) };
        outages(all).first_end(Access::Write, (span, ms(at)), |canary| canary < 2)
    }

    #[test]
    fn a_failover_ends_the_outages_that_lie_around_it() {
        let its_own = [(0, 1_009, Some(3_099)), (1, 1_015, Some(3_120)), (2, 1_000, Some(1_500))];
        let another = [(0, 10_419, Some(17_080)), (1, 10_419, Some(17_090))];
        let both = [&its_own[..], &another].concat();
        assert_eq!(first_end(&both, 3_050), Some(ms(3_099)), "not the longer one after it");
        assert_eq!(first_end(&another, 3_050), None, "there was none");
        let before = [(0, 200, Some(950))];
        assert_eq!(first_end(&before, 3_050), None, "it was over when the fault was done");
        let on_its_way = [(0, 900, Some(3_099))];
        assert_eq!(first_end(&on_its_way, 3_050), Some(ms(3_099)), "it went on");
    }

    #[test]
    fn of_several_outages_the_one_at_the_election_counts() {
        let turns = [(0, 1_000, Some(2_200)), (0, 2_800, Some(3_099)), (0, 3_200, Some(5_000))];
        assert_eq!(first_end(&turns, 3_050), Some(ms(3_099)));
        assert_eq!(first_end(&turns, 3_150), Some(ms(3_099)), "an election is seen a little late");
        let reset = [(0, 1_000, Some(1_020)), (0, 3_120, Some(3_200))];
        assert_eq!(first_end(&reset, 2_000), Some(ms(3_200)), "as the old one gave way");
    }

    #[test]
    fn outages_that_touch_each_other_are_over_together() {
        let over = |all: &[_]| outages(all).over(Span { from: ms(1_000), to: ms(1_500) });
        assert_eq!(over(&[(0, 200, Some(900)), (1, 3_100, Some(3_200))]), Some(ms(1_000)));
        let chain = [(2, 2_900, Some(3_300)), (0, 990, Some(1_700)), (1, 1_600, Some(3_000))];
        assert_eq!(over(&chain), Some(ms(3_300)));
        assert_eq!(over(&chain[..2]), Some(ms(1_700)));
        assert_eq!(over(&[(0, 1_400, None)]), None);
    }

    #[test]
    fn an_outage_that_never_ended_is_open() {
        let span = Span { from: ms(1_000), to: ms(3_600) };
        let is_open = |all: &[_]| outages(all).is_open(Access::Write, span, |_| true);
        assert_eq!(first_end(&[(0, 1_009, None)], 3_050), None);
        assert!(is_open(&[(0, 1_009, None)]));
        assert!(!is_open(&[(0, 1_009, Some(3_099))]));
        assert!(!is_open(&[(0, 10_419, None)]), "another fault's");
    }
}
