//! Forms of a text: the same text with its disguises taken off.
//!
//! A condition may be about a form instead of the text itself, so that full-width letters or
//! look-alikes of other scripts do not lead past it. Linear in the text; cannot fail.

use std::borrow::Cow;

use crate::texts::unicode::{nfkc, skeleton};

/// A form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Compatibility composition: full-width, circled and styled letters are plain ones.
    Nfkc,
    /// What it looks like, by UTS 39: equal for two texts that look the same.
    Skeleton,
}

impl Form {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nfkc => "nfkc",
            Self::Skeleton => "skeleton",
        }
    }

    pub(crate) fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Nfkc => nfkc(text),
            Self::Skeleton => Cow::Owned(skeleton(text)),
        }
    }
}
