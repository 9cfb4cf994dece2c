//! What an expression may stand for, as far as that can be read off the text, and what each name
//! of the program may stand for.
//!
//! Names are followed without regard to scopes and order: a name that is bound twice stands for
//! both. That is a superset; more than [`MAX_MEANINGS`] are not followed, which is a fact.

use std::collections::HashMap;

use super::budget::{MAX_LITERAL_BYTES, MAX_MEANINGS, MAX_NAME_BYTES};

/// One thing that an expression may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A dotted name that starts at a module or a built-in name.
    Dotted(String),
    /// A text.
    Text(String),
    /// A list of texts, in order.
    List(Vec<String>),
    /// Something else.
    Unknown,
}

impl Value {
    /// A member of this value.
    pub(super) fn member(&self, name: &str) -> Self {
        match self {
            Self::Dotted(base) if base.len() + name.len() < MAX_NAME_BYTES => {
                Self::Dotted(format!("{base}.{name}"))
            }
            Self::Dotted(_) | Self::Text(_) | Self::List(_) | Self::Unknown => Self::Unknown,
        }
    }

    /// What a call of this value gives.
    pub(super) fn result(&self) -> Self {
        match self {
            Self::Dotted(base) if base.len() + 2 < MAX_NAME_BYTES => {
                Self::Dotted(format!("{base}()"))
            }
            Self::Dotted(_) | Self::Text(_) | Self::List(_) | Self::Unknown => Self::Unknown,
        }
    }

    /// Two texts or lists after each other.
    pub(super) fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) if a.len() + b.len() <= MAX_LITERAL_BYTES => {
                Self::Text(format!("{a}{b}"))
            }
            _ => Self::Unknown,
        }
    }
}

/// All that an expression may stand for; never empty.
pub(super) type Values = Vec<Value>;

/// Adds a meaning; false if there is no room for it.
pub(super) fn add(values: &mut Values, value: Value) -> bool {
    if values.contains(&value) {
        return true;
    }
    if values.len() >= MAX_MEANINGS {
        return false;
    }
    values.push(value);
    true
}

/// The one text that all of this must be.
pub(super) fn text(values: &[Value]) -> Option<&str> {
    match values {
        [Value::Text(text)] => Some(text),
        _ => None,
    }
}

/// What the names of a program may stand for.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    bound: HashMap<&'a str, Values>,
    /// Modules all of whose names are taken over.
    pub(super) stars: Vec<String>,
    /// Names with more meanings than are followed.
    pub(super) crowded: Vec<&'a str>,
    changed: bool,
}

impl<'a> Names<'a> {
    /// Binds a name to one more meaning.
    pub(super) fn bind(&mut self, name: &'a str, value: Value) {
        let values = self.bound.entry(name).or_default();
        let before = values.len();
        if !add(values, value) && !self.crowded.contains(&name) {
            self.crowded.push(name);
        }
        self.changed |= values.len() != before;
    }

    /// Whether anything was bound since the last question.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether the program binds the name.
    pub(super) fn is_bound(&self, name: &str) -> bool {
        self.bound.contains_key(name)
    }

    /// What a name may stand for. A name that is bound nowhere is a built-in one, or comes from a
    /// module all of whose names were taken over.
    pub(super) fn values(&self, name: &str) -> Values {
        if let Some(values) = self.bound.get(name) {
            return values.clone();
        }
        let mut values = vec![Value::Dotted(name.to_owned())];
        for module in self.stars.iter().take(MAX_MEANINGS) {
            values.push(Value::Dotted(module.clone()).member(name));
        }
        values
    }
}
