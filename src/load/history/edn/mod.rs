//! Reading histories that Jepsen wrote: operations on registers, as EDN.
//!
//! An operation is two maps, its invocation and its completion:
//!
//! ```text
//! {:process 0, :type :invoke, :f :write, :value 3, :time 1200, :index 0}
//! {:process 0, :type :ok, :f :write, :value 3, :time 3400, :index 1}
//! ```
//!
//! `:type` is `:invoke`, `:ok`, `:fail` (it did not happen) or `:info` (nobody knows); `:f` is
//! `:read`, `:write` or `:cas`, whose value is `[expected new]`. Where there are several
//! keys a value is `[key value]`, as Jepsen's `independent` writes it. Instants are `:time`,
//! or the places in the file if that is missing. What the nemesis did is passed over.

mod form;

use std::collections::HashMap;

use crate::model::Nanos;
use crate::model::op::{Action, Cause, Op, Outcome, RegisterOp};

pub use form::EdnError;
use form::{Form, Reader, wrong};

/// The operations of a history in EDN, in the order of their invocations.
///
/// # Errors
/// The first thing that does not belong into such a history, with its line.
pub fn parse(text: &str) -> Result<Vec<Op>, EdnError> {
    let mut history = Pairing::default();
    let mut reader = Reader::new(text);
    while let Some((line, form)) = reader.next()? {
        match form {
            Form::List(forms) => forms.iter().try_for_each(|form| history.hear(line, form))?,
            form => history.hear(line, &form)?,
        }
    }
    Ok(history.ops)
}

/// Matches completions with their invocations.
#[derive(Default)]
struct Pairing {
    ops: Vec<Op>,
    /// By process: the operation that it has in flight.
    open: HashMap<u32, usize>,
    events: u64,
}

impl Pairing {
    fn hear(&mut self, line: usize, form: &Form) -> Result<(), EdnError> {
        let Form::Map(_) = form else { return Err(wrong(line, "an operation is a map")) };
        let field = |name: &str| form.get(name).unwrap_or(&Form::Nil);
        self.events += 1;
        let at = Nanos(field("time").number().unwrap_or(self.events));
        let process = match field("process") {
            Form::Word(_) => return Ok(()),
            process => process.number().and_then(|number| u32::try_from(number).ok()),
        };
        let process = process.ok_or_else(|| wrong(line, ":process is not a number"))?;
        let verb = match field("f").word() {
            Some("read") => Verb::Read,
            Some("write") => Verb::Write,
            Some("cas") => Verb::Cas,
            other => {
                let name = other.map_or("nothing".to_owned(), |name| format!(":{name}"));
                return Err(wrong(line, format!(":f is {name}, not :read, :write or :cas")));
            }
        };
        let value = field("value");
        let outcome = match field("type").word() {
            Some("invoke") => return self.invoke(line, process, verb, value, at),
            Some("ok") => Outcome::Ok,
            Some("fail") => Outcome::Fail(Cause::Other),
            Some("info") => Outcome::Unknown(Cause::Other),
            _ => return Err(wrong(line, ":type is not :invoke, :ok, :fail or :info")),
        };
        self.complete(line, process, verb, value, at, outcome)
    }

    fn invoke(
        &mut self,
        line: usize,
        process: u32,
        verb: Verb,
        value: &Form,
        at: Nanos,
    ) -> Result<(), EdnError> {
        let (key, action) = meant(line, verb, value)?;
        if self.open.insert(process, self.ops.len()).is_some() {
            let what = format!("process {process} has an operation in flight already");
            return Err(wrong(line, what));
        }
        let action = match action {
            RegisterOp::Read(_) => RegisterOp::Read(None),
            action => action,
        };
        // Until its completion is read.
        let outcome = Outcome::Unknown(Cause::Other);
        self.ops.push(Op { process, outcome, ..Op::new(key, Action::Register(action), at, at) });
        Ok(())
    }

    fn complete(
        &mut self,
        line: usize,
        process: u32,
        verb: Verb,
        value: &Form,
        at: Nanos,
        outcome: Outcome,
    ) -> Result<(), EdnError> {
        let open = self.open.remove(&process).map(|i| &mut self.ops[i]);
        let Some(op) = open.filter(|op| verb.is_of(&op.action)) else {
            let what = format!("process {process} has no such operation in flight");
            return Err(wrong(line, what));
        };
        if at < op.sent {
            return Err(wrong(line, "it ended before it began"));
        }
        if outcome == Outcome::Ok && verb == Verb::Read {
            let (key, action) = meant(line, verb, value)?;
            if key != op.key {
                return Err(wrong(line, format!("key {} was to be read", op.key)));
            }
            op.action = Action::Register(action);
        }
        (op.done, op.outcome) = (at, outcome);
        Ok(())
    }
}

/// The meaning of `:f`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Write,
    Cas,
}

impl Verb {
    fn is_of(self, action: &Action) -> bool {
        let Action::Register(action) = action else { return false };
        self == match action {
            RegisterOp::Read(_) => Verb::Read,
            RegisterOp::Write(_) => Verb::Write,
            RegisterOp::Cas { .. } => Verb::Cas,
        }
    }
}

/// The key and the action in the value of an operation.
fn meant(line: usize, verb: Verb, value: &Form) -> Result<(u64, RegisterOp), EdnError> {
    let number = |form: &Form| match form {
        Form::Nil => Ok(None),
        form => {
            let what = || wrong(line, "keys and values are whole numbers from 0, or nil");
            form.number().map(Some).ok_or_else(what)
        }
    };
    let written =
        |form: &Form| number(form)?.ok_or_else(|| wrong(line, "what is to be written is missing"));
    let pair = |form: &Form| match form {
        Form::List(forms) => <&[Form; 2]>::try_from(&forms[..]).ok().cloned(),
        _ => None,
    };
    let (key, value) = match (verb, pair(value)) {
        (Verb::Cas, Some([key, change @ Form::List(_)])) => (number(&key)?, change),
        (Verb::Cas, _) | (_, None) => (None, value.clone()),
        (_, Some([key, value])) => (number(&key)?, value),
    };
    let action = match verb {
        Verb::Read => RegisterOp::Read(number(&value)?),
        Verb::Write => RegisterOp::Write(written(&value)?),
        Verb::Cas => {
            let change = pair(&value);
            let [from, to] =
                change.ok_or_else(|| wrong(line, "a :cas has the value [expected new]"))?;
            RegisterOp::Cas { from: number(&from)?, to: written(&to)? }
        }
    };
    Ok((key.unwrap_or(0), action))
}

#[cfg(test)]
mod tests;
