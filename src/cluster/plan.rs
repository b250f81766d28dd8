//! Which slots a step will move, known before the step starts.
//!
//! These are pure functions: the same step on the same owners gives the same routes, so
//! canaries can be placed in slots that are going to move.

use crate::model::slot::SlotSet;
use crate::spec::step::SlotMove;

/// Slots that go from one shard's primary to another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub slots: SlotSet,
    /// Number of the shard that owns them.
    pub from: u32,
    /// Number of the shard that gets them.
    pub to: u32,
}

/// The step is impossible with these owners.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no shard {shard}: there are {count}, numbered from 0")]
    NoShard { shard: u32, count: usize },
    #[error("shard {0} cannot give slots to itself: name another shard in `to`")]
    SameShard(u32),
    #[error("shard {shard} has {has} slots and cannot give {asked}: ask for {has} or fewer")]
    TooFew { shard: u32, has: usize, asked: u32 },
    #[error("shard {0} is the only one that could own slots: there is none to drain it into")]
    NowhereToGo(u32),
    #[error("{weights} weights were given for {shards} shards: give one for each")]
    WeightCount { weights: usize, shards: usize },
    #[error("the weight {0} cannot be used: weights are numbers from 0 up, and not all 0")]
    BadWeight(f64),
}

/// The routes of `action` if shard `n` owns `owners[n]`. Slots go in ascending order, so that a
/// shard keeps few and long ranges.
pub fn plan(action: &SlotMove, owners: &[SlotSet]) -> Result<Vec<Route>, PlanError> {
    match action {
        SlotMove::Reshard { from, to, slots } => reshard(owners, *from, *to, *slots),
        SlotMove::Drain { shard } => drain(owners, *shard),
        SlotMove::Rebalance { weights } => rebalance(owners, weights),
    }
}

fn owned(owners: &[SlotSet], shard: u32) -> Result<&SlotSet, PlanError> {
    owners.get(shard as usize).ok_or(PlanError::NoShard { shard, count: owners.len() })
}

fn reshard(owners: &[SlotSet], from: u32, to: u32, slots: u32) -> Result<Vec<Route>, PlanError> {
    let source = owned(owners, from)?;
    owned(owners, to)?;
    if from == to {
        return Err(PlanError::SameShard(from));
    }
    if source.len() < slots as usize {
        return Err(PlanError::TooFew { shard: from, has: source.len(), asked: slots });
    }
    Ok(routes([(from, to, source.iter().take(slots as usize).collect())]))
}

/// Each of the others gets the same number, give or take one. A shard without slots gets none:
/// a server that lost its last slot has become a replica elsewhere.
fn drain(owners: &[SlotSet], shard: u32) -> Result<Vec<Route>, PlanError> {
    let source = owned(owners, shard)?;
    let others: Vec<u32> = (0..owners.len() as u32)
        .filter(|&other| other != shard && !owners[other as usize].is_empty())
        .collect();
    if others.is_empty() {
        return Err(PlanError::NowhereToGo(shard));
    }
    let (each, more) = (source.len() / others.len(), source.len() % others.len());
    let mut left = source.iter();
    Ok(routes(others.iter().enumerate().map(|(i, &to)| {
        let count = each + usize::from(i < more);
        (shard, to, left.by_ref().take(count).collect())
    })))
}

/// Shards with more than their share give to those with less. No other slot moves.
fn rebalance(owners: &[SlotSet], weights: &[f64]) -> Result<Vec<Route>, PlanError> {
    let shares = shares(owners, weights)?;
    let mut wanting: Vec<(u32, usize)> = Vec::new();
    for (shard, (owned, &share)) in owners.iter().zip(&shares).enumerate() {
        if owned.len() < share {
            wanting.push((shard as u32, share - owned.len()));
        }
    }
    let mut moves = Vec::new();
    for (from, (owned, &share)) in owners.iter().zip(&shares).enumerate() {
        // The last slots go, so that a shard keeps the slots it began with.
        let mut surplus = owned.iter().skip(share).peekable();
        while surplus.peek().is_some() {
            // The surplus of some equals what others lack, so one is left here.
            let Some((to, lacks)) = wanting.last_mut() else { break };
            let slots: SlotSet = surplus.by_ref().take(*lacks).collect();
            *lacks -= slots.len();
            moves.push((from as u32, *to, slots));
            if *lacks == 0 {
                wanting.pop();
            }
        }
    }
    Ok(routes(moves))
}

/// How many slots each shard should own: its weight's part of all, rounded down. The slots left
/// over by rounding go to shards that own more than that already, because this moves the
/// fewest.
fn shares(owners: &[SlotSet], weights: &[f64]) -> Result<Vec<usize>, PlanError> {
    if weights.len() != owners.len() {
        return Err(PlanError::WeightCount { weights: weights.len(), shards: owners.len() });
    }
    if let Some(&bad) = weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
        return Err(PlanError::BadWeight(bad));
    }
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        return Err(PlanError::BadWeight(sum));
    }
    let total: usize = owners.iter().map(SlotSet::len).sum();
    let exact: Vec<f64> = weights.iter().map(|w| total as f64 * (w / sum)).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut order: Vec<usize> = (0..owners.len()).filter(|&i| weights[i] > 0.0).collect();
    order.sort_by(|&a, &b| {
        let has_it = |i: usize| owners[i].len() > exact[i].floor() as usize;
        let part = |i: usize| exact[i].fract();
        has_it(b).cmp(&has_it(a)).then(part(b).total_cmp(&part(a)))
    });
    let over = total.saturating_sub(shares.iter().sum());
    for &shard in order.iter().cycle().take(over) {
        shares[shard] += 1;
    }
    Ok(shares)
}

fn routes(moves: impl IntoIterator<Item = (u32, u32, SlotSet)>) -> Vec<Route> {
    let routes = moves.into_iter().map(|(from, to, slots)| Route { slots, from, to });
    routes.filter(|route| !route.slots.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slot::SLOTS;
    use proptest::prelude::*;

    fn thirds() -> Vec<SlotSet> {
        vec![(0..=5460).into(), (5461..=10922).into(), (10923..=16383).into()]
    }

    fn counts_after(owners: &[SlotSet], routes: &[Route]) -> Vec<usize> {
        let mut after: Vec<usize> = owners.iter().map(SlotSet::len).collect();
        for route in routes {
            assert!(route.slots.iter().all(|slot| owners[route.from as usize].contains(slot)));
            after[route.from as usize] -= route.slots.len();
            after[route.to as usize] += route.slots.len();
        }
        after
    }

    #[test]
    fn reshard_takes_the_first_slots() {
        let action = SlotMove::Reshard { from: 1, to: 0, slots: 100 };
        let routes = plan(&action, &thirds()).unwrap();
        assert_eq!(routes, [Route { slots: (5461..=5560).into(), from: 1, to: 0 }]);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let reshard = |from, to, slots| SlotMove::Reshard { from, to, slots };
        assert_eq!(
            plan(&reshard(0, 3, 1), &thirds()),
            Err(PlanError::NoShard { shard: 3, count: 3 })
        );
        assert_eq!(plan(&reshard(1, 1, 1), &thirds()), Err(PlanError::SameShard(1)));
        let few = PlanError::TooFew { shard: 0, has: 5461, asked: 6000 };
        assert_eq!(plan(&reshard(0, 1, 6000), &thirds()), Err(few));
        let alone = SlotMove::Drain { shard: 0 };
        assert_eq!(plan(&alone, &thirds()[..1]), Err(PlanError::NowhereToGo(0)));
    }

    #[test]
    fn drain_leaves_nothing_and_spreads_evenly() {
        let routes = plan(&SlotMove::Drain { shard: 1 }, &thirds()).unwrap();
        let given: Vec<usize> = routes.iter().map(|route| route.slots.len()).collect();
        assert_eq!(given, [2731, 2731]);
        assert_eq!(counts_after(&thirds(), &routes)[1], 0);
    }

    #[test]
    fn drain_passes_over_shards_that_own_nothing() {
        let mut owners = thirds();
        owners.push(SlotSet::default());
        let routes = plan(&SlotMove::Drain { shard: 0 }, &owners).unwrap();
        assert!(routes.iter().all(|route| route.to != 3));
    }

    #[test]
    fn rebalance_of_what_is_balanced_moves_nothing() {
        let action = SlotMove::Rebalance { weights: vec![1.0; 3] };
        assert_eq!(plan(&action, &thirds()).unwrap(), []);
    }

    #[test]
    fn weights_must_be_usable() {
        let rebalance = |weights| plan(&SlotMove::Rebalance { weights }, &thirds());
        assert!(matches!(rebalance(vec![1.0]), Err(PlanError::WeightCount { .. })));
        assert!(matches!(rebalance(vec![1.0, -1.0, 1.0]), Err(PlanError::BadWeight(_))));
        assert!(matches!(rebalance(vec![0.0; 3]), Err(PlanError::BadWeight(_))));
        assert!(matches!(rebalance(vec![f64::NAN, 1.0, 1.0]), Err(PlanError::BadWeight(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Every shard ends within one slot of its share, and no shard both gives and gets.
        #[test]
        fn rebalance_reaches_the_weights_with_the_fewest_moves(
            weights in proptest::collection::vec(0.0f64..4.0, 2..8),
            seed in proptest::collection::vec(0usize..8, SLOTS as usize),
        ) {
            prop_assume!(weights.iter().sum::<f64>() > 0.1);
            let n = weights.len();
            let owners: Vec<SlotSet> = (0..n)
                .map(|s| (0..SLOTS).filter(|&slot| seed[slot as usize] % n == s).collect())
                .collect();
            let action = SlotMove::Rebalance { weights: weights.clone() };
            let routes = plan(&action, &owners).unwrap();
            let after = counts_after(&owners, &routes);
            let sum: f64 = weights.iter().sum();
            for (shard, &count) in after.iter().enumerate() {
                let exact = SLOTS as f64 * weights[shard] / sum;
                prop_assert!((count as f64 - exact).abs() <= 1.0, "{after:?} {weights:?}");
                let gives = routes.iter().any(|route| route.from as usize == shard);
                let gets = routes.iter().any(|route| route.to as usize == shard);
                prop_assert!(!(gives && gets));
            }
        }
    }
}
