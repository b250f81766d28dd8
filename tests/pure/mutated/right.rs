//! Histories that servers without a fault can leave: each operation takes effect at one instant
//! between its sending and its answer.

use redrill::model::op::*;
use redrill::model::{Nanos, Workload};

use super::Random;

/// Between the instants at which operations on a key take effect.
const APART: u64 = 1_000;
const KEYS: u64 = 3;
const END: u64 = 1_000_000;

/// Whether the workload's keys are read when the load is over.
pub fn reads_at_the_end(workload: Workload) -> bool {
    !matches!(workload, Workload::Lock | Workload::Cache)
}

fn op(random: &mut Random, key: u64, nth: u64, action: Action) -> Op {
    let effect = (nth + 3) * APART;
    // No two instants of different kinds are equal.
    let sent = effect - random.below(250) * 10 + 1;
    let done = effect + random.below(250) * 10 + 2;
    let process = (key * 100 + nth) as u32;
    Op { process, by: Some(0), ..Op::new(key, action, Nanos(sent), Nanos(done)) }
}

fn fill(key: u64, action: Action) -> Op {
    let process = (key * 100 + 99) as u32;
    Op { process, purpose: Purpose::Fill, ..Op::new(key, action, Nanos(1), Nanos(2)) }
}

fn last(key: u64, action: Action) -> Op {
    let process = (key * 100 + 98) as u32;
    let op = Op::new(key, action, Nanos(END + key * 10), Nanos(END + key * 10 + 5));
    Op { process, purpose: Purpose::Final, ..op }
}

/// What came of an operation that changes something, and whether it was done.
fn fate(random: &mut Random) -> (Outcome, bool) {
    match random.below(20) {
        0 | 1 => (Outcome::Unknown(Cause::Timeout), random.percent(50)),
        2 => (Outcome::Fail(Cause::Refused), false),
        _ => (Outcome::Ok, true),
    }
}

/// On each key `acts` operations, of which `act` says what they are, then a final read.
fn keys(
    random: &mut Random,
    acts: u64,
    mut act: impl FnMut(&mut Random, &mut Option<u64>, u64) -> (Action, Outcome),
) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut held = Some(key * 1_000 + 999);
        ops.push(fill(key, Action::Register(RegisterOp::Write(key * 1_000 + 999))));
        for nth in 0..acts {
            let (action, outcome) = act(random, &mut held, key * 1_000 + nth);
            ops.push(Op { outcome, ..op(random, key, nth, action) });
        }
        ops.push(last(key, Action::Register(RegisterOp::Read(held))));
    }
    ops.sort_by_key(|op| op.done);
    ops
}

fn write(random: &mut Random, held: &mut Option<u64>, value: u64) -> (Action, Outcome) {
    let (outcome, is_done) = fate(random);
    if is_done {
        *held = Some(value);
    }
    (Action::Register(RegisterOp::Write(value)), outcome)
}

pub fn registers(random: &mut Random) -> Vec<Op> {
    keys(random, 7, |random, held, value| match random.percent(50) {
        true => (Action::Register(RegisterOp::Read(*held)), Outcome::Ok),
        false => write(random, held, value),
    })
}

pub fn compare_and_set(random: &mut Random) -> Vec<Op> {
    keys(random, 7, |random, held, value| match random.below(3) {
        0 => (Action::Register(RegisterOp::Read(*held)), Outcome::Ok),
        1 => write(random, held, value),
        _ => {
            let from = held.replace(value);
            (Action::Register(RegisterOp::Cas { from, to: value }), Outcome::Ok)
        }
    })
}

pub fn counters(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut total = 0;
        for nth in 0..12 {
            let (action, outcome) = match random.percent(30) {
                true => (CounterOp::Read((total > 0).then_some(total)), Outcome::Ok),
                false => {
                    let (outcome, is_done) = fate(random);
                    total += u64::from(is_done);
                    (CounterOp::Add((outcome == Outcome::Ok).then_some(total)), outcome)
                }
            };
            ops.push(Op { outcome, ..op(random, key, nth, Action::Counter(action)) });
        }
        ops.push(last(key, Action::Counter(CounterOp::Read((total > 0).then_some(total)))));
    }
    ops
}

pub fn sets(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut members = Vec::new();
        for nth in 0..12 {
            let (outcome, is_done) = fate(random);
            members.extend(is_done.then_some(nth));
            ops.push(Op { outcome, ..op(random, key, nth, Action::Set(SetOp::Insert(nth))) });
        }
        ops.push(last(key, Action::Set(SetOp::Members(members.into()))));
    }
    ops
}

pub fn queues(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut held = std::collections::VecDeque::new();
        for nth in 0..14 {
            let (action, outcome) = match random.percent(40) {
                true => (QueueOp::Pop(held.pop_front()), Outcome::Ok),
                false => {
                    let (outcome, is_done) = fate(random);
                    held.extend(is_done.then_some(nth));
                    (QueueOp::Push(nth), outcome)
                }
            };
            ops.push(Op { outcome, ..op(random, key, nth, Action::Queue(action)) });
        }
        let left: Vec<u64> = held.into();
        ops.push(last(key, Action::Queue(QueueOp::Drain(left.into()))));
    }
    ops
}

pub fn transfers(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut held = [100i64, 200, 300];
        let balances = |held: [i64; 3]| Action::Transfer(TransferOp::Balances(held.into()));
        ops.push(fill(key, Action::Transfer(TransferOp::Open(held.into()))));
        for nth in 0..8 {
            if random.percent(30) {
                ops.push(op(random, key, nth, balances(held)));
                continue;
            }
            let (from, amount) = (random.below(3) as u16, (1 << nth) as u32);
            let to = (from + 1) % 3;
            let (outcome, is_done) = fate(random);
            if is_done {
                held[usize::from(from)] -= i64::from(amount);
                held[usize::from(to)] += i64::from(amount);
            }
            let (others, fails) = (Box::default(), false);
            let moved = TransferOp::Move { from, to, amount, others, fails };
            ops.push(Op { outcome, ..op(random, key, nth, Action::Transfer(moved)) });
        }
        ops.push(last(key, balances(held)));
    }
    ops
}

pub fn dual_writes(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut value = 0;
        for nth in 0..6 {
            value = nth + 1;
            let half = op(random, key, nth * 4, Action::Register(RegisterOp::Write(value)));
            ops.extend([0, 1].map(|group| Op { group, ..half.clone() }));
        }
        let end = last(key, Action::Register(RegisterOp::Read(Some(value))));
        ops.extend([0, 1].map(|group| Op { group, ..end.clone() }));
    }
    ops
}

/// One session after the other gets each lock, uses what it guards, and gives it back.
pub fn locks(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        for nth in 0..8 {
            let token = key * 100 + nth + 1;
            let at = (nth + 1) * APART;
            let mut then = |action, from: u64, to: u64| {
                let op = Op::new(key, Action::Lock(action), Nanos(at + from), Nanos(at + to));
                ops.push(Op { process: token as u32, ..op });
            };
            let balance = (nth > 0).then_some(token - 1);
            let used = 200 + random.below(40) * 10;
            then(
                LockOp::Acquire { token, shared: false, got: Some(0) },
                1,
                50 + random.below(5) * 10,
            );
            then(LockOp::Read { token, balance }, 100, 101);
            then(LockOp::Write { token, balance: token, fence: 0, taken: true }, used, used + 1);
            then(LockOp::Release { token, held: true }, used + 10, used + 15);
        }
        let end = LockOp::Read { token: 0, balance: Some(key * 100 + 8) };
        ops.push(last(key, Action::Lock(end)));
    }
    ops
}

pub fn caches(random: &mut Random) -> Vec<Op> {
    let mut ops = Vec::new();
    for key in 0..KEYS {
        let mut version = 1;
        for nth in 0..20 {
            let mut row = op(random, key, nth, Action::Cache(CacheOp::Guarded));
            let action = match random.percent(25) {
                true => {
                    version += 1;
                    CacheOp::Write { version, at: Nanos((nth + 3) * APART), commands: None }
                }
                false => {
                    let (version, from) = (Some(version), FoundIn::Group);
                    CacheOp::Read { version, from, asked: None, kept: None, met: None }
                }
            };
            row.action = Action::Cache(action);
            ops.push(row);
        }
    }
    ops
}

/// Four processes, one operation after the other.
pub fn causality(random: &mut Random) -> Vec<Op> {
    let mut held = [None; 2];
    let act = |nth| {
        let key = random.below(2);
        let action = match random.percent(50) {
            true => RegisterOp::Read(held[key as usize]),
            false => {
                held[key as usize] = Some(nth);
                RegisterOp::Write(nth)
            }
        };
        let at = Nanos(nth * 10);
        let process = random.below(4) as u32;
        Op { process, ..Op::new(key, Action::Register(action), at, Nanos(nth * 10 + 5)) }
    };
    (1..16).map(act).collect()
}
