//! Writes requests: the same prompt, model and extras give the same bytes.

use serde_json::{Map, Value, json};

use super::Dialect;
use crate::machine::{ModelChoice, ToolChoice};
use crate::message::{Message, ProposedCall, Role, Tool};
use crate::parse::CallFormat;
use crate::prompt::Prompt;

/// Fields that a configuration adds to each request, or sets otherwise.
pub type Extra = Map<String, Value>;

/// The body of a request.
#[must_use]
pub fn body(
    dialect: Dialect,
    prompt: &Prompt,
    model: &ModelChoice,
    stream: bool,
    extra: &Extra,
) -> Value {
    let asked = Asked {
        prompt,
        model,
        stream,
    };
    let mut body = match dialect {
        Dialect::OpenaiChat => asked.chat(),
        Dialect::OpenaiResponses => asked.responses(),
        Dialect::Anthropic => asked.anthropic(),
        Dialect::Ollama => asked.ollama(),
    };
    body.extend(
        extra
            .iter()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    Value::Object(body)
}

struct Asked<'a> {
    prompt: &'a Prompt,
    model: &'a ModelChoice,
    stream: bool,
}

impl Asked<'_> {
    fn temperature(&self) -> Value {
        json!(f64::from(self.model.temperature_permille) / 1_000.0)
    }

    /// The tools, where the provider is to know of them.
    fn tools(&self) -> &[Tool] {
        match self.prompt.format {
            CallFormat::Native => &self.prompt.tools,
            CallFormat::Hermes
            | CallFormat::FencedJson
            | CallFormat::AnthropicXml
            | CallFormat::PythonCall => &[],
        }
    }

    fn messages(&self, write: impl Fn(&Message, &mut Vec<Value>)) -> Vec<Value> {
        let mut written = Vec::with_capacity(self.prompt.messages.len() + 1);
        for message in self.prompt.messages.iter() {
            match self.prompt.format.as_text(message) {
                Some(flat) => write(&flat, &mut written),
                None => write(message, &mut written),
            }
        }
        written
    }

    fn chat(&self) -> Map<String, Value> {
        let mut messages = system_message(&self.prompt.system);
        messages.extend(self.messages(|message, to| to.push(chat_message(message))));
        let mut body = object(json!({
            "model": self.model.model,
            "messages": messages,
            "max_tokens": self.model.output_tokens,
            "temperature": self.temperature(),
            "stream": self.stream,
        }));
        if self.stream {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        if !self.tools().is_empty() {
            let tools = self.tools().iter().map(chat_tool).collect();
            body.insert("tools".to_owned(), Value::Array(tools));
            body.insert(
                "tool_choice".to_owned(),
                json!(self.model.tool_choice.as_str()),
            );
        }
        body
    }

    fn responses(&self) -> Map<String, Value> {
        let mut body = object(json!({
            "model": self.model.model,
            "input": self.messages(response_items),
            "max_output_tokens": self.model.output_tokens,
            "temperature": self.temperature(),
            "stream": self.stream,
            "store": false,
        }));
        if !self.prompt.system.is_empty() {
            body.insert("instructions".to_owned(), json!(&*self.prompt.system));
        }
        if !self.tools().is_empty() {
            let tools = self.tools().iter().map(response_tool).collect();
            body.insert("tools".to_owned(), Value::Array(tools));
            body.insert(
                "tool_choice".to_owned(),
                json!(self.model.tool_choice.as_str()),
            );
        }
        body
    }

    fn anthropic(&self) -> Map<String, Value> {
        let mut body = object(json!({
            "model": self.model.model,
            "messages": joined(self.messages(anthropic_message)),
            "max_tokens": self.model.output_tokens,
            "temperature": self.temperature(),
            "stream": self.stream,
        }));
        let system = self.anthropic_system();
        if !system.is_empty() {
            body.insert("system".to_owned(), json!(system));
        }
        if !self.tools().is_empty() {
            let tools = self.tools().iter().map(anthropic_tool).collect();
            body.insert("tools".to_owned(), Value::Array(tools));
            let choice = match self.model.tool_choice {
                ToolChoice::Auto => "auto",
                ToolChoice::Required => "any",
                ToolChoice::None => "none",
            };
            body.insert("tool_choice".to_owned(), json!({"type": choice}));
        }
        body
    }

    /// Its messages know no system role: what was said in it goes to the front.
    fn anthropic_system(&self) -> String {
        let said = self
            .prompt
            .messages
            .iter()
            .filter(|message| message.role == Role::System);
        let parts: Vec<&str> = std::iter::once(&*self.prompt.system)
            .chain(said.map(|message| &*message.content))
            .filter(|text| !text.is_empty())
            .collect();
        parts.join("\n\n")
    }

    fn ollama(&self) -> Map<String, Value> {
        let mut messages = system_message(&self.prompt.system);
        messages.extend(self.messages(|message, to| to.push(ollama_message(message))));
        let mut body = object(json!({
            "model": self.model.model,
            "messages": messages,
            "stream": self.stream,
            "options": {
                "num_predict": self.model.output_tokens,
                "temperature": self.temperature(),
            },
        }));
        if !self.tools().is_empty() {
            let tools = self.tools().iter().map(chat_tool).collect();
            body.insert("tools".to_owned(), Value::Array(tools));
        }
        body
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn system_message(system: &str) -> Vec<Value> {
    match system {
        "" => Vec::new(),
        text => vec![json!({"role": "system", "content": text})],
    }
}

fn chat_message(message: &Message) -> Value {
    let mut written = object(json!({
        "role": message.role.as_str(),
        "content": &*message.content,
    }));
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(chat_call).collect();
        written.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    if let Some(id) = &message.tool_call_id {
        written.insert("tool_call_id".to_owned(), json!(id));
    }
    Value::Object(written)
}

fn chat_call(call: &ProposedCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    })
}

fn chat_tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    })
}

fn response_items(message: &Message, to: &mut Vec<Value>) {
    if let Some(id) = &message.tool_call_id {
        to.push(json!({
            "type": "function_call_output",
            "call_id": id,
            "output": &*message.content,
        }));
        return;
    }
    if !message.content.is_empty() {
        to.push(json!({"role": message.role.as_str(), "content": &*message.content}));
    }
    to.extend(message.tool_calls.iter().map(|call| {
        json!({
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        })
    }));
}

fn response_tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    })
}

fn anthropic_tool(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    })
}

fn anthropic_message(message: &Message, to: &mut Vec<Value>) {
    let (role, content) = match message.role {
        Role::System => return,
        Role::User => (
            "user",
            vec![json!({"type": "text", "text": &*message.content})],
        ),
        Role::Tool => ("user", vec![anthropic_result(message)]),
        Role::Assistant => ("assistant", anthropic_blocks(message)),
    };
    to.push(json!({"role": role, "content": content}));
}

fn anthropic_result(message: &Message) -> Value {
    json!({
        "type": "tool_result",
        "tool_use_id": message.tool_call_id,
        "content": &*message.content,
        "is_error": message.failed,
    })
}

fn anthropic_blocks(message: &Message) -> Vec<Value> {
    let mut blocks = Vec::with_capacity(message.tool_calls.len() + 2);
    // Reasoning without its signature is refused.
    if !message.thinking.signature.is_empty() {
        blocks.push(json!({
            "type": "thinking",
            "thinking": message.thinking.text,
            "signature": message.thinking.signature,
        }));
    }
    if !message.content.is_empty() {
        blocks.push(json!({"type": "text", "text": &*message.content}));
    }
    blocks.extend(message.tool_calls.iter().map(|call| {
        json!({
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": arguments(call),
        })
    }));
    blocks
}

/// Arguments as an object, which some formats insist on; what is none is put into one.
fn arguments(call: &ProposedCall) -> Value {
    match serde_json::from_str(&call.arguments) {
        Ok(Value::Object(map)) => Value::Object(map),
        Ok(_) | Err(_) => json!({"unreadable": call.arguments}),
    }
}

/// Messages of one role that follow each other as one: results of several calls have to
/// come together.
fn joined(messages: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(messages.len());
    for mut message in messages {
        let blocks = message.get_mut("content").map(Value::take);
        match (all.last_mut(), blocks) {
            (Some(last), Some(Value::Array(more))) if last.get("role") == message.get("role") => {
                if let Some(Value::Array(content)) = last.get_mut("content") {
                    content.extend(more);
                }
            }
            (_, blocks) => {
                if let (Some(place), Some(blocks)) = (message.get_mut("content"), blocks) {
                    *place = blocks;
                }
                all.push(message);
            }
        }
    }
    all
}

fn ollama_message(message: &Message) -> Value {
    let mut written = object(json!({
        "role": message.role.as_str(),
        "content": &*message.content,
    }));
    if !message.tool_calls.is_empty() {
        let calls = message
            .tool_calls
            .iter()
            .map(|call| json!({"function": {"name": call.name, "arguments": arguments(call)}}));
        written.insert("tool_calls".to_owned(), calls.collect());
    }
    if let Some(name) = &message.name {
        written.insert("tool_name".to_owned(), json!(name));
    }
    Value::Object(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn prompt() -> Prompt {
        let call = ProposedCall {
            id: "c1".to_owned(),
            name: "run".to_owned(),
            arguments: r#"{"code":"1"}"#.to_owned(),
            fault: None,
        };
        let messages = [
            Message::user("go"),
            Message::assistant("", vec![call.clone()]),
            Message::tool(&call, "1", false),
            Message::user("more"),
        ];
        let tool = Tool {
            name: "run".to_owned(),
            description: "runs".to_owned(),
            parameters: json!({"type": "object"}),
            repeatable: false,
            trusted: false,
        };
        let messages = messages.into_iter().map(Arc::new).collect();
        Prompt::new("be brief", None, messages, &[tool], CallFormat::Native)
    }

    fn written(dialect: Dialect) -> Value {
        body(
            dialect,
            &prompt(),
            &ModelChoice::new("p", "m"),
            true,
            &Extra::new(),
        )
    }

    #[test]
    fn each_format_has_its_own_form_of_a_tool_result() {
        let chat = written(Dialect::OpenaiChat);
        assert_eq!(chat.pointer("/messages/3/tool_call_id"), Some(&json!("c1")));
        let responses = written(Dialect::OpenaiResponses);
        assert_eq!(
            responses.pointer("/input/2/type"),
            Some(&json!("function_call_output"))
        );
        let anthropic = written(Dialect::Anthropic);
        assert_eq!(anthropic.pointer("/system"), Some(&json!("be brief")));
        assert_eq!(
            anthropic.pointer("/messages/1/content/0/input/code"),
            Some(&json!("1"))
        );
        assert_eq!(
            anthropic.pointer("/messages/2/content/1/text"),
            Some(&json!("more"))
        );
        let ollama = written(Dialect::Ollama);
        assert_eq!(ollama.pointer("/messages/3/tool_name"), Some(&json!("run")));
        assert_eq!(ollama.pointer("/options/num_predict"), Some(&json!(1_024)));
    }

    #[test]
    fn a_configuration_has_the_last_word() {
        let extra = object(json!({"temperature": 1, "seed": 7}));
        let model = ModelChoice::new("p", "m");
        let body = body(Dialect::OpenaiChat, &prompt(), &model, false, &extra);
        assert_eq!(
            (body.get("temperature"), body.get("seed")),
            (Some(&json!(1)), Some(&json!(7)))
        );
    }

    #[test]
    fn arguments_that_are_no_object_are_put_into_one() {
        let call = ProposedCall {
            id: String::new(),
            name: String::new(),
            arguments: "[1".to_owned(),
            fault: None,
        };
        assert_eq!(arguments(&call), json!({"unreadable": "[1"}));
    }
}
