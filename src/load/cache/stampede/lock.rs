//! One reader of all takes a lock and asks the origin; the others wait for the copy that it leaves.
//!
//! The lock is the mutex of the documentation of SET: <https://redis.io/docs/latest/commands/set/#patterns>

use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;

use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::ReplyValue;
use crate::load::workload::{Kind, Mutex, beside};
use crate::model::op::Cause;

/// How long the origin may take, and a little more. If whoever asks it dies, another one does then.
pub(in crate::load::cache) const LEASE: Duration = Duration::from_secs(2);
/// Between two looks for the copy.
pub(in crate::load::cache) const RETRY: Duration = Duration::from_millis(5);

pub(in crate::load::cache) async fn miss(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    loop {
        match Held::take(process, entity).await {
            // Without a lock each asks for itself.
            Err(_) => return process.ask_origin(entity, trace).await,
            Ok(Some(held)) => {
                // Somebody may have left a copy since this one looked.
                let found = match process.in_group(entity).await {
                    Some(found) => Ok(found.of_another()),
                    None => process.ask_origin(entity, trace).await,
                };
                held.give_back(process, entity).await;
                return found;
            }
            Ok(None) => {}
        }
        process.timer.until(process.clock.now() + RETRY).await;
        if let Some(found) = process.in_group(entity).await {
            return Ok(found.of_another());
        }
    }
}

/// The right to ask the origin for an entity.
pub(in crate::load::cache) struct Held {
    key: String,
    token: Vec<u8>,
}

impl Held {
    /// None if somebody else has it.
    pub(in crate::load::cache) async fn take(
        process: &Process,
        entity: &Entity,
    ) -> Result<Option<Held>, Cause> {
        let key = beside(&entity.key, "lock");
        let token: u64 = process.chance.borrow_mut().random();
        let token = token.to_string().into_bytes();
        let (acquire, read) = Mutex.acquire(&key, &token, LEASE);
        let answer = process.send(entity.slot, acquire.into(), read).await?;
        let got = matches!(answer.told, ReplyValue::Number(Some(_)));
        Ok(got.then_some(Held { key, token }))
    }

    pub(in crate::load::cache) async fn give_back(self, process: &Process, entity: &Entity) {
        let (release, read) = Mutex.release(&self.key, &self.token);
        // If that fails, the lease ends.
        let _ = process.send(entity.slot, release.into(), read).await;
    }
}
