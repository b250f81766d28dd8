//! What a history proves, by the definitions and by trying everything.

use std::collections::BTreeSet;

use redrill::model::Nanos;
use redrill::model::op::*;

use super::{Truth, is_final, is_ok};

/// How long an old version of an entity may be served after a newer one's acknowledgement.
pub const OLD_FOR: u64 = 1_500;

/// What each key's operations prove: wrong if one is, else unread if one is.
fn each_key(ops: &[Op], judge: impl Fn(&[&Op]) -> Truth) -> Truth {
    let keys: BTreeSet<u64> = ops.iter().map(|op| op.key).collect();
    let truths = keys.into_iter().map(|key| {
        let of_key: Vec<&Op> = ops.iter().filter(|op| op.key == key).collect();
        judge(&of_key)
    });
    let truths: Vec<Truth> = truths.collect();
    let first = |truth| truths.contains(&truth).then_some(truth);
    first(Truth::Wrong).or(first(Truth::Unread)).unwrap_or(Truth::Right)
}

/// What a part proves that is not wrong.
fn if_read(is_read: bool) -> Truth {
    if is_read { Truth::Right } else { Truth::Unread }
}

fn may_be_done(op: &Op) -> bool {
    !matches!(op.outcome, Outcome::Fail(_))
}

fn final_of<'o>(ops: &[&'o Op]) -> Option<&'o Op> {
    ops.iter().copied().find(|op| is_final(op) && is_ok(op))
}

pub fn registers(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let mut left: Vec<&Op> = ops.iter().copied().filter(|op| may_be_done(op)).collect();
        left.retain(|op| is_ok(op) || !matches!(op.action, Action::Register(RegisterOp::Read(_))));
        match has_order(None, &left) {
            true => if_read(final_of(ops).is_some()),
            false => Truth::Wrong,
        }
    })
}

pub fn compare_and_set(ops: &[Op]) -> Truth {
    registers(ops)
}

/// Whether one order of all operations explains what each found. Those without an answer may come at
/// any time after they were sent, or never.
fn has_order(held: Option<u64>, left: &[&Op]) -> bool {
    let first_end = left.iter().filter(|op| is_ok(op)).map(|op| op.done).min();
    let Some(first_end) = first_end else { return true };
    let mut next = (0..left.len()).filter(|at| left[*at].sent <= first_end);
    next.any(|at| {
        let after = match left[at].action {
            Action::Register(RegisterOp::Read(value)) => (value == held).then_some(held),
            Action::Register(RegisterOp::Write(value)) => Some(Some(value)),
            Action::Register(RegisterOp::Cas { from, to }) => (from == held).then_some(Some(to)),
            _ => None,
        };
        let rest: Vec<&Op> = [&left[..at], &left[at + 1..]].concat();
        after.is_some_and(|after| has_order(after, &rest))
    })
}

pub fn counters(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let is_add = |op: &Op| matches!(op.action, Action::Counter(CounterOp::Add(_)));
        let adds: Vec<&Op> = ops.iter().copied().filter(|op| is_add(op)).collect();
        let total = |op: &Op| match op.action {
            _ if !is_ok(op) => None,
            Action::Counter(CounterOp::Add(total)) => total,
            Action::Counter(CounterOp::Read(total)) => Some(total.unwrap_or(0)),
            _ => None,
        };
        let is_possible = |op: &Op, total_now: u64| {
            let own = u64::from(is_add(op));
            let before = adds.iter().filter(|add| is_ok(add) && add.done < op.sent).count() as u64;
            let by_then = adds.iter().filter(|add| may_be_done(add) && add.sent <= op.done).count();
            let earlier = ops.iter().filter(|other| other.done < op.sent);
            let known = earlier.filter_map(|other| total(other)).max().unwrap_or(0);
            let is_own = |other: &&&Op| is_add(other) && total(other) == Some(total_now);
            let twice = is_add(op) && ops.iter().filter(is_own).count() > 1;
            total_now >= before + own
                && total_now >= known + own
                && total_now <= by_then as u64
                && !twice
        };
        let mut told = ops.iter().filter_map(|op| Some((op, total(op)?)));
        let all_possible = told.all(|(op, total)| match is_final(op) {
            // What was told before the end is judged where it was told.
            true => {
                let acknowledged = adds.iter().filter(|add| is_ok(add)).count() as u64;
                let most = adds.iter().filter(|add| may_be_done(add)).count() as u64;
                (acknowledged..=most).contains(&total)
            }
            false => is_possible(op, total),
        });
        let nothing = !adds.iter().any(|add| is_ok(add));
        if all_possible { if_read(final_of(ops).is_some() || nothing) } else { Truth::Wrong }
    })
}

pub fn sets(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let inserts = |is: fn(&Op) -> bool| -> BTreeSet<u64> {
            let inserted = ops.iter().filter(|op| is(op)).filter_map(|op| match op.action {
                Action::Set(SetOp::Insert(element)) => Some(element),
                _ => None,
            });
            inserted.collect()
        };
        let Some(Action::Set(SetOp::Members(members))) = final_of(ops).map(|op| &op.action) else {
            return if_read(inserts(is_ok).is_empty());
        };
        let distinct: BTreeSet<u64> = members.iter().copied().collect();
        let right = distinct.len() == members.len()
            && inserts(is_ok).is_subset(&distinct)
            && distinct.is_subset(&inserts(may_be_done));
        if right { Truth::Right } else { Truth::Wrong }
    })
}

pub fn queues(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let (mut went_in, mut may_be_in, mut came_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut unanswered = 0;
        for op in ops {
            match &op.action {
                Action::Queue(QueueOp::Push(element)) => {
                    went_in.extend(is_ok(op).then_some(*element));
                    may_be_in.extend(may_be_done(op).then_some(*element));
                }
                Action::Queue(QueueOp::Pop(element)) if is_ok(op) => came_out.extend(*element),
                Action::Queue(QueueOp::Pop(_)) => unanswered += usize::from(may_be_done(op)),
                Action::Queue(QueueOp::Drain(all)) if is_ok(op) => came_out.extend(all.to_vec()),
                _ => {}
            }
        }
        let twice = came_out.iter().collect::<BTreeSet<_>>().len() < came_out.len();
        let unexpected = came_out.iter().any(|element| !may_be_in.contains(element));
        let missing = went_in.iter().filter(|element| !came_out.contains(element)).count();
        let drained = final_of(ops).is_some();
        match twice || unexpected || drained && missing > unanswered {
            true => Truth::Wrong,
            false => if_read(drained || went_in.is_empty()),
        }
    })
}

pub fn transfers(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let (mut held, mut perhaps) = ([0i64; 3], Vec::new());
        let apply = |held: &mut [i64; 3], from: u16, to: u16, amount: u32| {
            held[usize::from(from)] -= i64::from(amount);
            held[usize::from(to)] += i64::from(amount);
        };
        for op in ops {
            match &op.action {
                Action::Transfer(TransferOp::Open(all)) => {
                    held.iter_mut().zip(all).for_each(|(held, opened)| *held += opened);
                }
                Action::Transfer(TransferOp::Move { from, to, amount, .. }) if is_ok(op) => {
                    apply(&mut held, *from, *to, *amount);
                }
                Action::Transfer(TransferOp::Move { from, to, amount, .. }) if may_be_done(op) => {
                    perhaps.push((*from, *to, *amount));
                }
                _ => {}
            }
        }
        let sum: i64 = held.iter().sum();
        let balances = |op: &Op| match &op.action {
            Action::Transfer(TransferOp::Balances(all)) if is_ok(op) => Some(all.clone()),
            _ => None,
        };
        let torn =
            ops.iter().filter_map(|op| balances(op)).any(|all| all.iter().sum::<i64>() != sum);
        let is_explained = |end: Box<[i64]>| {
            (0u32..1 << perhaps.len()).any(|chosen| {
                let mut held = held;
                for (at, (from, to, amount)) in perhaps.iter().enumerate() {
                    if chosen & 1 << at != 0 {
                        apply(&mut held, *from, *to, *amount);
                    }
                }
                held[..] == *end
            })
        };
        let end = final_of(ops).and_then(balances);
        let is_read = end.is_some();
        if torn || !end.is_none_or(is_explained) { Truth::Wrong } else { if_read(is_read) }
    })
}

pub fn dual_writes(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let end = |group| {
            let of_group: Vec<&Op> = ops.iter().copied().filter(|op| op.group == group).collect();
            final_of(&of_group).map(|op| op.action.clone())
        };
        match (end(0), end(1)) {
            (Some(first), Some(second)) if first == second => Truth::Right,
            (Some(_), Some(_)) => Truth::Wrong,
            _ => Truth::Unread,
        }
    })
}

/// Somebody got the lock, and another one that had got it before used it afterwards.
pub fn locks(ops: &[Op]) -> Truth {
    // Whoever has the lock reads what it guards.
    let got = |op: &Op| match op.action {
        Action::Lock(LockOp::Read { token, .. }) if !is_final(op) => Some((token, op.intended)),
        _ => None,
    };
    each_key(ops, |ops| {
        let last_use = |token: u64| {
            let uses = ops.iter().filter(|op| match op.action {
                Action::Lock(LockOp::Write { token: its, taken: true, .. }) => its == token,
                _ => false,
            });
            uses.map(|op| op.sent).max().unwrap_or(Nanos(0))
        };
        let all: Vec<(u64, Nanos)> = ops.iter().filter_map(|op| got(op)).collect();
        let is_broken = |(first, before): &(u64, Nanos)| {
            all.iter().any(|(then, at)| then != first && before <= at && last_use(*first) > *at)
        };
        if all.iter().any(is_broken) { Truth::Wrong } else { Truth::Right }
    })
}

pub fn caches(ops: &[Op]) -> Truth {
    each_key(ops, |ops| {
        let writes = ops.iter().filter_map(|op| match op.action {
            Action::Cache(CacheOp::Write { version, at, .. }) => Some((version, at, op.done)),
            _ => None,
        });
        let writes: Vec<(u64, Nanos, Nanos)> = writes.collect();
        let is_wrong = |op: &&Op| {
            let Action::Cache(CacheOp::Read { version: Some(found), .. }) = op.action else {
                return false;
            };
            let there =
                |(version, at, _): &(u64, Nanos, Nanos)| *version == found && *at <= op.done;
            let newer = |(version, _, done): &(u64, Nanos, Nanos)| {
                *version > found && done.0 + OLD_FOR < op.sent.0
            };
            found != 1 && !writes.iter().any(there) || writes.iter().any(newer)
        };
        if ops.iter().any(is_wrong) { Truth::Wrong } else { Truth::Right }
    })
}

/// A read found an older value than one that its own past knows, or what comes after it.
pub fn causality(ops: &[Op]) -> Truth {
    if !ops.iter().all(is_ok) {
        return Truth::Untold;
    }
    let register = |op: &Op| match op.action {
        Action::Register(action) => action,
        _ => RegisterOp::Read(None),
    };
    let write_of = |value: u64| ops.iter().position(|op| register(op) == RegisterOp::Write(value));
    let n = ops.len();
    let mut before = vec![vec![false; n]; n];
    for (at, op) in ops.iter().enumerate() {
        (0..at).filter(|i| ops[*i].process == op.process).for_each(|i| before[i][at] = true);
        if let RegisterOp::Read(Some(value)) = register(op) {
            let Some(write) = write_of(value).filter(|i| ops[*i].key == op.key) else {
                return Truth::Untold;
            };
            before[write][at] = true;
        }
    }
    for k in 0..n {
        for i in 0..n {
            for j in 0..n {
                before[i][j] |= before[i][k] && before[k][j];
            }
        }
    }
    let is_circle = (0..n).any(|i| before[i][i]);
    let is_passed_over = (0..n).any(|read| {
        let RegisterOp::Read(found) = register(&ops[read]) else { return false };
        let found = found.and_then(write_of);
        (0..n).any(|other| {
            let writes = matches!(register(&ops[other]), RegisterOp::Write(_));
            let follows = found.is_none_or(|found| before[found][other]);
            writes && ops[other].key == ops[read].key && before[other][read] && follows
        })
    });
    if is_circle || is_passed_over {
        return Truth::Wrong;
    }
    let mut held = [None; 2];
    let as_one = ops.iter().all(|op| match register(op) {
        RegisterOp::Read(value) => value == held[op.key as usize],
        RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. } => {
            held[op.key as usize] = Some(value);
            true
        }
    });
    if as_one { Truth::Right } else { Truth::Untold }
}
