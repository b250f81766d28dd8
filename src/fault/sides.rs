//! The links of a step, and the nodes at their ends.
//!
//! Both sides are sets of ends: nodes by their roles at that time, and clients by their places.
//! `others` is everything that is not on the other side.

use std::collections::BTreeSet;

use rand::RngExt;

use super::target::{Cast, NoTarget, select};
use crate::model::NodeName;
use crate::model::traffic::End;
use crate::net::{Ends, Pairs};
use crate::spec::step::{Links, Side, Spot};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLinks {
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    #[error("{0} is on both sides now")]
    OnBothSides(End),
}

/// The links of a step as they are now.
#[derive(Clone, Debug)]
pub struct Found {
    pub pairs: Pairs,
    /// The nodes of the first side that names some or has some.
    pub nodes: Vec<NodeName>,
    /// The nodes of the other side.
    pub against: Vec<NodeName>,
}

/// The pairs of ends of `links`. The same `random` draws the same pairs.
///
/// # Errors
/// No node has such a role now, or a node is on both sides.
pub fn find(links: &Links, cast: &Cast<'_>, random: &mut impl RngExt) -> Result<Found, NoLinks> {
    let from = named(&links.from, cast, random)?;
    let to = named(&links.to, cast, random)?;
    if let Some(end) = from.intersection(&to).next() {
        return Err(NoLinks::OnBothSides(end.clone()));
    }
    let sides = [side(&links.from, &from, &to, cast), side(&links.to, &to, &from, cast)];
    let all = cast.places.nodes();
    let on = |side: &Ends| nodes_of(all.iter().filter(|end| side.has(end)));
    let [mut nodes, mut against] = sides.each_ref().map(on);
    // The nodes that the step names, and not all others.
    if nodes_of(&from).is_empty() && (nodes.is_empty() || !nodes_of(&to).is_empty()) {
        std::mem::swap(&mut nodes, &mut against);
    }
    let [one, other] = sides;
    let pairs = match links.one_way {
        true => Pairs::one_way(one, other),
        false => Pairs::between(one, other),
    };
    Ok(Found { pairs, nodes, against })
}

fn side(side: &Side, own: &BTreeSet<End>, other: &BTreeSet<End>, cast: &Cast<'_>) -> Ends {
    match side {
        Side::Spots(_) => Ends::Only(own.clone()),
        Side::OtherNodes => Ends::Only(&cast.places.nodes() - other),
        Side::Others => Ends::AllBut(other.clone()),
    }
}

/// All ends that a side names.
fn named(
    side: &Side,
    cast: &Cast<'_>,
    random: &mut impl RngExt,
) -> Result<BTreeSet<End>, NoTarget> {
    let places = cast.places;
    let mut ends = BTreeSet::new();
    for spot in side.spots() {
        ends.append(&mut match spot {
            Spot::Nodes(target) => {
                select(target, cast, random)?.into_iter().map(End::from).collect()
            }
            Spot::Shard(shard) => {
                let of_shard = cast.nodes.iter().filter(|node| node.shard() == Some(*shard));
                of_shard.map(|node| node.name.clone().into()).collect()
            }
            Spot::Region(region) => places.region(region),
            Spot::Clients => places.clients(),
            Spot::Subscribers => places.subscribers().collect(),
            Spot::ClientsIn(region) => places.clients_in(region),
        });
    }
    Ok(places.with_subscribers(ends))
}

fn nodes_of<'e>(ends: impl IntoIterator<Item = &'e End>) -> Vec<NodeName> {
    let node = |end: &End| match end {
        End::Node(name) => Some(name.clone()),
        End::Actor(_) | End::Clients(_) | End::Subscriber(_) | End::Outside => None,
    };
    ends.into_iter().filter_map(node).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use std::net::{IpAddr, SocketAddr};

    use super::super::links::deaf;
    use super::*;
    use crate::cluster::two_regions;
    use crate::model::event::{Role, ShardView};
    use crate::model::slot::SlotSet;
    use crate::node::Node;
    use crate::spec::decode::Scalar;

    fn name(shard: u32, ordinal: u32) -> NodeName {
        NodeName::new("c", shard, ordinal)
    }

    fn end(shard: u32, ordinal: u32) -> End {
        name(shard, ordinal).into()
    }

    fn clients(region: &str) -> End {
        End::Clients(Some(region.to_owned()))
    }

    fn addr(name: &NodeName) -> SocketAddr {
        SocketAddr::from(([10, 201, name.shard().unwrap() as u8, name.ordinal as u8], 6379))
    }

    /// 0/0, 0/1, 1/0, 1/1, 2/0 and 2/1.
    fn nodes() -> Vec<Node> {
        let names = (0..3).flat_map(|shard| [0, 1].map(|ordinal| name(shard, ordinal)));
        names.map(|n| Node::new(n.clone(), addr(&n), "", Role::Primary)).collect()
    }

    fn between(from: &str, to: &str, one_way: bool) -> Result<Found, NoLinks> {
        let places = two_regions();
        // In shard 1 roles have changed.
        let shard = |shard, primary| ShardView {
            shard,
            slots: SlotSet::default(),
            primary: Some(name(shard, primary)),
            replicas: vec![name(shard, 1 - primary)],
        };
        let shards = vec![shard(0, 0), shard(1, 1), shard(2, 0)];
        let nodes = nodes();
        // A spare replica has moved to another shard.
        nodes[5].joins_shard(0);
        let cast = Cast { nodes: &nodes, places: &places, shards, sentinels: vec![] };
        let (from, to) = (Side::read(from).unwrap(), Side::read(to).unwrap());
        find(&Links { from, to, one_way }, &cast, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn one_primary_against_all_others_is_cut_off_from_clients_too() {
        let Found { pairs, nodes, against } =
            between("primary of shard 1", "others", false).unwrap();
        assert_eq!(against.len(), 5, "all other nodes: {against:?}");
        assert_eq!(nodes, [name(1, 1)]);
        for other in [end(1, 0), clients("us"), clients("eu"), End::Outside] {
            assert!(pairs.has(&end(1, 1), &other) && pairs.has(&other, &end(1, 1)), "{other}");
        }
        assert!(!pairs.has(&end(0, 0), &end(1, 0)));
    }

    #[test]
    fn other_nodes_are_no_clients() {
        let Found { pairs, .. } = between("c/0/0 + c/2/0", "other nodes", false).unwrap();
        assert!(pairs.has(&end(0, 0), &end(1, 0)) && pairs.has(&end(0, 1), &end(2, 0)));
        assert!(!pairs.has(&end(0, 0), &end(2, 0)), "they are on one side");
        assert!(!pairs.has(&clients("us"), &end(0, 0)));
    }

    #[test]
    fn regions_part_with_their_clients_and_one_way_is_one_way() {
        let Found { pairs, nodes, .. } = between("region us", "region eu", true).unwrap();
        assert_eq!(nodes, [name(0, 0), name(1, 0), name(2, 0)]);
        assert!(pairs.has(&end(0, 0), &end(0, 1)) && pairs.has(&clients("us"), &end(2, 1)));
        assert!(!pairs.has(&end(0, 1), &end(0, 0)));
        assert!(!pairs.has(&end(0, 0), &clients("us")), "within a region nothing is parted");
        let found = between("clients", "shard 1", false).unwrap();
        assert_eq!(found.nodes, [name(1, 0), name(1, 1)], "the side that has nodes");
        let found = between("shard 0", "clients", false).unwrap();
        assert_eq!(found.nodes, [name(0, 0), name(0, 1), name(2, 1)], "whoever belongs to it now");
        for (from, to) in [("clients", "others"), ("others", "clients")] {
            let found = between(from, to, false).unwrap();
            assert_eq!((found.nodes.len(), found.against.len()), (6, 0), "no clients are told of");
        }
        let found = between("others", "c/0/0", false).unwrap();
        assert_eq!((found.nodes, found.against.len()), (vec![name(0, 0)], 5), "who is named");
    }

    #[test]
    fn a_cut_in_the_kernel_is_between_nodes() {
        let nodes = nodes();
        let cut = |one_way| {
            let found = between("c/0/0 + c/2/0", "other nodes", one_way).unwrap();
            deaf(&found.pairs, &nodes.iter().collect::<Vec<_>>())
        };
        let (minority, others) =
            ([name(0, 0), name(2, 0)], [name(0, 1), name(1, 0), name(1, 1), name(2, 1)]);
        let ips = |nodes: &[NodeName]| -> Vec<IpAddr> {
            nodes.iter().map(|node| addr(node).ip()).collect()
        };
        let both = cut(false);
        assert_eq!(both.len(), 6);
        assert!(minority.iter().all(|node| both[node] == ips(&others)), "{both:?}");
        assert!(others.iter().all(|node| both[node] == ips(&minority)), "{both:?}");
        let one_way = cut(true);
        assert_eq!(one_way.into_keys().collect::<Vec<_>>(), others, "they hear nothing");
    }

    #[test]
    fn nobody_is_on_both_sides() {
        let error = between("region us", "c/0/0 + clients", false).unwrap_err();
        assert_eq!(error.to_string(), "c/0/0 is on both sides now");
    }
}
