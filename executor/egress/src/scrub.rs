//! Finding texts in a stream, however its bytes are cut into pieces.
//!
//! A [`Detector`] says whether a placeholder went by; a [`Scrubber`] replaces secrets by their
//! placeholders, in the encodings in which servers give back what they were sent. Neither holds
//! more than the longest text that it looks for. A server that wants to tell a secret can always
//! encode it otherwise: it was given the secret, and is trusted with it.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use zeroize::{Zeroize as _, Zeroizing};

/// Looks for placeholders.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    finder: AhoCorasick,
    longest: usize,
    tail: BytesMut,
}

impl Detector {
    pub(crate) fn new(finder: AhoCorasick, longest: usize) -> Self {
        Self {
            finder,
            longest,
            tail: BytesMut::new(),
        }
    }

    /// Whether one ends in these bytes.
    pub(crate) fn finds(&mut self, bytes: &[u8]) -> bool {
        self.tail.extend_from_slice(bytes);
        let found = self.finder.is_match(&self.tail);
        let keep = self.longest.saturating_sub(1).min(self.tail.len());
        drop(self.tail.split_to(self.tail.len() - keep));
        found
    }
}

/// Replaces texts in a stream.
pub(crate) struct Scrubber {
    finder: AhoCorasick,
    replacements: Vec<String>,
    longest: usize,
    held: BytesMut,
}

impl Scrubber {
    /// Replaces the first of each pair by the second. None when there is too much to look for.
    pub(crate) fn new(pairs: Vec<(Zeroizing<Vec<u8>>, String)>) -> Option<Self> {
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(pairs.iter().map(|(text, _)| text.as_slice()))
            .ok()?;
        Some(Self {
            longest: pairs.iter().map(|(text, _)| text.len()).max()?,
            replacements: pairs.into_iter().map(|(_, by)| by).collect(),
            finder,
            held: BytesMut::new(),
        })
    }

    /// What can be handed on, now that these bytes are there.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Bytes {
        self.held.extend_from_slice(bytes);
        let safe = self.held.len().saturating_sub(self.longest - 1);
        self.release(safe)
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.release(self.held.len())
    }

    /// One text by itself.
    pub(crate) fn whole(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = BytesMut::from(self.feed(bytes).as_ref());
        out.extend_from_slice(&self.finish());
        out.freeze()
    }

    /// Hands on what begins before `safe`: a text that begins there is there as a whole.
    fn release(&mut self, safe: usize) -> Bytes {
        let mut out = BytesMut::with_capacity(safe);
        let mut from = 0;
        for found in self.finder.find_iter(&self.held) {
            if found.start() >= safe {
                break;
            }
            out.extend_from_slice(self.held.get(from..found.start()).unwrap_or_default());
            let by = self.replacements.get(found.pattern().as_usize());
            out.extend_from_slice(by.map_or(b"", |by| by.as_bytes()));
            from = found.end();
        }
        let end = safe.max(from);
        out.extend_from_slice(self.held.get(from..end).unwrap_or_default());
        drop(self.held.split_to(end));
        out.freeze()
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        self.held.as_mut().zeroize();
    }
}

/// A secret as it is, and as it stands in JSON, URLs, hexadecimal and base64 texts.
pub(crate) fn variants(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let percent: String = value.iter().map(|b| percent(*b)).collect();
    let lower: String = value.iter().map(|b| format!("{b:02x}")).collect();
    let mut texts = vec![
        value.to_vec(),
        value.iter().rev().copied().collect(),
        json(value),
        percent.to_ascii_lowercase().into_bytes(),
        percent.into_bytes(),
        lower.to_ascii_uppercase().into_bytes(),
        lower.into_bytes(),
    ];
    for shift in 0..3 {
        texts.extend(in_base64(value, shift));
    }
    texts.sort_unstable();
    texts.dedup();
    texts.into_iter().map(Zeroizing::new).collect()
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

fn json(value: &[u8]) -> Vec<u8> {
    let escape = |b: &u8| match b {
        b'"' | b'\\' => vec![b'\\', *b],
        b'/' => b"\\/".to_vec(),
        _ => vec![*b],
    };
    value.iter().flat_map(escape).collect()
}

/// The characters of a base64 text that the value alone decides, when so many bytes stand before
/// it in its group of three.
fn in_base64(value: &[u8], shift: usize) -> [Vec<u8>; 2] {
    let shifted = Zeroizing::new([vec![0; shift], value.to_vec()].concat());
    let first = (shift * 8).div_ceil(6);
    let last = shifted.len() * 8 / 6;
    let cut = |text: String| {
        let text = Zeroizing::new(text);
        text.as_bytes()
            .get(first..last)
            .unwrap_or_default()
            .to_vec()
    };
    [
        cut(BASE64_STANDARD_NO_PAD.encode(&*shifted)),
        cut(BASE64_URL_SAFE_NO_PAD.encode(&*shifted)),
    ]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const VALUE: &[u8] = b"sk-live/4711+abcdef";

    fn scrubber() -> Scrubber {
        let pairs = variants(VALUE).into_iter();
        Scrubber::new(pairs.map(|text| (text, "<gone>".to_owned())).collect()).unwrap()
    }

    #[test]
    fn a_secret_is_replaced_however_it_is_cut() {
        let text = [b"before ", VALUE, VALUE, b" after ", VALUE].concat();
        for step in 1..text.len() {
            let mut scrubber = scrubber();
            let mut out = Vec::new();
            for piece in text.chunks(step) {
                out.extend_from_slice(&scrubber.feed(piece));
            }
            out.extend_from_slice(&scrubber.finish());
            assert_eq!(out, b"before <gone><gone> after <gone>", "{step}");
        }
    }

    #[test]
    fn a_secret_is_found_in_the_usual_encodings() {
        for before in ["", "a", "ab", "user:"] {
            let text = [before.as_bytes(), VALUE, b":rest"].concat();
            for encoded in [
                BASE64_STANDARD_NO_PAD.encode(&text),
                BASE64_URL_SAFE_NO_PAD.encode(&text),
            ] {
                let out = scrubber().whole(encoded.as_bytes());
                assert!(out.windows(6).any(|w| w == b"<gone>"), "{before}");
            }
        }
        for text in [
            "sk-live%2F4711%2Babcdef",
            "sk-live%2f4711%2babcdef",
            "sk-live\\/4711+abcdef",
        ] {
            assert_eq!(scrubber().whole(text.as_bytes()), "<gone>");
        }
    }

    #[test]
    fn what_holds_no_secret_stays() {
        let mut scrubber = scrubber();
        let mut out = scrubber.feed(b"sk-live/4711+abcde").to_vec();
        out.extend_from_slice(&scrubber.feed(b"X"));
        out.extend_from_slice(&scrubber.finish());
        assert_eq!(out, b"sk-live/4711+abcdeX");
    }

    #[test]
    fn a_placeholder_is_seen_in_split_writes() {
        let finder = AhoCorasick::new(["placeholder"]).unwrap();
        let mut detector = Detector::new(finder, 11);
        assert!(!detector.finds(b"place"));
        assert!(!detector.finds(b"holde"));
        assert!(detector.finds(b"r"));
    }
}
