//! From YAML text to a tree in which every value knows its place in the text.
//!
//! A general deserialiser stops at its first error. Decoding from a tree goes on, so that all
//! errors of a file are reported at once. Aliases are resolved here, with limits on size and
//! depth. Tags, merge keys and multiple documents are refused: no topology or scenario needs
//! them.

use std::collections::{HashMap, HashSet};

use granit_parser::{self as yaml, ErrorKind, Event, Parser, ScalarStyle, StructureStyle};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Source, Span};

/// The most values that a file may have once its aliases are resolved.
const MAX_NODES: usize = 20_000;

/// How deep values may be nested, aliases aside.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug)]
pub struct Node {
    pub value: Value,
    /// What to mark in an error: a scalar, a collection on one line, or else the key of the
    /// collection.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file, each key once.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: String,
    /// Written without quotes.
    pub plain: bool,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    /// Nothing is written where a value could be, or `~`, or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(s)
            if s.plain && matches!(&*s.text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Its name in error messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map of keys and values",
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    /// How many values it has, including itself.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }
}

impl Source {
    /// The same from a file's bytes. It is an error if they are too many or not UTF-8.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Source, Diagnostics> {
        let name = name.into();
        if bytes.len() > Source::MAX_BYTES {
            return Err(Diagnostics::one(too_large(&name)));
        }
        String::from_utf8(bytes).map(|text| Source::new(name.clone(), text)).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
            Diagnostics::one(Diagnostic::nowhere(
                format!("{name} is not text: line {line} is not UTF-8"),
                "give a YAML file, saved as UTF-8",
            ))
        })
    }
}

/// The error for a file that is larger than [`Source::MAX_BYTES`].
fn too_large(name: &str) -> Diagnostic {
    Diagnostic::nowhere(
        format!("{name} is larger than 1 MB and was not read"),
        "a topology or a scenario is a few hundred lines at most; is this the right file?",
    )
}

/// The tree of `source`. Errors that leave a tree (duplicate keys) go to `diagnostics`; after
/// other errors there is no tree.
pub fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    parse_at(source, 0, diagnostics)
}

/// The same of the text from byte `offset` on.
pub fn parse_at(source: &Source, offset: usize, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    if source.text().len() > Source::MAX_BYTES {
        diagnostics.push(too_large(source.name()));
        return None;
    }
    let mut builder = Builder {
        source,
        offset,
        diagnostics,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        documents: 0,
        root: None,
    };
    match builder.run() {
        Ok(()) => builder.root,
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            None
        }
    }
}

struct Builder<'s, 'f> {
    source: &'s Source,
    offset: usize,
    diagnostics: &'f mut Vec<Diagnostic>,
    open: Vec<Open>,
    /// `None` while the anchored collection is still open.
    anchors: HashMap<usize, Option<Node>>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

/// A collection whose end has not come yet.
struct Open {
    anchor: usize,
    flow: bool,
    start: Span,
    value: OpenValue,
}

enum OpenValue {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashSet<String>, key: Option<(String, Span)> },
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl Builder<'_, '_> {
    fn run(&mut self) -> Step {
        let options = yaml::options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let text = self.source.text().get(self.offset..).unwrap_or("");
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| Box::new(self.syntax(&error)))?;
            if let (Some(tag), Some(span)) = (event.tag(), span.tag_span()) {
                let message = format!("the tag `{}` means nothing here", tag.original());
                let diagnostic = Diagnostic::new(&self.span(&span), message);
                return Err(Box::new(diagnostic.advise("write the value without it")));
            }
            self.event(event, self.span(&span))?;
        }
        if self.root.is_none() {
            let name = self.source.name();
            return Err(Box::new(Diagnostic::nowhere(
                format!("{name} is empty"),
                "`redrill show cluster-3x1` and `redrill show cluster-reshard` print examples",
            )));
        }
        Ok(())
    }

    fn span(&self, span: &yaml::Span) -> Span {
        let byte = |marker: &yaml::Marker| self.offset + marker.byte_offset().unwrap_or(0);
        let (start, end) = (byte(&span.start), byte(&span.end));
        let span = self.source.span(start, end);
        let trimmed = span.text().trim_end().len();
        self.source.span(start, start + trimmed)
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let diagnostic = Diagnostic::new(&span, "a second document starts here");
                    return Err(Box::new(
                        diagnostic.advise("put each document in a file of its own"),
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain };
                self.count(1, &span)?;
                self.close(Node { value: Value::Scalar(scalar), span }, anchor, true)
            }
            Event::Alias(anchor) => self.alias(anchor, &span),
            Event::SequenceStart(style, anchor, _) => {
                self.open(anchor, style, span, OpenValue::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, _) => {
                let keys = HashSet::new();
                let value = OpenValue::Map { entries: Vec::new(), keys, key: None };
                self.open(anchor, style, span, value)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Step {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the file comes to more than {MAX_NODES} values here");
        Err(Box::new(Diagnostic::new(span, message).advise("aliases count as what they stand for")))
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Step {
        let Some(Some(node)) = self.anchors.get(&anchor) else {
            let message = format!("the alias `{}` stands inside its own anchor", span.text());
            let advice = "a value cannot contain itself; write it out";
            return Err(Box::new(Diagnostic::new(span, message).advise(advice)));
        };
        let node = node.clone();
        // This also limits the depth: a chain of n aliases has n * n / 2 values.
        self.count(node.size(), span)?;
        self.close(node, 0, true)
    }

    fn open(
        &mut self,
        anchor: usize,
        style: StructureStyle,
        start: Span,
        value: OpenValue,
    ) -> Step {
        self.count(1, &start)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Box::new(too_deep(&start)));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        if let Some(Open { value: OpenValue::Map { key: None, .. }, .. }) = self.open.last() {
            let diagnostic = Diagnostic::new(&start, "a key must be a single value");
            return Err(Box::new(diagnostic.advise("quote it if it starts with `{` or `[`")));
        }
        self.open.push(Open { anchor, flow: style == StructureStyle::Flow, start, value });
        Ok(())
    }

    /// The innermost collection has ended at `end`.
    fn end(&mut self, end: &Span) -> Step {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let start = open.start.start;
        let whole = self.source.span(start, end.end.max(start));
        let on_one_line = open.flow && !whole.text().contains('\n');
        let span = if on_one_line { whole } else { self.first_line(start) };
        let value = match open.value {
            OpenValue::List(items) => Value::List(items),
            OpenValue::Map { entries, .. } => Value::Map(entries),
        };
        self.close(Node { value, span }, open.anchor, on_one_line)
    }

    /// From `start` to the end of its line.
    fn first_line(&self, start: usize) -> Span {
        let rest = self.source.text().get(start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("").trim_end();
        self.source.span(start, start + line.len())
    }

    /// Adds a finished node to its collection.
    fn close(&mut self, mut node: Node, anchor: usize, marks_itself: bool) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.value {
            OpenValue::List(items) => items.push(node),
            OpenValue::Map { entries, keys, key } => match key.take() {
                None => *key = Some(read_key(node, self.diagnostics)?),
                Some((name, key_span)) => {
                    if !marks_itself || node.is_null() {
                        node.span = key_span.clone();
                    }
                    if keys.insert(name.clone()) {
                        entries.push(Entry { key: name, key_span, value: node });
                    } else {
                        self.diagnostics.push(duplicate(&name, &key_span, entries));
                    }
                }
            },
        }
        Ok(())
    }

    fn syntax(&self, error: &yaml::ScanError) -> Diagnostic {
        let text = self.source.text();
        let at = self.offset + error.marker().byte_offset().unwrap_or(0);
        let at = self.source.boundary(at);
        // At the end of a file only its last character can be marked.
        let end_of_file = text[at..].trim().is_empty();
        let at = if end_of_file { text.trim_end().len().saturating_sub(1) } else { at };
        let unclosed = matches!(
            error.kind(),
            ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnclosedQuotedScalar
        );
        let line_start = text[..self.source.boundary(at)].rfind('\n').map_or(0, |n| n + 1);
        let indent = text[line_start..].split(|c: char| !c.is_whitespace()).next().unwrap_or("");
        let span = self.source.span(at, at + 1);
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return too_deep(&span);
        }
        let diagnostic = Diagnostic::new(&span, format!("not YAML: {}", error.info()));
        if indent.contains('\t') {
            diagnostic.advise("this line is indented with a tab; YAML wants spaces")
        } else if end_of_file || unclosed {
            diagnostic.advise("the file ends before this does; was it cut off?")
        } else {
            diagnostic
        }
    }
}

fn too_deep(span: &Span) -> Diagnostic {
    let message = format!("values are nested more than {MAX_DEPTH} deep here");
    Diagnostic::new(span, message).advise("no topology or scenario needs more than six")
}

fn read_key(node: Node, diagnostics: &mut Vec<Diagnostic>) -> Step<(String, Span)> {
    let null = node.is_null();
    match node.value {
        Value::Scalar(scalar) if !null => {
            if scalar.plain && scalar.text == "<<" {
                let diagnostic =
                    Diagnostic::new(&node.span, "merge keys (`<<`) are not understood");
                diagnostics.push(diagnostic.advise("write the keys out"));
            }
            Ok((scalar.text, node.span))
        }
        _ => Err(Box::new(Diagnostic::new(&node.span, "a key must be a single value"))),
    }
}

fn duplicate(name: &str, again: &Span, entries: &[Entry]) -> Diagnostic {
    let first = entries.iter().find(|entry| entry.key == name);
    let line = first.map_or(0, |entry| entry.key_span.line_column().0);
    Diagnostic::new(again, format!("the key `{name}` is here twice"))
        .advise(format!("it stands on line {line} already; keep one of them"))
}
