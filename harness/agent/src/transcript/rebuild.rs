//! The prompt of a call, built again from the lines before it.

use std::sync::Arc;

use super::entry::Entry;
use crate::digest::Digest;
use crate::message::{Message, Tool};
use crate::parse::CallFormat;
use crate::prompt::Prompt;

/// A prompt as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    /// The prompt.
    pub prompt: Prompt,
    /// The provider that it was sent to.
    pub provider: String,
    /// The model.
    pub model: String,
}

/// Why a prompt cannot be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RebuildError {
    /// There is no such call.
    #[error("the transcript has no call {0}; `lazaret transcript show` lists them")]
    NoCall(u32),
    /// It is another prompt than was sent.
    #[error(
        "the prompt of call {call} has digest {found}, and {wanted} was sent: the transcript was changed"
    )]
    Changed {
        /// Which call.
        call: u32,
        /// The digest that the transcript tells.
        wanted: String,
        /// The digest of what it makes.
        found: String,
    },
    /// A system prompt or tools whose digest is another.
    #[error("{what} has digest {found}, and says {wanted}: the transcript was changed")]
    ChangedPart {
        /// Which part.
        what: &'static str,
        /// The digest that it says.
        wanted: String,
        /// Its own.
        found: String,
    },
}

/// What was said before a moment.
#[derive(Default)]
struct Before {
    system: Arc<str>,
    tools: Arc<[Tool]>,
    messages: Vec<Arc<Message>>,
    summary: Option<Arc<str>>,
}

/// The prompt of call `call` of the run whose lines these are.
///
/// # Errors
/// When there is no such call, or a line was changed.
pub fn rebuild<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    call: u32,
) -> Result<Rebuilt, RebuildError> {
    let mut before = Before::default();
    for entry in entries {
        match entry {
            Entry::ProviderCallRequest { call_id, .. } if *call_id == call => {
                return before.prompt(call, entry);
            }
            _ => before.add(entry)?,
        }
    }
    Err(RebuildError::NoCall(call))
}

impl Before {
    fn add(&mut self, entry: &Entry) -> Result<(), RebuildError> {
        match entry {
            Entry::SystemPrompt { content, hash } => {
                same(
                    "a system prompt",
                    *hash,
                    Digest::of_text("system_prompt", content),
                )?;
                self.system = Arc::clone(content);
            }
            Entry::ToolSchemas { schemas, hash } => {
                let value = serde_json::to_value(schemas).unwrap_or_default();
                same(
                    "a list of tools",
                    *hash,
                    Digest::of_json("tool_schemas", &value),
                )?;
                self.tools = Arc::clone(schemas);
            }
            Entry::Summary { content, .. } => self.summary = Some(Arc::clone(content)),
            Entry::Message {
                role,
                content,
                iteration: _,
                tool_calls,
                tool_call_id,
                name,
                failed,
                thinking,
            } => self.messages.push(Arc::new(Message {
                role: *role,
                content: Arc::clone(content),
                tool_calls: tool_calls.clone(),
                tool_call_id: tool_call_id.clone(),
                name: name.clone(),
                failed: *failed,
                thinking: thinking.clone(),
            })),
            Entry::ProviderCallRequest { .. }
            | Entry::ProviderCallResponse { .. }
            | Entry::InterpretedResponse { .. }
            | Entry::ProviderCallFailed { .. }
            | Entry::Ended { .. } => {}
        }
        Ok(())
    }

    fn prompt(self, call: u32, request: &Entry) -> Result<Rebuilt, RebuildError> {
        let Entry::ProviderCallRequest {
            model,
            provider,
            tool_format,
            dropped,
            summarising,
            prompt_hash,
            ..
        } = request
        else {
            return Err(RebuildError::NoCall(call));
        };
        let prompt = self.assembled(*tool_format, dropped, *summarising);
        let found = prompt.digest();
        if found != *prompt_hash {
            let (wanted, found) = (prompt_hash.to_string(), found.to_string());
            return Err(RebuildError::Changed {
                call,
                wanted,
                found,
            });
        }
        Ok(Rebuilt {
            prompt,
            provider: provider.clone(),
            model: model.clone(),
        })
    }

    fn assembled(self, format: CallFormat, dropped: &[usize], summarising: bool) -> Prompt {
        let mut left_out = dropped.iter().copied().peekable();
        let kept: Vec<_> = self
            .messages
            .into_iter()
            .enumerate()
            // Numbers of those left out stand in their order.
            .filter(|&(index, _)| left_out.next_if_eq(&index).is_none())
            .map(|(_, message)| message)
            .collect();
        let summary = self.summary.as_deref();
        if summarising {
            Prompt::summarising_parts(self.system, summary, &kept, format)
        } else {
            Prompt::of_parts(self.system, summary, kept, self.tools, format)
        }
    }
}

fn same(what: &'static str, wanted: Digest, found: Digest) -> Result<(), RebuildError> {
    if wanted == found {
        return Ok(());
    }
    let (wanted, found) = (wanted.to_string(), found.to_string());
    Err(RebuildError::ChangedPart {
        what,
        wanted,
        found,
    })
}
