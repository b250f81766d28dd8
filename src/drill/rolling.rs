//! A step that restarts nodes one after the other, with a gate between them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, health};
use crate::fault::target::{self, Cast};
use crate::fault::{self, Field};
use crate::model::NodeName;
use crate::model::event::EventKind;
use crate::spec::rolling::{Gate, RollingRestart};
use crate::spec::scenario::{Force, NodeFault};

use super::faults::{Faults, random};

/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Gives what went wrong: then the nodes after that one have not been touched.
pub async fn carry_out(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    index: usize,
    rolling: &RollingRestart,
) -> Option<String> {
    let Faults { stage, deployment, .. } = faults;
    let cast = Cast::new(&deployment.places, group, shards_now(group).await);
    let mut nodes = match target::select(&rolling.target, &cast, &mut random(stage, index)) {
        Ok(nodes) => nodes,
        Err(error) => return Some(error.to_string()),
    };
    let primaries: BTreeSet<&NodeName> =
        cast.shards.iter().filter_map(|shard| shard.primary.as_ref()).collect();
    nodes.sort_by_key(|name| (primaries.contains(name), name.clone()));
    let one_by_one = async {
        for name in nodes {
            stage.teller.tell(EventKind::StepInjected {
                step: index,
                nodes: vec![name.clone()],
                against: vec![],
            });
            // A node whose turn fails is not as it was: the error says why.
            turn(faults, group, &name, rolling).await?;
            stage.teller.tell(EventKind::StepUndone { step: index, nodes: vec![name] });
        }
        Ok(())
    };
    tokio::select! {
        done = one_by_one => done.err(),
        () = stage.stop.cancelled() => None,
    }
}

async fn turn(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    name: &NodeName,
    rolling: &RollingRestart,
) -> Result<(), String> {
    let field = faults.field(group);
    if rolling.hand_over {
        hand_over(field, name, rolling.patience).await?;
    }
    let restart = NodeFault::Restart { data: rolling.data };
    let (_, error) = fault::inject(field, restart, std::slice::from_ref(name)).await;
    faults.deployment.look_at_processes(faults.stage.backend);
    if let Some(error) = error {
        return Err(error.to_string());
    }
    gate(group, name, rolling).await
}

/// A replica takes over from `name`, if that is a primary that has one.
async fn hand_over(field: Field<'_>, name: &NodeName, patience: Duration) -> Result<(), String> {
    let group = field.group;
    let shards = shards_now(group).await;
    let own = shards.iter().find(|shard| shard.primary.as_ref() == Some(name));
    let Some(heir) = own.and_then(|shard| shard.replicas.first()) else { return Ok(()) };
    // Sentinels choose the heir themselves.
    let told = group.sentinels.first().map_or(heir, |sentinel| &sentinel.name);
    let failover = NodeFault::Failover { force: Force::None };
    let (_, error) = fault::inject(field, failover, std::slice::from_ref(told)).await;
    if let Some(error) = error {
        return Err(format!("{name} could not hand over to {heir}: {error}"));
    }
    let Some(node) = group.nodes.iter().find(|node| node.name == *name) else { return Ok(()) };
    timeout(patience, fault::follows(node))
        .await
        .map_err(|_| format!("{name} did not hand over to {heir} in {} s", patience.as_secs_f64()))
}

/// RunQueueMonitor until `name` has passed it.
async fn gate(
    group: &DeployedGroup,
    name: &NodeName,
    rolling: &RollingRestart,
) -> Result<(), String> {
    let Some(node) = group.all().find(|node| node.name == *name) else { return Ok(()) };
    let began = Instant::now();
    loop {
        let lacking = match rolling.gate {
            Gate::Started => return Ok(()),
            Gate::Answering => health::of_node(node).await.into_iter().collect(),
            Gate::Whole => health::ailments(group).await,
        };
        let Some(first) = lacking.first() else { return Ok(()) };
        if began.elapsed() >= rolling.patience {
            let more = match lacking.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            return Err(format!(
                "{name} did not pass the gate `{}` in {} s: {first}{more}",
                rolling.gate.word(),
                rolling.patience.as_secs_f64()
            ));
        }
        sleep(LOOK).await;
    }
}
