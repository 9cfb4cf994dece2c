//! The condition language of `when`: comparisons over facts, joined by `and`, `or` and `not`.
//!
//! ```text
//! when    = both { "or" both }
//! both    = one { "and" one }
//! one     = "not" one | "(" when ")" | "exists" FACT | operand test
//! test    = ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) operand
//!         | ( "contains" | "starts_with" | "ends_with" ) operand
//!         | [ "not" ] "in" ( "[" value { "," value } "]" | "lists." NAME )
//! operand = FACT | value
//! value   = 'text' | "text" | NUMBER | true | false | @2026-12-31 | @2026-12-31T18:00:00Z
//! ```
//!
//! Total: no loops, no functions, no arithmetic; every expression has a truth for every call, in
//! Kleene's three values as everywhere. A moment `@…` is a number, that of `time.unix_s`. The
//! parser is our own, so that its depth and size have bounds; it fails with the place.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::condition::{ConditionError, MAX_SEARCHED_BYTES, Num, Truth, Values, checked_list};
use crate::context::Scene;
use crate::fact::{Fact, FactError, FactPath};
use crate::file::Scalar;
use crate::moment::{MomentError, read_moment};
use crate::text::quote;

/// A page of text: what is longer is better split over rules.
pub(crate) const MAX_WHEN_BYTES: usize = 4096;

/// Parentheses and `not`s within each other; it bounds the recursion of everything here.
pub(crate) const MAX_WHEN_DEPTH: usize = 32;

/// What an expression needs of the policy that it stands in.
pub(crate) trait Names {
    /// The fact of this name.
    fn fact(&mut self, name: &str) -> Result<Arc<FactPath>, FactError>;
    /// The list of this name.
    fn list(&self, name: &str) -> Result<Vec<Scalar>, ConditionError>;
}

/// A parsed `when`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum When {
    Or(Vec<When>),
    And(Vec<When>),
    Not(Box<When>),
    Test(Test),
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Exists(Arc<FactPath>),
    Compare(Operand, Comparison, Operand),
    In(Operand, Values),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Fact(Arc<FactPath>),
    Value(Scalar),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    StartsWith,
    EndsWith,
}

/// Why a text is no `when`, and at which of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`when`: {fault}")]
pub struct WhenError {
    pub(crate) fault: WhenFault,
    pub(crate) span: Range<usize>,
}

/// What is wrong with a `when`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WhenFault {
    /// More text than is read.
    #[error("the expression has more than {MAX_WHEN_BYTES} bytes; split it over rules")]
    TooLong,
    /// More nesting than is read.
    #[error("nested deeper than {MAX_WHEN_DEPTH} levels; flatten the expression")]
    TooDeep,
    /// Something stands where something else belongs.
    #[error("found {} where {wanted} belongs", quote(found))]
    Unexpected {
        /// What stands there.
        found: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The expression ends where something belongs.
    #[error("the expression ends where {0} belongs")]
    Ended(&'static str),
    /// A character that begins nothing.
    #[error("{} begins nothing; write text in quotes", quote(.0))]
    Character(String),
    /// A text without its end.
    #[error("the text has no end; close its quotes")]
    OpenText,
    /// A backslash before something else than a quote or a backslash.
    #[error("a backslash stands before a quote or a backslash only; double it")]
    Escape,
    /// Not a number.
    #[error("{} is not a number", quote(.0))]
    Number(String),
    /// Not a moment.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// Not a fact.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// Not a list.
    #[error(transparent)]
    List(#[from] ConditionError),
    /// A test of two values, which is the same for every call.
    #[error("both sides are values; compare a fact")]
    NoFact,
}

impl When {
    pub(crate) fn parse(text: &str, names: &mut dyn Names) -> Result<Self, WhenError> {
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

    /// What is known of it for a call.
    pub(crate) fn truth(&self, scene: Scene<'_>) -> Truth {
        match self {
            Self::Or(parts) => {
                Truth::all(parts.iter().map(|part| part.truth(scene).negate())).negate()
            }
            Self::And(parts) => Truth::all(parts.iter().map(|part| part.truth(scene))),
            Self::Not(part) => part.truth(scene).negate(),
            Self::Test(test) => test.truth(scene),
        }
    }

    /// Every question in it, in the order of the text.
    pub(crate) fn tests(&self) -> Vec<&Test> {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Test(test) => vec![test],
        }
    }
}

// ---- asking -------------------------------------------------------------------------------------

impl Test {
    pub(crate) fn truth(&self, scene: Scene<'_>) -> Truth {
        match self {
            Self::Exists(path) => match path.find(scene) {
                Fact::Blocked => Truth::Unknown,
                fact => Truth::of(fact != Fact::Absent),
            },
            Self::Compare(left, how, right) => compare(left.find(scene), *how, right.find(scene)),
            Self::In(operand, values) => match operand.find(scene) {
                Fact::Absent => Truth::False,
                Fact::Blocked | Fact::Other(_) => Truth::Unknown,
                fact => values.hold(fact),
            },
        }
    }
}

impl Operand {
    fn find<'a>(&'a self, scene: Scene<'a>) -> Fact<'a> {
        match self {
            Self::Fact(path) => path.find(scene),
            Self::Value(Scalar::Text(text)) => Fact::Text(text),
            Self::Value(Scalar::Bool(truth)) => Fact::Bool(*truth),
            Self::Value(scalar @ (Scalar::Integer(_) | Scalar::Float(_))) => {
                Num::of_scalar(scalar).map_or(Fact::Absent, Fact::Number)
            }
        }
    }
}

/// A fact that is not there equals nothing and is below nothing: that is known.
fn compare(left: Fact<'_>, how: Comparison, right: Fact<'_>) -> Truth {
    if how == Comparison::NotEqual {
        return compare(left, Comparison::Equal, right).negate();
    }
    match (left, right) {
        (Fact::Blocked, _) | (_, Fact::Blocked) => Truth::Unknown,
        (Fact::Absent, _) | (_, Fact::Absent) => Truth::False,
        (Fact::Number(left), Fact::Number(right)) => compare_numbers(left.compare(right), how),
        (Fact::Text(left), Fact::Text(right)) => compare_texts(left, how, right),
        (Fact::Bool(left), Fact::Bool(right)) if how == Comparison::Equal => {
            Truth::of(left == right)
        }
        (Fact::Other(Value::Array(items)), right) if how == Comparison::Contains => {
            let none = items
                .iter()
                .map(|item| compare(Fact::of_value(item), Comparison::Equal, right).negate());
            Truth::all(none).negate()
        }
        (Fact::Text(_) | Fact::Number(_) | Fact::Bool(_) | Fact::Other(_), _) => Truth::Unknown,
    }
}

fn compare_numbers(order: Option<Ordering>, how: Comparison) -> Truth {
    let Some(order) = order else {
        return Truth::Unknown;
    };
    match how {
        Comparison::Equal => Truth::of(order.is_eq()),
        Comparison::NotEqual => Truth::of(order.is_ne()),
        Comparison::Less => Truth::of(order.is_lt()),
        Comparison::AtMost => Truth::of(order.is_le()),
        Comparison::Greater => Truth::of(order.is_gt()),
        Comparison::AtLeast => Truth::of(order.is_ge()),
        Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => Truth::Unknown,
    }
}

fn compare_texts(left: &str, how: Comparison, right: &str) -> Truth {
    match how {
        Comparison::Equal => Truth::of(left == right),
        Comparison::NotEqual => Truth::of(left != right),
        Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith
            if left.len() > MAX_SEARCHED_BYTES || right.len() > MAX_SEARCHED_BYTES =>
        {
            Truth::Unknown
        }
        Comparison::Contains => Truth::of(left.contains(right)),
        Comparison::StartsWith => Truth::of(left.starts_with(right)),
        Comparison::EndsWith => Truth::of(left.ends_with(right)),
        Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast => {
            Truth::Unknown
        }
    }
}

// ---- reading ------------------------------------------------------------------------------------

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

// ---- writing ------------------------------------------------------------------------------------

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Value(scalar) => write!(f, "{scalar}"),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}

/// With parentheses wherever they could be asked for: one text for one meaning, and it reads back.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => write_joined(f, parts, " or "),
            Self::And(parts) => write_joined(f, parts, " and "),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Test(test) => write!(f, "{test}"),
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, parts: &[When], word: &str) -> fmt::Result {
    parts.iter().enumerate().try_for_each(|(index, part)| {
        let between = if index == 0 { "" } else { word };
        match part {
            When::Test(_) | When::Not(_) => write!(f, "{between}{part}"),
            When::Or(_) | When::And(_) => write!(f, "{between}({part})"),
        }
    })
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(fact) => write!(f, "exists {fact}"),
            Self::Compare(left, how, right) => write!(f, "{left} {how} {right}"),
            Self::In(operand, values) => {
                let words: Vec<String> = values.as_slice().iter().map(written).collect();
                write!(f, "{operand} in [{}]", words.join(", "))
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(fact) => write!(f, "{fact}"),
            Self::Value(scalar) => f.write_str(&written(scalar)),
        }
    }
}

/// Text with the escapes of this language, which are fewer than JSON's.
fn written(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Scalar::Integer(_) | Scalar::Float(_) | Scalar::Bool(_) => scalar.to_string(),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::call::ToolCall;
    use crate::context::{Context, SessionState};
    use crate::facts::Facts;
    use serde_json::json;

    struct OneList;

    impl Names for OneList {
        fn fact(&mut self, name: &str) -> Result<Arc<FactPath>, FactError> {
            FactPath::parse(name).map(Arc::new)
        }

        fn list(&self, name: &str) -> Result<Vec<Scalar>, ConditionError> {
            match name {
                "team" => Ok(vec![Scalar::Text("ann".into()), Scalar::Integer(1)]),
                _ => Err(ConditionError::UnknownList {
                    asked: name.to_owned(),
                    have: "`team`".to_owned(),
                }),
            }
        }
    }

    fn parse(text: &str) -> Result<When, WhenError> {
        When::parse(text, &mut OneList)
    }

    fn truth(text: &str) -> Truth {
        let call = ToolCall::new(
            "execute_code",
            json!({"n": 5, "x": "abc", "list": ["a", 1], "null": null, "yes": true, "my key": "k", "same": "ann"}),
            "ann",
            Some("s"),
        )
        .unwrap();
        let context = Context {
            now_us: Some(1_792_413_005_000_000),
            session: Some(SessionState {
                calls: 3,
                ..SessionState::default()
            }),
            ..Context::default()
        };
        let facts = Facts::default();
        let scene = Scene::new(&call, &facts, &context);
        parse(text).unwrap().truth(scene)
    }

    #[test]
    fn every_comparison_has_its_truths() {
        let cases = [
            ("tool == 'execute_code'", Truth::True),
            ("tool != \"execute_code\"", Truth::False),
            ("principal == arguments.same", Truth::True),
            ("arguments.n == 5.0", Truth::True),
            ("arguments.n < 5", Truth::False),
            ("arguments.n <= 5", Truth::True),
            ("4 < arguments.n", Truth::True),
            ("arguments.n > 4.5", Truth::True),
            ("arguments.n >= 6", Truth::False),
            ("arguments.x contains 'b'", Truth::True),
            ("arguments.x starts_with 'b'", Truth::False),
            ("arguments.x ends_with 'bc'", Truth::True),
            ("arguments.list contains 'a'", Truth::True),
            ("arguments.list contains 1", Truth::True),
            ("arguments.list contains 'z'", Truth::Unknown),
            ("arguments.yes == true", Truth::True),
            ("arguments.\"my key\" == 'k'", Truth::True),
            ("principal in lists.team", Truth::True),
            ("arguments.n in [1, 5, 'x']", Truth::True),
            ("arguments.n not in [1, 'x']", Truth::True),
            ("arguments.yes in ['a']", Truth::Unknown),
            ("exists arguments.null", Truth::True),
            ("exists arguments.gone", Truth::False),
            ("exists arguments.n.deep", Truth::Unknown),
            ("arguments.gone == 1", Truth::False),
            ("arguments.gone != 1", Truth::True),
            ("arguments.gone < 1", Truth::False),
            ("arguments.gone in [1]", Truth::False),
            ("arguments.x < 5", Truth::Unknown),
            ("arguments.x == 5", Truth::Unknown),
            ("arguments.null == 5", Truth::Unknown),
            ("arguments.x < 'b'", Truth::Unknown),
            ("arguments.n contains 5", Truth::Unknown),
            ("session.calls == 3", Truth::True),
            ("time.unix_s < @2027-01-01", Truth::True),
            ("time.unix_s < @2026-10-19T12:30:05Z", Truth::False),
            ("time.weekday in ['saturday', 'sunday']", Truth::False),
            ("time.hour >= 9 and time.hour < 17", Truth::True),
        ];
        for (text, expected) in cases {
            assert_eq!(truth(text), expected, "{text}");
        }
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        assert_eq!(
            truth("tool == 'x' and tool == 'x' or principal == 'ann'"),
            Truth::True
        );
        assert_eq!(
            truth("principal == 'ann' or tool == 'x' and tool == 'x'"),
            Truth::True
        );
        assert_eq!(
            truth("(principal == 'ann' or tool == 'x') and tool == 'x'"),
            Truth::False
        );
        assert_eq!(truth("not tool == 'x' and principal == 'ann'"), Truth::True);
        assert_eq!(
            truth("not (principal == 'ann' or tool == 'x')"),
            Truth::False
        );
        assert_eq!(truth("arguments.x == 5 or principal == 'ann'"), Truth::True);
        assert_eq!(
            truth("arguments.x == 5 and principal == 'bob'"),
            Truth::False
        );
        assert_eq!(truth("not arguments.x == 5"), Truth::Unknown);
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in [
            "tool == 'a' or (principal == 'b' and not exists session)",
            "not (not (arguments.\"a b\".c in ['\\'', \"\\\\\", 1, true]))",
            "time.unix_s >= @2026-01-01 and session.calls not in [1]",
        ] {
            let once = parse(text).unwrap();
            assert_eq!(parse(&once.to_string()).unwrap(), once, "{once}");
        }
    }

    #[test]
    fn errors_say_where_and_what_belongs_there() {
        let cases = [
            ("", 0..0, "the expression ends where a fact belongs"),
            ("tool ==", 7..7, "ends where a fact belongs"),
            ("tool 'x'", 5..8, "where a comparison"),
            (
                "tool == 'x' tool",
                12..16,
                "found `tool` where `and`, `or` or the end belongs",
            ),
            ("(tool == 'x'", 12..12, "where `)` belongs"),
            ("toool == 'x'", 0..5, "`toool` is not a fact"),
            ("tool == 'x", 8..10, "has no end"),
            ("tool == 'a\\n'", 8..11, "backslash"),
            ("1 == 1", 0..6, "both sides are values"),
            ("1 in [1]", 0..8, "both sides are values"),
            ("tool in team", 8..12, "where a list"),
            ("tool in lists.x", 8..15, "there is no list `x`"),
            ("tool in []", 9..10, "where a value belongs"),
            ("arguments.n == 1x", 15..17, "`1x` is not a number"),
            ("time.unix_s < @tomorrow", 14..23, "is not a moment"),
            ("tool = 'x'", 5..6, "`=` begins nothing"),
            ("tool == ${x}", 8..9, "begins nothing"),
        ];
        for (text, span, message) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert_eq!(error.span, span, "{text}: {error}");
        }
    }

    #[test]
    fn depth_and_size_end_in_an_error() {
        let nested = |n: usize| format!("{}tool == 'x'{}", "(".repeat(n), ")".repeat(n));
        assert!(parse(&nested(MAX_WHEN_DEPTH)).is_ok());
        for text in [
            nested(MAX_WHEN_DEPTH + 1),
            "(".repeat(MAX_WHEN_BYTES),
            "not ".repeat(MAX_WHEN_BYTES / 4),
        ] {
            assert_eq!(parse(&text).unwrap_err().fault, WhenFault::TooDeep);
        }
        let long = format!("tool == '{}'", "x".repeat(MAX_WHEN_BYTES));
        assert_eq!(parse(&long).unwrap_err().fault, WhenFault::TooLong);
        let wide = vec!["tool == 'x'"; 200].join(" or ");
        assert!(parse(&wide).is_ok());
    }
}
