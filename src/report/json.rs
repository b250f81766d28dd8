//! Writes `report.json`, so that a person can read it too, and reads it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::file;

/// The text of `report.json`.
///
/// # Errors
/// A value cannot be written as JSON.
pub fn render(report: &Report) -> Result<String, ReportError> {
    pretty(report)
}

/// Reads the `report.json` at `path`. Its run folder is the folder of the file.
///
/// # Errors
/// It cannot be read, is no report, or has another schema.
pub fn read(path: &Path) -> Result<Report, ReportError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
        redrill: String,
    }
    let text = fs::read(path).map_err(|e| ReportError::read(path, e))?;
    let no_report = |source| ReportError::NotAReport { path: path.to_owned(), source };
    let Version { schema, redrill } = serde_json::from_slice(&text).map_err(no_report)?;
    if schema != SCHEMA {
        return Err(ReportError::OtherSchema { path: path.to_owned(), schema, redrill });
    }
    let report: Report = serde_json::from_slice(&text).map_err(no_report)?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let yaml = fs::read_to_string(folder.join(file::SCENARIO)).ok();
    Ok(Report { folder, yaml, ..report })
}

/// The JSON Schema of `report.json`.
///
/// # Errors
/// A value cannot be written as JSON.
pub fn schema() -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Report)).map_err(bad)?;
    text.push('\n');
    Ok(text)
}

/// JSON with an object a line, and arrays of plain values on one line: a column of 10,000
/// numbers takes one line, not 10,000.
pub(super) fn pretty(value: &impl Serialize) -> Result<String, ReportError> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Layout::default())).map_err(bad)?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|e| ReportError::Render { what: "JSON", why: e.to_string() })
}

fn bad(e: serde_json::Error) -> ReportError {
    ReportError::Render { what: "JSON", why: e.to_string() }
}

#[derive(Default)]
struct Layout {
    depth: usize,
    empty: bool,
    /// For each open array: whether it has contained an object.
    arrays: Vec<bool>,
    in_array_value: bool,
}

impl Layout {
    fn newline<W: ?Sized + Write>(&self, w: &mut W) -> io::Result<()> {
        write!(w, "\n{:1$}", "", self.depth * 2)
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.arrays.push(false);
        self.depth += 1;
        self.in_array_value = false;
        w.write_all(b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.in_array_value = true;
        if first { Ok(()) } else { w.write_all(b",") }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_array_value = false;
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.arrays.pop() == Some(true) {
            self.newline(w)?;
        }
        w.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        if self.in_array_value {
            if let Some(objects) = self.arrays.last_mut() {
                *objects = true;
            }
            self.newline(w)?;
        }
        self.in_array_value = false;
        self.depth += 1;
        self.empty = true;
        w.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.empty = false;
        if !first {
            w.write_all(b",")?;
        }
        self.newline(w)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.in_array_value = false;
        w.write_all(b": ")
    }

    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if !self.empty {
            self.newline(w)?;
        }
        self.empty = false;
        w.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn columns_stand_on_one_line_and_objects_on_their_own() {
        let value = json!({"a": [1, 2.5, null], "b": [{"x": []}, {}], "c": {"d": "e,[{"}});
        let text = super::pretty(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        insta::assert_snapshot!(text, @r#"
        {
          "a": [1,2.5,null],
          "b": [
            {
              "x": []
            },
            {}
          ],
          "c": {
            "d": "e,[{"
          }
        }
        "#);
    }
}
