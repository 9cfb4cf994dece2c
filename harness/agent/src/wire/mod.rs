//! What models speak, as pure codecs: a prompt in, a request's body out; an answer's
//! bytes in, [`Delta`]s out.
//!
//! A stream may be cut anywhere: the same bytes give the same deltas, however many
//! pieces they come in. A call of a tool is told as soon as its arguments are complete,
//! before the answer is. Everything that grows is bounded; what goes on for ever or
//! cannot be read ends with a [`Failure`] that names its class.

mod anthropic;
mod assemble;
mod chat;
mod failure;
mod frames;
mod gather;
mod ollama;
mod request;
mod responses;

pub use failure::{Failure, FailureKind};
pub use gather::Gathered;
pub use request::{Extra, body};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{Stop, Usage};
use assemble::Calls;
use frames::{Frame, Frames};

/// Bytes of one answer. A model writes far less; an endless stream ends here.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Which of the wire formats a provider speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Chat completions of OpenAI, and of all that imitate them (llama.cpp, vLLM,
    /// OpenRouter …).
    #[default]
    OpenaiChat,
    /// Responses of OpenAI.
    OpenaiResponses,
    /// Messages of Anthropic.
    Anthropic,
    /// Ollama's own.
    Ollama,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::Anthropic,
        Self::Ollama,
    ];

    /// Where requests go, below the base of the provider's addresses.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::OpenaiChat => "/v1/chat/completions",
            Self::OpenaiResponses => "/v1/responses",
            Self::Anthropic => "/v1/messages",
            Self::Ollama => "/api/chat",
        }
    }

    /// The header that bears the key, and what stands before it there.
    #[must_use]
    pub const fn key_header(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses | Self::Ollama => ("authorization", "Bearer "),
            Self::Anthropic => ("x-api-key", ""),
        }
    }

    /// Headers that each request needs.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses | Self::Ollama => &[],
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
        }
    }
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delta", rename_all = "snake_case", deny_unknown_fields)]
pub enum Delta {
    /// The answer begins.
    Started {
        /// The provider's name for it.
        id: String,
        /// The model that answers.
        model: String,
    },
    /// Text.
    Text {
        /// A piece of it.
        text: String,
    },
    /// Reasoning.
    Thinking {
        /// A piece of it.
        text: String,
    },
    /// What proves the reasoning.
    Signature {
        /// A piece of it.
        text: String,
    },
    /// A tool call begins.
    CallStarted {
        /// Number among the calls, from 0.
        index: usize,
        /// The provider's name for it.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments.
    CallArguments {
        /// Which call.
        index: usize,
        /// A piece of JSON.
        text: String,
    },
    /// The arguments of a call are complete.
    CallComplete {
        /// Which call.
        index: usize,
        /// The provider's name for it.
        id: String,
        /// The tool.
        name: String,
        /// All of its arguments.
        arguments: String,
    },
    /// Tokens so far; the last one counts.
    Usage {
        /// How many.
        usage: Usage,
    },
    /// The model has stopped.
    Stopped {
        /// Why.
        stop: Stop,
    },
}

/// Reads one answer.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    frames: Frames,
    reading: Reading,
    bytes: usize,
    /// It has failed; nothing more is read.
    failed: Option<Failure>,
}

/// What is known of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    calls: Calls,
    usage: Usage,
    started: bool,
    /// The model has said why it stopped.
    stopped: bool,
    /// The format's own word for the end was read.
    over: bool,
}

impl Decoder {
    /// For a stream of `dialect`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let frames = match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => Frames::events(),
            Dialect::Ollama => Frames::lines(),
        };
        Self {
            dialect,
            frames,
            reading: Reading::default(),
            bytes: 0,
            failed: None,
        }
    }

    /// More bytes have come; what they say is added to `out`.
    ///
    /// # Errors
    /// When the answer is too large, cannot be read, or is an error. Then it stays so.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        let read = self.read(bytes, out);
        self.failed = read.as_ref().err().cloned();
        read
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        let room = MAX_ANSWER_BYTES.saturating_sub(self.bytes);
        let fitting = bytes.get(..room).unwrap_or(bytes);
        self.bytes += fitting.len();
        for &byte in fitting {
            if let Some(frame) = self.frames.push(byte)? {
                self.frame(&frame, out)?;
            }
        }
        if fitting.len() < bytes.len() {
            let message = format!("more than {MAX_ANSWER_BYTES} bytes");
            return Err(Failure::new(FailureKind::TooLarge, &message));
        }
        Ok(())
    }

    /// The bytes are over.
    ///
    /// # Errors
    /// When the answer is not.
    pub fn end(mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        if let Some(frame) = self.frames.end()? {
            self.frame(&frame, out)?;
        }
        // Some imitators leave the last word out.
        if self.reading.over || self.reading.stopped {
            return Ok(());
        }
        if self.bytes == 0 {
            return Err(Failure::new(FailureKind::Empty, "no byte came"));
        }
        Err(Failure::new(FailureKind::Cut, "the last event is missing"))
    }

    /// True once the answer is complete, whether or not the connection is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.reading.over
    }

    fn frame(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.reading.over {
            return Ok(());
        }
        if frame.data == "[DONE]" {
            self.reading.finish(out);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&frame.data)
            .map_err(|error| Failure::new(FailureKind::Garbage, &error.to_string()))?;
        match self.dialect {
            Dialect::OpenaiChat => chat::chunk(&mut self.reading, &value, out),
            Dialect::OpenaiResponses => responses::event(&mut self.reading, &value, out),
            Dialect::Anthropic => anthropic::event(&mut self.reading, &value, out),
            Dialect::Ollama => ollama::line(&mut self.reading, &value, out),
        }
    }
}

impl Reading {
    fn start(&mut self, value: &Value, out: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            let text = |key| text(value, key).unwrap_or_default().to_owned();
            out.push(Delta::Started {
                id: text("id"),
                model: text("model"),
            });
        }
    }

    fn stop(&mut self, stop: Stop, out: &mut Vec<Delta>) {
        self.calls.complete_all(out);
        self.stopped = true;
        out.push(Delta::Stopped { stop });
    }

    fn usage(&mut self, usage: Usage, out: &mut Vec<Delta>) {
        if usage != self.usage {
            self.usage = usage;
            out.push(Delta::Usage { usage });
        }
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.over = true;
        self.calls.complete_all(out);
    }
}

/// Reads an answer that came as a whole.
///
/// # Errors
/// When it is too large or cannot be read.
pub fn whole(dialect: Dialect, body: &[u8]) -> Result<Vec<Delta>, Failure> {
    if body.len() > MAX_ANSWER_BYTES {
        let message = format!("more than {MAX_ANSWER_BYTES} bytes");
        return Err(Failure::new(FailureKind::TooLarge, &message));
    }
    if body.is_empty() {
        return Err(Failure::new(FailureKind::Empty, "no byte came"));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::new(FailureKind::Garbage, &error.to_string()))?;
    let mut out = Vec::new();
    let mut reading = Reading::default();
    match dialect {
        Dialect::OpenaiChat => chat::whole(&mut reading, &value, &mut out)?,
        Dialect::OpenaiResponses => responses::whole(&mut reading, &value, &mut out)?,
        Dialect::Anthropic => anthropic::whole(&mut reading, &value, &mut out)?,
        Dialect::Ollama => ollama::line(&mut reading, &value, &mut out)?,
    }
    if reading.over {
        return Ok(out);
    }
    Err(Failure::new(
        FailureKind::Garbage,
        "it is not an answer of this format",
    ))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// Text that is there and not empty.
fn some_text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    text(value, key).filter(|text| !text.is_empty())
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
