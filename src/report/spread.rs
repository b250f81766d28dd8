//! Several runs of one scenario: the median of every measure, and the spread.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::catalogue::CATALOGUE;
use crate::model::{Unit, Verdict};

use super::data::Report;
use super::error::ReportError;
use super::json;
use super::table::{Cell, Column, Table, show};
use super::text::{self, Ink};

/// The name of the file that `run --repeat` leaves beside its run folders.
pub const FILE: &str = "repeat.json";

/// What `repeat.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Version of this schema: 1.
    pub schema: u32,
    pub scenario: String,
    /// The worst of the runs' verdicts.
    pub verdict: Verdict,
    pub runs: Vec<Run>,
    pub measures: BTreeMap<String, Spreading>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Run {
    pub id: String,
    pub verdict: Verdict,
}

/// One measure over the runs in which it is known.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Spreading {
    pub unit: Unit,
    /// In the order of the runs; null for a run without a value, or that did not end by itself.
    pub values: Vec<Option<f64>>,
    /// The middle value; for an even number, the mean of the two in the middle.
    pub median: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// The spread of `reports`, which are runs of the same scenario.
pub fn spread(reports: &[Report]) -> Spread {
    let known = CATALOGUE.iter().filter(|known| reports.iter().any(|r| r.has(known.name)));
    let measures = known.map(|known| {
        let value = |r: &Report| r.value(known.name).filter(|_| r.completed);
        let values = reports.iter().map(value).collect();
        (known.name.to_owned(), Spreading::of(known.unit, values))
    });
    Spread {
        schema: 1,
        scenario: reports.first().map_or(String::new(), |r| r.scenario.clone()),
        verdict: Verdict::worst(reports.iter().map(|r| r.verdict)),
        runs: reports.iter().map(|r| Run { id: r.id.clone(), verdict: r.verdict }).collect(),
        measures: measures.collect(),
    }
}

impl Spreading {
    fn of(unit: Unit, values: Vec<Option<f64>>) -> Spreading {
        let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(sorted[middle]),
            _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        };
        let (min, max) = (sorted.first().copied(), sorted.last().copied());
        Spreading { unit, values, median, min, max }
    }
}

impl Spread {
    /// The text of `repeat.json`.
    ///
    /// # Errors
    /// A value cannot be written as JSON.
    pub fn json(&self) -> Result<String, ReportError> {
        json::pretty(self)
    }

    /// For the terminal.
    pub fn text(&self, colour: bool) -> String {
        let ink = Ink { colour };
        let verdicts: Vec<Verdict> = self.runs.iter().map(|run| run.verdict).collect();
        let (counts, runs) = (text::counts(&verdicts, ink), self.runs.len());
        let known = CATALOGUE.iter().map(|known| known.name);
        let row = |name: &'static str| {
            let one = self.measures.get(name)?;
            let values = [one.median, one.min, one.max].map(|value| show(value, one.unit).into());
            // A run without a value may be the worst one: a load that never came back has none.
            let known = match one.values.iter().flatten().count() {
                all if all == runs => "all runs".to_owned(),
                some => format!("{some} of {runs} runs"),
            };
            Some([&[Cell::from(name)][..], &values, &[known.into()]].concat())
        };
        let mut columns = vec![Column::text("measure")];
        columns.extend(["median", "min", "max", "known in"].map(Column::figure));
        let table = Table { columns, rows: known.filter_map(row).collect() };
        let head = format!("  {}  {runs} runs: {}", ink.bold(&self.scenario), counts);
        format!("{head}\n\n{}", text::table(&table, ink))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_what_is_known() {
        let of = |values: &[Option<f64>]| Spreading::of(Unit::Millis, values.to_vec());
        let odd = of(&[Some(9.0), None, Some(1.0), Some(4.0)]);
        assert_eq!((odd.median, odd.min, odd.max), (Some(4.0), Some(1.0), Some(9.0)));
        assert_eq!(of(&[Some(1.0), Some(2.0)]).median, Some(1.5));
        assert_eq!(of(&[None]).median, None);
    }
}
