//! Which nodes a scenario means.
//!
//! Roles are current, as the nodes themselves report them: after a failover, `primary of shard
//! 1` is another node than before.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::cluster::{DeployedGroup, Places};
use crate::model::NodeName;
use crate::model::event::ShardView;
use crate::node::Node;
use crate::spec::step::Target;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no `{target}` now")]
pub struct NoTarget {
    target: String,
}

/// The nodes of a group with their places and current roles.
#[derive(Clone, Debug)]
pub struct Cast<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) places: &'a Places,
    pub shards: Vec<ShardView>,
    /// The sentinels of the group; they have no other role.
    pub(super) sentinels: Vec<NodeName>,
}

impl<'a> Cast<'a> {
    /// The nodes of `group`, with the roles of `shards`.
    pub fn new(places: &'a Places, group: &'a DeployedGroup, shards: Vec<ShardView>) -> Cast<'a> {
        let sentinels = group.sentinels.iter().map(|node| node.name.clone()).collect();
        Cast { nodes: &group.nodes, places, shards, sentinels }
    }
}

/// The nodes of `target` by the roles in `cast`. The same `random` draws the same nodes.
///
/// # Errors
/// No node has such a role now.
pub fn select(
    target: &Target,
    cast: &Cast<'_>,
    random: &mut impl RngExt,
) -> Result<Vec<NodeName>, NoTarget> {
    let Cast { places, shards, sentinels, .. } = cast;
    let shard = |number: u32| shards.iter().find(|view| view.shard == number);
    let primaries: Vec<NodeName> = shards.iter().filter_map(|s| s.primary.clone()).collect();
    let replicas: Vec<NodeName> = shards.iter().flat_map(|s| s.replicas.clone()).collect();
    let one = |of: &[NodeName], random: &mut _| of.choose(random).cloned().into_iter().collect();
    let selected: Vec<NodeName> = match target {
        Target::Node(name) => vec![name.clone()],
        Target::PrimaryOf(number) => {
            shard(*number).and_then(|s| s.primary.clone()).into_iter().collect()
        }
        Target::ReplicaOf(number) => {
            let replicas = shard(*number).map(|s| s.replicas.clone()).unwrap_or_default();
            one(&replicas, random)
        }
        Target::All => [primaries, replicas].concat(),
        Target::Region(region) => {
            let there = places.region(region);
            let all = [&primaries[..], &replicas, sentinels].concat();
            all.into_iter().filter(|name| there.contains(&name.clone().into())).collect()
        }
        Target::Primaries => primaries,
        Target::Replicas => replicas,
        Target::RandomPrimary => one(&primaries, random),
        Target::RandomReplica => one(&replicas, random),
        Target::MinorityOfPrimaries => drawn(primaries, minority, random),
        Target::MajorityOfPrimaries => drawn(primaries, majority, random),
        Target::Sentinels => sentinels.to_vec(),
        Target::MinorityOfSentinels => drawn(sentinels.to_vec(), minority, random),
        Target::MajorityOfSentinels => drawn(sentinels.to_vec(), majority, random),
        Target::RandomSentinel => one(sentinels, random),
        Target::Actors => places.actors().cloned().collect(),
    };
    match selected.is_empty() {
        true => Err(NoTarget { target: target.to_string() }),
        false => Ok(selected),
    }
}

fn majority(of: usize) -> usize {
    of / 2 + 1
}

fn minority(of: usize) -> usize {
    of - majority(of).min(of)
}

fn drawn(
    mut nodes: Vec<NodeName>,
    count: fn(usize) -> usize,
    random: &mut impl RngExt,
) -> Vec<NodeName> {
    let count = count(nodes.len());
    nodes.shuffle(random);
    nodes.truncate(count);
    nodes
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::cluster::two_regions;
    use crate::model::slot::SlotSet;

    fn name(shard: u32, ordinal: u32) -> NodeName {
        NodeName::new("c", shard, ordinal)
    }

    /// Five shards; in shard 1 roles have changed, and shard 4 has lost its primary.
    fn shards() -> Vec<ShardView> {
        let shard = |shard, primary: Option<u32>, replicas: &[u32]| ShardView {
            shard,
            slots: SlotSet::default(),
            primary: primary.map(|ordinal| name(shard, ordinal)),
            replicas: replicas.iter().map(|ordinal| name(shard, *ordinal)).collect(),
        };
        vec![
            shard(0, Some(0), &[1, 2]),
            shard(1, Some(1), &[0]),
            shard(2, Some(0), &[]),
            shard(3, Some(0), &[1]),
            shard(4, None, &[]),
        ]
    }

    fn of(target: Target, seed: u64) -> Result<Vec<NodeName>, NoTarget> {
        let sentinels = (0..5).map(|n| NodeName::sentinel("c", n)).collect();
        let cast = Cast { nodes: &[], places: &two_regions(), shards: shards(), sentinels };
        select(&target, &cast, &mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn a_region_has_whom_was_put_there_whatever_their_roles() {
        // Of shards 0 to 2 it places ordinal 0 in one region, and ordinal 1 in the other.
        let here = of(Target::Region("eu".into()), 0).unwrap();
        assert_eq!(here, [name(1, 1), name(0, 1)], "a primary by now, and a replica");
        assert!(of(Target::Region("nowhere".into()), 0).is_err());
    }

    #[test]
    fn roles_are_those_of_the_moment() {
        assert_eq!(of(Target::PrimaryOf(1), 0), Ok(vec![name(1, 1)]));
        assert_eq!(of(Target::ReplicaOf(1), 0), Ok(vec![name(1, 0)]));
        assert_eq!(of(Target::Node(name(4, 0)), 0), Ok(vec![name(4, 0)]), "in no role at all");
        assert_eq!(of(Target::Primaries, 0).unwrap().len(), 4);
        assert_eq!(of(Target::Replicas, 0).unwrap().len(), 4);
        let none = of(Target::PrimaryOf(4), 0).unwrap_err();
        assert_eq!(none.to_string(), "there is no `primary of shard 4` now");
        assert!(of(Target::ReplicaOf(2), 0).is_err());
    }

    #[test]
    fn a_minority_and_a_majority_are_all() {
        assert_eq!(of(Target::MinorityOfPrimaries, 1).unwrap().len(), 1, "of four");
        assert_eq!(of(Target::MajorityOfPrimaries, 1).unwrap().len(), 3);
        assert_eq!(of(Target::MinorityOfSentinels, 1).unwrap().len(), 2, "of five");
        assert_eq!(of(Target::MajorityOfSentinels, 1).unwrap().len(), 3);
        assert_eq!(of(Target::Sentinels, 1).unwrap().len(), 5);
        let one = of(Target::RandomSentinel, 1).unwrap();
        assert!(one.len() == 1 && one[0].is_sentinel());
    }

    #[test]
    fn the_seed_draws() {
        for seed in 0..20 {
            assert_eq!(of(Target::RandomPrimary, seed), of(Target::RandomPrimary, seed));
        }
        let drawn: std::collections::HashSet<_> =
            (0..50).map(|seed| of(Target::RandomReplica, seed).unwrap()).collect();
        assert_eq!(drawn.len(), 4, "each comes up");
    }
}
