//! A clock that is wrong: it was set wrongly, by a person or a time service, or it runs too
//! fast or too slow. Only the time of day is wrong; the monotonic clock of the servers stays
//! right.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{Fault, Injected, Site, on_each};
use super::strains::Strain;
use crate::node::Node;
use crate::spec::step::Clock;

/// A server reads its clock at least ten times a second.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// On a busy machine, a smaller difference cannot be seen.
const LEAST: i64 = 500_000_000;

impl Fault for Clock {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            let node = site.node(name)?;
            let (jump, drift) = (self.jump.0, self.drift.0);
            let seen = Seen::before(&node, jump).await;
            let strain = Strain::Clock { jump, drift, since: Instant::now() };
            let mut done = site.strain_by_library(&node, strain).await?;
            match seen.has_moved(&node).await {
                Ok(()) => Ok(done),
                Err(error) => {
                    done.take_back(site.backend).await;
                    Err(error)
                }
            }
        })
        .boxed()
    }
}

/// A server's clock before it was set.
struct Seen {
    /// How far to set it, and how far it was ahead of this machine's monotonic clock.
    set: Option<(i64, i64)>,
    origin: Instant,
}

impl Seen {
    async fn before(node: &Node, jump: i64) -> Seen {
        let origin = Instant::now();
        let set = match jump.abs() >= LEAST {
            // A paused server does not answer.
            true => ahead(node, origin).await.ok().map(|ahead| (jump, ahead)),
            false => None,
        };
        Seen { set, origin }
    }

    /// # Errors
    /// The clock has not moved: the server does not have the library.
    async fn has_moved(&self, node: &Node) -> Result<(), FaultError> {
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

/// The server's TIME in nanoseconds, less the time since `origin`.
async fn ahead(node: &Node, origin: Instant) -> Result<i64, FaultError> {
    let (seconds, micros): (i64, i64) = node.admin.query(&redis::cmd("TIME")).await?;
    Ok(seconds * 1_000_000_000 + micros * 1_000 - origin.elapsed().as_nanos() as i64)
}
