//! Arguments against the schema of their tool.
//!
//! No schema is fetched from anywhere, and its patterns run in linear time: it may have
//! come from a stranger. A schema that cannot be read fails all calls of its tool.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::strict;
use crate::message::{ProposedCall, Tool};

/// Faults that a model is told of at once; it corrects no more than these.
const MAX_FAULTS: usize = 5;

/// Characters of one fault.
const MAX_FAULT_CHARS: usize = 300;

/// Bytes of a schema: compiling a larger one takes longer than the call it is for.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;

/// A schema, ready to be used.
#[derive(Debug)]
pub struct Schema(jsonschema::Validator);

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemaError {
    /// Too large.
    #[error("the schema has more than {MAX_SCHEMA_BYTES} bytes; shorten it")]
    TooLarge,
    /// It is no schema.
    #[error("the schema cannot be used: {0}")]
    Broken(String),
}

impl Schema {
    /// Make one ready.
    ///
    /// # Errors
    /// When it is too large, no schema, or refers to something outside of itself.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        if schema.to_string().len() > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLarge);
        }
        jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaError::Broken(short(&error.to_string())))
    }

    /// What is wrong with `value`; nothing if it fits.
    #[must_use]
    pub fn faults(&self, value: &Value) -> Vec<String> {
        self.0
            .iter_errors(value)
            .take(MAX_FAULTS)
            .map(|error| {
                short(&format!(
                    "{}: {error}",
                    place(&error.instance_path().to_string())
                ))
            })
            .collect()
    }
}

fn place(path: &str) -> &str {
    match path {
        "" => "arguments",
        path => path,
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_FAULT_CHARS).collect()
}

/// Give each call that its tool's schema does not take a fault that says why.
///
/// A call of a tool that is not among `tools` is left as it is: that is said elsewhere.
pub fn check_calls(calls: &mut [ProposedCall], tools: &[Tool]) {
    let mut schemas = BTreeMap::new();
    for call in calls.iter_mut().filter(|call| call.fault.is_none()) {
        let Some(tool) = tools.iter().find(|tool| tool.name == call.name) else {
            continue;
        };
        let schema = schemas
            .entry(tool.name.as_str())
            .or_insert_with(|| Schema::new(&tool.parameters));
        call.fault = fault(&call.arguments, schema);
    }
}

fn fault(arguments: &str, schema: &Result<Schema, SchemaError>) -> Option<String> {
    let value = match strict(arguments) {
        Ok(value) if value.is_object() => value,
        Ok(_) => return Some("the arguments must be an object".to_owned()),
        Err(error) => return Some(short(&format!("the arguments are not JSON: {error}"))),
    };
    match schema {
        Err(error) => Some(error.to_string()),
        Ok(schema) => {
            let faults = schema.faults(&value);
            (!faults.is_empty()).then(|| faults.join("; "))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(arguments: &str) -> Option<String> {
        let tool = Tool {
            name: "run".to_owned(),
            description: String::new(),
            parameters: json!({
                "type": "object",
                "properties": {"code": {"type": "string"}},
                "required": ["code"],
                "additionalProperties": false,
            }),
            repeatable: false,
            trusted: false,
        };
        let mut calls = [ProposedCall {
            id: "1".to_owned(),
            name: "run".to_owned(),
            arguments: arguments.to_owned(),
            fault: None,
        }];
        check_calls(&mut calls, &[tool]);
        calls[0].fault.clone()
    }

    #[test]
    fn a_call_that_does_not_fit_says_why() {
        assert_eq!(checked(r#"{"code":"1"}"#), None);
        assert!(checked(r#"{"code":1}"#).unwrap().starts_with("/code: "));
        assert!(checked("{}").unwrap().contains("code"));
        assert_eq!(checked("[]").unwrap(), "the arguments must be an object");
        assert!(
            checked(r#"{"code":"1","code":"2"}"#)
                .unwrap()
                .contains("stands twice")
        );
        assert!(
            checked("print(1)")
                .unwrap()
                .starts_with("the arguments are not JSON")
        );
    }

    #[test]
    fn nothing_is_fetched_and_patterns_are_linear() {
        for schema in [
            json!({"$ref": "http://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"pattern": "(?=a)b"}),
        ] {
            assert!(
                matches!(Schema::new(&schema), Err(SchemaError::Broken(_))),
                "{schema}"
            );
        }
        let slow = Schema::new(&json!({"type": "string", "pattern": "^(a+)+$"})).unwrap();
        assert_eq!(
            slow.faults(&json!(format!("{}b", "a".repeat(5_000)))).len(),
            1
        );
    }

    #[test]
    fn few_faults_are_told() {
        let schema = Schema::new(&json!({"items": {"type": "string"}})).unwrap();
        assert_eq!(schema.faults(&json!(vec![1; 100])).len(), MAX_FAULTS);
    }
}
