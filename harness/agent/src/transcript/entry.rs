//! The lines of a transcript, as they are written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::machine::{Answer, End, ModelChoice, RunEnding};
use crate::message::{Message, ProposedCall, Role, Stop, Thinking, Tool, Usage};
use crate::parse::CallFormat;
use crate::prompt::Prompt;
use crate::wire::{Failure, FailureKind};

/// Bytes of one line: the longest holds a whole answer, three times.
const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When: seconds and milliseconds since 1970.
    pub timestamp: String,
    /// In which run.
    pub span_id: String,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is no entry.
    #[error("line {line} of the transcript cannot be read: {source}")]
    Broken {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is too long.
    #[error("line {line} of the transcript has more than {MAX_LINE_BYTES} bytes")]
    TooLong {
        /// Which, from 1.
        line: usize,
    },
}

impl Line {
    /// A line of this moment.
    #[must_use]
    pub fn new(now_ms: u64, span_id: &str, entry: Entry) -> Self {
        Self {
            timestamp: format!("{}.{:03}", now_ms / 1_000, now_ms % 1_000),
            span_id: span_id.to_owned(),
            entry,
        }
    }

    /// All lines of a text.
    ///
    /// # Errors
    /// When one is no line of a transcript.
    pub fn read_all(text: &str) -> Result<Vec<Self>, LineError> {
        text.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, text)| Self::read(index + 1, text))
            .collect()
    }

    fn read(line: usize, text: &str) -> Result<Self, LineError> {
        if text.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong { line });
        }
        serde_json::from_str(text).map_err(|source| LineError::Broken { line, source })
    }

    /// As it is written, without the end of the line.
    ///
    /// # Errors
    /// Never in practice: no value of it is beyond JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// The system prompt, when it is another one.
    SystemPrompt {
        /// The text.
        content: Arc<str>,
        /// Its digest.
        hash: Digest,
    },
    /// The tools, when they are others.
    ToolSchemas {
        /// The tools.
        schemas: Arc<[Tool]>,
        /// Their digest.
        hash: Digest,
    },
    /// A message, committed.
    Message {
        /// Who speaks.
        role: Role,
        /// What is said.
        content: Arc<str>,
        /// In which iteration; none before the first.
        iteration: Option<u32>,
        /// The calls that it proposes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ProposedCall>,
        /// The call that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_call_id: Option<String>,
        /// The tool that it is the answer of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The answer of a tool that failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
        /// The model's reasoning before it spoke.
        #[serde(default, skip_serializing_if = "Thinking::is_empty")]
        thinking: Thinking,
    },
    /// A model is asked.
    ProviderCallRequest {
        /// Number of the call in its run; each attempt has one.
        call_id: u32,
        /// In which iteration.
        iteration: u32,
        /// Attempts before it.
        attempt: u32,
        /// The model.
        model: String,
        /// The provider.
        provider: String,
        /// How it writes tool calls.
        tool_format: CallFormat,
        /// The most tokens of the answer.
        max_tokens: u32,
        /// Temperature.
        temperature: f64,
        /// Whether it has to call a tool.
        tool_choice: String,
        /// Tools that the provider is told of.
        native_tool_count: usize,
        /// Messages that it is shown.
        message_count: usize,
        /// Numbers of the messages that it is not shown.
        dropped: Vec<usize>,
        /// It is to shorten the conversation.
        summarising: bool,
        /// Digest of the prompt.
        prompt_hash: Digest,
    },
    /// It has answered.
    ProviderCallResponse {
        /// Which call.
        call_id: u32,
        /// In which iteration.
        iteration: u32,
        /// The model that answered, as its provider names it.
        model: String,
        /// All text.
        text: String,
        /// The calls.
        tool_calls: Vec<ProposedCall>,
        /// What it cost.
        usage: Usage,
        /// Reasoning.
        #[serde(default, skip_serializing_if = "Thinking::is_empty")]
        thinking: Thinking,
        /// Why it ended.
        stop: Stop,
        /// Time to the first token.
        first_token_ms: u64,
        /// Time to the end.
        response_ms: u64,
    },
    /// What was read out of the answer.
    InterpretedResponse {
        /// Which call.
        call_id: u32,
        /// In which iteration.
        iteration: u32,
        /// How calls were looked for.
        tool_format: CallFormat,
        /// The text without calls.
        prose: String,
        /// The calls.
        tool_calls: Vec<ProposedCall>,
        /// What looked like a call and is none.
        tool_parse_errors: Vec<String>,
        /// What validators have against it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<String>,
        /// What scorers think of it, in thousandths.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        score_permille: Option<u32>,
    },
    /// It gave no answer.
    ProviderCallFailed {
        /// Which call.
        call_id: u32,
        /// In which iteration.
        iteration: u32,
        /// What is done about it.
        status: Attempt,
        /// The class of the failure.
        kind: FailureKind,
        /// Why.
        error: String,
    },
    /// The model has shortened the conversation.
    Summary {
        /// How many messages it stands for.
        until: usize,
        /// The text.
        content: Arc<str>,
    },
    /// The run is over.
    Ended {
        /// How.
        ending: RunEnding,
        /// The answer.
        text: String,
        /// Why, where that is not plain.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// Calls of the model that were answered.
        iterations: u32,
        /// Attempts after a first.
        retries: u32,
        /// Tokens of all calls.
        usage: Usage,
    },
}

/// What is done about an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// Another is made.
    Retrying,
    /// No more are left.
    RetriesExhausted,
    /// Another would be of no use.
    Error,
}

impl Attempt {
    pub(crate) const fn of(failure: &Failure, again: bool, attempts_before: u32) -> Self {
        match (again, failure.kind.is_transient() && attempts_before > 0) {
            (true, _) => Self::Retrying,
            (false, true) => Self::RetriesExhausted,
            (false, false) => Self::Error,
        }
    }
}

/// Which call of a model, and with what left out.
#[derive(Debug, Clone)]
pub struct Request {
    /// Number of the call.
    pub call: u32,
    /// In which iteration.
    pub iteration: u32,
    /// Attempts before it.
    pub attempt: u32,
    /// Messages that it is not shown.
    pub dropped: Vec<usize>,
    /// It is to shorten the conversation.
    pub summarising: bool,
}

impl Entry {
    pub(crate) fn message(iteration: Option<u32>, message: &Message) -> Self {
        let message = message.clone();
        Self::Message {
            role: message.role,
            content: message.content,
            iteration,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            name: message.name,
            failed: message.failed,
            thinking: message.thinking,
        }
    }

    pub(crate) fn system(content: &Arc<str>, hash: &Digest) -> Self {
        Self::SystemPrompt {
            content: Arc::clone(content),
            hash: *hash,
        }
    }

    pub(crate) fn tools(schemas: &Arc<[Tool]>, hash: &Digest) -> Self {
        Self::ToolSchemas {
            schemas: Arc::clone(schemas),
            hash: *hash,
        }
    }

    pub(crate) fn summary(until: usize, content: &Arc<str>) -> Self {
        Self::Summary {
            until,
            content: Arc::clone(content),
        }
    }

    pub(crate) fn request(request: Request, model: &ModelChoice, prompt: &Prompt) -> Self {
        let native = prompt.format == CallFormat::Native;
        Self::ProviderCallRequest {
            call_id: request.call,
            iteration: request.iteration,
            attempt: request.attempt,
            model: model.model.clone(),
            provider: model.provider.clone(),
            tool_format: prompt.format,
            max_tokens: model.output_tokens,
            temperature: f64::from(model.temperature_permille) / 1_000.0,
            tool_choice: model.tool_choice.as_str().to_owned(),
            native_tool_count: if native { prompt.tools.len() } else { 0 },
            message_count: prompt.messages.len(),
            dropped: request.dropped,
            summarising: request.summarising,
            prompt_hash: prompt.digest(),
        }
    }

    pub(crate) fn response(call_id: u32, iteration: u32, answer: &Answer) -> Self {
        Self::ProviderCallResponse {
            call_id,
            iteration,
            model: answer.model.clone(),
            text: answer.text.clone(),
            tool_calls: answer.calls.clone(),
            usage: answer.usage,
            thinking: answer.thinking.clone(),
            stop: answer.stop,
            first_token_ms: answer.first_token_ms,
            response_ms: answer.wall_ms,
        }
    }

    pub(crate) fn interpreted(
        call_id: u32,
        iteration: u32,
        tool_format: CallFormat,
        answer: &Answer,
    ) -> Self {
        Self::InterpretedResponse {
            call_id,
            iteration,
            tool_format,
            prose: answer.prose.clone(),
            tool_calls: answer.calls.clone(),
            tool_parse_errors: answer.malformed.clone(),
            faults: answer.faults.clone(),
            score_permille: answer.score_permille,
        }
    }

    pub(crate) fn failed(call_id: u32, iteration: u32, status: Attempt, failure: &Failure) -> Self {
        Self::ProviderCallFailed {
            call_id,
            iteration,
            status,
            kind: failure.kind,
            error: failure.to_string(),
        }
    }

    pub(crate) fn ended(end: &End) -> Self {
        Self::Ended {
            ending: end.ending,
            text: end.text.clone(),
            detail: end.detail.clone(),
            iterations: end.iterations,
            retries: end.retries,
            usage: end.usage,
        }
    }
}
