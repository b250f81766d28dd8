//! The rows of a benchmark: both sides' figures, their spread and their ratio.

use std::fmt;

use serde::Serialize;

use crate::front::Front;

/// Every run of one side of a row.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Side {
    pub name: String,
    pub values: Vec<f64>,
}

impl Side {
    pub fn new(name: &str) -> Side {
        Side { name: name.to_owned(), values: Vec::new() }
    }

    /// A value to reach, where nobody else is measured.
    pub fn bound(value: f64) -> Side {
        Side { name: "bound".to_owned(), values: vec![value] }
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        if n == 0 { f64::NAN } else { (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0 }
    }

    fn low(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn high(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Lower,
    Higher,
}

#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub better: Better,
    pub ours: Side,
    pub theirs: Side,
    /// The ratio to reach: ours over theirs in speed, more being better. For a
    /// row whose other side is a bound (`theirs` is the bound), 1.0.
    pub reach: f64,
    /// How many times as good ours is, by the medians.
    pub ratio: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    pub rows: Vec<Row>,
    pub fronts: Vec<Front>,
}

impl Table {
    pub fn add(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        better: Better,
        ours: Side,
        theirs: Side,
        reach: f64,
    ) {
        let (a, b) = (ours.median(), theirs.median());
        let ratio = if better == Better::Lower { b / a } else { a / b };
        let row = Row { what: what.into(), unit, better, ours, theirs, reach, ratio };
        eprintln!("bench: {row}");
        self.rows.push(row);
    }

    pub fn front(&mut self, front: Front) {
        self.fronts.push(front);
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text can always be written")
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.high() < 100.0 { 2 } else { 0 };
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median(), self.low(), self.high())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = if self.ratio >= self.reach { "reached" } else { "NOT reached" };
        let (ours, theirs) = (self.ours.to_string(), self.theirs.to_string());
        let what = format!("{} [{}]", self.what, self.unit);
        write!(
            f,
            "{what:<58} {ours:>26} {theirs:>26} {:>6.2}x  {met} ({:.2}x)",
            self.ratio, self.reach
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<58} {:>26} {:>26} {:>7}", "", "redrill", "instead", "ratio")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
            writeln!(f, "{:<58} {:>26} {:>26}", "", row.ours.name, row.theirs.name)?;
        }
        for front in &self.fronts {
            writeln!(f, "\n{front}")?;
        }
        writeln!(f, "Figures are medians, with the lowest and highest run in brackets.")
    }
}
