//! Everything that a machine can ask of the world. Whoever drives it does these in
//! their order, and tells what came of them as events.

use serde::{Deserialize, Serialize};

use super::event::{ModelChoice, Place};
use crate::message::{ProposedCall, Usage};
use crate::prompt::Prompt;
use crate::transcript::Entry;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Write a line to the transcript.
    Record {
        /// The line.
        entry: Box<Entry>,
    },
    /// Ask the model.
    CallModel {
        /// Number of this call, for its answer.
        call: u32,
        /// Whom.
        model: Box<ModelChoice>,
        /// What.
        prompt: Box<Prompt>,
    },
    /// Give up a call of the model.
    StopModel {
        /// Which.
        call: u32,
    },
    /// Judge a tool call and run it.
    RunTool {
        /// Which.
        place: Place,
        /// The call.
        call: ProposedCall,
        /// How long it may take.
        wall_ms: u64,
        /// Who approved it, if it was held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// Look into the ledger for what became of a call that had begun.
    RecoverTool {
        /// Which.
        place: Place,
        /// Under which name the ledger knows it.
        record: String,
    },
    /// Stop a tool.
    StopTool {
        /// Which.
        place: Place,
    },
    /// Ask a person.
    AskApproval {
        /// Which.
        place: Place,
        /// The call.
        call: ProposedCall,
        /// Why it is held.
        reason: String,
    },
    /// From here on the conversation holds what strangers wrote: policy should know.
    Taint {
        /// By which call.
        place: Place,
        /// Of which tool.
        tool: String,
    },
    /// Wait.
    Sleep {
        /// Number of this wait, for its end.
        timer: u32,
        /// How long.
        wall_ms: u64,
    },
    /// The run is over. Nothing comes after it.
    Done {
        /// How.
        end: Box<End>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// In which way.
    pub ending: RunEnding,
    /// The answer, or as much as there is of one.
    pub text: String,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Calls of the model that were answered.
    pub iterations: u32,
    /// Attempts that came after a first.
    pub retries: u32,
    /// Tokens of all calls.
    pub usage: Usage,
    /// What scorers think of the answer, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_permille: Option<u32>,
}

/// In which way a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnding {
    /// With an answer.
    Answered,
    /// With an answer that validators turned down, and nobody else to ask.
    Flagged,
    /// It was cancelled.
    Cancelled,
    /// No more calls of the model are allowed.
    TooManyIterations,
    /// It would have been nested too deep.
    TooDeep,
    /// The model writes calls that cannot be read.
    Malformed,
    /// No model gives an answer.
    ModelFailed,
}

impl RunEnding {
    /// True for an answer that nobody has anything against.
    #[must_use]
    pub const fn is_success(self) -> bool {
        match self {
            Self::Answered => true,
            Self::Flagged
            | Self::Cancelled
            | Self::TooManyIterations
            | Self::TooDeep
            | Self::Malformed
            | Self::ModelFailed => false,
        }
    }

    /// The word for it in a transcript.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Flagged => "flagged",
            Self::Cancelled => "cancelled",
            Self::TooManyIterations => "too_many_iterations",
            Self::TooDeep => "too_deep",
            Self::Malformed => "malformed",
            Self::ModelFailed => "model_failed",
        }
    }
}
