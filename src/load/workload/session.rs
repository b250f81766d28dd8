//! The seam behind which workloads stand: what a session is, and who decides how it goes on.
//!
//! Every value that a load writes, adds or puts in is one that it never wrote before, so
//! whoever meets a value knows which operation it came from.

use std::fmt::Debug;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use smallvec::{SmallVec, smallvec};

use super::keys::Keys;
use crate::load::client::{Commands, Read, ReplyValue};
use crate::model::op::{Action, Cause, Op, Outcome};
use crate::spec::scenario::Keyspace;

/// One operation, before it is known how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) key: u64,
    /// On which of the load's groups, from 0.
    pub(crate) group: u8,
    pub(crate) action: Action,
    /// The written value's size in bytes; 0 if none is.
    pub(crate) size: usize,
    /// Of an element that came out of a stream: its id there.
    pub(crate) entry: Option<String>,
    /// For how long whoever carries it out may try, if it can wait.
    pub(crate) patience: Duration,
    /// The other keys that the session is to come to, in its order.
    pub(crate) then: Box<[u64]>,
}

impl Plan {
    /// On the first group, of an action that brings no value along.
    pub(crate) fn bare(key: u64, action: Action) -> Plan {
        let (patience, then) = (Duration::ZERO, Box::default());
        Plan { key, group: 0, action, size: 0, entry: None, patience, then }
    }
}

/// What one client does at once: mostly one operation. Of several, each is on a group of its own.
pub(crate) type Stage = SmallVec<[Plan; 1]>;

/// What the clients of one workload do, and what they remember.
pub(crate) trait Sessions: Debug {
    /// The first operations of a session on `key`; they change nothing if it `reads`.
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage;

    /// What is done on a key of each group before the load, if something is. `value` is the
    /// first of its own.
    fn fill(&self, _value: u64) -> Option<Action> {
        None
    }

    /// What reads the final state of a key in each group. Asked for twice, it is the same.
    fn last(&self) -> Action;

    /// The operation as it is sent, and what reads its answer.
    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read);

    /// Whether what the operation changes is to reach replicas, if the load waits for them.
    fn waits(&self, _plan: &Plan) -> bool {
        true
    }

    /// Whether it is known how the session goes on, by those of `of` operations of a stage that
    /// have ended. The others end by themselves.
    fn enough(&self, ended: &[Op], of: usize) -> bool {
        ended.len() == of
    }

    /// Which of the operations of its last stage says how the session went: the one that went worst,
    /// or else ended last. `ended` are in the order in which they ended.
    fn decisive(&self, ended: &[Op]) -> Option<usize> {
        (0..ended.len()).max_by_key(|place| badness(&ended[*place]))
    }

    /// `plan` with what only clients can know by now. They hear here what is about to be sent.
    fn complete(&mut self, plan: Plan) -> Plan {
        plan
    }

    /// Hears of an operation that ended ok.
    fn learn(&mut self, _op: &Op, _told: &ReplyValue) {}

    /// What the same client does after the operations of stage number `step` of its session,
    /// from 0; none if the session has ended.
    fn then(&self, _ended: &[Op], _step: u32) -> Option<Next> {
        None
    }
}

/// How badly it went: ok, failed, or of unknown outcome.
pub(super) fn badness(op: &Op) -> u8 {
    match op.outcome {
        Outcome::Ok => 0,
        Outcome::Fail(_) => 1,
        Outcome::Unknown(_) => 2,
    }
}

/// How a session goes on.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) stage: Stage,
    /// How long after the stage before.
    pub(crate) after: Duration,
}

/// How often a session tries again where somebody else was quicker.
pub(super) const TRIES: u32 = 100;

/// Where somebody else was quicker, nothing was done, and a user would try again.
pub(super) fn again(op: &Op, step: u32) -> Option<Next> {
    let again = op.outcome == Outcome::Fail(Cause::Conflict) && step < TRIES;
    let stage = || smallvec![Plan::bare(op.key, op.action.clone())];
    again.then(|| Next { stage: stage(), after: Duration::ZERO })
}

/// What a session is given by chance.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) keys: Keys,
    pub(super) size: (usize, usize),
    pub(super) keyspace: Keyspace,
    /// Filling writes 1 to this.
    pub(super) filled: u64,
    /// Values drawn so far.
    pub(super) drawn: u64,
}

impl Draw {
    /// The read, if there is one, or else a write on `key` with a new value.
    pub(super) fn one(
        &mut self,
        key: u64,
        read: Option<Action>,
        write: impl FnOnce(u64) -> Action,
    ) -> Stage {
        if let Some(read) = read {
            return smallvec![Plan::bare(key, read)];
        }
        let value = self.number();
        smallvec![Plan { size: self.size(), ..Plan::bare(key, write(value)) }]
    }

    /// The key of a session.
    pub(super) fn key(&mut self) -> u64 {
        self.keys.draw(&mut self.rng)
    }

    /// So many different keys, if there are so many, of which `first` is the first.
    pub(super) fn several_keys(&mut self, first: u64, count: usize) -> Vec<u64> {
        self.keys.several(first, count, &mut self.rng)
    }

    /// A number that it never gave before.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.filled + 1 + self.keyspace.number(self.drawn);
        self.drawn += 1;
        number
    }

    /// A number below `most`.
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.rng.random_range(0..most)
    }

    pub(super) fn size(&mut self) -> usize {
        self.rng.random_range(self.size.0..=self.size.1.max(self.size.0))
    }
}

/// The digits of a value's number and the colon after it.
const HEAD: usize = 21;

/// Writes values as they stand on the server.
#[derive(Debug)]
pub(crate) struct Values {
    padding: Vec<u8>,
    text: Vec<u8>,
}

impl Values {
    /// For values up to `largest` bytes.
    pub(crate) fn new(largest: usize) -> Values {
        // Random letters: a server that compresses its dumps should not gain from them.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
        let padding = (0..largest).map(|_| rng.random_range(b'a'..=b'z')).collect();
        Values { padding, text: Vec::new() }
    }

    /// Value number `number`, `size` bytes long, or 21 if `size` is less.
    pub(crate) fn text(&mut self, number: u64, size: usize) -> &[u8] {
        self.text.clear();
        let mut rest = number;
        let mut head = [b'0'; HEAD];
        head[HEAD - 1] = b':';
        for digit in head[..HEAD - 1].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.text.extend_from_slice(&head);
        let more = size.saturating_sub(HEAD).min(self.padding.len());
        self.text.extend_from_slice(&self.padding[..more]);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::client::number_of;

    #[test]
    fn a_value_tells_its_number_and_has_its_size() {
        let mut values = Values::new(1000);
        assert!(values.text(42, 30).starts_with(b"00000000000000000042:"));
        for (number, size) in [(0, 21), (u64::MAX, 100), (123_456, 1000)] {
            let text = values.text(number, size);
            assert_eq!(text.len(), size);
            assert_eq!(number_of(text), Some(number));
        }
        assert_eq!(values.text(5, 3).len(), HEAD);
        assert_eq!(number_of(b"something else that is long"), None);
        assert_eq!(number_of(b"12"), None);
    }
}
