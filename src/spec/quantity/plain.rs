//! Values without a unit: text and numbers.

use schemars::{Schema, json_schema};

use super::{misread, number};
use crate::spec::decode::{Misread, Scalar};

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
