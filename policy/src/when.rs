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

mod read;
mod write;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::condition::{ConditionError, MAX_SEARCHED_BYTES, Num, Truth, Values};
use crate::context::Scene;
use crate::fact::{Fact, FactError, FactPath};
use crate::file::Scalar;
use crate::moment::MomentError;
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
        read::read(text, names)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "when/tests.rs"]
mod tests;
