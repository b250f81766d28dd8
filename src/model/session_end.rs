//! What a session came to, from its operations.
//!
//! A session ends as its last operation does, with one exception: one that takes locks mostly ends
//! with a release, which a server also answers if the session never had the lock. What counts there
//! is whether it acquired its locks.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::op::{Action, LockOp, Op, Outcome};

/// How many answers an acquisition needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRules {
    /// The servers that are asked for each lock. They are the first of the load's groups.
    pub servers: usize,
    /// How many of them must grant it.
    pub quorum: usize,
    /// The locks that a session takes.
    pub take: usize,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// Its user got what it asked for: a good answer, or all its locks at once.
    pub served: bool,
    /// Of a session without its locks, that of its last try: `ok` if the answer was that somebody
    /// else has the lock. Of one that had them, the worst of its work and its end.
    pub outcome: Outcome,
}

/// Follows the sessions of one load to their ends.
#[derive(Debug)]
pub struct SessionEnds {
    /// Of a load that takes locks.
    locks: Option<LockSessions>,
}

impl SessionEnds {
    /// `rules` are those of the load's locks.
    pub fn new(rules: Option<LockRules>) -> SessionEnds {
        SessionEnds { locks: rules.map(LockSessions::new) }
    }

    /// Takes the operations of the load, each when it has ended; `None` if `op` ends no session.
    pub fn on_op(&mut self, op: &Op) -> Option<SessionEnd> {
        if let (Some(locks), Action::Lock(action)) = (&mut self.locks, &op.action) {
            return locks.on_op(op, *action);
        }
        let served = op.outcome == Outcome::Ok;
        op.ends_session().then_some(SessionEnd { served, outcome: op.outcome })
    }
}

/// The sessions of one load that have begun and not ended.
#[derive(Debug)]
struct LockSessions {
    rules: LockRules,
    open: FxHashMap<u64, Session>,
}

#[derive(Debug)]
struct Session {
    step: u32,
    part: Part,
    /// Of the operations of its current stage.
    outcomes: SmallVec<[Outcome; 3]>,
    /// Of its last try that is over, and the worst of its work.
    tried: Outcome,
    worked: Outcome,
    /// The locks that it has had.
    has: SmallVec<[u64; 2]>,
}

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Try,
    Work,
    Release,
}

impl LockSessions {
    fn new(rules: LockRules) -> LockSessions {
        LockSessions { rules, open: FxHashMap::default() }
    }

    fn on_op(&mut self, op: &Op, action: LockOp) -> Option<SessionEnd> {
        let Some(part) = op.part else {
            return Some(SessionEnd { served: false, outcome: op.outcome });
        };
        if part.last {
            let session = self.open.remove(&part.session);
            return Some(session.unwrap_or_else(Session::new).end(op, action, self.rules));
        }
        // Servers that a client no longer waits for may answer when its session has ended.
        if Part::for_action(action) == Part::Try || self.open.contains_key(&part.session) {
            let session = self.open.entry(part.session).or_insert_with(Session::new);
            session.add(op, action, self.rules.quorum);
        }
        None
    }
}

impl Session {
    fn new() -> Session {
        Session {
            step: 0,
            part: Part::Try,
            outcomes: SmallVec::new(),
            tried: Outcome::Ok,
            worked: Outcome::Ok,
            has: SmallVec::new(),
        }
    }

    fn add(&mut self, op: &Op, action: LockOp, quorum: usize) {
        let step = op.part.map_or(0, |part| part.step);
        if step < self.step {
            return;
        }
        if step > self.step {
            self.close_stage(quorum);
            self.step = step;
        }
        self.part = Part::for_action(action);
        self.outcomes.push(op.outcome);
        // A session reads the account of each lock as soon as it has that lock.
        if matches!(action, LockOp::Read { .. }) && !self.has.contains(&op.key) {
            self.has.push(op.key);
        }
    }

    fn close_stage(&mut self, quorum: usize) {
        self.outcomes.sort_by_key(|outcome| badness(*outcome));
        let decisive = quorum.min(self.outcomes.len()).checked_sub(1);
        let decisive = decisive.map(|place| self.outcomes[place]);
        self.outcomes.clear();
        match (self.part, decisive) {
            (Part::Try, Some(outcome)) => self.tried = outcome,
            (Part::Work, Some(outcome)) => self.worked = worse(self.worked, outcome),
            (Part::Release, _) | (_, None) => {}
        }
    }

    /// `op` decides how the last stage went.
    fn end(mut self, op: &Op, action: LockOp, rules: LockRules) -> SessionEnd {
        self.add(op, action, rules.quorum);
        if Part::for_action(action) == Part::Release {
            self.outcomes.clear();
        }
        self.close_stage(rules.quorum);
        let acquired = self.has.len() >= rules.take;
        let before = if acquired { self.worked } else { self.tried };
        let is_try = Part::for_action(action) == Part::Try;
        let outcome = if is_try { op.outcome } else { worse(before, op.outcome) };
        SessionEnd { served: acquired, outcome }
    }
}

impl Part {
    fn for_action(action: LockOp) -> Part {
        match action {
            LockOp::Acquire { .. } | LockOp::Wait { .. } => Part::Try,
            LockOp::Read { .. } | LockOp::Write { .. } | LockOp::Extend { .. } => Part::Work,
            LockOp::Release { .. } | LockOp::Abort { .. } => Part::Release,
        }
    }
}

fn worse(a: Outcome, b: Outcome) -> Outcome {
    if badness(b) > badness(a) { b } else { a }
}

fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Fail(_) => 1,
        Outcome::Unknown(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::op::{Cause, Part as OpPart};

    const ONE: LockRules = LockRules { servers: 1, quorum: 1, take: 1 };
    const THREE: LockRules = LockRules { servers: 3, quorum: 2, take: 1 };
    const TIMEOUT: Outcome = Outcome::Unknown(Cause::Timeout);
    const LIBRARY: Outcome = Outcome::Unknown(Cause::Library);

    fn acquire(got: Option<u64>) -> LockOp {
        LockOp::Acquire { token: 7, shared: false, got }
    }

    const READ: LockOp = LockOp::Read { token: 7, balance: None };
    const WRITE: LockOp = LockOp::Write { token: 7, balance: 1, fence: 0, taken: true };
    const RELEASE: LockOp = LockOp::Release { token: 7, held: false };

    /// Of a session with these operations: each with its stage.
    fn end(rules: LockRules, ops: &[(u32, LockOp, Outcome)]) -> SessionEnd {
        let mut sessions = LockSessions::new(rules);
        let mut ended = None;
        for (index, &(step, action, outcome)) in ops.iter().enumerate() {
            let last = index + 1 == ops.len();
            let part = OpPart { session: 1, step, began: Nanos(0), late: Nanos(0), last };
            let op = Op::new(3, Action::Lock(action), Nanos(0), Nanos(1));
            ended = sessions.on_op(&Op { part: Some(part), outcome, ..op }, action);
        }
        assert!(sessions.open.is_empty());
        ended.unwrap()
    }

    #[test]
    fn a_release_that_is_answered_is_no_success() {
        let never = [(0, acquire(None), LIBRARY), (1, RELEASE, Outcome::Ok)];
        assert_eq!(end(ONE, &never), SessionEnd { served: false, outcome: LIBRARY });
        let taken = [(0, acquire(None), Outcome::Ok), (1, acquire(None), Outcome::Ok)];
        assert_eq!(end(ONE, &taken), SessionEnd { served: false, outcome: Outcome::Ok });
        let late = [
            (0, acquire(None), TIMEOUT),
            (1, RELEASE, TIMEOUT),
            (2, acquire(Some(0)), Outcome::Ok),
            (3, READ, Outcome::Ok),
            (4, WRITE, Outcome::Ok),
            (5, RELEASE, Outcome::Ok),
        ];
        assert_eq!(end(ONE, &late), SessionEnd { served: true, outcome: Outcome::Ok });
    }

    #[test]
    fn an_account_that_cannot_be_written_is_an_error_of_a_session_that_had_its_lock() {
        let ops = [
            (0, acquire(Some(0)), Outcome::Ok),
            (1, READ, Outcome::Ok),
            (2, WRITE, TIMEOUT),
            (3, RELEASE, Outcome::Ok),
        ];
        assert_eq!(end(ONE, &ops), SessionEnd { served: true, outcome: TIMEOUT });
    }

    #[test]
    fn a_minority_of_dead_servers_changes_nothing() {
        let one_dead = [
            (0, acquire(Some(0)), Outcome::Ok),
            (0, acquire(Some(0)), Outcome::Ok),
            (1, READ, Outcome::Ok),
            (0, acquire(None), TIMEOUT),
            (2, WRITE, Outcome::Ok),
            (3, RELEASE, TIMEOUT),
            (3, RELEASE, Outcome::Ok),
            (3, RELEASE, Outcome::Ok),
        ];
        assert_eq!(end(THREE, &one_dead), SessionEnd { served: true, outcome: Outcome::Ok });
        let two_dead = [
            (0, acquire(Some(0)), Outcome::Ok),
            (0, acquire(None), TIMEOUT),
            (0, acquire(None), TIMEOUT),
            (1, RELEASE, Outcome::Ok),
        ];
        assert_eq!(end(THREE, &two_dead), SessionEnd { served: false, outcome: TIMEOUT });
    }

    #[test]
    fn who_takes_several_has_acquired_when_all_are_held() {
        let two = LockRules { take: 2, ..ONE };
        let one_of_two = [
            (0, acquire(Some(0)), Outcome::Ok),
            (1, READ, Outcome::Ok),
            (2, acquire(None), Outcome::Ok),
            (3, RELEASE, Outcome::Ok),
        ];
        assert!(!end(two, &one_of_two).served);
    }
}
