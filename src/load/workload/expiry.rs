//! Keys that are there for a time only: a session sets one, and looks at it around its end, until it
//! is gone.
//!
//! The server counts the time of a key from when it sets it (SET PX). So its end is known by redrill's
//! own clock: no sooner than that long after the order was sent, and no later than that long after its
//! answer came. Clocks of servers have no part in that unless they jump.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Value;
use smallvec::smallvec;

use super::session::{Draw, Next, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue, done, element, of};
use crate::model::Nanos;
use crate::model::op::{Action, ExpiryOp, Op, Outcome};
use crate::spec::expiry;

/// From so long before a key's end on it is looked at often.
const BEFORE: Duration = Duration::from_millis(20);
/// Until so long after it.
const OFTEN: Duration = Duration::from_millis(300);
/// Then seldom, until so long after it.
const SELDOM: Duration = Duration::from_millis(50);
const GIVE_UP: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Expiry(pub(super) expiry::Expiry);

impl Expiry {
    /// How long a key that is set now is there.
    fn lives(&self, drawn: Duration) -> Duration {
        let Some(period) = Some(self.0.together).filter(|period| !period.is_zero()) else {
            return drawn;
        };
        // All instances have the same instants.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let periods = (now + drawn).as_nanos().div_ceil(period.as_nanos());
        let end = Duration::from_nanos((periods * period.as_nanos()) as u64);
        end.saturating_sub(now)
    }

    /// By chance, and always the same of one value.
    fn is_drawn(value: u64, salt: u64, share: f64) -> bool {
        let mixed = (value ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    fn look(key: u64, value: u64, ends: Nanos, replica: bool) -> Stage {
        smallvec![Plan::bare(
            key,
            Action::Expiry(ExpiryOp::Look { value, ends, replica, found: None })
        )]
    }

    /// How long to wait after an answer at `now` until the next look at a key that ends then; none if
    /// there are enough.
    fn next_look(&self, now: Nanos, ends: Nanos) -> Option<Duration> {
        if now + BEFORE < ends {
            // Once on its way, to see a key that goes far too soon, and then before its end.
            let left = (ends - BEFORE).since(now);
            return Some(if left > 4 * BEFORE { left / 2 } else { left });
        }
        match now.since(ends) {
            late if late < OFTEN => Some(self.0.every),
            late if late < GIVE_UP => Some(SELDOM),
            _ => None,
        }
    }
}

impl Sessions for Expiry {
    /// Keys take turns, so that each is gone before it is set again, if there are enough.
    fn begin(&self, _: u64, _: bool, draw: &mut Draw) -> Stage {
        let (shortest, longest) = self.0.lives;
        let more = longest.saturating_sub(shortest).as_nanos() as u64;
        let lives = shortest + Duration::from_nanos(draw.below(more + 1));
        let (value, size) = (draw.number(), draw.size());
        // Servers count in milliseconds.
        let lives = Nanos(lives.as_millis() as u64 * 1_000_000);
        let set = Action::Expiry(ExpiryOp::Set { value, lives });
        smallvec![Plan { size, ..Plan::bare(value % draw.filled.max(1), set) }]
    }

    fn complete(&mut self, mut plan: Plan) -> Plan {
        if let Action::Expiry(ExpiryOp::Set { lives, .. }) = &mut plan.action {
            let millis = self.lives(lives.elapsed()).as_millis().max(1) as u64;
            *lives = Nanos(millis * 1_000_000);
        }
        plan
    }

    fn last(&self) -> Action {
        Action::Expiry(ExpiryOp::Look { value: 0, ends: Nanos::ZERO, replica: false, found: None })
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Expiry(ExpiryOp::Set { value, lives }) => {
                let text = values.text(value, plan.size);
                let millis = lives.elapsed().as_millis() as u64;
                let set = redis::cmd("SET").arg(key).arg(text).arg("PX").arg(millis).take();
                (set.into(), done)
            }
            Action::Expiry(ExpiryOp::Look { replica: true, .. }) => {
                (Commands::OfReplica(of("GET", key)), found)
            }
            _ => (of("GET", key).into(), found),
        }
    }

    fn then(&self, ended: &[Op], _: u32) -> Option<Next> {
        let [op] = ended else { return None };
        let is_ok = op.outcome == Outcome::Ok;
        let Action::Expiry(action) = op.action else { return None };
        let (value, ends, replica) = match action {
            ExpiryOp::Set { value, lives } => {
                let replica = Expiry::is_drawn(value, 2, self.0.replicas);
                let is_looked_at = is_ok && Expiry::is_drawn(value, 1, self.0.looked);
                (value, is_looked_at.then_some(op.done + lives.elapsed())?, replica)
            }
            // It is gone, or another one has its place.
            ExpiryOp::Look { value, found, .. } if is_ok && found != Some(value) => return None,
            ExpiryOp::Look { value, ends, replica, .. } => (value, ends, replica),
        };
        // Who gets no answer need not ask soon again.
        let least = if is_ok { Duration::ZERO } else { SELDOM };
        let after = self.next_look(op.done, ends)?.max(least);
        Some(Next { stage: Expiry::look(op.key, value, ends, replica), after })
    }
}

fn found(value: &Value) -> Option<ReplyValue> {
    element(value).map(ReplyValue::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Duration = Duration::from_secs(3);

    fn expiry(together: Duration) -> Expiry {
        let every = Duration::from_millis(5);
        Expiry(expiry::Expiry {
            lives: (LIVES, LIVES),
            together,
            looked: 1.0,
            replicas: 0.0,
            every,
        })
    }

    #[test]
    fn a_key_is_looked_at_often_around_its_end_and_not_for_ever() {
        let (sessions, mut now) = (expiry(Duration::ZERO), Nanos::ZERO);
        let ends = Nanos::ZERO + LIVES;
        let mut looks = Vec::new();
        while let Some(after) = sessions.next_look(now, ends) {
            now = now + after;
            looks.push(now);
        }
        let within =
            |from: Nanos, to: Nanos| looks.iter().filter(|at| (from..=to).contains(at)).count();
        assert!(within(Nanos::ZERO, ends - BEFORE - Duration::from_nanos(1)) >= 2);
        assert!(within(ends - BEFORE, ends + BEFORE) >= 8, "{looks:?}");
        assert!(looks.len() < 120, "{}", looks.len());
        assert!(now >= ends + GIVE_UP);
    }

    #[test]
    fn keys_that_end_together_have_one_instant() {
        let second = Duration::from_secs(1);
        let sessions = expiry(2 * second);
        let end = |drawn| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            (now + sessions.lives(drawn)).as_millis()
        };
        for drawn in [second, 3 * second] {
            let off = end(drawn) % 2_000;
            assert!(off <= 20 || off >= 1_999, "{off}");
        }
        assert_eq!(expiry(Duration::ZERO).lives(second), second);
    }

    #[test]
    fn a_share_is_drawn() {
        let drawn = (0..10_000).filter(|value| Expiry::is_drawn(*value, 1, 0.1)).count();
        assert!((900..1_100).contains(&drawn), "{drawn}");
        assert!((0..100).all(|value| Expiry::is_drawn(value, 1, 1.0)));
        assert!(!(0..100).any(|value| Expiry::is_drawn(value, 2, 0.0)));
    }
}
