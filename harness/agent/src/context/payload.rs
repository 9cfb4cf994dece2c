//! Long texts, kept once each, under their digest.
//!
//! A store is handed in by whoever has one. What comes out is checked: a text whose
//! digest is another one is no text.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;

/// Why there is no text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PayloadError {
    /// Nobody put it there.
    #[error("the text `{0}` is not in the store; restore it from a backup")]
    Missing(String),
    /// It is another text.
    #[error("the text `{0}` was changed in the store; restore it from a backup")]
    Changed(String),
    /// The store does not work.
    #[error("the store does not answer: {0}")]
    Store(String),
}

/// A place for texts.
pub trait Payloads {
    /// Keep a text. Keeping it again changes nothing.
    ///
    /// # Errors
    /// When the store does not work.
    fn put(&mut self, digest: &Digest, text: &Arc<str>) -> Result<(), PayloadError>;

    /// A text, as it was put, not checked.
    ///
    /// # Errors
    /// When the store does not work or has none of that digest.
    fn get(&self, digest: &Digest) -> Result<Arc<str>, PayloadError>;

    /// Keep a text under its digest.
    ///
    /// # Errors
    /// When the store does not work.
    fn keep(&mut self, text: &Arc<str>) -> Result<Digest, PayloadError> {
        let digest = Digest::of_text("payload", text);
        self.put(&digest, text)?;
        Ok(digest)
    }

    /// A text, checked.
    ///
    /// # Errors
    /// When it is not there, or is another one.
    fn resolve(&self, digest: &Digest) -> Result<Arc<str>, PayloadError> {
        let text = self.get(digest)?;
        match Digest::of_text("payload", &text) == *digest {
            true => Ok(text),
            false => Err(PayloadError::Changed(digest.to_string())),
        }
    }
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryPayloads(BTreeMap<Digest, Arc<str>>);

impl MemoryPayloads {
    /// Texts in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Payloads for MemoryPayloads {
    fn put(&mut self, digest: &Digest, text: &Arc<str>) -> Result<(), PayloadError> {
        self.0.entry(*digest).or_insert_with(|| Arc::clone(text));
        Ok(())
    }

    fn get(&self, digest: &Digest) -> Result<Arc<str>, PayloadError> {
        let missing = || PayloadError::Missing(digest.to_string());
        self.0.get(digest).cloned().ok_or_else(missing)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_checked() {
        let mut store = MemoryPayloads::default();
        let text: Arc<str> = Arc::from("long");
        let digest = store.keep(&text).unwrap();
        assert_eq!(store.keep(&Arc::from("long")).unwrap(), digest);
        assert_eq!((store.len(), store.resolve(&digest).unwrap()), (1, text));
        let other = Digest::of_text("payload", "other");
        assert!(matches!(
            store.resolve(&other),
            Err(PayloadError::Missing(_))
        ));
        store.put(&other, &Arc::from("changed")).unwrap();
        assert!(matches!(
            store.resolve(&other),
            Err(PayloadError::Changed(_))
        ));
    }
}
