//! Reads EDN, as far as histories need it (<https://github.com/edn-format/edn>).

/// What is wrong with a history in EDN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", if *line > 0 { format!("line {line}: ") } else { String::new() })]
pub struct EdnError {
    /// From 1; 0 if it is not about a line.
    pub line: usize,
    pub what: String,
}

pub fn wrong(line: usize, what: impl Into<String>) -> EdnError {
    EdnError { line, what: what.into() }
}

/// Deeper nesting is no history, and would use up the stack.
const DEEPEST: usize = 32;
/// No number, word or text of a history is longer, in bytes.
const LONGEST: usize = 64_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Nil,
    /// Anything that is written as one piece, as it is written: `3`, `:x`, `"x"`.
    Atom(String),
    /// A vector, a list or a set.
    List(Vec<Form>),
    Map(Vec<(Form, Form)>),
}

impl Form {
    /// The value of the keyword `name`.
    pub fn get(&self, name: &str) -> Option<&Form> {
        let Form::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| key.word() == Some(name)).map(|(_, value)| value)
    }

    /// A keyword or a symbol, without its colon.
    pub fn word(&self) -> Option<&str> {
        let Form::Atom(text) = self else { return None };
        let word = text.strip_prefix(':').unwrap_or(text);
        word.starts_with(|c: char| c.is_alphabetic()).then_some(word)
    }

    /// A whole number that is not negative.
    pub fn number(&self) -> Option<u64> {
        let Form::Atom(text) = self else { return None };
        text.parse().ok().filter(|number| i64::try_from(*number).is_ok())
    }
}

/// Reads one form after another.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Its first line has the number `line`.
    pub fn new(text: &'a str, line: usize) -> Reader<'a> {
        Reader { text, at: 0, line }
    }

    /// The next form and the line on which it begins.
    pub fn next(&mut self) -> Result<Option<(usize, Form)>, EdnError> {
        self.skip(0)?;
        let line = self.line;
        match self.peek() {
            None => Ok(None),
            Some(_) => Ok(Some((line, self.form(0)?))),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Skips blanks, commas, comments, and forms that `#_` takes out.
    fn skip(&mut self, depth: usize) -> Result<(), EdnError> {
        while let Some(c) = self.peek() {
            if c == ';' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if self.text[self.at..].starts_with("#_") {
                self.at += "#_".len();
                // Before the form that it takes out there may be another `#_`.
                self.shallow(depth)?;
                self.skip(depth + 1)?;
                self.form(depth + 1)?;
            } else if c.is_whitespace() || c == ',' {
                self.bump();
            } else {
                break;
            }
        }
        Ok(())
    }

    fn shallow(&self, depth: usize) -> Result<(), EdnError> {
        match depth > DEEPEST {
            true => Err(wrong(self.line, "it is nested too deeply")),
            false => Ok(()),
        }
    }

    fn form(&mut self, depth: usize) -> Result<Form, EdnError> {
        self.shallow(depth)?;
        match self.peek() {
            None => Err(wrong(self.line, "the file ends in the middle of an operation")),
            Some('{') => self.map(depth),
            Some('[') => Ok(Form::List(self.list(']', depth)?)),
            Some('(') => Ok(Form::List(self.list(')', depth)?)),
            Some('"') => self.string(),
            Some('#') => self.tagged(depth),
            Some(c @ (']' | ')' | '}')) => Err(wrong(self.line, format!("`{c}` closes nothing"))),
            Some(_) => self.atom(),
        }
    }

    /// All forms up to `close`; the next character opens them.
    fn list(&mut self, close: char, depth: usize) -> Result<Vec<Form>, EdnError> {
        self.bump();
        let mut forms = Vec::new();
        loop {
            self.skip(depth)?;
            if self.peek() == Some(close) {
                self.bump();
                return Ok(forms);
            }
            forms.push(self.form(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Form, EdnError> {
        let line = self.line;
        let mut forms = self.list('}', depth)?.into_iter();
        let mut pairs = Vec::new();
        while let Some(key) = forms.next() {
            let value = forms.next().ok_or_else(|| wrong(line, "a key without a value"))?;
            pairs.push((key, value));
        }
        Ok(Form::Map(pairs))
    }

    /// A set, or a form with a tag, as in `#jepsen.history.Op{…}`.
    fn tagged(&mut self, depth: usize) -> Result<Form, EdnError> {
        self.bump();
        if self.peek() == Some('{') {
            return Ok(Form::List(self.list('}', depth)?));
        }
        self.atom()?;
        self.skip(depth)?;
        self.form(depth + 1)
    }

    fn string(&mut self) -> Result<Form, EdnError> {
        let (line, start) = (self.line, self.at);
        self.bump();
        loop {
            self.bound(line, start)?;
            match self.bump() {
                Some('"') => return Ok(Form::Atom(self.text[start..self.at].to_owned())),
                Some('\\') => {
                    self.bump();
                }
                Some(_) => {}
                None => return Err(wrong(line, "a string without an end")),
            }
        }
    }

    /// Refuses a piece that begins at `start` and goes on and on.
    fn bound(&self, line: usize, start: usize) -> Result<(), EdnError> {
        match self.at - start > LONGEST {
            true => Err(wrong(line, format!("one value has more than {LONGEST} bytes, the limit"))),
            false => Ok(()),
        }
    }

    fn atom(&mut self) -> Result<Form, EdnError> {
        let (line, start) = (self.line, self.at);
        let ends = |c: char| c.is_whitespace() || ",;\"()[]{}".contains(c);
        while self.peek().is_some_and(|c| !ends(c)) {
            self.bound(line, start)?;
            self.bump();
        }
        Ok(match &self.text[start..self.at] {
            "nil" => Form::Nil,
            text => Form::Atom(text.to_owned()),
        })
    }
}
