//! An operation that needs its key for itself: a lock is taken, the key is read and written, and the
//! lock is given back. Each of these finds its own way, as the lock and the key may be on two nodes
//! while their slot moves.

use std::time::Duration;

use redis::Cmd;

use super::routed::Routed;
use super::{Answer, Commands, Read, ReplyValue, Request};
use crate::model::op::{Cause, Outcome};
use crate::model::{Clock, Nanos};

/// Between the first two tries to get the lock. Each pause is twice the one before, up to the longest,
/// so that those who wait keep nobody from working.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(40);

impl Routed {
    /// Nothing is read or written unless the lock was got by `deadline`. How it is given back makes
    /// no difference: if it is not, its lease ends.
    pub(super) async fn perform_locked(
        &self,
        clock: Clock,
        request: &Request,
        deadline: Nanos,
    ) -> Answer {
        let Commands::Locked(locked) = &request.commands else {
            return self.perform_by(request, deadline).await;
        };
        let slot = request.slot;
        let one = |(command, read): &(Cmd, Read)| Request {
            slot,
            commands: command.clone().into(),
            read: *read,
            wait: None,
        };
        let (acquire, release) = (one(&locked.acquire), one(&locked.release));
        let mut pause = PAUSE;
        loop {
            let taken = self.perform_by(&acquire, deadline).await;
            let missed = match (taken.outcome, &taken.told) {
                (Outcome::Ok, ReplyValue::Number(Some(_))) => break,
                (Outcome::Ok, _) if clock.now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                    continue;
                }
                (Outcome::Ok, _) => Cause::Timeout,
                (Outcome::Fail(cause) | Outcome::Unknown(cause), _) => cause,
            };
            return Answer { outcome: Outcome::Fail(missed), ..taken };
        }
        let commands = Commands::Followed { read: locked.read.clone(), then: locked.then.clone() };
        let change = Request { slot, commands, read: request.read, wait: request.wait };
        let answer = self.perform_by(&change, deadline).await;
        // What may still arrive must not arrive beside somebody else's.
        if !matches!(answer.outcome, Outcome::Unknown(_)) {
            self.perform_by(&release, deadline).await;
        }
        answer
    }
}
