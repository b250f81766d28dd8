//! Histories line by line: process, type, function and value, as Jepsen writes them to
//! `history.txt` and to its log. What else a log says is passed over.

use super::form::{EdnError, Form, Reader};

const TYPES: [&str; 4] = ["invoke", "ok", "fail", "info"];

/// Whether `text` is no EDN: neither maps nor a list of maps.
pub(super) fn are_lines(text: &str) -> bool {
    let begun = |line: &&str| !line.is_empty() && !line.starts_with(';');
    let first = text.lines().map(str::trim).find(begun);
    first.is_some_and(|line| line.starts_with(|c: char| c.is_alphanumeric() || c == ':'))
}

/// Passes the events of `text` to `hear` with their lines, as maps.
pub(super) fn each(
    text: &str,
    mut hear: impl FnMut(usize, &Form) -> Result<(), EdnError>,
) -> Result<(), EdnError> {
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(event) = event(line, text)? {
            hear(line, &event)?;
        }
    }
    Ok(())
}

fn event(line: usize, text: &str) -> Result<Option<Form>, EdnError> {
    // `INFO  jepsen.util - 0	:invoke	:read	nil`
    let text = match text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == ':') {
        true => text,
        false => text.split_once(" - ").map_or("", |(_, event)| event),
    };
    let mut words = text.split_whitespace().skip(1);
    let kind = words.next().and_then(|word| word.strip_prefix(':'));
    if kind.is_none_or(|kind| !TYPES.contains(&kind)) {
        return Ok(None);
    }
    let mut reader = Reader::new(text, line);
    let mut pairs = Vec::new();
    for name in ["process", "type", "f", "value"] {
        let Some((_, form)) = reader.next()? else { break };
        pairs.push((Form::Atom(format!(":{name}")), form));
    }
    Ok(Some(Form::Map(pairs)))
}
