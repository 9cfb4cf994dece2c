//! The agent loop without I/O.
//!
//! ```text
//!             ┌──────────────────────── pushed messages ◄─┐
//!             ▼                                           │
//!  Started ─► Asking ──Answered──► Acting ──all committed─┘
//!              │  ▲ │                 │ ToolStarted, ToolFinished, ToolHeld, Approved …
//!  AnswerFailed│  │ └─ no calls ─► Ended
//!              ▼  │Woken
//!             Waiting
//! ```
//!
//! [`Machine::step`] takes what happened and returns what is to be done. The state is
//! the fold of the events, so a journal of them is checkpoint, replay and test at once.
//! Results of tools are committed in the order of the calls, whatever finished first.
//!
//! It knows no clock, no chance and no file, and it cannot fail: an event that does not
//! fit changes nothing.

mod effect;
mod event;
mod limits;
mod model;
mod state;
mod tools;

pub use effect::{Effect, End, RunEnding};
pub use event::{Answer, Event, ModelChoice, Place, Setup, ToolChoice, ToolEnding, ToolResult};
pub use limits::{Limits, Retry, clip};
pub use state::{Phase, Progress, Slot, State, Summary};

use std::sync::Arc;

use crate::message::{Message, Role};
use crate::transcript::Entry;

/// A run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    state: State,
}

impl Machine {
    /// A run that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The run that these events make.
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Self {
        let mut machine = Self::new();
        for event in events {
            machine.step(event);
        }
        machine
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match &self.state.phase {
            Phase::Ended(end) => Some(end),
            Phase::New
            | Phase::Asking { .. }
            | Phase::Summarising { .. }
            | Phase::Waiting { .. }
            | Phase::Acting { .. } => None,
        }
    }

    /// Something happened: what is to be done now, in this order.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            Event::Started(setup) => self.started(*setup, &mut out),
            Event::Pushed { message } => self.pushed(message),
            Event::Answered { call, answer } => self.answered(call, *answer, &mut out),
            Event::AnswerFailed { call, failure } => self.answer_failed(call, failure, &mut out),
            Event::Woken { timer } => self.woken(timer, &mut out),
            Event::ToolStarted { place, record } => self.tool_started(place, record),
            Event::ToolFinished { place, result } => self.tool_finished(place, result, &mut out),
            Event::ToolHeld { place, reason } => self.tool_held(place, reason, &mut out),
            Event::ToolUntouched { place } => self.tool_untouched(place, &mut out),
            Event::Approved { place, by } => self.approved(place, by, &mut out),
            Event::Refused { place, by, reason } => self.refused(place, &by, &reason, &mut out),
            Event::Cancelled { reason, partial } => self.cancelled(&reason, &partial, &mut out),
            Event::Resumed => self.resumed(&mut out),
        }
        out
    }

    fn started(&mut self, setup: Setup, out: &mut Vec<Effect>) {
        if self.state.setup.is_some() {
            return;
        }
        let too_deep = setup.depth > setup.limits.nested_runs;
        let setup = Arc::new(setup);
        self.state.setup = Some(Arc::clone(&setup));
        if too_deep {
            let detail = format!("{} runs inside of each other", setup.depth);
            return self.finish(RunEnding::TooDeep, "", &detail, None, out);
        }
        for message in &setup.messages {
            self.commit(message.clone(), out);
        }
        self.next_iteration(out);
    }

    fn pushed(&mut self, message: Message) {
        let Some(setup) = &self.state.setup else {
            return;
        };
        if self.end().is_none() && self.state.pushed.len() < setup.limits.pushed_messages {
            self.state.pushed.push(message);
        }
    }

    /// Ask the model again, with everything that was said in the meantime.
    fn next_iteration(&mut self, out: &mut Vec<Effect>) {
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        for message in std::mem::take(&mut self.state.pushed) {
            self.commit(message, out);
        }
        if self.state.iteration >= setup.limits.iterations {
            let detail = format!("{} calls of the model", self.state.iteration);
            let text = self.last_words();
            return self.finish(RunEnding::TooManyIterations, &text, &detail, None, out);
        }
        self.state.iteration += 1;
        self.state.attempt = 0;
        self.ask(out);
    }

    /// The last text of the model.
    fn last_words(&self) -> String {
        self.state
            .messages
            .iter()
            .rev()
            .find(|message| message.role == Role::Assistant && !message.content.is_empty())
            .map(|message| message.content.to_string())
            .unwrap_or_default()
    }

    /// Make `message` a part of the conversation, for ever.
    fn commit(&mut self, message: Message, out: &mut Vec<Effect>) {
        let iteration = (self.state.iteration > 0).then_some(self.state.iteration);
        let message = Arc::new(message);
        record(Entry::message(iteration, &message), out);
        self.state.messages.push(message);
    }

    fn finish(
        &mut self,
        ending: RunEnding,
        text: &str,
        detail: &str,
        score_permille: Option<u32>,
        out: &mut Vec<Effect>,
    ) {
        let end = End {
            ending,
            text: text.to_owned(),
            detail: detail.to_owned(),
            iterations: self.state.iteration,
            retries: self.state.retries,
            usage: self.state.usage,
            score_permille,
        };
        record(Entry::ended(&end), out);
        let end = Box::new(end);
        self.state.phase = Phase::Ended(end.clone());
        out.push(Effect::Done { end });
    }

    fn cancelled(&mut self, reason: &str, partial: &str, out: &mut Vec<Effect>) {
        match std::mem::take(&mut self.state.phase) {
            // Nothing to cancel.
            phase @ (Phase::New | Phase::Ended(_)) => {
                self.state.phase = phase;
                return;
            }
            Phase::Asking { call } | Phase::Summarising { call, .. } => {
                out.push(Effect::StopModel { call });
            }
            Phase::Waiting { .. } => {}
            Phase::Acting { slots, committed } => self.abandon(slots, committed, reason, out),
        }
        if !partial.is_empty() {
            self.commit(Message::assistant(partial, Vec::new()), out);
        }
        let text = if partial.is_empty() {
            self.last_words()
        } else {
            partial.to_owned()
        };
        self.finish(RunEnding::Cancelled, &text, reason, None, out);
    }

    /// Another process drives the run now: what was under way is asked for again.
    fn resumed(&mut self, out: &mut Vec<Effect>) {
        match &self.state.phase {
            Phase::New | Phase::Ended(_) => {}
            // A call of the model has no effect but its cost.
            Phase::Asking { call } | Phase::Summarising { call, .. } => self.ask_again(*call, out),
            &Phase::Waiting { timer, wall_ms } => out.push(Effect::Sleep { timer, wall_ms }),
            Phase::Acting { .. } => self.tools_resumed(out),
        }
    }
}

fn record(entry: Entry, out: &mut Vec<Effect>) {
    out.push(Effect::Record {
        entry: Box::new(entry),
    });
}
