//! Secrets in texts: keys, tokens, passwords, and what is left of a text without them.
//!
//! The rules are those of gitleaks (see `policy/data/README.md`) and a few of our own. One pass
//! looks for all rules' keywords; only a rule whose keyword is there is compiled and run, and only
//! around the keyword. Nothing is compiled before the first text is searched; [`warm`] does that
//! for whoever wants no slow first call.
//!
//! Found is a place and a kind, never the secret itself. When the search gives up
//! ([`Secrets::complete`] is false), [`redact`] keeps nothing of the text.

use std::ops::Range;

mod own;
mod rules;

use rules::{Detector, Hit, Rules};

/// How many bytes are given to regular expressions for one text, beyond eight times its length:
/// a text that consists of keywords then takes some milliseconds.
pub const MAX_SEARCHED_BYTES: usize = 512 * 1024;

/// How many secrets are looked at in one text; with more the search is not complete.
pub const MAX_SECRETS: usize = 1024;

/// How far before its keyword a rule's match may begin; the longest that the rules allow for is
/// 50 characters and the keyword's own word.
const BEFORE_KEYWORD: usize = 128;

/// How far behind its keyword a rule's match is looked for, and on to the end of the word there.
const BEHIND_KEYWORD: usize = 1024;

/// A secret's place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The rule's name: `aws-access-token`, `private-key`, …
    pub kind: &'static str,
    /// Its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

/// What [`find_secrets`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// In the text's order. They do not overlap: of several for one place the first and longest
    /// is kept.
    pub found: Vec<Secret>,
    /// The whole text was searched for every rule.
    pub complete: bool,
}

/// Finds the secrets in `text`.
pub fn find_secrets(text: &str) -> Secrets {
    let rules = Rules::get();
    let mut search = Search {
        text,
        found: Vec::new(),
        left: MAX_SEARCHED_BYTES.saturating_add(text.len().saturating_mul(8)),
        complete: rules.is_whole(),
    };
    own::private_keys(text, &mut search.found);
    let (hits, all) = rules.hits(text);
    search.complete &= all;
    for (detector, hits) in hits {
        search.run(detector, &hits);
    }
    Secrets {
        complete: search.complete,
        found: apart(search.found, text),
    }
}

/// Compiles every rule now, which takes some tens of milliseconds, and not when its keyword is
/// first met.
pub fn warm() {
    Rules::get().compile_all();
}

struct Search<'a> {
    text: &'a str,
    found: Vec<Secret>,
    /// Bytes that may still be given to regular expressions.
    left: usize,
    complete: bool,
}

impl Search<'_> {
    /// Runs a rule around each of its keywords, once for those that are near to each other.
    fn run(&mut self, detector: &'static Detector, hits: &[Hit]) {
        let mut hits = hits.iter().peekable();
        while let Some(hit) = hits.next() {
            let start = hit.start.saturating_sub(BEFORE_KEYWORD);
            let mut end = self.end_of_window(hit.end);
            while let Some(next) =
                hits.next_if(|next| next.start.saturating_sub(BEFORE_KEYWORD) <= end)
            {
                // Only what is new is looked through, so that all of this is one pass.
                if next.end.saturating_add(BEHIND_KEYWORD) > end {
                    end = self.end_of_window(next.end);
                }
            }
            self.search(detector, start..end);
        }
    }

    fn end_of_window(&self, from: usize) -> usize {
        let near = self.text.len().min(from.saturating_add(BEHIND_KEYWORD));
        self.end_of_word(near)
    }

    fn end_of_word(&self, from: usize) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_of_word(**byte)).count()
    }

    fn search(&mut self, detector: &'static Detector, window: Range<usize>) {
        let length = window.end.saturating_sub(window.start);
        if length > self.left {
            self.complete = false;
            return;
        }
        self.left -= length;
        let Some(regex) = detector.regex() else {
            self.complete = false;
            return;
        };
        let Some(bytes) = self.text.as_bytes().get(..window.end) else {
            return;
        };
        let mut at = window.start;
        while let Some(place) = detector.find_at(regex, bytes, at) {
            at = place.whole.end.max(at + 1);
            if detector.is_secret(bytes.get(place.secret.clone()).unwrap_or_default()) {
                self.found.push(Secret {
                    kind: detector.kind(),
                    start: place.secret.start,
                    end: place.secret.end,
                });
            }
            if self.found.len() >= MAX_SECRETS {
                self.complete = false;
                return;
            }
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-.~%".contains(&byte) || !byte.is_ascii()
}

/// The secrets in order, on whole characters, without those inside of others.
fn apart(mut found: Vec<Secret>, text: &str) -> Vec<Secret> {
    found.sort_by_key(|secret| (secret.start, std::cmp::Reverse(secret.end)));
    let mut apart: Vec<Secret> = Vec::with_capacity(found.len());
    for mut secret in found {
        secret.start = text.floor_char_boundary(secret.start);
        secret.end = text.ceil_char_boundary(secret.end);
        match apart.last_mut() {
            Some(last) if secret.start < last.end => last.end = last.end.max(secret.end),
            _ => apart.push(secret),
        }
    }
    apart
}

/// The text with `[redacted KIND]` in place of each secret. If the search was not complete, all of
/// the text is replaced: what was not searched may be a secret.
///
/// `secrets` must be those of this text.
pub fn redact(text: &str, secrets: &Secrets) -> String {
    if !secrets.complete {
        return "[redacted unsearched]".to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for secret in &secrets.found {
        kept.push_str(text.get(at..secret.start).unwrap_or_default());
        kept.push_str("[redacted ");
        kept.push_str(secret.kind);
        kept.push(']');
        at = secret.end;
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    kept
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail by panicking"
)]
mod tests;
