//! Steps that move slots.
//!
//! How many slots each shard owns is followed from step to step, so that a step
//! which asks for more than there will be is found before anything starts.

use std::time::Duration;

use super::{check_range, count};
use crate::model::slot::SLOTS;
use crate::spec::decode::{At, Field};
use crate::spec::fault::Fault;
use crate::spec::file::moves::{DrainMap, RebalanceMap, ReshardMap, SlotCount};
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Method, Pace, SlotMove, StepAction};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode};

/// A server that has given up its last slot becomes another primary's replica.
const EMPTY: &str = "a shard without slots is no shard any more: its server has become a replica";

/// What `step` moves, if it is such a step; `owned` goes on to what each shard owns then.
pub fn check(
    step: &At<StepMap>,
    group: &Group,
    owned: &mut Vec<u32>,
    faults: &mut Vec<Fault>,
) -> Option<StepAction> {
    let (pace, method) = step.value.moves()?;
    let Mode::Cluster { shards, .. } = group.mode else {
        faults.push(not_a_cluster(step, group));
        return None;
    };
    if owned.is_empty() {
        *owned = even_counts(shards);
    }
    let slots = match &step.value {
        StepMap::Reshard(map) => reshard(map, owned, faults),
        StepMap::Drain(map) => drain(map, owned, faults),
        StepMap::Rebalance(map) => rebalance(map, &step.span, owned, faults),
        _ => None,
    };
    let method = method_of(method, pace, faults);
    let pace = pace_of(pace, faults);
    slots.map(|slots| StepAction::Move { slots, method, pace })
}

/// A pace is redrill's own; servers that move slots by themselves take none.
fn method_of(method: &Field<Method>, pace: &Field<Pace>, faults: &mut Vec<Fault>) -> Method {
    let method = method.or(Method::Auto);
    if let (Method::Atomic, Some(pace)) = (method, pace.given()) {
        let fault = Fault::new(&pace.span, "a `pace` is of no use with `method: atomic`");
        faults.push(fault.advise("leave it out, or write `method: migrate`"));
    }
    method
}

fn not_a_cluster(step: &At<StepMap>, group: &Group) -> Fault {
    let span = step.value.group().given().map_or(&step.span, |at| &at.span);
    let message = format!("only a cluster has slots to move, and `{}` is none", group.name);
    Fault::new(span, message).advise("give the group of mode `cluster`, or leave the step out")
}

/// Slots of each shard of a new cluster, as `redis-cli --cluster create` shares
/// them out.
fn even_counts(shards: u32) -> Vec<u32> {
    let each = f64::from(SLOTS) / f64::from(shards.max(1));
    let end = |shard: u32| (f64::from(shard) * each).round() as u32;
    (0..shards).map(|shard| end(shard + 1) - end(shard)).collect()
}

/// A shard's number, if there is such a shard.
fn shard(field: &Field<u32>, owned: &[u32], faults: &mut Vec<Fault>) -> Option<usize> {
    let at = field.given()?;
    if (at.value as usize) < owned.len() {
        return Some(at.value as usize);
    }
    let has = count(owned.len() as u32, "shard");
    let message = format!("there is no shard {}: the group has {has}", at.value);
    let advice = format!("shards are counted from 0 to {}", owned.len().saturating_sub(1));
    faults.push(Fault::new(&at.span, message).advise(advice));
    None
}

fn empty(field: &Field<u32>, shard: usize, faults: &mut Vec<Fault>) {
    if let Some(at) = field.given() {
        let message = format!("shard {shard} owns no slots by then");
        faults.push(Fault::new(&at.span, message).advise(EMPTY));
    }
}

fn reshard(map: &ReshardMap, owned: &mut [u32], faults: &mut Vec<Fault>) -> Option<SlotMove> {
    let (from, to) = (shard(&map.from, owned, faults), shard(&map.to, owned, faults));
    let (from, to) = (from?, to?);
    if from == to {
        let fault = Fault::new(&map.to.given()?.span, "`from` and `to` are the same shard");
        faults.push(fault.advise("give another shard in `to`"));
        return None;
    }
    for (field, shard) in [(&map.from, from), (&map.to, to)] {
        if owned[shard] == 0 {
            empty(field, shard, faults);
            return None;
        }
    }
    let asked = map.slots.given()?;
    let slots = match asked.value {
        SlotCount::Slots(slots) => slots,
        SlotCount::Share(share) => (f64::from(owned[from]) * share / 100.0).round() as u32,
    };
    if slots == 0 || slots > owned[from] {
        let message = format!("{} cannot be moved from shard {from}", count(slots, "slot"));
        let advice = format!("it owns {} by then; write from 1 to {0}, or up to 100%", owned[from]);
        faults.push(Fault::new(&asked.span, message).advise(advice));
        return None;
    }
    owned[from] -= slots;
    owned[to] += slots;
    Some(SlotMove::Reshard { from: from as u32, to: to as u32, slots })
}

fn drain(map: &DrainMap, owned: &mut [u32], faults: &mut Vec<Fault>) -> Option<SlotMove> {
    let drained = shard(&map.shard, owned, faults)?;
    if owned[drained] == 0 {
        empty(&map.shard, drained, faults);
        return None;
    }
    let others: Vec<usize> =
        (0..owned.len()).filter(|&other| other != drained && owned[other] > 0).collect();
    if others.is_empty() {
        let fault =
            Fault::new(&map.shard.given()?.span, "no other shard is left to take the slots");
        faults.push(fault.advise(EMPTY));
        return None;
    }
    let slots = std::mem::take(&mut owned[drained]);
    let (each, more) = (slots / others.len() as u32, slots as usize % others.len());
    for (i, other) in others.into_iter().enumerate() {
        owned[other] += each + u32::from(i < more);
    }
    Some(SlotMove::Drain { shard: drained as u32 })
}

fn rebalance(
    map: &RebalanceMap,
    span: &Span,
    owned: &mut [u32],
    faults: &mut Vec<Fault>,
) -> Option<SlotMove> {
    if matches!(map.weights, Field::Bad) {
        return None;
    }
    let span = map.weights.given().map_or(span, |at| &at.span);
    let weights: Vec<f64> = match map.weights.given() {
        Some(at) => at.value.iter().map(|weight| weight.value).collect(),
        None => vec![1.0; owned.len()],
    };
    if weights.len() != owned.len() {
        let (given, shards) = (count(weights.len() as u32, "weight"), owned.len());
        let message = format!("{given} for {}", count(shards as u32, "shard"));
        faults.push(Fault::new(span, message).advise("write one weight for each shard"));
        return None;
    }
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        let fault = Fault::new(span, "the weights give no shard any slots");
        faults.push(fault.advise("write numbers like [2, 1, 1], not all of them 0"));
        return None;
    }
    if let Some(shard) = (0..owned.len()).find(|&shard| owned[shard] == 0 && weights[shard] > 0.0) {
        let message = format!("shard {shard} is to get slots, but has none by then");
        faults.push(Fault::new(span, message).advise(EMPTY));
        return None;
    }
    let total: u32 = owned.iter().sum();
    for (owned, weight) in owned.iter_mut().zip(&weights) {
        *owned = (f64::from(total) * weight / sum).ceil() as u32;
    }
    Some(SlotMove::Rebalance { weights })
}

fn pace_of(field: &Field<Pace>, faults: &mut Vec<Fault>) -> Pace {
    let default = Pace::P99(Duration::from_millis(5));
    let Some(at) = field.given() else { return default };
    if let Pace::P99(p99) = at.value {
        let range = (Time(Duration::from_micros(100)), Time(Duration::from_secs(10)));
        let why = "5ms is usual; `fast` moves as fast as the servers can";
        check_range("p99", &Time(p99), &at.span, range, why, faults);
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
