//! A tool call as it is judged: read strictly, kept in one canonical form.
//!
//! What goes on to an executor is this value, never the bytes that came in. Never judges
//! anything. Fails with [`CallError`], which names the key and what belongs there.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::json::{self, JsonError, JsonFault};
use crate::text::quote;

/// Who calls when nobody said: no rule should give this name more than it gives to anybody.
pub const ANONYMOUS: &str = "anonymous";

/// The longest tool name, as MCP has it.
pub const MAX_TOOL_BYTES: usize = 128;

/// Principals and sessions are names, written into every ledger row.
pub const MAX_NAME_BYTES: usize = 256;

/// The identity of one call: the 16 bytes of a UUID, handed in by the caller because this crate
/// has no clock and no randomness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId([u8; 16]);

/// One tool call: tool, arguments, who asks, in which session. Always canonical.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    tool: String,
    arguments: Value,
    canonical_arguments: Vec<u8>,
    principal: String,
    session: Option<String>,
}

/// Why something is not a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// Not JSON as this crate reads it.
    #[error("the call is not JSON that can be judged: {0}")]
    Json(#[from] JsonError),
    /// Arguments that were not read by [`json::parse`] and are too deep or too many.
    #[error("`arguments` cannot be judged: {0}")]
    Bounds(#[from] JsonFault),
    /// Not an object.
    #[error("a tool call is an object; write {{\"tool\": …, \"arguments\": {{…}}}}")]
    NotAnObject,
    /// A key that a call does not have.
    #[error("unknown key {}; a tool call has `tool`, `arguments`, `principal`, `session`", quote(.0))]
    UnknownKey(String),
    /// A key that a call must have.
    #[error("`{0}` is missing; add it")]
    Missing(&'static str),
    /// A value of another type than the key has.
    #[error("`{key}` must be {wanted}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A tool name outside `[A-Za-z0-9_.-]{1,128}`.
    #[error("{} is not a tool name; use 1 to 128 of A-Z a-z 0-9 _ . -", quote(.0))]
    ToolName(String),
    /// A principal or session that is empty, too long or holds control characters.
    #[error(
        "`{key}` {} must have 1 to {MAX_NAME_BYTES} bytes and no control characters",
        quote(found)
    )]
    Name {
        /// `principal` or `session`.
        key: &'static str,
        /// What was given.
        found: String,
    },
}

/// A text that is not a call id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a call id; write it as 8-4-4-4-12 hexadecimal digits", quote(.0))]
pub struct CallIdError(String);

impl ToolCall {
    /// Reads a call from JSON: `{"tool", "arguments", "principal"?, "session"?}`. Without a
    /// principal it is [`ANONYMOUS`].
    ///
    /// # Errors
    /// [`CallError`] for anything else, other keys included.
    pub fn parse(bytes: &[u8]) -> Result<Self, CallError> {
        let Value::Object(mut map) = json::parse(bytes)? else {
            return Err(CallError::NotAnObject);
        };
        let tool = take_text(&mut map, "tool")?.ok_or(CallError::Missing("tool"))?;
        let arguments = map
            .remove("arguments")
            .ok_or(CallError::Missing("arguments"))?;
        let principal = take_text(&mut map, "principal")?;
        let session = take_text(&mut map, "session")?;
        if let Some(key) = map.keys().min() {
            return Err(CallError::UnknownKey(key.clone()));
        }
        Self::new(
            &tool,
            arguments,
            principal.as_deref().unwrap_or(ANONYMOUS),
            session.as_deref(),
        )
    }

    /// Makes a call from its parts.
    ///
    /// # Errors
    /// [`CallError`] when a name is not one, or the arguments are no object or beyond the bounds
    /// of [`json`].
    pub fn new(
        tool: &str,
        arguments: Value,
        principal: &str,
        session: Option<&str>,
    ) -> Result<Self, CallError> {
        if !is_tool_name(tool) {
            return Err(CallError::ToolName(tool.to_owned()));
        }
        if !arguments.is_object() {
            return Err(CallError::WrongType {
                key: "arguments",
                wanted: "an object",
            });
        }
        json::check(&arguments)?;
        Ok(Self {
            tool: tool.to_owned(),
            canonical_arguments: json::canonical(&arguments),
            arguments,
            principal: checked_name("principal", principal)?,
            session: session.map(|s| checked_name("session", s)).transpose()?,
        })
    }

    /// The tool's name.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The arguments, always an object.
    #[must_use]
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The arguments in their canonical form, as [`json::canonical`] writes them.
    #[must_use]
    pub fn canonical_arguments(&self) -> &[u8] {
        &self.canonical_arguments
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The session that the call belongs to.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
}

fn take_text(map: &mut Map<String, Value>, key: &'static str) -> Result<Option<String>, CallError> {
    match map.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(CallError::WrongType {
            key,
            wanted: "a string",
        }),
    }
}

/// `^[A-Za-z0-9_.-]{1,128}$`, the form that MCP and the model APIs share.
pub(crate) fn is_tool_name(name: &str) -> bool {
    (1..=MAX_TOOL_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn checked_name(key: &'static str, name: &str) -> Result<String, CallError> {
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(CallError::Name {
            key,
            found: name.to_owned(),
        })
    }
}

impl CallId {
    /// An id from the 16 bytes of a UUID.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

impl FromStr for CallId {
    type Err = CallIdError;

    /// Reads the form that `Display` writes, digits in either case.
    fn from_str(text: &str) -> Result<Self, CallIdError> {
        let error = || CallIdError(text.to_owned());
        let digits: String = text.split('-').collect();
        let number = u128::from_str_radix(&digits, 16).map_err(|_| error())?;
        let id = Self(number.to_be_bytes());
        if id.to_string() == text.to_ascii_lowercase() {
            Ok(id)
        } else {
            Err(error())
        }
    }
}

impl serde::Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_a_call_and_keeps_it_canonical() {
        let call =
            ToolCall::parse(br#"{"tool":"t","arguments":{"b":1,"a":[ ]}, "session":"s"}"#).unwrap();
        assert_eq!(call.tool(), "t");
        assert_eq!(call.arguments(), &json!({"a": [], "b": 1}));
        assert_eq!(call.canonical_arguments(), br#"{"a":[],"b":1}"#);
        assert_eq!(call.principal(), ANONYMOUS);
        assert_eq!(call.session(), Some("s"));
    }

    #[test]
    fn refuses_what_is_not_a_call() {
        let error = |text: &str| ToolCall::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error("[]"), CallError::NotAnObject);
        assert_eq!(error(r#"{"arguments":{}}"#), CallError::Missing("tool"));
        assert_eq!(error(r#"{"tool":"t"}"#), CallError::Missing("arguments"));
        assert!(matches!(
            error(r#"{"tool":"t","arguments":[]}"#),
            CallError::WrongType {
                key: "arguments",
                ..
            }
        ));
        assert!(matches!(
            error(r#"{"tool":1,"arguments":{}}"#),
            CallError::WrongType { key: "tool", .. }
        ));
        assert!(matches!(
            error(r#"{"tool":"t","arguments":{},"session":null}"#),
            CallError::WrongType { key: "session", .. }
        ));
        assert_eq!(
            error(r#"{"tool":"t","arguments":{},"x":1}"#),
            CallError::UnknownKey("x".into())
        );
        assert!(matches!(
            error(r#"{"tool":"a b","arguments":{}}"#),
            CallError::ToolName(_)
        ));
        assert!(matches!(
            error(r#"{"tool":"t","tool":"u","arguments":{}}"#),
            CallError::Json(_)
        ));
        assert!(matches!(
            error(r#"{"tool":"t","arguments":{},"principal":"a\nb"}"#),
            CallError::Name { .. }
        ));
        assert!(matches!(
            error(r#"{"tool":"t","arguments":{},"principal":""}"#),
            CallError::Name { .. }
        ));
    }

    #[test]
    fn arguments_from_elsewhere_are_held_to_the_bounds() {
        let mut deep = json!({});
        for _ in 0..json::MAX_DEPTH {
            deep = json!({"a": deep});
        }
        let error = ToolCall::new("t", deep, "p", None).unwrap_err();
        assert_eq!(error, CallError::Bounds(JsonFault::TooDeep));
    }

    #[test]
    fn call_id_round_trip() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        let id: CallId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(CallId::from_bytes(*id.as_bytes()), id);
        assert_eq!(text.to_uppercase().parse::<CallId>().unwrap(), id);
        for bad in [
            "",
            "01890a5dac96774bbcceb302099a8057",
            "+1890a5d-ac96-774b-bcce-b302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a805",
            "g1890a5d-ac96-774b-bcce-b302099a8057",
        ] {
            assert!(bad.parse::<CallId>().is_err(), "{bad}");
        }
    }
}
