//! The servers of a group, as a process asks them: so many requests at once as its pool has room for,
//! and none while its circuit breaker is open.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::guard::Guard;
use crate::load::client::{Answer, Client, Commands, Front, Read, Request};
use crate::model::Clock;
use crate::model::op::{Cause, Outcome};
use crate::spec::cache::{Cache, Without};

/// With a circuit breaker a group has so many parts of the time-out for an answer.
const SLOW: u32 = 4;

pub(in crate::load::cache) struct Servers {
    pub(in crate::load::cache) front: Rc<Front>,
    /// So many requests are under way at once.
    pool: Semaphore,
    pub(in crate::load::cache) guard: Option<Guard>,
    clock: Clock,
}

/// A layer in a group that stands before the farthest one.
pub(in crate::load::cache) struct NearGroup {
    pub(in crate::load::cache) servers: Servers,
    /// How long copies are kept there, and by how much longer or shorter, of one.
    pub(in crate::load::cache) ttl: Duration,
    pub(in crate::load::cache) jitter: f64,
}

impl Servers {
    pub(in crate::load::cache) fn new(
        front: Rc<Front>,
        cache: &Cache,
        timeout: Duration,
        clock: Clock,
    ) -> Servers {
        let guard = |without| Guard::new(timeout / SLOW, without == Without::Stale);
        let room = cache.pool.map_or(Semaphore::MAX_PERMITS, |requests| requests as usize);
        let (pool, guard) = (Semaphore::new(room), cache.without.map(guard));
        Servers { front, pool, guard, clock }
    }

    /// What a server says, if nothing keeps the process from asking.
    pub(in crate::load::cache) async fn send(
        &self,
        slot: u16,
        commands: Commands,
        read: Read,
    ) -> Result<Answer, Cause> {
        let request = Request { slot, commands, read, wait: None };
        match &self.guard {
            None => self.said(&request).await,
            Some(guard) => Box::pin(self.said_in_time(guard, &request)).await,
        }
    }

    async fn said_in_time(&self, guard: &Guard, request: &Request) -> Result<Answer, Cause> {
        if !guard.lets(self.clock.now()) {
            return Err(Cause::Refused);
        }
        let said = tokio::time::timeout(guard.slow, self.said(request)).await;
        let said = said.unwrap_or(Err(Cause::Timeout));
        guard.hears(said.is_ok(), self.clock.now());
        said
    }

    async fn said(&self, request: &Request) -> Result<Answer, Cause> {
        // It is never closed. Whoever gives up waiting leaves the line.
        let _lent = self.pool.acquire().await;
        let answer = self.front.perform(request).await;
        match answer.outcome {
            Outcome::Ok => Ok(answer),
            Outcome::Fail(cause) | Outcome::Unknown(cause) => Err(cause),
        }
    }
}
