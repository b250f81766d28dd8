//! What a process asks behind its own memory: the group and the origin, and what comes of that.

use std::time::Duration;

use rand::RngExt;

use super::copy::entity::{Copy, Entity, is_token};
use super::copy::put::{put, took};
use super::found::{Found, Trace};
use super::invalidation::versioned;
use super::process::Process;
use super::replies::{any, text};
use super::stampede::lock::LEASE;
use crate::load::client::{Answer, Commands, Noted, Read, ReplyValue, of};
use crate::model::op::{Action, CacheOp, Cause, FoundIn, Outcome};
use crate::spec::cache::FoundBy;

impl Process {
    /// The group's copy. `None` if it has none, if it is unreadable, or if no node answered.
    pub(super) async fn in_group(&self, entity: &Entity) -> Option<Found> {
        self.look(entity).await.ok().and_then(|(found, _)| found)
    }

    /// The same, and which node told. What cannot be read is none.
    ///
    /// Errors: nobody told.
    pub(super) async fn look(
        &self,
        entity: &Entity,
    ) -> Result<(Option<Found>, Option<u16>), Cause> {
        if !self.far {
            return Ok((None, None));
        }
        let answer = match self.cache.invalidate.found_by() {
            FoundBy::Generation => Box::pin(versioned::look(self, entity)).await?,
            FoundBy::Name | FoundBy::Tag | FoundBy::Pattern => {
                self.send(entity.slot, of("GET", &entity.key).into(), text).await?
            }
        };
        Ok((self.found_by(entity, &answer), answer.by))
    }

    /// Under which name the entity's copy is left, if that is known.
    pub(super) fn place(&self, entity: &Entity) -> Option<String> {
        match self.cache.invalidate.found_by() {
            FoundBy::Generation => versioned::key(entity),
            FoundBy::Name | FoundBy::Tag | FoundBy::Pattern => Some(entity.key.clone()),
        }
    }

    /// What a server answered, if it is a copy. Another entity's is none, if anybody looks.
    pub(super) fn found_by(&self, entity: &Entity, answer: &Answer) -> Option<Found> {
        let ReplyValue::Bytes(Some(bytes)) = &answer.told else { return None };
        if is_token(bytes) {
            return None;
        }
        let Some(copy) = Copy::read(bytes, &self.coder, self.size) else {
            let (action, now) = (Action::Cache(CacheOp::Broken), self.clock.now());
            self.beside.borrow_mut().push(Noted::new(entity.id, action, (now, now)));
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
        Ok(match put(self, entity, copy) {
            Some(fill) => self.filled(entity, copy, fill, took).await,
            None => self.kept_nowhere(copy),
        })
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

    /// For how long it has one at most that is asked for now.
    pub(super) fn longest_millis(&self) -> u64 {
        let jitter = self.cache.layers.last().map_or(0.0, |layer| layer.jitter);
        let longest = self.ttl().mul_f64(1.0 + jitter) + self.window() + LEASE;
        longest.as_millis() as u64
    }

    /// Records the other entities that this write changed. They share the write's outcome.
    pub(super) fn note_changed(
        &self,
        trace: &Trace,
        outcome: Outcome,
        is_told: impl Fn(u64) -> bool,
    ) {
        let ((all, at), now) = (trace.wrote.all(), self.clock.now());
        let note = |(key, version)| {
            let action = Action::Cache(CacheOp::Write { version, at, commands: None });
            Noted { outcome, ..Noted::new(key, action, (at.min(now), now)) }
        };
        let told = all.into_iter().filter(|(key, _)| is_told(*key));
        self.beside.borrow_mut().extend(told.map(note));
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

    /// What a server of the farthest layer says, if nothing keeps the process from asking.
    pub(super) async fn send(
        &self,
        slot: u16,
        commands: Commands,
        read: Read,
    ) -> Result<Answer, Cause> {
        self.servers.send(slot, commands, read).await
    }

    /// The same for a write, whose commands are counted.
    pub(super) async fn send_for(
        &self,
        trace: &Trace,
        slot: u16,
        commands: Commands,
        read: Read,
    ) -> Result<Answer, Cause> {
        trace.commands.set(trace.commands.get() + commands.count());
        self.send(slot, commands, read).await
    }
}
