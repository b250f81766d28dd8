//! Searches for an order of the operations on a register in which values repeat.
//!
//! Whether such a history has an order is NP-complete (Gibbons and Korach, 1997), so this is a
//! search. Wing and Gong, "Testing and verifying concurrent objects" (1993), try each call that
//! may come next, and go back if that leads nowhere. Lowe, "Testing for linearizability" (2017),
//! remembers where the search has been: the same calls done and the same state lead nowhere
//! twice. Knossos and Porcupine use these algorithms.
//!
//! A call may come next if no other remaining call was done before it was sent. So the remaining
//! calls lie in a short window of time, and so does what is remembered: all calls before the
//! window are done. When nothing is in flight, the window is empty, and only the state is
//! remembered. So the cost of a long history is its length times the cost of its busiest moment.
//!
//! Many choices need not be tried:
//!
//! - A read of the current state that may come next is taken at once. It changes nothing, so if
//!   there is any order from here on, there is one that begins with it.
//! - A state is not left while a call must still read it and no call will write it again.
//! - All states that no call must read are the same. In such a state, a write that no call must
//!   read is taken at once.
//! - Of two calls that do the same, the one that was done first is taken first: in any order in
//!   which they are the other way round, they could change places.
//! - A call of unknown outcome is taken only if its value is found later. No such call must be
//!   taken.

use std::collections::HashSet;

use crate::model::Nanos;

use super::call::{Act, Call};

/// The result of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Order,
    NoOrder,
    /// The steps were used up.
    Nothing,
}

/// Searches for an order of `calls` in at most `steps` steps, and subtracts the steps it took.
pub(super) fn search(calls: &[Call], steps: &mut u64) -> Found {
    Search::new(calls).run(steps)
}

/// A value as a small number: 0 is a missing key, `Search::dead` any value that no call must
/// find.
type State = u32;

#[derive(Clone, Copy, Debug)]
struct Step {
    sent: Nanos,
    done: Nanos,
    /// The state that it needs.
    from: Option<State>,
    /// The state afterwards, if it changes.
    to: Option<State>,
}

/// The calls that were taken together: a choice, and all that follows from it.
struct Turn {
    before: State,
    taken: Vec<u32>,
    choices: Vec<u32>,
}

struct Search {
    /// The calls that must be taken, as they were sent; then those that may be.
    steps: Vec<Step>,
    must: usize,
    taken: Vec<bool>,
    /// All that must be taken before this index have been.
    prefix: usize,
    left: usize,
    state: State,
    dead: State,
    /// By state: how many calls must still find it, may find it, and may still leave it.
    must_find: Vec<u32>,
    may_find: Vec<u32>,
    leave: Vec<u32>,
    been: HashSet<Box<[u64]>>,
}

impl Search {
    fn new(calls: &[Call]) -> Search {
        let mut values: Vec<u64> = calls.iter().filter_map(Call::written).collect();
        values.extend(calls.iter().filter_map(|call| call.found()?));
        values.sort_unstable();
        values.dedup();
        let number = |value: u64| values.partition_point(|other| *other < value) as State + 1;
        let step = |call: &Call| {
            let from = call.found().map(|value| value.map_or(0, number));
            Step { sent: call.sent, done: call.done, from, to: call.written().map(number) }
        };
        let (mut must, mut may): (Vec<&Call>, Vec<&Call>) =
            calls.iter().partition(|call| call.is_answered());
        must.sort_by_key(|call| (call.sent, call.done));
        may.retain(|call| !matches!(call.act, Act::Read(_)));
        let steps: Vec<Step> = must.iter().chain(&may).map(|call| step(call)).collect();
        let dead = values.len() as State + 1;
        let none = vec![0; dead as usize + 1];
        let mut search = Search {
            taken: vec![false; steps.len()],
            must: must.len(),
            prefix: 0,
            left: must.len(),
            state: 0,
            dead,
            must_find: none.clone(),
            may_find: none.clone(),
            leave: none,
            been: HashSet::new(),
            steps,
        };
        (0..search.steps.len()).for_each(|i| search.count(i, 1));
        search
    }

    /// Adds a call to those that are left, or removes it.
    fn count(&mut self, i: usize, by: i32) {
        let find = if i < self.must { &mut self.must_find } else { &mut self.may_find };
        let Step { from, to, .. } = self.steps[i];
        let add = |counts: &mut Vec<u32>, state: Option<State>| {
            if let Some(state) = state {
                let count = &mut counts[state as usize];
                *count = count.wrapping_add_signed(by);
            }
        };
        add(find, from);
        add(&mut self.leave, to);
    }

    fn run(mut self, steps: &mut u64) -> Found {
        let first = self.turn(Vec::new(), self.state);
        let mut turns = vec![first];
        while self.left > 0 {
            let Some(turn) = turns.last_mut() else { return Found::NoOrder };
            let Some(choice) = turn.choices.pop() else {
                let turn = turns.pop().expect("there is a last one");
                self.undo(&turn);
                continue;
            };
            let Some(rest) = steps.checked_sub(1) else { return Found::Nothing };
            *steps = rest;
            let before = self.state;
            self.take(choice);
            let turn = self.turn(vec![choice], before);
            if self.is_new() { turns.push(turn) } else { self.undo(&turn) }
        }
        Found::Order
    }

    fn take(&mut self, i: u32) {
        let i = i as usize;
        self.taken[i] = true;
        self.count(i, -1);
        self.state = self.steps[i].to.unwrap_or(self.state);
        if i < self.must {
            self.left -= 1;
            while self.prefix < self.must && self.taken[self.prefix] {
                self.prefix += 1;
            }
        }
    }

    fn undo(&mut self, turn: &Turn) {
        for &i in turn.taken.iter().rev() {
            let i = i as usize;
            self.taken[i] = false;
            self.count(i, 1);
            if i < self.must {
                self.left += 1;
                self.prefix = self.prefix.min(i);
            }
        }
        self.state = turn.before;
    }

    /// Takes everything that needs no choice, and lists the choices.
    fn turn(&mut self, mut taken: Vec<u32>, before: State) -> Turn {
        loop {
            if !self.is_wanted(self.state) {
                self.state = self.dead;
            }
            let (next, end) = self.next();
            let plain = |i: &&u32| self.is_plain(&self.steps[**i as usize]);
            let plain: Vec<u32> = next.iter().filter(plain).copied().collect();
            if plain.is_empty() {
                let choices = self.choices(next, end);
                return Turn { before, taken, choices };
            }
            // They do not affect each other: each leaves the state as it is.
            plain.iter().for_each(|i| self.take(*i));
            taken.extend(plain);
        }
    }

    /// Whether a call that is left finds it.
    fn is_wanted(&self, state: State) -> bool {
        self.must_find[state as usize] + self.may_find[state as usize] > 0
    }

    /// Whether it may be taken at once.
    fn is_plain(&self, step: &Step) -> bool {
        match (step.from, step.to) {
            (Some(from), None) => from == self.state,
            (None, Some(to)) => self.state == self.dead && !self.is_wanted(to),
            _ => false,
        }
    }

    /// The end of the window of calls that may come next: after the last call that must be
    /// taken and was sent before the earliest of them was done. All calls that are taken lie
    /// before it, because it never moves back.
    fn window(&self) -> (usize, Nanos) {
        let mut end = Nanos(u64::MAX);
        for i in self.prefix..self.must {
            let step = &self.steps[i];
            if step.sent > end {
                return (i, end);
            }
            if !self.taken[i] {
                end = end.min(step.done);
            }
        }
        (self.must, end)
    }

    /// The calls that must be taken and may come next, and the instant before which a call must
    /// be sent to come next.
    fn next(&self) -> (Vec<u32>, Nanos) {
        let (to, end) = self.window();
        let may = |i: &usize| !self.taken[*i] && self.steps[*i].sent <= end;
        ((self.prefix..to).filter(may).map(|i| i as u32).collect(), end)
    }

    /// The choices, the most promising last: at the end the call that must be taken and was
    /// done first. At the start, because they are tried last, the calls that may be taken.
    fn choices(&self, mut next: Vec<u32>, end: Nanos) -> Vec<u32> {
        next.sort_unstable_by_key(|i| self.steps[*i as usize].done);
        let may = (self.must..self.steps.len()).filter(|i| {
            let step = &self.steps[*i];
            let wanted = step.to.is_some_and(|to| self.is_wanted(to));
            !self.taken[*i] && step.sent <= end && wanted
        });
        next.extend(may.map(|i| i as u32));
        let mut known = HashSet::new();
        next.retain(|i| {
            let step = &self.steps[*i as usize];
            self.fits(*i as usize) && known.insert((step.from, step.to))
        });
        next.reverse();
        next
    }

    /// Whether the state allows it next, and the rest can still follow.
    fn fits(&self, i: usize) -> bool {
        let Step { from, to, .. } = self.steps[i];
        let (finds, stays) = (from == Some(self.state), to.is_none_or(|to| to == self.state));
        let state = self.state as usize;
        let others = self.must_find[state] - u32::from(finds && i < self.must);
        (finds || from.is_none()) && (stays || others == 0 || self.leave[state] > 0)
    }

    /// Whether the search has not been here: with the same state and the same calls left.
    fn is_new(&mut self) -> bool {
        // The length of the window is part of the key. Without it, the bits of one window could
        // equal those of a longer one that begins with one more call.
        let window = self.prefix..self.window().0;
        let mut place = vec![u64::from(self.state), self.prefix as u64, window.end as u64];
        let calls: Vec<usize> = window.chain(self.must..self.steps.len()).collect();
        place.extend(
            calls
                .chunks(64)
                .map(|calls| calls.iter().fold(0, |bits, i| bits << 1 | u64::from(self.taken[*i]))),
        );
        self.been.insert(place.into())
    }
}
