//! One drill, from nothing to nothing: the phases in their order.
//!
//! Whatever ends a drill (its end, an error, Ctrl-C), the way out is the same:
//! slots that were on their way arrive, clients stop, servers stop, and the
//! last event says why.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::cluster::{self, Deployment};
use crate::load::history;
use crate::model::Nanos;
use crate::model::event::{End, NodeInfo, Phase, Teller, What};
use crate::probe::Watcher;
use crate::spec::Scenario;

use super::crew::Crew;
use super::folder::RunFolder;
use super::steps;

/// What a drill is played with.
pub struct Stage<'a> {
    pub scenario: &'a Scenario,
    pub backend: &'a dyn Backend,
    pub folder: &'a RunFolder,
    pub seed: u64,
    pub teller: Teller,
    /// Cancelled on Ctrl-C.
    pub stop: CancellationToken,
}

/// Why a drill ends before its time.
#[derive(Debug)]
pub enum Halt {
    Interrupted,
    Failed(String),
}

impl<E: std::error::Error> From<E> for Halt {
    fn from(error: E) -> Halt {
        Halt::Failed(error.to_string())
    }
}

/// Nodes that a step has left must agree within this, or the drill goes on without.
const VERIFY_PATIENCE: Duration = Duration::from_secs(10);

impl Stage<'_> {
    pub fn phase(&self, phase: Phase) {
        self.teller.tell(What::Phase { phase });
    }

    /// Waits for `work`, but not past Ctrl-C, nor past the death of a server
    /// that nobody asked to die.
    pub async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let mut exits = self.backend.exits();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.stop.cancelled() => return Err(Halt::Interrupted),
                Ok(exit) = exits.recv() => {
                    if !exit.asked {
                        return Err(Halt::Failed(exit.to_string()));
                    }
                }
            }
        }
    }

    /// Waits until `at`.
    pub async fn until(&self, at: Nanos) -> Result<(), Halt> {
        let at = self.teller.clock().instant(at);
        self.unless_halted(tokio::time::sleep_until(at.into())).await
    }
}
