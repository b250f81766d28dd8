//! Quantities as people write them: `500ms`, `64mb`, `4000/s`, `20%`, `100mbit`; ranges of them
//! (`3s..8s`, or `3s` for both ends); text and plain numbers.
//!
//! Each type reads its text and writes text that reads as the same value.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use super::tree::{Entry, Node, Value};
use crate::model::Unit;
use crate::model::catalogue::known;
use schemars::{Schema, json_schema};

use super::decode::{Misread, Scalar};
use super::nearest;

/// A length of time: `500ms`, `2s`, `1.5s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    pub const fn millis(millis: u64) -> Time {
        Time(Duration::from_millis(millis))
    }

    pub const fn secs(secs: u64) -> Time {
        Time(Duration::from_secs(secs))
    }
}

/// A number of bytes: `100B`, `1KB`, `64mb`. As in redis.conf, `kb` is 1024 bytes and `k` is
/// 1000, and upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A rate: `4000/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(pub f64);

/// A rate, or the rates at the beginning and the end of a ramp: `4000/s`, `500/s..5000/s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates(pub PerSecond, pub PerSecond);

/// What a load is to do: so many operations a second, or as many as its clients get answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    Rates(Rates),
    Max,
}

/// A percentage: `20%` is 20.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

impl Percent {
    /// From a share of 1. Without the rounding, 0.07 has a wrong last digit.
    pub fn of(share: f64) -> Percent {
        Percent((share * 100.0 * 1e9).round() / 1e9)
    }
}

/// Bits a second: `100mbit`. A `mbit` is a million bits, as in `tc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(pub u64);

/// How far a clock is shifted, in nanoseconds: `+2m`, `-30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift(pub i64);

/// A percentage with a sign: `10%`, `-10%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SignedPercent(pub f64);

const NANOS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZES: [(&str, u64); 7] = [
    ("gb", 1 << 30),
    ("mb", 1 << 20),
    ("kb", 1 << 10),
    ("g", 1_000_000_000),
    ("m", 1_000_000),
    ("k", 1_000),
    ("b", 1),
];

const BITS: [(&str, u64); 4] =
    [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

/// A plain decimal number, without sign or exponent.
pub fn number(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

/// The number before its unit, in the smallest unit; exact for whole numbers.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(split);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    match count.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*scale),
        Err(_) => {
            let value = number(count)? * *scale as f64;
            // From here on, a float cannot represent every whole number.
            (value < 9e15).then(|| value.round() as u64)
        }
    }
}

/// Writes `value` in the largest unit that gives a whole number.
fn show(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let whole = units.iter().find(|(_, scale)| value != 0 && value.is_multiple_of(*scale));
    match whole.or(units.last()) {
        Some((name, scale)) => write!(f, "{}{name}", value / scale),
        None => write!(f, "{value}"),
    }
}

/// A text's sign, and the rest of the text.
fn signed(text: &str) -> (i8, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Advice for a number whose unit is missing: the same number with the units of the examples.
fn with_units(text: &str, examples: &[&str]) -> Option<String> {
    let number = number(text)?;
    let digit = |c: char| c.is_ascii_digit() || c == '.';
    let units = examples.iter().filter(|example| example.starts_with(|c: char| c.is_ascii_digit()));
    let units = units.map(|example| example.trim_start_matches(digit));
    let units: Vec<&str> = units.filter(|unit| !unit.is_empty() && !unit.contains(digit)).collect();
    match units[..] {
        [] => None,
        ["%"] if number < 1.0 && number > 0.0 => {
            Some(format!("a share is written in percent: `{}`", Percent::of(number)))
        }
        [unit] => Some(format!("its unit is missing: `{text}{unit}`")),
        [ref first @ .., last] => {
            let first: Vec<String> = first.iter().map(|unit| format!("`{text}{unit}`")).collect();
            Some(format!("its unit is missing: {} or `{text}{last}`", first.join(", ")))
        }
    }
}

pub(super) fn misread(text: &str, what: &str, examples: &[&str]) -> Misread {
    if let Some(advice) = with_units(text, examples) {
        return Misread::new(format!("`{text}` is not {what}"), advice);
    }
    let examples = match examples {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => examples.concat(),
    };
    Misread::new(format!("`{text}` is not {what}"), format!("write it like {examples}"))
}

/// Declares how a type is read: what it is called, examples, the pattern of its text, and the
/// value that a text has.
macro_rules! scalar {
    ($type:ty: $what:literal $examples:tt $pattern:literal, $read:expr) => {
        impl $crate::spec::decode::Scalar for $type {
            fn read(text: &str) -> Result<$type, $crate::spec::decode::Misread> {
                let read: fn(&str) -> Option<$type> = $read;
                read(text).ok_or_else(|| $crate::spec::quantity::misread(text, $what, &$examples))
            }

            fn schema() -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "examples": $examples,
                })
            }
        }
    };
}
pub(super) use scalar;

scalar!(Time: "a length of time" ["500ms", "2s", "1m"]
    r"^[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)$",
    |text| scaled(text, &NANOS).map(|nanos| Time(Duration::from_nanos(nanos))));

scalar!(Bytes: "a size" ["100B", "1KB", "64mb"]
    r"^[0-9]+(\.[0-9]+)? *([kKmMgG]?[bB]|[kKmMgG])$",
    |text| scaled(&text.to_ascii_lowercase(), &SIZES).map(Bytes));

scalar!(PerSecond: "a rate" ["4000/s"] r"^[0-9]+(\.[0-9]+)? */s$",
    |text| number(text.strip_suffix("/s")?.trim_end()).map(PerSecond));

scalar!(Rates: "a rate" ["4000/s", "500/s..5000/s"]
r"^[0-9]+(\.[0-9]+)? */s( *\.\. *[0-9]+(\.[0-9]+)? */s)?$",
|text| {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let rate = |text: &str| PerSecond::read(text.trim()).ok();
    Some(Rates(rate(first)?, rate(last)?))
});

scalar!(Asked: "a rate" ["4000/s", "500/s..5000/s", "max"]
r"^([0-9]+(\.[0-9]+)? */s( *\.\. *[0-9]+(\.[0-9]+)? */s)?|max)$",
|text| match text {
    "max" => Some(Asked::Max),
    rates => Rates::read(rates).ok().map(Asked::Rates),
});

scalar!(Percent: "a percentage" ["20%"] r"^[0-9]+(\.[0-9]+)? *%$",
    |text| number(text.strip_suffix('%')?.trim_end()).map(Percent));

scalar!(Bandwidth: "a bandwidth" ["100mbit", "1gbit"] r"^[0-9]+(\.[0-9]+)? *[kmg]?bit$",
    |text| scaled(text, &BITS).map(Bandwidth));

scalar!(Shift: "a length of time, ahead or back" ["+2m", "-30s"]
r"^[+-]?[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)$",
|text| {
    let (sign, size) = signed(text);
    let nanos = i64::try_from(scaled(size, &NANOS)?).ok()?;
    Some(Shift(nanos * i64::from(sign)))
});

scalar!(SignedPercent: "a percentage, more or less" ["10%", "-10%"]
r"^[+-]?[0-9]+(\.[0-9]+)? *%$",
|text| {
    let (sign, size) = signed(text);
    Some(SignedPercent(Percent::read(size).ok()?.0 * f64::from(sign)))
});

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX) {
            0 => f.write_str("0s"),
            nanos => show(f, nanos, &NANOS),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];
        show(f, self.0, &units)
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rates(first, last) if first == last => first.fmt(f),
            Rates(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Rates(rates) => rates.fmt(f),
            Asked::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &BITS)
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

impl fmt::Display for SignedPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// Any text.
impl Scalar for String {
    fn read(text: &str) -> Result<String, Misread> {
        Ok(text.to_owned())
    }

    fn as_list(node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar(text) if text.text.contains(['<', '>', '=']) => {
                Some(format!("write it behind a dash, on a line of its own: `- {}`", text.text))
            }
            Value::Scalar(text) if !text.text.is_empty() => {
                let words: Vec<&str> = text.text.split_whitespace().collect();
                Some(format!("write `[{}]`", words.join(", ")))
            }
            Value::Map(entries) => Some(match entries.iter().find_map(expectation) {
                Some(line) => format!("write each as one line behind a dash: `- {line}`"),
                None => "write each item behind a dash, on a line of its own".to_owned(),
            }),
            _ => None,
        }
    }

    fn as_one(node: &Node) -> Option<String> {
        match &node.value {
            Value::Map(entries) => Some(match entries.iter().find_map(expectation) {
                Some(line) => format!("write it as one text: `- {line}`"),
                None => "write one value, without keys of its own".to_owned(),
            }),
            Value::List(_) => Some("write one value, without `[`, `]` and dashes".to_owned()),
            Value::Scalar(_) => None,
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Scalar for bool {
    fn read(text: &str) -> Result<bool, Misread> {
        text.parse().map_err(|_| {
            let advice = nearest::advice("words", text, &["true", "false"]);
            Misread::new(format!("there is no truth value `{text}`"), advice)
        })
    }

    fn schema() -> Schema {
        json_schema!({ "enum": ["true", "false"] })
    }
}

/// The expectation that is written as a key, its measure, and a value.
fn expectation(entry: &Entry) -> Option<String> {
    let Value::Scalar(bound) = &entry.value.value else { return None };
    let known = known(&entry.key)?;
    let comparison = if bound.text.starts_with(['<', '>', '=']) {
        ""
    } else if known.unit == Unit::Count {
        "== "
    } else {
        "<= "
    };
    Some(format!("{} {comparison}{}", known.name, bound.text))
}

/// A decimal number of zero or more.
impl Scalar for f64 {
    fn read(text: &str) -> Result<f64, Misread> {
        number(text).ok_or_else(|| misread(text, "a number of zero or more", &["2", "1.5"]))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            fn read(text: &str) -> Result<$type, Misread> {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let (problem, advice) = match digits {
                    true => ("too large a number", format!("{} is the most", <$type>::MAX)),
                    false => ("not a whole number", "write digits only, like 3".to_owned()),
                };
                text.parse().map_err(|_| Misread::new(format!("`{text}` is {problem}"), advice))
            }

            fn schema() -> Schema {
                json_schema!({ "type": "integer", "minimum": 0, "maximum": <$type>::MAX })
            }
        }
    )*};
}
whole_numbers!(u16, u32, u64);

/// Declares ranges: the quantity, its name in messages, and a small and a large example.
macro_rules! ranges {
    ($( $(#[doc = $about:literal])* $range:ident of $part:ident $what:literal $small:literal $large:literal; )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $range(pub $part, pub $part);

        impl Scalar for $range {
            fn read(text: &str) -> Result<$range, Misread> {
                let (least, most) = text.split_once("..").unwrap_or((text, text));
                match ($part::read(least.trim()), $part::read(most.trim())) {
                    (Ok(least), Ok(most)) if least > most => Err(Misread::new(
                        format!("the range `{text}` is empty: its start is beyond its end"),
                        concat!("write the smaller one first, like ", $small, "..", $large),
                    )),
                    (Ok(least), Ok(most)) => Ok($range(least, most)),
                    _ => Err(misread(
                        text,
                        concat!($what, " or a range of such"),
                        &[$small, concat!($small, "..", $large)],
                    )),
                }
            }

            fn schema() -> Schema {
                let one = $part::schema();
                let pattern = one.get("pattern").and_then(|pattern| pattern.as_str());
                let pattern = pattern.unwrap_or_default().trim_matches(['^', '$']);
                json_schema!({
                    "type": "string",
                    "pattern": format!(r"^{pattern}( *\.\. *{pattern})?$"),
                    "examples": [$small, concat!($small, "..", $large)],
                })
            }
        }

        impl fmt::Display for $range {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $range(least, most) if least == most => least.fmt(f),
                    $range(least, most) => write!(f, "{least}..{most}"),
                }
            }
        }
    )*};
}

ranges! {
    /// Shortest and longest time: `3s..8s`, or `3s` for both.
    Times of Time "a length of time" "3s" "8s";
    /// Smallest and largest size: `100B..1KB`, or `100B` for both.
    Sizes of Bytes "a size" "100B" "1KB";
}
