//! Everything that can happen to a run. Each is one line of its journal; the state of
//! a run is what they add up to, and nothing else.

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::context::ContextRule;
use crate::message::{Message, ProposedCall, Stop, Thinking, Tool, Usage};
use crate::parse::CallFormat;
use crate::wire::Failure;

/// Something happened. What does not fit the state (a late answer, a second result)
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The run begins. The first event, and only the first.
    Started(Box<Setup>),
    /// Somebody says something more; it is heard before the next call of the model.
    Pushed {
        /// What.
        message: Message,
    },
    /// The model has answered.
    Answered {
        /// The call of the model.
        call: u32,
        /// What it said.
        answer: Box<Answer>,
    },
    /// A call of the model gave no answer.
    AnswerFailed {
        /// The call of the model.
        call: u32,
        /// Why.
        failure: Failure,
    },
    /// A wait is over.
    Woken {
        /// Which.
        timer: u32,
    },
    /// A tool is about to run. Written down before it does.
    ToolStarted {
        /// Which call.
        place: Place,
        /// Under which name the ledger will know it.
        record: String,
    },
    /// A tool is over, well or badly.
    ToolFinished {
        /// Which call.
        place: Place,
        /// What came of it.
        result: ToolResult,
    },
    /// A person has to say yes first.
    ToolHeld {
        /// Which call.
        place: Place,
        /// Why.
        reason: String,
    },
    /// After a crash: the ledger knows nothing of this call, so it never ran.
    ToolUntouched {
        /// Which call.
        place: Place,
    },
    /// A person said yes.
    Approved {
        /// Which call.
        place: Place,
        /// Who.
        by: String,
    },
    /// A person said no.
    Refused {
        /// Which call.
        place: Place,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The run is to end.
    Cancelled {
        /// Why.
        reason: String,
        /// What the model had said of an answer that is not over.
        #[serde(default)]
        partial: String,
    },
    /// The process that drove the run is another one now.
    Resumed,
}

/// Which tool call of a run: the message that proposed it, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Iteration of the run, from 1.
    pub iteration: u32,
    /// Number among the calls of that message, from 0.
    pub index: usize,
}

/// With what a run begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Name of the run.
    pub run: String,
    /// Runs around this one.
    #[serde(default)]
    pub depth: u32,
    /// Chance, for the waits between attempts.
    #[serde(default)]
    pub seed: u64,
    /// Whom to ask: the first; the others if that one fails or its answers will not do.
    pub models: Vec<ModelChoice>,
    /// The system prompt.
    #[serde(default)]
    pub system: String,
    /// What was said so far; the last is what is to be done.
    pub messages: Vec<Message>,
    /// What the model may call.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// How far it may go.
    #[serde(default)]
    pub limits: Limits,
    /// What of a long conversation the model is shown.
    #[serde(default)]
    pub context: ContextRule,
}

/// A model, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelChoice {
    /// Name of the provider in the configuration.
    pub provider: String,
    /// Name of the model there.
    pub model: String,
    /// How it writes tool calls.
    #[serde(default)]
    pub format: CallFormat,
    /// The most tokens of an answer.
    #[serde(default = "ModelChoice::usual_output_tokens")]
    pub output_tokens: u32,
    /// Temperature, in thousandths; zero is the most repeatable.
    #[serde(default)]
    pub temperature_permille: u32,
    /// Whether it has to call a tool.
    #[serde(default)]
    pub tool_choice: ToolChoice,
}

impl ModelChoice {
    /// `model` of `provider`, asked as usual.
    #[must_use]
    pub fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            format: CallFormat::default(),
            output_tokens: Self::usual_output_tokens(),
            temperature_permille: 0,
            tool_choice: ToolChoice::default(),
        }
    }

    const fn usual_output_tokens() -> u32 {
        1_024
    }
}

/// Whether a model has to call a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It has to.
    Required,
    /// It may not.
    None,
}

impl ToolChoice {
    /// The word that wire formats and transcripts use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::None => "none",
        }
    }
}

/// What a model said, read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The model that answered, as its provider names it.
    pub model: String,
    /// All text, as it came.
    pub text: String,
    /// The text without tool calls.
    pub prose: String,
    /// Reasoning.
    pub thinking: Thinking,
    /// The calls that it proposes, in its order.
    pub calls: Vec<ProposedCall>,
    /// What looked like a call and is none: why, for the model to read.
    pub malformed: Vec<String>,
    /// What validators have against it.
    pub faults: Vec<String>,
    /// What scorers think of it, in thousandths.
    pub score_permille: Option<u32>,
    /// What it cost.
    pub usage: Usage,
    /// Why it ended.
    pub stop: Stop,
    /// Time to the first token.
    pub first_token_ms: u64,
    /// Time to the end.
    pub wall_ms: u64,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolResult {
    /// How it ended.
    pub ending: ToolEnding,
    /// What the model is shown of it.
    pub content: String,
    /// Digest of the whole output, by which the ledger has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<String>,
}

/// How a tool call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEnding {
    /// It ran and is content.
    Succeeded,
    /// It ran, and failed.
    Failed,
    /// It took too long.
    TimedOut,
    /// The policy or a person did not let it run.
    Denied,
    /// It could not be read, or was one too many.
    NotRun,
    /// It was stopped.
    Cancelled,
    /// It had begun when the process ended; nobody knows how far it came.
    Interrupted,
}

impl ToolEnding {
    /// True when the model is to read the result as an error.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Succeeded => false,
            Self::Failed
            | Self::TimedOut
            | Self::Denied
            | Self::NotRun
            | Self::Cancelled
            | Self::Interrupted => true,
        }
    }

    /// True when something of the tool's own may be in the result.
    #[must_use]
    pub const fn has_output(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled => true,
            Self::Denied | Self::NotRun | Self::Interrupted => false,
        }
    }
}
