//! Amounts that move between the accounts of a bank, and reads of all its accounts at once.
//!
//! A key is a bank: its accounts bear its name as their hash tag, so they are in one slot.

use redis::{Cmd, Value};
use smallvec::smallvec;

use super::locks::beside;
use super::session::again;
use super::{Draw, Next, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue};
use crate::model::op::{Action, Op, TransferOp};
use crate::spec::scenario::By;

/// The accounts of a bank, and what each is opened with.
const ACCOUNTS: u16 = 8;
const OPENED: i64 = 1_000;
/// The most that is moved at once.
const MOST: u64 = 10;

const SCRIPT: &str = "\
redis.call('DECRBY', KEYS[1], ARGV[1])
redis.call('INCRBY', KEYS[2], ARGV[1])
return 1";

#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) by: By,
}

impl Sessions for Transfer {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        if reads {
            return smallvec![Plan::bare(key, self.last())];
        }
        let from = draw.below(u64::from(ACCOUNTS)) as u16;
        let step = 1 + draw.below(u64::from(ACCOUNTS) - 1) as u16;
        let amount = 1 + draw.below(MOST) as u32;
        let to = (from + step) % ACCOUNTS;
        smallvec![Plan::bare(key, Action::Transfer(TransferOp::Move { from, to, amount }))]
    }

    fn fill(&self, _: u64) -> Option<Action> {
        let opened = vec![OPENED; usize::from(ACCOUNTS)];
        Some(Action::Transfer(TransferOp::Open(opened.into())))
    }

    fn last(&self) -> Action {
        Action::Transfer(TransferOp::Balances(Box::default()))
    }

    fn command(&self, key: &str, plan: &Plan, _: &mut Values) -> (Commands, Read) {
        match &plan.action {
            Action::Transfer(TransferOp::Open(balances)) => {
                let mut all = Cmd::new();
                all.arg("MSET");
                for (account, balance) in (0..).zip(balances) {
                    all.arg(name(key, account)).arg(*balance);
                }
                (all.into(), moved)
            }
            Action::Transfer(TransferOp::Move { from, to, amount }) => {
                (self.transfer(&name(key, *from), &name(key, *to), *amount), moved)
            }
            _ => (get((0..ACCOUNTS).map(|account| name(key, account))).into(), balances),
        }
    }

    fn then(&self, ended: &[Op], step: u32) -> Option<Next> {
        again(ended.first()?, step)
    }
}

impl Transfer {
    fn transfer(&self, from: &str, to: &str, amount: u32) -> Commands {
        let by = |name: &str, account: &str| {
            let mut command = redis::cmd(name);
            command.arg(account).arg(amount);
            command
        };
        let both = || vec![by("DECRBY", from), by("INCRBY", to)];
        match self.by {
            By::Pipeline => Commands::Pipeline(both()),
            // Of a counter.
            By::Multi | By::Incr | By::GetSet => Commands::Transaction(both()),
            By::Script => {
                let mut script = redis::cmd("EVAL");
                script.arg(SCRIPT).arg(2).arg(from).arg(to).arg(amount);
                script.into()
            }
            By::Watch => {
                let mut watch = redis::cmd("WATCH");
                watch.arg(from).arg(to);
                let (a, b) = (from.to_owned(), to.to_owned());
                let read = get([from, to].map(str::to_owned));
                let then = move |seen: &Value| {
                    let seen = numbers(seen)?;
                    let amount = i64::from(amount);
                    let set = |account: &str, balance: i64| {
                        let mut command = redis::cmd("SET");
                        command.arg(account).arg(balance);
                        command
                    };
                    Some(vec![set(&a, seen.first()? - amount), set(&b, seen.get(1)? + amount)])
                };
                Commands::Watched { watch, read, then: Box::new(then) }
            }
        }
    }
}

/// `{app:3}:0`
fn name(bank: &str, account: u16) -> String {
    beside(bank, &account.to_string())
}

fn get(accounts: impl IntoIterator<Item = String>) -> Cmd {
    let mut all = redis::cmd("MGET");
    accounts.into_iter().for_each(|account| _ = all.arg(account));
    all
}

/// Of a script, of EXEC, and of MSET.
fn moved(value: &Value) -> Option<ReplyValue> {
    matches!(value, Value::Okay | Value::Int(_) | Value::Array(_)).then_some(ReplyValue::Done)
}

fn balances(value: &Value) -> Option<ReplyValue> {
    let all = numbers(value)?;
    Some(ReplyValue::Found(Action::Transfer(TransferOp::Balances(all.into()))))
}

/// An account that is not there has nothing.
fn numbers(value: &Value) -> Option<Vec<i64>> {
    let Value::Array(all) = value else { return None };
    let number = |one: &Value| match one {
        Value::Nil => Some(0),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    };
    all.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::workload::session::TRIES;
    use crate::model::Nanos;
    use crate::model::op::{Cause, Outcome};
    use crate::model::slot::slot_of;

    #[test]
    fn the_accounts_of_a_bank_are_in_its_slot() {
        assert_eq!(name("app:3", 7), "{app:3}:7");
        assert_eq!(slot_of(b"{app:3}:7"), slot_of(b"app:3"));
    }

    #[test]
    fn whoever_was_too_slow_tries_again_and_nobody_else_does() {
        let bank = Transfer { by: By::Watch };
        let action = Action::Transfer(TransferOp::Move { from: 0, to: 1, amount: 5 });
        let ended = |outcome| Op { outcome, ..Op::new(3, action.clone(), Nanos(0), Nanos(1)) };
        let conflict = ended(Outcome::Fail(Cause::Conflict));
        let then = |op: &Op, step| bank.then(std::slice::from_ref(op), step);
        let next = then(&conflict, 0).map(|next| next.stage.into_vec());
        assert_eq!(next, Some(vec![Plan::bare(3, action.clone())]));
        assert!(then(&conflict, TRIES).is_none(), "not for ever");
        assert!(then(&ended(Outcome::Ok), 0).is_none());
        assert!(then(&ended(Outcome::Unknown(Cause::Timeout)), 0).is_none());
    }
}
