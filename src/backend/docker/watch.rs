//! Which containers have ended, from the engine's stream of events.
//!
//! The stream may break: the engine was restarted, or the connection to it is cut. It continues
//! where it broke off, for a while. A restarted engine has forgotten which containers ended
//! meanwhile, so the containers are listed too. If the engine does not come back within that
//! time, all its nodes count as gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::call::{RETRY, call};
use super::endpoint::Engine;
use super::error::{innermost, status};
use super::owner::DRILL;
use super::stats::Listener;
use crate::backend::NodeExited;
use crate::backend::logs::Logs;
use crate::log::{OrLogged, OrUnheard};
use crate::model::NodeName;

/// How long an engine may be away.
pub(super) const AWAY: Duration = Duration::from_secs(5);
/// The last output of a server reaches its log within this time.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A container that runs, as far as is known.
#[derive(Debug)]
pub struct Running {
    pub node: NodeName,
    /// The engine has reported that it runs.
    pub started: bool,
    /// It was ended by redrill.
    pub asked: bool,
    /// Writes the log. Ends when the container's output ends.
    pub log: Option<JoinHandle<()>>,
    /// Follows its resource use.
    pub stats: Option<Listener>,
}

impl Running {
    pub fn new(node: NodeName) -> Running {
        Running { node, started: false, asked: false, log: None, stats: None }
    }
}

/// By the containers' ids.
pub type Containers = Arc<Mutex<HashMap<String, Running>>>;

/// Dropping it stops the watching.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    pub fn start(
        engine: Engine,
        drill: String,
        containers: Containers,
        logs: Logs,
        tell: broadcast::Sender<NodeExited>,
    ) -> Watch {
        let watcher = Watcher { engine, drill, containers, logs, tell };
        Watch(tokio::spawn(watcher.run()))
    }
}

struct Watcher {
    engine: Engine,
    drill: String,
    containers: Containers,
    logs: Logs,
    tell: broadcast::Sender<NodeExited>,
}

impl Watcher {
    async fn run(self) {
        // Events are requested from this instant on, in seconds and nanoseconds.
        let mut since = jiff::Timestamp::now();
        let mut heard_at = Instant::now();
        loop {
            let broken = self.listen(&mut since, &mut heard_at).await;
            if heard_at.elapsed() > AWAY {
                return self.lose_all(&broken).await;
            }
            tokio::time::sleep(RETRY).await;
            self.catch_up().await;
        }
    }

    /// Finds those that ended while nobody listened. The stream reports later ends, because it
    /// continues from an earlier instant.
    async fn catch_up(&self) {
        let started = |one: (&String, &Running)| one.1.started.then(|| one.0.clone());
        let ids: Vec<String> = self.containers.lock().iter().filter_map(started).collect();
        for id in ids {
            match call("inspect", &id, self.engine.docker.inspect_container(&id, None)).await {
                Ok(seen) if seen.state.as_ref().is_some_and(|s| s.running == Some(false)) => {
                    let code = seen.state.and_then(|state| state.exit_code).unwrap_or(-1);
                    self.died(&id, Some(&code.to_string())).await;
                }
                Err(e) if status(&e) == Some(404) => self.died(&id, None).await,
                // The engine is still away, or the container runs.
                _ => {}
            }
        }
    }

    /// Listens until the stream breaks, and returns the reason. `since` becomes the last
    /// event's instant, `heard_at` the last instant at which the engine was there.
    async fn listen(&self, since: &mut jiff::Timestamp, heard_at: &mut Instant) -> String {
        if let Err(e) = call("ping", &self.drill, self.engine.docker.ping()).await {
            return innermost(&e);
        }
        *heard_at = Instant::now();
        let label = format!("{DRILL}={}", self.drill);
        let filters = HashMap::from([
            ("type", vec!["container"]),
            ("event", vec!["die"]),
            ("label", vec![label.as_str()]),
        ]);
        let from = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
        let options = EventsOptionsBuilder::default().since(&from).filters(&filters).build();
        let mut events = std::pin::pin!(self.engine.docker.events(Some(options)));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if let Some(at) = event.time_nano {
                        *since = jiff::Timestamp::from_nanosecond(at.into()).unwrap_or(*since);
                    }
                    self.heard(event).await;
                }
                Err(e) => return innermost(&e),
            }
            *heard_at = Instant::now();
        }
        // The engine was there until now.
        *heard_at = Instant::now();
        "its stream of events ended".to_owned()
    }

    async fn heard(&self, event: EventMessage) {
        let Some(actor) = event.actor else { return };
        let code = actor.attributes.and_then(|mut all| all.remove("exitCode"));
        self.died(&actor.id.unwrap_or_default(), code.as_deref()).await;
    }

    /// A death that is reported twice, because the stream was continued, counts once.
    async fn died(&self, id: &str, code: Option<&str>) {
        let Some(mut running) = self.containers.lock().remove(id) else { return };
        if let Some(log) = running.log.take() {
            tokio::time::timeout(LAST_WORDS, log).await.or_logged("wait for a server's last words");
        }
        let mut status = code.map_or("it ended".to_owned(), ended_with);
        if !running.asked && self.was_too_large(id).await {
            status.push_str(", out of its memory limit");
        }
        self.exited(running, status);
    }

    async fn was_too_large(&self, id: &str) -> bool {
        let seen = call("inspect", id, self.engine.docker.inspect_container(id, None)).await.ok();
        seen.and_then(|seen| seen.state?.oom_killed) == Some(true)
    }

    async fn lose_all(&self, why: &str) {
        let all: Vec<Running> = self.containers.lock().drain().map(|(_, one)| one).collect();
        for running in all {
            let host = &self.engine.endpoint.host;
            let status = format!("the Docker engine at {host} has gone: {why}");
            self.tell_end(running, status, true);
        }
    }

    fn exited(&self, running: Running, status: String) {
        self.tell_end(running, status, false);
    }

    fn tell_end(&self, running: Running, status: String, out_of_sight: bool) {
        let Running { node: name, asked, .. } = running;
        let log_tail = self.logs.tail(&name);
        // Nobody listening is fine.
        self.tell.send(NodeExited { name, status, asked, out_of_sight, log_tail }).or_unheard();
    }
}

/// The engine reports a signal as a shell does: 128 plus its number.
fn ended_with(code: &str) -> String {
    match code.parse::<i32>() {
        Ok(137) => "signal: 9 (SIGKILL)".to_owned(),
        Ok(signal @ 129..=192) => format!("signal: {}", signal - 128),
        _ => format!("exit status: {code}"),
    }
}
