//! Printing to standard output.

use std::io::{self, Write};
use std::process::ExitCode;

use super::exit;

/// Prints `text` as it is. Whoever reads it may stop reading (`| head`) without
/// that being an error.
pub fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("cannot write to standard output: {error}");
            ExitCode::from(exit::ENVIRONMENT)
        }
        _ => ExitCode::SUCCESS,
    }
}
