//! Writes a report's files into its run folder.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::data::Report;
use super::error::ReportError;
use super::{file, html, json, junit, markdown};
use crate::log::OrLogged;

/// Writes `report.json`, `report.html`, `report.md` and `junit.xml` into the report's folder.
/// Each appears complete or not at all.
///
/// # Errors
/// The folder cannot be written.
pub fn write(report: &Report) -> Result<(), ReportError> {
    let contents = [
        (file::JSON, json::render(report)?),
        (file::HTML, html::render(report)?),
        (file::MARKDOWN, markdown::render(report)?),
        (file::JUNIT, junit::render(std::slice::from_ref(report))?),
    ];
    for (name, text) in contents {
        write_file(&report.folder.join(name), &text)?;
    }
    Ok(())
}

/// Writes `text` beside `path` and then moves it there.
///
/// # Errors
/// The folder cannot be written.
pub fn write_file(path: &Path, text: &str) -> Result<(), ReportError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = Path::new(&beside);
    let written = fs::File::create(beside)
        .and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()))
        .and_then(|()| fs::rename(beside, path));
    written.map_err(|e| {
        fs::remove_file(beside).or_logged("remove a draft");
        ReportError::write(path, e)
    })
}
