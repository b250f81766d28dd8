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
use crate::model::acts;

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

/// The tree of `source`. Errors that leave a tree (duplicate keys) go to `errors`; after
/// other errors there is no tree.
pub fn parse(source: &Source, errors: &mut Diagnostics) -> Option<Node> {
    parse_at(source, 0, errors)
}

/// The same of the text from byte `offset` on.
pub fn parse_at(source: &Source, offset: usize, errors: &mut Diagnostics) -> Option<Node> {
    if source.text().len() > Source::MAX_BYTES {
        errors.push(too_large(source.name()));
        return None;
    }
    check_characters(source, errors)?;
    let options = yaml::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let text = source.text().get(offset..).unwrap_or("");
    let events = Parser::new_from_str_with_options(text, options);
    let anchors = HashMap::new();
    let mut builder = Builder { source, offset, errors, events, anchors, nodes: 0, depth: 0 };
    let root = builder.root();
    root.map_err(|diagnostic| errors.push(*diagnostic)).ok()
}

/// Whether all of the text can be shown to a person: errors quote it.
pub fn check_characters(source: &Source, errors: &mut Diagnostics) -> Option<()> {
    let text = source.text();
    let Some((at, c)) = text.char_indices().find(|(_, c)| is_refused(*c)) else { return Some(()) };
    let line = 1 + text[..at].matches('\n').count();
    errors.push(Diagnostic::nowhere(
        format!("{}: line {line} has {}", source.name(), named(c)),
        "take it out: it could control a terminal, and no topology or scenario needs it",
    ));
    None
}

fn is_refused(c: char) -> bool {
    acts(c) && !matches!(c, '\n' | '\r' | '\t')
}

fn named(c: char) -> String {
    format!("the control character U+{:04X}", u32::from(c))
}

struct Builder<'s, 'f, I> {
    source: &'s Source,
    offset: usize,
    errors: &'f mut Diagnostics,
    events: I,
    /// `None` while the anchored collection is still open.
    anchors: HashMap<usize, Option<Node>>,
    nodes: usize,
    /// How many collections are open.
    depth: usize,
}

type Parsed<T = ()> = Result<T, Box<Diagnostic>>;

impl<'e, I> Builder<'_, '_, I>
where
    I: Iterator<Item = Result<(Event<'e>, yaml::Span), yaml::ScanError>>,
{
    fn root(&mut self) -> Parsed<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(..) if root.is_some() => {
                    let diagnostic = Diagnostic::new(&span, "a second document starts here");
                    let advice = "put each document in a file of its own";
                    return Err(Box::new(diagnostic.advise(advice)));
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, span)?.0),
            }
        }
        root.ok_or_else(|| self.empty())
    }

    fn empty(&self) -> Box<Diagnostic> {
        Box::new(Diagnostic::nowhere(
            format!("{} is empty", self.source.name()),
            "`redrill show cluster-3x1` and `redrill show cluster-reshard` print examples",
        ))
    }

    /// The next event that says something about a value or a document, and its place.
    fn next(&mut self) -> Parsed<Option<(Event<'e>, Span)>> {
        while let Some(event) = self.events.next() {
            let (event, span) = event.map_err(|error| Box::new(self.syntax(&error)))?;
            if let (Some(tag), Some(span)) = (event.tag(), span.tag_span()) {
                let message = format!("the tag `{}` means nothing here", tag.original());
                let diagnostic = Diagnostic::new(&self.span(&span), message);
                return Err(Box::new(diagnostic.advise("write the value without it")));
            }
            if !matches!(event, Event::StreamStart | Event::StreamEnd | Event::DocumentEnd) {
                return Ok(Some((event, self.span(&span))));
            }
        }
        Ok(None)
    }

    fn span(&self, span: &yaml::Span) -> Span {
        let byte = |marker: &yaml::Marker| self.offset + marker.byte_offset().unwrap_or(0);
        let (start, end) = (byte(&span.start), byte(&span.end));
        let span = self.source.span(start, end);
        let trimmed = span.text().trim_end().len();
        self.source.span(start, start + trimmed)
    }

    /// The value that begins with `event`, and whether its own place is what to mark.
    fn node(&mut self, event: Event<'e>, span: Span) -> Parsed<(Node, bool)> {
        let (anchor, flow) = match &event {
            Event::Alias(anchor) => return Ok((self.alias(*anchor, &span)?, true)),
            Event::Scalar(.., anchor, _) => (*anchor, true),
            Event::SequenceStart(style, anchor, _) | Event::MappingStart(style, anchor, _) => {
                (*anchor, *style == StructureStyle::Flow)
            }
            _ => return Err(self.empty()),
        };
        self.count(1, &span)?;
        let start = span.start;
        let (value, span, marks_itself) = match event {
            Event::Scalar(text, style, ..) => {
                if let Some(c) = text.chars().find(|c| is_refused(*c)) {
                    let message = format!("this text has {}", named(c));
                    let advice = "take it out: it could control a terminal";
                    return Err(Box::new(Diagnostic::new(&span, message).advise(advice)));
                }
                let plain = style == ScalarStyle::Plain;
                (Value::Scalar(Scalar { text: text.into_owned(), plain }), span, true)
            }
            event => {
                if self.depth >= MAX_DEPTH {
                    return Err(Box::new(too_deep(&span)));
                }
                self.depth += 1;
                self.anchors.insert(anchor, None);
                let (value, end) = match event {
                    Event::SequenceStart(..) => self.list()?,
                    _ => self.map()?,
                };
                self.depth -= 1;
                let whole = self.source.span(start, end.end.max(start));
                let on_one_line = flow && !whole.text().contains('\n');
                (value, if on_one_line { whole } else { self.first_line(start) }, on_one_line)
            }
        };
        let node = Node { value, span };
        if anchor != 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        Ok((node, marks_itself))
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Parsed {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the file comes to more than {MAX_NODES} values here");
        Err(Box::new(Diagnostic::new(span, message).advise("aliases count as what they stand for")))
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Parsed<Node> {
        let Some(Some(node)) = self.anchors.get(&anchor) else {
            let message = format!("the alias `{}` stands inside its own anchor", span.text());
            let advice = "a value cannot contain itself; write it out";
            return Err(Box::new(Diagnostic::new(span, message).advise(advice)));
        };
        let node = node.clone();
        // This also limits the depth: a chain of n aliases has n * n / 2 values.
        self.count(node.size(), span)?;
        Ok(node)
    }

    /// The items of a list that has begun, and the place of its end.
    fn list(&mut self) -> Parsed<(Value, Span)> {
        let mut items = Vec::new();
        loop {
            match self.next()?.ok_or_else(|| self.empty())? {
                (Event::SequenceEnd, end) => return Ok((Value::List(items), end)),
                (event, span) => items.push(self.node(event, span)?.0),
            }
        }
    }

    /// The same of a map.
    fn map(&mut self) -> Parsed<(Value, Span)> {
        let (mut entries, mut keys): (Vec<Entry>, HashSet<String>) = Default::default();
        loop {
            let (event, span) = match self.next()?.ok_or_else(|| self.empty())? {
                (Event::MappingEnd, end) => return Ok((Value::Map(entries), end)),
                begun => begun,
            };
            if let Event::SequenceStart(..) | Event::MappingStart(..) = event {
                let diagnostic = Diagnostic::new(&span, "a key must be a single value");
                return Err(Box::new(diagnostic.advise("quote it if it starts with `{` or `[`")));
            }
            let (key, key_span) = read_key(self.node(event, span)?.0, self.errors)?;
            let (event, span) = self.next()?.ok_or_else(|| self.empty())?;
            let (mut value, marks_itself) = self.node(event, span)?;
            if !marks_itself || value.is_null() {
                value.span = key_span.clone();
            }
            if keys.insert(key.clone()) {
                entries.push(Entry { key, key_span, value });
            } else {
                self.errors.push(duplicate(&key, &key_span, &entries));
            }
        }
    }

    /// From `start` to the end of its line.
    fn first_line(&self, start: usize) -> Span {
        let rest = self.source.text().get(start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("").trim_end();
        self.source.span(start, start + line.len())
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
        } else if error.info().contains("quoted scalar") && !end_of_file {
            diagnostic.advise("a quote is opened on a line above and not closed")
        } else if let Some((key, value)) = unspaced(&text[line_start..]) {
            diagnostic.advise(format!("a space is missing behind the colon: `{key}: {value}`"))
        } else if end_of_file || unclosed {
            diagnostic.advise("the file ends before this does; was it cut off?")
        } else {
            diagnostic
        }
    }
}

/// The key and the value of a line that has no space behind its colon.
fn unspaced(from: &str) -> Option<(&str, &str)> {
    let (key, value) = from.lines().next()?.trim().split_once(':')?;
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let is_key = !key.is_empty() && key.chars().all(is_word);
    (is_key && value.starts_with(|c: char| !c.is_whitespace())).then_some((key, value))
}

fn too_deep(span: &Span) -> Diagnostic {
    let message = format!("values are nested more than {MAX_DEPTH} deep here");
    Diagnostic::new(span, message).advise("no topology or scenario needs more than six")
}

fn read_key(node: Node, errors: &mut Diagnostics) -> Parsed<(String, Span)> {
    let null = node.is_null();
    match node.value {
        Value::Scalar(scalar) if !null => {
            if scalar.plain && scalar.text == "<<" {
                let message = "merge keys (`<<`) are not understood";
                errors.add(&node.span, message, "write the keys out");
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
