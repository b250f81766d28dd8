//! Quantities that may be negative: `-30s`, `-10%`.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::{NANOS, Percent, Time, misread, scaled};
use crate::spec::decode::{Misread, Scalar};

/// How far a clock is shifted, in nanoseconds: `+2m`, `-30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift(pub i64);

/// A percentage with a sign: `10%`, `-10%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SignedPercent(pub f64);

/// A text's sign, and the rest of the text.
fn signed(text: &str) -> (i8, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

impl Scalar for Shift {
    fn read(text: &str) -> Result<Shift, Misread> {
        let (sign, size) = signed(text);
        scaled(size, &NANOS)
            .and_then(|nanos| i64::try_from(nanos).ok())
            .map(|nanos| Shift(nanos * i64::from(sign)))
            .ok_or_else(|| misread(text, "a length of time, ahead or back", "+2m or -30s"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[+-]?[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)$",
            "examples": ["+2m", "-30s"],
        })
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.0 {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        write!(f, "{sign}{}", Time(Duration::from_nanos(self.0.unsigned_abs())))
    }
}

impl Scalar for SignedPercent {
    fn read(text: &str) -> Result<SignedPercent, Misread> {
        let (sign, size) = signed(text);
        Percent::read(size)
            .map(|Percent(size)| SignedPercent(size * f64::from(sign)))
            .map_err(|_| misread(text, "a percentage, more or less", "10% or -10%"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[+-]?[0-9]+(\.[0-9]+)? *%$",
            "examples": ["10%", "-10%"],
        })
    }
}

impl fmt::Display for SignedPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
