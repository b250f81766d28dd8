//! Actions on the containers of nodes: create, start, end, start again.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use futures::{StreamExt, TryStreamExt};
use parking_lot::MutexGuard;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;
use tracing::debug;

use super::call::call;
use super::container::cannot;
use super::error::DockerError;
use super::made::{How, Made};
use super::watch::Running;
use super::{DockerBackend, container, logs, stats, sweep};
use crate::backend::{BackendError, Data, NodePlan, proc};
use crate::model::NodeName;

/// How many containers are created at a time.
const MADE_AT_ONCE: usize = 8;
/// How long a server may take to end before it is killed, in seconds.
const GRACE: i32 = 10;
/// How long the engine may take to report that a container has ended.
const LAST_GRACE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl DockerBackend {
    pub(super) fn nodes(&self) -> MutexGuard<'_, HashMap<NodeName, Made>> {
        self.nodes.lock()
    }

    pub(super) fn made(&self, name: &NodeName) -> Result<Made, BackendError> {
        let made = self.nodes().get(name).cloned();
        made.ok_or_else(|| BackendError::NotRunning { name: name.clone() })
    }

    /// Creates all containers before the first starts, because nodes that start connect to the
    /// others. The first in `plans` run first: the engine gets no more requests at a time than
    /// there are processors. Six containers of a cluster were ready 0.4 s sooner this way than
    /// when all of them were started at once.
    pub(super) async fn start_all(&self, mut plans: Vec<NodePlan>) -> Result<(), BackendError> {
        plans.iter_mut().for_each(|plan| plan.take(self.kit(&plan.name).tools));
        let make = |plan: NodePlan| async {
            let id = self.make(&plan).await?;
            let name = plan.name.clone();
            self.nodes().insert(name.clone(), Made { id, plan, pid: None });
            Ok::<NodeName, BackendError>(name)
        };
        let made = futures::stream::iter(plans).map(make).buffered(MADE_AT_ONCE);
        let made: Vec<NodeName> = made.try_collect().await?;
        let start = |name: NodeName| async move { self.start_one(&name).await };
        let processors = available_parallelism().map_or(1, NonZero::get);
        let started = futures::stream::iter(made).map(start).buffered(processors + 1);
        started.try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// Runs to its end even if nobody waits for it any more: [`DockerBackend::clear`] must see
    /// everything that was created.
    async fn make(&self, plan: &NodePlan) -> Result<String, DockerError> {
        let busy = Arc::clone(&self.making).read_owned().await;
        let (engine, owner, image) = (self.engine.clone(), self.owner.clone(), self.image.clone());
        let (network, plan, kit) = (self.network.clone(), plan.clone(), self.kit(&plan.name));
        let name = plan.name.clone();
        let making = tokio::spawn(async move {
            let _busy = busy;
            container::make(&engine, &owner, &image, &network, &plan, &kit).await
        });
        let broken = |e| cannot("make", &name, std::io::Error::other(e).into());
        making.await.map_err(broken)?
    }

    async fn start_one(&self, name: &NodeName) -> Result<(), BackendError> {
        let Made { id, .. } = self.made(name)?;
        let cuts = self.cuts.hold().await;
        // Before its start, so that its end is reported however early it comes.
        let running = Running::new(name.clone());
        self.running.lock().insert(id.clone(), running);
        let since = jiff::Timestamp::now();
        let start = self.engine.docker.start_container(&id, None);
        if let Err(source) = call("start", name, start).await {
            self.running.lock().remove(&id);
            return Err(cannot("start", name, source).into());
        }
        let log =
            logs::follow(self.engine.docker.clone(), id.clone(), since, self.logs.open(name)?);
        let (docker, usages) = (self.engine.docker.clone(), Arc::clone(&self.usages));
        let stats = stats::listen(docker, id.clone(), name.clone(), usages);
        if let Some(running) = self.running.lock().get_mut(&id) {
            running.stats = Some(stats);
            running.started = true;
            running.log = Some(log);
        }
        let seen = call("inspect", name, self.engine.docker.inspect_container(&id, None)).await;
        let pid = seen.ok().and_then(|seen| seen.state?.pid).and_then(|pid| pid.try_into().ok());
        if let Some(made) = self.nodes().get_mut(name) {
            made.pid = pid.filter(|pid| proc::is_of_container(*pid, &id));
        }
        self.cut_again(&cuts, name).await
    }

    /// Marks the node's end as asked for.
    fn is_to_end(&self, id: &str) {
        if let Some(running) = self.running.lock().get_mut(id) {
            running.asked = true;
        }
    }

    pub(super) async fn end(&self, name: &NodeName, how: How) -> Result<(), BackendError> {
        let Made { id, pid, .. } = self.made(name)?;
        if !self.running.lock().contains_key(&id) {
            return Err(BackendError::NotRunning { name: name.clone() });
        }
        self.is_to_end(&id);
        if matches!(how, How::Kill) && pid.is_some_and(|pid| kill_now(pid, &id)) {
            // A paused process dies as soon as it goes on. The engine refuses to unpause one
            // that runs.
            debug!(%name, pid, "killed without the engine");
            let thaw = call("resume", name, self.engine.docker.unpause_container(&id));
            let (gone, _) = tokio::join!(self.is_gone(name, &id), thaw);
            return gone;
        }
        let docker = &self.engine.docker;
        let (what, ended) = match how {
            How::Kill => {
                let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
                ("kill", call("kill", name, docker.kill_container(&id, Some(options))).await)
            }
            How::Stop => {
                let options = StopContainerOptionsBuilder::default().t(GRACE).build();
                ("stop", call("stop", name, docker.stop_container(&id, Some(options))).await)
            }
        };
        ended.map_err(|e| cannot(what, name, e))?;
        self.is_gone(name, &id).await
    }

    /// Waits until the engine has reported the container's end, so that the caller can start it
    /// again.
    async fn is_gone(&self, name: &NodeName, id: &str) -> Result<(), BackendError> {
        let give_up = Instant::now() + LAST_GRACE;
        while self.running.lock().contains_key(id) {
            if Instant::now() >= give_up {
                return Err(BackendError::Undying { name: name.clone(), waited: LAST_GRACE });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Pauses the container, or lets it go on.
    pub(super) async fn freeze(&self, name: &NodeName, freeze: bool) -> Result<(), BackendError> {
        let Made { id, .. } = self.made(name)?;
        let docker = &self.engine.docker;
        let (what, done) = match freeze {
            true => ("pause", call("pause", name, docker.pause_container(&id)).await),
            false => ("resume", call("resume", name, docker.unpause_container(&id)).await),
        };
        let Err(error) = done else { return Ok(()) };
        // The engine reports an error if it is in that state already.
        let seen = call("inspect", name, docker.inspect_container(&id, None)).await;
        match seen.ok().and_then(|seen| seen.state) {
            Some(state) if state.running != Some(true) => {
                Err(BackendError::NotRunning { name: name.clone() })
            }
            Some(state) if state.paused == Some(freeze) => Ok(()),
            _ => Err(cannot(what, name, error).into()),
        }
    }

    pub(super) async fn again(&self, name: &NodeName, data: Data) -> Result<(), BackendError> {
        let Made { id, mut plan, .. } = self.made(name)?;
        if self.running.lock().contains_key(&id) {
            return Err(BackendError::Running { name: name.clone() });
        }
        if data == Data::Dropped {
            for (file, content) in &mut plan.files {
                let read = container::read(&self.engine, &id, file).await;
                *content = read.map_err(|e| cannot("read", name, e))?;
            }
            let removed = sweep::containers(&self.engine.docker, &[id]).await;
            removed.map_err(|e| cannot("remove", name, e))?;
            let id = self.make(&plan).await?;
            self.nodes().insert(name.clone(), Made { id, plan, pid: None });
        }
        self.start_one(name).await
    }
}

/// Kills a container's first process directly if it is a process of this machine that may be
/// signalled. The engine takes some tens of milliseconds for it.
fn kill_now(pid: u32, container: &str) -> bool {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| {
        proc::is_of_container(pid, container) && kill_process(process, Signal::KILL).is_ok()
    })
}
