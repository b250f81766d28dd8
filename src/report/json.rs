//! Writes `report.json`, so that a person can read it too, and reads it.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::file;
use crate::files::read as bounded;
use crate::model::from_json;

/// A report of a day's drill has a tenth of it.
const MOST_BYTES: u64 = 256 << 20;

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
    let text = bounded::open(path).and_then(|file| bounded::whole(file, MOST_BYTES));
    let text = text.map_err(|e| ReportError::read(path, e))?;
    let no_report = |source| ReportError::NotAReport { path: path.to_owned(), source };
    let Version { schema, redrill } = from_json(&text).map_err(no_report)?;
    if schema != SCHEMA {
        return Err(ReportError::OtherSchema { path: path.to_owned(), schema, redrill });
    }
    let report: Report = from_json(&text).map_err(no_report)?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let yaml = file::scenario(&folder);
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

/// The library's own layout, but for arrays without objects, which stay on one line.
#[derive(Default)]
struct Layout {
    pretty: PrettyFormatter<'static>,
    in_array_value: bool,
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.in_array_value = false;
        self.pretty.begin_array(w)
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
        self.pretty.end_array(w)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        if std::mem::take(&mut self.in_array_value) {
            self.pretty.begin_array_value(w, true)?;
        }
        self.pretty.begin_object(w)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(w, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(w)
    }

    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.pretty.end_object(w)?;
        // So that what it stands in, a list too, ends on a line of its own.
        self.pretty.end_object_value(w)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(w)
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
