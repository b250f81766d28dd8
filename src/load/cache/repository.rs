//! Reading and writing entities through the layers.

use std::rc::Rc;
use std::time::Duration;

use super::copy::entity::Entity;
use super::found::{Found, Trace};
use super::invalidation::{bulk, hearing};
use super::layer::near_group;
use super::layer::servers::NearGroup;
use super::process::{Of, Process};
use super::writing::behind;
use super::{reading, sweep, warming, writing};
use crate::load::Targets;
use crate::load::client::{Answer, Client, ClientOptions, Front, Noted, ReplyValue};
use crate::load::workload::Doing;
use crate::model::Clock;
use crate::model::op::{Access, Action, CacheOp, Cause, FoundIn, Outcome, Purpose};
use crate::spec::cache::{Naming, Write};

/// That of one instance.
pub(crate) struct Repository {
    process: Rc<Process>,
    /// Of the load's groups: the first one has the farthest layer, and with it goes all that is told.
    group: u8,
}

/// One operation.
pub(crate) enum Form {
    Read(Entity),
    Write(Entity),
    /// Of redrill's own: a read before the load, for which nobody's time is over.
    Warm(Entity),
    /// Of redrill's own: what the group has.
    Last(Entity),
}

impl Repository {
    /// That of an instance of a load. It lives on the calling thread, in a local runtime.
    ///
    /// Errors: as [`crate::load::client::Front::connect`], or the machine gives no timer.
    pub(crate) async fn connect(
        of: Of<'_>,
        targets: &[Targets],
        instance: u16,
        clock: Clock,
        patience: Duration,
    ) -> Result<Vec<Rc<Repository>>, String> {
        let (far, nearer) = (&targets[0], targets.get(1));
        let process = Process::connect(of, (far, nearer), instance, clock, patience).await?;
        hearing::listen(&process, far, instance, ClientOptions::of_load(of.load));
        if of.cache.write == Write::Behind {
            tokio::task::spawn_local(behind::write_later(process.clone()));
        }
        // One of them does what steps want.
        if instance == 0 {
            warming::obey(&process);
        }
        let of_group = |group| Rc::new(Repository { process: process.clone(), group });
        Ok((0..targets.len() as u8).map(of_group).collect())
    }

    /// The nearer group, if it is that one's.
    fn near_group(&self) -> Option<&NearGroup> {
        self.process.near_group.as_ref().filter(|_| self.group > 0)
    }

    fn front(&self) -> &Front {
        &self.near_group().map_or(&self.process.servers, |near| &near.servers).front
    }

    /// What a group has at the end.
    async fn look(&self, entity: &Entity) -> Answer {
        match self.near_group() {
            Some(group) => {
                let looked = near_group::look(group, &self.process, entity).await;
                last(looked.map(|found| (found, None)), FoundIn::NearGroup, entity)
            }
            None => last(self.process.look(entity).await, FoundIn::Group, entity),
        }
    }

    async fn read(&self, entity: &Entity, patience: Duration) -> Answer {
        let (process, trace) = (&self.process, Rc::new(Trace::default()));
        let reading = process.unless_restarted(Box::pin(reading::read(process, entity, &trace)));
        let ended = tokio::time::timeout(patience, reading).await;
        let asked = trace.asked.get();
        // Where it is from a process, no server answered.
        let (by, told) = match &ended {
            Ok(Some(Ok(found))) => (found.by, found.told(entity, asked)),
            Ok(Some(Err(_)) | None) | Err(_) => {
                let (from, met) = (FoundIn::Origin, entity.met.get());
                (None, CacheOp::Read { version: None, from, asked, kept: None, met })
            }
        };
        let ended = ended.map(|ended| ended.map(|ended| ended.map(drop)));
        Answer { by, ..answer(ended, told) }
    }

    async fn write(&self, entity: &Entity) -> Answer {
        let (process, trace) = (&self.process, Trace::default());
        let writing = process.unless_restarted(Box::pin(writing::write(process, entity, &trace)));
        let ended = tokio::time::timeout(process.timeout, writing).await;
        let (version, at) = trace.wrote.of(entity.id);
        let commands = Some(trace.commands.get());
        let answer = answer(ended, CacheOp::Write { version, at, commands });
        process.note_changed(&trace, answer.outcome, |id| id != entity.id);
        answer
    }
}

impl Client for Repository {
    type Form = Form;

    fn request(doing: Doing<'_>) -> Form {
        match (doing.purpose, doing.plan.action.access()) {
            (Purpose::Fill, _) => Form::Warm(entity(&doing)),
            (Purpose::Load, Access::Read) => Form::Read(entity(&doing)),
            (Purpose::Load, Access::Write) => Form::Write(entity(&doing)),
            (Purpose::Final | Purpose::Beside, _) => Form::Last(entity(&doing)),
        }
    }

    /// An operation is a future that is moved several times, and all of a read or a write is large: it
    /// stands in a box.
    async fn perform(&self, form: &Form) -> Answer {
        let process = &self.process;
        match form {
            Form::Last(entity) => Box::pin(self.look(entity)).await,
            Form::Warm(entity) => self.read(entity, Duration::MAX).await,
            Form::Read(entity) => {
                process.warming.saw(process.cache.warm, entity.id, process.clock.now());
                self.read(entity, process.timeout).await
            }
            Form::Write(entity) => self.write(entity).await,
        }
    }

    fn noted(&self, last: bool) -> Vec<Noted> {
        if self.group > 0 {
            return Vec::new();
        }
        let process = &self.process;
        let mut all = std::mem::take(&mut *process.beside.borrow_mut());
        all.extend(process.lives(last));
        let now = process.clock.now();
        let coded = process.coder.noted().map(Action::Cache);
        all.extend(coded.map(|action| Noted::new(0, action, (now, now))));
        all.extend(process.guards().flat_map(|guard| guard.noted(last, now)));
        all
    }

    fn begin(&self) {
        let process = &self.process;
        let jobs = (process.instance == 0 && self.group == 0)
            .then(|| process.application.jobs())
            .flatten();
        if let Some(jobs) = jobs {
            tokio::task::spawn_local(bulk::listen(process.clone(), jobs));
        }
    }

    async fn end(&self) {
        if self.group == 0 {
            sweep::sweep(&self.process).await;
        }
    }

    async fn look_again(&self) {
        self.front().look_again().await;
    }

    fn reconnects(&self) -> u64 {
        self.front().reconnects()
    }
}

fn entity(doing: &Doing<'_>) -> Entity {
    let (id, load) = (doing.plan.key, doing.load);
    match &load.cache {
        Some(cache) => Entity::of(id, &load.keyspace.name, cache),
        None => Entity::named(id, &load.keyspace.name, Naming::Plain),
    }
}

/// What came of looking there.
fn last(
    looked: Result<(Option<Found>, Option<u16>), Cause>,
    from: FoundIn,
    entity: &Entity,
) -> Answer {
    let (outcome, (found, by)) = match looked {
        Ok(looked) => (Outcome::Ok, looked),
        Err(cause) => (Outcome::Fail(cause), (None, None)),
    };
    let nothing = CacheOp::Read { version: None, from, asked: None, kept: None, met: None };
    let told = found.map_or(nothing, |found| found.told(entity, None));
    Answer { told: ReplyValue::Found(Action::Cache(told)), by, ..Answer::of(outcome) }
}

/// Of what has ended so: not in time, with its process, or by itself.
fn answer<E>(ended: Result<Option<Result<(), Cause>>, E>, told: CacheOp) -> Answer {
    let outcome = match ended {
        Ok(Some(Ok(()))) => Outcome::Ok,
        Ok(Some(Err(cause))) => Outcome::Fail(cause),
        Ok(None) => Outcome::Unknown(Cause::ConnectionLost),
        Err(_) => Outcome::Unknown(Cause::Timeout),
    };
    Answer { told: ReplyValue::Found(Action::Cache(told)), ..Answer::of(outcome) }
}
