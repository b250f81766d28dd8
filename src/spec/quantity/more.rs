//! Text and plain numbers, ranges (`3s..8s`, or `3s` for both ends), and quantities that may be
//! negative (`-30s`, `-10%`).

use std::fmt;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::{Bytes, NANOS, Percent, Time, misread, number, scaled};
use crate::spec::decode::{Misread, Scalar};
use crate::spec::nearest;

/// Any text.
impl Scalar for String {
    fn read(text: &str) -> Result<String, Misread> {
        Ok(text.to_owned())
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
                        concat!($small, " or ", $small, "..", $large),
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
