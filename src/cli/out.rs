//! Printing to standard output, and text in columns.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::{exit, terminal};

/// Prints `text` unchanged. A reader may stop reading (`| head`); that is no error.
pub fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            terminal::say(&format!("cannot write to standard output: {error}"));
            ExitCode::from(exit::ENVIRONMENT)
        }
        _ => ExitCode::SUCCESS,
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
