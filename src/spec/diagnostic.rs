//! What is wrong with a file: all of it, each error with its place and advice.

use std::fmt::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::model::printable;

use super::source::Span;

/// How many diagnostics are shown. A file with more has one cause that repeats.
const SHOWN: usize = 50;

/// A line longer than this, in bytes, is not printed with its diagnostic.
const LONG_LINE: usize = 300;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where it is; `None` if no text is wrong (the file is missing).
    pub span: Option<Span>,
    /// What to write instead.
    pub advice: Option<String>,
    /// The key that an unknown one probably means: it is not missing as well.
    pub meant: Option<String>,
}

impl Diagnostic {
    pub fn new(span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            message: printable(&message.into()),
            span: Some(span.clone()),
            advice: None,
            meant: None,
        }
    }

    /// A diagnostic without a place.
    pub fn nowhere(message: impl Into<String>, advice: impl Into<String>) -> Diagnostic {
        let diagnostic = Diagnostic {
            message: printable(&message.into()),
            span: None,
            advice: None,
            meant: None,
        };
        diagnostic.advise(advice)
    }

    pub fn advise(mut self, advice: impl Into<String>) -> Diagnostic {
        self.advice = Some(printable(&advice.into()));
        self
    }

    pub fn advise_if(mut self, advice: Option<String>) -> Diagnostic {
        self.advice = advice.map(|advice| printable(&advice)).or(self.advice);
        self
    }

    /// The span, unless its line is too long to be shown.
    fn shown_span(&self) -> Option<&Span> {
        self.span.as_ref().filter(|span| span.line_length() <= LONG_LINE)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.span {
            Some(span) if self.shown_span().is_none() => write!(f, " (at {span:?})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
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

/// Everything that is wrong with a file and the files it names. As an error it is never empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn one(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// `message` says what is wrong at `span`, and `advice` what to write instead.
    pub fn add(&mut self, span: &Span, message: impl Into<String>, advice: impl Into<String>) {
        self.push(Diagnostic::new(span, message).advise(advice));
    }

    /// Adds what is `wrong` at `span`, if anything: a message and advice. `None` if it is.
    pub fn add_if(
        &mut self,
        span: &Span,
        wrong: Option<(String, impl Into<String>)>,
    ) -> Option<()> {
        let Some((message, advice)) = wrong else { return Some(()) };
        self.add(span, message, advice);
        None
    }

    /// Whether one of these places was reported to mean the key `name`.
    pub fn mean(&self, mut places: impl Iterator<Item = Span>, name: &str) -> bool {
        let of = |span: &Span| {
            let here = |known: &&Diagnostic| known.span.as_ref() == Some(span);
            self.0.iter().filter(here).any(|known| known.meant.as_deref() == Some(name))
        };
        places.any(|span| of(&span))
    }

    /// Replaces the advice of what was reported last.
    pub fn advise_last(&mut self, advice: impl FnOnce(Option<&str>) -> String) {
        if let Some(last) = self.0.last_mut() {
            last.advice = Some(printable(&advice(last.advice.as_deref())));
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value`, if nothing is wrong. Otherwise the diagnostics, each once, file by file in the
    /// order of the text.
    pub fn unless_empty<T>(mut self, value: Option<T>) -> Result<T, Diagnostics> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => {
                let mut files: Vec<String> = Vec::new();
                self.0.sort_by_cached_key(|diagnostic| {
                    let span = diagnostic.span.as_ref()?;
                    let name = span.source.name();
                    let file = files.iter().position(|known| known == name).unwrap_or_else(|| {
                        files.push(name.to_owned());
                        files.len() - 1
                    });
                    Some((file, span.start, span.end, diagnostic.message.clone()))
                });
                // A profile's value is read more than once, with advice that may differ.
                self.0.dedup_by(|a, b| a.span == b.span && a.message == b.message);
                debug_assert!(!self.is_empty(), "no value, and no diagnostic that says why");
                Err(self)
            }
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.0.iter()
    }

    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// All of them as text for people: with colours and lines for a terminal, otherwise in
    /// plain ASCII. `width` is in columns.
    pub fn render(&self, terminal: bool, width: usize) -> String {
        let theme = if terminal { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false);
        let mut text = String::new();
        for diagnostic in self.0.iter().take(SHOWN) {
            let advice = diagnostic.advice.as_ref().map(|advice| wrap(advice, width));
            if handler
                .render_report(&mut text, &Diagnostic { advice, ..diagnostic.clone() })
                .is_err()
            {
                // This happens only if a span lies outside its text. The message is still
                // useful.
                let _ = writeln!(text, "  {diagnostic}");
            }
            text.push('\n');
        }
        if self.0.len() > SHOWN {
            let _ = writeln!(text, "  and {} more problems\n", self.0.len() - SHOWN);
        }
        text
    }
}

/// Wraps `text` at `width` columns less the indent. It breaks at spaces only, so that names
/// stay whole.
fn wrap(text: &str, width: usize) -> String {
    let options = textwrap::Options::new(width.saturating_sub("  help: ".len()))
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::fill(text, options)
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Diagnostics {
        Diagnostics(diagnostics.into_iter().collect())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => write!(f, "{one}"),
            [first, rest @ ..] => write!(f, "{first} (and {} more problems)", rest.len()),
            [] => f.write_str("no problem"),
        }
    }
}

impl std::error::Error for Diagnostics {}

impl miette::Diagnostic for Diagnostics {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|diagnostic| diagnostic as &dyn miette::Diagnostic)))
    }
}
