//! What was set under one key and looked at, and how it went.

use std::collections::HashMap;
use std::time::Duration;

use crate::check::checker::{Context, Fault};
use crate::check::parts::Kept;
use crate::model::Nanos;
use crate::model::op::{Action, ExpiryOp, Op, Outcome, Purpose};

/// A key has gone in time if it did so within this time of its end.
const IN_TIME: Duration = Duration::from_millis(50);
/// A role is lost before anybody sees it, and a clock moves while a step says so.
const AROUND: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Key {
    sets: Vec<Set>,
    /// By the value that was looked for.
    looks: HashMap<u64, Looks>,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    value: u64,
    lives: Duration,
    sent: Nanos,
    done: Nanos,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Default)]
struct Looks {
    /// The last one that found it was sent then.
    there: Option<Nanos>,
    /// The first one that did not find it was answered then.
    gone: Option<Nanos>,
    replica: bool,
}

/// A value that nobody else set another one in the place of, and that was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) set: Nanos,
    /// Its time is over between these.
    pub(super) ends: (Nanos, Nanos),
    /// It was there then.
    pub(super) there: Nanos,
    /// Not any more then; the end of time if nobody saw that.
    pub(super) gone_by: Nanos,
    pub(super) replica: bool,
}

/// How a value went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// A step moved its end, or may have lost it.
    Touched,
    /// It was gone so long before its end, or still there so long after it, at least; and whether it
    /// went in time, if that is known.
    Seen { early: Duration, late: Duration, in_time: Option<bool> },
}

impl Kept for Key {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Expiry(_)) && op.purpose == Purpose::Load
    }

    fn keep(&mut self, op: &Op) {
        let Action::Expiry(action) = op.action else { return };
        let (sent, done, outcome) = (op.sent, op.done, op.outcome);
        match action {
            ExpiryOp::Set { value, lives } => {
                self.sets.push(Set { value, lives: lives.elapsed(), sent, done, outcome });
            }
            ExpiryOp::Look { value, replica, found, .. } if outcome == Outcome::Ok => {
                let looks = self.looks.entry(value).or_default();
                looks.replica = replica;
                match found == Some(value) {
                    true => looks.there = looks.there.max(Some(sent)),
                    false => looks.gone = Some(looks.gone.map_or(done, |gone| gone.min(done))),
                }
            }
            ExpiryOp::Look { .. } => {}
        }
    }
}

impl Key {
    /// Those of values whose end is known.
    pub(super) fn lives(&self) -> impl Iterator<Item = Life> {
        self.sets.iter().filter(|set| set.outcome == Outcome::Ok).filter_map(|set| {
            let looks = self.looks.get(&set.value)?;
            let (there, gone_by) = (looks.there.unwrap_or(set.sent), looks.gone.unwrap_or(NEVER));
            let seen = looks.gone.unwrap_or(there);
            // Another value may have had its place, and gone too.
            let replaces = |other: &Set| {
                other.value != set.value
                    && !matches!(other.outcome, Outcome::Fail(_))
                    && other.sent <= seen
                    && other.ends_by() >= set.sent
            };
            let is_alone = !self.sets.iter().any(replaces);
            let ends = (set.sent + set.lives, set.done + set.lives);
            let life = Life { set: set.sent, ends, there, gone_by, replica: looks.replica };
            is_alone.then_some(life)
        })
    }
}

/// An instant that never comes.
const NEVER: Nanos = Nanos(u64::MAX);

impl Set {
    /// By when it has certainly no part in what is there. Of an unknown outcome it may come later.
    fn ends_by(&self) -> Nanos {
        match self.outcome {
            Outcome::Ok => self.done,
            Outcome::Fail(_) => Nanos::ZERO,
            Outcome::Unknown(_) => NEVER,
        }
    }
}

impl Life {
    pub(super) fn went(&self, context: &Context) -> Went {
        let met = |is: fn(&Fault) -> bool, until: Nanos| {
            let meets = |fault: &Fault| {
                fault.from <= until + AROUND
                    && fault.until.is_none_or(|over| over + AROUND >= self.set)
            };
            context.faults.iter().any(|fault| is(fault) && meets(fault))
        };
        if met(|fault| fault.moves_clocks, self.ends.1) {
            return Went::Touched;
        }
        let early = self.ends.0.since(self.gone_by);
        if !early.is_zero() && met(|fault| fault.loses_writes, self.gone_by) {
            return Went::Touched;
        }
        let late = self.there.since(self.ends.1);
        let is_wrong = early > IN_TIME || late > IN_TIME;
        let is_right = self.there + IN_TIME >= self.ends.1 && self.gone_by <= self.ends.0 + IN_TIME;
        let in_time = (is_wrong || is_right).then_some(is_right);
        Went::Seen { early, late, in_time }
    }

    /// When it went, from its end, in nanoseconds; halfway between what is known.
    pub(super) fn went_at(&self) -> Option<i64> {
        let gone = Some(self.gone_by).filter(|gone| *gone != NEVER)?;
        let half = |from: Nanos, to: Nanos| from.0 as i64 + to.since(from).as_nanos() as i64 / 2;
        Some(half(self.there, gone) - half(self.ends.0, self.ends.1))
    }

    /// Whether it was looked at so often that it is known when it went.
    pub(super) fn is_known_well(&self) -> bool {
        self.between().is_some_and(|between| between <= IN_TIME)
    }

    /// Between the look that found it and the one that did not.
    pub(super) fn between(&self) -> Option<Duration> {
        let gone = Some(self.gone_by).filter(|gone| *gone != NEVER)?;
        Some(gone.since(self.there))
    }
}
