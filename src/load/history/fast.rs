//! Reads a line of a history as redrill writes it today, many times faster than a parser of any
//! JSON: fields in their order, and no blanks. Of anything else it says nothing.

use crate::model::Nanos;
use crate::model::op::{Action, Cause, Op, Outcome, Part, Purpose, Redirects, RegisterOp};

/// The operation. None if the line is written in another way, or is no operation.
pub(super) fn op(line: &[u8]) -> Option<Op> {
    let mut line = Line(line);
    line.skip(b"{\"load\":")?;
    let load = line.number()?;
    let shares = line.field(b",\"shares\":")?;
    let instance = line.field(b",\"instance\":")?.unwrap_or(0);
    line.skip(b",\"process\":")?;
    let process = line.number()?;
    let part = line.part()?;
    let purpose = match line.skip(b",\"purpose\":") {
        Some(()) => *Purpose::ALL.iter().find(|purpose| line.word(purpose.word()))?,
        None => Purpose::default(),
    };
    let group = line.field(b",\"group\":")?.unwrap_or(0);
    line.skip(b",\"key\":")?;
    let key = line.number()?;
    line.skip(b",\"action\":")?;
    let action = line.action()?;
    let by = line.field(b",\"by\":")?;
    line.skip(b",\"intended\":")?;
    let intended = Nanos(line.number()?);
    line.skip(b",\"sent\":")?;
    let sent = Nanos(line.number()?);
    line.skip(b",\"done\":")?;
    let done = Nanos(line.number()?);
    line.skip(b",\"outcome\":")?;
    let outcome = line.outcome()?;
    let redirects = match line.skip(b",\"redirects\":{") {
        Some(()) => line.redirects()?,
        None => Redirects::default(),
    };
    #[rustfmt::skip]
    let op = Op {
        load, shares, instance, process, part, purpose, group, key, action, by,
        intended, sent, done, outcome, redirects,
    };
    (line.0 == b"}\n" || line.0 == b"}").then_some(op)
}

/// The rest of a line.
struct Line<'a>(&'a [u8]);

impl Line<'_> {
    /// Steps over `text` if it comes next.
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (mut value, mut digits) = (0u64, 0);
        while let Some(digit) = self.0.get(digits).filter(|byte| byte.is_ascii_digit()) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            digits += 1;
        }
        // JSON has no leading zeros.
        if digits == 0 || (digits > 1 && self.0[0] == b'0') {
            return None;
        }
        self.0 = &self.0[digits..];
        T::try_from(value).ok()
    }

    /// The number after `name`, if that comes next. None if none is there.
    fn field<T: TryFrom<u64>>(&mut self, name: &[u8]) -> Option<Option<T>> {
        match self.skip(name) {
            Some(()) => Some(Some(self.number()?)),
            None => Some(None),
        }
    }

    /// Whether `word` comes next, in quotes. Then it is stepped over.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(word.as_bytes()));
        let rest = rest.and_then(|rest| rest.strip_prefix(b"\""));
        rest.inspect(|rest| self.0 = rest).is_some()
    }

    fn part(&mut self) -> Option<Option<Part>> {
        if self.skip(b",\"part\":{\"session\":").is_none() {
            return Some(None);
        }
        let session = self.number()?;
        self.skip(b",\"step\":")?;
        let step = self.number()?;
        self.skip(b",\"began\":")?;
        let began = Nanos(self.number()?);
        let late = Nanos(self.field(b",\"late\":")?.unwrap_or(0));
        self.skip(b",\"last\":")?;
        let last = self.skip(b"true").is_some();
        if !last {
            self.skip(b"false")?;
        }
        self.skip(b"}")?;
        Some(Some(Part { session, step, began, late, last }))
    }

    fn action(&mut self) -> Option<Action> {
        if self.skip(b"{\"register\":{\"").is_none() {
            return self.any_action();
        }
        let action = if self.skip(b"read\":").is_some() {
            RegisterOp::Read(self.value()?)
        } else if self.skip(b"write\":").is_some() {
            RegisterOp::Write(self.number()?)
        } else {
            self.skip(b"cas\":{\"from\":")?;
            let from = self.value()?;
            self.skip(b",\"to\":")?;
            let to = self.number()?;
            self.skip(b"}")?;
            RegisterOp::Cas { from, to }
        };
        self.skip(b"}}")?;
        Some(Action::Register(action))
    }

    fn value(&mut self) -> Option<Option<u64>> {
        match self.skip(b"null") {
            Some(()) => Some(None),
            None => self.number().map(Some),
        }
    }

    /// One on another kind of key: most of the line is read quickly all the same.
    fn any_action(&mut self) -> Option<Action> {
        let next =
            |rest: &[u8]| rest.starts_with(b",\"by\":") || rest.starts_with(b",\"intended\":");
        let end = (0..self.0.len()).find(|at| next(&self.0[*at..]))?;
        let (action, rest) = self.0.split_at(end);
        self.0 = rest;
        serde_json::from_slice(action).ok()
    }

    fn outcome(&mut self) -> Option<Outcome> {
        if self.word("ok") {
            return Some(Outcome::Ok);
        }
        let failed = self.skip(b"{\"fail\":").is_some();
        if !failed {
            self.skip(b"{\"unknown\":")?;
        }
        let cause = *Cause::ALL.iter().find(|cause| self.word(cause.word()))?;
        self.skip(b"}")?;
        Some(if failed { Outcome::Fail(cause) } else { Outcome::Unknown(cause) })
    }

    fn redirects(&mut self) -> Option<Redirects> {
        let mut redirects = Redirects::default();
        let names: [(&[u8], &mut u16); 3] = [
            (b"\"moved\":", &mut redirects.moved),
            (b"\"ask\":", &mut redirects.ask),
            (b"\"try_again\":", &mut redirects.try_again),
        ];
        let mut is_first = true;
        for (name, count) in names {
            let rest = if is_first { Some(self.0) } else { self.0.strip_prefix(b",") };
            if let Some(rest) = rest.and_then(|rest| rest.strip_prefix(name)) {
                self.0 = rest;
                *count = self.number()?;
                is_first = false;
            }
        }
        self.skip(b"}")?;
        Some(redirects)
    }
}

#[cfg(test)]
mod tests;
