//! The formats in which models write tool calls: what a model is told of them, and how
//! a conversation is written in them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::canonical;
use crate::message::{Message, ProposedCall, Role, Tool};

/// How a model writes tool calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallFormat {
    /// In the provider's own fields.
    #[default]
    Native,
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`.
    Hermes,
    /// The same object in a fence of Markdown.
    FencedJson,
    /// `<invoke name="…"><parameter name="…">…</parameter></invoke>`.
    AnthropicXml,
    /// `[tool(name="value")]`.
    PythonCall,
}

impl CallFormat {
    /// The word for it in configurations and transcripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Hermes => "hermes",
            Self::FencedJson => "fenced_json",
            Self::AnthropicXml => "anthropic_xml",
            Self::PythonCall => "python_call",
        }
    }

    /// What a model is told of its tools; empty where the provider tells it.
    #[must_use]
    pub fn instructions(self, tools: &[Tool]) -> String {
        let how = match self {
            Self::Native => return String::new(),
            _ if tools.is_empty() => return String::new(),
            Self::Hermes => {
                "To call a tool, write\n<tool_call>\n{\"name\": \"NAME\", \"arguments\": {…}}\n</tool_call>"
            }
            Self::FencedJson => {
                "To call a tool, write\n```json\n{\"name\": \"NAME\", \"arguments\": {…}}\n```"
            }
            Self::AnthropicXml => {
                "To call a tool, write\n<invoke name=\"NAME\">\n<parameter name=\"KEY\">VALUE</parameter>\n</invoke>"
            }
            Self::PythonCall => {
                "To call a tool, write on a line of its own\n[NAME(key=value, other=value)]\nwith values as Python writes them."
            }
        };
        let mut text = String::from("You may call these tools:\n");
        for tool in tools {
            let written = canonical(&json!({
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            }));
            text.push_str(&written);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(how);
        text
    }

    /// A message whose calls or results have to be written as text; none if it has
    /// neither, or the provider has fields for them.
    #[must_use]
    pub fn as_text(self, message: &Message) -> Option<Message> {
        if self == Self::Native {
            return None;
        }
        if message.role == Role::Tool {
            return Some(Message::user(&result(message)));
        }
        if message.tool_calls.is_empty() {
            return None;
        }
        let mut text = message.content.to_string();
        for call in &message.tool_calls {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&self.write(call));
        }
        Some(Message::text(message.role, &text))
    }

    /// A call as the model would have written it.
    #[must_use]
    pub fn write(self, call: &ProposedCall) -> String {
        let arguments: Value =
            serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!(call.arguments));
        let object = || canonical(&json!({"name": call.name, "arguments": arguments}));
        match self {
            Self::Native | Self::Hermes => format!("<tool_call>\n{}\n</tool_call>", object()),
            Self::FencedJson => format!("```json\n{}\n```", object()),
            Self::AnthropicXml => xml(&call.name, &arguments),
            Self::PythonCall => python(&call.name, &arguments),
        }
    }
}

fn result(message: &Message) -> String {
    let name = message.name.as_deref().unwrap_or_default();
    let state = if message.failed { "error" } else { "ok" };
    format!(
        "<tool_response name=\"{name}\" status=\"{state}\">\n{}\n</tool_response>",
        message.content
    )
}

fn members(arguments: &Value) -> impl Iterator<Item = (&String, &Value)> {
    arguments.as_object().into_iter().flatten()
}

fn xml(name: &str, arguments: &Value) -> String {
    let mut text = format!("<invoke name=\"{name}\">\n");
    for (key, value) in members(arguments) {
        let value = value
            .as_str()
            .map_or_else(|| canonical(value), str::to_owned);
        // Writing to a text cannot fail.
        let _written = writeln!(text, "<parameter name=\"{key}\">{value}</parameter>");
    }
    text.push_str("</invoke>");
    text
}

fn python(name: &str, arguments: &Value) -> String {
    let parts: Vec<_> = members(arguments)
        .map(|(key, value)| format!("{key}={}", literal(value)))
        .collect();
    format!("[{name}({})]", parts.join(", "))
}

/// JSON as a literal of Python.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(list) => {
            let items: Vec<_> = list.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), literal(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}
