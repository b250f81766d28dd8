//! Counts what has moved, from many places at once, and reports it now and then.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::event::Moved;
use crate::spec::step::Method;

/// Progress is reported at most this often: each report is a line in the drill's record.
const EVERY: Duration = Duration::from_millis(100);

/// The progress that a move reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The method of the move; reported first.
    Method(Method),
    Moved(Moved),
    /// A server's own job, from shard to shard, has reached this phase.
    Job {
        from: u32,
        to: u32,
        state: String,
    },
}

pub struct Tally<P> {
    state: Mutex<(Moved, Instant)>,
    tell: P,
}

impl<P: Fn(Moved)> Tally<P> {
    pub fn new(tell: P) -> Tally<P> {
        let none = Moved { bytes: Some(0), ..Moved::default() };
        Tally { state: Mutex::new((none, Instant::now())), tell }
    }

    /// Bytes are not counted, because no server reports them.
    pub fn without_bytes(tell: P) -> Tally<P> {
        Tally { state: Mutex::new((Moved::default(), Instant::now())), tell }
    }

    /// Sets how many slots have to move; none has moved yet.
    pub fn begin(&self, slots_total: u64) {
        self.state.lock().0.slots_total = slots_total;
        (self.tell)(self.now());
    }

    pub fn add(&self, slots: usize, keys: usize, bytes: u64) {
        let told = {
            let mut state = self.state.lock();
            let (moved, last) = &mut *state;
            moved.slots += slots as u64;
            moved.keys += keys as u64;
            if let Some(counted) = &mut moved.bytes {
                *counted += bytes;
            }
            let due = last.elapsed() >= EVERY;
            if due {
                *last = Instant::now();
            }
            due.then_some(*moved)
        };
        if let Some(moved) = told {
            (self.tell)(moved);
        }
    }

    pub fn now(&self) -> Moved {
        self.state.lock().0
    }

    /// Reports the last state, however recent the report before was.
    pub fn finish(&self) -> Moved {
        let moved = self.now();
        (self.tell)(moved);
        moved
    }
}
