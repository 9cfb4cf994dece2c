//! From a condition of the file to one that can be asked.
//!
//! Refuses what can mean nothing, with a word on what to write instead.

use std::cmp::Ordering;

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::{Condition, MAX_ANY_OF, MAX_REGEX_BYTES, Num, Values};
use crate::cidr::Cidr;
use crate::fact::FactPath;
use crate::file::{ConditionFile, Scalar};
use crate::text::quote;

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
impl Condition {
    pub(super) fn compile(source: &ConditionFile) -> Result<Self, ConditionError> {
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
}

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
pub(super) fn check_fit(fact: &FactPath, source: &ConditionFile) -> Result<(), ConditionError> {
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
