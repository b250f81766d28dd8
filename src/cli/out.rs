//! Printing to standard output, and text in columns.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::exit::{self, Failure};
use crate::model::{shown, shown_plain};

/// What to print on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Prints `text`, without what could control a terminal, and returns the exit code.
pub fn print(text: &str) -> ExitCode {
    exit::of(put(text).map(|()| ExitCode::SUCCESS))
}

/// The same for a command whose exit code says more than that. A reader may stop reading
/// (`| head`); that is no error.
pub fn put(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let shown = if out.is_terminal() { shown(text) } else { shown_plain(text) };
    match out.write_all(shown.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let why = format_args!("cannot write to standard output: {error}");
            Err(Failure::new(exit::ENVIRONMENT, why))
        }
        _ => Ok(()),
    }
}

/// Whether standard output is a terminal and plain text was not asked for
/// (<https://no-color.org>).
pub fn colour() -> bool {
    io::stdout().is_terminal() && !plain()
}

/// The same for standard error.
pub fn colour_of_errors() -> bool {
    io::stderr().is_terminal() && !plain()
}

fn plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Rows of cells as lines. Each column is as wide as its widest cell, and the first row is the
/// heading.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|n| width(n).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = super::table(&[row(["NODE", "ROLE"]), row(["cache/0/0", ""]), row(["é", "x"])]);
        assert_eq!(text, "NODE       ROLE\ncache/0/0\né          x\n");
    }
}
