//! One condition on one fact: true, false, or unknown.
//!
//! Unknown is for a question that has no answer, such as whether a number begins with "a", or
//! text too long to search. It never helps a call: an allow needs true, a hold or deny is content
//! with not false. Evaluation never fails, runs in time linear in the text, and has a bound.

mod compile;
mod number;

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use globset::GlobMatcher;
use regex::Regex;
use serde::Serialize;
use serde_json::Value;

pub use self::compile::ConditionError;
use self::compile::check_fit;
pub(crate) use self::compile::{checked_list, compile_regex};
pub(crate) use self::number::Num;
use crate::cidr::Cidr;
use crate::fact::{Fact, FactPath};
use crate::file::{ConditionFile, Scalar};

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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "condition/tests.rs"]
mod tests;
