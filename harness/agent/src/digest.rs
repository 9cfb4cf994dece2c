//! Digests that are the same in each build, on each machine, for ever.
//!
//! JSON is brought into one form first: keys sorted, no white space. What is digested
//! begins with the name of what it is, so that no two kinds can meet.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a digest has 64 hexadecimal digits"))
    }
}

impl Digest {
    /// Of a text, as a thing of the kind `kind`.
    #[must_use]
    pub fn of_text(kind: &str, text: &str) -> Self {
        Self::of_parts(kind, [text.as_bytes()])
    }

    /// Of several parts, each with its length before it.
    #[must_use]
    pub fn of_parts<'a>(kind: &'a str, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in std::iter::once(kind.as_bytes()).chain(parts) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Of JSON, whatever the order of its keys.
    #[must_use]
    pub fn of_json(kind: &str, value: &Value) -> Self {
        Self::of_text(kind, &canonical(value))
    }

    /// The digest that a text writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64
            || !text
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Its first eight bytes as a number.
    #[must_use]
    pub fn word(&self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    }
}

/// JSON in one form: keys sorted by their bytes, no white space.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, to: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|&(key, _)| key);
            write_all(to, '{', '}', keys, |(key, value), to| {
                to.push_str(&Value::from(key.as_str()).to_string());
                to.push(':');
                write_canonical(value, to);
            });
        }
        Value::Array(list) => write_all(to, '[', ']', list, write_canonical),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            to.push_str(&value.to_string());
        }
    }
}

fn write_all<T>(
    to: &mut String,
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    to.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            to.push(',');
        }
        write(item, to);
    }
    to.push(close);
}

/// A number that is the same for the same seed and position, and looks like chance
/// (`SplitMix64`, Steele and others 2014).
#[must_use]
pub const fn mix(seed: u64, position: u64) -> u64 {
    let mut word = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_that_of_items_does() {
        let one = Digest::of_json("x", &json!({"b": [1, 2], "a": {"d": null, "c": "\u{1}"}}));
        let same: Value =
            serde_json::from_str(r#"{"a":{"c":"\u0001","d":null},"b":[1,2]}"#).unwrap();
        assert_eq!(one, Digest::of_json("x", &same));
        assert_ne!(one, Digest::of_json("x", &json!({"b": [2, 1]})));
        assert_ne!(one, Digest::of_json("y", &same), "kinds never meet");
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let digest = |parts: [&str; 2]| Digest::of_parts("x", parts.map(str::as_bytes));
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }

    #[test]
    fn a_digest_is_the_same_for_ever() {
        let text = Digest::of_text("system_prompt", "be brief");
        assert_eq!(Digest::parse(&text.to_string()), Some(text));
        assert_eq!(Digest::parse("00"), None);
        assert_eq!(
            mix(1, 0),
            0x910a_2dec_8902_5cc1,
            "from the paper's own generator"
        );
    }
}
