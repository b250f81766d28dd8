//! A step that restarts nodes one after the other, with a gate between them.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, health};
use crate::fault::{self, Fault, FaultError, Hit};
use crate::model::NodeName;
use crate::model::event::EventKind;
use crate::spec::step::{Failover, Force, Gate, Restart, RollingRestart, Step};

use super::faults::{Faults, random};
use super::step_error::StepError;

/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Gives what went wrong: then the nodes after that one have not been touched.
pub async fn carry_out(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    (index, step): (usize, &Step),
    rolling: &RollingRestart,
) -> Option<StepError> {
    let Faults { drill, deployment, .. } = faults;
    let mut random = random(drill, index);
    let Hit { mut nodes, primaries, .. } =
        match fault::find(&step.on, (deployment, group), true, &mut random).await {
            Ok(hit) => hit,
            Err(error) => return Some(error.into()),
        };
    nodes.sort_by_key(|name| (primaries.contains(name), name.clone()));
    let one_by_one = async {
        for name in nodes {
            drill.teller.tell(EventKind::StepInjected {
                step: index,
                nodes: vec![name.clone()],
                against: vec![],
            });
            // A node whose turn fails is not as it was: the error says why.
            turn(faults, group, &name, rolling).await?;
            drill.teller.tell(EventKind::StepUndone { step: index, nodes: vec![name] });
        }
        Ok(())
    };
    tokio::select! {
        done = one_by_one => done.err(),
        () = drill.stop.cancelled() => None,
    }
}

async fn turn(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    name: &NodeName,
    rolling: &RollingRestart,
) -> Result<(), StepError> {
    if rolling.hand_over {
        hand_over(faults, group, name, rolling.patience.0).await?;
    }
    let restart = Restart { data: rolling.data };
    inject(faults, group, &restart, name).await?;
    gate(group, name, rolling).await
}

/// A replica takes over from `name`, if that is a primary that has one.
async fn hand_over(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    name: &NodeName,
    patience: Duration,
) -> Result<(), StepError> {
    let shards = shards_now(group).await;
    let own = shards.iter().find(|shard| shard.primary.as_ref() == Some(name));
    let Some(heir) = own.and_then(|shard| shard.replicas.first()) else { return Ok(()) };
    // Sentinels choose the heir themselves.
    let told = group.sentinels.first().map_or(heir, |sentinel| &sentinel.name);
    let failover = Failover { force: Force::None };
    let handed_over = inject(faults, group, &failover, told).await;
    handed_over.map_err(|error| {
        let error = StepError::from(error);
        StepError { text: format!("{name} could not hand over to {heir}: {}", error.text), ..error }
    })?;
    let Some(node) = group.nodes.iter().find(|node| node.name == *name) else { return Ok(()) };
    timeout(patience, fault::follows(node)).await.map_err(|_| {
        let waited = patience.as_secs_f64();
        StepError::in_time(format!("{name} did not hand over to {heir} in {waited} s"))
    })
}

/// Does something to one node that is over at once.
async fn inject(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    fault: &dyn Fault,
    name: &NodeName,
) -> Result<(), FaultError> {
    let hit = Hit::of(std::slice::from_ref(name));
    let (_, error) = faults.inject(fault, &hit, faults.site(group)).await;
    error.map_or(Ok(()), Err)
}

/// Waits until `name` has passed it.
async fn gate(
    group: &DeployedGroup,
    name: &NodeName,
    rolling: &RollingRestart,
) -> Result<(), StepError> {
    let Some(node) = group.all().find(|node| node.name == *name) else { return Ok(()) };
    let began = Instant::now();
    loop {
        let lacking = match rolling.gate {
            Gate::Started => return Ok(()),
            Gate::Answering => health::of_node(node).await.into_iter().collect(),
            Gate::Whole => health::ailments(group).await,
        };
        let Some(first) = lacking.first() else { return Ok(()) };
        if began.elapsed() >= rolling.patience.0 {
            let more = match lacking.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            let text = format!(
                "{name} did not pass the gate `{}` in {} s: {first}{more}",
                rolling.gate.word(),
                rolling.patience.0.as_secs_f64()
            );
            // That a server is gone is no matter of time.
            let certain = health::is_any_gone(group).await;
            return Err(if certain { StepError::certain(text) } else { StepError::in_time(text) });
        }
        sleep(LOOK).await;
    }
}
