//! What a run is at a moment: the fold of its events. Plain data, compared and written
//! as such; only `machine` changes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::End;
use super::event::{Setup, ToolResult};
use crate::digest::Digest;
use crate::message::{Message, ProposedCall, Usage};

/// The state of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// With what it began; nothing before.
    pub setup: Option<Arc<Setup>>,
    /// What was said, committed and in order.
    pub messages: Vec<Arc<Message>>,
    /// What waits to be said.
    pub pushed: Vec<Message>,
    /// Where it stands.
    pub phase: Phase,
    /// Iteration, from 1; zero before the first.
    pub iteration: u32,
    /// The next call of the model.
    pub next_call: u32,
    /// The next wait.
    pub next_timer: u32,
    /// Attempts at the present call of the model, after the first.
    pub attempt: u32,
    /// Which of the models is asked.
    pub model: usize,
    /// Answers in a row with nothing but malformed calls.
    pub malformed: u32,
    /// Answers of this model that validators turned down.
    pub rejected: u32,
    /// Attempts after a first, in the whole run.
    pub retries: u32,
    /// Tokens so far.
    pub usage: Usage,
    /// True once a stranger's words are in the conversation.
    pub tainted: bool,
    /// A summary, and how many messages it stands for.
    pub summary: Option<Summary>,
    /// The system prompt that the transcript has last.
    pub shown_system: Option<Digest>,
    /// The tool schemas that the transcript has last.
    pub shown_tools: Option<Digest>,
}

/// What was said before, shortened by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many messages from the beginning it stands for.
    pub until: usize,
    /// The text.
    pub text: Arc<str>,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not begun.
    #[default]
    New,
    /// A model is being asked.
    Asking {
        /// Number of the call.
        call: u32,
    },
    /// A model is being asked to shorten the conversation.
    Summarising {
        /// Number of the call.
        call: u32,
        /// How many messages it is shown.
        until: usize,
    },
    /// Waiting before another attempt.
    Waiting {
        /// Which wait.
        timer: u32,
        /// How long it was to be.
        wall_ms: u64,
    },
    /// Tools run.
    Acting {
        /// The calls, in the order of the message.
        slots: Vec<Slot>,
        /// How many of them are committed.
        committed: usize,
    },
    /// Over.
    Ended(Box<End>),
}

/// One tool call of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The call.
    pub call: ProposedCall,
    /// How far it is.
    pub progress: Progress,
    /// Who approved it.
    pub approved_by: Option<String>,
}

/// How far a tool call is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Waits for a free place.
    Queued,
    /// Was asked for.
    Asked,
    /// Runs, under this name in the ledger.
    Running {
        /// The name.
        record: String,
    },
    /// Waits for a person.
    Held {
        /// Why.
        reason: String,
    },
    /// Is over.
    Finished {
        /// What came of it.
        result: ToolResult,
    },
}

impl Progress {
    /// True while it takes one of the places.
    pub(super) const fn is_busy(&self) -> bool {
        match self {
            Self::Asked | Self::Running { .. } => true,
            Self::Queued | Self::Held { .. } | Self::Finished { .. } => false,
        }
    }

    pub(super) const fn is_finished(&self) -> bool {
        matches!(self, Self::Finished { .. })
    }
}
