//! What a process asks behind its own memory: the group and the origin, and what comes of that.

use std::time::Duration;

use rand::RngExt;
use redis::Value;

use super::entity::{Copy, Entity, is_token};
use super::found::{Found, Trace};
use super::process::Process;
use super::put::{put, took};
use crate::load::client::{Answer, Client, Commands, Noted, Read, ReplyValue, Request, done, of};
use crate::model::op::{Action, CacheOp, Cause, FoundIn, Outcome};

impl Process {
    /// The group's copy, if it has one that can be read. What cannot be read is none.
    pub(super) async fn in_group(&self, entity: &Entity) -> Option<Found> {
        if !self.far {
            return None;
        }
        let answer = self.send(entity.slot, of("GET", &entity.key).into(), text).await.ok()?;
        self.found_by(entity, &answer)
    }

    /// What a server answered, if it is a copy. Another entity's is none, if anybody looks.
    pub(super) fn found_by(&self, entity: &Entity, answer: &Answer) -> Option<Found> {
        let ReplyValue::Bytes(Some(bytes)) = &answer.told else { return None };
        if is_token(bytes) {
            return None;
        }
        let Some(copy) = Copy::read(bytes, &self.coder, self.size) else {
            let (action, now) = (Action::Cache(CacheOp::Broken), self.clock.now());
            self.beside.borrow_mut().push(Noted { key: entity.id, action, from: now, to: now });
            return None;
        };
        if copy.id != entity.id {
            entity.met.set(entity.met.get().or(Some(self.clock.now())));
            if self.cache.verify {
                return None;
            }
        }
        let kept = Some(copy.until + self.window());
        Some(Found { copy, from: FoundIn::Group, kept, by: answer.by })
    }

    /// Asks the origin, and leaves a copy in the group.
    pub(super) async fn ask_origin(&self, entity: &Entity, trace: &Trace) -> Result<Found, Cause> {
        let copy = self.origin_says(entity, trace).await?;
        Ok(self.filled(entity, copy, self.put(entity, copy), took).await)
    }

    /// How a copy is left in the group.
    pub(super) fn put(&self, entity: &Entity, copy: Copy) -> Commands {
        let bytes = (self.bytes_of(copy), self.millis_of(copy));
        put(self.cache.write, (entity, copy), bytes)
    }

    pub(super) async fn origin_says(&self, entity: &Entity, trace: &Trace) -> Result<Copy, Cause> {
        let by = (&self.timer, self.clock);
        let (version, took) = self.origin.says(by, entity.id, &trace.asked).await?;
        Ok(self.new_copy(entity, version, took))
    }

    /// Of what the origin has just told.
    pub(super) fn new_copy(&self, entity: &Entity, version: u64, took: u64) -> Copy {
        Copy { id: entity.id, version, until: self.clock.now() + self.lasts(), took }
    }

    /// What the origin said, which these commands leave in the group, if `took` says so of the
    /// answer to them.
    pub(super) async fn filled(
        &self,
        entity: &Entity,
        copy: Copy,
        fill: Commands,
        took: fn(&ReplyValue) -> bool,
    ) -> Found {
        let answer = match self.far {
            true => self.send(entity.slot, fill, any).await.ok(),
            false => None,
        };
        let answer = answer.filter(|answer| took(&answer.told));
        let kept = answer.as_ref().map(|_| copy.until + self.window());
        Found { copy, from: FoundIn::Origin, kept, by: answer.and_then(|answer| answer.by) }
    }

    /// What the origin said, of which the group got no copy.
    pub(super) fn kept_nowhere(&self, copy: Copy) -> Found {
        Found { copy, from: FoundIn::Origin, kept: None, by: None }
    }

    pub(super) fn bytes_of(&self, copy: Copy) -> Vec<u8> {
        copy.bytes(&self.coder, self.size)
    }

    /// For how long the group has a copy.
    pub(super) fn millis_of(&self, copy: Copy) -> u64 {
        (copy.until + self.window()).since(self.clock.now()).as_millis().max(1) as u64
    }

    fn window(&self) -> Duration {
        self.cache.layers.last().map_or(Duration::ZERO, |layer| self.cache.window(layer))
    }

    /// How long copies are kept in the farthest layer.
    pub(super) fn ttl(&self) -> Duration {
        self.cache.layers.last().map_or(Duration::ZERO, |layer| layer.ttl)
    }

    /// The same of a new one.
    fn lasts(&self) -> Duration {
        let jitter = self.cache.layers.last().map_or(0.0, |layer| layer.jitter);
        let share = self.chance.borrow_mut().random_range(-jitter..=jitter);
        self.ttl().mul_f64(1.0 + share)
    }

    /// What a server says, if nothing keeps the process from asking.
    pub(super) async fn send(
        &self,
        slot: u16,
        commands: Commands,
        read: Read,
    ) -> Result<Answer, Cause> {
        let request = Request { slot, commands, read, wait: None };
        let Some(guard) = &self.guard else { return self.said(&request).await };
        if !guard.lets(self.clock.now()) {
            return Err(Cause::Refused);
        }
        let said = tokio::time::timeout(guard.slow, self.said(&request)).await;
        let said = said.unwrap_or(Err(Cause::Timeout));
        guard.hears(said.is_ok(), self.clock.now());
        said
    }

    async fn said(&self, request: &Request) -> Result<Answer, Cause> {
        // It is never closed. Whoever gives up waiting leaves the line.
        let _lent = self.pool.acquire().await;
        let answer = self.servers.perform(request).await;
        match answer.outcome {
            Outcome::Ok => Ok(answer),
            Outcome::Fail(cause) | Outcome::Unknown(cause) => Err(cause),
        }
    }
}

/// A text, or none.
pub(super) fn text(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Nil => Some(ReplyValue::Bytes(None)),
        Value::BulkString(text) => Some(ReplyValue::Bytes(Some(text.clone()))),
        _ => None,
    }
}

/// That it was done, or a number.
pub(super) fn any(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Int(number) => Some(ReplyValue::Number(u64::try_from(*number).ok())),
        value => done(value),
    }
}
