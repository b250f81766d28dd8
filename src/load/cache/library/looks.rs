//! Reads that watch the cache of a library: while a process may have an older copy than was written,
//! it is asked for that entity every millisecond.
//!
//! What such a read finds nowhere is not computed, so that it leaves no copy that a user's read would
//! not have found in the group. Some libraries share one fetch among all
//! waiting readers, so the refusal reaches users' reads too; those are sent once more.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::watched::{Found, Told, Watched, Written};
use crate::load::cache::copy::entity::Copy;
use crate::load::client::Noted;
use crate::load::client::adapter::protocol::{Cached, Where, Work};
use crate::load::client::adapter::{Adapter, LOOKS};
use crate::model::op::key_name;
use crate::model::{Clock, Nanos};
use crate::spec::cache::{Cache, Place};
use crate::spec::scenario::Load;
use crate::wake::Timer;

/// A process is asked so often, whatever it is asked for.
const EVERY: Duration = Duration::from_millis(1);

/// Those of one process.
pub(in crate::load::cache) struct Looks {
    adapter: Rc<Adapter>,
    timer: Rc<Timer>,
    clock: Clock,
    /// Of the load whose entities these are.
    name: String,
    /// The smallest and the largest entity in bytes.
    size: (usize, usize),
    watched: RefCell<Watched>,
    /// There is something to look for, or a look is over.
    go_on: Notify,
    /// The entities that it is asked for now.
    now: RefCell<Vec<u64>>,
    /// When the last look was over for which an entity was not computed. Far away while it is not.
    refused: RefCell<HashMap<u64, Nanos>>,
    is_over: Cell<bool>,
}

impl Looks {
    pub(in crate::load::cache) fn new(
        (load, cache): (&Load, &Cache),
        adapter: Rc<Adapter>,
        (timer, clock): (Rc<Timer>, Clock),
    ) -> Looks {
        let near = |place: &Place| match place {
            Place::Process { .. } => true,
            Place::Host { .. } | Place::NearGroup | Place::Group => false,
        };
        let near = cache.layers.iter().find(|layer| near(&layer.place));
        let (name, size) = (load.keyspace.name.clone(), load.value);
        Looks {
            adapter,
            timer,
            clock,
            name,
            size,
            watched: RefCell::new(Watched::new(near.map(|layer| layer.ttl), cache.bound)),
            go_on: Notify::new(),
            now: RefCell::default(),
            refused: RefCell::default(),
            is_over: Cell::new(false),
        }
    }

    pub(in crate::load::cache) fn heard(&self, id: u64, told: Told) {
        self.watched.borrow_mut().heard(id, told);
    }

    /// Whether it is a look for which the library asks for the entity.
    pub(in crate::load::cache) fn refuse(&self, id: u64) -> bool {
        let looks = self.now.borrow().contains(&id);
        if looks {
            self.refused.borrow_mut().insert(id, Nanos(u64::MAX));
        }
        looks
    }

    pub(in crate::load::cache) fn refused_since(&self, id: u64, sent: Nanos) -> bool {
        self.refused.borrow().get(&id).is_some_and(|refused| *refused >= sent)
    }

    /// Older copies that are gone since the last call; when the load is stopped, those that are there
    /// too.
    pub(in crate::load::cache) fn take(&self) -> Vec<Noted> {
        self.watched.borrow_mut().take(self.is_over.get())
    }

    pub(in crate::load::cache) fn stop(&self) {
        self.is_over.set(true);
    }

    /// What is to be looked for next, if there is room for another look.
    fn next(&self) -> Option<u64> {
        let room = !self.is_over.get() && self.now.borrow().len() < LOOKS as usize;
        let id = room.then(|| self.watched.borrow_mut().next()).flatten()?;
        self.now.borrow_mut().push(id);
        Some(id)
    }

    fn answered(&self, id: u64, told: Told, now: Nanos) {
        self.now.borrow_mut().retain(|other| *other != id);
        if let Some(refused) = self.refused.borrow_mut().get_mut(&id) {
            *refused = now.min(*refused);
        }
        self.watched.borrow_mut().answered(id, told, now);
        self.go_on.notify_one();
    }

    /// Hears which writes are to be watched.
    pub(in crate::load::cache) async fn hear(self: Rc<Self>, mut writes: Receiver<Written>) {
        loop {
            match writes.recv().await {
                Ok(written) => {
                    self.watched.borrow_mut().begin(written);
                    self.go_on.notify_one();
                }
                // These are not watched.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Looks for older copies for as long as the thread lives.
    pub(in crate::load::cache) async fn look_on(self: Rc<Self>) {
        let mut times_ended = self.adapter.times_ended();
        loop {
            if times_ended != self.adapter.times_ended() {
                times_ended = self.adapter.times_ended();
                self.watched.borrow_mut().forget_all();
            }
            let Some(id) = self.next() else {
                self.go_on.notified().await;
                continue;
            };
            let due = self.clock.now() + EVERY;
            tokio::task::spawn_local(self.clone().look(id));
            self.timer.until(due).await;
        }
    }

    async fn look(self: Rc<Self>, id: u64) {
        let work = Work::Read { key: key_name(&self.name, id) };
        let sent = self.clock.now();
        let learned = self.adapter.look(&work).await;
        let found = match learned {
            Ok(learned) => Cached::deserialize(&learned).map_or(Found::Nothing, |cached| {
                let copy = Copy::read_text(&cached.text, self.size);
                found(copy.filter(|copy| copy.id == id), cached.from)
            }),
            Err(_) if self.refused_since(id, sent) => Found::None,
            Err(_) => Found::Nothing,
        };
        self.answered(id, Told { sent, found }, self.clock.now());
    }
}

/// What was found, if it is a copy of the entity.
pub(in crate::load::cache) fn found(copy: Option<Copy>, from: Option<Where>) -> Found {
    copy.map_or(Found::Nothing, |copy| Found::Version(copy.version, from))
}
