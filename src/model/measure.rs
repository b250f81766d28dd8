//! Measures, which are named numbers with a unit, and verdicts.

use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// What a measure's number counts. Times in reports are milliseconds.
    pub enum Unit {
        Millis "ms",
        Count "count",
        PerSecond "/s",
        Percent "%",
        Bytes "bytes",
        BytesPerSecond "bytes/s",
    }
}

impl Unit {
    /// `value` as a person would write it: `412 ms`, `3,904/s`, `4.1 %`, `64.0 MB`.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Millis if value >= 10_000.0 => format!("{:.1} s", value / 1e3),
            Unit::Millis if value >= 100.0 => format!("{} ms", thousands(value)),
            Unit::Millis if value >= 10.0 => format!("{value:.1} ms"),
            Unit::Millis if value == 0.0 => "0 ms".to_owned(),
            Unit::Millis => format!("{value:.2} ms"),
            Unit::Count => thousands(value),
            Unit::PerSecond => format!("{}/s", thousands(value)),
            Unit::Percent if value.abs() < 0.005 => "0.0 %".to_owned(),
            // Not all, and not nothing: neither is to look like it.
            Unit::Percent if value.abs() < 0.05 || (99.95..100.0).contains(&value) => {
                format!("{:.2} %", value.min(99.99))
            }
            Unit::Percent if value.abs() >= 1_000.0 => format!("{} %", thousands(value)),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        }
    }
}

/// `12345` as `12,345`.
pub fn count(n: u64) -> String {
    thousands(n as f64)
}

/// `12345.6` as `12,346`.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

fn bytes(value: f64) -> String {
    let scaled =
        [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")].into_iter().find(|(k, _)| value.abs() >= *k);
    match scaled {
        Some((k, name)) => format!("{:.1} {name}", value / k),
        None => format!("{value:.0} B"),
    }
}

/// One figure of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Measure {
    /// `None` where the drill could not tell it (it ended too early, say).
    pub value: Option<f64>,
    pub unit: Unit,
    /// Where there is no value: how much it is at least. A time was not over when the load ended,
    /// and was as long by then; of a count, the final state of some keys could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

impl Measure {
    pub fn new(value: f64, unit: Unit) -> Measure {
        Measure { value: Some(value), unit, at_least: None }
    }

    /// `412 ms`; `> 10.0 s` of what was not over; `≥ 3` of what was not all read.
    pub fn show(&self) -> String {
        match (self.value, self.at_least) {
            (Some(value), _) => self.unit.show(value),
            (None, Some(least)) if self.unit == Unit::Millis => {
                format!("> {}", self.unit.show(least))
            }
            (None, Some(least)) => format!("≥ {}", self.unit.show(least)),
            (None, None) => "unknown".to_owned(),
        }
    }
}

words! {
    /// The result of a drill. The worst one wins, and the order of the variants says which is
    /// worse: a broken bound is worse than an unknown one.
    pub enum Verdict {
        Pass "pass",
        Unknown "unknown",
        Fail "fail",
    }
}

impl Verdict {
    /// The worst of `verdicts`; [`Verdict::Pass`] if there are none.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Pass)
    }

    /// How many there are of each, of those of which there are any.
    pub fn count(
        verdicts: impl Iterator<Item = Verdict> + Clone,
    ) -> impl Iterator<Item = (Verdict, usize)> {
        let all = [Verdict::Pass, Verdict::Fail, Verdict::Unknown].into_iter();
        let count = move |verdict| verdicts.clone().filter(|one| *one == verdict).count();
        all.map(move |verdict| (verdict, count(verdict))).filter(|(_, n)| *n > 0)
    }

    /// The exit code of the process for this verdict.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Unknown => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn a_share_looks_like_nothing_or_all_only_if_it_is() {
        let shown = [0.0, 0.03, 0.05, 4.1, 99.9, 99.96, 99.9999, 100.0, 250.0, 4_321.0]
            .map(|value| Unit::Percent.show(value));
        let expected = [
            "0.0 %", "0.03 %", "0.1 %", "4.1 %", "99.9 %", "99.96 %", "99.99 %", "100.0 %",
            "250.0 %", "4,321 %",
        ];
        assert_eq!(shown, expected);
    }
}
