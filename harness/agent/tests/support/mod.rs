//! A world for runs: a model and tools whose answers depend on a seed and on nothing
//! else, and a driver that does the effects in whatever order it is told.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use agent::context::{ContextRule, ContextStrategy};
use agent::digest::mix;
use agent::machine::{
    Answer, Effect, Event, Limits, Machine, ModelChoice, Place, Setup, ToolEnding, ToolResult,
};
use agent::message::{Message, ProposedCall, Role, Tool, Usage};
use agent::parse::CallFormat;
use agent::prompt::Prompt;
use agent::transcript::Entry;
use agent::wire::{Failure, FailureKind};
use serde_json::json;

/// Steps of one run; one that takes more has no end.
const MAX_STEPS: usize = 20_000;

/// A setup that differs with the seed.
pub(crate) fn setup(seed: u64) -> Setup {
    let pick = |position, among: u64| mix(seed, position) % among;
    let strategy = [
        ContextStrategy::Importance,
        ContextStrategy::Recent,
        ContextStrategy::SlidingWindow,
        ContextStrategy::Summary,
    ][usize::try_from(pick(1, 4)).unwrap()];
    let format = [CallFormat::Native, CallFormat::Hermes][usize::try_from(pick(2, 2)).unwrap()];
    let model = |name: &str| ModelChoice {
        format,
        ..ModelChoice::new("p", name)
    };
    Setup {
        run: format!("run-{seed}"),
        depth: 0,
        seed,
        models: vec![model("first"), model("second")],
        system: "be brief".to_owned(),
        messages: vec![
            Message::text(Role::System, "always here"),
            Message::user("an old question"),
            Message::assistant("an old answer", Vec::new()),
            Message::user("do it"),
        ],
        tools: vec![tool("once", false), tool("again", true)],
        limits: Limits::default(),
        context: ContextRule {
            strategy,
            budget_tokens: 60 + usize::try_from(pick(3, 400)).unwrap(),
            window: 8,
        },
    }
}

pub(crate) fn tool(name: &str, repeatable: bool) -> Tool {
    Tool {
        name: name.to_owned(),
        description: "does it".to_owned(),
        parameters: json!({"type": "object"}),
        repeatable,
        trusted: repeatable,
    }
}

pub(crate) fn call(id: &str, name: &str) -> ProposedCall {
    ProposedCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
        fault: None,
    }
}

pub(crate) fn done(content: &str) -> ToolResult {
    ToolResult {
        ending: ToolEnding::Succeeded,
        content: content.to_owned(),
        output_sha256: None,
    }
}

/// What the model says to its call `number`.
pub(crate) fn answer(seed: u64, number: u32) -> Result<Answer, Failure> {
    let pick = |position: u64, among: u64| mix(seed ^ (u64::from(number) << 32), position) % among;
    if pick(0, 8) == 0 {
        let kinds = [
            FailureKind::Overloaded,
            FailureKind::Cut,
            FailureKind::Auth,
            FailureKind::RateLimited,
        ];
        let mut failure = Failure::new(kinds[usize::try_from(pick(1, 4)).unwrap()], "x");
        failure.retry_after_ms = (pick(2, 2) == 0).then_some(pick(3, 90_000));
        return Err(failure);
    }
    let count = [0, 1, 1, 2, 3, 6, 9, 12][usize::try_from(pick(4, 8)).unwrap()];
    let calls = (0..count)
        .map(|index| {
            let name =
                ["once", "again", "unknown"][usize::try_from(pick(10 + index, 7) % 3).unwrap()];
            let mut call = call(&format!("c{number}-{index}"), name);
            call.fault = (pick(40 + index, 10) == 0).then(|| "it does not fit".to_owned());
            call
        })
        .collect();
    let malformed = if pick(5, 10) == 0 {
        vec!["it is not JSON".to_owned()]
    } else {
        Vec::new()
    };
    let faults = if pick(6, 4) == 0 {
        vec!["too short".to_owned()]
    } else {
        Vec::new()
    };
    Ok(Answer {
        text: format!("answer {number}"),
        prose: format!("answer {number}"),
        calls,
        malformed,
        faults,
        usage: Usage {
            input_tokens: 10,
            output_tokens: 2,
            ..Usage::default()
        },
        ..Answer::default()
    })
}

/// What a tool gives back.
pub(crate) fn result(seed: u64, place: Place) -> ToolResult {
    let word = mix(
        seed ^ u64::from(place.iteration),
        1_000 + place.index as u64,
    );
    let ending = [
        ToolEnding::Succeeded,
        ToolEnding::Failed,
        ToolEnding::TimedOut,
        ToolEnding::Denied,
    ][usize::try_from(word % 4).unwrap()];
    ToolResult {
        ending,
        content: format!("{word:x}").repeat(usize::try_from(word % 9).unwrap()),
        output_sha256: None,
    }
}

/// Something that is still to be done.
#[derive(Debug, Clone)]
pub(crate) enum Todo {
    Effect(Effect),
    /// A tool runs.
    Finish(Place),
}

/// A run, driven.
#[derive(Debug, Clone, Default)]
pub(crate) struct Driven {
    pub(crate) seed: u64,
    pub(crate) machine: Machine,
    pub(crate) events: Vec<Event>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) todo: Vec<Todo>,
    pub(crate) prompts: Vec<(u32, Prompt)>,
    /// What the ledger of this world knows: tools that were run, and how often.
    pub(crate) ran: BTreeMap<Place, u32>,
    pub(crate) done: u32,
    pub(crate) most_busy: usize,
}

impl Driven {
    pub(crate) fn start(setup: Setup) -> Self {
        let mut driven = Self {
            seed: setup.seed,
            ..Self::default()
        };
        driven.tell(Event::Started(Box::new(setup)));
        driven
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push(event.clone());
        for effect in self.machine.step(event) {
            match effect {
                Effect::Record { entry } => self.entries.push(*entry),
                Effect::Done { .. } => self.done += 1,
                Effect::Taint { .. } => {}
                Effect::StopModel { .. } | Effect::StopTool { .. } => {}
                Effect::CallModel {
                    call, ref prompt, ..
                } => {
                    self.prompts.push((call, (**prompt).clone()));
                    self.todo.push(Todo::Effect(effect));
                }
                Effect::RunTool { .. }
                | Effect::RecoverTool { .. }
                | Effect::AskApproval { .. }
                | Effect::Sleep { .. } => self.todo.push(Todo::Effect(effect)),
            }
        }
        let busy = self
            .todo
            .iter()
            .filter(|todo| matches!(todo, Todo::Finish(_) | Todo::Effect(Effect::RunTool { .. })));
        self.most_busy = self.most_busy.max(busy.count());
    }

    /// Do one of the things that are to be done.
    pub(crate) fn turn(&mut self, choice: usize) -> bool {
        if self.todo.is_empty() {
            return false;
        }
        let todo = self.todo.remove(choice % self.todo.len());
        match todo {
            Todo::Finish(place) => {
                *self.ran.entry(place).or_default() += 1;
                self.tell(Event::ToolFinished {
                    place,
                    result: result(self.seed, place),
                });
            }
            Todo::Effect(effect) => self.act(effect),
        }
        true
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::CallModel { call, .. } => match answer(self.seed, call) {
                Ok(answer) => self.tell(Event::Answered {
                    call,
                    answer: Box::new(answer),
                }),
                Err(failure) => self.tell(Event::AnswerFailed { call, failure }),
            },
            Effect::RunTool {
                place, approved_by, ..
            } => {
                let held = approved_by.is_none()
                    && mix(self.seed, 77 + place.index as u64).is_multiple_of(9);
                if held {
                    self.tell(Event::ToolHeld {
                        place,
                        reason: "ask first".to_owned(),
                    });
                } else {
                    self.todo.push(Todo::Finish(place));
                    self.tell(Event::ToolStarted {
                        place,
                        record: format!("{place:?}"),
                    });
                }
            }
            Effect::RecoverTool { place, .. } if self.ran.contains_key(&place) => {
                self.tell(Event::ToolFinished {
                    place,
                    result: result(self.seed, place),
                });
            }
            Effect::RecoverTool { place, .. } => self.tell(Event::ToolUntouched { place }),
            Effect::AskApproval { place, .. } => self.tell(Event::Approved {
                place,
                by: "ada".to_owned(),
            }),
            Effect::Sleep { timer, .. } => self.tell(Event::Woken { timer }),
            Effect::Record { .. }
            | Effect::StopModel { .. }
            | Effect::StopTool { .. }
            | Effect::Taint { .. }
            | Effect::Done { .. } => {}
        }
    }

    /// To the end, in an order that `order` decides.
    pub(crate) fn finish(mut self, order: u64) -> Self {
        for step in 0..MAX_STEPS {
            let choice = usize::try_from(mix(order, step as u64) % 1_000).unwrap();
            if !self.turn(choice) {
                return self;
            }
        }
        panic!("the run has no end");
    }

    /// The process dies: what was under way is lost, but for what tools had done.
    pub(crate) fn crash(&self, at: usize, tools_end_first: bool) -> Self {
        let machine = Machine::fold(self.events[..at].iter().cloned());
        let mut after = Self {
            seed: self.seed,
            machine,
            ..Self::default()
        };
        let mut again = Machine::new();
        for event in &self.events[..at] {
            for effect in again.step(event.clone()) {
                if let Effect::Record { entry } = effect {
                    after.entries.push(*entry);
                }
            }
            after.remember(event, tools_end_first);
            after.events.push(event.clone());
        }
        after.tell(Event::Resumed);
        after
    }

    fn remember(&mut self, event: &Event, tools_end_first: bool) {
        match event {
            Event::ToolStarted { place, .. } if tools_end_first => {
                self.ran.entry(*place).or_insert(1);
            }
            Event::ToolFinished { place, .. } => {
                self.ran.entry(*place).or_insert(1);
            }
            _ => {}
        }
    }
}

/// Ids of calls that were proposed and of those that were answered, in order.
pub(crate) fn calls_and_results(entries: &[Entry]) -> (Vec<String>, Vec<String>) {
    let mut proposed = Vec::new();
    let mut answered = Vec::new();
    for entry in entries {
        if let Entry::Message {
            tool_calls,
            tool_call_id,
            ..
        } = entry
        {
            proposed.extend(tool_calls.iter().map(|call| call.id.clone()));
            answered.extend(tool_call_id.clone());
        }
    }
    (proposed, answered)
}

pub(crate) fn distinct<T: Ord + Clone>(all: &[T]) -> usize {
    all.iter().cloned().collect::<BTreeSet<_>>().len()
}
