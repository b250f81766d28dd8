//! How fast slots may move.
//!
//! A server serves nobody while it carries keys away, and hardly anybody while another pours
//! keys into it. So a pace that spares clients sends small MIGRATEs, each short enough to wait
//! for. It measures on separate connections how long the servers take to answer a PING. When
//! they get slow, it lowers its effort by a part; while they are quick, it adds a little:
//! additive increase, multiplicative decrease, as TCP shares a link.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::keys::Limits;
use crate::node::Admin;
use crate::spec::step::Pace;

/// The time between two PINGs to one server.
const LISTEN_EVERY: Duration = Duration::from_millis(4);
/// Effort is adjusted after so many PINGs, by [`SLOW_PART`] of them: about ten times a second
/// for two servers.
const JUDGED_PINGS: usize = 50;
/// A single answer may be late by chance; the slowest twentieth says more.
const SLOW_PART: usize = 20;
/// Keys of a batch under a goal. With fewer keys the move is slower, because each call has a
/// cost of its own; with more it is not faster.
const FEWEST: f64 = 16.0;
const MOST: f64 = 100.0;
/// Timers are no finer than this. Shorter rests are added up until they are this long.
const SHORTEST_REST: Duration = Duration::from_millis(1);

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

/// The pace of one source, shared by everything that carries its keys away.
pub struct Pacer<'a> {
    /// `None` is as fast as possible.
    goal: Option<Duration>,
    /// Whether there is no time for a goal any more.
    hurry: &'a (dyn Fn() -> bool + Sync),
    control: Mutex<Control>,
    turns: Semaphore,
}

/// The right to carry one batch away.
pub struct Turn<'a> {
    pacer: &'a Pacer<'a>,
    permit: Option<SemaphorePermit<'a>>,
    began: Instant,
}

impl<'a> Pacer<'a> {
    pub fn new(pace: Pace, hurry: &'a (dyn Fn() -> bool + Sync)) -> Pacer<'a> {
        let goal = match pace {
            Pace::Fast => None,
            Pace::P99(goal) => Some(goal),
        };
        let control = Control::new(goal.unwrap_or_default(), Instant::now());
        Pacer { goal, hurry, control: Mutex::new(control), turns: Semaphore::new(1) }
    }

    fn goal(&self) -> Option<Duration> {
        self.goal.filter(|_| !(self.hurry)())
    }

    /// `one_by_one`: the servers carry out SETSLOTs one after the other, and then large waves
    /// make clients wait longer.
    pub fn wave_size(&self, one_by_one: bool) -> WaveSize {
        match self.goal() {
            None => WaveSize { slots: 64, keys: 8_000, at_once: 2 },
            Some(_) if one_by_one => WaveSize { slots: 32, keys: 2_000, at_once: 2 },
            Some(_) => WaveSize { slots: 256, keys: 16_000, at_once: 2 },
        }
    }

    /// How many slots of a wave have their keys listed and carried at once.
    pub fn depth(&self) -> usize {
        if self.goal().is_some() { 2 } else { 6 }
    }

    /// How many keys of a slot are listed at once: all of them unless the slot is very large.
    /// The size of each is requested, and a server answers all these requests in one go.
    pub fn listed(&self) -> usize {
        if self.goal().is_some() { 100 } else { 500 }
    }

    pub fn limits(&self) -> Limits {
        match self.goal() {
            None => Limits { keys: 128, bytes: 1 << 20 },
            Some(_) => self.control().limits(),
        }
    }

    /// Waits until another batch may go.
    pub async fn turn(&self) -> Turn<'_> {
        if self.goal().is_none() {
            return Turn { pacer: self, permit: None, began: Instant::now() };
        }
        // The semaphore is never closed; without a permit the batch goes at once.
        let permit = self.turns.acquire().await.ok();
        let rest = self.control().rest();
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        Turn { pacer: self, permit, began: Instant::now() }
    }

    /// Measures the servers' answers until dropped.
    pub async fn listen(&self, servers: Vec<Admin>) -> Infallible {
        if self.goal.is_none() {
            return std::future::pending().await;
        }
        let listen = async |server: Admin| -> Infallible {
            let mut ticks = tokio::time::interval(LISTEN_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let intended = ticks.tick().await;
                // A missing answer also shows in the batches, with a better error.
                if server.ping().await.is_ok() {
                    self.control().heard(intended.elapsed());
                }
            }
        };
        join_all(servers.into_iter().map(listen)).await;
        std::future::pending().await
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock()
    }
}

impl Turn<'_> {
    /// The batch has been carried.
    pub fn done(self, keys: usize) {
        if self.permit.is_some() {
            self.pacer.control().carried(keys, self.began, Instant::now());
        }
    }
}

/// The arithmetic of a pace, without clocks or servers.
#[derive(Debug)]
struct Control {
    goal: Duration,
    /// From [`Control::LEAST`] to 1: the part of a server's time that MIGRATEs may take.
    effort: f64,
    /// The cost of one key for the server, in seconds, with its part of the call's cost.
    key_cost: f64,
    pings: Vec<Duration>,
    /// When the last batch had been carried.
    carried: Instant,
    /// The rest that is due for the time that batches took.
    owed: Duration,
}

impl Control {
    /// Even under a load that is slow by itself, the slots arrive in the end.
    const LEAST: f64 = 0.2;

    fn new(goal: Duration, now: Instant) -> Control {
        let pings = Vec::with_capacity(JUDGED_PINGS);
        Control { goal, effort: 1.0, key_cost: 20e-6, pings, carried: now, owed: Duration::ZERO }
    }

    /// A batch may take at most a sixteenth of the goal. A client that comes at the worst
    /// moment also waits for those queued before it, and on a busy machine a batch takes
    /// several times as long as the quickest ones, by which it is judged.
    fn limits(&self) -> Limits {
        let budget = self.goal.as_secs_f64() / 16.0 * self.effort.sqrt();
        let keys = (budget / self.key_cost).clamp(FEWEST, MOST) as usize;
        Limits { keys, bytes: (budget * 200e6) as u64 }
    }

    /// How long to leave the servers alone before the next batch.
    fn rest(&mut self) -> Duration {
        match self.owed >= SHORTEST_REST {
            true => std::mem::take(&mut self.owed),
            false => Duration::ZERO,
        }
    }

    /// Learns the cost of a key from the quickest batches. Something else delayed the slower
    /// ones, perhaps on redrill's own side, and smaller batches would only mean more of them.
    fn carried(&mut self, keys: usize, began: Instant, now: Instant) {
        // The time spent waiting for the batch before is no cost of this batch.
        let took = now - began.max(self.carried);
        self.carried = now;
        let cost = took.as_secs_f64() / keys.max(1) as f64;
        self.key_cost = cost.min(self.key_cost * 1.02);
        self.owed += took.mul_f64(1.0 / self.effort - 1.0);
    }

    fn heard(&mut self, answered_in: Duration) {
        self.pings.push(answered_in);
        if self.pings.len() < JUDGED_PINGS {
            return;
        }
        self.pings.sort_unstable();
        let slow = self.pings[JUDGED_PINGS - 1 - JUDGED_PINGS / SLOW_PART];
        if slow > self.goal {
            self.effort = (self.effort * 0.6).max(Control::LEAST);
        } else if slow < self.goal / 2 {
            self.effort = (self.effort + 0.1).min(1.0);
        }
        self.pings.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Duration = Duration::from_millis(5);

    /// A control for servers where keys are cheap, so that their number has room to change.
    fn control() -> Control {
        Control { key_cost: 4e-6, ..Control::new(GOAL, Instant::now()) }
    }

    fn hear(control: &mut Control, answered_in: Duration, times: usize) {
        for _ in 0..times * JUDGED_PINGS {
            control.heard(answered_in);
        }
    }

    /// Carries a batch directly after the one before.
    fn carry(control: &mut Control, took: Duration) {
        let began = control.carried;
        control.carried(10, began, began + took);
    }

    /// The rest after a batch of a millisecond.
    fn rest(control: &mut Control) -> Duration {
        carry(control, Duration::from_millis(1));
        control.rest()
    }

    #[test]
    fn slow_answers_make_batches_smaller_and_rests_longer() {
        let mut control = control();
        hear(&mut control, Duration::from_micros(200), 50);
        let (quick, quick_rest) = (control.limits(), rest(&mut control));
        hear(&mut control, Duration::from_millis(6), 10);
        let (slow, slow_rest) = (control.limits(), rest(&mut control));
        assert!(slow.keys * 2 < quick.keys && slow.bytes * 2 < quick.bytes, "{quick:?} {slow:?}");
        assert!(
            slow_rest > Duration::from_millis(3) && quick_rest.is_zero(),
            "{quick_rest:?} {slow_rest:?}"
        );
        assert!(slow.keys >= 1);
    }

    #[test]
    fn short_batches_save_their_rest_up() {
        let mut control = Control { effort: 0.5, ..control() };
        let mut rests = Vec::new();
        for _ in 0..40 {
            carry(&mut control, Duration::from_micros(100));
            rests.push(control.rest());
        }
        // At half the effort, rest and work are equal.
        let sum: Duration = rests.iter().sum();
        assert!(
            sum >= Duration::from_micros(2_900) && sum <= Duration::from_micros(4_001),
            "{sum:?}"
        );
        assert!(rests.iter().all(|rest| rest.is_zero() || *rest >= SHORTEST_REST));
    }

    #[test]
    fn a_few_late_answers_change_nothing() {
        let mut control = control();
        hear(&mut control, Duration::from_micros(200), 50);
        for n in 0..JUDGED_PINGS {
            control.heard(Duration::from_millis(if n % 25 == 0 { 50 } else { 1 }));
        }
        assert_eq!(control.effort, 1.0);
    }

    #[test]
    fn effort_recovers_bit_by_bit() {
        let mut control = control();
        hear(&mut control, Duration::from_millis(20), 10);
        assert_eq!(control.effort, Control::LEAST);
        hear(&mut control, Duration::from_micros(100), 1);
        assert!(control.effort > Control::LEAST && control.effort < Control::LEAST * 2.0);
        hear(&mut control, Duration::from_micros(100), 20);
        assert_eq!(control.effort, 1.0);
    }

    #[test]
    fn costly_keys_make_smaller_batches() {
        let mut control = control();
        let (before, mut now) = (control.limits().keys, Instant::now());
        for _ in 0..200 {
            let began = now;
            now += Duration::from_millis(2);
            control.carried(50, began, now);
        }
        assert!(control.limits().keys < before);
    }

    #[test]
    fn a_late_batch_does_not_make_the_next_ones_small() {
        let mut control = control();
        let mut now = Instant::now();
        let mut carry = |took| {
            let began = now;
            now += Duration::from_micros(took);
            control.carried(10, began, now);
            control.limits().keys
        };
        let before = carry(100);
        assert!(carry(20_000) * 11 > before * 10);
    }

    #[test]
    fn waiting_behind_another_batch_costs_nothing() {
        let mut control = Control::new(GOAL, Instant::now());
        let began = Instant::now();
        let after = |us| began + Duration::from_micros(us);
        control.carried(10, began, after(200));
        let alone = control.key_cost;
        control.carried(10, began, after(400));
        assert!((control.key_cost - alone).abs() < 1e-9);
    }
}
