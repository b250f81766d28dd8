//! What a move reports: how far it has come, and why it stopped.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::NodeName;
use crate::model::event::{Moved, PaceKept};
use crate::model::slot::SlotSet;
use crate::node::NodeError;
use crate::spec::step::Method;

/// Progress is reported at most this often: each report is a line in the drill's record.
const EVERY: Duration = Duration::from_millis(100);

/// The progress that a move reports.
#[derive(Clone, Debug, PartialEq)]
pub enum MoveReport {
    /// The method of the move; reported first.
    Method(Method),
    Moved(Moved),
    /// The goal of the pace is out of reach; told once.
    Unmet(PaceKept),
    /// How the pace was kept, once nothing moves any more.
    Pace(PaceKept),
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

/// A move that ended before all its slots had moved.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "slots stopped moving after {} of {}: {reason}{}",
    moved.slots, moved.slots_total, left_open(open)
)]
pub struct MoveError {
    /// What had moved before the error. Those slots have their new owners.
    pub moved: Moved,
    pub reason: Reason,
    /// Slots of which some keys may have gone to a node that does not answer, or cannot be
    /// reached. They stay open, and the next move finishes them.
    pub open: SlotSet,
}

impl MoveError {
    /// Whether something was not seen, or did not happen, in time.
    pub fn is_of_time(&self) -> bool {
        match &self.reason {
            Reason::Node(error) => error.is_silence(),
            // The server's own word for a time-out on the way to the other one.
            Reason::Migrate { answer, .. } => answer.contains("IOERR"),
            Reason::NoPrimary(_) | Reason::NoOwner(_) | Reason::Unheard { .. } => true,
            Reason::Job { .. } | Reason::NotAtomic | Reason::Stuck { .. } => false,
        }
    }

    /// No slot was left open.
    pub fn stable(moved: Moved, reason: Reason) -> MoveError {
        MoveError { moved, reason, open: SlotSet::default() }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Reason {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("shard {0} has no primary that answers")]
    NoPrimary(u32),
    #[error("no node that answers owns slot {0}")]
    NoOwner(u16),
    #[error("MIGRATE of slot {slot} from {from} to {to}: {answer}")]
    Migrate { slot: u16, from: NodeName, to: NodeName, answer: String },
    #[error(
        "{to} does not hear from {from}, which has epoch {epoch}: look at the link between them"
    )]
    Unheard { epoch: u64, from: NodeName, to: NodeName },
    /// Boxed, so that errors stay small.
    #[error("the servers' own migration of slots from {} to {} ended: {why}", ends[0], ends[1])]
    Job { ends: Box<[NodeName; 2]>, why: String },
    #[error(
        "these servers have no atomic slot migration (Valkey 9.0 and Redis 8.4 do); use \
         `method: migrate`, or `auto`"
    )]
    NotAtomic,
    #[error("slot {slot} does not leave {from}: look for keys of it that MIGRATE passes over")]
    Stuck { slot: u16, from: NodeName },
}

fn left_open(open: &SlotSet) -> String {
    if open.is_empty() {
        return String::new();
    }
    format!(
        "; left open, as some of their keys have gone already (moving again finishes them): {open}"
    )
}
