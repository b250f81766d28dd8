//! Quantities as people write them: `500ms`, `64mb`, `4000/s`, `20%`, `100mbit`.
//!
//! Each type reads its text and writes text that reads as the same value.

mod more;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::decode::{Misread, Scalar};

pub use more::{Shift, SignedPercent, Sizes, Times};

/// A length of time: `500ms`, `2s`, `1.5s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A number of bytes: `100B`, `1KB`, `64mb`. As in redis.conf, `kb` is 1024 bytes and `k` is
/// 1000, and upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A rate: `4000/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(pub f64);

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

fn misread(text: &str, what: &str, examples: &str) -> Misread {
    Misread::new(format!("`{text}` is not {what}"), format!("write it like {examples}"))
}

impl Scalar for Time {
    fn read(text: &str) -> Result<Time, Misread> {
        scaled(text, &NANOS)
            .map(|nanos| Time(Duration::from_nanos(nanos)))
            .ok_or_else(|| misread(text, "a length of time", "500ms, 2s or 1m"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)$",
            "examples": ["500ms", "2s", "1m"],
        })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX) {
            0 => f.write_str("0s"),
            nanos => show(f, nanos, &NANOS),
        }
    }
}

impl Scalar for Bytes {
    fn read(text: &str) -> Result<Bytes, Misread> {
        scaled(&text.to_ascii_lowercase(), &SIZES)
            .map(Bytes)
            .ok_or_else(|| misread(text, "a size", "100B, 1KB or 64mb"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *([kKmMgG]?[bB]|[kKmMgG])$",
            "examples": ["100B", "1KB", "64mb"],
        })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];
        show(f, self.0, &units)
    }
}

impl Scalar for PerSecond {
    fn read(text: &str) -> Result<PerSecond, Misread> {
        text.strip_suffix("/s")
            .and_then(|count| number(count.trim_end()))
            .map(PerSecond)
            .ok_or_else(|| misread(text, "a rate", "4000/s"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? */s$",
            "examples": ["4000/s"],
        })
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl Scalar for Percent {
    fn read(text: &str) -> Result<Percent, Misread> {
        text.strip_suffix('%')
            .and_then(|count| number(count.trim_end()))
            .map(Percent)
            .ok_or_else(|| misread(text, "a percentage", "20%"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *%$",
            "examples": ["20%"],
        })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Scalar for Bandwidth {
    fn read(text: &str) -> Result<Bandwidth, Misread> {
        scaled(text, &BITS)
            .map(Bandwidth)
            .ok_or_else(|| misread(text, "a bandwidth", "100mbit or 1gbit"))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *[kmg]?bit$",
            "examples": ["100mbit"],
        })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &BITS)
    }
}
