//! What is said in a conversation, and the tools that it may name.
//!
//! One form for all providers; `wire` turns it into theirs. Arguments of a tool call
//! stay the text that the model wrote: whoever runs it reads it strictly, once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever configured the run.
    System,
    /// Whoever asked.
    User,
    /// The model.
    Assistant,
    /// A tool, answering a call.
    Tool,
}

impl Role {
    /// The word that all wire formats use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A tool call as the model proposed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedCall {
    /// The provider's name for it, or ours where it gave none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON as the model wrote it; not checked.
    pub arguments: String,
    /// Why it cannot be run as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Reasoning of the model, and what its provider wants back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thinking {
    /// The text.
    pub text: String,
    /// What proves to the provider that the text is its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
}

impl Thinking {
    /// True when there is nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.signature.is_empty()
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Arc<str>,
    /// The calls that it proposes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ProposedCall>,
    /// The call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The tool that it is the answer of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer of a tool that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// The model's reasoning before it spoke.
    #[serde(default, skip_serializing_if = "Thinking::is_empty")]
    pub thinking: Thinking,
}

impl Message {
    /// A message that is text and nothing else.
    #[must_use]
    pub fn text(role: Role, content: &str) -> Self {
        Self {
            role,
            content: Arc::from(content),
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
            failed: false,
            thinking: Thinking::default(),
        }
    }

    /// What the user says.
    #[must_use]
    pub fn user(content: &str) -> Self {
        Self::text(Role::User, content)
    }

    /// What the model says, with the calls that it proposes.
    #[must_use]
    pub fn assistant(content: &str, tool_calls: Vec<ProposedCall>) -> Self {
        Self {
            tool_calls,
            ..Self::text(Role::Assistant, content)
        }
    }

    /// What a tool answers to `call`.
    #[must_use]
    pub fn tool(call: &ProposedCall, content: &str, failed: bool) -> Self {
        Self {
            tool_call_id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            failed,
            ..Self::text(Role::Tool, content)
        }
    }
}

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for, as the model reads it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// Running it twice is as good as once: it may be run again after a crash.
    #[serde(default)]
    pub repeatable: bool,
    /// Its output is our own. Else it is what strangers wrote, and taints the session.
    #[serde(default)]
    pub trusted: bool,
}

/// Tokens that a call cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Read by the model, those from a cache too.
    pub input_tokens: u64,
    /// Written by the model, reasoning too.
    pub output_tokens: u64,
    /// Of the input, read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Of the input, written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Of the output, reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Both together; a count that a provider invents stops at the largest number.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self
                .cache_read_tokens
                .saturating_add(other.cache_read_tokens),
            cache_write_tokens: self
                .cache_write_tokens
                .saturating_add(other.cache_write_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
        }
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It had said all.
    #[default]
    Finished,
    /// It waits for the tools that it called.
    ToolCalls,
    /// It was cut at the most tokens.
    Length,
    /// The provider held the rest back.
    Filtered,
    /// A reason that is not known here.
    Other,
}
