//! Whose turn it is: which canaries are probed at a tick.
//!
//! Probes are a load of their own, so they have a budget. The slots of a shard are served or not
//! served together, so the canaries of a shard take turns: one of them at each tick shows when
//! an outage begins. From the first probe that failed on, all of them are probed at every tick,
//! because each comes back at its own instant. The same holds for the slots that move out of a
//! shard, which may fail alone: they take turns of their own, and have what is left of the
//! budget.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::Canary;

/// A shard without a failed probe for so long is calm again.
const CALM: Duration = Duration::from_secs(1);
/// The share of the budget for shards that are not calm. The others may fail as well.
const TROUBLED: f64 = 0.8;
/// A canary's turn is a read and a write.
const REQUESTS: f64 = 2.0;

pub(super) struct Turns {
    /// By the canary's number.
    canaries: Vec<Turn>,
    shards: Vec<Shard>,
    /// Turns in each tick.
    turns: f64,
    for_troubled: Allowance,
    for_calm: Allowance,
    tick: u64,
}

/// Of one canary.
#[derive(Clone, Copy, Default)]
struct Turn {
    /// The tick of its last turn.
    last: u64,
    /// The index of the shard that it stands for.
    shard: usize,
}

/// Turns that may be given out. A part of a turn is kept for the next tick.
#[derive(Default)]
struct Allowance(f64);

/// The canaries of one shard that do not move, or those that do, from one region.
struct Shard {
    canaries: Vec<usize>,
    moves: bool,
    troubled_until: Nanos,
}

impl Turns {
    /// `budget` is in requests a second, and `every` the time from tick to tick.
    pub(super) fn new<'a>(
        canaries: impl IntoIterator<Item = &'a Canary>,
        budget: f64,
        every: Duration,
    ) -> Turns {
        let mut shards: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (i, one) in canaries.into_iter().enumerate() {
            let of = (&one.group, &one.region, one.shard, one.moves);
            shards.entry(of).or_default().push(i);
        }
        let mut turns = vec![Turn::default(); shards.values().map(Vec::len).sum()];
        for (shard, canaries) in shards.values().enumerate() {
            canaries.iter().for_each(|canary| turns[*canary].shard = shard);
        }
        let shards = shards.into_iter().map(|((_, _, _, moves), canaries)| Shard {
            canaries,
            moves,
            troubled_until: Nanos::ZERO,
        });
        Turns {
            canaries: turns,
            shards: shards.collect(),
            turns: budget * every.as_secs_f64() / REQUESTS,
            for_troubled: Allowance::default(),
            for_calm: Allowance::default(),
            tick: 0,
        }
    }

    /// The ticks from one turn of a calm shard to the next, while all are calm.
    pub(super) fn ticks_apart(&self) -> f64 {
        (self.shards.len() as f64 / self.turns).max(1.0)
    }

    /// A probe of the canary has failed: its shard is in trouble.
    pub(super) fn failed(&mut self, canary: usize, now: Nanos) {
        let shard = self.canaries[canary].shard;
        self.shards[shard].troubled_until = now + CALM;
    }

    /// The canaries whose turn it is, each once.
    pub(super) fn next(&mut self, now: Nanos) -> Vec<usize> {
        self.tick += 1;
        let (troubled, calm): (Vec<&Shard>, Vec<&Shard>) =
            self.shards.iter().partition(|shard| shard.troubled_until > now);
        let share = match (troubled.is_empty(), calm.is_empty()) {
            (true, _) => 0.0,
            (false, true) => 1.0,
            (false, false) => TROUBLED,
        };
        let last = |canary: &usize| self.canaries[*canary].last;
        let all = |shards: &[&Shard]| {
            let canaries = shards.iter().flat_map(|shard| &shard.canaries);
            let mut canaries: Vec<usize> = canaries.copied().collect();
            canaries.sort_by_key(last);
            canaries
        };
        // The shard that has waited longest is the first, with its canary that has.
        let mut by_wait = calm.clone();
        by_wait.sort_by_key(|shard| shard.canaries.iter().map(last).max());
        let first = |shard: &&Shard| shard.canaries.iter().min_by_key(|one| last(one)).copied();
        let firsts: Vec<usize> = by_wait.iter().filter_map(first).collect();
        let moving: Vec<&Shard> = calm.into_iter().filter(|shard| shard.moves).collect();
        let mut moving = all(&moving);
        moving.retain(|one| !firsts.contains(one));

        self.for_troubled.add(self.turns * share);
        let mut turns = self.for_troubled.give(all(&troubled));
        self.for_calm.add(self.turns * (1.0 - share) + self.for_troubled.spare());
        turns.extend(self.for_calm.give(firsts));
        turns.extend(self.for_calm.give(moving));
        // Turns that nobody wanted are not saved up for later.
        self.for_calm.spare();
        turns.iter().for_each(|canary| self.canaries[*canary].last = self.tick);
        turns
    }
}

impl Allowance {
    fn add(&mut self, turns: f64) {
        self.0 += turns;
    }

    /// The first of the canaries, as many as there are turns.
    fn give(&mut self, mut canaries: Vec<usize>) -> Vec<usize> {
        canaries.truncate(self.0 as usize);
        self.0 -= canaries.len() as f64;
        canaries
    }

    /// Takes away the whole turns beyond the first, and returns how many.
    fn spare(&mut self) -> f64 {
        let spare = (self.0 - 1.0).max(0.0);
        self.0 -= spare;
        spare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(10);

    fn canaries(shards: u32, each: usize, moving: usize) -> Vec<Canary> {
        let one = |shard, moves| Canary {
            group: "cache".to_owned(),
            shard,
            slot: 0,
            key: String::new(),
            moves,
            region: None,
        };
        let all = (0..shards).flat_map(|shard| std::iter::repeat_n(one(shard, false), each));
        all.chain(std::iter::repeat_n(one(0, true), moving)).collect()
    }

    /// The turns of each canary in so many ticks.
    fn played(turns: &mut Turns, ticks: u64, begin: u64) -> Vec<Vec<u64>> {
        let mut played = vec![Vec::new(); turns.canaries.len()];
        for tick in begin..begin + ticks {
            let now = turns.next(Nanos(tick * EVERY.as_nanos() as u64));
            now.iter().for_each(|canary| played[*canary].push(tick));
        }
        played
    }

    fn widest(of: &[Vec<u64>]) -> u64 {
        let mut all: Vec<u64> = of.iter().flatten().copied().collect();
        all.sort_unstable();
        all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    }

    fn count(of: &[Vec<u64>]) -> usize {
        of.iter().map(Vec::len).sum()
    }

    #[test]
    fn each_shard_has_a_turn_at_each_tick_and_moving_slots_have_what_is_left() {
        let mut turns = Turns::new(&canaries(3, 4, 8), 1_000.0, EVERY);
        assert_eq!(turns.ticks_apart(), 1.0);
        let played = played(&mut turns, 1_000, 1);
        for shard in 0..3 {
            let of = &played[shard * 4..shard * 4 + 4];
            assert_eq!((count(of), widest(of)), (1_000, 1));
            assert!(of.iter().all(|one| one.len() == 250), "they take turns");
        }
        assert_eq!(count(&played[12..]), 2_000);
        assert!(played[12..].iter().all(|one| one.len() == 250));
    }

    #[test]
    fn a_shard_in_trouble_is_probed_whole_and_the_others_are_not_forgotten() {
        let mut turns = Turns::new(&canaries(3, 4, 0), 1_000.0, EVERY);
        turns.failed(5, Nanos::ZERO);
        let first = played(&mut turns, 99, 1);
        assert!(first[4..8].iter().all(|one| one.len() >= 98), "each at every tick");
        for calm in [&first[..4], &first[8..]] {
            assert!((45..=55).contains(&count(calm)) && widest(calm) <= 3, "{calm:?}");
        }
        let later = played(&mut turns, 100, 101);
        assert_eq!(count(&later[4..8]), 100, "it is calm again");
    }

    #[test]
    fn moving_slots_in_trouble_are_probed_whole() {
        let mut turns = Turns::new(&canaries(3, 4, 4), 1_200.0, EVERY);
        turns.failed(13, Nanos::ZERO);
        let first = played(&mut turns, 99, 1);
        assert!(first[12..].iter().all(|one| one.len() >= 98), "each at every tick");
    }

    #[test]
    fn a_shard_in_trouble_beyond_the_budget_is_probed_in_turn() {
        let mut turns = Turns::new(&canaries(2, 20, 0), 1_000.0, EVERY);
        turns.failed(0, Nanos::ZERO);
        let first = played(&mut turns, 99, 1);
        let each = first[..20].iter().map(Vec::len);
        let [least, most] = [each.clone().min().unwrap(), each.max().unwrap()];
        assert!(most - least <= 1 && least >= 18, "{least} to {most} of 99 ticks");
    }

    #[test]
    fn the_budget_is_kept_whatever_happens() {
        for (shards, budget) in [(1, 50.0), (3, 1_000.0), (100, 1_000.0), (3, 130.0)] {
            let mut turns = Turns::new(&canaries(shards, 4, 16), budget, EVERY);
            let mut played = 0;
            for tick in 0..1_000_u64 {
                let now = Nanos(tick * EVERY.as_nanos() as u64);
                let asked = turns.next(now);
                if tick % 400 < 200 {
                    asked.iter().for_each(|canary| turns.failed(*canary, now));
                }
                played += asked.len();
            }
            let most = budget * 10.0 / REQUESTS;
            assert!(played as f64 <= most + 2.0, "{shards} shards: {played} of {most}");
            let needed = (f64::from(shards) * 1_000.0).min(most);
            assert!(played as f64 >= needed * 0.95 - 2.0, "{shards} shards: {played} of {needed}");
        }
    }

    #[test]
    fn many_shards_have_turns_further_apart() {
        let mut turns = Turns::new(&canaries(100, 4, 0), 1_000.0, EVERY);
        assert_eq!(turns.ticks_apart(), 20.0);
        let played = played(&mut turns, 1_000, 1);
        assert!(played.chunks(4).all(|of| widest(of) <= 20));
    }
}
