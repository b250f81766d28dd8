//! Two checks of the order of operations on each register, which share one reading of the
//! history: whether the operations on a key have an order at all (linearizability), and what
//! each client saw of it ([`Sessions`]).

use crate::model::Verdict;

use super::checker::{Checked, Checker, Context};
use super::finding::{Example, Examples, Proof, Zero};
use super::linear::{self, Call, Calls, Judged, Order};
use super::parts::{self, HELD, History, Keys, ReadError};
use super::sessions::Sessions;

/// The steps of a search for each key, and for all keys together. Only keys with a value that was
/// written more than once need a search, and redrill's own loads have none.
const STEPS: u64 = 300_000;
const ALL_STEPS: u64 = 10_000_000;

/// Judges for each key whether its operations have an order, and for each client whether it saw
/// its own writes and never went back in time.
pub struct Orders;

impl Checker for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let (linearizable, sessions) = read(history, HELD, context.zero)?;
        let mut told = linearizable.told(context.whole);
        told.add(sessions.told());
        Ok(told)
    }
}

pub(super) fn read(
    history: &dyn History,
    limit: usize,
    zero: Zero,
) -> Result<(Linearizable, Sessions), ReadError> {
    let (mut linearizable, mut sessions) =
        (Linearizable::counted_from(zero), Sessions::counted_from(zero));
    parts::in_parts(history, limit, |keys: Keys<Calls>, _| {
        let mut keys: Vec<((u8, u64), Calls)> = keys.into_iter().collect();
        // Keys that cost little are judged before all steps are used up.
        keys.sort_unstable_by_key(|(key, calls)| (calls.of_clients.len(), *key));
        for ((load, key), Calls { of_clients: mut calls, last }) in keys {
            let wrong = sessions.wrong();
            sessions.judge(load, key, &mut calls);
            calls.extend(last);
            linearizable.judge((load, key), &calls, sessions.wrong() > wrong);
        }
        Ok(())
    })?;
    Ok((linearizable, sessions))
}

/// The results for all keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Linearizable {
    /// Keys with at least one operation that took effect, or may have.
    pub keys: u64,
    /// Keys whose operations no order explains.
    pub broken: u64,
    /// Keys of which an order explains everything except values that nobody wrote.
    pub strange: u64,
    /// Keys for which the search was given up.
    pub undecided: u64,
    /// That were taken by the searches so far.
    steps: u64,
    examples: Examples,
}

impl Linearizable {
    fn counted_from(zero: Zero) -> Linearizable {
        Linearizable { examples: Examples::counted_from(zero), ..Linearizable::default() }
    }

    /// If a session went `wrong`, no order explains what it saw.
    fn judge(&mut self, (load, key): (u8, u64), calls: &[Call], wrong: bool) {
        self.keys += u64::from(!calls.is_empty());
        let steps = STEPS.min(ALL_STEPS - self.steps);
        let mut left = steps;
        let Judged { order, unwritten } = linear::judge(calls, &mut left);
        self.steps += steps - left;
        match order {
            Order::Impossible(window) => {
                self.broken += 1;
                self.show(load, key, window);
            }
            Order::Exists | Order::Undecided if wrong => self.broken += 1,
            Order::Exists | Order::Undecided if !unwritten.is_empty() => self.strange += 1,
            Order::Undecided => self.undecided += 1,
            Order::Exists => {}
        }
    }

    /// The smallest windows first.
    fn show(&mut self, load: u8, key: u64, window: Vec<Call>) {
        let Some((first, last)) = window.first().zip(window.last()).map(|(a, b)| (*a, *b)) else {
            return;
        };
        self.examples.offer((window.len() as u64, first.sent.0, load, key), |zero| {
            let told: Vec<String> = window.iter().map(|call| call.told(zero)).collect();
            let text = format!(
                "no order explains these {} operations on key {key}: {}",
                window.len(),
                told.join("; ")
            );
            let window = window.iter().map(Proof::from).collect();
            Example { window, ..Example::new(load, key, last.sent, text) }
        });
    }

    /// The number of keys that are not linearizable, at least. `whole` says that the history is
    /// complete: in one that was cut off, the write of an unknown value may be among the
    /// missing rows.
    pub fn violated(&self, whole: bool) -> u64 {
        self.broken + if whole { self.strange } else { 0 }
    }

    pub fn verdict(&self, whole: bool) -> Verdict {
        match (self.violated(whole), self.undecided + self.strange) {
            (0, 0) => Verdict::Pass,
            (0, _) => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }

    pub fn told(&self, whole: bool) -> Checked {
        let (count, verdict) = (self.violated(whole), self.verdict(whole));
        let mut text = format!("{count} of {} keys not linearizable", self.keys);
        if !whole && self.strange > 0 {
            text += &format!("; of {} the writes are missing", self.strange);
        }
        if self.undecided > 0 {
            text += &format!("; the search was given up for {}", self.undecided);
        }
        let mut told = Checked::default();
        told.find("keys.not_linearizable", verdict, (count, text), &self.examples);
        let sure = verdict != Verdict::Unknown;
        told.measure("keys.not_linearizable", sure.then_some(count as f64));
        told
    }
}
