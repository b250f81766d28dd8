//! One drill from beginning to end: the phases in their order.
//!
//! Whatever ends a drill (its own end, an error, Ctrl-C), the cleanup is the same: slots that
//! are moving arrive, clients stop, servers stop, and the last event says why.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracing::Instrument;

use crate::backend::Tools;
use crate::backend::registry::Registration;
use crate::cluster::{self, Deployment, FormError, Newcomers};
use crate::load::history;
use crate::model::event::{End, EventKind, Phase};
use crate::model::{Nanos, NodeName};
use crate::spec::Scenario;
use crate::spec::scenario::Load;

use super::context::{DrillContext, Halt};
use super::faults::Faults;
use super::forecast::{self, Forecast};
use super::half_moved::HalfMoved;
use super::loads::Loads;
use super::readings::{self, OwnUse, RunQueueMonitor};
use super::replicators::Replicators;
use super::steps::Timeline;
use super::watch::Observers;

/// The time from the order to begin until operation 0, so that the order arrives in time.
const LEAD: Duration = Duration::from_millis(50);
/// When the time of the last key of an `expiry` is over, its memory is to be free so long after that.
const MEMORY_RETURNS: Duration = Duration::from_secs(5);
/// The time for every key's final read, also if its primary is away for long.
const FINAL_PATIENCE: Duration = Duration::from_secs(10);

/// Plays the scenario. When it returns, the servers still run and the last event has not been
/// emitted: [`finish`] does both.
pub async fn play(
    drill: &DrillContext<'_>,
    registration: &mut Registration,
) -> Result<Deployment, Halt> {
    let forecast = forecast::forecast(drill.scenario).map_err(Halt::failed)?;
    let _own = OwnUse::watch(drill.teller.clone());
    let phase = drill.phase(Phase::Form);
    let deployment = form(drill).instrument(phase).await?;
    let records = deployment.node_records(drill.backend);
    registration.set_nodes(records, deployment.password.as_ref()).map_err(Halt::failed)?;
    let path = drill.folder.history();
    let (room, name) = (drill.folder.room().clone(), path.display().to_string());
    let broken = move |error: &io::Error| room.run_out(format!("cannot write {name}: {error}"));
    let history = history::create(&path, drill.teller.clone(), broken)?;
    let nodes = deployment.nodes().map(|node| node.name.clone()).collect();
    let mut played = tokio::select! {
        played = with_history(drill, &deployment, &forecast, &history) => played,
        never = readings::containers(drill, nodes) => match never {},
        never = readings::traffic(drill, &deployment) => match never {},
    };
    readings::traffic_at_end(drill, &deployment);
    readings::logs(drill, &deployment);
    readings::foreign(drill);
    if let Err(Halt::Failed(why)) = &mut played
        && let Some(died) = drill.exits.just_now().await
    {
        // The server's end says more than the failure that it caused.
        *why = died;
    }
    // The loads are gone, so everything that they recorded has been handed over.
    // If it was not written to its end, that ended the drill.
    let written = history.finish();
    played.and(written.map(drop).map_err(Halt::from))?;
    Ok(deployment)
}

/// Stops the servers, unless they are kept, and emits the end.
pub async fn finish(drill: &DrillContext<'_>, played: &Result<Deployment, Halt>, keep: bool) {
    let phase = drill.phase(Phase::Stop);
    if !keep && let Err(error) = drill.backend.shutdown().instrument(phase).await {
        drill.teller.tell(EventKind::Warning { text: error.to_string() });
    }
    let end = match played {
        Ok(_) => End::Completed,
        Err(Halt::Interrupted) => End::Interrupted,
        Err(halt) => End::Failed { error: halt.to_string() },
    };
    if let Some(text) = drill.log.trouble() {
        drill.teller.tell(EventKind::Warning { text });
    }
    drill.teller.tell(EventKind::Ended { end });
}

async fn form(drill: &DrillContext<'_>) -> Result<Deployment, Halt> {
    let known = AtomicUsize::new(usize::MAX);
    let told = |ready, total| {
        if known.swap(ready, Ordering::Relaxed) != ready {
            drill.teller.tell(EventKind::Forming { ready, total });
        }
    };
    if drill.scenario.cuts_in_kernel() {
        drill.backend.can_cut().map_err(FormError::from)?;
    }
    drill.backend.equip(equipment(drill.scenario)).map_err(FormError::from)?;
    let relay = drill.scenario.needs_relay().then_some(drill.seed);
    let topology = &drill.scenario.topology;
    let newcomers = Newcomers {
        nodes: drill.scenario.joiners(),
        actors: drill.scenario.actors(),
        instances: drill.scenario.own_instances(),
        subscribers: drill.scenario.subscribers(),
    };
    let forming = cluster::bring_up_most(drill.backend, topology, &newcomers, relay, &told);
    // If a server ends here, forming fails with that server's log.
    let deployment = tokio::select! {
        formed = forming => formed?,
        () = drill.stop.cancelled() => return Err(Halt::Interrupted),
    };
    drill.teller.tell(EventKind::Ready { nodes: deployment.node_infos(drill.backend) });
    Ok(deployment)
}

/// When the memory of keys that end by themselves is to be free.
fn memory_is_back(drill: &DrillContext<'_>) -> Nanos {
    let now = drill.teller.clock().now();
    let loads = drill.scenario.loads.iter();
    let longest = loads.filter_map(|load| load.expiry).map(|expiry| expiry.longest()).max();
    longest.map_or(now, |longest| now + longest + MEMORY_RETURNS)
}

/// The tools that nodes must be started with for the steps that may act on them.
fn equipment(scenario: &Scenario) -> HashMap<NodeName, Tools> {
    let groups = &scenario.topology.groups;
    let nodes = groups.iter().flat_map(cluster::node_names);
    let nodes = nodes.chain(groups.iter().flat_map(cluster::sentinel_names));
    let nodes = nodes.chain(scenario.joiners());
    let tools = nodes.map(|name| (name.clone(), scenario.tools(&name)));
    tools.filter(|(_, tools)| !tools.is_none()).collect()
}

async fn with_history(
    drill: &DrillContext<'_>,
    deployment: &Deployment,
    forecast: &Forecast,
    history: &history::History,
) -> Result<(), Halt> {
    let replicators = drill.unless_halted(Replicators::launch(drill, deployment)).await??;
    let mut loads = drill.unless_halted(Loads::launch(drill, deployment, history)).await??;
    let phase = drill.phase(Phase::Fill);
    drill.unless_halted(loads.fill()).instrument(phase).await??;
    drill.unless_halted(replicators.filled(drill)).await??;
    let observing = Observers::launch(drill, deployment, forecast);
    let mut observers = drill.unless_halted(observing).await??;
    let begin = drill.teller.clock().now() + LEAD;
    loads.begin(begin)?;
    drill.until(begin).await?;
    drill.exits.load_runs();
    let phase = drill.phase(Phase::Steps);
    let _waits = RunQueueMonitor::watch(drill, deployment.nodes().map(|node| node.name.clone()));
    let faults = Faults::new(drill, deployment);
    let half_moved = HalfMoved::new(deployment, &drill.teller);
    let timeline = Timeline {
        drill,
        deployment,
        observers: &observers,
        faults: &faults,
        half_moved: &half_moved,
        begin,
    };
    let settled = async {
        let calm = timeline.play().instrument(phase).await?;
        let phase = drill.phase(Phase::Settle);
        drill.until(calm + drill.scenario.settle).instrument(phase).await?;
        observers.watcher.settled().await;
        Ok(())
    };
    let settled = tokio::select! {
        settled = settled => settled,
        never = half_moved.keep_finishing() => match never {},
    };
    if let Err(halt) = settled {
        faults.release().await;
        return Err(halt);
    }
    observers.stop_probing().await?;
    faults.release_actors().await;
    let phase = drill.phase(Phase::Drain);
    drill.unless_halted(loads.stop()).instrument(phase.clone()).await??;
    let has_own_cache = |load: &Load| load.cache.is_some() && !load.client.is_of_a_library();
    let is_swept = drill.scenario.loads.iter().any(has_own_cache);
    let phase = if is_swept { drill.phase(Phase::Sweep) } else { phase };
    drill.unless_halted(loads.end()).instrument(phase).await??;
    observers.watcher.steps_are_over();
    if faults.is_any_left() {
        let phase = drill.phase(Phase::Undo);
        let back = faults.undo_all().instrument(phase.clone()).await;
        let returned = observers.watcher.returned(back);
        drill.unless_halted(returned).instrument(phase).await?;
    }
    drill.unless_halted(half_moved.finish_all()).await?;
    let phase = drill.phase(Phase::Verify);
    drill.until(memory_is_back(drill)).instrument(phase.clone()).await?;
    observers.watcher.count().await;
    if let Err(missing) = drill.unless_halted(replicators.carried()).await? {
        let text = format!("groups are read before all is carried: {missing}");
        drill.teller.tell(EventKind::Warning { text });
        if missing.unwatched {
            let what = "redrill's own watch over the replicators ended".to_owned();
            drill.teller.tell(EventKind::OwnLost { what });
        }
        if missing.may_be_late {
            drill.teller.tell(EventKind::NotCarried);
        }
    }
    let deadline = drill.teller.clock().now() + FINAL_PATIENCE;
    drill.unless_halted(loads.final_read(deadline)).instrument(phase).await??;
    drill.unless_halted(replicators.stop()).await?;
    observers.watcher.stop();
    Ok(())
}
