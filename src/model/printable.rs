//! Text from outside that redrill shows.

/// `text` without control characters, which could control a terminal or break a page: each
/// becomes U+FFFD; the end of a line or a tab becomes a space.
pub fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// The same line by line: ends of lines stay.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_stay() {
        assert_eq!(super::printable_lines("a\x1b\nb\r\n"), "a\u{fffd}\nb \n");
    }

    #[test]
    fn no_control_character_is_left() {
        assert_eq!(super::printable("a\x1b[31mb\n\u{9b}é"), "a\u{fffd}[31mb \u{fffd}é");
    }
}
