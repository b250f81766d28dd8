//! Lines at the bottom of a terminal that are redrawn in place.
//!
//! The cursor rests at the start of the line below them: a `^C` that the terminal echoes there
//! moves nothing and is wiped with the next frame. This module makes text with control
//! sequences (ECMA-48), to be written in one piece.

/// Wipes the rest of a line.
const REST_OF_LINE: &str = "\x1b[K";
/// Wipes everything below.
const ALL_BELOW: &str = "\r\x1b[J";

#[derive(Debug, Default)]
pub struct Screen {
    open: bool,
    lines: Vec<String>,
}

impl Screen {
    pub const fn new() -> Screen {
        Screen { open: false, lines: Vec::new() }
    }

    /// From now on, lines are drawn.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Draws `lines` over the lines that are there.
    pub fn draw(&mut self, lines: Vec<String>) -> String {
        if !self.open {
            return String::new();
        }
        let mut text = self.to_top();
        self.lines = lines;
        text.push_str(&self.shown());
        text
    }

    /// Prints a line of text above.
    pub fn say(&mut self, text: &str) -> String {
        match self.lines.is_empty() {
            true => format!("{text}\n"),
            false => format!("{}{ALL_BELOW}{text}\n{}", self.to_top(), self.shown()),
        }
    }

    /// Wipes the lines. No more are drawn.
    pub fn close(&mut self) -> String {
        let top = self.to_top();
        let wiped = if self.lines.is_empty() { String::new() } else { top + ALL_BELOW };
        *self = Screen::new();
        wiped
    }

    fn to_top(&self) -> String {
        match self.lines.len() {
            0 => String::new(),
            up => format!("\r\x1b[{up}A"),
        }
    }

    /// Writes each line over the old one, so that the screen does not flicker.
    fn shown(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("{line}{REST_OF_LINE}\n"));
        lines.collect::<String>() + ALL_BELOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal of 12 rows shows, given only the sequences used here.
    fn terminal(written: &str) -> Vec<String> {
        let mut rows = vec![Vec::new(); 12];
        let (mut row, mut at) = (0, 0);
        let mut chars = written.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => at = 0,
                '\n' => (row, at) = (row + 1, 0),
                '\x1b' => {
                    let mut number = String::new();
                    let order = loop {
                        match chars.next().unwrap() {
                            order @ ('A' | 'J' | 'K') => break order,
                            c => number.push(c),
                        }
                    };
                    match order {
                        'A' => row -= number[1..].parse::<usize>().unwrap(),
                        'J' => rows[row + 1..].iter_mut().for_each(Vec::clear),
                        _ => {}
                    }
                    if order != 'A' {
                        rows[row].truncate(at);
                    }
                }
                c => {
                    let row: &mut Vec<char> = &mut rows[row];
                    row.resize(row.len().max(at + 1), ' ');
                    row[at] = c;
                    at += 1;
                }
            }
        }
        let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        rows[..used].iter().map(|row| row.iter().collect()).collect()
    }

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn frames_replace_each_other() {
        let mut screen = Screen::new();
        screen.open();
        let mut written = screen.draw(lines("one two"));
        assert_eq!(terminal(&written), ["one", "two"]);
        written += &screen.draw(lines("1 2 3"));
        assert_eq!(terminal(&written), ["1", "2", "3"]);
        written += &screen.draw(lines("a"));
        assert_eq!(terminal(&written), ["a"]);
        // The terminal echoes this when a person presses Ctrl-C.
        written += "^C";
        written += &screen.say("ending");
        assert_eq!(terminal(&written), ["ending", "a"]);
        written += &screen.draw(lines("b c"));
        assert_eq!(terminal(&written), ["ending", "b", "c"]);
        written += "^C";
        written += &screen.close();
        written += &screen.draw(lines("late"));
        written += &screen.say("summary");
        assert_eq!(terminal(&written), ["ending", "summary"]);
    }
}
