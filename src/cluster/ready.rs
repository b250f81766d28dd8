//! Waiting until the nodes of a new deployment are ready.
//!
//! Servers tell nobody when they are ready, so they are asked: gently, because
//! a hundred servers that start on two cores are slowed by every question, and
//! only as long as they are not. One last round asks all of them once more, so
//! that what is called ready was so all at once.

use std::fmt;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::form::FormError;
use crate::backend::{Backend, NodeExited};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::model::slot::SLOTS;
use crate::node::{Node, NodeError, Section};

/// The shortest pause between two rounds of questions.
const PAUSE: Duration = Duration::from_millis(10);
/// And so much for each node that is asked.
const PAUSE_EACH: Duration = Duration::from_millis(2);

/// A node, and what it is to be.
pub struct Awaited {
    pub node: Node,
    /// How many nodes its cluster has, itself counted; none outside a cluster.
    pub cluster: Option<u64>,
    /// How many replicas follow it.
    pub replicas: u64,
}

/// A node that was not ready in time.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReady {
    pub name: NodeName,
    pub why: String,
    /// The last lines of its log.
    pub log_tail: String,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

/// How long is enough, on a slow machine too.
pub fn patience(nodes: usize) -> Duration {
    Duration::from_secs(30) + Duration::from_millis(200) * nodes as u32
}

/// Waits until all are ready at once, for at most `patience`. `heard` is told how
/// many are so far. A node that ends in the meantime is an error at once.
pub async fn all_ready(
    awaited: &[Awaited],
    backend: &dyn Backend,
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
            return Err(not_ready(lacking, backend, patience));
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

/// Those that are not ready, and why.
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
    /// What is still missing.
    async fn lacks(&self) -> Result<Option<String>, NodeError> {
        if let Some(nodes) = self.cluster {
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
        }
        let info = self.node.admin.info(Section::Replication).await?;
        if info.role() != Some(self.node.born) {
            return Ok(Some(format!("its role is not {:?} but {:?}", self.node.born, info.role())));
        }
        let linked = match self.node.born {
            Role::Primary => info.connected_replicas().unwrap_or(0) >= self.replicas,
            Role::Replica => info.master_link_up() == Some(true),
        };
        Ok((!linked).then(|| match self.node.born {
            Role::Primary => format!("not all of its {} replicas are connected", self.replicas),
            Role::Replica => "its master_link_status is down".to_owned(),
        }))
    }
}

async fn pause_or_exit(exits: &mut Receiver<NodeExited>, pause: Duration) -> Result<(), FormError> {
    match tokio::time::timeout(pause, exits.recv()).await {
        Ok(Ok(exited)) => Err(FormError::Exited(Box::new(exited))),
        // Missed some: the nodes that ended will be missed in the answers.
        Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) | Err(_) => Ok(()),
    }
}

fn not_ready(
    lacking: Vec<(&Awaited, String)>,
    backend: &dyn Backend,
    waited: Duration,
) -> FormError {
    let nodes = lacking.into_iter().map(|(awaited, why)| {
        let name = awaited.node.name.clone();
        NotReady { log_tail: backend.log_tail(&name), name, why }
    });
    FormError::NotReady { waited, nodes: nodes.collect() }
}
