//! The arithmetic of a pace, without clocks or servers.
//!
//! When the servers' answers get slow, the effort is lowered by a part; while they are quick, a
//! little is added: additive increase, multiplicative decrease, as TCP shares a link.

use std::time::{Duration, Instant};

use super::keys::Limits;
use crate::spec::step::Pace;

/// A look at the answers takes so many PINGs and judges the slowest of them, by [`SLOW_PART`]:
/// about ten times a second for two servers.
pub const JUDGED_PINGS: usize = 50;
/// A single answer may be late by chance; the slowest twentieth says more.
const SLOW_PART: usize = 20;
/// So many looks in a row at the least effort find answers too slow, and it is no chance.
const TOO_SLOW: u32 = 3;
/// Keys of a batch under a goal. With fewer keys the move is slower, because each call has a
/// cost of its own; with more it is not faster.
const FEWEST: f64 = 16.0;
const MOST: f64 = 100.0;
/// A batch if nothing is to be spared.
const LARGE: Limits = Limits { keys: 100, bytes: 1 << 20 };
/// No server carries a key in less, in seconds. On a busy machine a batch may be quicker than all
/// PINGs.
const CHEAPEST: f64 = 1e-6;
/// Timers are no finer than this. Shorter rests are added up until they are this long.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// One look at the servers' answers while slots move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub floor: Duration,
    pub goal: Duration,
    /// What the slowest twentieth of the answers took at least.
    pub slow: Duration,
    pub found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing that more or less effort would not help.
    Fine,
    /// The least effort is too much. The machine may have become slower: the floor is to be
    /// measured again.
    Doubt,
    /// It still is, over the new floor.
    Unmet,
}

/// Whether the floor is still the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    Told,
    /// It has been measured again.
    Over,
}

#[derive(Debug)]
pub struct Control {
    pace: Pace,
    /// What the slowest twentieth of PINGs takes at least while nothing moves.
    floor: Duration,
    /// The quickest PING then: the way to the server, which costs the server nothing.
    way: Duration,
    /// From [`Control::LEAST`] to 1: the part of a server's time that MIGRATEs may take.
    effort: f64,
    /// The cost of one key for the server, in seconds, with its part of the call's cost.
    key_cost: f64,
    pings: Vec<Duration>,
    /// When the last batch had been carried.
    carried: Instant,
    /// The rest that is due for batches.
    owed: Duration,
    /// Looks in a row that the least effort was too much for.
    too_slow: u32,
    doubt: Doubt,
    /// The goal is out of reach: small batches and rests would make the move longer, and spare
    /// nobody. So it goes on with large batches and no rests, until the floor is measured again.
    given_up: bool,
}

impl Control {
    /// With less, a move takes long, and clients hardly notice the difference.
    const LEAST: f64 = 0.3;

    pub fn new(pace: Pace, now: Instant) -> Control {
        Control {
            pace,
            floor: Duration::ZERO,
            way: Duration::ZERO,
            effort: 1.0,
            key_cost: 20e-6,
            pings: Vec::with_capacity(JUDGED_PINGS),
            carried: now,
            owed: Duration::ZERO,
            too_slow: 0,
            doubt: Doubt::None,
            given_up: false,
        }
    }

    pub fn goal(&self) -> Duration {
        match self.pace {
            Pace::Fast => Duration::MAX,
            Pace::P99(goal) => goal,
            Pace::Adds(adds) => self.floor + adds,
        }
    }

    /// Learns what PINGs take while nothing moves. Of several looks the slowest counts: what
    /// chance alone does to a look is nothing that moving adds.
    pub fn still(&mut self, pings: &mut [Duration]) -> Look {
        let slow = match pings.len() {
            0..JUDGED_PINGS => slow_part(pings),
            _ => pings.chunks_exact_mut(JUDGED_PINGS).map(slow_part).max().unwrap_or_default(),
        };
        self.way = pings.iter().min().copied().unwrap_or_default();
        self.floor = slow;
        self.too_slow = 0;
        if self.doubt == Doubt::Told {
            self.doubt = Doubt::Over;
        }
        self.pings.clear();
        self.given_up = slow >= self.goal();
        let found = if self.given_up { Found::Unmet } else { Found::Fine };
        Look { floor: slow, goal: self.goal(), slow, found }
    }

    /// A batch may take a quarter of the goal. A client that comes at the worst moment also
    /// waits for those queued before it, and on a busy machine a batch takes several times as
    /// long as the quickest ones, by which it is judged.
    pub fn limits(&self) -> Limits {
        if self.given_up {
            return LARGE;
        }
        let budget = self.goal().as_secs_f64() / 4.0 * self.effort.sqrt();
        let keys = (budget / self.key_cost).clamp(FEWEST, MOST) as usize;
        Limits { keys, bytes: (budget * 200e6) as u64 }
    }

    /// How long to leave the servers alone before the next batch.
    pub fn rest(&mut self) -> Duration {
        match self.owed >= SHORTEST_REST {
            true => std::mem::take(&mut self.owed),
            false => Duration::ZERO,
        }
    }

    /// Learns the cost of a key from the quickest batches. Something else delayed the slower
    /// ones, perhaps on redrill's own side, and smaller batches would only mean more of them. So
    /// would a rest for that time: the servers did not work in it.
    pub fn carried(&mut self, keys: usize, began: Instant, now: Instant) {
        // The time spent waiting for the batch before is no cost of this batch.
        let took = (now - began.max(self.carried)).saturating_sub(self.way);
        self.carried = now;
        let keys = keys.max(1) as f64;
        self.key_cost = (took.as_secs_f64() / keys).min(self.key_cost * 1.02).max(CHEAPEST);
        let cost = Duration::from_secs_f64(self.key_cost * keys).min(took);
        if !self.given_up {
            self.owed += cost.mul_f64(1.0 / self.effort - 1.0);
        }
    }

    /// Counts an answer to a PING. Every so often it is a look at all since the last one.
    pub fn heard(&mut self, answered_in: Duration) -> Option<Look> {
        self.pings.push(answered_in);
        if self.pings.len() < JUDGED_PINGS {
            return None;
        }
        let slow = slow_part(&mut self.pings);
        self.pings.clear();
        let (floor, goal) = (self.floor, self.goal());
        let found = if self.given_up { Found::Fine } else { self.judge(slow > goal) };
        if slow > goal {
            self.effort = (self.effort * 0.6).max(Control::LEAST);
        } else if slow < floor + goal.saturating_sub(floor) / 2 {
            self.effort = (self.effort + 0.1).min(1.0);
        }
        Some(Look { floor, goal, slow, found })
    }

    fn judge(&mut self, too_slow: bool) -> Found {
        if !too_slow {
            (self.too_slow, self.doubt) = (0, Doubt::None);
        } else if self.effort <= Control::LEAST {
            self.too_slow += 1;
        }
        if self.too_slow < TOO_SLOW {
            return Found::Fine;
        }
        self.too_slow = 0;
        match self.doubt {
            Doubt::None => self.doubt = Doubt::Told,
            Doubt::Told => return Found::Fine,
            Doubt::Over => {
                (self.doubt, self.given_up) = (Doubt::None, true);
                return Found::Unmet;
            }
        }
        Found::Doubt
    }
}

/// What the slowest twentieth takes at least.
fn slow_part(pings: &mut [Duration]) -> Duration {
    pings.sort_unstable();
    let at = (pings.len() - pings.len() / SLOW_PART).saturating_sub(1);
    pings.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Duration = Duration::from_millis(5);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn control_of(pace: Pace) -> Control {
        Control::new(pace, Instant::now())
    }

    fn control() -> Control {
        control_of(Pace::P99(GOAL))
    }

    fn hear(control: &mut Control, answered_in: Duration, times: usize) -> Vec<Found> {
        let mut hear = |_| control.heard(answered_in).map(|look| look.found);
        (0..times * JUDGED_PINGS).filter_map(&mut hear).collect()
    }

    /// Carries a batch directly after the one before.
    fn carry(control: &mut Control, took: Duration) {
        let began = control.carried;
        control.carried(10, began, began + took);
    }

    /// The rest after a batch of a millisecond.
    fn rest(control: &mut Control) -> Duration {
        let began = control.carried;
        control.carried(50, began, began + ms(1));
        control.rest()
    }

    #[test]
    fn slow_answers_make_batches_smaller_and_rests_longer() {
        let mut control = control();
        hear(&mut control, Duration::from_micros(200), 50);
        let (quick, quick_rest) = (control.limits(), rest(&mut control));
        hear(&mut control, Duration::from_millis(6), 10);
        let (slow, slow_rest) = (control.limits(), rest(&mut control));
        assert!(
            slow.keys * 3 < quick.keys * 2 && slow.bytes * 3 < quick.bytes * 2,
            "{quick:?} {slow:?}"
        );
        assert!(slow_rest > ms(2) && quick_rest.is_zero(), "{quick_rest:?} {slow_rest:?}");
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
            control.heard(ms(if n % 25 == 0 { 50 } else { 1 }));
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
        let before = carry(200);
        assert!(carry(20_000) * 11 > before * 10);
    }

    #[test]
    fn a_late_batch_earns_no_rest_for_the_time_in_which_nobody_worked() {
        let mut control = Control { effort: 0.5, ..control() };
        carry(&mut control, Duration::from_micros(100));
        carry(&mut control, ms(20));
        assert!(control.owed < Duration::from_micros(300), "{control:?}");
    }

    #[test]
    fn the_way_to_a_server_is_no_cost_of_keys() {
        let [mut near, mut far] = [control(), control()];
        near.still(&mut [Duration::ZERO; JUDGED_PINGS]);
        far.still(&mut [ms(8); JUDGED_PINGS]);
        carry(&mut near, Duration::from_micros(100));
        carry(&mut far, Duration::from_micros(8_100));
        assert!((near.key_cost - far.key_cost).abs() < 1e-9, "{near:?} {far:?}");
        // Quicker than any PING was: keys still cost something, and may cost more again.
        carry(&mut far, ms(1));
        let least = far.key_cost;
        carry(&mut far, ms(9));
        assert!(far.key_cost > least && least > 0.0, "{far:?}");
    }

    #[test]
    fn what_moving_may_add_stands_on_the_floor() {
        let mut control = control_of(Pace::Adds(ms(2)));
        assert_eq!(control.still(&mut [ms(7); JUDGED_PINGS]).found, Found::Fine);
        assert_eq!(control.goal(), ms(9));
        // Slow as the servers are, this is not what moving does.
        assert_eq!(hear(&mut control, Duration::from_micros(8_500), 20), [Found::Fine; 20]);
        assert_eq!(control.effort, 1.0);
        hear(&mut control, Duration::from_micros(9_500), 1);
        assert!(control.effort < 1.0);
        hear(&mut control, Duration::from_micros(7_500), 10);
        assert_eq!(control.effort, 1.0);
    }

    #[test]
    fn chance_is_a_part_of_the_floor() {
        let mut control = control_of(Pace::Adds(ms(2)));
        let mut pings = [[ms(1); JUDGED_PINGS], [ms(4); JUDGED_PINGS], [ms(2); JUDGED_PINGS]];
        assert_eq!(control.still(pings.as_flattened_mut()).floor, ms(4));
        // Too few for a look are looked at together.
        assert_eq!(control.still(&mut [ms(3); 5]).floor, ms(3));
        assert_eq!(control.still(&mut []).floor, Duration::ZERO);
    }

    #[test]
    fn a_goal_below_the_floor_is_out_of_reach_at_once() {
        let mut control = control();
        assert_eq!(control.still(&mut [ms(4); JUDGED_PINGS]).found, Found::Fine);
        assert_eq!(control.still(&mut [ms(7); JUDGED_PINGS]).found, Found::Unmet);
        // Small batches would only mean more of them, each as late as a large one.
        hear(&mut control, ms(8), 20);
        assert_eq!(control.limits(), LARGE);
        carry(&mut control, ms(20));
        assert_eq!(control.owed, Duration::ZERO);
        // The neighbours have gone.
        assert_eq!(control.still(&mut [ms(1); JUDGED_PINGS]).found, Found::Fine);
        carry(&mut control, ms(20));
        assert!(control.limits() != LARGE && !control.owed.is_zero(), "{control:?}");
    }

    #[test]
    fn a_goal_out_of_reach_is_doubted_first_and_then_told() {
        let mut control = control_of(Pace::Adds(ms(2)));
        control.still(&mut [ms(1); JUDGED_PINGS]);
        let falling = hear(&mut control, ms(6), 3);
        assert_eq!((falling, control.effort), (vec![Found::Fine; 3], Control::LEAST));
        assert_eq!(hear(&mut control, ms(6), 3), [Found::Fine, Found::Fine, Found::Doubt]);
        // The machine has become slower: that is no fault of the pace.
        control.still(&mut [ms(5); JUDGED_PINGS]);
        assert_eq!(hear(&mut control, ms(6), 9), [Found::Fine; 9]);
        let doubted = hear(&mut control, ms(9), 9);
        assert_eq!(doubted[..3], [Found::Fine, Found::Fine, Found::Doubt]);
        assert_eq!(doubted[3..], [Found::Fine; 6], "it is told once");
        control.still(&mut [ms(5); JUDGED_PINGS]);
        assert_eq!(hear(&mut control, ms(9), 3), [Found::Fine, Found::Fine, Found::Unmet]);
        assert_eq!((control.limits(), rest(&mut control)), (LARGE, Duration::ZERO));
        assert_eq!(hear(&mut control, ms(9), 20), [Found::Fine; 20], "it is told once");
    }

    #[test]
    fn waiting_behind_another_batch_costs_nothing() {
        let mut control = control();
        let began = Instant::now();
        let after = |us| began + Duration::from_micros(us);
        control.carried(10, began, after(200));
        let alone = control.key_cost;
        control.carried(10, began, after(400));
        assert!((control.key_cost - alone).abs() < 1e-9);
    }
}
