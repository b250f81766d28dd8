//! Whom a step hits: the nodes and links that it means, by the roles of the moment.

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
    /// Of a step on links: the nodes that these links lead to.
    pub against: Vec<NodeName>,
    /// Of a step on links: these.
    pub pairs: Option<Pairs>,
    /// Who was primary then; nobody where that was of no interest.
    pub primaries: Vec<NodeName>,
}

impl Hit {
    /// These nodes, whatever their roles.
    pub fn of(nodes: &[NodeName]) -> Hit {
        Hit { nodes: nodes.to_vec(), ..Hit::default() }
    }
}

/// Whom `on` means now. Nodes are asked for their roles only if that matters, or if `ask` says
/// so: one that stands still would have to be waited for. The same `random` draws the same.
///
/// # Errors
/// A node is in no such role now, or on both sides.
pub async fn find(
    on: &On,
    (deployment, group): (&Deployment, &DeployedGroup),
    ask: bool,
    random: &mut (impl RngExt + Send),
) -> Result<Hit, FaultError> {
    let shards = match on {
        On::Nodes(Target::Node(_)) | On::Group if !ask => Vec::new(),
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
