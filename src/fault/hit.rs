//! The targets of a step: its nodes and links, by the roles when it begins.

use rand::RngExt;

use super::error::FaultError;
use super::sides;
use super::target::{Cast, select};
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment};
use crate::model::NodeName;
use crate::net::Pairs;
use crate::spec::step::{On, Target};

#[derive(Clone, Debug, Default)]
pub struct Hit {
    pub nodes: Vec<NodeName>,
    /// For a step on links: the nodes at their other ends.
    pub against: Vec<NodeName>,
    /// For a step on links: the pairs.
    pub pairs: Option<Pairs>,
    /// The primaries at that time; empty if they do not matter.
    pub primaries: Vec<NodeName>,
}

impl Hit {
    /// These nodes, whatever their roles.
    pub fn of(nodes: &[NodeName]) -> Hit {
        Hit { nodes: nodes.to_vec(), ..Hit::default() }
    }
}

/// The targets of `on`. Nodes are asked for their roles only if these matter, or if `ask` says
/// so, because a paused node would delay the step. The same `random` draws the same targets.
///
/// # Errors
/// No node has such a role now, or a node is on both sides.
pub async fn find(
    on: &On,
    (deployment, group): (&Deployment, &DeployedGroup),
    ask: bool,
    random: &mut (impl RngExt + Send),
) -> Result<Hit, FaultError> {
    let shards = match on {
        On::Nodes(Target::Node(_) | Target::Actors) | On::Group if !ask => Vec::new(),
        _ => shards_now(group).await,
    };
    let cast = Cast::new(&deployment.places, group, shards);
    let primaries = cast.shards.iter().filter_map(|shard| shard.primary.clone()).collect();
    Ok(match on {
        On::Group => Hit { primaries, ..Hit::default() },
        On::Nodes(target) => {
            let nodes = select(target, &cast, random)?;
            Hit { nodes, primaries, ..Hit::default() }
        }
        On::Links(links) => {
            let sides::Found { pairs, nodes, against } = sides::find(links, &cast, random)?;
            Hit { nodes, against, pairs: Some(pairs), primaries }
        }
    })
}
