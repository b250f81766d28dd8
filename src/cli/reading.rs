//! Making the report of a folder, with a line that says how far it is: one that changes on a
//! terminal, and a new one from time to time in a file.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::log::OrLogged;
use crate::report::{self, Report, ReportError};

/// What is done sooner needs no line, on a terminal and in a file.
const AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];
const EVERY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// The report of `run`.
///
/// # Errors
/// Those of [`report::build`].
pub fn build(run: &Path) -> Result<Report, ReportError> {
    let is_terminal = io::stderr().is_terminal();
    let [after, every] = [AFTER, EVERY].map(|times| times[usize::from(!is_terminal)]);
    let line = if is_terminal { in_place } else { new_line };
    let mut next = Instant::now() + after;
    let mut is_told = false;
    let made = report::build_telling(run, &mut |share| {
        if Instant::now() >= next || (is_told && share >= 1.0) {
            next = Instant::now() + every;
            is_told = true;
            line(&told(share));
        }
    });
    if is_told && is_terminal {
        line("");
    }
    made
}

fn told(share: f64) -> String {
    match share {
        1.0.. => "the history is read, and judged now".to_owned(),
        share => format!("{:.0} % of the history is read", share * 100.0),
    }
}

/// In the place of the line before.
fn in_place(text: &str) {
    put(format_args!("\r\x1b[K{text}"));
}

fn new_line(text: &str) {
    put(format_args!("{text}\n"));
}

fn put(text: fmt::Arguments<'_>) {
    let mut err = io::stderr().lock();
    let written = err.write_fmt(text).and_then(|()| err.flush());
    written.or_logged("tell how far a report is");
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn it_says_how_far_it_is() {
        assert_eq!(told(0.434), "43 % of the history is read");
        assert_eq!(told(1.0), "the history is read, and judged now");
    }
}
