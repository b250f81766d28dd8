//! The picture of a failover: where each millisecond went until a write succeeded again.

use crate::model::Unit;
use crate::report::data::Failover;

pub(in crate::report) struct FailoverRow {
    pub title: String,
    pub served: Option<String>,
    pub parts: Vec<Part>,
    /// What is no part of that time.
    pub besides: Vec<String>,
}

/// One part, as wide as its share of the time.
pub(in crate::report) struct Part {
    pub name: &'static str,
    pub shown: String,
    /// Percent.
    pub share: String,
}

impl FailoverRow {
    pub fn new(f: &Failover) -> FailoverRow {
        let parts = f.parts();
        let whole: f64 = parts.iter().map(|(_, ms)| ms).sum();
        let part = |(name, ms): (&'static str, f64)| Part {
            name,
            shown: Unit::Millis.show(ms),
            share: format!("{:.2}", if whole > 0.0 { ms / whole * 100.0 } else { 0.0 }),
        };
        let all = f.propagate().map(|ms| {
            format!(
                "all live nodes named the new primary {} after the election",
                Unit::Millis.show(ms)
            )
        });
        let redundant = match (f.to.is_some(), f.redundant()) {
            (_, Some(ms)) => {
                Some(format!("a replica was linked again after {}", Unit::Millis.show(ms)))
            }
            (true, None) => Some("no replica was linked again while the drill lasted".to_owned()),
            (false, None) => None,
        };
        FailoverRow {
            title: f.title(),
            served: f.served().map(|ms| Unit::Millis.show(ms)),
            parts: parts.into_iter().map(part).collect(),
            besides: all.into_iter().chain(redundant).collect(),
        }
    }
}
