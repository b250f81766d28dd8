//! `redrill compare`: two runs side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use super::report::refuse;
use super::{out, terminal};
use crate::report::{self, ReportError, compare};

/// Put the figures of two runs side by side
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run to compare with: its folder, or a report.json
    before: PathBuf,
    /// The run to compare: its folder, or a report.json
    after: PathBuf,
    /// How to print the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write it as a page of its own as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Markdown,
}

pub fn main(args: Args) -> ExitCode {
    match print(&args) {
        Ok(text) => out::print(&text),
        Err(error) => refuse(&error),
    }
}

fn print(args: &Args) -> Result<String, ReportError> {
    let (before, after) = (report::open(&args.before)?, report::open(&args.after)?);
    let comparison = compare::compare(&before, &after);
    if let Some(path) = &args.html {
        report::write_file(path, &comparison.html()?)?;
    }
    Ok(match args.format {
        Format::Text => comparison.text(terminal::width(), out::colour()),
        Format::Markdown => comparison.markdown(),
    })
}
