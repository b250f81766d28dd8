//! Changes to a tree before it is decoded: `--set KEY=VALUE`, and profiles.
//!
//! Values keep their place, so an error in one is reported where it was written.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::nearest;
use super::source::{Source, Span};
use super::tree::{self, Entry, Node, Value};

/// The longest path, in words. Files are not nested deeper.
const MAX_WORDS: usize = 16;

/// The name of the source that a `--set` is.
const SOURCE: &str = "--set";

/// One value to put into a tree: `loads.app.rate=20000/s`.
#[derive(Clone, Debug)]
pub struct Setting {
    path: Vec<(String, Span)>,
    value: Node,
}

impl Setting {
    /// The setting in the text of a `--set`.
    pub fn parse(text: &str, errors: &mut Diagnostics) -> Option<Setting> {
        let source = Source::new(SOURCE, text);
        tree::check_characters(&source, errors)?;
        let whole = source.span(0, text.len());
        let Some((path, _)) = text.split_once('=') else {
            let message = format!("`--set {text}` has no `=`");
            errors.add(&whole, message, "write KEY=VALUE, like loads.app.rate=2000/s");
            return None;
        };
        let mut words = Vec::new();
        let mut start = 0;
        for word in path.split('.') {
            let span = source.span(start, start + word.len());
            start += word.len() + 1;
            words.push((word.trim().to_owned(), span));
        }
        if words.iter().any(|(word, _)| word.is_empty()) || words.len() > MAX_WORDS {
            let message = format!("`{path}` is not a path to a key");
            errors.add(&whole, message, "write its keys with dots between, like loads.app.rate");
            return None;
        }
        let value_start = path.len() + 1;
        if text[value_start..].trim().is_empty() {
            errors.push(Diagnostic::new(&whole, format!("`--set {text}` has no value")));
            return None;
        }
        let value = tree::parse_at(&source, value_start, errors)?;
        Some(Setting { path: words, value })
    }

    /// The setting of the value at `path`, for a profile.
    pub fn new(path: &[(&str, &Span)], value: Node) -> Setting {
        let path = path.iter().map(|(word, span)| ((*word).to_owned(), (*span).clone())).collect();
        Setting { path, value }
    }

    /// The first word of the path.
    pub fn root(&self) -> &str {
        self.path.first().map_or("", |(word, _)| word)
    }

    /// Whether it begins with one of `known`; if not, that is an error. (Decoding reports
    /// errors in the rest of the path.)
    ///
    /// `paths` are those of all values that the files have.
    pub fn is_known(&self, known: &[&str], paths: &[String], errors: &mut Diagnostics) -> bool {
        let Some((root, span)) = self.path.first() else { return false };
        let is_known = known.contains(&&**root);
        if !is_known {
            let message = format!("neither a scenario nor its topology has the key `{root}`");
            errors.add(span, message, self.whole_path(paths, known));
        }
        is_known
    }

    /// Advice for a path that begins with nothing known: whole paths that end as it does, or all.
    fn whole_path(&self, paths: &[String], known: &[&str]) -> String {
        let own: Vec<&str> = self.path.iter().map(|(word, _)| &**word).collect();
        let own = own.join(".");
        let last = own.rsplit('.').next().unwrap_or(&own);
        let ends = |path: &&String| path.rsplit('.').next() == Some(last);
        let similar = |path: &&String| strsim::normalized_damerau_levenshtein(path, &own) >= 0.7;
        let mut near: Vec<&String> = paths.iter().filter(similar).take(1).collect();
        if near.is_empty() {
            near = paths.iter().filter(ends).take(4).collect();
        }
        let quoted: Vec<String> = near.iter().map(|path| format!("`{path}`")).collect();
        if !quoted.is_empty() {
            return format!("did you mean {}?", quoted.join(" or "));
        }
        let guess = nearest::meant(&own, known);
        let guess = guess.map_or(String::new(), |word| format!("did you mean `{word}`? "));
        format!("{guess}write the whole path: {}", paths.join(", "))
    }

    /// Whether it is all of a load: one that says its workload.
    pub fn is_whole_load(&self) -> bool {
        self.root() == "loads" && self.path.len() == 2 && self.value.get("workload").is_some()
    }

    /// Puts the value at the end of the path. Missing keys are added. Items of lists, loads and
    /// groups must exist, but for whole loads: a typing error in a load's name should not add a
    /// second load.
    pub fn apply(&self, root: &mut Node, errors: &mut Diagnostics) {
        let mut node = root;
        for (at, (word, span)) in self.path.iter().enumerate() {
            node = match &mut node.value {
                Value::Map(entries) => {
                    let named = at == 1 && NAMED.contains(&self.root()) && !self.is_whole_load();
                    if named && !entries.iter().any(|entry| entry.key == *word) {
                        errors.push(no_such(self.root(), word, span, entries));
                        return;
                    }
                    child(entries, word, span)
                }
                Value::List(items) => {
                    let count = items.len();
                    let item = word.parse().ok().and_then(|n: usize| items.get_mut(n));
                    let Some(item) = item else {
                        let message = format!("the list has no item `{word}`");
                        let before = path_before(span).unwrap_or_default();
                        let advice = match count {
                            0 => "it is empty".to_owned(),
                            1 => format!("it has one item: `{before}0`"),
                            _ => format!("its items are counted from 0 to {}", count - 1),
                        };
                        errors.add(span, message, advice);
                        return;
                    };
                    item
                }
                Value::Scalar(_) => {
                    let message = format!("`{word}` cannot be set: it is inside a single value");
                    errors.push(Diagnostic::new(span, message));
                    return;
                }
            };
        }
        *node = self.value.clone();
    }
}

/// The path before the word at `span`, with its dot, if that is the text of a `--set`.
pub fn path_before(span: &Span) -> Option<&str> {
    (span.source.name() == SOURCE).then(|| span.source.text().get(..span.start)).flatten()
}

/// The paths of all values in `node`: lists as a whole, and their items one by one.
pub fn paths(node: &Node) -> Vec<String> {
    let within = |key: String, value: &Node| match paths(value) {
        inner if inner.is_empty() => vec![key],
        inner => inner.into_iter().map(|path| format!("{key}.{path}")).collect(),
    };
    match &node.value {
        Value::Scalar(_) => Vec::new(),
        Value::Map(entries) => {
            entries.iter().flat_map(|entry| within(entry.key.clone(), &entry.value)).collect()
        }
        Value::List(items) => {
            items.iter().enumerate().flat_map(|(n, item)| within(n.to_string(), item)).collect()
        }
    }
}

/// Keys whose own keys are names that the file chooses.
const NAMED: &[&str] = &["loads", "groups"];

fn no_such(what: &str, name: &str, span: &Span, entries: &[Entry]) -> Diagnostic {
    let names: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
    let message = format!("there is nothing called `{name}` in `{what}`");
    Diagnostic::new(span, message).advise(nearest::advice(what, name, &names))
}

/// The value of `key`, which is added if it is missing.
fn child<'t>(entries: &'t mut Vec<Entry>, key: &str, span: &Span) -> &'t mut Node {
    let at = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let value = Node { value: Value::Map(Vec::new()), span: span.clone() };
        entries.push(Entry { key: key.to_owned(), key_span: span.clone(), value });
        entries.len() - 1
    });
    &mut entries[at].value
}
