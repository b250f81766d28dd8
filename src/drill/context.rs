//! What all parts of a drill share, and why it ends early.

use std::future::Future;
use std::path::Path;

use tokio_util::sync::CancellationToken;
use tracing::{Span, info, info_span};

use crate::backend::Backend;
use crate::cluster::FormError;
use crate::load::Applications;
use crate::load::history::HistoryError;
use crate::log::DrillLog;
use crate::model::Nanos;
use crate::model::event::{EventKind, Phase, Teller};
use crate::spec::Scenario;

use super::exit_monitor::ExitMonitor;
use super::folder::{FolderError, RunFolder};

/// The parts with which a drill is played.
pub struct DrillContext<'a> {
    pub scenario: &'a Scenario,
    pub backend: &'a dyn Backend,
    /// The redrill program, which replicators are started from.
    pub program: &'a Path,
    pub folder: &'a RunFolder,
    pub log: &'a DrillLog,
    pub seed: u64,
    pub applications: Applications,
    pub teller: Teller,
    pub exits: ExitMonitor,
    /// Cancelled on Ctrl-C.
    pub stop: CancellationToken,
}

/// Why a drill ended early.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    #[error("interrupted")]
    Interrupted,
    /// The topology never came up.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The record of the drill could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The same, and it could still say so.
    #[error("{0}")]
    NoRoom(String),
    #[error("{0}")]
    Failed(String),
}

impl Halt {
    pub fn failed(error: impl std::fmt::Display) -> Halt {
        Halt::Failed(error.to_string())
    }
}

impl DrillContext<'_> {
    /// Emits that `phase` begins and returns its span in the log.
    pub fn phase(&self, phase: Phase) -> Span {
        self.teller.tell(EventKind::Phase { phase });
        let span = info_span!("phase", name = ?phase);
        span.in_scope(|| info!("begins"));
        span
    }

    /// Waits for `work`, until Ctrl-C, the end of a server without which the drill cannot go on,
    /// or a record that cannot be written.
    pub async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Halt::Interrupted),
            why = self.folder.room().ran_out() => Err(Halt::NoRoom(why)),
            done = self.unless_bereaved(work) => done,
        }
    }

    /// Waits for `work`, until the end of a server without which the drill cannot go on.
    pub async fn unless_bereaved<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            done = work => Ok(done),
            died = self.exits.first() => Err(Halt::Failed(died)),
        }
    }

    /// Waits until `at`.
    pub async fn until(&self, at: Nanos) -> Result<(), Halt> {
        let at = self.teller.clock().instant(at);
        self.unless_halted(tokio::time::sleep_until(at.into())).await
    }
}
