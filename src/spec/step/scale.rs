//! Steps that grow a cluster or make it smaller: the numbers and names of what joins, and that
//! there is what leaves.

use super::declare::{Keys, Rule, step};
use super::moves::is_cluster;
use super::owned::drained;
use super::pace::SlotMove;
use super::shared::Context;
use crate::model::NodeName;
use crate::spec::decode::word_enum;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::rules::count;
use crate::spec::rules::topology::LEAST_SHARDS;
use crate::spec::topology::Mode;

/// As many as a topology may have.
const MAX_SHARDS: usize = 1000;
const NO_CLUSTER: &str = "only a cluster can grow so";

step! {
    /// Starts a new shard, with as many replicas as the others have, and lets it join.
    AddShard AddShardMap "an add-shard step" [Moves] {
        /// `even` gives it as many slots as each other shard then has, `none` leaves it empty.
        /// Default: `even`.
        default "slots" slots: Share = Share::Even,
        ;
        shard: u32,
        replicas: u32,
        /// By shard, the new one among them, if it gets slots.
        weights: Option<Vec<f64>>,
    }
}

step! {
    /// Moves all slots of a shard to the others, has it forgotten, and stops its servers.
    RemoveShard RemoveShardMap "a remove-shard step" [Moves] {
        /// The shard that leaves, counted from 0.
        required "shard" shard: u32,
    }
}

step! {
    /// Starts a server and lets it join as a replica.
    AddReplica AddReplicaMap "an add-replica step" [] {
        /// The shard that it joins, counted from 0.
        required "shard" shard: u32,
        ;
        ordinal: u32,
    }
}

word_enum! {
    /// What a new shard gets.
    Share "share" {
        Even "even",
        None "none",
    }
}

impl Rule for AddShard {
    fn check(map: &AddShardMap, context: &mut Context<'_>) -> Option<AddShard> {
        is_cluster(NO_CLUSTER, context)?;
        let Mode::Cluster { shards, replicas } = &mut context.group.mode else { return None };
        let owned = &mut *context.owned;
        if owned.slots.len() >= MAX_SHARDS {
            let message = format!("a cluster has {MAX_SHARDS} shards at most");
            context.errors.push(Diagnostic::new(&context.step.span, message));
            return None;
        }
        let (shard, replicas) = (*shards, *replicas);
        *shards += 1;
        owned.fresh.insert(owned.slots.len());
        owned.slots.push(0);
        owned.replicas.push(replicas);
        let filled = map.filled()?;
        let weights = (filled.slots == Share::Even).then(|| {
            let last = owned.slots.len() - 1;
            let owners = owned.slots.iter().enumerate();
            let weights: Vec<f64> =
                owners.map(|(n, slots)| f64::from(u8::from(*slots > 0 || n == last))).collect();
            owned.share_out(&weights);
            weights
        });
        Some(AddShard { shard, replicas, weights, ..filled })
    }

    fn how(&self) -> String {
        match self.slots {
            Share::Even => format!(": shard {} joins and gets its share of the slots", self.shard),
            Share::None => format!(": shard {} joins empty", self.shard),
        }
    }

    fn slots(&self) -> Option<SlotMove> {
        self.weights.clone().map(|weights| SlotMove::Rebalance { weights })
    }

    fn joiners(&self, group: &str) -> Vec<NodeName> {
        (0..=self.replicas).map(|ordinal| NodeName::new(group, self.shard, ordinal)).collect()
    }
}

impl Rule for RemoveShard {
    fn check(map: &RemoveShardMap, context: &mut Context<'_>) -> Option<RemoveShard> {
        is_cluster(NO_CLUSTER, context)?;
        let at = map.shard.given()?;
        let owned = &mut *context.owned;
        let is_there =
            (at.value as usize) < owned.slots.len() && !owned.removed.contains(&at.value);
        if is_there && owned.shards() <= LEAST_SHARDS {
            let left = count(owned.shards() - 1, "shard");
            let message = format!(
                "without shard {} the cluster has {left}: {LEAST_SHARDS} is the least",
                at.value
            );
            let advice = "a majority of primaries must agree on a failover; add a shard first, or \
                          `drain` this one";
            context.errors.add(&at.span, message, advice);
            return None;
        }
        let shard = drained(&map.shard, owned, context.errors)?;
        owned.removed.insert(shard);
        map.filled()
    }

    fn how(&self) -> String {
        format!(": shard {} gives up its slots and leaves", self.shard)
    }

    fn leaves(&self) -> Option<u32> {
        Some(self.shard)
    }

    fn slots(&self) -> Option<SlotMove> {
        Some(SlotMove::Drain { shard: self.shard })
    }
}

impl Rule for AddReplica {
    fn check(map: &AddReplicaMap, context: &mut Context<'_>) -> Option<AddReplica> {
        is_cluster(NO_CLUSTER, context)?;
        let at = map.shard.given()?;
        let (now, errors) = context.now();
        errors.add_if(&at.span, now.no_shard(at.value))?;
        context.owned.still_there(&map.shard, at.value as usize, context.errors)?;
        let replicas = context.owned.replicas.get_mut(at.value as usize)?;
        *replicas += 1;
        Some(AddReplica { shard: at.value, ordinal: *replicas })
    }

    fn how(&self) -> String {
        // The group stands before it.
        format!(": {}/{} joins", self.shard, self.ordinal)
    }

    fn joiners(&self, group: &str) -> Vec<NodeName> {
        vec![NodeName::new(group, self.shard, self.ordinal)]
    }
}
