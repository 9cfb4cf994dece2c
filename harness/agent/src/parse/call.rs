//! A call as JSON in a text: `{"name": …, "arguments": {…}}`, and what models make of it.

use serde_json::Value;

use super::json::strict;
use crate::digest::canonical;

/// A name and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: String,
    /// JSON.
    pub(super) arguments: String,
}

/// Read a call; an error is for the model to read.
pub(super) fn from_json(text: &str) -> Result<Written, String> {
    let value = strict(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let named = value.get("name").or_else(|| value.get("tool"));
    let name = named
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .ok_or("it has no `name`")?
        .to_owned();
    let arguments = value.get("arguments").or_else(|| value.get("parameters"));
    let arguments = match arguments {
        None | Some(Value::Null) => "{}".to_owned(),
        // Some models write the arguments as text that is JSON.
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => canonical(&Value::Object(map.clone())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
            return Err("its `arguments` are no object".to_owned());
        }
    };
    Ok(Written { name, arguments })
}

/// True when an object may be meant as a call.
pub(super) fn looks_like_a_call(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let has = |key| value.get(key).is_some();
    (has("name") || has("tool")) && (has("arguments") || has("parameters"))
}
