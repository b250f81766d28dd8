//! How fast slots may move.
//!
//! A server serves nobody while it carries keys away, and hardly anybody while another pours
//! keys into it. So a pace that spares clients sends small MIGRATEs, each short enough to wait
//! for. It measures on separate connections how long the servers take to answer a PING. What
//! they take while nothing moves is the floor: on a busy machine most of the time is spent
//! waiting for a processor, and no pace is slow enough to change that. So the floor is measured
//! before the first slot moves, and again from time to time, while all batches wait.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, RwLock, RwLockReadGuard, Semaphore, SemaphorePermit};

use super::control::{Control, Found, JUDGED_PINGS, Look};
use super::keys::Limits;
use crate::model::event::PaceKept;
use crate::node::Admin;
use crate::spec::step::Pace;

/// The time between two PINGs to one server.
const LISTEN_EVERY: Duration = Duration::from_millis(4);
/// The floor is measured for so long, and for servers that answer slowly up to [`FLOOR_MOST`].
const FLOOR_FOR: Duration = Duration::from_millis(200);
const FLOOR_MOST: Duration = Duration::from_secs(1);
/// And again after this time: neighbours on the machine come and go.
const FLOOR_EVERY: Duration = Duration::from_secs(5);

/// How many slots are opened together. Servers save their tables once for all of them, and
/// serve nobody while they save. So waves under a goal are larger.
#[derive(Clone, Copy, Debug)]
pub struct WaveSize {
    pub slots: usize,
    /// A wave with so many keys gets no more slots: an interrupted move has to finish the waves
    /// that it has begun.
    pub keys: u64,
    /// Waves in flight: while one is being closed, the next one's keys move.
    pub at_once: usize,
}

/// The pace of a move, shared by all its sources.
pub struct Pacing<'a> {
    pace: Pace,
    /// Whether there is no time for a goal any more.
    hurry: &'a (dyn Fn() -> bool + Sync),
    /// Batches read it; the floor is measured under a write lock.
    gate: RwLock<()>,
    /// Odd while the floor is measured.
    span: AtomicU64,
    doubt: Notify,
    looks: Mutex<Looks>,
    tell: &'a (dyn Fn(PaceKept) + Sync),
}

#[derive(Default)]
struct Looks {
    /// While slots moved.
    heard: Vec<Look>,
    /// The newest floor.
    floor: Option<Look>,
    unmet: bool,
}

impl<'a> Pacing<'a> {
    pub fn new(
        pace: Pace,
        hurry: &'a (dyn Fn() -> bool + Sync),
        tell: &'a (dyn Fn(PaceKept) + Sync),
    ) -> Pacing<'a> {
        let (gate, span, doubt) = (RwLock::new(()), AtomicU64::new(0), Notify::new());
        Pacing { pace, hurry, gate, span, doubt, looks: Mutex::default(), tell }
    }

    /// Measures the floor before anything moves and every so often, and listens to the servers,
    /// until dropped.
    pub async fn keep(&self, pacers: &[Pacer<'_>]) -> Infallible {
        if self.pace != Pace::Fast {
            let floors = async {
                loop {
                    self.measure(pacers).await;
                    // Whichever comes first.
                    let _ = tokio::time::timeout(FLOOR_EVERY, self.doubt.notified()).await;
                }
            };
            let _: (Infallible, _) = join(floors, join_all(pacers.iter().map(Pacer::listen))).await;
        }
        std::future::pending().await
    }

    /// Waits until the floor is known.
    pub async fn known(&self) {
        drop(self.gate.read().await);
    }

    async fn measure(&self, pacers: &[Pacer<'_>]) {
        let _still = self.gate.write().await;
        self.span.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let enough = || pacers.iter().all(|pacer| pacer.still.lock().len() >= JUDGED_PINGS);
        loop {
            tokio::time::sleep(FLOOR_FOR / 4).await;
            let took = began.elapsed();
            if (took >= FLOOR_FOR && enough()) || took >= FLOOR_MOST {
                break;
            }
        }
        self.span.fetch_add(1, Ordering::Relaxed);
        for pacer in pacers {
            let mut pings = std::mem::take(&mut *pacer.still.lock());
            let look = pacer.control().still(&mut pings);
            self.looks.lock().floor = Some(look);
            if look.found == Found::Unmet {
                self.unmet(None);
            }
        }
    }

    fn moving(&self, look: Look) {
        self.looks.lock().heard.push(look);
        match look.found {
            Found::Fine => {}
            Found::Doubt => self.doubt.notify_one(),
            Found::Unmet => self.unmet(Some(look)),
        }
    }

    /// Tells once that the goal is out of reach, by this look while slots moved, or because the
    /// floor is above it.
    fn unmet(&self, look: Option<Look>) {
        if !std::mem::replace(&mut self.looks.lock().unmet, true) {
            (self.tell)(self.kept_in(look));
        }
    }

    /// How the pace was kept so far.
    pub fn kept(&self) -> PaceKept {
        let mut heard = self.looks.lock().heard.clone();
        heard.sort_unstable_by_key(|look| look.slow);
        self.kept_in(heard.get(heard.len() / 2).copied())
    }

    fn kept_in(&self, look: Option<Look>) -> PaceKept {
        let looks = self.looks.lock();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let either = look.or(looks.floor);
        PaceKept {
            pace: self.pace.to_string(),
            floor_ms: either.map(|look| ms(look.floor)),
            goal_ms: either.map(|look| ms(look.goal)),
            answers_ms: look.map(|look| ms(look.slow)),
            met: either.map(|_| !looks.unmet),
        }
    }
}

/// The pace of one source, shared by everything that carries its keys away.
pub struct Pacer<'a> {
    pacing: &'a Pacing<'a>,
    /// The source and its targets.
    servers: Vec<Admin>,
    control: Mutex<Control>,
    /// Answers while nothing moves.
    still: Mutex<Vec<Duration>>,
    turns: Semaphore,
}

/// The right to carry one batch away.
pub struct Turn<'a> {
    pacer: &'a Pacer<'a>,
    held: Option<(SemaphorePermit<'a>, RwLockReadGuard<'a, ()>)>,
    began: Instant,
}

impl<'a> Pacer<'a> {
    pub fn new(pacing: &'a Pacing<'a>, servers: Vec<Admin>) -> Pacer<'a> {
        let control = Mutex::new(Control::new(pacing.pace, Instant::now()));
        Pacer { pacing, servers, control, still: Mutex::default(), turns: Semaphore::new(1) }
    }

    /// Whether there is a goal, and time for it.
    fn is_careful(&self) -> bool {
        self.pacing.pace != Pace::Fast && !(self.pacing.hurry)()
    }

    /// `one_by_one`: the servers carry out SETSLOTs one after the other, and then large waves
    /// make clients wait longer.
    pub fn wave_size(&self, one_by_one: bool) -> WaveSize {
        match self.is_careful() {
            false => WaveSize { slots: 64, keys: 8_000, at_once: 2 },
            true if one_by_one => WaveSize { slots: 32, keys: 2_000, at_once: 2 },
            true => WaveSize { slots: 256, keys: 16_000, at_once: 2 },
        }
    }

    /// How many slots of a wave have their keys listed and carried at once.
    pub fn depth(&self) -> usize {
        if self.is_careful() { 2 } else { 6 }
    }

    /// How many keys of a slot are listed at once: all of them unless the slot is very large.
    /// The size of each is requested, and a server answers all these requests in one go.
    pub fn listed(&self) -> usize {
        if self.is_careful() { 100 } else { 500 }
    }

    pub fn limits(&self) -> Limits {
        match self.is_careful() {
            false => Limits { keys: 128, bytes: 1 << 20 },
            true => self.control().limits(),
        }
    }

    /// Waits until another batch may go.
    pub async fn turn(&self) -> Turn<'_> {
        let mut held = None;
        if self.is_careful() {
            // The semaphore is never closed; without a permit the batch goes at once.
            if let Ok(permit) = self.turns.acquire().await {
                let rest = self.control().rest();
                if !rest.is_zero() {
                    tokio::time::sleep(rest).await;
                }
                held = Some((permit, self.pacing.gate.read().await));
            }
        }
        Turn { pacer: self, held, began: Instant::now() }
    }

    /// Measures the servers' answers until dropped.
    async fn listen(&self) -> Infallible {
        let listen = async |server: &Admin| -> Infallible {
            let mut ticks = tokio::time::interval(LISTEN_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let (span, sent) = (self.pacing.span.load(Ordering::Relaxed), Instant::now());
                // A missing answer also shows in the batches, with a better error.
                if server.ping().await.is_ok() {
                    self.heard(span, sent.elapsed());
                }
            }
        };
        join_all(self.servers.iter().map(listen)).await;
        std::future::pending().await
    }

    /// An answer to a PING that was sent in `span`. One that outlasted it says nothing.
    fn heard(&self, span: u64, answered_in: Duration) {
        if self.pacing.span.load(Ordering::Relaxed) != span {
            return;
        }
        if span % 2 == 1 {
            return self.still.lock().push(answered_in);
        }
        let look = self.control().heard(answered_in);
        if let Some(look) = look {
            self.pacing.moving(look);
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock()
    }
}

impl Turn<'_> {
    /// The batch has been carried.
    pub fn done(self, keys: usize) {
        if self.held.is_some() {
            self.pacer.control().carried(keys, self.began, Instant::now());
        }
    }
}
