//! Keys and values that are no whole numbers from 0 get numbers, from [`FIRST`] on.

use std::collections::HashMap;

use super::form::{Form, Reader};

/// Whole numbers from 0 stay what they are; they are below this one.
const FIRST: u64 = 1 << 63;

/// What keys and values are called in a history from elsewhere.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<String, u64>,
    /// From [`FIRST`] on.
    names: Vec<String>,
}

impl Names {
    /// The number that stands for an atom.
    pub(super) fn number(&mut self, form: &Form) -> Option<u64> {
        let Form::Atom(text) = form else { return None };
        if let Some(number) = form.number() {
            return Some(number);
        }
        let next = FIRST + self.names.len() as u64;
        let number = *self.numbers.entry(text.clone()).or_insert(next);
        if number == next {
            self.names.push(text.clone());
        }
        Some(number)
    }

    /// That of an initial value, which is written as in the history.
    pub(super) fn initial(&mut self, text: &str) -> Result<u64, String> {
        let mut reader = Reader::new(text, 1);
        let form = reader.next().ok().flatten().map(|(_, form)| form);
        let number = form.and_then(|form| self.number(&form));
        let rest = reader.next();
        number.filter(|_| rest == Ok(None)).ok_or_else(|| {
            format!("the initial value `{text}` is not a number, a keyword, a string or nil")
        })
    }

    pub(super) fn key(&self, number: u64) -> String {
        self.tell(&number.to_string())
    }

    /// `text` with the names of the numbers in it.
    pub fn tell(&self, text: &str) -> String {
        let is_digit = |c: &char| c.is_ascii_digit();
        let mut told = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.peek() {
            if !c.is_ascii_digit() {
                told.extend(rest.next());
                continue;
            }
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(is_digit) {
                digits.push(digit);
            }
            let place = digits.parse().ok().and_then(|number: u64| number.checked_sub(FIRST));
            let name = place.and_then(|place| self.names.get(usize::try_from(place).ok()?));
            told += name.unwrap_or(&digits);
        }
        told
    }
}
