//! One process of an application: the copies in its memory, its connections to the group, and its
//! way to the origin.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{LocalBoxFuture, Shared};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use redis::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::application::Application;
use super::confirmations::Confirmations;
use super::copies::Copies;
use super::entity::{Copy, Entity, size_of};
use super::guard::Guard;
use super::origin::Origin;
use super::put::{put, took};
use crate::load::Targets;
use crate::load::client::{
    Answer, Client, ClientOptions, Commands, Front, Listener, Noted, Read, ReplyValue, Request,
    done, of,
};
use crate::log::OrUnheard;
use crate::model::op::{Action, CacheOp, Cause, FoundIn, Outcome};
use crate::model::{Clock, Nanos};
use crate::spec::cache::{Cache, Invalidate, Layer, Place, Without};
use crate::spec::scenario::Load;
use crate::wake::Timer;

/// With a circuit breaker the group has so many parts of the time-out for an answer.
const SLOW: u32 = 4;

pub(super) struct Process {
    pub(super) cache: Cache,
    /// Of the load whose entities these are.
    pub(super) name: String,
    /// The smallest and the largest copy in bytes.
    size: (usize, usize),
    pub(super) timeout: Duration,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
    /// In its own memory, and on its host: nearest first.
    pub(super) copies: Vec<Rc<Copies>>,
    /// Whether it is the one that tells what was on its host.
    tells_of_host: bool,
    /// The nodes that it hears.
    pub(super) heard: RefCell<HashSet<u16>>,
    /// Its number among those of all loads on these entities, and how many there are.
    pub(super) number: u16,
    pub(super) of: u16,
    pub(super) confirmations: Confirmations,
    /// Entities that it reads anew while it serves old copies of them.
    pub(super) refreshed: RefCell<HashSet<u64>>,
    /// Reads of the origin that nobody waits for, since they were last told.
    pub(super) beside: RefCell<Vec<Noted>>,
    /// Versions of entities that are written to the origin later.
    pub(super) later: RefCell<Vec<(u64, u64)>>,
    /// Whether there is a layer in the group.
    far: bool,
    pub(super) servers: Rc<Front>,
    pub(super) guard: Option<Guard>,
    pub(super) origin: Arc<Origin>,
    /// It changes whenever the process is restarted.
    restarted: watch::Receiver<u32>,
    /// What it does that no operation waits for.
    tasks: RefCell<Vec<AbortHandle>>,
    pub(super) flights: RefCell<HashMap<u64, Flight>>,
    pub(super) chance: RefCell<Xoshiro256PlusPlus>,
}

/// A question that is on its way to the origin.
pub(super) type Flight = Shared<LocalBoxFuture<'static, Result<Found, Cause>>>;

/// What comes of a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) copy: Copy,
    pub(super) from: FoundIn,
    /// Until when the copy may be served that was found, or was left in the group.
    pub(super) kept: Option<Nanos>,
    /// The node that has the copy.
    pub(super) by: Option<u16>,
}

/// What an operation has done so far, whether its client waits for its end or not.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// From when until when it asked the origin.
    pub(super) asked: Cell<Option<(Nanos, Nanos)>>,
    /// The version that the origin has, and since when.
    pub(super) wrote: Cell<Option<(u64, Nanos)>>,
}

/// What the processes of a load are made of.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) load: &'a Load,
    pub(crate) cache: &'a Cache,
    pub(crate) application: &'a Application,
    pub(crate) hosts: &'a [Rc<Copies>],
}

/// What the processes on each host have in common, if there is such a layer.
pub(crate) fn hosts(cache: &Cache, clock: Clock) -> Vec<Rc<Copies>> {
    let of_layer = |layer: &Layer| match layer.place {
        Place::Host { count, capacity, policy } => {
            let of_one = |_| Copies::new(FoundIn::Host, (capacity, policy), layer.ttl, clock);
            (0..count).map(of_one).map(Rc::new).collect()
        }
        Place::Process { .. } | Place::Group => Vec::new(),
    };
    cache.layers.iter().flat_map(of_layer).collect()
}

impl Found {
    /// What somebody else found, for whom this one waited.
    pub(super) fn of_another(self) -> Found {
        Found { from: FoundIn::Other, kept: None, ..self }
    }

    pub(super) fn told(&self, entity: &Entity, asked: Option<(Nanos, Nanos)>) -> CacheOp {
        // What is another entity's was never this one's.
        let version = Some(self.copy.version).filter(|_| self.copy.id == entity.id);
        CacheOp::Read { version, from: self.from, asked, kept: self.kept, met: entity.met.get() }
    }
}

impl Process {
    /// That of an instance of a load, with that origin. It lives on the calling thread, in a local
    /// runtime.
    ///
    /// Errors: as [`Front::connect`], or the machine gives no timer.
    pub(super) async fn connect(
        Of { load, cache, application, hosts }: Of<'_>,
        targets: &Targets,
        instance: u16,
        clock: Clock,
        patience: Duration,
    ) -> Result<Rc<Process>, String> {
        let options = ClientOptions::of_load(load);
        let number = load.keyspace.number(u64::from(instance)) as u16;
        let (tell, mut told) = mpsc::unbounded_channel();
        let options = (options, (cache.invalidate == Invalidate::Tracking).then_some(tell));
        let servers = Front::connect_tracked(targets, instance, clock, options, patience).await?;
        let near = cache.layers.iter().find_map(|layer| match layer.place {
            Place::Process { capacity, policy } => {
                let room = (capacity, policy);
                Some(Rc::new(Copies::new(FoundIn::Process, room, layer.ttl, clock)))
            }
            Place::Host { .. } | Place::Group => None,
        });
        let turn = usize::from(instance);
        let host = turn.checked_rem(hosts.len()).map(|host| hosts[host].clone());
        let process = Rc::new(Process {
            cache: cache.clone(),
            name: load.keyspace.name.clone(),
            size: load.value,
            timeout: load.timeout,
            clock,
            timer: Timer::new(clock).map_err(|e| e.to_string())?,
            copies: near.into_iter().chain(host).collect(),
            tells_of_host: turn < hosts.len(),
            heard: RefCell::default(),
            number,
            of: load.keyspace.instances as u16,
            confirmations: Confirmations::default(),
            refreshed: RefCell::default(),
            beside: RefCell::default(),
            later: RefCell::default(),
            far: cache.layers.iter().any(|layer| layer.place == Place::Group),
            servers,
            guard: cache
                .without
                .map(|without| Guard::new(load.timeout / SLOW, without == Without::Stale)),
            origin: application.origin.clone(),
            restarted: application.restarted(),
            tasks: RefCell::default(),
            flights: RefCell::default(),
            chance: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(u64::from(number))),
        });
        let hears = process.clone();
        tokio::task::spawn_local(async move {
            while let Some(told) = told.recv().await {
                hears.told(&told);
            }
        });
        let of_timer = process.clone();
        tokio::task::spawn_local(async move { of_timer.timer.run().await.or_unheard() });
        let (begins_anew, mut restarted) = (process.clone(), process.restarted.clone());
        tokio::task::spawn_local(async move {
            while restarted.changed().await.is_ok() {
                begins_anew.begin_anew();
            }
        });
        Ok(process)
    }

    /// What was under way ends, and its memory is empty. Its connections stay: new ones would be
    /// there within a round trip or two.
    fn begin_anew(&self) {
        self.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        let at = self.clock.now();
        let lost = |(key, version)| {
            let action = Action::Cache(CacheOp::Lost { version });
            Noted { key, action, from: at, to: at }
        };
        let later = std::mem::take(&mut *self.later.borrow_mut());
        self.beside.borrow_mut().extend(later.into_iter().map(lost));
        self.flights.borrow_mut().clear();
        self.refreshed.borrow_mut().clear();
        let own = self.copies.iter().filter(|copies| copies.place == FoundIn::Process);
        own.for_each(|copies| copies.lose_all());
    }

    /// None if the process ends before `doing` does.
    pub(super) async fn unless_restarted<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        let mut restarted = self.restarted.clone();
        restarted.mark_unchanged();
        tokio::select! {
            biased;
            // Whoever restarts it may have gone.
            Ok(()) = restarted.changed() => None,
            done = doing => Some(done),
        }
    }

    /// Something that ends with the process, and that nobody waits for.
    pub(super) fn goes_on_with(&self, task: AbortHandle) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

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
        let ReplyValue::Bytes(Some(text)) = &answer.told else { return None };
        let copy = Copy::read(text)?;
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
        let bytes = (self.text_of(entity, copy), self.millis_of(copy));
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

    pub(super) fn forget(&self, id: u64) {
        self.copies.iter().for_each(|copies| copies.forget(id));
    }

    pub(super) fn forget_all(&self) {
        self.copies.iter().for_each(|copies| copies.forget_all());
    }

    /// Which copies it could answer with, as [`Copies::lives`]; one process tells it of each host.
    pub(super) fn lives(&self, last: bool) -> impl Iterator<Item = Noted> {
        let tells = |copies: &&Rc<Copies>| copies.place == FoundIn::Process || self.tells_of_host;
        self.copies.iter().filter(tells).flat_map(move |copies| copies.lives(last))
    }

    pub(super) fn text_of(&self, entity: &Entity, copy: Copy) -> Vec<u8> {
        copy.text(self.size_of(entity))
    }

    /// For how long the group has a copy.
    pub(super) fn millis_of(&self, copy: Copy) -> u64 {
        (copy.until + self.window()).since(self.clock.now()).as_millis().max(1) as u64
    }

    fn window(&self) -> Duration {
        self.cache.layers.last().map_or(Duration::ZERO, |layer| self.cache.window(layer))
    }

    /// How long a new copy is kept in the farthest layer.
    pub(super) fn lasts(&self) -> Duration {
        let Some(Layer { ttl, jitter, .. }) = self.cache.layers.last() else {
            return Duration::ZERO;
        };
        let share = self.chance.borrow_mut().random_range(-jitter..=*jitter);
        ttl.mul_f64(1.0 + share)
    }

    pub(super) fn size_of(&self, entity: &Entity) -> usize {
        size_of(self.size, entity.id)
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
