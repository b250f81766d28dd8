//! Searches for an order of the operations on a register in which values repeat.
//!
//! Whether such a history has an order is NP-complete (Gibbons and Korach, 1997), so this is a
//! search. Wing and Gong, "Testing and verifying concurrent objects" (1993), try each call that
//! may come next, and go back if that leads nowhere. Lowe, "Testing for linearizability" (2017),
//! remembers where the search has been: the same calls done and the same state lead nowhere
//! twice. Knossos and Porcupine use these algorithms.
//!
//! A call may come next if no other remaining call was done before it was sent. So only the calls
//! that were in flight together are looked at: the cost of a long history is its length times the
//! cost of its busiest moment.
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
//! - A call of unknown outcome need not be taken. It is taken only if a call that must be taken
//!   and may come next finds its value, or another one of unknown outcome does that is taken for
//!   the same reason.
//! - Calls of unknown outcome that do the same are a [`Class`], of which the one that was sent
//!   first is taken first. Where a class has more of them than can ever be found, they are not
//!   counted: it does not matter then how many have been taken.

use std::collections::HashSet;

use crate::model::Nanos;

use super::call::Call;

/// The result of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Found {
    Order,
    NoOrder,
    /// The steps were used up.
    Nothing,
}

/// Searches for an order of `calls` in at most `steps` steps, and subtracts the steps it took.
pub(super) fn search(calls: &[Call], steps: &mut u64) -> Found {
    match spend(steps, calls.len()) {
        true => Search::new(calls).run(steps),
        false => Found::Nothing,
    }
}

/// A step looks at about so many calls.
const A_STEP: usize = 16;

/// Takes away a step, and more for the calls that were looked at. False if they are used up.
pub(super) fn spend(steps: &mut u64, looked_at: usize) -> bool {
    let left = steps.checked_sub(1 + (looked_at / A_STEP) as u64);
    *steps = left.unwrap_or_default();
    left.is_some()
}

/// A value as a small number: 0 is a missing key, `Search::dead` any value that no call must
/// find.
type State = u32;

#[derive(Clone, Copy, Debug)]
struct SearchStep {
    sent: Nanos,
    done: Nanos,
    /// The state that it needs.
    from: Option<State>,
    /// The state afterwards, if it changes.
    to: Option<State>,
}

/// The calls of unknown outcome that do the same.
struct Class {
    from: Option<State>,
    to: State,
    /// When they were sent, in order.
    sent: Vec<Nanos>,
    /// So many of them were taken while they were scarce.
    taken: usize,
}

/// The calls that were taken together: a choice, and all that follows from it.
struct Turn {
    before: State,
    taken: Vec<u32>,
    choices: Vec<u32>,
}

struct Search {
    /// The calls that must be taken, as they were sent. Those that are left form a ring: the one
    /// after the number of all is the first.
    must: Vec<SearchStep>,
    after: Vec<u32>,
    before: Vec<u32>,
    left: usize,
    /// The calls that may be taken. As a choice, a class has the number after those of `must`.
    may: Vec<Class>,
    /// By state: the classes that lead to it.
    leading: Vec<Vec<u32>>,
    state: State,
    dead: State,
    /// By state: how many calls must still find it, may find it, and may still leave it.
    must_find: Vec<u32>,
    may_find: Vec<u32>,
    leave: Vec<u32>,
    /// A sum over all calls that are taken, in which each has a number of 128 random bits. Two
    /// different sets with one sum are not to be expected in any search that ends.
    place: u128,
    been: HashSet<(u128, State)>,
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
            SearchStep { sent: call.sent, done: call.done, from, to: call.written().map(number) }
        };
        let (must, may): (Vec<&Call>, Vec<&Call>) =
            calls.iter().partition(|call| call.is_answered());
        let mut must: Vec<SearchStep> = must.into_iter().map(step).collect();
        must.sort_by_key(|step| (step.sent, step.done));
        let dead = values.len() as State + 1;
        let none = vec![0; dead as usize + 1];
        let count = must.len() as u32;
        let mut search = Search {
            after: (1..=count).chain([0]).collect(),
            before: [count].into_iter().chain(0..count).collect(),
            left: must.len(),
            must,
            may: classes(may.into_iter().map(step).collect()),
            leading: vec![Vec::new(); dead as usize + 1],
            state: 0,
            dead,
            must_find: none.clone(),
            may_find: none.clone(),
            leave: none,
            place: 0,
            been: HashSet::new(),
        };
        for step in &search.must {
            step.from.into_iter().for_each(|from| search.must_find[from as usize] += 1);
            step.to.into_iter().for_each(|to| search.leave[to as usize] += 1);
        }
        for (i, Class { from, to, sent, .. }) in (0..).zip(&search.may) {
            search.leading[*to as usize].push(i);
            let count = sent.len() as u32;
            from.iter().for_each(|from| search.may_find[*from as usize] += count);
            search.leave[*to as usize] += count;
        }
        search
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
            let before = self.state;
            let taken = self.take(choice).then_some(choice);
            let turn = self.turn(Vec::from_iter(taken), before);
            if !spend(steps, turn.taken.len() + turn.choices.len()) {
                return Found::Nothing;
            }
            if self.been.insert((self.place, self.state)) {
                turns.push(turn);
            } else {
                self.undo(&turn);
            }
        }
        Found::Order
    }

    /// False if there is nothing to undo but the state.
    fn take(&mut self, i: u32) -> bool {
        let at = i as usize;
        if let Some(class) = at.checked_sub(self.must.len()) {
            let plenty = self.is_plenty(class);
            self.state = self.may[class].to;
            if !plenty {
                self.count_class(class, true);
            }
            return !plenty;
        }
        let (after, before) = (self.after[at], self.before[at]);
        (self.after[before as usize], self.before[after as usize]) = (after, before);
        self.left -= 1;
        self.count(at, true);
        self.state = self.must[at].to.unwrap_or(self.state);
        true
    }

    fn undo(&mut self, turn: &Turn) {
        for &i in turn.taken.iter().rev() {
            let at = i as usize;
            if let Some(class) = at.checked_sub(self.must.len()) {
                self.count_class(class, false);
                continue;
            }
            let (after, before) = (self.after[at], self.before[at]);
            (self.after[before as usize], self.before[after as usize]) = (i, i);
            self.left += 1;
            self.count(at, false);
        }
        self.state = turn.before;
    }

    /// Removes a call that must be taken from those that are left, or brings it back.
    fn count(&mut self, i: usize, taken: bool) {
        let SearchStep { from, to, .. } = self.must[i];
        from.into_iter().for_each(|from| change(&mut self.must_find[from as usize], taken));
        to.into_iter().for_each(|to| change(&mut self.leave[to as usize], taken));
        self.mark(random(i as u64, 0), taken);
    }

    fn count_class(&mut self, i: usize, taken: bool) {
        let class = &mut self.may[i];
        let (from, to) = (class.from, class.to as usize);
        let nth = if taken { class.taken } else { class.taken - 1 };
        class.taken = if taken { nth + 1 } else { nth };
        from.into_iter().for_each(|from| change(&mut self.may_find[from as usize], taken));
        change(&mut self.leave[to], taken);
        self.mark(random((self.must.len() + i) as u64, nth as u64), taken);
    }

    fn mark(&mut self, number: u128, taken: bool) {
        self.place = match taken {
            true => self.place.wrapping_add(number),
            false => self.place.wrapping_sub(number),
        };
    }

    /// Whether those of the class that could be taken now are as many as can be found from here
    /// on. Each that is taken is found at once, or else it was taken for nothing.
    fn is_plenty(&self, class: usize) -> bool {
        let Class { from, to, .. } = &self.may[class];
        let (must, may) = (self.must_find[*to as usize], self.may_find[*to as usize]);
        // What a change to this state is found by may be such a change itself, round in a circle.
        let bounded = from.is_none() || may == 0;
        let (_, end) = self.next();
        bounded && self.may[class].ready(end) >= (must + may) as usize
    }

    /// Takes everything that needs no choice, and lists the choices.
    fn turn(&mut self, mut taken: Vec<u32>, before: State) -> Turn {
        loop {
            if !self.is_wanted(self.state) {
                self.state = self.dead;
            }
            let (next, end) = self.next();
            let plain = |i: &&u32| self.is_plain(&self.must[**i as usize]);
            let plain: Vec<u32> = next.iter().filter(plain).copied().collect();
            if plain.is_empty() {
                let choices = self.choices(next, end);
                return Turn { before, taken, choices };
            }
            // They do not affect each other: each leaves the state as it is.
            for i in &plain {
                self.take(*i);
            }
            taken.extend(plain);
        }
    }

    /// Whether a call that is left finds it.
    fn is_wanted(&self, state: State) -> bool {
        self.must_find[state as usize] + self.may_find[state as usize] > 0
    }

    /// Whether it may be taken at once.
    fn is_plain(&self, step: &SearchStep) -> bool {
        match (step.from, step.to) {
            (Some(from), None) => from == self.state,
            (None, Some(to)) => self.state == self.dead && !self.is_wanted(to),
            _ => false,
        }
    }

    /// The calls that must be taken and may come next, and the instant before which a call must
    /// be sent to come next.
    fn next(&self) -> (Vec<u32>, Nanos) {
        let (mut next, mut end) = (Vec::new(), Nanos(u64::MAX));
        let mut i = self.after[self.must.len()];
        while let Some(step) = self.must.get(i as usize).filter(|step| step.sent <= end) {
            end = end.min(step.done);
            next.push(i);
            i = self.after[i as usize];
        }
        (next, end)
    }

    /// The choices, the most promising last: at the end the call that must be taken and was
    /// done first. At the start, because they are tried last, the calls that may be taken.
    fn choices(&self, mut next: Vec<u32>, end: Nanos) -> Vec<u32> {
        next.sort_unstable_by_key(|i| self.must[*i as usize].done);
        let mut choices = self.promising(&next, end);
        let mut known: Vec<(Option<State>, Option<State>)> = Vec::new();
        next.retain(|i| {
            let SearchStep { from, to, .. } = self.must[*i as usize];
            let is_new = self.fits(from, to, true) && !known.contains(&(from, to));
            known.extend(is_new.then_some((from, to)));
            is_new
        });
        next.reverse();
        choices.extend(next);
        choices
    }

    /// The classes that lead to a state which one of the calls `next` finds.
    fn promising(&self, next: &[u32], end: Nanos) -> Vec<u32> {
        let (mut needed, mut choices): (Vec<State>, _) = (Vec::new(), Vec::new());
        let need = |state: Option<State>, needed: &mut Vec<State>| {
            needed.extend(state.filter(|s| *s != self.state && !needed.contains(s)));
        };
        next.iter().for_each(|i| need(self.must[*i as usize].from, &mut needed));
        let mut looked_at = 0;
        while let Some(state) = needed.get(looked_at).copied() {
            looked_at += 1;
            for &i in &self.leading[state as usize] {
                let class = &self.may[i as usize];
                if class.ready(end) == 0 {
                    continue;
                }
                if self.fits(class.from, Some(class.to), false) {
                    choices.push(self.must.len() as u32 + i);
                }
                need(class.from, &mut needed);
            }
        }
        choices
    }

    /// Whether the state allows it next, and the rest can still follow.
    fn fits(&self, from: Option<State>, to: Option<State>, must: bool) -> bool {
        let (finds, stays) = (from == Some(self.state), to.is_none_or(|to| to == self.state));
        let state = self.state as usize;
        let others = self.must_find[state] - u32::from(finds && must);
        (finds || from.is_none()) && (stays || others == 0 || self.leave[state] > 0)
    }
}

impl Class {
    /// How many of them are left that were sent until `end`.
    fn ready(&self, end: Nanos) -> usize {
        self.sent.partition_point(|sent| *sent <= end) - self.taken
    }
}

fn classes(mut may: Vec<SearchStep>) -> Vec<Class> {
    may.sort_by_key(|step| (step.from, step.to, step.sent));
    let class = |steps: &[SearchStep]| {
        let sent = steps.iter().map(|step| step.sent).collect();
        // A read without an answer changes nothing.
        Some(Class { from: steps[0].from, to: steps[0].to?, sent, taken: 0 })
    };
    may.chunk_by(|a, b| (a.from, a.to) == (b.from, b.to)).filter_map(class).collect()
}

fn change(count: &mut u32, less: bool) {
    *count = if less { *count - 1 } else { *count + 1 };
}

/// Two numbers as 128 bits that look random: the finaliser of SplitMix64, twice.
pub(super) fn random(a: u64, b: u64) -> u128 {
    let mix = |seed: u64| {
        let mut z = (a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed).wrapping_add(b << 32);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    u128::from(mix(0x2545_F491_4F6C_DD1D)) << 64 | u128::from(mix(0x9E6C_63D0_876A_68EE))
}
