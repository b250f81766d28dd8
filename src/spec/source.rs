//! The text of a file, and places in it.

use std::fmt;
use std::sync::Arc;

use miette::{MietteError, NamedSource, SourceCode, SourceSpan, SpanContents};

/// A file's name and text. Cheap to clone.
#[derive(Clone)]
pub struct Source(Arc<NamedSource<String>>);

impl Source {
    /// The largest file that is read, in bytes. The largest sensible scenario has a hundredth
    /// of it.
    pub const MAX_BYTES: usize = 1 << 20;

    pub fn new(name: impl AsRef<str>, text: impl Into<String>) -> Source {
        Source(Arc::new(NamedSource::new(name, text.into())))
    }

    /// The name by which a person knows it: a path, or the text of a `--set`.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    pub fn text(&self) -> &str {
        self.0.inner()
    }

    /// The place from byte `start` to byte `end`, cut to fit the text.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let start = self.boundary(start);
        let mut end = end.clamp(start, self.text().len());
        while !self.text().is_char_boundary(end) {
            end += 1;
        }
        Span { source: self.clone(), start, end }
    }

    /// The start of the character that byte `at` belongs to.
    pub fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text().len());
        while !self.text().is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name())
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        self.0.read_span(span, before, after)
    }
}

/// A place in a source, in bytes; `end` is not part of it.
#[derive(Clone)]
pub struct Span {
    pub source: Source,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn text(&self) -> &str {
        self.source.text().get(self.start..self.end).unwrap_or("")
    }

    /// Line and column, both from 1.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text().get(..self.start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
    }

    /// The length in bytes of the line in which it starts.
    pub fn line_length(&self) -> usize {
        let text = self.source.text();
        let start = text[..self.start].rfind('\n').map_or(0, |n| n + 1);
        text[self.start..].find('\n').map_or(text.len(), |n| self.start + n) - start
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Span) -> bool {
        Arc::ptr_eq(&self.source.0, &other.source.0)
            && (self.start, self.end) == (other.start, other.end)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.name())
    }
}
