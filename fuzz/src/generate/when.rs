//! Expressions of `when`, as values and as text, and worlds to ask them in.

use std::fmt;

use arbitrary::{Result, Unstructured};
use policy::{Context, SessionState};
use serde_json::{Value, json};

use super::{several, word};

/// Levels of `and`, `or` and `not`.
const MAX_LEVELS: u8 = 4;

/// An expression.
#[derive(Debug, Clone)]
pub enum When {
    /// Some of these.
    Or(Vec<When>),
    /// All of these.
    And(Vec<When>),
    /// Not this.
    Not(Box<When>),
    /// The fact is there.
    Exists(&'static str),
    /// Two sides and a word between them.
    Compare(Operand, &'static str, Operand),
    /// One of these values.
    In(&'static str, Vec<Value>),
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A fact, by its path.
    Fact(&'static str),
    /// Text, a number or a truth.
    Value(Value),
}

const FACTS: &[&str] = &[
    "tool",
    "principal",
    "session",
    "arguments.a",
    "arguments.b",
    "arguments.n",
    "arguments.deep",
    "arguments.deep.er",
    "arguments.deep.\"a b\"",
    "session.calls",
    "session.age_s",
    "time.unix_s",
    "time.hour",
    "time.minute",
    "time.weekday",
];
const COMPARISONS: &[&str] = &[
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "contains",
    "starts_with",
    "ends_with",
];

/// An expression.
pub fn when(u: &mut Unstructured<'_>) -> Result<When> {
    below(u, MAX_LEVELS)
}

fn below(u: &mut Unstructured<'_>, levels: u8) -> Result<When> {
    let inner = |u: &mut Unstructured<'_>| below(u, levels.saturating_sub(1));
    Ok(match u.int_in_range(0..=if levels == 0 { 4 } else { 8 })? {
        0 => When::Exists(u.choose(FACTS)?),
        1 => When::In(u.choose(FACTS)?, several(u, 1, 4, value)?),
        2..=4 => compare(u)?,
        5 => When::Not(Box::new(inner(u)?)),
        6 => When::Or(several(u, 2, 3, inner)?),
        _ => When::And(several(u, 2, 3, inner)?),
    })
}

/// At least one side is a fact, as the language wants it.
fn compare(u: &mut Unstructured<'_>) -> Result<When> {
    let fact = Operand::Fact(u.choose(FACTS)?);
    let word = *u.choose(COMPARISONS)?;
    let other = match u.ratio(1, 4)? {
        true => Operand::Fact(u.choose(FACTS)?),
        false => Operand::Value(value(u)?),
    };
    Ok(match u.ratio(1, 4)? {
        true => When::Compare(other, word, fact),
        false => When::Compare(fact, word, other),
    })
}

fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    let others = [
        json!(0),
        json!(1),
        json!(0.5),
        json!(-3),
        json!(1_792_413_005),
        json!(12),
        json!(true),
        json!(false),
        json!("monday"),
    ];
    if u.ratio(1, 2)? {
        return u.choose(&others).cloned();
    }
    Ok(json!(word(u)?))
}

/// What the caller tells of the world; often nothing.
pub fn context(u: &mut Unstructured<'_>) -> Result<Context> {
    let moments = [0, 1_792_413_005_000_000, 951_782_400_000_000, u64::MAX];
    let now_us = match u.ratio(3, 4)? {
        true => Some(*u.choose(&moments)?),
        false => None,
    };
    let session = match u.arbitrary()? {
        true => Some(SessionState {
            calls: u.int_in_range(0..=2)?,
            started_us: *u.choose(&moments)?,
            ..SessionState::default()
        }),
        false => None,
    };
    Ok(Context {
        now_us,
        session,
        ..Context::default()
    })
}

// ---- as text ------------------------------------------------------------------------------------

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => joined(f, parts, " or "),
            Self::And(parts) => joined(f, parts, " and "),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Exists(fact) => write!(f, "exists {fact}"),
            Self::Compare(left, word, right) => write!(f, "{left} {word} {right}"),
            Self::In(fact, values) => {
                let values: Vec<String> = values.iter().map(written).collect();
                write!(f, "{fact} in [{}]", values.join(","))
            }
        }
    }
}

/// Parentheses only where the binding of `and` and `or` needs them.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[When], between: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        match part {
            When::Or(_) => write!(f, "({part})")?,
            When::And(_) | When::Not(_) | When::Exists(_) | When::Compare(..) | When::In(..) => {
                write!(f, "{part}")?;
            }
        }
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(fact) => f.write_str(fact),
            Self::Value(value) => f.write_str(&written(value)),
        }
    }
}

fn written(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        None => value.to_string(),
    }
}
