//! One condition on one fact: true, false, or unknown.
//!
//! Unknown is for a question that has no answer, such as whether a number begins with "a", or
//! text too long to search. It never helps a call: an allow needs true, a hold or deny is content
//! with not false. Evaluation never fails, runs in time linear in the text, and has a bound.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};
use serde::Serialize;
use serde_json::{Number, Value};
use thiserror::Error;

use crate::cidr::Cidr;
use crate::fact::{Fact, FactPath};
use crate::file::{ConditionFile, Scalar};
use crate::text::quote;

/// Text longer than this is not searched, and the condition is unknown. Four times the code that
/// any profile takes; a search through it costs a few milliseconds.
pub const MAX_SEARCHED_BYTES: usize = 4 << 20;

/// The compiled size of one regular expression: a page of alternatives fits, a counted repetition
/// of a counted repetition does not.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// The values of one `any_of`.
const MAX_ANY_OF: usize = 10_000;

/// What is known of a condition for one call, in Kleene's three values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// It does not hold.
    False,
    /// The question has no answer: another type, or more text than is searched.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// Both: false if one is false, true only if both are.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    /// The opposite; unknown stays unknown.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }

    /// All of them; asks no further than the first that is false.
    pub(crate) fn all(truths: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::True;
        for truth in truths {
            all = all.and(truth);
            if all == Self::False {
                break;
            }
        }
        all
    }

    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Why a condition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// A regular expression that does not compile.
    #[error(
        "{} is not a regular expression ({why}); correct it, look-around and back-references do not exist here",
        quote(text)
    )]
    Regex {
        /// The expression.
        text: String,
        /// The reader's word on it.
        why: String,
    },
    /// A glob that does not compile.
    #[error("{} is not a glob ({why}); correct it", quote(text))]
    Glob {
        /// The glob.
        text: String,
        /// The reader's word on it.
        why: String,
    },
    /// An empty text, which everything begins with, ends with and contains.
    #[error(
        "`{0}` of nothing holds for every text; write what it should look for, or `exists = true`"
    )]
    Empty(&'static str),
    /// An empty list, which nothing is one of.
    #[error("an empty list holds for nothing; name at least one value")]
    EmptyList,
    /// A list over the bound.
    #[error("a list has at most {MAX_ANY_OF} values; split the rule")]
    LongList,
    /// A range with a bound that is not a number.
    #[error("`min` and `max` take numbers; {} is none", quote(.0))]
    NotANumber(String),
    /// A range without numbers in it.
    #[error("`min` {min} is above `max` {max}; swap them")]
    EmptyRange {
        /// The lower bound.
        min: String,
        /// The upper bound.
        max: String,
    },
    /// A condition that a text can never answer, on a fact that is always text.
    #[error("the fact is always text; compare it with a string")]
    NeverText,
    /// A condition that a number can never answer, on a fact that is always a number.
    #[error("the fact is always a number; compare it with a number, or with `min` and `max`")]
    NeverNumber,
    /// A condition on elements, on a fact that is never an array.
    #[error("the fact is never an array; leave `any` or `all` out")]
    NeverArray,
    /// A condition on a whole array.
    #[error("the fact is a list; write `{{ any = … }}` or `{{ all = … }}`")]
    AlwaysArray,
    /// A range of addresses that is none.
    #[error("{} is not a range of addresses; write it as 10.0.0.0/8 or fd00::/8, with the bits after the length zero", quote(.0))]
    Cidr(String),
    /// `exists` on an element of an array.
    #[error("an element of an array is always there; write a condition on its value")]
    ElementExists,
    /// A list that is not in the file.
    #[error("there is no list {}; there are {have}", quote(asked))]
    UnknownList {
        /// The name in the file.
        asked: String,
        /// The lists there are.
        have: String,
    },
    /// `exists` on a fact that every call has.
    #[error("every call has this fact; `exists` says nothing about it, leave it out")]
    AlwaysThere,
}

/// A condition, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    AnyOf(Values),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Glob(Box<GlobMatcher>),
    Regex(Regex),
    /// Ranges of addresses.
    Cidr(Vec<Cidr>),
    Range {
        min: Option<Num>,
        max: Option<Num>,
    },
    Exists(bool),
    /// On an array: some element.
    Any(Box<Condition>),
    /// On an array: every element.
    All(Box<Condition>),
}

/// The values of an `any_of`, in such an order that a long list is not walked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    scalars: Vec<Scalar>,
    /// The texts among them come first, sorted; the rest are numbers and truths.
    texts: usize,
}

impl Values {
    pub(crate) fn new(mut scalars: Vec<Scalar>) -> Self {
        // Texts first, in their order; the others stay as they are.
        scalars.sort_by(|a, b| match (a.as_text(), b.as_text()) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
        let texts = scalars.partition_point(|scalar| scalar.as_text().is_some());
        Self { scalars, texts }
    }

    pub(crate) fn as_slice(&self) -> &[Scalar] {
        &self.scalars
    }

    fn texts(&self) -> &[Scalar] {
        self.scalars.get(..self.texts).unwrap_or_default()
    }

    fn others(&self) -> &[Scalar] {
        self.scalars.get(self.texts..).unwrap_or_default()
    }

    /// Whether a listed text goes on after `beginning`.
    fn has_longer(&self, beginning: &str) -> bool {
        let texts = self.texts();
        let first = texts.partition_point(|scalar| scalar.as_text() <= Some(beginning));
        let next = texts.get(first).and_then(Scalar::as_text);
        next.is_some_and(|text| text.starts_with(beginning))
    }

    /// Unknown when no value of the list is of the fact's type.
    pub(crate) fn hold(&self, fact: Fact<'_>) -> Truth {
        match (fact, self.texts()) {
            (Fact::Text(_), []) => Truth::Unknown,
            (Fact::Text(text), texts) => {
                let found = texts.binary_search_by(|scalar| scalar.as_text().cmp(&Some(text)));
                Truth::of(found.is_ok())
            }
            (fact, _) => any_equals(self.others(), fact),
        }
    }
}

/// A fact, a condition on it, and how both were written.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    /// One for all conditions of a policy on this fact.
    pub(crate) fact: Arc<FactPath>,
    pub(crate) condition: Condition,
    /// With lists written out.
    pub(crate) source: ConditionFile,
    /// As the file has it, where that differs.
    written: Option<Box<ConditionFile>>,
}

impl Clause {
    pub(crate) fn compile(
        fact: Arc<FactPath>,
        written: ConditionFile,
        source: ConditionFile,
    ) -> Result<Self, ConditionError> {
        check_fit(&fact, &source)?;
        Ok(Self {
            condition: Condition::compile(&source)?,
            fact,
            written: (written != source).then(|| Box::new(written)),
            source,
        })
    }

    /// The condition in words.
    pub(crate) fn words(&self) -> String {
        self.written.as_deref().unwrap_or(&self.source).to_string()
    }
}

impl Condition {
    fn compile(source: &ConditionFile) -> Result<Self, ConditionError> {
        Ok(match source {
            ConditionFile::AnyOf(scalars) => Self::AnyOf(Values::new(checked_list(scalars)?)),
            ConditionFile::Prefix(text) => Self::Prefix(not_empty("prefix", text)?),
            ConditionFile::Suffix(text) => Self::Suffix(not_empty("suffix", text)?),
            ConditionFile::Contains(text) => Self::Contains(not_empty("contains", text)?),
            ConditionFile::Glob(text) => Self::Glob(Box::new(compile_glob(text)?)),
            ConditionFile::Regex(text) => Self::Regex(compile_regex(text)?),
            ConditionFile::Cidr(texts) => Self::Cidr(compile_cidrs(texts)?),
            ConditionFile::Range { min, max } => compile_range(min.as_ref(), max.as_ref())?,
            ConditionFile::Exists(there) => Self::Exists(*there),
            ConditionFile::Any(inner) => Self::Any(Box::new(Self::compile_element(inner)?)),
            ConditionFile::All(inner) => Self::All(Box::new(Self::compile_element(inner)?)),
            ConditionFile::List(_) => return Err(ConditionError::EmptyList),
        })
    }

    fn compile_element(source: &ConditionFile) -> Result<Self, ConditionError> {
        match source {
            ConditionFile::Exists(_) => Err(ConditionError::ElementExists),
            other => Self::compile(other),
        }
    }

    /// What is known of this condition for a fact.
    pub(crate) fn truth(&self, fact: Fact<'_>) -> Truth {
        match (self, fact) {
            (_, Fact::Blocked) => Truth::Unknown,
            (Self::Exists(there), fact) => Truth::of((fact != Fact::Absent) == *there),
            (_, Fact::Absent) => Truth::False,
            (Self::Any(inner), Fact::Other(Value::Array(items))) => {
                let none = Truth::all(items.iter().map(|item| inner.of_element(item).negate()));
                none.negate()
            }
            (Self::All(inner), Fact::Other(Value::Array(items))) => {
                Truth::all(items.iter().map(|item| inner.of_element(item)))
            }
            (_, Fact::Other(_)) => Truth::Unknown,
            (Self::AnyOf(values), fact) => values.hold(fact),
            (Self::Range { min, max }, Fact::Number(number)) => {
                Truth::of(in_range(*min, *max, number))
            }
            (Self::Range { .. }, Fact::Text(_) | Fact::Bool(_)) => Truth::Unknown,
            (_, Fact::Text(text)) => self.search(text),
            (_, Fact::Number(_) | Fact::Bool(_)) => Truth::Unknown,
        }
    }

    /// What is known of this condition for a list of options. `--rec` may stand for `--recursive`,
    /// so a longer option that begins like one in the call is neither there nor not there.
    pub(crate) fn truth_of_flags(&self, fact: Fact<'_>) -> Truth {
        let Fact::Other(Value::Array(items)) = fact else {
            return self.truth(fact);
        };
        match self {
            Self::Any(inner) => {
                let none = Truth::all(items.iter().map(|item| inner.of_flag(item).negate()));
                none.negate()
            }
            Self::All(inner) => Truth::all(items.iter().map(|item| inner.of_flag(item))),
            Self::AnyOf(_)
            | Self::Prefix(_)
            | Self::Suffix(_)
            | Self::Contains(_)
            | Self::Glob(_)
            | Self::Regex(_)
            | Self::Cidr(_)
            | Self::Range { .. }
            | Self::Exists(_) => self.truth(fact),
        }
    }

    fn of_flag(&self, item: &Value) -> Truth {
        let truth = self.of_element(item);
        let longer = |flag: &str| match self {
            Self::AnyOf(values) => values.has_longer(flag),
            Self::Prefix(prefix) => prefix.starts_with(flag),
            Self::Suffix(_) | Self::Contains(_) | Self::Glob(_) | Self::Regex(_) => true,
            Self::Cidr(_) | Self::Range { .. } | Self::Exists(_) | Self::Any(_) | Self::All(_) => {
                false
            }
        };
        match item.as_str() {
            Some(flag) if truth == Truth::False && is_long_flag(flag) && longer(flag) => {
                Truth::Unknown
            }
            Some(_) | None => truth,
        }
    }

    fn of_element(&self, element: &Value) -> Truth {
        self.truth(Fact::of_value(element))
    }

    fn search(&self, text: &str) -> Truth {
        if text.len() > MAX_SEARCHED_BYTES {
            return Truth::Unknown;
        }
        match self {
            Self::Prefix(prefix) => Truth::of(text.starts_with(prefix)),
            Self::Suffix(suffix) => Truth::of(text.ends_with(suffix)),
            Self::Contains(part) => Truth::of(text.contains(part)),
            Self::Glob(glob) => Truth::of(glob.is_match(text)),
            Self::Regex(regex) => Truth::of(regex.is_match(text)),
            Self::Cidr(ranges) => match text.parse::<IpAddr>() {
                Ok(address) => Truth::of(ranges.iter().any(|range| range.holds(address))),
                Err(_) => Truth::Unknown,
            },
            Self::AnyOf(_) | Self::Range { .. } | Self::Exists(_) | Self::Any(_) | Self::All(_) => {
                Truth::Unknown
            }
        }
    }
}

fn is_long_flag(flag: &str) -> bool {
    flag.len() > 2 && flag.starts_with("--")
}

fn any_equals(scalars: &[Scalar], fact: Fact<'_>) -> Truth {
    let mut comparable = false;
    for scalar in scalars {
        match equals(scalar, fact) {
            Truth::True => return Truth::True,
            Truth::False => comparable = true,
            Truth::Unknown => {}
        }
    }
    if comparable {
        Truth::False
    } else {
        Truth::Unknown
    }
}

fn equals(scalar: &Scalar, fact: Fact<'_>) -> Truth {
    match (scalar, fact) {
        (Scalar::Text(a), Fact::Text(b)) => Truth::of(a == b),
        (Scalar::Bool(a), Fact::Bool(b)) => Truth::of(*a == b),
        (Scalar::Integer(_) | Scalar::Float(_), Fact::Number(number)) => {
            let scalar = Num::of_scalar(scalar);
            scalar.map_or(Truth::Unknown, |scalar| {
                Truth::of(scalar.compare(number) == Some(Ordering::Equal))
            })
        }
        (Scalar::Text(_) | Scalar::Bool(_) | Scalar::Integer(_) | Scalar::Float(_), _) => {
            Truth::Unknown
        }
    }
}

fn in_range(min: Option<Num>, max: Option<Num>, number: Num) -> bool {
    let at_least = min.is_none_or(|min| {
        matches!(
            number.compare(min),
            Some(Ordering::Greater | Ordering::Equal)
        )
    });
    let at_most =
        max.is_none_or(|max| matches!(number.compare(max), Some(Ordering::Less | Ordering::Equal)));
    at_least && at_most
}

// ---- numbers ------------------------------------------------------------------------------------

/// A number as it is compared: exactly, whatever its type. `Int` holds every i64 and u64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Num {
    Int(i128),
    Float(f64),
}

impl Num {
    pub(crate) fn of_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Integer(integer) => Some(Self::Int(i128::from(*integer))),
            Scalar::Float(float) => Some(Self::Float(*float)),
            Scalar::Text(_) | Scalar::Bool(_) => None,
        }
    }

    pub(crate) fn of_json(number: &Number) -> Option<Self> {
        number
            .as_i64()
            .map(|i| Self::Int(i128::from(i)))
            .or_else(|| number.as_u64().map(|u| Self::Int(i128::from(u))))
            .or_else(|| number.as_f64().map(Self::Float))
    }

    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Float(float) => Value::from(float),
            Self::Int(integer) => i64::try_from(integer)
                .map(Value::from)
                .or_else(|_| u64::try_from(integer).map(Value::from))
                .unwrap_or(Value::Null),
        }
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Float(b)) => compare_mixed(a, b),
            (Self::Float(a), Self::Int(b)) => compare_mixed(b, a).map(Ordering::reverse),
        }
    }
}

/// Compares without rounding the integer. Our integers lie within 65 bits, so a float that does
/// not fit i128 saturates in the cast and still compares rightly.
fn compare_mixed(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let whole = float.trunc();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`whole` has no fraction and the cast saturates"
    )]
    let by_whole = integer.cmp(&(whole as i128));
    Some(by_whole.then_with(|| match float.partial_cmp(&whole) {
        Some(Ordering::Greater) => Ordering::Less,
        Some(Ordering::Less) => Ordering::Greater,
        Some(Ordering::Equal) | None => Ordering::Equal,
    }))
}

// ---- compiling ----------------------------------------------------------------------------------

/// The kind of fact that a condition has an answer for.
#[derive(PartialEq, Eq)]
enum Asks {
    Text,
    Number,
    Mixed,
    Array,
    Presence,
}

fn asks(source: &ConditionFile) -> Asks {
    let all = |wanted: fn(&Scalar) -> bool, scalars: &[Scalar]| scalars.iter().all(wanted);
    match source {
        ConditionFile::AnyOf(scalars) if all(|s| matches!(s, Scalar::Text(_)), scalars) => {
            Asks::Text
        }
        ConditionFile::AnyOf(scalars) if all(|s| Num::of_scalar(s).is_some(), scalars) => {
            Asks::Number
        }
        ConditionFile::AnyOf(_) | ConditionFile::List(_) => Asks::Mixed,
        ConditionFile::Range { .. } => Asks::Number,
        ConditionFile::Exists(_) => Asks::Presence,
        ConditionFile::Any(_) | ConditionFile::All(_) => Asks::Array,
        ConditionFile::Prefix(_)
        | ConditionFile::Suffix(_)
        | ConditionFile::Contains(_)
        | ConditionFile::Glob(_)
        | ConditionFile::Cidr(_)
        | ConditionFile::Regex(_) => Asks::Text,
    }
}

/// Refuses conditions that can never hold, or always do, because of the fact they are on.
fn check_fit(fact: &FactPath, source: &ConditionFile) -> Result<(), ConditionError> {
    match asks(source) {
        Asks::Presence if fact.is_always_there() => Err(ConditionError::AlwaysThere),
        Asks::Presence => Ok(()),
        Asks::Array if !fact.may_be_array() => Err(ConditionError::NeverArray),
        other if fact.is_always_text() && other != Asks::Text => Err(ConditionError::NeverText),
        other if fact.is_always_number() && other != Asks::Number => {
            Err(ConditionError::NeverNumber)
        }
        Asks::Text | Asks::Number | Asks::Mixed if fact.is_array() => {
            Err(ConditionError::AlwaysArray)
        }
        Asks::Number if fact.is_never_number() => Err(ConditionError::NeverText),
        Asks::Text | Asks::Number | Asks::Mixed | Asks::Array => Ok(()),
    }
}

pub(crate) fn checked_list(scalars: &[Scalar]) -> Result<Vec<Scalar>, ConditionError> {
    match scalars.len() {
        0 => Err(ConditionError::EmptyList),
        1..=MAX_ANY_OF => Ok(scalars.to_vec()),
        _ => Err(ConditionError::LongList),
    }
}

fn not_empty(word: &'static str, text: &str) -> Result<String, ConditionError> {
    if text.is_empty() {
        Err(ConditionError::Empty(word))
    } else {
        Ok(text.to_owned())
    }
}

/// `*` and `?` stop at `/`, `**` does not.
fn compile_glob(text: &str) -> Result<GlobMatcher, ConditionError> {
    not_empty("glob", text)?;
    GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| ConditionError::Glob {
            text: text.to_owned(),
            why: error.kind().to_string(),
        })
}

fn compile_cidrs(texts: &[String]) -> Result<Vec<Cidr>, ConditionError> {
    match texts.len() {
        0 => Err(ConditionError::EmptyList),
        1..=MAX_ANY_OF => texts
            .iter()
            .map(|text| text.parse().map_err(|_| ConditionError::Cidr(text.clone())))
            .collect(),
        _ => Err(ConditionError::LongList),
    }
}

pub(crate) fn compile_regex(text: &str) -> Result<Regex, ConditionError> {
    not_empty("regex", text)?;
    RegexBuilder::new(text)
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .map_err(|error| ConditionError::Regex {
            text: text.to_owned(),
            why: last_line(&error.to_string()),
        })
}

/// The regex crate draws its errors over several lines; the last one says what is wrong.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn compile_range(min: Option<&Scalar>, max: Option<&Scalar>) -> Result<Condition, ConditionError> {
    let number = |scalar: &Scalar| {
        Num::of_scalar(scalar).ok_or_else(|| ConditionError::NotANumber(scalar.to_string()))
    };
    let low = min.map(number).transpose()?;
    let high = max.map(number).transpose()?;
    if let (Some(low), Some(high), Some(min), Some(max)) = (low, high, min, max)
        && low.compare(high) == Some(Ordering::Greater)
    {
        return Err(ConditionError::EmptyRange {
            min: min.to_string(),
            max: max.to_string(),
        });
    }
    Ok(Condition::Range {
        min: low,
        max: high,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn condition(toml: &str) -> Result<Condition, ConditionError> {
        #[derive(serde::Deserialize)]
        struct Holder {
            c: ConditionFile,
        }
        let holder: Holder = toml::from_str(&format!("c = {toml}")).unwrap();
        Condition::compile(&holder.c)
    }

    fn truth(toml: &str, value: &Value) -> Truth {
        condition(toml).unwrap().truth(Fact::of_value(value))
    }

    #[test]
    fn each_condition_has_all_three_truths() {
        let cases = [
            ("\"a\"", json!("a"), json!("b"), json!(1)),
            ("{ equals = \"a\" }", json!("a"), json!("A"), json!(true)),
            ("[\"a\", 1]", json!(1.0), json!("b"), json!(true)),
            ("5", json!(5), json!(6), json!("5")),
            ("true", json!(true), json!(false), json!("true")),
            ("{ any_of = [1.5, 2] }", json!(1.5), json!(1), json!(null)),
            (
                "{ prefix = \"ab\" }",
                json!("abc"),
                json!("cab"),
                json!(["ab"]),
            ),
            ("{ suffix = \"ab\" }", json!("cab"), json!("abc"), json!({})),
            ("{ contains = \"b\" }", json!("abc"), json!("ac"), json!(1)),
            (
                "{ glob = \"/a/*.csv\" }",
                json!("/a/b.csv"),
                json!("/a/b/c.csv"),
                json!(1),
            ),
            (
                "{ glob = \"/a/**\" }",
                json!("/a/b/c.csv"),
                json!("/b"),
                json!(1),
            ),
            ("{ regex = \"^a+$\" }", json!("aaa"), json!("aab"), json!(1)),
            ("{ min = 1 }", json!(1), json!(0.5), json!("1")),
            ("{ max = 9 }", json!(9.0), json!(9.5), json!([])),
            ("{ min = -1, max = 1 }", json!(0), json!(2), json!(null)),
        ];
        for (toml, yes, no, unknown) in cases {
            assert_eq!(truth(toml, &yes), Truth::True, "{toml} {yes}");
            assert_eq!(truth(toml, &no), Truth::False, "{toml} {no}");
            assert_eq!(truth(toml, &unknown), Truth::Unknown, "{toml} {unknown}");
            let compiled = condition(toml).unwrap();
            assert_eq!(compiled.truth(Fact::Absent), Truth::False, "{toml}");
            assert_eq!(compiled.truth(Fact::Blocked), Truth::Unknown, "{toml}");
        }
    }

    #[test]
    fn elements_of_arrays() {
        let any = "{ any = { prefix = \"/etc/\" } }";
        let all = "{ all = [\"-l\", \"-a\"] }";
        let cases = [
            (any, json!(["/tmp/x", "/etc/x"]), Truth::True),
            (any, json!(["/tmp/x"]), Truth::False),
            (any, json!([]), Truth::False),
            (any, json!(["/tmp/x", 5]), Truth::Unknown),
            (any, json!([5, "/etc/x"]), Truth::True),
            (any, json!("/etc/x"), Truth::Unknown),
            (any, json!({"a": "/etc/x"}), Truth::Unknown),
            (all, json!(["-l", "-a"]), Truth::True),
            (all, json!(["-l", "-x"]), Truth::False),
            (all, json!([]), Truth::True),
            (all, json!(["-l", null]), Truth::Unknown),
            (all, json!(["-x", null]), Truth::False),
            ("{ all = { any = 1 } }", json!([[1, 2], [1]]), Truth::True),
            ("{ all = { any = 1 } }", json!([[1, 2], [2]]), Truth::False),
        ];
        for (toml, value, expected) in cases {
            assert_eq!(truth(toml, &value), expected, "{toml} {value}");
        }
        let any = condition(any).unwrap();
        assert_eq!(any.truth(Fact::Absent), Truth::False);
        assert_eq!(any.truth(Fact::Blocked), Truth::Unknown);
        assert_eq!(
            condition("{ any = { any = { exists = true } } }").unwrap_err(),
            ConditionError::ElementExists
        );
    }

    #[test]
    fn a_long_list_holds_as_a_short_one_does() {
        let words: Vec<String> = (0..5_000).map(|n| format!("\"w{n}\"")).collect();
        let list = format!("[{}, 7, true]", words.join(", "));
        let long = condition(&list).unwrap();
        for (value, expected) in [
            (json!("w0"), Truth::True),
            (json!("w4999"), Truth::True),
            (json!("w5000"), Truth::False),
            (json!(7.0), Truth::True),
            (json!(8), Truth::False),
            (json!(false), Truth::False),
            (json!(null), Truth::Unknown),
        ] {
            assert_eq!(long.truth(Fact::of_value(&value)), expected, "{value}");
        }
    }

    #[test]
    fn exists_sees_null_as_there() {
        let there = condition("{ exists = true }").unwrap();
        let gone = condition("{ exists = false }").unwrap();
        for value in [json!(null), json!(0), json!(""), json!([])] {
            assert_eq!(there.truth(Fact::of_value(&value)), Truth::True);
            assert_eq!(gone.truth(Fact::of_value(&value)), Truth::False);
        }
        assert_eq!(there.truth(Fact::Absent), Truth::False);
        assert_eq!(gone.truth(Fact::Absent), Truth::True);
        assert_eq!(gone.truth(Fact::Blocked), Truth::Unknown);
    }

    #[test]
    fn numbers_compare_exactly_across_types() {
        assert_eq!(
            truth("9007199254740993", &json!(9_007_199_254_740_992.0)),
            Truth::False
        );
        assert_eq!(truth("{ max = 1e300 }", &json!(u64::MAX)), Truth::True);
        assert_eq!(truth("{ min = -1e300 }", &json!(i64::MIN)), Truth::True);
        assert_eq!(truth("{ min = 0.5 }", &json!(0)), Truth::False);
        assert_eq!(truth("{ max = -0.5 }", &json!(0)), Truth::False);
        assert_eq!(truth("0", &json!(-0.0)), Truth::True);
    }

    #[test]
    fn text_over_the_bound_is_unknown() {
        let long = json!("a".repeat(MAX_SEARCHED_BYTES + 1));
        for toml in [
            "{ prefix = \"b\" }",
            "{ contains = \"b\" }",
            "{ regex = \"b\" }",
            "{ glob = \"b\" }",
            "{ suffix = \"b\" }",
        ] {
            assert_eq!(truth(toml, &long), Truth::Unknown, "{toml}");
        }
        assert_eq!(
            truth("\"b\"", &long),
            Truth::False,
            "equality needs no search"
        );
    }

    #[test]
    fn conditions_that_say_nothing_are_refused() {
        for toml in [
            "{ prefix = \"\" }",
            "{ suffix = \"\" }",
            "{ contains = \"\" }",
            "{ glob = \"\" }",
            "{ regex = \"\" }",
        ] {
            assert!(
                matches!(condition(toml), Err(ConditionError::Empty(_))),
                "{toml}"
            );
        }
        assert_eq!(condition("[]").unwrap_err(), ConditionError::EmptyList);
        assert!(matches!(
            condition("{ min = 2, max = 1 }"),
            Err(ConditionError::EmptyRange { .. })
        ));
        assert!(matches!(
            condition("{ min = \"a\" }"),
            Err(ConditionError::NotANumber(_))
        ));
        assert!(matches!(
            condition("{ regex = \"(\" }"),
            Err(ConditionError::Regex { .. })
        ));
        assert!(matches!(
            condition("{ regex = \"(?=a)\" }"),
            Err(ConditionError::Regex { .. })
        ));
        assert!(matches!(
            condition("{ regex = \"((a{1000}){1000}){1000}\" }"),
            Err(ConditionError::Regex { .. })
        ));
        assert!(matches!(
            condition("{ glob = \"[\" }"),
            Err(ConditionError::Glob { .. })
        ));
    }

    #[test]
    fn kleene() {
        let all = [Truth::False, Truth::Unknown, Truth::True];
        for a in all {
            for b in all {
                let rank = |t: Truth| all.iter().position(|x| *x == t);
                assert_eq!(rank(a.and(b)), rank(a).min(rank(b)));
            }
            assert_eq!(a.negate().negate(), a);
        }
    }
}
