//! Reading and writing entities through the layers.

use std::rc::Rc;
use std::time::Duration;

use super::entity::{Copy, Entity};
use super::found::{Found, Trace};
use super::near_group::Asked;
use super::process::{Of, Process};
use super::servers::NearGroup;
use super::{bulk, change, early, flight, lease, lock, near_group, news, refresh, sweep, warming};
use crate::load::Targets;
use crate::load::client::{Answer, Client, ClientOptions, Front, Noted, ReplyValue};
use crate::load::workload::Doing;
use crate::model::op::{Access, Action, CacheOp, Cause, FoundIn, Outcome, Purpose};
use crate::model::{Clock, Nanos};
use crate::spec::cache::{Naming, Stampede, Without, Write};

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
        news::listen(&process, far, instance, ClientOptions::of_load(of.load));
        if of.cache.write == Write::Behind {
            tokio::task::spawn_local(change::write_later(process.clone()));
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

    async fn perform(&self, form: &Form) -> Answer {
        let (process, trace) = (&self.process, Rc::new(Trace::default()));
        match form {
            Form::Last(entity) => match self.near_group() {
                Some(group) => {
                    let looked = near_group::look(group, process, entity).await;
                    last(looked.map(|found| (found, None)), FoundIn::NearGroup, entity)
                }
                None => last(process.look(entity).await, FoundIn::Group, entity),
            },
            Form::Read(entity) | Form::Warm(entity) => {
                let patience = match form {
                    Form::Warm(_) => Duration::MAX,
                    _ => process.timeout,
                };
                if matches!(form, Form::Read(_)) {
                    process.warming.saw(entity.id, process.clock.now());
                }
                let reading = process.unless_restarted(read(process, entity, &trace));
                let ended = tokio::time::timeout(patience, reading).await;
                let asked = trace.asked.get();
                // Where it is from a process, no server answered.
                let by = match &ended {
                    Ok(Some(Ok(found))) => found.by,
                    Ok(Some(Err(_)) | None) | Err(_) => None,
                };
                let told = match &ended {
                    Ok(Some(Ok(found))) => found.told(entity, asked),
                    Ok(Some(Err(_)) | None) | Err(_) => {
                        let (from, met) = (FoundIn::Origin, entity.met.get());
                        CacheOp::Read { version: None, from, asked, kept: None, met }
                    }
                };
                let ended = ended.map(|ended| ended.map(|ended| ended.map(drop)));
                Answer { by, ..answer(ended, told) }
            }
            Form::Write(entity) => {
                let writing = process.unless_restarted(write(process, entity, &trace));
                let ended = tokio::time::timeout(process.timeout, writing).await;
                let (version, at) = trace.wrote.of(entity.id);
                let commands = Some(trace.commands.get());
                let answer = answer(ended, CacheOp::Write { version, at, commands });
                process.note_changed(&trace, answer.outcome, |id| id != entity.id);
                answer
            }
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

/// What a group has at the end.
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

async fn read(process: &Rc<Process>, entity: &Entity, trace: &Rc<Trace>) -> Result<Found, Cause> {
    let mut questions = Vec::new();
    let keep = |questions: Vec<u64>, found: (Copy, Nanos)| {
        for (copies, question) in process.copies.iter().zip(questions) {
            copies.keep(question, found, found.0.size(process.size));
        }
    };
    for copies in &process.copies {
        if let Some((copy, until)) = copies.get(entity.id) {
            keep(questions, (copy, until));
            return Ok(Found { copy, from: copies.place, kept: Some(copy.until), by: None });
        }
        questions.push(copies.ask(entity.id));
    }
    let found = read_nearer(process, entity, trace).await?;
    if news::is_heard(process, &found) {
        keep(questions, (found.copy, found.copy.until));
    }
    Ok(found)
}

/// Past the memory of the process: from the nearer group, if there is one.
async fn read_nearer(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let Some(group) = &process.near_group else {
        return read_guarded(process, entity, trace).await;
    };
    let asked = near_group::ask(group, process, entity).await;
    if let Asked::Found(found) = asked {
        return Ok(found);
    }
    let found = read_guarded(process, entity, trace).await?;
    if let Asked::May(token) = asked {
        near_group::keep(group, process, (entity, found.copy), &token).await;
    }
    Ok(found)
}

/// From the farthest layer or behind it, as its circuit breaker has it.
async fn read_guarded(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let (Some(guard), Some(without)) = (&process.servers.guard, process.cache.without) else {
        return read_behind(process, entity, trace).await;
    };
    let found = match (process.in_group(entity).await, guard.is_open(), without) {
        (None, true, Without::Origin) => flight::miss(process, entity, trace).await,
        (None, true, Without::Stale) => match guard.last_seen(entity.id) {
            Some(copy) => Ok(Found { copy, from: FoundIn::Process, kept: None, by: None }),
            None => flight::miss(process, entity, trace).await,
        },
        (None, true, Without::Error) => Err(Cause::Refused),
        (found, ..) => found_in_group(process, entity, trace, found).await,
    };
    if let Ok(found) = &found {
        guard.saw(found.copy);
    }
    found
}

/// Past the memory of the process.
async fn read_behind(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let found = process.in_group(entity).await;
    found_in_group(process, entity, trace, found).await
}

/// What comes of a read that found this in the group.
async fn found_in_group(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
    found: Option<Found>,
) -> Result<Found, Cause> {
    let way = process.cache.stampede;
    match found {
        Some(found) => {
            if way == Stampede::Early && early::is_due(process, &found.copy) {
                return process.ask_origin(entity, trace).await;
            }
            if refresh::is_due(process, &found.copy) {
                refresh::begin(process, entity);
            }
            Ok(found)
        }
        None => match way {
            Stampede::None | Stampede::Early => process.ask_origin(entity, trace).await,
            Stampede::Lock | Stampede::StaleWhileRevalidate => {
                lock::miss(process, entity, trace).await
            }
            Stampede::SingleFlight => flight::miss(process, entity, trace).await,
            Stampede::Lease => lease::miss(process, entity, trace).await,
        },
    }
}

async fn write(process: &Process, entity: &Entity, trace: &Trace) -> Result<(), Cause> {
    let copy = match process.cache.write {
        Write::Behind => change::behind(process, entity, trace).await?,
        Write::Aside | Write::Through | Write::Ahead => {
            origin_takes(process, entity, trace).await?
        }
    };
    news::tell(process, entity, copy, trace).await
}

/// Writes to the origin, and waits for it.
async fn origin_takes(process: &Process, entity: &Entity, trace: &Trace) -> Result<Copy, Cause> {
    let by = (&process.timer, process.clock);
    let took = process.origin.takes(by, process.changes_with(entity.id), &trace.wrote).await?;
    let (version, _) = trace.wrote.of(entity.id);
    Ok(process.new_copy(entity, version, took))
}
