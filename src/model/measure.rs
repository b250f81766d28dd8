//! Measures: named numbers with a unit.

use serde::{Deserialize, Serialize};

/// What a measure's number counts. Times in reports are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[serde(rename = "ms")]
    Millis,
    Count,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "%")]
    Percent,
    Bytes,
    #[serde(rename = "bytes/s")]
    BytesPerSecond,
}

impl Unit {
    /// As report.json has it: `ms`, `count`, `/s`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Millis => "ms",
            Unit::Count => "count",
            Unit::PerSecond => "/s",
            Unit::Percent => "%",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
        }
    }

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
            Unit::Percent if value.abs() < 0.05 => "0.0 %".to_owned(),
            Unit::Percent if value.abs() >= 1_000.0 => format!("{} %", thousands(value)),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        }
    }
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
}

impl Measure {
    pub fn new(value: f64, unit: Unit) -> Measure {
        Measure { value: Some(value), unit }
    }

    pub fn show(&self) -> String {
        self.value.map_or_else(|| "unknown".to_owned(), |value| self.unit.show(value))
    }
}
