//! Reading histories that Jepsen wrote: operations on registers.
//!
//! An operation is two events, its invocation and its completion. As EDN:
//!
//! ```text
//! {:process 0, :type :invoke, :f :write, :value 3, :time 1200, :index 0}
//! {:process 0, :type :ok, :f :write, :value 3, :time 3400, :index 1}
//! ```
//!
//! or line by line, as in `history.txt` and in logs (see [`lines`]):
//!
//! ```text
//! 0   :invoke   :write   3
//! INFO  jepsen.util - 0   :ok   :write   3
//! ```
//!
//! `:type` is `:invoke`, `:ok`, `:fail` (it did not happen) or `:info` (nobody knows); `:f` is
//! `:read`, `:write`, `:cas`, whose value is `[expected new]`, or `:txn`: what it did to several
//! registers at once, such as `[[:read :x 1] [:write :y 2]]`. Where there are several keys a
//! value is `[key value]`, as Jepsen's `independent` writes it. Keys and values are numbers,
//! keywords or strings ([`Names`]). What the nemesis did is passed over.
//!
//! Instants are `:time`. If one of them is missing or no whole number, all instants are the
//! places of the events in the file, and one event stands for a millisecond.

mod acts;
mod form;
mod lines;
mod names;

use std::collections::HashMap;

use crate::model::Nanos;
use crate::model::op::{Action, BEGINNING, Cause, Op, Outcome, Part, RegisterOp};

use acts::{Acts, Meaning, Verb};
pub use form::EdnError;
use form::{Form, Reader, wrong};
pub use names::Names;

/// One event in a history without times.
pub const EVENT: Nanos = Nanos(1_000_000);

/// A history from elsewhere.
#[derive(Debug)]
pub struct Foreign {
    /// In the order of their invocations. Those of a transaction have one number of a session.
    pub ops: Vec<Op>,
    pub names: Names,
    /// The instants are times, and not the places of events.
    pub is_timed: bool,
    /// How many operations the file has, those that say nothing included.
    pub count: usize,
    /// Reads that found nil, which says nothing.
    pub said_nothing: usize,
}

/// Reads a history. `initial` is what each key holds at the beginning, as it is written there;
/// `nil` for no key. Without it, a read that found nil says nothing, as in Knossos.
///
/// # Errors
/// The first thing that does not belong into such a history, with its line.
pub fn parse(text: &str, initial: Option<&str>) -> Result<Foreign, EdnError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairing = Pairing::default();
    pairing.meaning.nil_is_found = initial == Some("nil");
    if lines::are_lines(text) {
        lines::each(text, |line, form| pairing.hear(line, form))?;
    } else {
        let mut reader = Reader::new(text, 1);
        while let Some((line, form)) = reader.next()? {
            match form {
                Form::List(forms) => forms.iter().try_for_each(|form| pairing.hear(line, form))?,
                form => pairing.hear(line, &form)?,
            }
        }
    }
    pairing.done(initial.filter(|initial| *initial != "nil"))
}

/// An invocation and, once it is there, its completion.
struct Pair {
    process: u32,
    verb: Verb,
    acts: Acts,
    /// Indices of its events.
    began: usize,
    ended: usize,
    /// Unknown until its completion is read.
    outcome: Outcome,
}

/// Matches completions with their invocations.
#[derive(Default)]
struct Pairing {
    pairs: Vec<Pair>,
    /// By process: the operation that it has in flight.
    open: HashMap<u32, usize>,
    /// Of each event, its line, and its time if it has one.
    events: Vec<(usize, Option<u64>)>,
    meaning: Meaning,
}

impl Pairing {
    fn hear(&mut self, line: usize, form: &Form) -> Result<(), EdnError> {
        let Form::Map(_) = form else { return Err(wrong(line, "an operation is a map")) };
        let field = |name: &str| form.get(name).unwrap_or(&Form::Nil);
        let process = field("process");
        let is_nemesis = process.word().is_some();
        // Its time does not matter.
        self.events.push((line, if is_nemesis { Some(0) } else { field("time").number() }));
        if is_nemesis {
            return Ok(());
        }
        let process = process.number().and_then(|number| u32::try_from(number).ok());
        let process = process.filter(|process| *process != BEGINNING);
        let process = process.ok_or_else(|| wrong(line, ":process is not a number"))?;
        let verb = Verb::of(field("f")).map_err(|what| wrong(line, what))?;
        let outcome = match field("type").word() {
            Some("invoke") => return self.invoke(line, process, verb, field("value")),
            Some("ok") => Outcome::Ok,
            Some("fail") => Outcome::Fail(Cause::Other),
            Some("info") => Outcome::Unknown(Cause::Other),
            _ => return Err(wrong(line, ":type is not :invoke, :ok, :fail or :info")),
        };
        self.complete(line, process, verb, field("value"), outcome)
    }

    fn invoke(
        &mut self,
        line: usize,
        process: u32,
        verb: Verb,
        value: &Form,
    ) -> Result<(), EdnError> {
        let acts = self.meaning.of(verb, value).map_err(|what| wrong(line, what))?;
        if self.open.insert(process, self.pairs.len()).is_some() {
            let what = format!("process {process} has an operation in flight already");
            return Err(wrong(line, what));
        }
        let (began, outcome) = (self.events.len() - 1, Outcome::Unknown(Cause::Other));
        self.pairs.push(Pair { process, verb, acts, began, ended: began, outcome });
        Ok(())
    }

    fn complete(
        &mut self,
        line: usize,
        process: u32,
        verb: Verb,
        value: &Form,
        outcome: Outcome,
    ) -> Result<(), EdnError> {
        let open = self.open.remove(&process).map(|i| &mut self.pairs[i]);
        let Some(pair) = open.filter(|pair| pair.verb == verb) else {
            let what = format!("process {process} has no such operation in flight");
            return Err(wrong(line, what));
        };
        if outcome == Outcome::Ok && verb.finds() {
            let acts = self.meaning.of(verb, value).map_err(|what| wrong(line, what))?;
            if verb == Verb::Read && acts.key() != pair.acts.key() {
                let asked = self.meaning.names.key(pair.acts.key());
                return Err(wrong(line, format!("key {asked} was to be read")));
            }
            pair.acts = acts;
        }
        (pair.ended, pair.outcome) = (self.events.len() - 1, outcome);
        Ok(())
    }

    fn done(mut self, initial: Option<&str>) -> Result<Foreign, EdnError> {
        let initial = match initial {
            Some(text) => Some(self.meaning.names.initial(text).map_err(|what| wrong(0, what))?),
            None => None,
        };
        let is_timed = self.events.iter().all(|(_, time)| time.is_some());
        // The initial value was there before the first instant.
        let shift = u64::from(initial.is_some());
        let at = |event: usize| match self.events[event].1.filter(|_| is_timed) {
            Some(time) => Nanos(time + shift),
            None => Nanos((event as u64 + 1) * EVENT.0),
        };
        let mut ops = Vec::new();
        let mut said_nothing = 0;
        for (number, pair) in self.pairs.iter().enumerate() {
            let (sent, done) = (at(pair.began), at(pair.ended));
            if done < sent {
                return Err(wrong(self.events[pair.ended].0, "it ended before it began"));
            }
            said_nothing += usize::from(pair.outcome == Outcome::Ok && pair.acts.is_empty());
            let part = |last| Part {
                session: number as u64,
                step: 0,
                began: sent,
                late: Nanos::ZERO,
                last,
            };
            let count = pair.acts.len();
            for (i, (key, act)) in pair.acts.iter().enumerate() {
                let part = (count > 1).then(|| part(i + 1 == count));
                let op = Op::new(key, Action::Register(act), sent, done);
                ops.push(Op { process: pair.process, outcome: pair.outcome, part, ..op });
            }
        }
        if let Some(value) = initial {
            let mut keys: Vec<u64> = ops.iter().map(|op| op.key).collect();
            keys.sort_unstable();
            keys.dedup();
            let write = Action::Register(RegisterOp::Write(value));
            let first = |key| Op::new(key, write.clone(), Nanos::ZERO, Nanos::ZERO);
            let first = keys.into_iter().map(|key| Op { process: BEGINNING, ..first(key) });
            ops.splice(0..0, first);
        }
        let count = self.pairs.len();
        Ok(Foreign { ops, names: self.meaning.names, is_timed, count, said_nothing })
    }
}

#[cfg(test)]
mod tests;
