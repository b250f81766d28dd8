//! Printing to standard output.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::{exit, terminal};

/// Prints `text` as it is. Whoever reads it may stop reading (`| head`) without
/// that being an error.
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

/// Whether standard output is a terminal and nobody asked for plain text
/// (<https://no-color.org>).
pub fn colour() -> bool {
    io::stdout().is_terminal() && !plain()
}

/// The same of standard error.
pub fn colour_of_errors() -> bool {
    io::stderr().is_terminal() && !plain()
}

fn plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into())
}
