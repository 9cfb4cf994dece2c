//! The loop, step by step.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::sliced_string_as_bytes,
    dead_code,
    reason = "tests"
)]

mod support;

use agent::machine::{Answer, Effect, Event, Machine, ModelChoice, Place, RunEnding, ToolEnding};
use agent::message::{Message, Role};
use agent::transcript::Entry;
use agent::wire::{Failure, FailureKind};
use support::{call, done, setup};

fn begun(change: impl FnOnce(&mut agent::machine::Setup)) -> (Machine, Vec<Effect>) {
    let mut setup = setup(0);
    setup.context = agent::context::ContextRule::default();
    setup.models = vec![
        ModelChoice::new("p", "first"),
        ModelChoice::new("q", "second"),
    ];
    change(&mut setup);
    let mut machine = Machine::new();
    let effects = machine.step(Event::Started(Box::new(setup)));
    (machine, effects)
}

fn says(machine: &mut Machine, call: u32, prose: &str, calls: &[(&str, &str)]) -> Vec<Effect> {
    let calls = calls
        .iter()
        .map(|(id, name)| support::call(id, name))
        .collect();
    let answer = Answer {
        prose: prose.to_owned(),
        calls,
        ..Answer::default()
    };
    machine.step(Event::Answered {
        call,
        answer: Box::new(answer),
    })
}

fn tools(effects: &[Effect]) -> Vec<usize> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::RunTool { place, .. } => Some(place.index),
            _ => None,
        })
        .collect()
}

fn asked(effects: &[Effect]) -> Option<(u32, String)> {
    effects.iter().find_map(|effect| match effect {
        Effect::CallModel { call, model, .. } => Some((*call, model.model.clone())),
        _ => None,
    })
}

fn results(machine: &Machine) -> Vec<String> {
    let messages = machine.state().messages.iter();
    messages
        .filter(|message| message.role == Role::Tool)
        .map(|message| message.content.to_string())
        .collect()
}

fn at(index: usize) -> Place {
    Place {
        iteration: 1,
        index,
    }
}

#[test]
fn five_tools_run_at_once_and_results_come_in_the_order_of_the_calls() {
    let (mut machine, _) = begun(|_| {});
    let calls: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"]
        .map(|id| (id, "once"))
        .to_vec();
    let effects = says(&mut machine, 0, "", &calls);
    assert_eq!(tools(&effects), [0, 1, 2, 3, 4]);
    let more = machine.step(Event::ToolFinished {
        place: at(3),
        result: done("third"),
    });
    assert_eq!(tools(&more), [5]);
    assert!(results(&machine).is_empty(), "the first is not there yet");
    for index in [6, 5, 4, 2, 1, 0] {
        machine.step(Event::ToolFinished {
            place: at(index),
            result: done(&index.to_string()),
        });
    }
    // The seventh was not running when its result was told the first time.
    let effects = machine.step(Event::ToolFinished {
        place: at(6),
        result: done("6"),
    });
    assert_eq!(results(&machine), ["0", "1", "2", "third", "4", "5", "6"]);
    assert_eq!(asked(&effects).map(|(call, _)| call), Some(1));
}

#[test]
fn the_eleventh_call_an_unknown_tool_and_a_faulty_call_are_results() {
    let (mut machine, _) = begun(|_| {});
    let mut calls: Vec<_> = (0..11).map(|n| call(&n.to_string(), "once")).collect();
    calls[1].name = "rm".to_owned();
    calls[2].fault = Some("`code` is missing".to_owned());
    let answer = Box::new(Answer {
        calls,
        ..Answer::default()
    });
    machine.step(Event::Answered { call: 0, answer });
    for index in 0..10 {
        machine.step(Event::ToolFinished {
            place: at(index),
            result: done("ok"),
        });
    }
    let all = results(&machine);
    assert_eq!(all.len(), 11);
    assert_eq!(
        all[1],
        "not run: there is no such tool; there are: once, again"
    );
    assert_eq!(all[2], "not run: `code` is missing");
    assert!(all[10].starts_with("not run: at most 10 calls"));
}

#[test]
fn output_is_cut_to_its_head_and_tail() {
    let (mut machine, _) = begun(|_| {});
    says(&mut machine, 0, "", &[("a", "once")]);
    let long = format!("HEAD{}TAIL", "x".repeat(50_000));
    machine.step(Event::ToolFinished {
        place: at(0),
        result: done(&long),
    });
    let shown = &results(&machine)[0];
    assert!(shown.chars().count() <= 10_000);
    assert!(shown.starts_with("HEAD") && shown.ends_with("TAIL"));
}

#[test]
fn a_held_call_waits_for_a_person_and_others_go_on() {
    let (mut machine, _) = begun(|_| {});
    says(&mut machine, 0, "", &[("a", "once"), ("b", "once")]);
    let asked = machine.step(Event::ToolHeld {
        place: at(0),
        reason: "pays".to_owned(),
    });
    assert!(matches!(&asked[..], [Effect::AskApproval { reason, .. }] if reason == "pays"));
    machine.step(Event::ToolFinished {
        place: at(1),
        result: done("b"),
    });
    assert!(results(&machine).is_empty());
    let run = machine.step(Event::Approved {
        place: at(0),
        by: "ada".to_owned(),
    });
    assert!(matches!(&run[..], [Effect::RunTool { approved_by: Some(by), .. }] if by == "ada"));
    assert!(
        machine
            .step(Event::Approved {
                place: at(0),
                by: "eve".to_owned()
            })
            .is_empty()
    );
    machine.step(Event::ToolFinished {
        place: at(0),
        result: done("a"),
    });
    assert_eq!(results(&machine), ["a", "b"]);
}

#[test]
fn what_a_person_refuses_is_a_result() {
    let (mut machine, _) = begun(|_| {});
    says(&mut machine, 0, "", &[("a", "once")]);
    machine.step(Event::ToolHeld {
        place: at(0),
        reason: "pays".to_owned(),
    });
    let (by, reason) = ("ada".to_owned(), "too much".to_owned());
    let effects = machine.step(Event::Refused {
        place: at(0),
        by,
        reason,
    });
    assert_eq!(results(&machine), ["not run: refused by ada: too much"]);
    assert!(asked(&effects).is_some());
}

#[test]
fn the_words_of_strangers_taint_and_ours_do_not() {
    let (mut machine, _) = begun(|_| {});
    says(&mut machine, 0, "", &[("a", "again"), ("b", "once")]);
    let ours = machine.step(Event::ToolFinished {
        place: at(0),
        result: done("a"),
    });
    assert!(
        !ours
            .iter()
            .any(|effect| matches!(effect, Effect::Taint { .. }))
    );
    let mut denied = done("no");
    denied.ending = ToolEnding::Denied;
    let mut twin = machine.clone();
    twin.step(Event::ToolFinished {
        place: at(1),
        result: denied,
    });
    assert!(!twin.state().tainted, "what did not run said nothing");
    machine.step(Event::ToolFinished {
        place: at(1),
        result: done("b"),
    });
    assert!(machine.state().tainted);
}

#[test]
fn ten_iterations_are_all() {
    let (mut machine, _) = begun(|_| {});
    for iteration in 1..=10 {
        says(&mut machine, iteration - 1, "more", &[("a", "once")]);
        let place = Place {
            iteration,
            index: 0,
        };
        machine.step(Event::ToolFinished {
            place,
            result: done("a"),
        });
    }
    let end = machine.end().unwrap();
    assert_eq!(
        (end.ending, end.text.as_str()),
        (RunEnding::TooManyIterations, "more")
    );
}

#[test]
fn the_fourth_run_inside_of_runs_is_too_deep() {
    assert!(begun(|setup| setup.depth = 3).0.end().is_none());
    let (machine, effects) = begun(|setup| setup.depth = 4);
    assert_eq!(machine.end().unwrap().ending, RunEnding::TooDeep);
    assert!(asked(&effects).is_none());
}

#[test]
fn malformed_calls_go_back_three_times() {
    let (mut machine, _) = begun(|_| {});
    let malformed = || {
        Box::new(Answer {
            malformed: vec!["it is not JSON".to_owned()],
            ..Answer::default()
        })
    };
    for call in 0..3 {
        let effects = machine.step(Event::Answered {
            call,
            answer: malformed(),
        });
        assert_eq!(asked(&effects).map(|(call, _)| call), Some(call + 1));
        let last = machine.state().messages.last().unwrap();
        assert!(last.role == Role::User && last.content.contains("it is not JSON"));
    }
    machine.step(Event::Answered {
        call: 3,
        answer: malformed(),
    });
    assert_eq!(machine.end().unwrap().ending, RunEnding::Malformed);
}

#[test]
fn a_transient_failure_is_tried_again_and_then_another_model_is_asked() {
    let (mut machine, _) = begun(|_| {});
    let mut call = 0;
    for attempt in 0..2 {
        let failure = Failure::new(FailureKind::Overloaded, "");
        let effects = machine.step(Event::AnswerFailed { call, failure });
        let Some(Effect::Sleep { timer, wall_ms }) = effects.last() else {
            panic!("{effects:?}")
        };
        assert!(
            (500 << attempt..=1_000 << attempt).contains(wall_ms),
            "{wall_ms}"
        );
        call = asked(&machine.step(Event::Woken { timer: *timer }))
            .unwrap()
            .0;
    }
    let failure = Failure::new(FailureKind::Overloaded, "");
    let effects = machine.step(Event::AnswerFailed { call, failure });
    assert_eq!(asked(&effects), Some((3, "second".to_owned())));
    let effects = machine.step(Event::AnswerFailed {
        call: 3,
        failure: Failure::new(FailureKind::Auth, ""),
    });
    assert!(matches!(effects.last(), Some(Effect::Done { .. })));
    let end = machine.end().unwrap();
    assert_eq!((end.ending, end.retries), (RunEnding::ModelFailed, 2));
}

#[test]
fn what_the_provider_asks_for_is_waited_unless_it_is_too_long() {
    let wait = |retry_after_ms| {
        let (mut machine, _) = begun(|setup| setup.models.truncate(1));
        let mut failure = Failure::new(FailureKind::RateLimited, "");
        failure.retry_after_ms = Some(retry_after_ms);
        let effects = machine.step(Event::AnswerFailed { call: 0, failure });
        match effects.last() {
            Some(Effect::Sleep { wall_ms, .. }) => Some(*wall_ms),
            _ => None,
        }
    };
    assert_eq!(wait(20_000), Some(20_000));
    assert_eq!(wait(60_001), None);
}

#[test]
fn a_request_that_will_not_do_is_not_sent_to_others() {
    let (mut machine, _) = begun(|_| {});
    let failure = Failure::new(FailureKind::Invalid, "no");
    machine.step(Event::AnswerFailed { call: 0, failure });
    assert_eq!(
        machine.end().unwrap().detail,
        "the provider does not accept the request: `no`"
    );
}

#[test]
fn an_answer_that_is_turned_down_is_written_again_and_then_escalated() {
    let (mut machine, _) = begun(|_| {});
    let mut models = Vec::new();
    for call in 0..6 {
        let faults = vec!["it must be JSON".to_owned()];
        let answer = Answer {
            prose: "no".to_owned(),
            faults,
            ..Answer::default()
        };
        let effects = machine.step(Event::Answered {
            call,
            answer: Box::new(answer),
        });
        models.extend(asked(&effects).map(|(_, model)| model));
    }
    assert_eq!(models, ["first", "first", "second", "second", "second"]);
    let end = machine.end().unwrap();
    assert_eq!(
        (end.ending, end.detail.as_str()),
        (RunEnding::Flagged, "it must be JSON")
    );
}

#[test]
fn a_cancelled_answer_is_kept_as_far_as_it_came() {
    let (mut machine, _) = begun(|_| {});
    let (reason, partial) = ("enough".to_owned(), "It is 39".to_owned());
    let effects = machine.step(Event::Cancelled { reason, partial });
    assert!(matches!(effects[0], Effect::StopModel { call: 0 }));
    let end = machine.end().unwrap();
    assert_eq!(
        (end.ending, end.text.as_str()),
        (RunEnding::Cancelled, "It is 39")
    );
    assert!(says(&mut machine, 0, "late", &[]).is_empty());
}

#[test]
fn what_is_pushed_is_heard_before_the_next_call() {
    let (mut machine, _) = begun(|_| {});
    machine.step(Event::Pushed {
        message: Message::user("in French"),
    });
    let effects = says(&mut machine, 0, "It is", &[]);
    assert!(asked(&effects).is_some(), "it has not heard everything");
    assert_eq!(
        &*machine.state().messages.last().unwrap().content,
        "in French"
    );
    for _ in 0..100 {
        machine.step(Event::Pushed {
            message: Message::user("x"),
        });
    }
    assert_eq!(machine.state().pushed.len(), 16);
}

#[test]
fn the_transcript_has_prompt_and_tools_once() {
    let (mut machine, mut effects) = begun(|_| {});
    effects.extend(says(&mut machine, 0, "", &[("a", "once")]));
    effects.extend(machine.step(Event::ToolFinished {
        place: at(0),
        result: done("a"),
    }));
    effects.extend(says(&mut machine, 1, "It is.", &[]));
    let words: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Record { entry } => Some(match **entry {
                Entry::SystemPrompt { .. } => "system_prompt",
                Entry::ToolSchemas { .. } => "tool_schemas",
                Entry::Message { .. } => "message",
                Entry::ProviderCallRequest { .. } => "request",
                Entry::ProviderCallResponse { .. } => "response",
                Entry::InterpretedResponse { .. } => "interpreted",
                Entry::ProviderCallFailed { .. } => "failed",
                Entry::Summary { .. } => "summary",
                Entry::Ended { .. } => "ended",
            }),
            _ => None,
        })
        .collect();
    assert_eq!(
        words,
        [
            "message",
            "message",
            "message",
            "message",
            "system_prompt",
            "tool_schemas",
            "request",
            "response",
            "interpreted",
            "message",
            "message",
            "request",
            "response",
            "interpreted",
            "message",
            "ended"
        ]
    );
}
