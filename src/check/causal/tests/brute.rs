//! The checker compared with the definitions: every causal order, and every order of all
//! operations on which sessions could agree, is tried.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

/// An operation of the model.
#[derive(Clone, Copy, Debug)]
struct Step {
    session: usize,
    key: usize,
    /// None if it is no read.
    found: Option<Option<u64>>,
    written: Option<u64>,
}

/// What has happened so far, in the order in which it did. Sets of operations are bits.
struct Model<'a> {
    steps: &'a [Step],
    /// What each key held before all.
    beginnings: [Option<u64>; 2],
    converges: bool,
    happened: Vec<usize>,
    /// Of each operation, all before it in causal order.
    past: Vec<u32>,
}

impl Model<'_> {
    /// Whether what is left can happen in some order. Only reads have to learn something: what a
    /// write learns besides, the reads behind it can learn themselves.
    fn can_go_on(&mut self) -> bool {
        if self.happened.len() == self.steps.len() {
            return true;
        }
        for at in 0..self.steps.len() {
            let session = self.steps[at].session;
            let own = (0..at).filter(|other| self.steps[*other].session == session);
            let is_next = own.clone().all(|other| self.happened.contains(&other));
            if self.happened.contains(&at) || !is_next {
                continue;
            }
            let own = own.map(|other| self.past[other] | 1 << other).fold(0, |a, b| a | b);
            for past in self.pasts(at, own) {
                self.past[at] = past;
                self.happened.push(at);
                if self.explains(at) && self.can_go_on() {
                    return true;
                }
                self.happened.pop();
            }
        }
        false
    }

    /// All that it may know: of each other session, its first so many operations, with all that
    /// comes before them.
    fn pasts(&self, at: usize, own: u32) -> Vec<u32> {
        let mut pasts = vec![own];
        if self.steps[at].found.is_none() {
            return pasts;
        }
        for &other in &self.happened {
            let with = pasts.iter().map(|past| past | self.past[other] | 1 << other);
            let with: Vec<u32> = with.collect();
            pasts.extend(with);
            pasts.sort_unstable();
            pasts.dedup();
        }
        pasts
    }

    fn explains(&self, at: usize) -> bool {
        let step = self.steps[at];
        let Some(found) = step.found else { return true };
        let knows = |past: u32, other: usize| past >> other & 1 == 1;
        let is_write =
            |other: usize| self.steps[other].key == step.key && self.steps[other].written.is_some();
        let known = self.happened.iter().copied();
        let known = known.filter(|other| knows(self.past[at], *other) && is_write(*other));
        let writes: Vec<usize> = known.collect();
        match (writes.last(), self.converges) {
            (None, _) => found == self.beginnings[step.key],
            (Some(last), true) => self.steps[*last].written == found,
            (Some(_), false) => writes.iter().any(|write| {
                let is_over = writes.iter().any(|other| knows(self.past[*other], *write));
                self.steps[*write].written == found && !is_over
            }),
        }
    }
}

/// By the definition. A write of unknown outcome may have happened or not.
fn holds(ops: &[Op], converges: bool) -> bool {
    let mut beginnings = [None; 2];
    let (mut sure, mut perhaps) = (Vec::new(), Vec::new());
    for (i, op) in ops.iter().enumerate() {
        let Action::Register(act) = op.action else { continue };
        let (found, written) = match act {
            RegisterOp::Read(value) => (Some(value), None),
            RegisterOp::Write(value) => (None, Some(value)),
            RegisterOp::Cas { from, to } => (Some(from), Some(to)),
        };
        let step = Step { session: op.process as usize, key: op.key as usize, found, written };
        match (op.purpose, op.outcome) {
            (Purpose::Fill, _) => beginnings[step.key] = written,
            (_, Outcome::Ok) => sure.push((i, step)),
            (_, Outcome::Unknown(_)) => perhaps.push((i, step)),
            (_, Outcome::Fail(_)) => {}
        }
    }
    (0..1_usize << perhaps.len()).any(|chosen| {
        let chosen = perhaps.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1);
        let mut steps = sure.clone();
        steps.extend(chosen.map(|(_, step)| *step));
        steps.sort_by_key(|(i, _)| *i);
        let steps: Vec<Step> = steps.into_iter().map(|(_, step)| step).collect();
        let past = vec![0; steps.len()];
        Model { steps: &steps, beginnings, converges, happened: Vec::new(), past }.can_go_on()
    })
}

/// A small history, in which reads find anything.
fn random(random: &mut Xoshiro256PlusPlus) -> Vec<Op> {
    let (count, processes, keys) =
        (random.random_range(3..=8), random.random_range(2..=3_u32), random.random_range(1..=2));
    let mut numbers: Vec<u32> = (1..=processes).collect();
    let mut ops: Vec<Op> = Vec::new();
    for at in 1..=count {
        let (who, key) = (random.random_range(0..processes as usize), random.random_range(0..keys));
        let value = at + 10;
        let kind = random.random_range(0..20);
        let action = match kind {
            0..8 => RegisterOp::Write(value),
            8 => RegisterOp::Cas { from: None, to: value },
            _ => RegisterOp::Read(None),
        };
        let mut op = act(numbers[who], key, action, at);
        match random.random_range(0..20) {
            0 if kind <= 8 => {
                op = unknown(op);
                numbers[who] += processes;
            }
            1 if kind <= 8 => op.outcome = Outcome::Fail(Cause::Refused),
            _ => {}
        }
        ops.push(op);
    }
    if random.random_range(0..3) == 0 {
        ops.push(fill(0, 10));
    }
    choose_values(&mut ops, random);
    ops
}

/// What reads find: the value of any write to their key, rarely nothing, very rarely nonsense.
fn choose_values(ops: &mut [Op], random: &mut Xoshiro256PlusPlus) {
    let written: Vec<(u64, u64)> =
        ops.iter().filter_map(|op| Some((op.key, op.action.written()?))).collect();
    for op in ops {
        let own = op.action.written();
        let values = written.iter().filter(|(key, value)| *key == op.key && own != Some(*value));
        let mut values: Vec<Option<u64>> = values.map(|(_, value)| Some(*value)).collect();
        values.push(None);
        values.extend((random.random_range(0..60) == 0).then_some(Some(1_000)));
        let chosen = values[random.random_range(0..values.len())];
        if let Action::Register(RegisterOp::Read(found) | RegisterOp::Cas { from: found, .. }) =
            &mut op.action
        {
            *found = chosen;
        }
    }
}

/// What regions do that pass writes on in causal order: a read learns of some operations, and
/// finds any of the last writes that it knows. So it is causal, and seldom converges.
fn causal(random: &mut Xoshiro256PlusPlus) -> Vec<Op> {
    let (count, processes, keys) = (8, random.random_range(2..=3_u32), random.random_range(1..=2));
    let mut ops: Vec<Op> = Vec::new();
    let mut past: Vec<u32> = Vec::new();
    for at in 0..count {
        let (process, key) = (random.random_range(1..=processes), random.random_range(0..keys));
        let own = (0..ops.len()).filter(|other| ops[*other].process == process);
        let mut known = own.map(|other| past[other] | 1 << other).fold(0, |a, b| a | b);
        let mut action = RegisterOp::Write(at + 10);
        if at > 1 && random.random_range(0..4) > 0 {
            let learned = (0..ops.len()).filter(|_| random.random_range(0..3) == 0);
            known |= learned.map(|other| past[other] | 1 << other).fold(0, |a, b| a | b);
            let writes = (0..ops.len()).filter(|other| {
                known >> other & 1 == 1 && ops[*other].key == key && ops[*other].action.changed()
            });
            let is_last = |write: &usize| writes.clone().all(|other| past[other] >> write & 1 == 0);
            let last: Vec<usize> = writes.clone().filter(is_last).collect();
            let found = last.get(random.random_range(0..last.len().max(1)));
            action = RegisterOp::Read(found.and_then(|write| ops[*write].action.written()));
        }
        ops.push(act(process, key, action, at + 1));
        past.push(known);
    }
    ops
}

#[test]
fn small_histories_are_judged_by_the_definition() {
    let mut source = Xoshiro256PlusPlus::seed_from_u64(17);
    let mut seen = [0; 3];
    for n in 0..5_000 {
        let ops = if n % 2 == 0 { random(&mut source) } else { causal(&mut source) };
        let (causal, converges) = (holds(&ops, false), holds(&ops, true));
        let (violations, diverged) = counts(&ops);
        assert_eq!(violations == 0, causal, "{ops:#?}");
        assert_eq!(violations + diverged == 0, converges, "{ops:#?}");
        seen[usize::from(causal) + usize::from(converges)] += 1;
    }
    println!("neither, only causal, both: {seen:?}");
    assert!(seen[0] > 1_000 && seen[1] > 200 && seen[2] > 1_000, "{seen:?}");
}
