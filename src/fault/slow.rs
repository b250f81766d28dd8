//! Too little of the processor: a neighbour takes it, the machine is too small, or a slow
//! command (DEBUG SLEEP) keeps the server's only thread busy. A server or an actor that is paused
//! gets none at all, as on a stalled machine: connections stay, and nothing answers.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::error::FaultError;
use super::life::{Done, NodeFault, Note, Rounds, Site, Undo};
use super::strains::Strain;
use crate::backend::Backend;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::Node;
use crate::spec::step::{Pause, Slow};

/// For a server that is slow for another reason too.
const PATIENCE: Duration = Duration::from_secs(2);

#[async_trait]
impl NodeFault for Pause {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        site.strain(name, Strain::Paused).await
    }
}

#[async_trait]
impl NodeFault for Slow {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        match (self.cpu, self.sleep) {
            (Some(cpu), _) => site.strain(name, Strain::Cpu(cpu.0 / 100.0)).await,
            (None, Some(_)) if !site.backend.runs(name) => Err(FaultError::Down(name.clone())),
            (None, Some(sleep)) => {
                let every = self.every.map(|every| every.0);
                Ok(Done::to_undo(Sleeper::start(&site.node(name)?, sleep.0, every).await?))
            }
            (None, None) => Ok(Done::default()),
        }
    }
}

/// Makes a server sleep at an interval. A sleep that has begun goes on to its end.
struct Sleeper {
    rounds: Rounds,
    longest: Duration,
}

impl Sleeper {
    /// # Errors
    /// The server does not allow it.
    async fn start(
        node: &Node,
        sleep: Duration,
        every: Option<Duration>,
    ) -> Result<Sleeper, FaultError> {
        let longest = sleep + PATIENCE;
        let admin = node.admin.apart().with_timeout(longest);
        let _: String = admin.query(&debug_sleep(Duration::ZERO)).await?;
        let turns = 0..every.map_or(1, |_| u32::MAX);
        let round = move || {
            let admin = admin.clone();
            // A server that is down sleeps again when it is back.
            async move {
                let slept = admin.query::<String>(&debug_sleep(sleep)).await;
                slept.or_logged("let a server sleep").map_or(0, |_| 1)
            }
        };
        Ok(Sleeper { rounds: Rounds::start(every.unwrap_or_default(), turns, round), longest })
    }
}

#[async_trait]
impl Undo for Sleeper {
    /// Waits until the server is awake.
    async fn undo(&mut self, _: &dyn Backend) -> Result<Option<Note>, FaultError> {
        let woken = timeout(self.longest + PATIENCE, self.rounds.end()).await;
        woken.or_logged("wait for the last sleep");
        Ok(None)
    }

    fn holds_server(&self) -> bool {
        true
    }
}

fn debug_sleep(time: Duration) -> redis::Cmd {
    let mut command = redis::cmd("DEBUG");
    command.arg("SLEEP").arg(time.as_secs_f64());
    command
}
