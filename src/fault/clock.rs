//! A clock that is wrong: set by somebody, or by a time service that went astray; or one that
//! goes too fast. Only the time of day: what servers measure by the monotonic clock stays right.

use std::time::Duration;

use tokio::time::Instant;

use super::FaultError;
use super::active::Applied;
use crate::backend::preload::Control;
use crate::node::Node;
use crate::spec::hardship::Hardship;

/// A server looks at its clock ten times a second at the least.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Less cannot be told from a busy machine.
const LEAST: i64 = 500_000_000;

pub(super) fn add(left: &[&Applied], control: &mut Control) {
    // Each drift began at another instant: together they are one that began with the drill.
    let (mut ahead, mut drift) = (0i128, 0.0);
    for what in left {
        if let Applied::Clock { jump, drift: share, since } = what {
            control.jump = control.jump.saturating_add(*jump);
            ahead += (since.elapsed().as_nanos() as f64 * share / 100.0) as i128;
            drift += share;
        }
    }
    control.drift = (drift * 10_000.0) as i64;
    match control.drift {
        0 => control.jump = control.jump.saturating_add(ahead as i64),
        drift => control.drift_age = (ahead * 1_000_000 / i128::from(drift)) as i64,
    }
}

/// Applied a server's clock said before it was set.
pub(super) struct Seen {
    /// How far it is to be set, and what it was ahead of this machine's monotonic clock.
    set: Option<(i64, i64)>,
    origin: Instant,
}

impl Seen {
    pub async fn before(node: &Node, hardship: Hardship) -> Seen {
        let origin = Instant::now();
        let set = match hardship {
            Hardship::Clock { jump, .. } if jump.abs() >= LEAST => {
                // One that does not answer, as it is paused, cannot be asked.
                ahead(node, origin).await.ok().map(|ahead| (jump, ahead))
            }
            _ => None,
        };
        Seen { set, origin }
    }

    /// # Errors
    /// The clock has not moved: the server does not have the library.
    pub async fn has_moved(&self, node: &Node) -> Result<(), FaultError> {
        let Some((jump, before)) = self.set else { return Ok(()) };
        let give_up = Instant::now() + PATIENCE;
        loop {
            let moved = match ahead(node, self.origin).await {
                Ok(now) => now - before,
                Err(_) => return Ok(()),
            };
            if (moved - jump).abs() < LEAST / 2 + (jump / 2).abs() {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(FaultError::ClockStays(node.name.clone()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Applied the server's TIME says, in nanoseconds, less the time since `origin`.
async fn ahead(node: &Node, origin: Instant) -> Result<i64, FaultError> {
    let (seconds, micros): (i64, i64) = node.admin.query(&redis::cmd("TIME")).await?;
    Ok(seconds * 1_000_000_000 + micros * 1_000 - origin.elapsed().as_nanos() as i64)
}
