//! Text from outside: files, arguments, servers, adapters, other people's run folders.
//!
//! It may hold characters that control a terminal, or that turn the order of letters round. Two
//! places keep them out: run folders are read with [`from_json`], and what redrill prints goes
//! through [`shown`].

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whether `c` does something other than to be seen: a control character, or one that changes
/// the direction of writing.
pub fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` without characters that act: each becomes U+FFFD; the end of a line or a tab becomes
/// a space.
pub fn printable(text: &str) -> String {
    text.chars().map(seen).collect()
}

fn seen(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        c if acts(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// The same line by line: ends of lines stay.
pub fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { seen(c) }).collect()
}

/// `text` as it may be written to a terminal: lines, tabs and redrill's own colours stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || !acts(c);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for (n, part) in text.split('\x1b').enumerate() {
        let (colour, words) = part.split_at(if n == 0 { 0 } else { colour(part) });
        match colour {
            "" if n == 0 => {}
            "" => clean.push(char::REPLACEMENT_CHARACTER),
            colour => clean.extend(["\x1b", colour]),
        }
        clean.extend(words.chars().map(|c| if stays(c) { c } else { seen(c) }));
    }
    Cow::Owned(clean)
}

/// `text` as it may be written to a file or a pipe: without colours.
pub fn shown_plain(text: &str) -> Cow<'_, str> {
    let mut rest = text.split('\x1b');
    let first = rest.next().unwrap_or_default();
    let plain: String = rest.map(|part| &part[colour(part)..]).collect();
    match plain.is_empty() && first.len() == text.len() {
        true => shown(text),
        false => Cow::Owned(shown(&(first.to_owned() + &plain)).into_owned()),
    }
}

/// The length of what follows ESC in a sequence that sets a colour, as `[1;31m`; 0 if `text`
/// begins with none. What hides text or makes it blink is no colour.
fn colour(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('[') else { return 0 };
    let numbers = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    let colours = rest[..numbers].split(';').all(|n| !matches!(n, "5" | "6" | "7" | "8"));
    if colours && rest.as_bytes().get(numbers) == Some(&b'm') { numbers + 2 } else { 0 }
}

/// A value from JSON, all of whose text is as [`printable_lines`] makes it.
///
/// # Errors
/// It is not JSON, or not of this type.
pub fn from_json<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    // What acts is written with a backslash, is DEL, or is beyond ASCII.
    if json.iter().all(|b| b.is_ascii() && !matches!(b, b'\\' | 0x7f)) {
        return serde_json::from_slice(json);
    }
    let mut value = serde_json::from_slice(json)?;
    clean(&mut value);
    serde_json::from_value(value)
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable_lines(text),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(map) => {
            map.values_mut().for_each(clean);
            if map.keys().any(|key| key.chars().any(acts)) {
                let entries = std::mem::take(map).into_iter();
                *map = entries.map(|(key, value)| (printable(&key), value)).collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay() {
        assert_eq!(printable_lines("a\x1b\nb\r\n"), "a\u{fffd}\nb \n");
    }

    #[test]
    fn nothing_that_acts_is_left() {
        assert_eq!(printable("a\x1b[31mb\n\u{9b}é\u{202e}"), "a\u{fffd}[31mb \u{fffd}é\u{fffd}");
    }

    #[test]
    fn a_pipe_gets_no_colours_and_a_terminal_nothing_hidden() {
        assert_eq!(shown_plain("a\x1b[1;31mred\x1b[0m\n"), "ared\n");
        assert_eq!(shown_plain("plain\t\n"), "plain\t\n");
        assert_eq!(shown_plain("\x1b]0;t"), "]0;t");
        assert_eq!(shown("\x1b[8mhidden"), "\u{fffd}[8mhidden");
    }

    #[test]
    fn a_terminal_gets_lines_and_colours_and_no_orders() {
        let plain = "a\tb\n\x1b[1;31mred\x1b[0m";
        assert_eq!(shown(plain), plain);
        let title = "\x1b]0;title\x07\x1b[2J\x1b[1\x1b";
        assert_eq!(shown(title), "\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}[1\u{fffd}");
        assert_eq!(shown("é\r\n\u{9b}31m"), "é \n\u{fffd}31m");
    }

    #[test]
    fn text_from_json_is_clean_however_it_is_written() {
        let read = |json: &str| from_json::<Value>(json.as_bytes()).unwrap();
        let text = |json: &str| read(json)["a"].as_str().unwrap().to_owned();
        assert_eq!(text(r#"{"a": "x\u001b[2J\ny"}"#), "x\u{fffd}[2J\ny");
        assert_eq!(text("{\"a\": \"\u{7f}\u{9b}\"}"), "\u{fffd}\u{fffd}");
        assert_eq!(text(r#"{"a": "C:\\u001b"}"#), r"C:\u001b");
        assert_eq!(
            read(r#"{"\u001b": [18446744073709551615, 0.1]}"#),
            serde_json::json!({"\u{fffd}": [u64::MAX, 0.1]})
        );
    }
}
