//! Faults on nodes and on the links between them, and how they are undone.
//!
//! A kind of fault is a step of [`crate::spec::step`] that implements [`Fault`], in a file of
//! this folder. [`of`] says how a step is carried out, [`find`] its targets by their roles at that
//! time. Injecting returns an [`ActiveFault`], which knows how it is undone.

mod client_kill;
mod end;
mod entities;
mod error;
mod failover;
mod flush;
mod handover;
mod hit;
mod library;
mod life;
mod links;
mod memory;
mod origin;
mod processes;
mod promote;
mod save;
mod sides;
mod slow;
mod standby;
mod strains;
mod target;
mod warm;

use crate::spec::step::{RollingRestart, StepAction};

pub use error::FaultError;
pub use failover::follows;
pub use hit::{Hit, find};
pub use life::{ActiveFault, Fault, Note, Site};
pub use strains::Strains;
pub use target::{Cast, select};

/// How a step is carried out.
pub enum Play<'a> {
    /// `drill` injects it, waits, and undoes it.
    Fault(&'a dyn Fault),
    /// Slots move, and members may join before or leave afterwards.
    Slots,
    Rolling(&'a RollingRestart),
    /// Its faults are drawn before the drill; nothing is left of it.
    Drawn,
}

/// How this step is carried out. A step without a line here does not compile.
pub fn of(action: &StepAction) -> Play<'_> {
    match action {
        StepAction::Kill(fault) => Play::Fault(fault),
        StepAction::Stop(fault) => Play::Fault(fault),
        StepAction::Pause(fault) => Play::Fault(fault),
        StepAction::Restart(fault) => Play::Fault(fault),
        StepAction::Failover(fault) => Play::Fault(fault),
        StepAction::Promote(fault) => Play::Fault(fault),
        StepAction::FailBack(fault) => Play::Fault(fault),
        StepAction::ClientKill(fault) => Play::Fault(fault),
        StepAction::Save(fault) => Play::Fault(fault),
        StepAction::Slow(fault) => Play::Fault(fault),
        StepAction::MemoryPressure(fault) => Play::Fault(fault),
        StepAction::DiskFull(fault) => Play::Fault(fault),
        StepAction::SlowDisk(fault) => Play::Fault(fault),
        StepAction::Clock(fault) => Play::Fault(fault),
        StepAction::Partition(fault) => Play::Fault(fault),
        StepAction::Latency(fault) => Play::Fault(fault),
        StepAction::Bandwidth(fault) => Play::Fault(fault),
        StepAction::Trickle(fault) => Play::Fault(fault),
        StepAction::Refuse(fault) => Play::Fault(fault),
        StepAction::Reset(fault) => Play::Fault(fault),
        StepAction::Origin(fault) => Play::Fault(fault),
        StepAction::RestartProcesses(fault) => Play::Fault(fault),
        StepAction::Warm(fault) => Play::Fault(fault),
        StepAction::Invalidate(fault) => Play::Fault(fault),
        StepAction::Flush(fault) => Play::Fault(fault),
        StepAction::Reshard(_)
        | StepAction::Drain(_)
        | StepAction::Rebalance(_)
        | StepAction::AddShard(_)
        | StepAction::RemoveShard(_)
        | StepAction::AddReplica(_) => Play::Slots,
        StepAction::RollingRestart(rolling) => Play::Rolling(rolling),
        StepAction::Chaos(_) => Play::Drawn,
    }
}
