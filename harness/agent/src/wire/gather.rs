//! Puts the pieces of an answer together.

use super::Delta;
use super::failure::{Failure, FailureKind};
use crate::machine::Answer;
use crate::message::{ProposedCall, Stop, Thinking, Usage};
use crate::parse::{CallFormat, read};

/// What an answer said, so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// The model that answers.
    pub model: String,
    /// All text.
    pub text: String,
    /// Reasoning.
    pub thinking: Thinking,
    /// Calls in the provider's own form.
    pub calls: Vec<ProposedCall>,
    /// Tokens.
    pub usage: Usage,
    /// Why it stopped, once it has.
    pub stop: Option<Stop>,
}

impl Gathered {
    /// Everything that `deltas` say.
    pub fn of<'a>(deltas: impl IntoIterator<Item = &'a Delta>) -> Self {
        let mut gathered = Self::default();
        for delta in deltas {
            gathered.add(delta);
        }
        gathered
    }

    /// One more piece.
    pub fn add(&mut self, delta: &Delta) {
        match delta {
            Delta::Started { model, .. } => self.model.clone_from(model),
            Delta::Text { text } => self.text.push_str(text),
            Delta::Thinking { text } => self.thinking.text.push_str(text),
            Delta::Signature { text } => self.thinking.signature.push_str(text),
            Delta::CallStarted { .. } | Delta::CallArguments { .. } => {}
            Delta::CallComplete {
                id,
                name,
                arguments,
                ..
            } => self.calls.push(ProposedCall {
                id: id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
                fault: None,
            }),
            Delta::Usage { usage } => self.usage = *usage,
            Delta::Stopped { stop } => self.stop = Some(*stop),
        }
    }

    /// The answer that it is, with the calls that the text holds.
    ///
    /// Calls in the provider's form count whatever the format: a server may well read
    /// the model's text by itself. Calls in the text get ids that begin with `prefix`.
    ///
    /// # Errors
    /// When there is nothing in it.
    pub fn answer(
        self,
        format: CallFormat,
        tools: &[crate::message::Tool],
        prefix: &str,
    ) -> Result<Answer, Failure> {
        if self.text.trim().is_empty() && self.calls.is_empty() {
            return Err(Failure::new(
                FailureKind::Empty,
                "neither text nor tool calls",
            ));
        }
        let found = read(format, &self.text, tools, prefix);
        let calls = self.calls.into_iter().chain(found.calls).collect();
        Ok(Answer {
            model: self.model,
            text: self.text,
            prose: found.prose,
            thinking: self.thinking,
            calls,
            malformed: found.malformed,
            usage: self.usage,
            stop: self.stop.unwrap_or_default(),
            ..Answer::default()
        })
    }
}
