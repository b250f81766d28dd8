//! Waits until the nodes of a new deployment are ready.
//!
//! Servers do not announce that they are ready, so redrill polls them: slowly, because each
//! request slows down a hundred servers that start on two cores, and only those that were not
//! ready before. A last round asks all of them again, so that all were ready at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::error::{FormError, NotReady};
use super::servers::sentinel_lacks;
use crate::backend::NodeExited;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::model::slot::{SLOTS, SlotSet};
use crate::node::{Health, Node, NodeError, Section, Shard, ShardNode};
use crate::spec::topology::Group;

/// The shortest pause between two rounds.
const PAUSE: Duration = Duration::from_millis(10);
/// The part of the pause for each node that is asked.
const PAUSE_EACH: Duration = Duration::from_millis(2);

/// A node, and the state that it must reach.
pub struct Awaited {
    pub node: Node,
    /// The planned shards of its cluster; `None` outside a cluster.
    pub expected_shards: Option<Arc<ExpectedShards>>,
    pub role: Role,
    /// How many replicas it must have.
    pub replicas: u64,
    /// For a sentinel: the group that it watches.
    pub watches: Option<Arc<Group>>,
}

/// How long to wait at most; enough for a slow machine too.
pub fn patience(nodes: usize) -> Duration {
    Duration::from_secs(30) + Duration::from_millis(200) * nodes as u32
}

/// Waits until all are ready at once, for at most `patience`. Calls `heard` with the number of
/// ready nodes. A server that ends meanwhile is an error at once.
pub async fn all_ready(
    awaited: &[Awaited],
    log_tail: &(dyn Fn(&NodeName) -> String + Sync),
    exits: &mut Receiver<NodeExited>,
    patience: Duration,
    heard: &(dyn Fn(usize) + Sync),
) -> Result<(), FormError> {
    let began = Instant::now();
    let mut waiting: Vec<&Awaited> = awaited.iter().collect();
    loop {
        let last_round = waiting.len() == awaited.len();
        let lacking = ask_all(&waiting).await;
        if lacking.is_empty() && last_round {
            heard(awaited.len());
            return Ok(());
        }
        if began.elapsed() > patience {
            return Err(not_ready(lacking, log_tail, patience));
        }
        heard(awaited.len() - lacking.len());
        let pause = PAUSE.max(PAUSE_EACH * lacking.len() as u32);
        waiting = match lacking.is_empty() {
            true => awaited.iter().collect(),
            false => {
                pause_or_exit(exits, pause).await?;
                lacking.into_iter().map(|(awaited, _)| awaited).collect()
            }
        };
    }
}

/// The nodes that are not ready, and why.
async fn ask_all<'a>(nodes: &[&'a Awaited]) -> Vec<(&'a Awaited, String)> {
    let asked = nodes.iter().map(|awaited| async move {
        match awaited.lacks().await {
            Ok(None) => None,
            Ok(Some(why)) => Some((*awaited, why)),
            Err(e) => Some((*awaited, e.to_string())),
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

impl Awaited {
    /// What the node lacks to be ready.
    async fn lacks(&self) -> Result<Option<String>, NodeError> {
        if let Some(group) = &self.watches {
            return sentinel_lacks(&self.node, group).await;
        }
        if let Some(expected_shards) = &self.expected_shards {
            let nodes = expected_shards.nodes();
            let info = self.node.admin.cluster_info().await?;
            if info.known_nodes != nodes {
                return Ok(Some(format!("it knows {} of {nodes} nodes", info.known_nodes)));
            }
            if info.slots_assigned != u64::from(SLOTS) {
                return Ok(Some(format!("it knows owners of {} slots", info.slots_assigned)));
            }
            if !info.state_ok {
                let unreached = info.slots_pfail + info.slots_fail;
                return Ok(Some(format!("its cluster_state is fail, {unreached} slots unreached")));
            }
            if let Some(why) = expected_shards.lacks(&self.node.admin.cluster_shards().await?) {
                return Ok(Some(why));
            }
        }
        let info = self.node.admin.info(Section::Replication).await?;
        if info.role() != Some(self.role) {
            return Ok(Some(format!("its role is not {:?} but {:?}", self.role, info.role())));
        }
        if self.role == Role::Replica && info.master_link_up() != Some(true) {
            return Ok(Some("its master_link_status is down".to_owned()));
        }
        let linked = info.connected_replicas().unwrap_or(0) >= self.replicas;
        Ok((!linked).then(|| format!("not all of its {} replicas are connected", self.replicas)))
    }
}

async fn pause_or_exit(exits: &mut Receiver<NodeExited>, pause: Duration) -> Result<(), FormError> {
    match tokio::time::timeout(pause, exits.recv()).await {
        Ok(Ok(exited)) => Err(FormError::Exited(Box::new(exited))),
        // Some notices were missed; the nodes that ended will not answer.
        Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) | Err(_) => Ok(()),
    }
}

fn not_ready(
    lacking: Vec<(&Awaited, String)>,
    log_tail: &dyn Fn(&NodeName) -> String,
    waited: Duration,
) -> FormError {
    let nodes = lacking.into_iter().map(|(awaited, why)| {
        let name = awaited.node.name.clone();
        NotReady { log_tail: log_tail(&name), name, why }
    });
    FormError::NotReady { waited, nodes: nodes.collect() }
}

/// The shards of a cluster as they were planned.
pub struct ExpectedShards(Vec<PlannedShard>);

struct PlannedShard {
    slots: SlotSet,
    /// Names, ids and roles.
    nodes: Vec<(NodeName, String, Role)>,
}

impl ExpectedShards {
    /// Shard `n` is to own `slots[n]`.
    pub fn new(nodes: &[Node], slots: Vec<SlotSet>) -> ExpectedShards {
        let of_shard = |shard: u32| {
            let nodes = nodes.iter().filter(|node| node.name.shard() == Some(shard));
            nodes.map(|node| (node.name.clone(), node.id.clone(), node.born)).collect()
        };
        let shards = (0..).zip(slots);
        ExpectedShards(
            shards.map(|(n, slots)| PlannedShard { slots, nodes: of_shard(n) }).collect(),
        )
    }

    /// How many nodes the cluster has.
    pub fn nodes(&self) -> u64 {
        self.0.iter().map(|shard| shard.nodes.len() as u64).sum()
    }

    /// The first difference between a node's view and the plan.
    pub fn lacks(&self, seen: &[Shard]) -> Option<String> {
        self.0.iter().find_map(|planned| planned.lacks(seen))
    }
}

impl PlannedShard {
    fn lacks(&self, seen: &[Shard]) -> Option<String> {
        let (primary, id, _) = self.nodes.iter().find(|(.., role)| *role == Role::Primary)?;
        let Some(shard) = seen.iter().find(|shard| shard.nodes.iter().any(|n| n.id == *id)) else {
            return Some(format!("no shard of its CLUSTER SHARDS has {primary}"));
        };
        if shard.slots != self.slots {
            let (has, planned) = (&shard.slots, &self.slots);
            return Some(format!("it gives the shard of {primary} the slots {has}, not {planned}"));
        }
        self.nodes.iter().find_map(|(name, id, role)| {
            let Some(node) = shard.nodes.iter().find(|node| node.id == *id) else {
                return Some(format!("it does not see {name} in the shard of {primary}"));
            };
            differs(node, *role).map(|what| format!("it reports {name} as {what}"))
        })
    }
}

/// How the view of a node differs from its planned role and health. A replica may be called
/// loading for ten seconds when it is not, so that does not count: the replica itself is asked
/// whether its link is up.
fn differs(node: &ShardNode, planned: Role) -> Option<&'static str> {
    match (node.role, node.health) {
        (Role::Sentinel, _) => Some("a sentinel"),
        (Role::Primary, _) if planned == Role::Replica => Some("a primary"),
        (Role::Replica, _) if planned == Role::Primary => Some("a replica"),
        (_, Health::Failed) => Some("failed"),
        (Role::Primary, Health::Loading) => Some("loading"),
        (_, Health::Online) | (Role::Replica, Health::Loading) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::sync::broadcast;

    use super::*;

    /// A node that accepts connections and never answers.
    fn silent(listener: &TcpListener) -> Awaited {
        let name = NodeName::new("cache", 1, 0);
        let node = Node::new(name, listener.local_addr().unwrap(), "", Role::Primary);
        let role = node.born;
        Awaited { node, expected_shards: None, role, replicas: 0, watches: None }
    }

    #[tokio::test]
    async fn who_is_not_ready_in_time_is_named_with_its_log() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let awaited = [silent(&listener)];
        // Nobody listens there any more.
        drop(listener);
        let (_tell, mut exits) = broadcast::channel(1);
        let patience = Duration::from_millis(50);
        let tail = |name: &NodeName| format!("the log of {name}");
        let waited = all_ready(&awaited, &tail, &mut exits, patience, &|_| ()).await;
        let said = waited.unwrap_err().to_string();
        assert!(said.contains("1 node is not ready:"), "{said}");
        assert!(said.contains("cache/1/0: ") && said.contains("cannot connect"), "{said}");
        assert!(said.ends_with("  | the log of cache/1/0"), "{said}");
    }

    #[tokio::test]
    async fn a_node_that_ends_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let awaited = [silent(&listener)];
        drop(listener);
        let (tell, mut exits) = broadcast::channel(1);
        let exited = NodeExited {
            out_of_sight: false,
            name: NodeName::new("cache", 0, 0),
            status: "exit status: 1".to_owned(),
            asked: false,
            log_tail: String::new(),
        };
        tell.send(exited.clone()).unwrap();
        let waited =
            all_ready(&awaited, &|_| String::new(), &mut exits, Duration::from_secs(60), &|_| ());
        match waited.await {
            Err(FormError::Exited(told)) => assert_eq!(*told, exited),
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod shards_tests {
    use super::*;

    fn nodes() -> Vec<Node> {
        let node = |shard, ordinal, born| {
            let name = NodeName::new("c", shard, ordinal);
            let id = format!("n{shard}{ordinal}");
            Node::new(name, "127.0.0.1:7000".parse().unwrap(), id, born)
        };
        vec![node(0, 0, Role::Primary), node(0, 1, Role::Replica), node(1, 0, Role::Primary)]
    }

    fn seen_node(id: &str, role: Role, health: Health) -> ShardNode {
        ShardNode { id: id.into(), ip: None, port: Some(7000), role, health }
    }

    /// The planned state. A new replica is called loading.
    fn seen() -> Vec<Shard> {
        let first = vec![
            seen_node("n01", Role::Replica, Health::Loading),
            seen_node("n00", Role::Primary, Health::Online),
        ];
        let second = vec![seen_node("n10", Role::Primary, Health::Online)];
        vec![
            Shard { slots: (100..=16383).into(), nodes: second },
            Shard { slots: (0..=99).into(), nodes: first },
        ]
    }

    fn lacks(change: impl Fn(&mut Vec<Shard>)) -> String {
        let expected_shards =
            ExpectedShards::new(&nodes(), vec![(0..=99).into(), (100..=16383).into()]);
        assert_eq!(expected_shards.nodes(), 3);
        let mut seen = seen();
        change(&mut seen);
        expected_shards.lacks(&seen).unwrap_or_default()
    }

    #[test]
    fn whatever_is_not_as_planned_is_named() {
        assert_eq!(lacks(|_| ()), "");
        assert_eq!(
            lacks(|seen| seen[1].slots = (0..=98).into()),
            "it gives the shard of c/0/0 the slots 0-98, not 0-99"
        );
        assert_eq!(lacks(|seen| drop(seen.remove(0))), "no shard of its CLUSTER SHARDS has c/1/0");
        assert_eq!(
            lacks(|seen| drop(seen[1].nodes.remove(0))),
            "it does not see c/0/1 in the shard of c/0/0"
        );
        assert_eq!(
            lacks(|seen| seen[1].nodes[0].health = Health::Failed),
            "it reports c/0/1 as failed"
        );
        assert_eq!(
            lacks(|seen| seen[1].nodes[0].role = Role::Primary),
            "it reports c/0/1 as a primary"
        );
        assert_eq!(
            lacks(|seen| seen[0].nodes[0].role = Role::Replica),
            "it reports c/1/0 as a replica"
        );
        assert_eq!(
            lacks(|seen| seen[0].nodes[0].health = Health::Loading),
            "it reports c/1/0 as loading"
        );
    }
}
