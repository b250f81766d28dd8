//! What each operation knows: whether a write comes before it in causal order.
//!
//! One pass over all operations, in an order that agrees with the causal one. Each session has a
//! clock (Mattern, "Virtual time and global states of distributed systems", 1989): of each
//! session, the last write of it that it knows. A read takes over what the write knew whose value
//! it found. Three things keep clocks small, however many operations and sessions there are:
//!
//! - Only **watched** writes count: those that somebody will still ask for. Of most writes that
//!   nobody does, because nobody reads anything older any more.
//! - A session has a slot in the clocks only while one of its writes is watched. Then another
//!   session may get the slot. What clocks still hold there is the place of an older write, which
//!   is smaller than that of any write of the new owner, and so never mistaken for one.
//! - The clock of a write is kept until its last reader has come, that of a session until its
//!   last operation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Graph;
use super::order::Order;

/// By slot: one more than the place of the last write that is known; 0 for none. Slots at the end
/// that are 0 may be missing. (Places are signed, because processors find the greater of two
/// signed numbers in fewer steps.)
type Clock = Vec<i32>;

/// Why a sweep came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Its clocks were to take more memory than they may: fewer writes at once might do.
    TooLarge,
    /// It was to take too long.
    TooLong,
}

/// What one check may cost in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Numbers in clocks at one time.
    pub numbers: usize,
    /// Steps that are left, each of which takes some nanoseconds.
    pub steps: u64,
}

impl Limits {
    pub fn spend(&mut self, steps: usize) -> Result<(), Stopped> {
        self.steps = self.steps.checked_sub(steps as u64).ok_or(Stopped::TooLong)?;
        Ok(())
    }
}

/// What an operation knows of writes that are still watched.
pub(super) struct Known<'a> {
    graph: &'a Graph,
    order: &'a Order,
    slots: &'a [u32],
    clock: &'a [i32],
}

impl Known<'_> {
    /// Whether the write comes before the operation in causal order.
    pub fn holds(&self, write: u32) -> bool {
        let slot = self.slots[self.graph.node(write).session as usize];
        let known = self.clock.get(slot as usize);
        known.is_some_and(|known| *known > self.order.place(write) as i32)
    }
}

const NO_SLOT: u32 = u32::MAX;

struct Sweep<'a> {
    graph: &'a Graph,
    /// By operation: the last place at which it is asked for, if it is a watched write.
    until: &'a [u32],
    /// By session.
    slots: Vec<u32>,
    clocks: Vec<Clock>,
    slots_end: Vec<u32>,
    /// Slots in use, the one that may end first on top: its end as it was once known, its number,
    /// and its session.
    ends: BinaryHeap<Reverse<(u32, u32, u32)>>,
    slots_made: u32,
    /// By operation: readers of a write that are still to come, and where its clock is kept.
    to_come: Vec<u32>,
    kept: Vec<u32>,
    store: Vec<Clock>,
    free: Vec<u32>,
    numbers: usize,
}

/// Passes each operation to `visit`, with what it knows before it takes effect itself. `visit` may
/// ask for watched writes, each until the place that `until` says.
pub(super) fn sweep(
    (graph, order): (&Graph, &Order),
    until: &[u32],
    limits: &mut Limits,
    mut visit: impl FnMut(u32, &Known, &mut Limits) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let mut sweep = Sweep {
        graph,
        until,
        slots: vec![NO_SLOT; graph.sessions()],
        clocks: vec![Clock::new(); graph.sessions()],
        slots_end: vec![0; graph.sessions()],
        ends: BinaryHeap::new(),
        slots_made: 0,
        to_come: (0..graph.len() as u32).map(|node| graph.readers(node).len() as u32).collect(),
        kept: vec![NO_SLOT; graph.len()],
        store: Vec::new(),
        free: Vec::new(),
        numbers: 0,
    };
    for (place, &node) in order.nodes.iter().enumerate() {
        let session = graph.node(node).session as usize;
        let mut clock = std::mem::take(&mut sweep.clocks[session]);
        sweep.numbers -= clock.len();
        if let Some(write) = graph.source(node) {
            sweep.learn(&mut clock, write, session as u32);
        }
        limits.spend(1 + clock.len() / 8)?;
        let known = Known { graph, order, slots: &sweep.slots, clock: &clock };
        visit(node, &known, limits)?;
        if graph.is_write(node) {
            sweep.write(&mut clock, node, place as u32);
        }
        if graph.next(node).is_some() {
            sweep.numbers += clock.len();
            sweep.clocks[session] = clock;
        }
        if sweep.numbers > limits.numbers {
            return Err(Stopped::TooLarge);
        }
    }
    Ok(())
}

impl Sweep<'_> {
    /// A reader of `write` in `session` knows what it knew.
    fn learn(&mut self, clock: &mut Clock, write: u32, session: u32) {
        let kept = self.kept[write as usize];
        if kept != NO_SLOT && self.graph.node(write).session != session {
            join(clock, &self.store[kept as usize]);
        }
        self.to_come[write as usize] -= 1;
        if kept != NO_SLOT && self.to_come[write as usize] == 0 {
            self.kept[write as usize] = NO_SLOT;
            self.numbers -= self.store[kept as usize].len();
            self.store[kept as usize].clear();
            self.free.push(kept);
        }
    }

    fn write(&mut self, clock: &mut Clock, write: u32, place: u32) {
        let until = self.until[write as usize];
        if until > place {
            let slot = self.slot(self.graph.node(write).session, until, place) as usize;
            clock.resize(clock.len().max(slot + 1), 0);
            clock[slot] = place as i32 + 1;
        }
        if self.to_come[write as usize] == 0 || clock.is_empty() {
            return;
        }
        let kept = self.free.pop().unwrap_or(self.store.len() as u32);
        if kept as usize == self.store.len() {
            self.store.push(Clock::new());
        }
        self.store[kept as usize].extend_from_slice(clock);
        self.kept[write as usize] = kept;
        self.numbers += clock.len();
    }

    /// The slot of a session, which it has at least until that place.
    fn slot(&mut self, session: u32, until: u32, place: u32) -> u32 {
        let end = &mut self.slots_end[session as usize];
        *end = until.max(*end);
        let slot = self.slots[session as usize];
        if slot != NO_SLOT {
            return slot;
        }
        let slot = self.free_slot(place);
        self.slots[session as usize] = slot;
        self.ends.push(Reverse((self.slots_end[session as usize], slot, session)));
        slot
    }

    /// One whose session needs it no more, or a new one.
    fn free_slot(&mut self, place: u32) -> u32 {
        while let Some(Reverse((end, slot, session))) = self.ends.pop() {
            let now = self.slots_end[session as usize];
            if end >= place {
                self.ends.push(Reverse((end, slot, session)));
                break;
            }
            if now < place {
                self.slots[session as usize] = NO_SLOT;
                return slot;
            }
            self.ends.push(Reverse((now, slot, session)));
        }
        self.slots_made += 1;
        self.slots_made - 1
    }
}

fn join(clock: &mut Clock, other: &[i32]) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (own, others) in clock.iter_mut().zip(other) {
        *own = (*own).max(*others);
    }
}
