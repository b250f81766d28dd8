//! Steps that move slots.
//!
//! How many slots each shard owns is followed from step to step, so that a step
//! which asks for more than there will be is found before anything starts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{check_range, count};
use crate::model::slot::SLOTS;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::moves::{RebalanceMap, ReshardMap, SlotCount};
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Method, Pace, SlotMove, StepAction};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode};

/// A server that has given up its last slot becomes another primary's replica.
const EMPTY: &str = "a shard without slots is no shard any more: its server has become a replica";

/// What each shard of a cluster owns by then, and who has joined it.
#[derive(Debug)]
pub struct Owned {
    /// By shard.
    pub slots: Vec<u32>,
    /// Replicas by shard, which are counted from 1.
    pub replicas: Vec<u32>,
    /// Shards that have joined and never owned a slot: their servers are primaries still.
    pub fresh: BTreeSet<usize>,
    /// Shards that were taken away, servers and all. They keep their numbers.
    pub removed: BTreeSet<u32>,
}

impl Owned {
    /// A group as it was born.
    pub fn of(group: &Group) -> Owned {
        Owned {
            slots: even_counts(group.shards()),
            replicas: vec![group.replicas(); group.shards() as usize],
            fresh: BTreeSet::new(),
            removed: BTreeSet::new(),
        }
    }

    /// How many shards are there.
    pub fn shards(&self) -> u32 {
        (self.slots.len() - self.removed.len()) as u32
    }

    pub fn replicas(&self, shard: u32) -> u32 {
        self.replicas.get(shard as usize).copied().unwrap_or(0)
    }

    pub fn has_replicas(&self) -> bool {
        (0..).zip(&self.replicas).any(|(n, count)| *count > 0 && !self.removed.contains(&n))
    }

    /// Why nothing can be done to a shard that was taken away, and what to write.
    pub fn is_removed(&self, shard: u32) -> Option<(String, String)> {
        self.removed.contains(&shard).then(|| {
            let message = format!("shard {shard} has left by then");
            (message, "an earlier `remove-shard` takes it away, servers and all".to_owned())
        })
    }

    /// Its server has become a replica.
    pub fn has_left(&self, shard: usize) -> bool {
        self.slots[shard] == 0 && !self.fresh.contains(&shard)
    }

    /// The slots are as the weights say.
    pub fn share_out(&mut self, weights: &[f64]) {
        let (total, sum) = (self.slots.iter().sum::<u32>(), weights.iter().sum::<f64>());
        for (owned, weight) in self.slots.iter_mut().zip(weights) {
            *owned = (f64::from(total) * weight / sum).ceil() as u32;
        }
        self.fresh.retain(|shard| self.slots[*shard] == 0);
    }
}

/// What `step` moves, if it is such a step; `owned` goes on to what each shard owns then.
pub fn check(
    step: &At<StepMap>,
    group: &Group,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StepAction> {
    let (pace, method) = step.value.moves()?;
    if !matches!(group.mode, Mode::Cluster { .. }) {
        diagnostics.push(not_a_cluster(step, group));
        return None;
    }
    let slots = match &step.value {
        StepMap::Reshard(map) => reshard(map, owned, diagnostics),
        StepMap::Drain(map) => {
            drained(&map.shard, owned, diagnostics).map(|shard| SlotMove::Drain { shard })
        }
        StepMap::Rebalance(map) => rebalance(map, &step.span, owned, diagnostics),
        _ => None,
    };
    let (method, pace) = how(pace, method, diagnostics);
    slots.map(|slots| StepAction::Move { slots, method, pace })
}

/// How slots are to be moved.
pub fn how(
    pace: &Field<Pace>,
    method: &Field<Method>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Method, Pace) {
    (method_of(method, pace, diagnostics), pace_of(pace, diagnostics))
}

/// A pace is redrill's own; servers that move slots by themselves take none.
fn method_of(
    method: &Field<Method>,
    pace: &Field<Pace>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Method {
    let method = method.or(Method::Auto);
    if let (Method::Atomic, Some(pace)) = (method, pace.given()) {
        let diagnostic = Diagnostic::new(&pace.span, "a `pace` is of no use with `method: atomic`");
        diagnostics.push(diagnostic.advise("leave it out, or write `method: migrate`"));
    }
    method
}

fn not_a_cluster(step: &At<StepMap>, group: &Group) -> Diagnostic {
    let span = step.value.group().given().map_or(&step.span, |at| &at.span);
    let message = format!("only a cluster has slots to move, and `{}` is none", group.name);
    Diagnostic::new(span, message).advise("give the group of mode `cluster`, or leave the step out")
}

/// Slots of each shard of a new cluster, as `redis-cli --cluster create` shares
/// them out.
fn even_counts(shards: u32) -> Vec<u32> {
    let each = f64::from(SLOTS) / f64::from(shards.max(1));
    let end = |shard: u32| (f64::from(shard) * each).round() as u32;
    (0..shards).map(|shard| end(shard + 1) - end(shard)).collect()
}

/// A shard's number, if there is such a shard.
fn shard(field: &Field<u32>, owned: &Owned, diagnostics: &mut Vec<Diagnostic>) -> Option<usize> {
    let at = field.given()?;
    let shards = owned.slots.len();
    if let Some((message, advice)) = owned.is_removed(at.value) {
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
        return None;
    }
    if (at.value as usize) < shards {
        return Some(at.value as usize);
    }
    let has = count(shards as u32, "shard");
    let message = format!("there is no shard {}: the group has {has}", at.value);
    let advice = format!("shards are counted from 0 to {}", shards.saturating_sub(1));
    diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    None
}

pub fn empty(field: &Field<u32>, shard: usize, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(at) = field.given() {
        let message = format!("shard {shard} owns no slots by then");
        diagnostics.push(Diagnostic::new(&at.span, message).advise(EMPTY));
    }
}

fn reshard(
    map: &ReshardMap,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<SlotMove> {
    let (from, to) = (shard(&map.from, owned, diagnostics), shard(&map.to, owned, diagnostics));
    let (from, to) = (from?, to?);
    if from == to {
        let diagnostic =
            Diagnostic::new(&map.to.given()?.span, "`from` and `to` are the same shard");
        diagnostics.push(diagnostic.advise("give another shard in `to`"));
        return None;
    }
    for (field, shard) in [(&map.from, from), (&map.to, to)] {
        if owned.has_left(shard) {
            empty(field, shard, diagnostics);
            return None;
        }
    }
    let has = owned.slots[from];
    let asked = map.slots.given()?;
    let slots = match asked.value {
        SlotCount::Slots(slots) => slots,
        SlotCount::Share(share) => (f64::from(has) * share / 100.0).round() as u32,
    };
    if slots == 0 || slots > has {
        let message = format!("{} cannot be moved from shard {from}", count(slots, "slot"));
        let advice = format!("it owns {has} by then; write from 1 to {has}, or up to 100%");
        diagnostics.push(Diagnostic::new(&asked.span, message).advise(advice));
        return None;
    }
    owned.slots[from] -= slots;
    owned.slots[to] += slots;
    owned.fresh.remove(&to);
    Some(SlotMove::Reshard { from: from as u32, to: to as u32, slots })
}

/// The shard that `field` names, which gives all its slots to the others.
pub fn drained(
    field: &Field<u32>,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<u32> {
    let drained = shard(field, owned, diagnostics)?;
    if owned.has_left(drained) {
        empty(field, drained, diagnostics);
        return None;
    }
    owned.fresh.remove(&drained);
    let owned = &mut owned.slots;
    let others: Vec<usize> =
        (0..owned.len()).filter(|&other| other != drained && owned[other] > 0).collect();
    if others.is_empty() {
        let diagnostic =
            Diagnostic::new(&field.given()?.span, "no other shard is left to take the slots");
        diagnostics.push(diagnostic.advise(EMPTY));
        return None;
    }
    let slots = std::mem::take(&mut owned[drained]);
    let (each, more) = (slots / others.len() as u32, slots as usize % others.len());
    for (i, other) in others.into_iter().enumerate() {
        owned[other] += each + u32::from(i < more);
    }
    Some(drained as u32)
}

fn rebalance(
    map: &RebalanceMap,
    span: &Span,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<SlotMove> {
    let shards = owned.slots.len();
    if matches!(map.weights, Field::Bad) {
        return None;
    }
    let span = map.weights.given().map_or(span, |at| &at.span);
    let weights: Vec<f64> = match map.weights.given() {
        Some(at) => at.value.iter().map(|weight| weight.value).collect(),
        None => {
            let is_there = |n: u32| !owned.removed.contains(&n);
            (0..shards as u32).map(|n| f64::from(u8::from(is_there(n)))).collect()
        }
    };
    if weights.len() != shards {
        let given = count(weights.len() as u32, "weight");
        let message = format!("{given} for {}", count(shards as u32, "shard"));
        diagnostics.push(Diagnostic::new(span, message).advise("write one weight for each shard"));
        return None;
    }
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        let diagnostic = Diagnostic::new(span, "the weights give no shard any slots");
        diagnostics.push(diagnostic.advise("write numbers like [2, 1, 1], not all of them 0"));
        return None;
    }
    if let Some(shard) = (0..shards).find(|&shard| owned.has_left(shard) && weights[shard] > 0.0) {
        let message = format!("shard {shard} is to get slots, but has none by then");
        diagnostics.push(Diagnostic::new(span, message).advise(EMPTY));
        return None;
    }
    owned.share_out(&weights);
    Some(SlotMove::Rebalance { weights })
}

fn pace_of(field: &Field<Pace>, diagnostics: &mut Vec<Diagnostic>) -> Pace {
    let default = Pace::P99(Duration::from_millis(5));
    let Some(at) = field.given() else { return default };
    if let Pace::P99(p99) = at.value {
        let range = (Time(Duration::from_micros(100)), Time(Duration::from_secs(10)));
        let why = "5ms is usual; `fast` moves as fast as the servers can";
        check_range("p99", &Time(p99), &at.span, range, why, diagnostics);
    }
    at.value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_shared_out_as_redis_cli_does() {
        assert_eq!(even_counts(3), [5461, 5462, 5461]);
        for shards in [3, 6, 7, 10, 100, 1000] {
            assert_eq!(even_counts(shards).iter().sum::<u32>(), u32::from(SLOTS), "{shards}");
        }
    }
}
