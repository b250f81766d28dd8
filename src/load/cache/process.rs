//! One process of an application: the copies in its memory, and what it has to reach the group and
//! the origin.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::application::Application;
use super::copy::coder::Coder;
use super::found::Flight;
use super::invalidation::confirmations::Confirmations;
use super::invalidation::family::Family;
use super::layer::copies::Copies;
use super::layer::guard::Guard;
use super::layer::servers::{NearGroup, Servers};
use super::origin::Origin;
use super::warming::wanted::Warming;
use crate::load::Targets;
use crate::load::client::{ClientOptions, Front, Listener, Noted, Tell, try_resp3};
use crate::log::OrUnheard;
use crate::model::Clock;
use crate::model::op::{Action, CacheOp, Ended, FoundIn, key_prefix};
use crate::spec::cache::{Cache, Invalidate, Layer, Place};
use crate::spec::scenario::Load;
use crate::wake::Timer;

pub(super) struct Process {
    pub(super) cache: Cache,
    /// Of the load whose entities these are.
    pub(super) name: String,
    pub(super) warming: Warming,
    /// How many entities there are.
    pub(super) keys: u64,
    /// The smallest and the largest copy in bytes.
    pub(super) size: (usize, usize),
    pub(super) timeout: Duration,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
    /// In its own memory, and on its host: nearest first.
    pub(super) copies: Vec<Rc<Copies>>,
    /// Whether it is the one that tells what was on its host.
    tells_of_host: bool,
    /// The nodes that it hears.
    pub(super) heard: RefCell<HashSet<u16>>,
    /// Its number in its load, and how many there are.
    pub(super) instance: u16,
    pub(super) instances: u16,
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
    /// How copies stand in the group.
    pub(super) coder: Coder,
    /// Whether there is a layer in the group.
    pub(super) far: bool,
    /// Those of the farthest layer.
    pub(super) servers: Servers,
    /// The layer in a nearer group.
    pub(super) near_group: Option<NearGroup>,
    pub(super) origin: Arc<Origin>,
    /// What steps change of it.
    pub(super) application: Application,
    /// It changes whenever the process is restarted.
    restarted: watch::Receiver<u32>,
    /// What it does that no operation waits for.
    tasks: RefCell<Vec<AbortHandle>>,
    pub(super) flights: RefCell<HashMap<u64, Flight>>,
    pub(super) chance: RefCell<Xoshiro256PlusPlus>,
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
        Place::Process { .. } | Place::NearGroup | Place::Group => Vec::new(),
    };
    cache.layers.iter().flat_map(of_layer).collect()
}

impl Process {
    /// That of an instance of a load, with that origin. It lives on the calling thread, in a local
    /// runtime.
    ///
    /// Errors: as [`Front::connect`] and [`try_resp3`], or the machine gives no timer or no memory.
    pub(super) async fn connect(
        Of { load, cache, application, hosts }: Of<'_>,
        (targets, nearer): (&Targets, Option<&Targets>),
        instance: u16,
        clock: Clock,
        patience: Duration,
    ) -> Result<Rc<Process>, String> {
        let options = ClientOptions::of_load(load);
        if instance == 0 && cache.invalidate.is_heard() {
            try_resp3(targets, options).await?;
        }
        let number = load.keyspace.number(u64::from(instance)) as u16;
        // Its connections are made first, so they come to know it later.
        let itself: Rc<OnceCell<Weak<Process>>> = Rc::default();
        let hears = itself.clone();
        let tell: Tell = Rc::new(move |told| {
            if let Some(process) = hears.get().and_then(Weak::upgrade) {
                process.told(told);
            }
        });
        let tracked = (options, (cache.invalidate == Invalidate::Tracking).then_some(tell));
        let far = Front::connect_tracked(targets, instance, clock, tracked, patience).await?;
        let servers = |front| Servers::new(front, cache, load.timeout, clock);
        let near_layer = cache.layers.iter().find(|layer| layer.place == Place::NearGroup);
        let near_group = match nearer.zip(near_layer) {
            Some((targets, Layer { ttl, jitter, .. })) => {
                let front = Front::connect(targets, instance, clock, options, patience).await?;
                Some(NearGroup { servers: servers(front), ttl: *ttl, jitter: *jitter })
            }
            None => None,
        };
        let near = cache.layers.iter().find_map(|layer| match layer.place {
            Place::Process { capacity, policy } => {
                let room = (capacity, policy);
                Some(Rc::new(Copies::new(FoundIn::Process, room, layer.ttl, clock)))
            }
            Place::Host { .. } | Place::NearGroup | Place::Group => None,
        });
        let turn = usize::from(instance);
        let host = turn.checked_rem(hosts.len()).map(|host| hosts[host].clone());
        let process = Rc::new(Process {
            cache: cache.clone(),
            name: load.keyspace.name.clone(),
            warming: application.warming.clone(),
            keys: load.keys,
            size: load.value,
            timeout: load.timeout,
            clock,
            timer: Timer::new(clock).map_err(|e| e.to_string())?,
            copies: near.into_iter().chain(host).collect(),
            tells_of_host: turn < hosts.len(),
            heard: RefCell::default(),
            instance,
            instances: load.instances,
            number,
            of: load.keyspace.instances as u16,
            confirmations: Confirmations::default(),
            refreshed: RefCell::default(),
            beside: RefCell::default(),
            later: RefCell::default(),
            coder: Coder::new(cache.format, load.value.1, clock).map_err(|e| e.to_string())?,
            far: cache.layers.iter().any(|layer| layer.place == Place::Group),
            servers: servers(far),
            near_group,
            origin: application.origin.clone(),
            application: application.clone(),
            restarted: application.restarted(),
            tasks: RefCell::default(),
            flights: RefCell::default(),
            chance: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(u64::from(number))),
        });
        let _ = itself.set(Rc::downgrade(&process));
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

    /// What was under way ends, and its memory is empty. Its connections stay.
    fn begin_anew(&self) {
        self.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        let at = self.clock.now();
        let lost = |(key, version)| {
            let action = Action::Cache(CacheOp::Lost { version });
            Noted::new(key, action, (at, at))
        };
        let later = std::mem::take(&mut *self.later.borrow_mut());
        self.beside.borrow_mut().extend(later.into_iter().map(lost));
        self.flights.borrow_mut().clear();
        self.refreshed.borrow_mut().clear();
        let own = self.copies.iter().filter(|copies| copies.place == FoundIn::Process);
        own.for_each(|copies| copies.forget_all(Ended::Lost));
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

    /// The entities that change when this one does, and it.
    pub(super) fn changes_with(&self, id: u64) -> Range<u64> {
        match self.cache.invalidate.is_of_families() {
            true => Family::of(id).members(self.keys),
            false => id..id + 1,
        }
    }

    pub(super) fn forget(&self, id: u64) {
        self.copies.iter().for_each(|copies| copies.forget(id));
    }

    /// The same of the entity of that name, if it is one's.
    pub(super) fn forget_named(&self, name: &str) {
        let id = name.strip_prefix(&key_prefix(&self.name)).and_then(|id| id.parse().ok());
        id.into_iter().for_each(|id| self.forget(id));
    }

    /// Whether it listens to a node now.
    pub(super) fn is_told_by(&self, node: u16) -> bool {
        self.heard.borrow().contains(&node)
    }

    pub(super) fn is_told_by_any(&self) -> bool {
        !self.heard.borrow().is_empty()
    }

    pub(super) fn forget_all(&self) {
        self.copies.iter().for_each(|copies| copies.forget_all(Ended::Invalidated));
    }

    /// The copies that it could answer with now: entities and versions. One process tells of each host.
    pub(super) fn could_serve(&self) -> impl Iterator<Item = (u64, u64)> {
        let tells = |copies: &&Rc<Copies>| copies.place == FoundIn::Process || self.tells_of_host;
        self.copies.iter().filter(tells).flat_map(|copies| copies.could_serve())
    }

    /// The circuit breakers before its groups.
    pub(super) fn guards(&self) -> impl Iterator<Item = &Guard> {
        let near = self.near_group.iter().map(|near| &near.servers);
        near.chain([&self.servers]).filter_map(|servers| servers.guard.as_ref())
    }

    /// Which copies it could answer with, as [`Copies::lives`]; one process tells it of each host.
    pub(super) fn lives(&self, last: bool) -> impl Iterator<Item = Noted> {
        let tells = |copies: &&Rc<Copies>| copies.place == FoundIn::Process || self.tells_of_host;
        self.copies.iter().filter(tells).flat_map(move |copies| copies.lives(last))
    }
}
