//! What the page shows as bars: how far each expectation is from its bound, and where each
//! millisecond of a failover went until a write succeeded again.

use crate::model::Unit;
use crate::model::catalogue::known;
use crate::report::data::{Failover, Judged};

/// An expectation with its bar: the value, and a mark at the bound.
pub(super) struct Expected<'a> {
    pub judged: &'a Judged,
    pub about: &'static str,
    /// Percent of the bar's length; none if there is no value.
    pub filled: Option<String>,
    pub bound_at: String,
}

impl Expected<'_> {
    pub fn new(judged: &Judged) -> Expected<'_> {
        let full = judged.value.unwrap_or(0.0).max(judged.bound) * 1.15;
        let share = |v: f64| {
            let share = if full > 0.0 { (v / full * 100.0).clamp(0.0, 100.0) } else { 0.0 };
            format!("{share:.1}")
        };
        Expected {
            judged,
            about: known(&judged.measure).map_or("", |known| known.about),
            filled: judged.value.map(share),
            bound_at: share(judged.bound),
        }
    }
}

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
            served: f.outcome(),
            parts: parts.into_iter().map(part).collect(),
            besides: all.into_iter().chain(redundant).collect(),
        }
    }
}
