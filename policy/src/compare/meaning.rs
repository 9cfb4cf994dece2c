//! What a condition says of every kind of fact, in one form for conditions, questions of a `when`
//! and what a profile asks of a call.
//!
//! A [`Meaning`] answers as the condition that it was made from; a property test holds the two
//! against each other. Cannot fail.

use std::rc::Rc;

use regex::Regex;
use serde_json::Value;

use super::addresses::Addresses;
use super::domain::Kinds;
use super::number::{Cut, Numbers};
use super::texts::{Ask, AskKind};
use crate::condition::{Condition, MAX_SEARCHED_BYTES, Num, Truth, Values};
use crate::fact::Fact;
use crate::file::Scalar;
use crate::when::Comparison;

/// Which truths are asked for. Only these four arise: they are each other's negations, and a
/// conjunction asks of its parts what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    True,
    NotTrue,
    False,
    NotFalse,
}

impl Want {
    pub(super) fn takes(self, truth: Truth) -> bool {
        match self {
            Self::True => truth == Truth::True,
            Self::NotTrue => truth != Truth::True,
            Self::False => truth == Truth::False,
            Self::NotFalse => truth != Truth::False,
        }
    }

    /// What is asked when the answer must not be one of these.
    pub(super) fn otherwise(self) -> Self {
        match self {
            Self::True => Self::NotTrue,
            Self::NotTrue => Self::True,
            Self::False => Self::NotFalse,
            Self::NotFalse => Self::False,
        }
    }

    /// What is asked of a question when this is asked of its negation.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::NotTrue => Self::NotFalse,
            Self::NotFalse => Self::NotTrue,
        }
    }

    /// Of a question that is true or false: whether it must hold.
    pub(super) fn holds(self) -> bool {
        match self {
            Self::True | Self::NotFalse => true,
            Self::False | Self::NotTrue => false,
        }
    }
}

/// The truth of a question for each kind of fact.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    pub(super) absent: Truth,
    pub(super) blocked: Truth,
    pub(super) null: Truth,
    pub(super) object: Truth,
    pub(super) yes: Truth,
    pub(super) no: Truth,
    pub(super) number: OfNumbers,
    pub(super) text: OfTexts,
    /// Text that is too long to be searched.
    pub(super) long_text: OfTexts,
    pub(super) array: OfArrays,
}

#[derive(Debug, Clone)]
pub(super) enum OfNumbers {
    Always(Truth),
    /// True of these, false of the others.
    In(Numbers),
}

#[derive(Debug, Clone)]
pub(super) enum OfTexts {
    Always(Truth),
    /// True where it holds, false elsewhere.
    Ask(Rc<Ask>),
    /// True where the first holds, false where the second does not, else unknown.
    Between(Rc<Ask>, Rc<Ask>),
}

#[derive(Debug, Clone)]
pub(super) enum OfArrays {
    Always(Truth),
    Any(Rc<Meaning>),
    All(Rc<Meaning>),
}

impl Meaning {
    /// Of a condition that has no answer to anything but what is filled in.
    fn nothing() -> Self {
        Self {
            absent: Truth::False,
            blocked: Truth::Unknown,
            null: Truth::Unknown,
            object: Truth::Unknown,
            yes: Truth::Unknown,
            no: Truth::Unknown,
            number: OfNumbers::Always(Truth::Unknown),
            text: OfTexts::Always(Truth::Unknown),
            long_text: OfTexts::Always(Truth::Unknown),
            array: OfArrays::Always(Truth::Unknown),
        }
    }

    pub(super) fn of_condition(condition: &Condition) -> Self {
        let search = |kind| Self::of_search(Ask::new(kind));
        match condition {
            Condition::AnyOf(values) => Self::of_values(values),
            Condition::Prefix(text) => search(AskKind::Prefix(text.clone())),
            Condition::Suffix(text) => search(AskKind::Suffix(text.clone())),
            Condition::Contains(text) => search(AskKind::Contains(text.clone())),
            Condition::Glob(glob) => search(AskKind::Glob(glob.clone())),
            Condition::Regex(regex) => search(AskKind::Regex(regex.clone())),
            Condition::Form(form, inner) => search(AskKind::Form(*form, inner.clone())),
            Condition::Range { min, max } => Self {
                number: OfNumbers::In(Numbers::between(*min, *max)),
                ..Self::nothing()
            },
            Condition::Cidr(ranges) => {
                let inside = Ask::new(AskKind::Address(Addresses::of(ranges)));
                Self::of_between(inside, Ask::new(AskKind::NoAddress))
            }
            Condition::Exists(there) => Self::of_presence(*there),
            Condition::Any(inner) => Self {
                array: OfArrays::Any(Rc::new(Self::of_condition(inner))),
                ..Self::nothing()
            },
            Condition::All(inner) => Self {
                array: OfArrays::All(Rc::new(Self::of_condition(inner))),
                ..Self::nothing()
            },
        }
    }

    /// True where `certain` holds, unknown where only `perhaps` does.
    fn of_between(certain: Rc<Ask>, perhaps: Rc<Ask>) -> Self {
        let possible = Ask::new(AskKind::Either(vec![Rc::clone(&certain), perhaps]));
        Self {
            text: OfTexts::Between(certain, possible),
            ..Self::nothing()
        }
    }

    /// Of a condition on a list of options: an option may be written shorter than it is, so one
    /// that begins as what is asked for is neither there nor not there.
    pub(super) fn of_flags(condition: &Condition) -> Self {
        match condition {
            Condition::Any(inner) => Self {
                array: OfArrays::Any(Rc::new(Self::of_flag(inner))),
                ..Self::nothing()
            },
            Condition::All(inner) => Self {
                array: OfArrays::All(Rc::new(Self::of_flag(inner))),
                ..Self::nothing()
            },
            other => Self::of_condition(other),
        }
    }

    fn of_flag(condition: &Condition) -> Self {
        let meaning = Self::of_condition(condition);
        let shorter = match condition {
            Condition::AnyOf(values) => {
                let texts = values.as_slice().iter().filter_map(Scalar::as_text);
                Ask::one_of(texts.flat_map(|text| long_beginnings(text, text.len())))
            }
            Condition::Prefix(text) => {
                Ask::one_of(long_beginnings(text, text.len().saturating_add(1)))
            }
            Condition::Suffix(_)
            | Condition::Contains(_)
            | Condition::Glob(_)
            | Condition::Regex(_)
            | Condition::Form(..) => long_flags(),
            Condition::Cidr(_)
            | Condition::Range { .. }
            | Condition::Exists(_)
            | Condition::Any(_)
            | Condition::All(_) => return meaning,
        };
        let between = |texts: &OfTexts| match texts {
            OfTexts::Ask(certain) => {
                let either = vec![Rc::clone(certain), Rc::clone(&shorter)];
                OfTexts::Between(Rc::clone(certain), Ask::new(AskKind::Either(either)))
            }
            other => other.clone(),
        };
        Self {
            text: between(&meaning.text),
            long_text: between(&meaning.long_text),
            ..meaning
        }
    }

    fn of_search(ask: Rc<Ask>) -> Self {
        Self {
            text: OfTexts::Ask(ask),
            ..Self::nothing()
        }
    }

    pub(super) fn of_values(values: &Values) -> Self {
        Self::of_scalars(values.as_slice())
    }

    pub(super) fn of_scalars(scalars: &[Scalar]) -> Self {
        let texts: Vec<String> = scalars
            .iter()
            .filter_map(|scalar| scalar.as_text().map(str::to_owned))
            .collect();
        let numbers: Vec<Num> = scalars.iter().filter_map(Num::of_scalar).collect();
        let truths = || {
            scalars.iter().filter_map(|scalar| match scalar {
                Scalar::Bool(truth) => Some(*truth),
                Scalar::Text(_) | Scalar::Integer(_) | Scalar::Float(_) => None,
            })
        };
        let of_truth = |wanted: bool| match truths().next() {
            None => Truth::Unknown,
            Some(_) => Truth::of(truths().any(|truth| truth == wanted)),
        };
        let ask = match texts.is_empty() {
            true => OfTexts::Always(Truth::Unknown),
            false => OfTexts::Ask(Ask::one_of(texts.into_iter())),
        };
        Self {
            yes: of_truth(true),
            no: of_truth(false),
            number: match numbers.is_empty() {
                true => OfNumbers::Always(Truth::Unknown),
                false => OfNumbers::In(Numbers::one_of(numbers.into_iter())),
            },
            text: ask.clone(),
            long_text: ask,
            ..Self::nothing()
        }
    }

    pub(super) fn of_presence(there: bool) -> Self {
        let present = Truth::of(there);
        Self {
            absent: Truth::of(!there),
            blocked: Truth::Unknown,
            null: present,
            object: present,
            yes: present,
            no: present,
            number: OfNumbers::Always(present),
            text: OfTexts::Always(present),
            long_text: OfTexts::Always(present),
            array: OfArrays::Always(present),
        }
    }

    /// `FACT how VALUE`; of `!=` the opposite is given, see [`negates`].
    pub(super) fn of_comparison(how: Comparison, value: &Scalar) -> Self {
        let number = Num::of_scalar(value);
        let span = |low, high| Self {
            number: OfNumbers::In(Numbers::of_cuts(low, high)),
            ..Self::nothing()
        };
        match (how, number) {
            (Comparison::Equal | Comparison::NotEqual, _) => {
                Self::of_scalars(std::slice::from_ref(value))
            }
            (Comparison::Less, Some(n)) => span(Cut::Lowest, Cut::Before(n)),
            (Comparison::AtMost, Some(n)) => span(Cut::Lowest, Cut::After(n)),
            (Comparison::Greater, Some(n)) => span(Cut::After(n), Cut::Highest),
            (Comparison::AtLeast, Some(n)) => span(Cut::Before(n), Cut::Highest),
            (Comparison::Contains, _) => Self {
                array: OfArrays::Any(Rc::new(Self::of_element(value))),
                ..Self::of_part(AskKind::Contains, value)
            },
            (Comparison::StartsWith, _) => Self::of_part(AskKind::Prefix, value),
            (Comparison::EndsWith, _) => Self::of_part(AskKind::Suffix, value),
            (
                Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast,
                None,
            ) => Self::nothing(),
        }
    }

    /// An element that equals a value.
    fn of_element(value: &Scalar) -> Self {
        Self::of_scalars(std::slice::from_ref(value))
    }

    fn of_part(kind: fn(String) -> AskKind, value: &Scalar) -> Self {
        match value.as_text() {
            Some(text) if text.len() <= MAX_SEARCHED_BYTES => {
                Self::of_search(Ask::new(kind(text.to_owned())))
            }
            Some(_) | None => Self::nothing(),
        }
    }

    /// `VALUE how FACT`; none where that is no set that this module knows.
    pub(super) fn of_flipped(value: &Scalar, how: Comparison) -> Option<Self> {
        Some(match how {
            Comparison::Less => Self::of_comparison(Comparison::Greater, value),
            Comparison::AtMost => Self::of_comparison(Comparison::AtLeast, value),
            Comparison::Greater => Self::of_comparison(Comparison::Less, value),
            Comparison::AtLeast => Self::of_comparison(Comparison::AtMost, value),
            Comparison::Equal | Comparison::NotEqual => Self::of_comparison(how, value),
            Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => {
                return None;
            }
        })
    }

    // ---- what a profile asks ----------------------------------------------------------------

    /// Absent, or exactly this text.
    pub(super) fn of_absent_or(text: &str) -> Self {
        Self {
            absent: Truth::True,
            ..Self::of_scalars(&[Scalar::Text(text.to_owned())])
        }
    }

    /// Exactly this text.
    pub(super) fn of_text(text: &str) -> Self {
        Self::of_scalars(&[Scalar::Text(text.to_owned())])
    }

    /// Any text.
    pub(super) fn of_any_text() -> Self {
        Self {
            text: OfTexts::Always(Truth::True),
            long_text: OfTexts::Always(Truth::True),
            ..Self::nothing()
        }
    }

    /// Absent, or a number up to this.
    pub(super) fn of_absent_or_at_most(most: u64) -> Self {
        let most = Num::Int(i128::from(most));
        Self {
            absent: Truth::True,
            blocked: Truth::True,
            number: OfNumbers::In(Numbers::between(None, Some(most))),
            ..Self::nothing()
        }
    }

    /// Absent, or text of at most so many bytes.
    pub(super) fn of_absent_or_short(most_bytes: u64) -> Self {
        let ask = OfTexts::Ask(Ask::new(AskKind::AtMostBytes(most_bytes)));
        Self {
            absent: Truth::True,
            text: ask.clone(),
            long_text: ask,
            ..Self::nothing()
        }
    }

    /// Before a moment: the fact is the time in microseconds.
    pub(super) fn of_before(moment_us: u64) -> Self {
        let moment = Num::Int(i128::from(moment_us));
        Self {
            number: OfNumbers::In(Numbers::of_cuts(Cut::Lowest, Cut::Before(moment))),
            ..Self::nothing()
        }
    }

    /// The truth for one fact.
    pub(super) fn truth(&self, fact: Fact<'_>) -> Truth {
        match fact {
            Fact::Absent => self.absent,
            Fact::Blocked => self.blocked,
            Fact::Bool(true) => self.yes,
            Fact::Bool(false) => self.no,
            Fact::Number(number) => match &self.number {
                OfNumbers::Always(truth) => *truth,
                OfNumbers::In(numbers) => Truth::of(numbers.contains(number)),
            },
            Fact::Text(text) if text.len() > MAX_SEARCHED_BYTES => self.long_text.truth(text),
            Fact::Text(text) => self.text.truth(text),
            Fact::Other(Value::Array(items)) => self.array.truth(items),
            Fact::Other(Value::Object(_)) => self.object,
            Fact::Other(_) => self.null,
        }
    }
}

impl Meaning {
    /// The kinds of fact of which it holds for some.
    pub(super) fn kinds_known_to_hold(&self) -> Kinds {
        let of_numbers = !matches!(
            self.number,
            OfNumbers::Always(Truth::False | Truth::Unknown)
        );
        let holds =
            |texts: &OfTexts| !matches!(texts, OfTexts::Always(Truth::False | Truth::Unknown));
        let of_arrays = !matches!(self.array, OfArrays::Always(Truth::False | Truth::Unknown));
        [
            (Kinds::ABSENT, self.absent == Truth::True),
            (Kinds::BLOCKED, self.blocked == Truth::True),
            (Kinds::NULL, self.null == Truth::True),
            (Kinds::OBJECT, self.object == Truth::True),
            (Kinds::YES, self.yes == Truth::True),
            (Kinds::NO, self.no == Truth::True),
            (Kinds::NUMBER, of_numbers),
            (Kinds::TEXT, holds(&self.text)),
            (Kinds::LONG_TEXT, holds(&self.long_text)),
            (Kinds::ARRAY, of_arrays),
        ]
        .into_iter()
        .filter(|(_, holds)| *holds)
        .fold(Kinds::NONE, |kinds, (kind, _)| kinds.or(kind))
    }
}

impl OfTexts {
    fn truth(&self, text: &str) -> Truth {
        match self {
            Self::Always(truth) => *truth,
            Self::Ask(ask) => Truth::of(ask.holds(text)),
            Self::Between(certain, _) if certain.holds(text) => Truth::True,
            Self::Between(_, possible) if possible.holds(text) => Truth::Unknown,
            Self::Between(_, _) => Truth::False,
        }
    }
}

impl OfArrays {
    fn truth(&self, items: &[Value]) -> Truth {
        let each = |meaning: &Meaning, item| meaning.truth(Fact::of_value(item));
        match self {
            Self::Always(truth) => *truth,
            Self::Any(inner) => {
                Truth::all(items.iter().map(|item| each(inner, item).negate())).negate()
            }
            Self::All(inner) => Truth::all(items.iter().map(|item| each(inner, item))),
        }
    }
}

/// What a long option may be cut to, shorter than `end` bytes.
fn long_beginnings(text: &str, end: usize) -> impl Iterator<Item = String> {
    let ends = (3..end.min(text.len().saturating_add(1))).filter_map(|end| text.get(..end));
    let long = ends.filter(|beginning| beginning.starts_with("--"));
    long.map(str::to_owned)
}

/// Every long option: two dashes and something after them.
fn long_flags() -> Rc<Ask> {
    let dashes = || AskKind::Prefix("--".to_owned());
    let long = Regex::new(r"(?s)\A--.").map_or_else(|_| dashes(), AskKind::Regex);
    Ask::new(long)
}

/// Whether a comparison is the negation of what [`Meaning::of_comparison`] gives for it.
pub(super) fn negates(how: Comparison) -> bool {
    how == Comparison::NotEqual
}
