//! What links can be like.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::decode::{Misread, Scalar};
use super::quantity::Time;
use super::yaml::Yaml;

/// How far the latency of a piece of data may be from what is said; it is never negative. Order
/// is kept as TCP keeps it: a piece arrives no sooner than the one before it, so where pieces
/// follow closely, jitter makes them later on the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    #[default]
    None,
    /// So much more or less, all of it equally likely.
    Uniform(Duration),
    /// The standard deviation.
    Normal(Duration),
}

/// Every connection gives so few bytes at a time, and rests after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// At least one.
    pub bytes: usize,
    pub rest: Duration,
}

impl Jitter {
    /// What is written in a scenario or a topology.
    pub fn amount(self) -> Duration {
        match self {
            Jitter::None => Duration::ZERO,
            Jitter::Uniform(amount) | Jitter::Normal(amount) => amount,
        }
    }
}

impl Yaml for Jitter {
    fn yaml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl fmt::Display for Jitter {
    /// As it is written in a scenario or a topology.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Jitter::Normal(deviation) => write!(f, "normal({})", Time(*deviation)),
            other => Time(other.amount()).fmt(f),
        }
    }
}

impl Scalar for Jitter {
    fn read(text: &str) -> Result<Jitter, Misread> {
        let normal = text.strip_prefix("normal(").and_then(|rest| rest.strip_suffix(')'));
        let jitter = if normal.is_some() { Jitter::Normal } else { Jitter::Uniform };
        match Time::read(normal.unwrap_or(text).trim()) {
            Ok(Time(Duration::ZERO)) => Ok(Jitter::None),
            Ok(Time(amount)) => Ok(jitter(amount)),
            Err(_) => Err(Misread::new(
                format!("`{text}` is no jitter"),
                "write 5ms for so much more or less at most, or normal(5ms) for a normal \
                 distribution of that standard deviation",
            )),
        }
    }

    fn schema() -> Schema {
        let time = r"[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)";
        json_schema!({
            "type": "string",
            "pattern": format!(r"^({time}|normal\( *{time} *\))$"),
            "examples": ["5ms", "normal(5ms)"],
        })
    }
}
