//! What a run did, as cases look at it: read out of a transcript.

use crate::machine::RunEnding;
use crate::message::{Role, Usage};
use crate::transcript::Entry;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Answers of the model.
    pub turns: u32,
    /// Tool calls that got a result, in their order.
    pub tools: Vec<CalledTool>,
    /// The last answer.
    pub response: String,
    /// How it ended; none if it has not.
    pub ending: Option<RunEnding>,
    /// Tokens.
    pub usage: Usage,
    /// Answers with calls that could not be read.
    pub malformed: u32,
    /// Attempts after a first.
    pub retries: u32,
}

/// A tool call that got a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledTool {
    /// The tool.
    pub name: String,
    /// What it gave back.
    pub result: String,
    /// It failed, or was not run.
    pub failed: bool,
}

impl Record {
    /// Of a transcript of one run.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut record = Self::default();
        for entry in entries {
            record.add(entry);
        }
        record
    }

    fn add(&mut self, entry: &Entry) {
        match entry {
            Entry::InterpretedResponse {
                prose,
                tool_parse_errors,
                ..
            } => {
                self.turns += 1;
                self.malformed += u32::from(!tool_parse_errors.is_empty());
                self.response.clone_from(prose);
            }
            Entry::Message {
                role: Role::Tool,
                name,
                content,
                failed,
                iteration: Some(_),
                ..
            } => {
                self.tools.push(CalledTool {
                    name: name.clone().unwrap_or_default(),
                    result: content.to_string(),
                    failed: *failed,
                });
            }
            Entry::Ended {
                ending,
                text,
                usage,
                retries,
                ..
            } => {
                self.ending = Some(*ending);
                self.response.clone_from(text);
                self.usage = *usage;
                self.retries = *retries;
            }
            Entry::Message { .. }
            | Entry::SystemPrompt { .. }
            | Entry::ToolSchemas { .. }
            | Entry::ProviderCallRequest { .. }
            | Entry::ProviderCallResponse { .. }
            | Entry::ProviderCallFailed { .. }
            | Entry::Summary { .. } => {}
        }
    }

    /// How often a tool was called.
    #[must_use]
    pub fn calls_of(&self, tool: &str) -> usize {
        self.tools.iter().filter(|call| call.name == tool).count()
    }
}
