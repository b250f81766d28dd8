//! Counts what has moved, from many places at once, and reports it now and then.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::model::event::Moved;

/// Progress is reported at most this often: each report is a line in the drill's record.
const EVERY: Duration = Duration::from_millis(100);

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
        self.lock().0.slots_total = slots_total;
        (self.tell)(self.now());
    }

    pub fn add(&self, slots: usize, keys: usize, bytes: u64) {
        let told = {
            let mut state = self.lock();
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
        self.lock().0
    }

    /// Reports the last state, however recent the report before was.
    pub fn finish(&self) -> Moved {
        let moved = self.now();
        (self.tell)(moved);
        moved
    }

    fn lock(&self) -> MutexGuard<'_, (Moved, Instant)> {
        super::lock(&self.state)
    }
}
