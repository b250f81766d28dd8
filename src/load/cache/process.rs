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

use super::confirmations::Confirmations;
use super::copies::Copies;
use super::entity::{Copy, Entity};
use super::guard::Guard;
use super::origin::Origin;
use crate::load::Targets;
use crate::load::client::{
    Answer, Client, ClientOptions, Commands, Front, Noted, Read, ReplyValue, Request, done, of,
};
use crate::log::OrUnheard;
use crate::model::op::{CacheOp, Cause, FoundIn, Outcome};
use crate::model::{Clock, Nanos};
use crate::spec::cache::{Cache, Layer, Place, Without};
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
    pub(super) near: Option<Copies>,
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
    /// Whether there is a layer in the group.
    far: bool,
    pub(super) servers: Rc<Front>,
    pub(super) guard: Option<Guard>,
    pub(super) origin: Arc<Origin>,
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
        (load, cache, origin): (&Load, &Cache, Arc<Origin>),
        targets: &Targets,
        instance: u16,
        clock: Clock,
        patience: Duration,
    ) -> Result<Rc<Process>, String> {
        let options = ClientOptions::of_load(load);
        let number = load.keyspace.number(u64::from(instance)) as u16;
        let servers = Front::connect(targets, instance, clock, options, patience).await?;
        let near = cache.layers.iter().find_map(|layer| match layer.place {
            Place::Process { capacity, policy } => {
                Some(Copies::new((capacity, policy), layer.ttl, clock))
            }
            Place::Group => None,
        });
        let process = Rc::new(Process {
            cache: cache.clone(),
            name: load.keyspace.name.clone(),
            size: load.value,
            timeout: load.timeout,
            clock,
            timer: Timer::new(clock).map_err(|e| e.to_string())?,
            near,
            heard: RefCell::default(),
            number,
            of: load.keyspace.instances as u16,
            confirmations: Confirmations::default(),
            refreshed: RefCell::default(),
            beside: RefCell::default(),
            far: cache.layers.iter().any(|layer| layer.place == Place::Group),
            servers,
            guard: cache
                .without
                .map(|without| Guard::new(load.timeout / SLOW, without == Without::Stale)),
            origin,
            flights: RefCell::default(),
            chance: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(u64::from(number))),
        });
        let of_timer = process.clone();
        tokio::task::spawn_local(async move { of_timer.timer.run().await.or_unheard() });
        Ok(process)
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
        let mut set = redis::cmd("SET");
        set.arg(&entity.key).arg(self.text_of(entity, copy)).arg("PX").arg(self.millis_of(copy));
        Ok(self.filled(entity, copy, set.into(), |_| true).await)
    }

    pub(super) async fn origin_says(&self, entity: &Entity, trace: &Trace) -> Result<Copy, Cause> {
        let begun = self.clock.now();
        let served = self.origin.ask(entity.id, false, begun)?;
        trace.asked.set(Some((begun, served.answered)));
        self.timer.until(served.answered).await;
        let now = self.clock.now();
        trace.asked.set(Some((begun, now)));
        if served.is_failed {
            return Err(Cause::OriginFailed);
        }
        let (id, version, took) = (entity.id, served.version, now.since(begun).as_nanos() as u64);
        Ok(Copy { id, version, until: now + self.lasts(), took })
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

    pub(super) fn forget_all(&self) {
        if let Some(near) = &self.near {
            near.forget_all();
        }
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
    fn lasts(&self) -> Duration {
        let Some(Layer { ttl, jitter, .. }) = self.cache.layers.last() else {
            return Duration::ZERO;
        };
        let share = self.chance.borrow_mut().random_range(-jitter..=*jitter);
        ttl.mul_f64(1.0 + share)
    }

    /// Each entity has its own, which is always the same.
    pub(super) fn size_of(&self, entity: &Entity) -> usize {
        let (least, most) = self.size;
        let spread = (most.max(least) - least + 1) as u64;
        least + (entity.id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) as usize % spread as usize
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
fn any(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Int(number) => Some(ReplyValue::Number(u64::try_from(*number).ok())),
        value => done(value),
    }
}
