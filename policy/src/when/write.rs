//! An expression of `when` as text that reads as the same expression.

use std::fmt;

use super::{Comparison, Operand, Test, When};
use crate::file::Scalar;

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
