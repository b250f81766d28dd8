//! Making the report of a folder, with a line on a terminal that says how far it is.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::log::OrLogged;
use crate::report::{self, Report, ReportError};

/// What is done sooner needs no line.
const AFTER: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_millis(200);

/// The report of `run`.
///
/// # Errors
/// Those of [`report::build`].
pub fn build(run: &Path) -> Result<Report, ReportError> {
    if !io::stderr().is_terminal() {
        return report::build(run);
    }
    let mut next = Instant::now() + AFTER;
    let mut is_told = false;
    let made = report::build_telling(run, &mut |share| {
        if Instant::now() >= next || (is_told && share >= 1.0) {
            next = Instant::now() + EVERY;
            is_told = true;
            line(&told(share));
        }
    });
    if is_told {
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
fn line(text: &str) {
    let mut err = io::stderr().lock();
    let written = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
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
