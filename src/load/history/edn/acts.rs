//! What an operation did to which registers: the meaning of `:f` and `:value`.

use crate::model::op::RegisterOp;

use super::form::Form;
use super::names::Names;

/// The meaning of `:f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Write,
    Cas,
    Txn,
}

impl Verb {
    pub fn of(form: &Form) -> Result<Verb, String> {
        match form.word() {
            Some("read") => Ok(Verb::Read),
            Some("write") => Ok(Verb::Write),
            Some("cas") => Ok(Verb::Cas),
            Some("txn") => Ok(Verb::Txn),
            other => {
                let name = other.map_or("nothing".to_owned(), |name| format!(":{name}"));
                Err(format!(":f is {name}, not :read, :write, :cas or :txn"))
            }
        }
    }

    /// Whether its completion says what its invocation does not.
    pub fn finds(self) -> bool {
        matches!(self, Verb::Read | Verb::Txn)
    }
}

/// What was found in a register, and what was left in it, if anything is known of either.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    found: Option<Option<u64>>,
    left: Option<u64>,
}

/// By key, in the order of the operation.
#[derive(Debug, Default)]
pub(super) struct Acts(Vec<(u64, Change)>);

impl Acts {
    /// The key of an operation on one.
    pub fn key(&self) -> u64 {
        self.0.first().map_or(0, |(key, _)| *key)
    }

    /// Those that say something.
    pub fn iter(&self) -> impl Iterator<Item = (u64, RegisterOp)> {
        let act = |change: &Change| match (change.found, change.left) {
            (Some(found), None) => Some(RegisterOp::Read(found)),
            (None, Some(left)) => Some(RegisterOp::Write(left)),
            (Some(from), Some(to)) => Some(RegisterOp::Cas { from, to }),
            (None, None) => None,
        };
        self.0.iter().filter_map(move |(key, change)| Some((*key, act(change)?)))
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the words of a history mean.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    pub names: Names,
    /// A read that found nil found no key. Otherwise it says nothing.
    pub nil_is_found: bool,
}

impl Meaning {
    pub fn of(&mut self, verb: Verb, value: &Form) -> Result<Acts, String> {
        if verb == Verb::Txn {
            return self.transaction(value);
        }
        let (key, value) = match (verb, pair(value)) {
            (Verb::Cas, Some([key, change @ Form::List(_)])) => (self.value(key)?, change),
            (Verb::Cas, _) | (_, None) => (None, value),
            (_, Some([key, value])) => (self.value(key)?, value),
        };
        let change = match verb {
            Verb::Read => Change { found: self.found(value)?, left: None },
            Verb::Write => Change { found: None, left: Some(self.written(value)?) },
            Verb::Cas | Verb::Txn => {
                let [from, to] = pair(value).ok_or("a :cas has the value [expected new]")?;
                Change { found: Some(self.value(from)?), left: Some(self.written(to)?) }
            }
        };
        Ok(Acts(vec![(key.unwrap_or(0), change)]))
    }

    /// `[[:read :x 1] [:write :y 2]]`
    fn transaction(&mut self, value: &Form) -> Result<Acts, String> {
        let what = "a :txn has the value [[:read key value] [:write key value]]";
        let Form::List(parts) = value else { return Err(what.to_owned()) };
        let mut acts = Acts::default();
        for part in parts {
            let Form::List(part) = part else { return Err(what.to_owned()) };
            let [verb, key, value] = &part[..] else { return Err(what.to_owned()) };
            let key = self.value(key)?.ok_or(what)?;
            let place = acts.0.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                acts.0.push((key, Change::default()));
                acts.0.len() - 1
            });
            let change = &mut acts.0[place].1;
            match verb.word() {
                Some("write" | "w") => change.left = Some(self.written(value)?),
                Some("read" | "r") => {
                    let found = self.found(value)?;
                    let known = change.left.map(Some).or(change.found);
                    if found.is_some() && known.is_some_and(|known| found != Some(known)) {
                        return Err("a :txn read what it had not left itself".to_owned());
                    }
                    change.found = change.found.or(found.filter(|_| change.left.is_none()));
                }
                _ => return Err(what.to_owned()),
            }
        }
        Ok(acts)
    }

    /// None if it says nothing.
    fn found(&mut self, form: &Form) -> Result<Option<Option<u64>>, String> {
        let found = self.value(form)?;
        Ok((found.is_some() || self.nil_is_found).then_some(found))
    }

    fn written(&mut self, form: &Form) -> Result<u64, String> {
        self.value(form)?.ok_or_else(|| "what is to be written is missing".to_owned())
    }

    /// None for nil.
    fn value(&mut self, form: &Form) -> Result<Option<u64>, String> {
        let what = "keys and values are numbers, keywords or strings, or nil";
        match form {
            Form::Nil => Ok(None),
            form => self.names.number(form).map(Some).ok_or_else(|| what.to_owned()),
        }
    }
}

fn pair(form: &Form) -> Option<[&Form; 2]> {
    match form {
        Form::List(forms) => <&[Form; 2]>::try_from(&forms[..]).ok().map(|[a, b]| [a, b]),
        _ => None,
    }
}
