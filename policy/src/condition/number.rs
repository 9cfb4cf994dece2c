//! Numbers that compare exactly, whatever their types.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::file::Scalar;

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
