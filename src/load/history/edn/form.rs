//! Reads EDN, as far as histories need it (<https://github.com/edn-format/edn>).

/// What is wrong with a history in EDN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct EdnError {
    pub line: usize,
    pub what: String,
}

pub fn wrong(line: usize, what: impl Into<String>) -> EdnError {
    EdnError { line, what: what.into() }
}

/// Deeper nesting is no history, and would use up the stack.
const DEEPEST: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Nil,
    Number(i64),
    /// A keyword or a symbol, without its colon.
    Word(String),
    /// A string, a fraction, a character: values that do not matter for a history.
    Other,
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

    pub fn word(&self) -> Option<&str> {
        if let Form::Word(word) = self { Some(word) } else { None }
    }

    /// A number that is not negative.
    pub fn number(&self) -> Option<u64> {
        if let Form::Number(number) = self { u64::try_from(*number).ok() } else { None }
    }
}

/// Reads one form after another.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0, line: 1 }
    }

    /// The next form and the line on which it begins.
    pub fn next(&mut self) -> Result<Option<(usize, Form)>, EdnError> {
        self.skip();
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

    /// Skips blanks, commas and comments.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            if c == ';' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if c.is_whitespace() || c == ',' {
                self.bump();
            } else {
                return;
            }
        }
    }

    fn form(&mut self, depth: usize) -> Result<Form, EdnError> {
        if depth > DEEPEST {
            return Err(wrong(self.line, "it is nested too deeply"));
        }
        match self.peek() {
            None => Err(wrong(self.line, "the file ends in the middle of an operation")),
            Some('{') => self.map(depth),
            Some('[') => Ok(Form::List(self.list(']', depth)?)),
            Some('(') => Ok(Form::List(self.list(')', depth)?)),
            Some('"') => self.string(),
            Some('#') => self.tagged(depth),
            Some(c @ (']' | ')' | '}')) => Err(wrong(self.line, format!("`{c}` closes nothing"))),
            Some(_) => Ok(self.atom()),
        }
    }

    /// All forms up to `close`; the next character opens them.
    fn list(&mut self, close: char, depth: usize) -> Result<Vec<Form>, EdnError> {
        self.bump();
        let mut forms = Vec::new();
        loop {
            self.skip();
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
        self.atom();
        self.skip();
        self.form(depth + 1)
    }

    fn string(&mut self) -> Result<Form, EdnError> {
        let line = self.line;
        self.bump();
        loop {
            match self.bump() {
                Some('"') => return Ok(Form::Other),
                Some('\\') => {
                    self.bump();
                }
                Some(_) => {}
                None => return Err(wrong(line, "a string without an end")),
            }
        }
    }

    fn atom(&mut self) -> Form {
        let start = self.at;
        let ends = |c: char| c.is_whitespace() || ",;\"()[]{}".contains(c);
        while self.peek().is_some_and(|c| !ends(c)) {
            self.bump();
        }
        let text = &self.text[start..self.at];
        match text.parse() {
            Ok(number) => Form::Number(number),
            Err(_) if text == "nil" => Form::Nil,
            Err(_) if text.starts_with(|c: char| c.is_ascii_digit() || "-+\\".contains(c)) => {
                Form::Other
            }
            Err(_) => Form::Word(text.trim_start_matches(':').to_owned()),
        }
    }
}
