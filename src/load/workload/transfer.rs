//! Amounts that move between the accounts of a bank, and reads of all its accounts at once.
//!
//! A key is a bank: its accounts bear its name as their hash tag, so they are in one slot.

use std::rc::Rc;

use rand::RngExt;
use redis::{Cmd, Value};
use smallvec::smallvec;

use super::locks::beside;
use super::session::again;
use super::{Draw, Next, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue};
use crate::model::op::{Action, Op, TransferOp};
use crate::spec::scenario::{By, Transfers};

/// The accounts of a bank, and what each is opened with.
const ACCOUNTS: u16 = 8;
const OPENED: i64 = 1_000;
/// The most that is moved at once.
const MOST: u64 = 10;

/// The first account pays what the others get. Where ARGV[2] says so, a command fails after the first
/// one, and the script ends: nothing of it is taken back.
const SCRIPT: &str = "\
redis.call('DECRBY', KEYS[1], ARGV[1] * (#KEYS - 1))
if ARGV[2] == '1' then return {1, redis.pcall('LPUSH', KEYS[1], ARGV[1])} end
for i = 2, #KEYS do redis.call('INCRBY', KEYS[i], ARGV[1]) end
return 1";

#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) by: By,
    pub(super) what: Transfers,
}

impl Sessions for Transfer {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        if reads {
            return smallvec![Plan::bare(key, self.last())];
        }
        let from = draw.below(u64::from(ACCOUNTS)) as u16;
        let step = draw.below(u64::from(ACCOUNTS) - 1) as u16;
        let amount = 1 + draw.below(MOST) as u32;
        // The others follow the first who gets it, past the one who pays.
        let gets = |n: u16| (from + 1 + (step + n) % (ACCOUNTS - 1)) % ACCOUNTS;
        let others = (1..self.what.accounts - 1).map(gets).collect();
        let fails = self.what.failing > 0.0 && draw.rng.random_bool(self.what.failing);
        let action = TransferOp::Move { from, to: gets(0), amount, others, fails };
        smallvec![Plan::bare(key, Action::Transfer(action))]
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
                    all.arg(self.name(key, account)).arg(*balance);
                }
                (all.into(), moved)
            }
            Action::Transfer(TransferOp::Move { from, to, amount, others, fails }) => {
                let accounts = [&[*from, *to][..], others].concat();
                (self.transfer(self.names(key, accounts), i64::from(*amount), *fails), moved)
            }
            _ => (get(&self.names(key, 0..ACCOUNTS)).into(), balances),
        }
    }

    fn then(&self, ended: &[Op], step: u32) -> Option<Next> {
        again(ended.first()?, step)
    }
}

impl Transfer {
    /// The first of `accounts` pays `amount` to each of the others.
    fn transfer(&self, accounts: Vec<String>, amount: i64, fails: bool) -> Commands {
        let getting = accounts.len() as i64 - 1;
        let changes = [-amount * getting].into_iter().chain(std::iter::repeat(amount));
        let all = || commands("INCRBY", &accounts, changes.clone(), fails);
        match self.by {
            By::Pipeline => Commands::Pipeline(all()),
            // Of a counter.
            By::Multi | By::Incr | By::GetSet | By::Lock => Commands::Transaction(all()),
            By::Script => {
                let mut script = redis::cmd("EVAL");
                script.arg(SCRIPT).arg(accounts.len()).arg(&accounts);
                script.arg(amount).arg(u8::from(fails));
                script.into()
            }
            By::Watch => {
                let mut watch = redis::cmd("WATCH");
                watch.arg(&accounts);
                let read = get(&accounts);
                let then = move |seen: &Value| {
                    let seen = numbers(seen).filter(|seen| seen.len() == accounts.len())?;
                    let after = seen.iter().zip(changes.clone()).map(|(had, change)| had + change);
                    Some(commands("SET", &accounts, after, fails))
                };
                Commands::Watched { watch, read, then: Rc::new(then) }
            }
        }
    }

    fn names(&self, bank: &str, accounts: impl IntoIterator<Item = u16>) -> Vec<String> {
        accounts.into_iter().map(|account| self.name(bank, account)).collect()
    }

    /// `{app:3}:0`, or without its hash tag.
    fn name(&self, bank: &str, account: u16) -> String {
        match self.what.tagged {
            true => beside(bank, &account.to_string()),
            false => format!("{bank}:{account}"),
        }
    }
}

fn with_number(command: &str, account: &str, number: i64) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(account).arg(number);
    command
}

/// What changes the accounts, one command each. If it `fails`, one that fails follows the first one:
/// an account is no list.
fn commands(
    command: &str,
    accounts: &[String],
    numbers: impl Iterator<Item = i64>,
    fails: bool,
) -> Vec<Cmd> {
    let one = |(account, number): (&String, i64)| with_number(command, account, number);
    let mut all: Vec<Cmd> = accounts.iter().zip(numbers).map(one).collect();
    if fails {
        all.insert(1, with_number("LPUSH", &accounts[0], 0));
    }
    all
}

fn get(accounts: &[String]) -> Cmd {
    let mut all = redis::cmd("MGET");
    all.arg(accounts);
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
        let bank = Transfer { by: By::Multi, what: Transfers::default() };
        assert_eq!(bank.name("app:3", 7), "{app:3}:7");
        assert_eq!(slot_of(b"{app:3}:7"), slot_of(b"app:3"));
    }

    #[test]
    fn whoever_was_too_slow_tries_again_and_nobody_else_does() {
        let bank = Transfer { by: By::Watch, what: Transfers::default() };
        let (others, fails) = (Box::default(), false);
        let action =
            Action::Transfer(TransferOp::Move { from: 0, to: 1, amount: 5, others, fails });
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
