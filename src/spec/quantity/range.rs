//! Ranges of a quantity: `3s..8s`, or `3s` for both ends.

use std::fmt;

use schemars::{Schema, json_schema};

use super::{Bytes, Time, misread};
use crate::spec::decode::{Misread, Scalar};

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
