//! Why a report could not be made.

use std::io;
use std::path::{Path, PathBuf};

use super::data::SCHEMA;

/// What was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(
        "{} is not a run folder: it has no events.jsonl. Name a folder that `redrill run` left, runs/… by default",
        path.display()
    )]
    NotARun { path: PathBuf },
    #[error(
        "{} does not begin with the record of a drill, so no report can be made of it: the drill ended before it began, or this is another program's file",
        path.display()
    )]
    NoDrill { path: PathBuf },
    #[error(
        "{}, line {number}: not an event ({source}). The file was damaged or comes from another version of redrill",
        path.display()
    )]
    BadEvent { path: PathBuf, number: u64, source: serde_json::Error },
    #[error(
        "{} is not a report of redrill ({source}). Name a run folder, or the report.json of one",
        path.display()
    )]
    NotAReport { path: PathBuf, source: serde_json::Error },
    #[error(
        "{} has the schema {schema} of redrill {redrill}, and this redrill reads {SCHEMA}. Make it anew from its run folder with `redrill report`",
        path.display()
    )]
    OtherSchema { path: PathBuf, schema: u32, redrill: String },
    #[error(transparent)]
    History(#[from] crate::load::history::HistoryError),
    #[error(transparent)]
    Check(crate::check::ReadError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot render {what}: {why}")]
    Render { what: &'static str, why: String },
}

impl ReportError {
    pub(super) fn read(path: &Path, source: io::Error) -> ReportError {
        ReportError::Read { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> ReportError {
        ReportError::Write { path: path.to_owned(), source }
    }
}
