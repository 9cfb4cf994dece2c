//! The machine's side towards the model: asking, reading answers, trying again.

use std::sync::Arc;

use super::effect::{Effect, RunEnding};
use super::event::{Answer, ModelChoice, Setup};
use super::state::{Phase, Progress, Slot, Summary};
use super::{Machine, ToolEnding, ToolResult, record};
use crate::context;
use crate::message::{Message, ProposedCall};
use crate::prompt::Prompt;
use crate::resilience::backoff;
use crate::transcript::{Attempt, Entry, Request};
use crate::wire::Failure;

/// A call of the model, ready to be made.
struct Composed {
    model: ModelChoice,
    prompt: Prompt,
    /// Messages that it does not hold.
    dropped: Vec<usize>,
    /// It is to shorten the messages before this one.
    summarise: Option<usize>,
}

impl Composed {
    fn call(self, call: u32) -> Effect {
        Effect::CallModel {
            call,
            model: Box::new(self.model),
            prompt: Box::new(self.prompt),
        }
    }
}

impl Machine {
    /// Ask the model that is chosen now, with the conversation as it is now.
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        let Some(composed) = self.compose() else {
            return self.finish(
                RunEnding::ModelFailed,
                "",
                "no model is configured",
                None,
                out,
            );
        };
        let call = self.state.next_call;
        self.state.next_call += 1;
        self.show_once(&composed.prompt, out);
        let request = Request {
            call,
            iteration: self.state.iteration,
            attempt: self.state.attempt,
            dropped: composed.dropped.clone(),
            summarising: composed.summarise.is_some(),
        };
        record(
            Entry::request(request, &composed.model, &composed.prompt),
            out,
        );
        self.state.phase = match composed.summarise {
            Some(until) => Phase::Summarising { call, until },
            None => Phase::Asking { call },
        };
        out.push(composed.call(call));
    }

    /// Ask once more what was asked last. The transcript has it already.
    pub(super) fn ask_again(&self, call: u32, out: &mut Vec<Effect>) {
        out.extend(self.compose().map(|composed| composed.call(call)));
    }

    /// What the model is to be asked now: a function of the state.
    fn compose(&self) -> Option<Composed> {
        let setup = self.state.setup.as_deref()?;
        let model = setup.models.get(self.state.model)?;
        let from = self
            .state
            .summary
            .as_ref()
            .map_or(0, |summary| summary.until);
        let rest = self.state.messages.get(from..).unwrap_or_default();
        let selection = context::select(&setup.context, rest);
        let summary = self.state.summary.as_ref().map(|summary| &*summary.text);
        let composed = match selection.to_summarise() {
            None => Composed {
                model: model.clone(),
                prompt: Prompt::new(
                    &setup.system,
                    summary,
                    selection.kept(rest),
                    &setup.tools,
                    model.format,
                ),
                dropped: (0..from)
                    .chain(selection.dropped().map(|index| from + index))
                    .collect(),
                summarise: None,
            },
            Some(count) => Composed {
                model: model.clone(),
                prompt: Prompt::summarising(
                    &setup.system,
                    summary,
                    rest.get(..count).unwrap_or_default(),
                    model.format,
                ),
                dropped: (0..from)
                    .chain(from + count..self.state.messages.len())
                    .collect(),
                summarise: Some(from + count),
            },
        };
        Some(composed)
    }

    /// The transcript has the system prompt and the tool schemas once each change.
    fn show_once(&mut self, prompt: &Prompt, out: &mut Vec<Effect>) {
        let system = prompt.system_digest();
        if self.state.shown_system.as_ref() != Some(&system) {
            record(Entry::system(&prompt.system, &system), out);
            self.state.shown_system = Some(system);
        }
        let tools = prompt.tools_digest();
        if self.state.shown_tools.as_ref() != Some(&tools) {
            record(Entry::tools(&prompt.tools, &tools), out);
            self.state.shown_tools = Some(tools);
        }
    }

    pub(super) fn answered(&mut self, call: u32, answer: Answer, out: &mut Vec<Effect>) {
        match self.state.phase {
            Phase::Asking { call: asked } if asked == call => {
                self.account(call, &answer, out);
                self.read(answer, out);
            }
            Phase::Summarising { call: asked, until } if asked == call => {
                self.account(call, &answer, out);
                self.state.attempt = 0;
                self.summarised(until, &answer.prose, out);
            }
            // Late, or twice.
            Phase::New
            | Phase::Asking { .. }
            | Phase::Summarising { .. }
            | Phase::Waiting { .. }
            | Phase::Acting { .. }
            | Phase::Ended(_) => {}
        }
    }

    fn summarised(&mut self, until: usize, text: &str, out: &mut Vec<Effect>) {
        let text = Arc::from(text);
        record(Entry::summary(until, &text), out);
        self.state.summary = Some(Summary { until, text });
        self.ask(out);
    }

    fn account(&mut self, call: u32, answer: &Answer, out: &mut Vec<Effect>) {
        self.state.usage = self.state.usage.plus(answer.usage);
        let iteration = self.state.iteration;
        record(Entry::response(call, iteration, answer), out);
        let format = self.format();
        record(Entry::interpreted(call, iteration, format, answer), out);
    }

    fn format(&self) -> crate::parse::CallFormat {
        let setup = self.state.setup.as_ref();
        setup
            .and_then(|setup| setup.models.get(self.state.model))
            .map(|model| model.format)
            .unwrap_or_default()
    }

    /// Decide what an answer is: calls to run, a final answer, or neither.
    fn read(&mut self, answer: Answer, out: &mut Vec<Effect>) {
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        let mut message = Message::assistant(&answer.prose, answer.calls.clone());
        message.thinking = answer.thinking.clone();
        self.commit(message, out);
        let unreadable =
            !answer.malformed.is_empty() || answer.calls.iter().any(|call| call.fault.is_some());
        let readable = answer.calls.iter().any(|call| call.fault.is_none());
        self.state.malformed = if unreadable && !readable {
            self.state.malformed + 1
        } else {
            0
        };
        if self.state.malformed > setup.limits.malformed_in_row {
            let detail = answer.malformed.join("; ");
            return self.finish(RunEnding::Malformed, &answer.prose, &detail, None, out);
        }
        if !answer.malformed.is_empty() {
            let complaint = complaint("calls that cannot be read", &answer.malformed);
            self.state.pushed.insert(0, Message::user(&complaint));
        }
        if !answer.calls.is_empty() {
            return self.act(answer.calls, &setup, out);
        }
        if unreadable || !self.state.pushed.is_empty() {
            return self.next_iteration(out);
        }
        self.judge_answer(&answer, &setup, out);
    }

    fn act(&mut self, calls: Vec<ProposedCall>, setup: &Setup, out: &mut Vec<Effect>) {
        let most = setup.limits.calls_per_turn;
        let slots = calls
            .into_iter()
            .enumerate()
            .map(|(index, call)| slot(index, call, setup, most))
            .collect();
        self.state.phase = Phase::Acting {
            slots,
            committed: 0,
        };
        self.proceed(out);
    }

    /// A final answer: good, to be given again, or to be given by another model.
    fn judge_answer(&mut self, answer: &Answer, setup: &Setup, out: &mut Vec<Effect>) {
        let score = answer.score_permille;
        if answer.faults.is_empty() {
            return self.finish(RunEnding::Answered, &answer.prose, "", score, out);
        }
        self.state.rejected += 1;
        if self.state.rejected > setup.limits.rejected_answers {
            if self.state.model + 1 >= setup.models.len() {
                let detail = answer.faults.join("; ");
                return self.finish(RunEnding::Flagged, &answer.prose, &detail, score, out);
            }
            self.state.model += 1;
            self.state.rejected = 0;
        }
        let complaint = complaint("an answer that does not do", &answer.faults);
        self.state.pushed.push(Message::user(&complaint));
        self.next_iteration(out);
    }

    pub(super) fn answer_failed(&mut self, call: u32, failure: Failure, out: &mut Vec<Effect>) {
        let summarising = match self.state.phase {
            Phase::Asking { call: asked } if asked == call => None,
            Phase::Summarising { call: asked, until } if asked == call => Some(until),
            Phase::New
            | Phase::Asking { .. }
            | Phase::Summarising { .. }
            | Phase::Waiting { .. }
            | Phase::Acting { .. }
            | Phase::Ended(_) => return,
        };
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        let wait = self.wait_after(&setup, &failure);
        let others = self.state.model + 1 < setup.models.len();
        let status = Attempt::of(&failure, wait.is_some(), self.state.attempt);
        record(
            Entry::failed(call, self.state.iteration, status, &failure),
            out,
        );
        if let Some(wall_ms) = wait {
            self.wait(wall_ms, out);
        } else if let Some(until) = summarising {
            // What cannot be shortened is left out.
            self.state.attempt = 0;
            self.summarised(
                until,
                "(The beginning of the conversation is left out.)",
                out,
            );
        } else if others && failure.kind.is_the_providers() {
            self.state.model += 1;
            self.state.attempt = 0;
            self.ask(out);
        } else {
            let text = self.last_words();
            self.finish(
                RunEnding::ModelFailed,
                &text,
                &failure.to_string(),
                None,
                out,
            );
        }
    }

    /// How long to wait before another attempt, if there is to be one.
    fn wait_after(&self, setup: &Setup, failure: &Failure) -> Option<u64> {
        let retry = &setup.limits.retry;
        if !failure.kind.is_transient() || self.state.attempt >= retry.retries {
            return None;
        }
        let seed = setup.seed.wrapping_add(u64::from(self.state.next_call));
        let own = backoff::wait_ms(retry.base_ms, retry.most_ms, self.state.attempt, seed);
        let asked = failure.retry_after_ms.unwrap_or(0);
        (asked <= retry.most_ms).then_some(own.max(asked))
    }

    fn wait(&mut self, wall_ms: u64, out: &mut Vec<Effect>) {
        let timer = self.state.next_timer;
        self.state.next_timer += 1;
        self.state.attempt += 1;
        self.state.retries += 1;
        self.state.phase = Phase::Waiting { timer, wall_ms };
        out.push(Effect::Sleep { timer, wall_ms });
    }

    pub(super) fn woken(&mut self, timer: u32, out: &mut Vec<Effect>) {
        if matches!(self.state.phase, Phase::Waiting { timer: waited, .. } if waited == timer) {
            self.ask(out);
        }
    }
}

fn slot(index: usize, call: ProposedCall, setup: &Setup, most: usize) -> Slot {
    let progress = match refusal(index, &call, setup, most) {
        None => Progress::Queued,
        Some(content) => Progress::Finished {
            result: ToolResult {
                ending: ToolEnding::NotRun,
                content,
                output_sha256: None,
            },
        },
    };
    Slot {
        call,
        progress,
        approved_by: None,
    }
}

/// Why a call is not even asked for.
fn refusal(index: usize, call: &ProposedCall, setup: &Setup, most: usize) -> Option<String> {
    if index >= most {
        return Some(format!(
            "not run: at most {most} calls in one message; call it again"
        ));
    }
    if let Some(fault) = &call.fault {
        return Some(format!("not run: {fault}"));
    }
    if !setup.tools.iter().any(|tool| tool.name == call.name) {
        let names: Vec<_> = setup.tools.iter().map(|tool| tool.name.as_str()).collect();
        return Some(format!(
            "not run: there is no such tool; there are: {}",
            names.join(", ")
        ));
    }
    None
}

fn complaint(what: &str, faults: &[String]) -> String {
    format!(
        "Your message holds {what}: {}. Write it again.",
        faults.join("; ")
    )
}
