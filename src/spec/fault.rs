//! What is wrong with a file: all of it, each with its place and advice.

use std::fmt::{self, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::model::printable;

use super::source::Span;

/// How many faults are shown; a file with more has one cause that repeats.
const SHOWN: usize = 50;

/// A line longer than this, in bytes, is not printed with its fault.
const LONG_LINE: usize = 300;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where; `None` where no text is to blame (a file that is missing).
    pub span: Option<Span>,
    /// What to write instead.
    pub advice: Option<String>,
}

impl Fault {
    pub fn new(span: &Span, message: impl Into<String>) -> Fault {
        Fault { message: printable(&message.into()), span: Some(span.clone()), advice: None }
    }

    /// A fault of no line in particular.
    pub fn nowhere(message: impl Into<String>, advice: impl Into<String>) -> Fault {
        let fault = Fault { message: printable(&message.into()), span: None, advice: None };
        fault.advise(advice)
    }

    pub fn advise(mut self, advice: impl Into<String>) -> Fault {
        self.advice = Some(printable(&advice.into()));
        self
    }

    pub fn advise_if(mut self, advice: Option<String>) -> Fault {
        self.advice = advice.map(|advice| printable(&advice)).or(self.advice);
        self
    }

    /// The span, unless its line is too long to be shown.
    fn shown_span(&self) -> Option<&Span> {
        self.span.as_ref().filter(|span| span.line_length() <= LONG_LINE)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.span {
            Some(span) if self.shown_span().is_none() => write!(f, " (at {span:?})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.advice.as_ref().map(|advice| Box::new(advice) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.shown_span().map(|span| &span.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.shown_span()?;
        let label = LabeledSpan::new(None, span.start, span.end - span.start);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong with a file and the files it names. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn one(fault: Fault) -> Faults {
        Faults(vec![fault])
    }

    /// `value`, if `faults` is empty; each fault is kept once, file by file in the
    /// order of the text.
    pub fn unless_empty<T>(mut faults: Vec<Fault>, value: Option<T>) -> Result<T, Faults> {
        match value {
            Some(value) if faults.is_empty() => Ok(value),
            _ => {
                let mut files: Vec<String> = Vec::new();
                faults.sort_by_cached_key(|fault| {
                    let span = fault.span.as_ref()?;
                    let name = span.source.name();
                    let file = files.iter().position(|known| known == name).unwrap_or_else(|| {
                        files.push(name.to_owned());
                        files.len() - 1
                    });
                    Some((file, span.start, span.end, fault.message.clone()))
                });
                faults.dedup();
                debug_assert!(!faults.is_empty(), "no value, and no fault that says why");
                Err(Faults(faults))
            }
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.0.iter()
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// All of them as a person reads them: drawn with colours and lines for a
    /// terminal, in plain ASCII otherwise. `width` is in columns.
    pub fn render(&self, terminal: bool, width: usize) -> String {
        let theme = if terminal { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false);
        let mut text = String::new();
        for fault in self.0.iter().take(SHOWN) {
            let advice = fault.advice.as_ref().map(|advice| wrap(advice, width));
            if handler.render_report(&mut text, &Fault { advice, ..fault.clone() }).is_err() {
                // Only a span outside its text could do that; the words still help.
                let _ = writeln!(text, "  {fault}");
            }
            text.push('\n');
        }
        if self.0.len() > SHOWN {
            let _ = writeln!(text, "  and {} more faults\n", self.0.len() - SHOWN);
        }
        text
    }
}

/// `text` in lines of `width` columns less their indent, broken at spaces only, so
/// that names stay whole.
fn wrap(text: &str, width: usize) -> String {
    let width = width.saturating_sub("  help: ".len());
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let long = |line: &String| line.chars().count() + 1 + word.chars().count() > width;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if !long(line) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => write!(f, "{one}"),
            [first, rest @ ..] => write!(f, "{first} (and {} more faults)", rest.len()),
            [] => f.write_str("no fault"),
        }
    }
}

impl std::error::Error for Faults {}

impl Diagnostic for Faults {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|fault| fault as &dyn Diagnostic)))
    }
}
