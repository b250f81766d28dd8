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
use super::expected_shards::ExpectedShards;

use super::sentinels;
use crate::backend::NodeExited;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::model::slot::SLOTS;
use crate::node::{Node, NodeError, Section};
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
            return sentinels::lacks(&self.node, group).await;
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
        if info.role() != Some(self.node.born) {
            return Ok(Some(format!("its role is not {:?} but {:?}", self.node.born, info.role())));
        }
        let replica = self.node.born == Role::Replica;
        let linked = match replica {
            false => info.connected_replicas().unwrap_or(0) >= self.replicas,
            true => info.master_link_up() == Some(true),
        };
        Ok((!linked).then(|| match replica {
            false => format!("not all of its {} replicas are connected", self.replicas),
            true => "its master_link_status is down".to_owned(),
        }))
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::sync::broadcast;

    use super::*;

    /// A node that accepts connections and never answers.
    fn silent(listener: &TcpListener) -> Awaited {
        let name = NodeName::new("cache", 1, 0);
        let node = Node::new(name, listener.local_addr().unwrap(), "", Role::Primary);
        Awaited { node, expected_shards: None, replicas: 0, watches: None }
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
