//! What is taken out of a call's output before anybody sees it, as rules oblige.
//!
//! The output is untrusted: patterns run in linear time over at most the bytes that a profile lets
//! a call write. Cannot fail; a text without a find comes back as it was.

use std::borrow::Cow;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};

use crate::texts::secrets::{find_secrets, redact};

/// What to take out.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    pub(crate) secrets: bool,
    pub(crate) patterns: Vec<Arc<Pattern>>,
}

/// A regular expression, equal to another by its text.
#[derive(Debug)]
pub(crate) struct Pattern(pub(crate) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl PartialEq for Redaction {
    fn eq(&self, other: &Self) -> bool {
        self.secrets == other.secrets && self.patterns == other.patterns
    }
}

impl Eq for Redaction {}

/// What stands in the place of a find.
const MARK: &str = "[redacted]";

impl Redaction {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        secrets: false,
        patterns: Vec::new(),
    };

    /// Whether nothing is taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.secrets && self.patterns.is_empty()
    }

    /// Both.
    pub(crate) fn join(&mut self, other: &Self) {
        self.secrets |= other.secrets;
        for pattern in &other.patterns {
            if !self.patterns.contains(pattern) {
                self.patterns.push(Arc::clone(pattern));
            }
        }
    }

    /// The text without what is to be taken out, and how many places that were.
    ///
    /// A stream is given whole: a secret that is cut in two is two halves of a secret.
    #[must_use]
    pub fn apply<'t>(&self, text: &'t str) -> (Cow<'t, str>, usize) {
        let mut text = Cow::Borrowed(text);
        let mut places = 0;
        if self.secrets {
            let found = find_secrets(&text);
            if !found.found.is_empty() || !found.complete {
                places += found.found.len().max(1);
                text = Cow::Owned(redact(&text, &found));
            }
        }
        for pattern in &self.patterns {
            let found = pattern.0.find_iter(&text).filter(|m| !m.is_empty()).count();
            if found > 0 {
                places += found;
                text = Cow::Owned(pattern.0.replace_all(&text, MARK).into_owned());
            }
        }
        (text, places)
    }

    pub(crate) fn meaning(&self) -> Value {
        let patterns: Vec<&str> = self.patterns.iter().map(|p| p.0.as_str()).collect();
        json!({"secrets": self.secrets, "patterns": patterns})
    }
}
