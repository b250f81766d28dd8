//! How fast slots may move.
//!
//! A server serves nobody while it carries keys away, and hardly anybody while
//! another pours keys into it. So a pace that spares clients sends small
//! MIGRATEs one at a time, with gaps between them, and listens on connections
//! of its own to how long the servers take to answer a PING. When they get
//! slow it halves its effort, while they are quick it adds a little: additive
//! increase, multiplicative decrease, as TCP shares a link.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::keys::Limits;
use crate::node::Admin;
use crate::spec::scenario::Pace;

/// PINGs of one server follow each other by this.
const LISTEN_EVERY: Duration = Duration::from_millis(4);
/// Effort is judged anew this often, by the slowest PING since the last time.
const JUDGE_EVERY: Duration = Duration::from_millis(20);

/// Slots opened together, so that servers save their tables once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct WaveSize {
    pub slots: usize,
    /// A wave is closed earlier when its slots have so many keys: an
    /// interrupted move has to finish the waves that it has begun.
    pub keys: u64,
    /// Waves in flight: while one is being closed the next one's keys move.
    pub at_once: usize,
}

/// One source's pace, shared by all that carries keys away from it.
pub struct Pacer<'a> {
    /// `None` is as fast as it goes.
    goal: Option<Duration>,
    /// Says when there is no time for a goal any more.
    hurry: &'a (dyn Fn() -> bool + Sync),
    control: Mutex<Control>,
    turns: Semaphore,
}

/// The right to carry one batch away.
pub struct Turn<'a> {
    pacer: &'a Pacer<'a>,
    _permit: Option<SemaphorePermit<'a>>,
    began: Instant,
}

impl<'a> Pacer<'a> {
    pub fn new(pace: Pace, hurry: &'a (dyn Fn() -> bool + Sync)) -> Pacer<'a> {
        let goal = match pace {
            Pace::Fast => None,
            Pace::P99(goal) => Some(goal),
        };
        let control = Control::new(goal.unwrap_or(Duration::MAX), Instant::now());
        Pacer { goal, hurry, control: Mutex::new(control), turns: Semaphore::new(1) }
    }

    fn goal(&self) -> Option<Duration> {
        self.goal.filter(|_| !(self.hurry)())
    }

    pub fn wave_size(&self) -> WaveSize {
        match self.goal() {
            None => WaveSize { slots: 64, keys: 8_000, at_once: 2 },
            Some(_) => WaveSize { slots: 32, keys: 2_000, at_once: 2 },
        }
    }

    /// MIGRATEs sent before the first is answered.
    pub fn depth(&self) -> usize {
        if self.goal().is_some() { 1 } else { 4 }
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
            return Turn { pacer: self, _permit: None, began: Instant::now() };
        }
        // The semaphore is never closed; without a permit the batch goes at once.
        let permit = self.turns.acquire().await.ok();
        let due = self.control().next;
        tokio::time::sleep_until(due.into()).await;
        Turn { pacer: self, _permit: permit, began: Instant::now() }
    }

    /// Listens to servers until dropped.
    pub async fn listen(&self, servers: Vec<Admin>) -> Infallible {
        if self.goal.is_none() {
            return std::future::pending().await;
        }
        let listen = async |server: Admin| -> Infallible {
            let mut ticks = tokio::time::interval(LISTEN_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let intended = ticks.tick().await;
                // No answer at all shows in the batches, too, which say so better.
                if server.ping().await.is_ok() {
                    self.control().heard(intended.elapsed(), Instant::now());
                }
            }
        };
        join_all(servers.into_iter().map(listen)).await;
        std::future::pending().await
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        super::lock(&self.control)
    }
}

impl Turn<'_> {
    /// The batch has been carried.
    pub fn done(self, keys: usize) {
        if self.pacer.goal.is_some() {
            let now = Instant::now();
            self.pacer.control().carried(keys, now - self.began, now);
        }
    }
}

/// The arithmetic of a pace, without clocks or servers.
#[derive(Debug)]
struct Control {
    goal: Duration,
    /// From [`Control::LEAST`] to 1: the part of what the goal allows that is being used.
    effort: f64,
    /// What one key costs, in seconds, call overhead included; a moving average.
    key_cost: f64,
    /// The slowest PING since effort was last judged.
    slowest: Duration,
    judged: Instant,
    /// No batch goes before this.
    next: Instant,
}

impl Control {
    /// Even under a load that is slow by itself the slots get there in the end.
    const LEAST: f64 = 0.1;

    fn new(goal: Duration, now: Instant) -> Control {
        let slowest = Duration::ZERO;
        Control { goal, effort: 0.4, key_cost: 20e-6, slowest, judged: now, next: now }
    }

    /// A tenth of the goal at most is spent in one go: a client that comes at
    /// the worst moment waits for the batch and for those who queued before it.
    fn limits(&self) -> Limits {
        let budget = self.goal.as_secs_f64() / 10.0 * self.effort;
        let keys = (budget / self.key_cost).clamp(1.0, 100.0) as usize;
        Limits { keys, bytes: (budget * 200e6) as u64 }
    }

    fn carried(&mut self, keys: usize, took: Duration, now: Instant) {
        let cost = took.as_secs_f64() / keys.max(1) as f64;
        self.key_cost += (cost - self.key_cost) * 0.1;
        let busy_part = 0.15 + 0.6 * self.effort;
        self.next = now + took.mul_f64((1.0 - busy_part) / busy_part);
    }

    fn heard(&mut self, answered_in: Duration, now: Instant) {
        self.slowest = self.slowest.max(answered_in);
        if now - self.judged < JUDGE_EVERY {
            return;
        }
        if self.slowest > self.goal / 2 {
            self.effort = (self.effort / 2.0).max(Control::LEAST);
        } else if self.slowest < self.goal / 4 {
            self.effort = (self.effort + 0.05).min(1.0);
        }
        self.slowest = Duration::ZERO;
        self.judged = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Duration = Duration::from_millis(5);

    fn hear(control: &mut Control, answered_in: Duration, times: u32) {
        for _ in 0..times {
            let now = control.judged + JUDGE_EVERY;
            control.heard(answered_in, now);
        }
    }

    #[test]
    fn slow_answers_make_batches_smaller_and_gaps_longer() {
        let mut control = Control::new(GOAL, Instant::now());
        hear(&mut control, Duration::from_micros(200), 50);
        let (quick, now) = (control.limits(), control.judged);
        control.carried(10, Duration::from_micros(200), now);
        let quick_gap = control.next - now;
        hear(&mut control, Duration::from_millis(3), 10);
        let (slow, now) = (control.limits(), control.judged);
        control.carried(10, Duration::from_micros(200), now);
        let slow_gap = control.next - now;
        assert!(slow.keys * 5 < quick.keys && slow.bytes * 5 < quick.bytes, "{quick:?} {slow:?}");
        assert!(slow_gap > quick_gap * 5, "{quick_gap:?} {slow_gap:?}");
        assert!(slow.keys >= 1);
    }

    #[test]
    fn effort_recovers_bit_by_bit() {
        let mut control = Control::new(GOAL, Instant::now());
        hear(&mut control, Duration::from_millis(20), 10);
        let least = control.effort;
        hear(&mut control, Duration::from_micros(100), 1);
        assert!(control.effort > least && control.effort < least * 2.0);
        hear(&mut control, Duration::from_micros(100), 100);
        assert_eq!(control.effort, 1.0);
    }

    #[test]
    fn costly_keys_make_smaller_batches() {
        let mut control = Control::new(GOAL, Instant::now());
        let before = control.limits().keys;
        for _ in 0..100 {
            control.carried(10, Duration::from_millis(2), Instant::now());
        }
        assert!(control.limits().keys < before);
    }
}
