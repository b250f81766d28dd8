//! One reader of all takes a lock and asks the origin; the others wait for the copy that it leaves.
//!
//! The lock is the mutex of the documentation of SET: <https://redis.io/docs/latest/commands/set/#patterns>

use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;

use super::entity::Entity;
use super::process::{Found, Process, Trace};
use crate::load::client::ReplyValue;
use crate::load::workload::{Kind, Mutex, beside};
use crate::model::op::{Cause, FoundIn};

/// How long the origin may take, and a little more. If whoever asks it dies, another one does then.
const LEASE: Duration = Duration::from_secs(2);
/// Between two looks for the copy.
const RETRY: Duration = Duration::from_millis(5);

pub(super) async fn miss(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let key = beside(&entity.key, "lock");
    let token: u64 = process.chance.borrow_mut().random();
    let token = token.to_string().into_bytes();
    loop {
        let (acquire, read) = Mutex.acquire(&key, &token, LEASE);
        let got = match process.send(entity.slot, acquire.into(), read).await {
            Ok(ReplyValue::Number(got)) => got.is_some(),
            // Without a lock each asks for itself.
            _ => return process.ask_origin(entity, trace).await,
        };
        if got {
            // Somebody may have left a copy since this one looked.
            let found = match process.in_group(entity).await {
                Some(copy) => Ok(Found::new(copy, FoundIn::Other)),
                None => process.ask_origin(entity, trace).await,
            };
            let (release, read) = Mutex.release(&key, &token);
            // If that fails, the lease ends.
            let _ = process.send(entity.slot, release.into(), read).await;
            return found;
        }
        process.timer.until(process.clock.now() + RETRY).await;
        if let Some(copy) = process.in_group(entity).await {
            return Ok(Found::new(copy, FoundIn::Other));
        }
    }
}
