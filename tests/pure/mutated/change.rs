//! Changes of a history, and of what single operations found.

use redrill::model::Nanos;
use redrill::model::op::*;

use super::{Random, is_final, is_ok};

/// Whether its outcome decides nothing that the judges know of.
fn keeps_its_row(op: &Op) -> bool {
    op.purpose == Purpose::Fill || matches!(op.action, Action::Lock(_) | Action::Cache(_))
}

/// One operation found or did something else, or ended otherwise, or is missing.
pub fn at_random(
    random: &mut Random,
    ops: &[Op],
    change: fn(&mut Random, &mut Op) -> bool,
) -> Vec<Op> {
    let mut ops = ops.to_vec();
    for _ in 0..200 {
        let at = random.below(ops.len() as u64) as usize;
        let (is_kept, before) = (keeps_its_row(&ops[at]), ops[at].intended);
        match random.below(8) {
            0 if !is_kept => _ = ops.remove(at),
            1 if !is_kept => {
                ops[at].outcome = match ops[at].outcome {
                    Outcome::Fail(_) => Outcome::Ok,
                    Outcome::Ok if random.percent(50) => Outcome::Fail(Cause::Refused),
                    Outcome::Ok | Outcome::Unknown(_) => Outcome::Unknown(Cause::Timeout),
                }
            }
            _ if is_ok(&ops[at]) && change(random, &mut ops[at]) => {
                let used = ops[at].clone();
                acquire_earlier(&mut ops, &used, before.0 - used.intended.0);
            }
            _ => continue,
        }
        break;
    }
    ops.sort_by_key(|op| op.done);
    ops
}

/// The final reads of a key are not answered.
pub fn unread(random: &mut Random, ops: &[Op]) -> Vec<Op> {
    let finals: Vec<u64> = ops.iter().filter(|op| is_final(op)).map(|op| op.key).collect();
    let key = finals.get(random.below(finals.len() as u64) as usize);
    let change = |op: &Op| match is_final(op) && Some(&op.key) == key {
        true => Op { outcome: Outcome::Unknown(Cause::Timeout), ..op.clone() },
        false => op.clone(),
    };
    ops.iter().map(change).collect()
}

pub fn later(ops: &[Op], by: Nanos) -> Vec<Op> {
    let later = |op: &Op| {
        let mut op = op.clone();
        for at in [&mut op.intended, &mut op.sent, &mut op.done] {
            at.0 += by.0;
        }
        if let Action::Cache(CacheOp::Write { at, .. }) = &mut op.action {
            at.0 += by.0;
        }
        op
    };
    ops.iter().map(later).collect()
}

/// The keys one after the other.
pub fn shuffled(random: &mut Random, ops: &[Op]) -> Vec<Op> {
    let mut ops = ops.to_vec();
    let turn = random.below(3);
    ops.sort_by_key(|op| (op.key + turn) % 3);
    ops
}

pub fn other_keys(ops: &[Op]) -> Vec<Op> {
    ops.iter().map(|op| Op { key: op.key * 7 + 3, ..op.clone() }).collect()
}

/// A value that was written to the key, or none, or one that never was.
fn some_value(random: &mut Random, key: u64) -> Option<u64> {
    match random.below(10) {
        0 => None,
        1 => Some(55_555),
        2 => Some(key * 1_000 + 999),
        _ => Some(key * 1_000 + random.below(7)),
    }
}

pub fn registers(random: &mut Random, op: &mut Op) -> bool {
    let Action::Register(RegisterOp::Read(value)) = &mut op.action else { return false };
    *value = some_value(random, op.key);
    true
}

pub fn compare_and_set(random: &mut Random, op: &mut Op) -> bool {
    match &mut op.action {
        Action::Register(RegisterOp::Cas { from, .. }) => *from = some_value(random, op.key),
        Action::Register(RegisterOp::Read(value)) => *value = some_value(random, op.key),
        _ => return false,
    }
    true
}

pub fn counters(random: &mut Random, op: &mut Op) -> bool {
    let Action::Counter(CounterOp::Read(Some(total)) | CounterOp::Add(Some(total))) =
        &mut op.action
    else {
        return false;
    };
    *total = (*total + random.below(7)).saturating_sub(3);
    true
}

/// One is missing, stands twice, or never went in.
fn elements(random: &mut Random, all: &mut Box<[u64]>) -> bool {
    let mut other = all.to_vec();
    match random.below(3) {
        0 => other.push(777),
        _ if other.is_empty() => return false,
        1 => other.push(other[random.below(other.len() as u64) as usize]),
        _ => _ = other.remove(random.below(other.len() as u64) as usize),
    }
    *all = other.into();
    true
}

pub fn sets(random: &mut Random, op: &mut Op) -> bool {
    let Action::Set(SetOp::Members(all)) = &mut op.action else { return false };
    elements(random, all)
}

pub fn queues(random: &mut Random, op: &mut Op) -> bool {
    match &mut op.action {
        Action::Queue(QueueOp::Drain(all)) => elements(random, all),
        Action::Queue(QueueOp::Pop(Some(element))) => {
            *element = if random.percent(20) { 777 } else { random.below(14) };
            true
        }
        _ => false,
    }
}

pub fn transfers(random: &mut Random, op: &mut Op) -> bool {
    let Action::Transfer(TransferOp::Balances(held)) = &mut op.action else { return false };
    let by = 1 << random.below(8);
    held[random.below(3) as usize] += by;
    held[random.below(3) as usize] -= if random.percent(50) { by } else { 0 };
    true
}

pub fn dual_writes(random: &mut Random, op: &mut Op) -> bool {
    let Action::Register(RegisterOp::Read(value)) = &mut op.action else { return false };
    *value = Some(1 + random.below(6)).filter(|_| !random.percent(10));
    true
}

/// The session had it earlier, and so read earlier what it guards.
pub fn locks(random: &mut Random, op: &mut Op) -> bool {
    let is_first_use = matches!(op.action, Action::Lock(LockOp::Read { .. })) && !is_final(op);
    if is_first_use {
        earlier(op, 400 + random.below(45) * 10);
    }
    is_first_use
}

fn earlier(op: &mut Op, by: u64) {
    for at in [&mut op.intended, &mut op.sent, &mut op.done] {
        at.0 -= by;
    }
}

/// Got as much earlier as it was used.
fn acquire_earlier(ops: &mut [Op], used: &Op, by: u64) {
    let Action::Lock(action) = used.action else { return };
    let is_got = |op: &&mut Op| match op.action {
        Action::Lock(LockOp::Acquire { token, .. }) => token == action.token(),
        _ => false,
    };
    ops.iter_mut().filter(is_got).for_each(|op| earlier(op, by));
}

pub fn caches(random: &mut Random, op: &mut Op) -> bool {
    let Action::Cache(CacheOp::Read { version: Some(version), .. }) = &mut op.action else {
        return false;
    };
    *version = (*version + random.below(5)).saturating_sub(3).max(1);
    true
}

pub fn causality(random: &mut Random, op: &mut Op) -> bool {
    let Action::Register(RegisterOp::Read(value)) = &mut op.action else { return false };
    let was = value.take();
    if random.percent(40) {
        *value = Some(1 + random.below(15));
    }
    *value != was
}
