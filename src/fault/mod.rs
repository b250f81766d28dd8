//! Faults on nodes and on the links between them, and how they are undone.
//!
//! A kind of fault is a step of [`crate::spec::step`] that implements [`Fault`], in a file of
//! this folder. [`of`] returns the fault of a step, [`find`] its targets by their roles at that
//! time. Injecting returns an [`ActiveFault`], which knows how it is undone.

mod client_kill;
mod clock;
mod disk;
mod end;
mod error;
mod failover;
mod handover;
mod hit;
mod life;
mod links;
mod memory;
mod pause;
mod sides;
mod slow;
mod strains;
mod target;

use crate::spec::step::StepAction;

pub use error::FaultError;
pub use failover::follows;
pub use hit::{Hit, find};
pub use life::{ActiveFault, Fault, Site};
pub use strains::Strains;
pub use target::{Cast, select};

/// The fault that a step is, if it is one.
pub fn of(action: &StepAction) -> Option<&dyn Fault> {
    match action {
        StepAction::Kill(fault) => Some(fault),
        StepAction::Stop(fault) => Some(fault),
        StepAction::Pause(fault) => Some(fault),
        StepAction::Restart(fault) => Some(fault),
        StepAction::Failover(fault) => Some(fault),
        StepAction::ClientKill(fault) => Some(fault),
        StepAction::Slow(fault) => Some(fault),
        StepAction::MemoryPressure(fault) => Some(fault),
        StepAction::DiskFull(fault) => Some(fault),
        StepAction::SlowDisk(fault) => Some(fault),
        StepAction::Clock(fault) => Some(fault),
        StepAction::Partition(fault) => Some(fault),
        StepAction::Latency(fault) => Some(fault),
        StepAction::Bandwidth(fault) => Some(fault),
        StepAction::Trickle(fault) => Some(fault),
        StepAction::Refuse(fault) => Some(fault),
        StepAction::Reset(fault) => Some(fault),
        StepAction::Reshard(_)
        | StepAction::Drain(_)
        | StepAction::Rebalance(_)
        | StepAction::AddShard(_)
        | StepAction::RemoveShard(_)
        | StepAction::AddReplica(_)
        | StepAction::RollingRestart(_)
        | StepAction::Chaos(_) => None,
    }
}
