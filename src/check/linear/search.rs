//! The order of a register to which a value was written more than once, by a search.
//!
//! Whether such a history has an order is NP-complete (Gibbons and Korach, 1997), so this
//! looks for one: Wing and Gong, "Testing and verifying concurrent objects" (1993), try
//! what may come next and go back where that leads nowhere; Lowe, "Testing for
//! linearizability" (2017), remembers where it has been, as the same calls done and the
//! same state lead nowhere twice. Knossos and Porcupine are built on these.
//!
//! A call may come next if no other that is left was done before it was sent. What is left
//! therefore lies in a short window of time, and so does what is remembered: all calls
//! before the window are done. At an instant at which nothing is in flight the window is empty, and only the state is
//! remembered; so a long history costs its length times what its busiest moment costs.
//!
//! Much need not be tried:
//!
//! - A read of the state that may come next is taken at once. It changes nothing, so if
//!   any order goes on from here, one does that begins with it.
//! - A state is not left while it is to be read again and will not be written again.
//! - A state that nobody is to read, whatever its value, is the same as any other such, and
//!   in it a write that nobody is to read is taken at once.
//! - Of two calls that do the same, the one that was done first is taken first: they could
//!   change places in any order in which they stand the other way.
//! - A call of unknown outcome is taken only if its value is to be found later. None must be.

use std::collections::HashSet;

use crate::model::Nanos;

use super::call::{Act, Call};

/// What the search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Order,
    NoOrder,
    /// The steps were used up.
    Nothing,
}

/// Looks for an order of `calls` in at most so many steps, of which it takes those it needs.
pub(super) fn search(calls: &[Call], steps: &mut u64) -> Found {
    Search::new(calls).run(steps)
}

/// A value as a small number: 0 is the key's absence, `Search::dead` any that nobody is to
/// find.
type State = u32;

#[derive(Clone, Copy, Debug)]
struct Step {
    sent: Nanos,
    done: Nanos,
    /// What must be there.
    from: Option<State>,
    /// What is there afterwards, if that is not what was.
    to: Option<State>,
}

/// What was taken together: a choice and all that followed of itself.
struct Turn {
    before: State,
    taken: Vec<u32>,
    choices: Vec<u32>,
}

struct Search {
    /// Those that must be taken, as they were sent, then those that may be.
    steps: Vec<Step>,
    must: usize,
    taken: Vec<bool>,
    /// Those that must be taken up to here have been.
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

    /// Adds a call to those that are left, or takes it away.
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

    /// Takes all that need not be chosen, and lists what may be chosen then.
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
            // None of them stands in another's way: each leaves the state as it is.
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

    /// Where the window of what may come next ends: after the last of those that must be
    /// taken that were sent before the earliest of them was done. All that are taken
    /// already lie before it, as it never moves back.
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

    /// Of those that must be taken, all that may come next, and until when one may be sent for it.
    fn next(&self) -> (Vec<u32>, Nanos) {
        let (to, end) = self.window();
        let may = |i: &usize| !self.taken[*i] && self.steps[*i].sent <= end;
        ((self.prefix..to).filter(may).map(|i| i as u32).collect(), end)
    }

    /// What to try, the most promising last: of those that must be taken what was done first,
    /// and before them, as they are tried last, those that may be.
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

    /// Whether the state lets it come next, and what is left can be done after it.
    fn fits(&self, i: usize) -> bool {
        let Step { from, to, .. } = self.steps[i];
        let (finds, stays) = (from == Some(self.state), to.is_none_or(|to| to == self.state));
        let state = self.state as usize;
        let others = self.must_find[state] - u32::from(finds && i < self.must);
        (finds || from.is_none()) && (stays || others == 0 || self.leave[state] > 0)
    }

    /// Whether it has not been here before: with the same state, and the same calls left.
    fn is_new(&mut self) -> bool {
        // How long the window is belongs to it: without, two bits of one could pass for those
        // of a longer one that begins with a call more that is left.
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
