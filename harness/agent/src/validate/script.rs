//! A model and tools that say what a script says: a whole run without I/O.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::machine::{Answer, Effect, Event, Machine, Setup, ToolEnding, ToolResult};
use crate::message::{ProposedCall, Stop, Tool, Usage};
use crate::parse::{CallFormat, check_calls, read};
use crate::transcript::Entry;
use crate::wire::{Failure, FailureKind};

/// Effects of one run; a script that makes more has no end.
const MAX_STEPS: usize = 10_000;

/// What is said, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Answers of the model.
    pub answers: Vec<ScriptedAnswer>,
    /// What tools give back.
    pub tools: Vec<ScriptedTool>,
}

/// One answer of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedAnswer {
    /// What it says; calls in it are read in the format of the model.
    pub text: String,
    /// Calls in the provider's own form.
    pub calls: Vec<ScriptedCall>,
    /// It fails instead.
    pub fails: Option<FailureKind>,
}

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool.
    pub name: String,
    /// JSON.
    pub arguments: String,
}

/// What a tool gives back, to each of its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedTool {
    /// The tool.
    pub name: String,
    /// What it gives back.
    #[serde(default)]
    pub output: String,
    /// It fails.
    #[serde(default)]
    pub fails: bool,
}

impl Script {
    /// Run it, to its end, and give back what the transcript says.
    #[must_use]
    pub fn run(&self, setup: Setup) -> Vec<Entry> {
        let tools = setup.tools.clone();
        let format = setup
            .models
            .first()
            .map(|model| model.format)
            .unwrap_or_default();
        let mut machine = Machine::new();
        let mut entries = Vec::new();
        let mut answers = self.answers.iter();
        let mut todo: VecDeque<Effect> = machine.step(Event::Started(Box::new(setup))).into();
        for _ in 0..MAX_STEPS {
            let Some(effect) = todo.pop_front() else {
                break;
            };
            let event = match effect {
                Effect::Record { entry } => {
                    entries.push(*entry);
                    continue;
                }
                Effect::CallModel { call, .. } => answered(call, answers.next(), format, &tools),
                Effect::RunTool { place, call, .. } => Event::ToolFinished {
                    place,
                    result: self.result(&call),
                },
                Effect::Sleep { timer, .. } => Event::Woken { timer },
                Effect::AskApproval { place, .. } => Event::Approved {
                    place,
                    by: "script".to_owned(),
                },
                Effect::StopModel { .. }
                | Effect::StopTool { .. }
                | Effect::RecoverTool { .. }
                | Effect::Taint { .. }
                | Effect::Done { .. } => continue,
            };
            todo.extend(machine.step(event));
        }
        entries
    }

    fn result(&self, call: &ProposedCall) -> ToolResult {
        let known = self.tools.iter().find(|tool| tool.name == call.name);
        let (ending, content) = match known {
            Some(tool) if tool.fails => (ToolEnding::Failed, tool.output.clone()),
            Some(tool) => (ToolEnding::Succeeded, tool.output.clone()),
            None => (
                ToolEnding::Failed,
                "the script says nothing of this tool".to_owned(),
            ),
        };
        ToolResult {
            ending,
            content,
            output_sha256: None,
        }
    }
}

fn answered(
    call: u32,
    scripted: Option<&ScriptedAnswer>,
    format: CallFormat,
    tools: &[Tool],
) -> Event {
    let failed = |kind, why| Event::AnswerFailed {
        call,
        failure: Failure::new(kind, why),
    };
    match scripted {
        None => failed(FailureKind::Invalid, "the script is over"),
        Some(ScriptedAnswer {
            fails: Some(kind), ..
        }) => failed(*kind, "as the script says"),
        Some(scripted) => {
            let answer = Box::new(scripted.answer(call, format, tools));
            Event::Answered { call, answer }
        }
    }
}

impl ScriptedAnswer {
    fn answer(&self, call: u32, format: CallFormat, tools: &[Tool]) -> Answer {
        let found = read(format, &self.text, tools, &format!("call_{call}_"));
        let own = self
            .calls
            .iter()
            .enumerate()
            .map(|(number, scripted)| ProposedCall {
                id: format!("call_{call}_own_{number}"),
                name: scripted.name.clone(),
                arguments: scripted.arguments.clone(),
                fault: None,
            });
        let mut calls: Vec<_> = own.chain(found.calls).collect();
        check_calls(&mut calls, tools);
        let stop = if calls.is_empty() {
            Stop::Finished
        } else {
            Stop::ToolCalls
        };
        Answer {
            model: "script".to_owned(),
            text: self.text.clone(),
            prose: found.prose,
            calls,
            malformed: found.malformed,
            usage: Usage {
                output_tokens: 1,
                ..Usage::default()
            },
            stop,
            ..Answer::default()
        }
    }
}
