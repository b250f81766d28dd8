//! Steps that grow a cluster or make it smaller: the numbers and names of what joins, and
//! that there is what leaves.

use super::count;
use super::moves::{self, Owned};
use super::there::Now;
use super::topology::LEAST_SHARDS;
use crate::model::NodeName;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::scale::{AddReplicaMap, AddShardMap, RemoveShardMap, Share};
use crate::spec::file::step::StepMap;
use crate::spec::scale::Scale;
use crate::spec::scenario::StepAction;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode};

/// As many as a topology may have.
const MAX_SHARDS: usize = 1000;

/// What `step` changes, if it is such a step; `group` goes on to how it is then.
pub fn check(
    step: &At<StepMap>,
    group: &mut Group,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StepAction> {
    if !matches!(group.mode, Mode::Cluster { .. }) {
        let span = step.value.group().given().map_or(&step.span, |at| &at.span);
        let message = format!("only a cluster can grow so, and `{}` is none", group.name);
        diagnostics.push(Diagnostic::new(span, message).advise("give the group of mode `cluster`"));
        return None;
    }
    let scale = match &step.value {
        StepMap::AddShard(map) => add_shard(map, &step.span, group, owned, diagnostics),
        StepMap::RemoveShard(map) => remove_shard(map, owned, diagnostics),
        StepMap::AddReplica(map) => add_replica(map, group, owned, diagnostics),
        _ => None,
    };
    scale.map(StepAction::Scale)
}

fn add_shard(
    map: &AddShardMap,
    span: &Span,
    group: &mut Group,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Scale> {
    let Mode::Cluster { shards, replicas } = &mut group.mode else { return None };
    if owned.slots.len() >= MAX_SHARDS {
        diagnostics
            .push(Diagnostic::new(span, format!("a cluster has {MAX_SHARDS} shards at most")));
        return None;
    }
    let (shard, replicas) = (*shards, *replicas);
    *shards += 1;
    owned.fresh.insert(owned.slots.len());
    owned.slots.push(0);
    owned.replicas.push(replicas);
    let how = moves::how(&map.pace, &map.method, diagnostics);
    let weights = (map.slots.or(Share::Even) == Share::Even).then(|| {
        let last = owned.slots.len() - 1;
        let owners = owned.slots.iter().enumerate();
        let weights: Vec<f64> =
            owners.map(|(n, slots)| f64::from(u8::from(*slots > 0 || n == last))).collect();
        owned.share_out(&weights);
        weights
    });
    Some(Scale::AddShard { shard, replicas, weights, how })
}

fn remove_shard(
    map: &RemoveShardMap,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Scale> {
    let how = moves::how(&map.pace, &map.method, diagnostics);
    let at = map.shard.given()?;
    let is_there = (at.value as usize) < owned.slots.len() && !owned.removed.contains(&at.value);
    if is_there && owned.shards() <= LEAST_SHARDS {
        let left = count(owned.shards() - 1, "shard");
        let message = format!(
            "without shard {} the cluster has {left}: {LEAST_SHARDS} is the least",
            at.value
        );
        let advice = "a majority of primaries must agree on a failover; add a shard first, or `drain` this one";
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
        return None;
    }
    let shard = moves::drained(&map.shard, owned, diagnostics)?;
    owned.removed.insert(shard);
    Some(Scale::RemoveShard { shard, how })
}

fn add_replica(
    map: &AddReplicaMap,
    group: &Group,
    owned: &mut Owned,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Scale> {
    let at = map.shard.given()?;
    let now = Now { group, owned, regions: &[] };
    if let Some((message, advice)) = now.no_shard(at.value) {
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
        return None;
    }
    if owned.has_left(at.value as usize) {
        moves::empty(&map.shard, at.value as usize, diagnostics);
        return None;
    }
    let replicas = owned.replicas.get_mut(at.value as usize)?;
    *replicas += 1;
    Some(Scale::AddReplica { name: NodeName::new(&group.name, at.value, *replicas) })
}
