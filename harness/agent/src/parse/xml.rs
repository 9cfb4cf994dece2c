//! Calls as Anthropic's models write them in text.
//!
//! `<invoke name="tool"><parameter name="key">value</parameter></invoke>`. A value is
//! text if the tool's schema says so, else JSON, else text. No entities, no attributes
//! but `name`: this is not XML, and no reader of XML sees it.

use serde_json::{Map, Value};

use super::call::Written;
use super::json::strict;
use crate::message::Tool;

/// Read what stands between `<invoke name="` and `</invoke>`; an error is for the model.
pub(super) fn read(body: &str, tools: &[Tool]) -> Result<Written, String> {
    let (name, mut rest) = body
        .split_once("\">")
        .ok_or("the name of the tool is not closed")?;
    let tool = tools.iter().find(|tool| tool.name == name);
    let mut arguments = Map::new();
    while let Some((before, after)) = rest.split_once("<parameter name=\"") {
        blank(before)?;
        let (key, after) = after
            .split_once("\">")
            .ok_or("the name of a parameter is not closed")?;
        let (value, after) = after
            .split_once("</parameter>")
            .ok_or_else(|| format!("`{key}` is not closed"))?;
        if arguments
            .insert(key.to_owned(), typed(key, value, tool))
            .is_some()
        {
            return Err(format!("the parameter `{key}` stands twice"));
        }
        rest = after;
    }
    blank(rest)?;
    Ok(Written {
        name: name.to_owned(),
        arguments: crate::digest::canonical(&Value::Object(arguments)),
    })
}

fn blank(text: &str) -> Result<(), String> {
    match text.trim() {
        "" => Ok(()),
        _ => Err("there is text outside of the parameters".to_owned()),
    }
}

fn typed(key: &str, text: &str, tool: Option<&Tool>) -> Value {
    let kind = tool.and_then(|tool| {
        let property = tool.parameters.get("properties")?.get(key)?;
        property.get("type")?.as_str()
    });
    if kind == Some("string") {
        return Value::from(text);
    }
    strict(text.trim()).unwrap_or_else(|_| Value::from(text))
}
