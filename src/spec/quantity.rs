//! Quantities as people write them: `500ms`, `64mb`, `4000/s`, `20%`, `100mbit`.
//!
//! Each type reads its text and writes it back: what it writes reads as the same
//! value.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::decode::{Misread, Scalar};

/// A length of time: `500ms`, `2s`, `1.5s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// Shortest and longest time: `3s..8s`, or `3s` for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub Time, pub Time);

/// A number of bytes: `100B`, `1KB`, `64mb`. As in redis.conf, `kb` is 1024
/// bytes and `k` is 1000, and capitals mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Smallest and largest size: `100B..1KB`, or `100B` for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes(pub Bytes, pub Bytes);

/// A rate: `4000/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(pub f64);

/// Hundredths: `20%` is 20.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

/// How far a clock is set, in nanoseconds: `+2m`, `-30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift(pub i64);

/// Hundredths, more or less: `10%`, `-10%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SignedPercent(pub f64);

impl Percent {
    /// Of a share of 1. Without the rounding 0.07 has too much in its last digit.
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
            // Past this, a float skips whole numbers.
            (value < 9e15).then(|| value.round() as u64)
        }
    }
}

/// `value` in the largest unit of which it is a whole number.
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

impl Scalar for Times {
    fn read(text: &str) -> Result<Times, Misread> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (Time::read(least.trim()), Time::read(most.trim())) {
            (Ok(least), Ok(most)) if least > most => Err(Misread::new(
                format!("the range `{text}` is empty: its start is later than its end"),
                "write the shorter time first, like 3s..8s",
            )),
            (Ok(least), Ok(most)) => Ok(Times(least, most)),
            _ => Err(misread(text, "a length of time or a range of such", "3s or 3s..8s")),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)( *\.\. *[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns))?$",
            "examples": ["3s", "3s..8s"],
        })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Times(least, most) if least == most => write!(f, "{least}"),
            Times(least, most) => write!(f, "{least}..{most}"),
        }
    }
}

/// A text's sign and what stands behind it.
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

impl Scalar for Sizes {
    fn read(text: &str) -> Result<Sizes, Misread> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (Bytes::read(least.trim()), Bytes::read(most.trim())) {
            (Ok(least), Ok(most)) if least > most => Err(Misread::new(
                format!("the range `{text}` is empty: its start is larger than its end"),
                "write the smaller size first, like 100B..1KB",
            )),
            (Ok(least), Ok(most)) => Ok(Sizes(least, most)),
            _ => Err(misread(text, "a size or a range of sizes", "100B or 100B..1KB")),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? *([kKmMgG]?[bB]|[kKmMgG])( *\.\. *[0-9]+(\.[0-9]+)? *([kKmMgG]?[bB]|[kKmMgG]))?$",
            "examples": ["100B", "100B..1KB"],
        })
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sizes(least, most) if least == most => write!(f, "{least}"),
            Sizes(least, most) => write!(f, "{least}..{most}"),
        }
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

/// Any text.
impl Scalar for String {
    fn read(text: &str) -> Result<String, Misread> {
        Ok(text.to_owned())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A decimal number of zero or more.
impl Scalar for f64 {
    fn read(text: &str) -> Result<f64, Misread> {
        number(text).ok_or_else(|| misread(text, "a number of zero or more", "2 or 1.5"))
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
                let problem = if digits { "too large a number" } else { "not a whole number" };
                text.parse().map_err(|_| {
                    Misread::new(format!("`{text}` is {problem}"), "write digits only, like 3")
                })
            }

            fn schema() -> Schema {
                json_schema!({ "type": "integer", "minimum": 0, "maximum": <$type>::MAX })
            }
        }
    )*};
}
whole_numbers!(u16, u32, u64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_mean_what_people_mean() {
        assert_eq!(Time::read("1.5s"), Ok(Time(Duration::from_millis(1500))));
        assert_eq!(Time::read("2 m"), Ok(Time(Duration::from_secs(120))));
        assert_eq!(Shift::read("+2m"), Ok(Shift(120_000_000_000)));
        assert_eq!(Shift::read("-1.5s"), Ok(Shift(-1_500_000_000)));
        assert_eq!(Shift::read("2m").unwrap().to_string(), "+2m");
        assert_eq!(SignedPercent::read("-10%"), Ok(SignedPercent(-10.0)));
        assert!(Shift::read("--2m").is_err() && SignedPercent::read("+-1%").is_err());
        assert_eq!(Bytes::read("1KB"), Ok(Bytes(1024)));
        assert_eq!(Bytes::read("1k"), Ok(Bytes(1000)));
        assert_eq!(Bytes::read("64mb"), Ok(Bytes(64 << 20)));
        assert_eq!(Sizes::read("100B..1KB"), Ok(Sizes(Bytes(100), Bytes(1024))));
        assert_eq!(PerSecond::read("4000/s"), Ok(PerSecond(4000.0)));
        assert_eq!(Percent::read("20%"), Ok(Percent(20.0)));
        assert_eq!(Bandwidth::read("100mbit"), Ok(Bandwidth(100_000_000)));
    }

    #[test]
    fn what_could_be_misunderstood_is_refused() {
        for text in
            ["5", "-5ms", "5 parsecs", "1e3s", "ms", "", ".5s", "5.s", "1.2.3s", "99999999999h"]
        {
            assert!(Time::read(text).is_err(), "{text}");
        }
        for text in ["100", "1KB..100B", "1XB", "..", "1KB..", "nan%"] {
            assert!(Sizes::read(text).is_err(), "{text}");
        }
        for text in ["4000", "4000/m", "-1/s", "inf/s", "NaN/s"] {
            assert!(PerSecond::read(text).is_err(), "{text}");
        }
        assert!(u32::read("-1").is_err());
        assert!(u16::read("65536").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(n in any::<u64>(), shift in 0u32..64, m in any::<u32>()) {
            let n = n >> shift;
            let time = Time(Duration::from_nanos(n));
            prop_assert_eq!(Time::read(&time.to_string()), Ok(time));
            let sizes = Sizes(Bytes(n.min(m.into())), Bytes(n.max(m.into())));
            prop_assert_eq!(Sizes::read(&sizes.to_string()), Ok(sizes));
            let rate = PerSecond(f64::from(m) / 16.0);
            prop_assert_eq!(PerSecond::read(&rate.to_string()), Ok(rate));
            let percent = Percent(f64::from(m) / 7.0);
            prop_assert_eq!(Percent::read(&percent.to_string()), Ok(percent));
            let back = Shift(-((n >> 1) as i64));
            prop_assert_eq!(Shift::read(&back.to_string()), Ok(back));
            let slow = SignedPercent(f64::from(m) / -7.0);
            prop_assert_eq!(SignedPercent::read(&slow.to_string()), Ok(slow));
            let bandwidth = Bandwidth(n);
            prop_assert_eq!(Bandwidth::read(&bandwidth.to_string()), Ok(bandwidth));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC*") {
            let _ = (Time::read(&text), Sizes::read(&text), PerSecond::read(&text));
            let _ = (Percent::read(&text), Bandwidth::read(&text), f64::read(&text));
        }
    }
}
