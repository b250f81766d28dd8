//! One process of an application: the copies in its memory, its connections to the group, and its
//! way to the origin.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{LocalBoxFuture, Shared};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use redis::Value;

use super::copies::Copies;
use super::entity::{Copy, Entity, found};
use super::origin::Origin;
use crate::load::Targets;
use crate::load::client::{
    Client, ClientOptions, Commands, Front, Read, ReplyValue, Request, done, of,
};
use crate::log::OrUnheard;
use crate::model::op::{CacheOp, Cause, FoundIn, Outcome};
use crate::model::{Clock, Nanos};
use crate::spec::cache::{Cache, Invalidate, Layer, Place};
use crate::spec::scenario::Load;
use crate::wake::Timer;

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
    /// Whether it hears of what others write, if anybody tells. If not, nothing is kept near.
    pub(super) hears: Cell<bool>,
    /// Whether there is a layer in the group.
    far: bool,
    pub(super) servers: Rc<Front>,
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
    /// Until when the copy may be served that it left in the group.
    pub(super) kept: Option<Nanos>,
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
    pub(super) fn new(copy: Copy, from: FoundIn) -> Found {
        Found { copy, from, kept: None }
    }

    /// What somebody else found, for whom this one waited.
    pub(super) fn of_another(self) -> Found {
        Found::new(self.copy, FoundIn::Other)
    }

    pub(super) fn told(&self, entity: &Entity, asked: Option<(Nanos, Nanos)>) -> CacheOp {
        // What is another entity's was never this one's.
        let version = Some(self.copy.version).filter(|_| self.copy.id == entity.id);
        match found(version, self.from) {
            CacheOp::Read { version, from, .. } => {
                CacheOp::Read { version, from, asked, kept: self.kept }
            }
            written => written,
        }
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
            hears: Cell::new(cache.invalidate != Invalidate::Publish),
            far: cache.layers.iter().any(|layer| layer.place == Place::Group),
            servers,
            origin,
            flights: RefCell::default(),
            chance: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(u64::from(instance))),
        });
        let of_timer = process.clone();
        tokio::task::spawn_local(async move { of_timer.timer.run().await.or_unheard() });
        Ok(process)
    }

    /// The group's copy, if it has one that can be read. What cannot be read is none.
    pub(super) async fn in_group(&self, entity: &Entity) -> Option<Copy> {
        if !self.far {
            return None;
        }
        let bytes: Read = |value| match value {
            Value::Nil => Some(ReplyValue::Bytes(None)),
            Value::BulkString(text) => Some(ReplyValue::Bytes(Some(text.clone()))),
            _ => None,
        };
        let get = of("GET", &entity.key).into();
        match self.send(entity.slot, get, bytes).await {
            Ok(ReplyValue::Bytes(Some(text))) => Copy::read(&text),
            _ => None,
        }
    }

    /// Asks the origin, and leaves a copy in the group.
    pub(super) async fn ask_origin(&self, entity: &Entity, trace: &Trace) -> Result<Found, Cause> {
        let begun = self.clock.now();
        let served = self.origin.ask(entity.id, false, begun).ok_or(Cause::Overloaded)?;
        trace.asked.set(Some((begun, served.answered)));
        self.timer.until(served.answered).await;
        let now = self.clock.now();
        trace.asked.set(Some((begun, now)));
        let (id, version, took) = (entity.id, served.version, now.since(begun).as_nanos() as u64);
        let copy = Copy { id, version, until: now + self.lasts(), took };
        let kept = match self.far {
            true => self.fill(entity, copy).await.then_some(copy.until),
            false => None,
        };
        Ok(Found { copy, from: FoundIn::Origin, kept })
    }

    /// Whether the group took the copy.
    async fn fill(&self, entity: &Entity, copy: Copy) -> bool {
        let millis = copy.until.since(self.clock.now()).as_millis().max(1) as u64;
        let mut set = redis::cmd("SET");
        set.arg(&entity.key).arg(copy.text(self.size_of(entity))).arg("PX").arg(millis);
        self.send(entity.slot, set.into(), done).await.is_ok()
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

    /// What a server says.
    pub(super) async fn send(
        &self,
        slot: u16,
        commands: Commands,
        read: Read,
    ) -> Result<ReplyValue, Cause> {
        let answer = self.servers.perform(&Request { slot, commands, read, wait: None }).await;
        match answer.outcome {
            Outcome::Ok => Ok(answer.told),
            Outcome::Fail(cause) | Outcome::Unknown(cause) => Err(cause),
        }
    }
}
