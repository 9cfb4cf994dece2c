//! Calls as Python writes them: `tool(key="value", n=3)`, with literals only.
//!
//! Never evaluates anything: a name, an operator or a call inside of the arguments is an
//! error.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Number, Value};

use super::call::Written;

/// Levels of lists and tables.
const MAX_DEPTH: usize = 32;

/// Follows a call from its opening bracket to the one that closes it.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    depth: usize,
    quote: Option<char>,
    escaped: bool,
}

impl Brackets {
    /// One more character; true when it closes the first bracket.
    pub(super) fn push(&mut self, c: char) -> bool {
        if let Some(quote) = self.quote {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                _ if c == quote => self.quote = None,
                _ => {}
            }
            return false;
        }
        match c {
            '\'' | '"' => self.quote = Some(c),
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// Read `name(key=value, …)`; an error is for the model to read.
pub(super) fn read(text: &str) -> Result<Written, String> {
    let (name, rest) = text.split_once('(').ok_or("it has no `(`")?;
    let mut reader = Reader {
        chars: rest.chars().peekable(),
        depth: 0,
    };
    let arguments = reader.arguments()?;
    Ok(Written {
        name: name.trim().to_owned(),
        arguments: crate::digest::canonical(&Value::Object(arguments)),
    })
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn arguments(&mut self) -> Result<Map<String, Value>, String> {
        let mut all = Map::new();
        loop {
            if self.take(')') {
                return Ok(all);
            }
            let key = self.name();
            if key.is_empty() || !self.take('=') {
                return Err("each argument must be written as name=value".to_owned());
            }
            let value = self.value()?;
            if all.insert(key.clone(), value).is_some() {
                return Err(format!("the argument `{key}` stands twice"));
            }
            if !self.take(',') && self.peek() != Some(')') {
                return Err("a `,` or `)` is missing".to_owned());
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let value = match self.peek() {
            Some('"' | '\'') => self.string().map(Value::String),
            Some('[') => self.list('[', ']'),
            Some('(') => self.list('(', ')'),
            Some('{') => self.table(),
            Some(c) if c == '-' || c == '+' || c == '.' || c.is_ascii_digit() => self.number(),
            Some(_) => self.word(),
            None => Err("it ends too soon".to_owned()),
        };
        self.depth -= 1;
        value
    }

    fn word(&mut self) -> Result<Value, String> {
        let word = self.name();
        match word.as_str() {
            "True" | "true" => Ok(Value::Bool(true)),
            "False" | "false" => Ok(Value::Bool(false)),
            "None" | "null" => Ok(Value::Null),
            _ => Err(format!("`{word}` is no literal; write the value itself")),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let mut text = String::new();
        while let Some(c) = self
            .chars
            .next_if(|c| c.is_ascii_alphanumeric() || "+-._".contains(*c))
        {
            if c != '_' && (c != '+' || !text.is_empty()) {
                text.push(c);
            }
        }
        let whole = text.parse::<i64>().ok().map(Number::from);
        let any = || text.parse::<f64>().ok().and_then(Number::from_f64);
        whole
            .or_else(any)
            .map(Value::Number)
            .ok_or_else(|| format!("`{text}` is no number"))
    }

    fn list(&mut self, open: char, close: char) -> Result<Value, String> {
        self.take(open);
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value()?);
            if !self.take(',') && self.peek() != Some(close) {
                return Err(format!("a `,` or `{close}` is missing"));
            }
        }
        Ok(Value::Array(items))
    }

    fn table(&mut self) -> Result<Value, String> {
        self.take('{');
        let mut all = Map::new();
        while !self.take('}') {
            if !matches!(self.peek(), Some('"' | '\'')) {
                return Err("the keys of a table must be text".to_owned());
            }
            let key = self.string()?;
            if !self.take(':') {
                return Err("a `:` is missing".to_owned());
            }
            let value = self.value()?;
            if all.insert(key.clone(), value).is_some() {
                return Err(format!("the key `{key}` stands twice"));
            }
            if !self.take(',') && self.peek() != Some('}') {
                return Err("a `,` or `}` is missing".to_owned());
            }
        }
        Ok(Value::Object(all))
    }

    fn string(&mut self) -> Result<String, String> {
        let Some(quote) = self.chars.next() else {
            return Err("it ends too soon".to_owned());
        };
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return Err("a text is not closed".to_owned()),
                Some('\\') => text.push(self.escape()?),
                Some(c) if c == quote => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        match self.chars.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('u') => self.code_point(4),
            Some('x') => self.code_point(2),
            Some(c @ ('\\' | '\'' | '"' | '/')) => Ok(c),
            Some(c) => Err(format!("`\\{c}` is not known; write the character itself")),
            None => Err("a text is not closed".to_owned()),
        }
    }

    fn code_point(&mut self, digits: usize) -> Result<char, String> {
        let text: String = self.chars.by_ref().take(digits).collect();
        u32::from_str_radix(&text, 16)
            .ok()
            .filter(|_| text.len() == digits)
            .and_then(char::from_u32)
            .ok_or_else(|| format!("`{text}` is no character"))
    }

    fn name(&mut self) -> String {
        self.space();
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|&c| c.is_alphanumeric() || c == '_') {
            name.push(c);
        }
        name
    }

    fn peek(&mut self) -> Option<char> {
        self.space();
        self.chars.peek().copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.space();
        self.chars.next_if_eq(&wanted).is_some()
    }

    fn space(&mut self) {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn literals_become_json() {
        let call =
            read(r#"run(code='print("x")\n', n=-3, f=1.5, on=True, l=[1, (2,)], t={"a": None})"#);
        assert_eq!(
            call.unwrap(),
            Written {
                name: "run".to_owned(),
                arguments:
                    r#"{"code":"print(\"x\")\n","f":1.5,"l":[1,[2]],"n":-3,"on":true,"t":{"a":null}}"#
                        .to_owned(),
            }
        );
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for (text, why) in [
            (
                "run(__import__('os'))",
                "each argument must be written as name=value",
            ),
            ("run(a=os)", "`os` is no literal; write the value itself"),
            ("run(a=1, a=2)", "the argument `a` stands twice"),
            ("run(a='x", "a text is not closed"),
            ("run(a=1+1)", "`1+1` is no number"),
            ("run(a={1: 2})", "the keys of a table must be text"),
        ] {
            assert_eq!(read(text).unwrap_err(), why);
        }
        let deep = format!("run(a={})", "[".repeat(10_000));
        assert_eq!(read(&deep).unwrap_err(), "nested deeper than 32 levels");
    }
}
