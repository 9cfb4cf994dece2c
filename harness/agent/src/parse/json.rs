//! JSON from models: when it is complete, where it is in a text, and reading it so
//! that it has one meaning.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Levels of nesting: more than any tool's arguments have, and few enough for a stack.
const MAX_DEPTH: usize = 64;

/// Starts that are tried when JSON is looked for in a text; a text with more brackets
/// than these is no answer in JSON.
const MAX_STARTS: usize = 32;

/// Follows an object or list and says where it ends. A text that does not begin with a
/// bracket never does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    depth: usize,
    in_string: bool,
    escaped: bool,
    begun: bool,
    seen: usize,
    end: Option<usize>,
    hopeless: bool,
}

impl Completeness {
    /// More text.
    pub fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.end.is_some() || self.hopeless {
                return;
            }
            self.seen += 1;
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'{' | b'[' => {
                self.begun = true;
                self.depth += 1;
            }
            b'}' | b']' if self.begun => {
                self.depth -= 1;
                self.end = (self.depth == 0).then_some(self.seen);
            }
            b'"' if self.begun => self.in_string = true,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ if self.begun => {}
            _ => self.hopeless = true,
        }
    }

    /// Bytes up to its end, once that has come.
    #[must_use]
    pub const fn end(&self) -> Option<usize> {
        self.end
    }

    /// True when it can be no object and no list.
    #[must_use]
    pub const fn is_hopeless(&self) -> bool {
        self.hopeless
    }
}

/// The first object or list in a text: the text itself, or a part of it.
#[must_use]
pub fn extract(text: &str) -> Option<Value> {
    if let Ok(value) = strict(text.trim())
        && (value.is_object() || value.is_array())
    {
        return Some(value);
    }
    let mut rest = text;
    for _ in 0..MAX_STARTS {
        let start = rest.find(['{', '['])?;
        let from = rest.get(start..)?;
        let mut scan = Completeness::default();
        scan.push(from);
        let found = scan.end().and_then(|end| from.get(..end));
        if let Some(value) = found.and_then(|part| strict(part).ok()) {
            return Some(value);
        }
        rest = from.get(1..)?;
    }
    None
}

/// Why a text is not JSON with one meaning.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StrictError(serde_json::Error);

/// Read JSON in which no key stands twice and nothing is nested too deep.
///
/// # Errors
/// When it is not that. The message says where.
pub fn strict(text: &str) -> Result<Value, StrictError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .map_err(StrictError)?;
    reader.end().map_err(StrictError)?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(format!(
                "nested deeper than {MAX_DEPTH} levels"
            )));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = Self {
            depth: self.depth + 1,
        };
        let mut all = Vec::new();
        while let Some(item) = list.next_element_seed(inner)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = Self {
            depth: self.depth + 1,
        };
        let mut all = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if all.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_end_is_where_the_first_bracket_closes() {
        let end = |text: &str| {
            let mut scan = Completeness::default();
            scan.push(text);
            scan.end()
        };
        assert_eq!(end(r#" {"a":"}\"]"} tail"#), Some(13));
        assert_eq!(end("[[1],[2]]"), Some(9));
        assert_eq!(end("{"), None);
        assert_eq!(end("text {}"), None);
        assert_eq!(end(r#""{}""#), None);
    }

    #[test]
    fn json_is_found_in_prose_and_fences() {
        assert_eq!(
            extract("Sure:\n```json\n{\"a\": 1}\n```\nDone."),
            Some(json!({"a": 1}))
        );
        assert_eq!(extract("set {x} is [1, 2]"), Some(json!([1, 2])));
        assert_eq!(extract("nothing"), None);
        assert_eq!(extract(&"{".repeat(100_000)), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let error = strict(r#"{"a":{"b":1,"b":2}}"#).unwrap_err().to_string();
        assert!(error.starts_with("the key `b` stands twice"), "{error}");
        assert!(strict(&"[".repeat(100)).is_err());
        assert!(strict("{} {}").is_err());
    }

    proptest! {
        #[test]
        fn json_is_complete_at_its_last_byte_however_it_is_cut(
            list in proptest::collection::vec("[\\PC\"\\\\{}\\[\\]]{0,8}", 0..6),
            cut in 0_usize..40,
        ) {
            let text = serde_json::to_string(&json!({"list": list})).unwrap();
            let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let mut scan = Completeness::default();
            scan.push(&text[..cut]);
            prop_assert!(cut == text.len() || scan.end().is_none());
            scan.push(&text[cut..]);
            prop_assert_eq!(scan.end(), Some(text.len()));
            prop_assert_eq!(strict(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
