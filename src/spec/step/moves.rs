//! Steps that move slots.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::declare::{Keys, Rule, step};
use super::owned::{EMPTY, drained, shard};
use super::pace::SlotMove;
use super::shared::Context;
use crate::spec::decode::{At, Decode, Field, Misread, Scalar};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::quantity::Percent;
use crate::spec::rules::count;
use crate::spec::tree::Node;
use crate::spec::yaml::Yaml;

step! {
    /// Moves slots from one shard to another.
    Reshard ReshardMap "a reshard step" [Moves] {
        /// The shard that gives, counted from 0.
        required "from" from: u32,
        /// The shard that takes.
        required "to" to: u32,
        /// How many slots, or what share of those that `from` owns by then.
        required "slots" slots: SlotCount,
    }
}

step! {
    /// Moves all slots of a shard to the others, evenly.
    Drain DrainMap "a drain step" [Moves] {
        /// The shard that gives up its slots, counted from 0.
        required "shard" shard: u32,
    }
}

step! {
    /// Moves slots until each shard has its share by weight.
    Rebalance RebalanceMap "a rebalance step" [Moves] {
        /// One weight for each shard. Default: all the same.
        default "weights" weights: Weights = Weights::default(),
    }
}

/// How many slots a step moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotCount {
    Slots(u32),
    /// Of what the shard owns, in percent.
    Share(f64),
}

/// What share of the slots each shard gets, by shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub Vec<f64>);

impl Rule for Reshard {
    fn check(map: &ReshardMap, context: &mut Context<'_>) -> Option<Reshard> {
        is_cluster("only a cluster has slots to move", context)?;
        let owned = &mut *context.owned;
        let (from, to) =
            (shard(&map.from, owned, context.errors), shard(&map.to, owned, context.errors));
        let (from, to) = (from?, to?);
        if from == to {
            let message = "`from` and `to` are the same shard";
            context.errors.add(&map.to.given()?.span, message, "give another shard in `to`");
            return None;
        }
        for (field, shard) in [(&map.from, from), (&map.to, to)] {
            owned.still_there(field, shard, context.errors)?;
        }
        let has = owned.slots[from];
        let asked = map.slots.given()?;
        let slots = match asked.value {
            SlotCount::Slots(slots) => slots,
            SlotCount::Share(share) => (f64::from(has) * share / 100.0).round() as u32,
        };
        if slots == 0 || slots > has {
            let message = format!("{} cannot be moved from shard {from}", count(slots, "slot"));
            let advice =
                format!("it owns {has} at that time; write from 1 to {has}, or up to 100%");
            context.errors.add(&asked.span, message, advice);
            return None;
        }
        owned.slots[from] -= slots;
        owned.slots[to] += slots;
        owned.fresh.remove(&to);
        Some(Reshard { slots: SlotCount::Slots(slots), ..map.filled()? })
    }

    fn how(&self) -> String {
        let SlotMove::Reshard { from, to, slots } = self.reshard() else { return String::new() };
        format!(": {slots} slots from shard {from} to shard {to}")
    }

    fn slots(&self) -> Option<SlotMove> {
        Some(self.reshard())
    }
}

impl Rule for Drain {
    fn check(map: &DrainMap, context: &mut Context<'_>) -> Option<Drain> {
        is_cluster("only a cluster has slots to move", context)?;
        drained(&map.shard, context.owned, context.errors)?;
        map.filled()
    }

    fn how(&self) -> String {
        format!(": all slots of shard {} to the others", self.shard)
    }

    fn slots(&self) -> Option<SlotMove> {
        Some(SlotMove::Drain { shard: self.shard })
    }
}

impl Rule for Rebalance {
    fn check(map: &RebalanceMap, context: &mut Context<'_>) -> Option<Rebalance> {
        is_cluster("only a cluster has slots to move", context)?;
        if matches!(map.weights, Field::Bad) {
            return None;
        }
        let owned = &mut *context.owned;
        let shards = owned.slots.len();
        let span = map.weights.span().unwrap_or(&context.step.span);
        let even = |n: u32| f64::from(u8::from(!owned.removed.contains(&n)));
        let weights = match map.weights.given() {
            Some(at) => at.value.0.clone(),
            None => (0..shards as u32).map(even).collect(),
        };
        let mut refuse = |message: String, advice: &str| {
            context.errors.add(span, message, advice);
            None
        };
        if weights.len() != shards {
            let given = count(weights.len() as u32, "weight");
            let message = format!("{given} for {}", count(shards as u32, "shard"));
            return refuse(message, "write one weight for each shard");
        }
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 || !sum.is_finite() {
            let message = "the weights give no shard any slots";
            return refuse(message.to_owned(), "write numbers like [2, 1, 1], not all of them 0");
        }
        let gone = |shard: &usize| owned.has_left(*shard) && weights[*shard] > 0.0;
        if let Some(shard) = (0..shards).find(gone) {
            return refuse(
                format!("shard {shard} is to get slots, but has none at that time"),
                EMPTY,
            );
        }
        owned.share_out(&weights);
        Some(Rebalance { weights: Weights(weights) })
    }

    fn how(&self) -> String {
        let weights: Vec<String> = self.weights.0.iter().map(f64::to_string).collect();
        format!(": slots by weight {}", weights.join(" : "))
    }

    fn slots(&self) -> Option<SlotMove> {
        Some(SlotMove::Rebalance { weights: self.weights.0.clone() })
    }
}

impl Reshard {
    fn reshard(&self) -> SlotMove {
        let slots = match self.slots {
            SlotCount::Slots(slots) => slots,
            // The rule has made a number of it.
            SlotCount::Share(_) => 0,
        };
        SlotMove::Reshard { from: self.from, to: self.to, slots }
    }
}

/// `None`, and an error that begins with `why`, if the group is no cluster.
pub fn is_cluster(why: &str, context: &mut Context<'_>) -> Option<()> {
    if context.group.is_cluster() {
        return Some(());
    }
    let message = format!("{why}, and `{}` is none", context.group.name);
    let advice = "give the group of mode `cluster`, or leave the step out";
    let span = context.group_span();
    context.errors.add(span, message, advice);
    None
}

impl Scalar for SlotCount {
    fn read(text: &str) -> Result<SlotCount, Misread> {
        let share = || Percent::read(text).map(|Percent(share)| SlotCount::Share(share));
        u32::read(text).map(SlotCount::Slots).or_else(|_| share()).map_err(|_| {
            Misread::new(
                format!("`{text}` is not a number of slots"),
                "write a number, like 1820, or a share of the shard's slots, like 33%",
            )
        })
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [<u32 as Scalar>::schema(), <Percent as Scalar>::schema()] })
    }
}

impl Yaml for SlotCount {
    fn yaml(&self) -> Option<String> {
        Some(match self {
            SlotCount::Slots(slots) => slots.to_string(),
            SlotCount::Share(share) => Percent(*share).to_string(),
        })
    }
}

impl Decode for Weights {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Weights> {
        let weights = Vec::<At<f64>>::decode(node, errors)?;
        Some(Weights(weights.into_iter().map(|weight| weight.value).collect()))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<At<f64>>::schema(generator)
    }
}

impl Yaml for Weights {
    fn yaml(&self) -> Option<String> {
        let weights: Vec<String> = self.0.iter().map(f64::to_string).collect();
        Some(format!("[{}]", weights.join(", ")))
    }
}
