//! From the text of a `when` to its expression.
//!
//! Recursion is bounded by [`MAX_WHEN_DEPTH`], the text by [`MAX_WHEN_BYTES`]. Fails with the place
//! and what belongs there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{
    Comparison, MAX_WHEN_BYTES, MAX_WHEN_DEPTH, Names, Operand, Test, When, WhenError, WhenFault,
};
use crate::condition::{Values, checked_list};
use crate::fact::FactPath;
use crate::file::Scalar;
use crate::moment::read_moment;

/// The expression that a text is.
pub(super) fn read(text: &str, names: &mut dyn Names) -> Result<When, WhenError> {
    if text.len() > MAX_WHEN_BYTES {
        return Err(fail(WhenFault::TooLong, 0..text.len()));
    }
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        end: text.len(),
        names,
    };
    let when = parser.either(MAX_WHEN_DEPTH)?;
    match parser.tokens.get(parser.at) {
        None => Ok(when),
        Some(_) => Err(parser.unexpected("`and`, `or` or the end")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A bare word: a keyword, a fact, a list.
    Word(String),
    Value(Scalar),
    Sign(&'static str),
}

struct Placed {
    token: Token,
    span: Range<usize>,
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","];

fn fail(fault: impl Into<WhenFault>, span: Range<usize>) -> WhenError {
    WhenError {
        fault: fault.into(),
        span,
    }
}

fn lex(text: &str) -> Result<Vec<Placed>, WhenError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next().filter(|c| !c.is_ascii_whitespace()) else {
            at += 1;
            continue;
        };
        let (token, bytes) =
            next_token(first, rest).map_err(|(fault, bytes)| fail(fault, at..at + bytes))?;
        tokens.push(Placed {
            token,
            span: at..at + bytes,
        });
        at += bytes;
    }
    Ok(tokens)
}

/// The token at the beginning of `rest` and its bytes.
fn next_token(first: char, rest: &str) -> Result<(Token, usize), (WhenFault, usize)> {
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    match first {
        '\'' | '"' => text_token(first, rest),
        '0'..='9' | '-' => number_token(rest),
        '@' => moment_token(rest),
        c if c.is_ascii_alphabetic() => word_token(rest),
        c => Err((WhenFault::Character(c.to_string()), c.len_utf8())),
    }
}

fn text_token(quotes: char, rest: &str) -> Result<(Token, usize), (WhenFault, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
                Some(_) | None => return Err((WhenFault::Escape, at + 1)),
            },
            c if c == quotes => return Ok((Token::Value(Scalar::Text(text)), at + 1)),
            c => text.push(c),
        }
    }
    Err((WhenFault::OpenText, rest.len()))
}

fn leading(rest: &str, belongs: fn(char) -> bool) -> &str {
    let end = rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

fn number_token(rest: &str) -> Result<(Token, usize), (WhenFault, usize)> {
    let text = leading(rest, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')
    });
    let float = || text.parse::<f64>().ok().filter(|float| float.is_finite());
    let scalar = text
        .parse()
        .ok()
        .map(Scalar::Integer)
        .or_else(|| float().map(Scalar::Float));
    scalar
        .map(|scalar| (Token::Value(scalar), text.len()))
        .ok_or_else(|| (WhenFault::Number(text.to_owned()), text.len()))
}

fn moment_token(rest: &str) -> Result<(Token, usize), (WhenFault, usize)> {
    let after = rest.get(1..).unwrap_or_default();
    let text = leading(after, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '+' | '.')
    });
    let bytes = text.len() + 1;
    let moment_us = read_moment(text).map_err(|error| (error.into(), bytes))?;
    let seconds = i64::try_from(moment_us / 1_000_000).unwrap_or(i64::MAX);
    Ok((Token::Value(Scalar::Integer(seconds)), bytes))
}

/// A word runs over dots and quoted keys: `arguments."my key".x`.
fn word_token(rest: &str) -> Result<(Token, usize), (WhenFault, usize)> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => {}
            _ => return Ok((word(rest, at), at)),
        }
    }
    if quoted {
        return Err((WhenFault::OpenText, rest.len()));
    }
    Ok((word(rest, rest.len()), rest.len()))
}

fn word(rest: &str, bytes: usize) -> Token {
    match rest.get(..bytes).unwrap_or_default() {
        "true" => Token::Value(Scalar::Bool(true)),
        "false" => Token::Value(Scalar::Bool(false)),
        word => Token::Word(word.to_owned()),
    }
}

/// The tokens, and how far they are read. `depth_left` is how many more levels may open.
struct Parser<'a> {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    names: &'a mut dyn Names,
}

impl Parser<'_> {
    fn either(&mut self, depth_left: usize) -> Result<When, WhenError> {
        let mut parts = vec![self.both(depth_left)?];
        while self.takes_word("or") {
            parts.push(self.both(depth_left)?);
        }
        Ok(one_or(parts, When::Or))
    }

    fn both(&mut self, depth_left: usize) -> Result<When, WhenError> {
        let mut parts = vec![self.one(depth_left)?];
        while self.takes_word("and") {
            parts.push(self.one(depth_left)?);
        }
        Ok(one_or(parts, When::And))
    }

    fn one(&mut self, depth_left: usize) -> Result<When, WhenError> {
        let deeper = || depth_left.checked_sub(1);
        if self.takes_word("not") {
            let deeper = deeper().ok_or_else(|| self.fail_here(WhenFault::TooDeep))?;
            return Ok(When::Not(Box::new(self.one(deeper)?)));
        }
        if self.takes_sign("(") {
            let deeper = deeper().ok_or_else(|| self.fail_here(WhenFault::TooDeep))?;
            let inner = self.either(deeper)?;
            self.expect_sign(")", "`)`")?;
            return Ok(inner);
        }
        if self.takes_word("exists") {
            return self.fact().map(|fact| When::Test(Test::Exists(fact)));
        }
        self.test()
    }

    fn test(&mut self) -> Result<When, WhenError> {
        let begins = self.here().start;
        let left = self.operand()?;
        if self.takes_word("in") {
            return Ok(When::Test(self.one_of(begins, left)?));
        }
        if self.takes_word("not") {
            self.expect_word("in", "`in`")?;
            let test = self.one_of(begins, left)?;
            return Ok(When::Not(Box::new(When::Test(test))));
        }
        let how = self.comparison()?;
        let right = self.operand()?;
        if let (Operand::Value(_), Operand::Value(_)) = (&left, &right) {
            return Err(fail(WhenFault::NoFact, begins..self.last_end()));
        }
        Ok(When::Test(Test::Compare(left, how, right)))
    }

    fn one_of(&mut self, begins: usize, left: Operand) -> Result<Test, WhenError> {
        let span = self.here();
        let scalars = if self.takes_sign("[") {
            self.values()?
        } else {
            self.named_list()?
        };
        if let Operand::Value(_) = left {
            return Err(fail(WhenFault::NoFact, begins..self.last_end()));
        }
        let checked = checked_list(&scalars).map_err(|error| fail(error, span))?;
        Ok(Test::In(left, Values::new(checked)))
    }

    fn values(&mut self) -> Result<Vec<Scalar>, WhenError> {
        let mut values = Vec::new();
        loop {
            match self.next("a value")? {
                Token::Value(scalar) => values.push(scalar),
                Token::Word(_) | Token::Sign(_) => return Err(self.unexpected_last("a value")),
            }
            if self.takes_sign("]") {
                return Ok(values);
            }
            self.expect_sign(",", "`,` or `]`")?;
        }
    }

    fn named_list(&mut self) -> Result<Vec<Scalar>, WhenError> {
        const WANTED: &str = "a list, as [\"x\", \"y\"] or lists.NAME,";
        let span = self.here();
        let Token::Word(word) = self.next(WANTED)? else {
            return Err(self.unexpected_last(WANTED));
        };
        let Some(name) = word.strip_prefix("lists.") else {
            return Err(self.unexpected_last(WANTED));
        };
        self.names.list(name).map_err(|error| fail(error, span))
    }

    fn comparison(&mut self) -> Result<Comparison, WhenError> {
        const WANTED: &str = "a comparison (== != < <= > >= contains starts_with ends_with in)";
        let found = self.next(WANTED)?;
        let word = match &found {
            Token::Word(word) => word.as_str(),
            Token::Sign(sign) => sign,
            Token::Value(_) => "",
        };
        Ok(match word {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::Greater,
            ">=" => Comparison::AtLeast,
            "contains" => Comparison::Contains,
            "starts_with" => Comparison::StartsWith,
            "ends_with" => Comparison::EndsWith,
            _ => return Err(self.unexpected_last(WANTED)),
        })
    }

    fn operand(&mut self) -> Result<Operand, WhenError> {
        if let Some(Placed {
            token: Token::Value(scalar),
            ..
        }) = self.tokens.get(self.at)
        {
            let scalar = scalar.clone();
            self.at += 1;
            return Ok(Operand::Value(scalar));
        }
        self.fact().map(Operand::Fact)
    }

    fn fact(&mut self) -> Result<Arc<FactPath>, WhenError> {
        let span = self.here();
        match self.next("a fact")? {
            Token::Word(word) => self.names.fact(&word).map_err(|error| fail(error, span)),
            Token::Value(_) | Token::Sign(_) => Err(self.unexpected_last("a fact")),
        }
    }

    fn next(&mut self, wanted: &'static str) -> Result<Token, WhenError> {
        let token = self.tokens.get(self.at).map(|placed| placed.token.clone());
        self.at += 1;
        token.ok_or_else(|| fail(WhenFault::Ended(wanted), self.end..self.end))
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let found = self
            .tokens
            .get(self.at)
            .is_some_and(|placed| placed.token == *wanted);
        self.at += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn takes_sign(&mut self, sign: &'static str) -> bool {
        self.takes(&Token::Sign(sign))
    }

    fn expect_word(&mut self, word: &str, wanted: &'static str) -> Result<(), WhenError> {
        let found = self.takes_word(word);
        found.then_some(()).ok_or_else(|| self.unexpected(wanted))
    }

    fn expect_sign(&mut self, sign: &'static str, wanted: &'static str) -> Result<(), WhenError> {
        let found = self.takes_sign(sign);
        found.then_some(()).ok_or_else(|| self.unexpected(wanted))
    }

    /// The token that is next, or the end.
    fn here(&self) -> Range<usize> {
        let placed = self.tokens.get(self.at);
        placed.map_or(self.end..self.end, |placed| placed.span.clone())
    }

    fn last_end(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |placed| placed.span.end)
    }

    fn fail_here(&self, fault: WhenFault) -> WhenError {
        fail(fault, self.here())
    }

    fn unexpected(&self, wanted: &'static str) -> WhenError {
        match self.tokens.get(self.at) {
            Some(placed) => fail(
                WhenFault::Unexpected {
                    found: placed.token.to_string(),
                    wanted,
                },
                placed.span.clone(),
            ),
            None => self.fail_here(WhenFault::Ended(wanted)),
        }
    }

    fn unexpected_last(&mut self, wanted: &'static str) -> WhenError {
        self.at = self.at.saturating_sub(1);
        self.unexpected(wanted)
    }
}

fn one_or(mut parts: Vec<When>, several: fn(Vec<When>) -> When) -> When {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            several(parts)
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Value(scalar) => write!(f, "{scalar}"),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}
