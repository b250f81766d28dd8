//! What each shard of a cluster owns when a step begins, and who has joined it: followed from step
//! to step, so that a step that asks for more than there will be is found before anything starts.

use std::collections::BTreeSet;

use crate::model::slot::SLOTS;
use crate::spec::decode::Field;
use crate::spec::diagnostic::Diagnostics;
use crate::spec::rules::count;
use crate::spec::topology::Group;

/// A server that has given up its last slot becomes another primary's replica.
pub const EMPTY: &str =
    "a shard without slots is no shard any more: its server has become a replica";

/// What each shard of a cluster owns when a step begins, and which nodes have joined it.
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
            let message = format!("shard {shard} has left before that");
            (message, "an earlier `remove-shard` takes it away, servers and all".to_owned())
        })
    }

    /// Its server has become a replica.
    pub fn has_left(&self, shard: usize) -> bool {
        self.slots[shard] == 0 && !self.fresh.contains(&shard)
    }

    /// `None`, and an error, if the server of the shard that `field` names is a replica now.
    pub fn still_there(
        &self,
        field: &Field<u32>,
        shard: usize,
        errors: &mut Diagnostics,
    ) -> Option<()> {
        if !self.has_left(shard) {
            return Some(());
        }
        let message = format!("shard {shard} owns no slots at that time");
        errors.add(&field.given()?.span, message, EMPTY);
        None
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

/// Slots of each shard of a new cluster, as `redis-cli --cluster create` shares
/// them out.
fn even_counts(shards: u32) -> Vec<u32> {
    let each = f64::from(SLOTS) / f64::from(shards.max(1));
    let end = |shard: u32| (f64::from(shard) * each).round() as u32;
    (0..shards).map(|shard| end(shard + 1) - end(shard)).collect()
}

/// A shard's number, if there is such a shard.
pub fn shard(field: &Field<u32>, owned: &Owned, errors: &mut Diagnostics) -> Option<usize> {
    let at = field.given()?;
    let shards = owned.slots.len();
    if let Some((message, advice)) = owned.is_removed(at.value) {
        errors.add(&at.span, message, advice);
        return None;
    }
    if (at.value as usize) < shards {
        return Some(at.value as usize);
    }
    let has = count(shards as u32, "shard");
    let message = format!("there is no shard {}: the group has {has}", at.value);
    let advice = format!("shards are counted from 0 to {}", shards.saturating_sub(1));
    errors.add(&at.span, message, advice);
    None
}

/// The shard that `field` names, which gives all its slots to the others.
pub fn drained(field: &Field<u32>, owned: &mut Owned, errors: &mut Diagnostics) -> Option<u32> {
    let drained = shard(field, owned, errors)?;
    owned.still_there(field, drained, errors)?;
    owned.fresh.remove(&drained);
    let owned = &mut owned.slots;
    let others: Vec<usize> =
        (0..owned.len()).filter(|&other| other != drained && owned[other] > 0).collect();
    if others.is_empty() {
        errors.add(&field.given()?.span, "no other shard is left to take the slots", EMPTY);
        return None;
    }
    let slots = std::mem::take(&mut owned[drained]);
    let (each, more) = (slots / others.len() as u32, slots as usize % others.len());
    for (i, other) in others.into_iter().enumerate() {
        owned[other] += each + u32::from(i < more);
    }
    Some(drained as u32)
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
