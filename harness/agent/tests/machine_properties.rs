//! What holds for every run, whatever the model says and in whatever order tools end.

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

use agent::digest::mix;
use agent::machine::{Event, Machine, State};
use agent::message::Role;
use agent::transcript::{Entry, Line, rebuild};
use proptest::prelude::*;
use support::{Driven, calls_and_results, setup};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_state_is_the_fold_of_the_journal(seed: u64, order: u64) {
        let driven = Driven::start(setup(seed)).finish(order);
        let journal: Vec<String> =
            driven.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        prop_assert!(journal.iter().all(|line| !line.contains('\n')));
        let read = journal.iter().map(|line| serde_json::from_str::<Event>(line).unwrap());
        let folded = Machine::fold(read);
        prop_assert_eq!(&folded, &driven.machine);
        let text = serde_json::to_string(folded.state()).unwrap();
        prop_assert_eq!(&serde_json::from_str::<State>(&text).unwrap(), driven.machine.state());
    }

    #[test]
    fn every_run_ends_once_within_its_limits(seed: u64, order: u64) {
        let driven = Driven::start(setup(seed)).finish(order);
        prop_assert_eq!(driven.done, 1);
        prop_assert!(driven.machine.end().unwrap().iterations <= 10);
        prop_assert!(driven.most_busy <= 5);
        prop_assert!(driven.ran.values().all(|&times| times == 1));
        let asked = driven.entries.iter().filter(|entry| matches!(entry, Entry::ProviderCallRequest { .. }));
        // Ten answers, a summary before each, three attempts at each, with two models.
        prop_assert!(asked.count() <= 10 * 2 * 3 * 2);
    }

    #[test]
    fn the_order_in_which_tools_end_does_not_change_the_transcript(seed: u64, one: u64, other: u64) {
        let one = Driven::start(setup(seed)).finish(one);
        let other = Driven::start(setup(seed)).finish(other);
        prop_assert_eq!(one.entries, other.entries);
    }

    #[test]
    fn every_call_has_one_result_in_the_order_of_the_calls(seed: u64, order: u64) {
        let driven = Driven::start(setup(seed)).finish(order);
        let (proposed, answered) = calls_and_results(&driven.entries);
        prop_assert_eq!(proposed, answered);
    }

    /// At each event: what the process knew is its journal, and the rest is asked again.
    #[test]
    fn to_resume_is_as_if_nothing_had_happened(seed: u64, order: u64, tools_end_first: bool) {
        let undisturbed = Driven::start(setup(seed)).finish(order);
        for at in 1..=undisturbed.events.len() {
            let resumed = undisturbed.crash(at, tools_end_first).finish(order ^ 1);
            prop_assert_eq!(&resumed.entries, &undisturbed.entries, "after event {}", at);
            let repeatable: Vec<_> = resumed.ran.iter().filter(|&(_, &times)| times > 1).collect();
            prop_assert!(repeatable.is_empty() || tools_end_first);
        }
    }

    #[test]
    fn a_tool_that_had_begun_is_not_run_again_unless_it_may(seed: u64, order: u64) {
        let undisturbed = Driven::start(setup(seed)).finish(order);
        for at in 1..=undisturbed.events.len() {
            let resumed = undisturbed.crash(at, true).finish(order);
            for (place, &times) in &resumed.ran {
                prop_assert!(times == 1 || name_of(&resumed, *place) == "again");
            }
        }
    }

    #[test]
    fn a_run_can_be_cancelled_at_any_event_and_stays_whole(seed: u64, order: u64, at: u64) {
        let mut driven = Driven::start(setup(seed));
        let steps = at % 60;
        for step in 0..steps {
            driven.turn(usize::try_from(mix(order, step) % 1_000).unwrap());
        }
        driven.tell(Event::Cancelled { reason: "enough".to_owned(), partial: String::new() });
        let driven = driven.finish(order);
        prop_assert_eq!(driven.done, 1);
        let (proposed, answered) = calls_and_results(&driven.entries);
        prop_assert_eq!(proposed, answered);
        let ended = matches!(driven.entries.last(), Some(Entry::Ended { .. }));
        prop_assert!(ended);
    }
}

fn name_of(driven: &Driven, place: agent::machine::Place) -> String {
    let mut proposed = driven.entries.iter().filter_map(|entry| match entry {
        Entry::Message {
            role: Role::Assistant,
            tool_calls,
            iteration: Some(iteration),
            ..
        } if *iteration == place.iteration => tool_calls.get(place.index),
        _ => None,
    });
    proposed
        .next()
        .map(|call| call.name.clone())
        .unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_prompt_of_any_call_can_be_built_from_the_transcript(seed: u64, order: u64) {
        let driven = Driven::start(setup(seed)).finish(order);
        let text: Vec<String> = driven.entries.iter()
            .map(|entry| Line::new(1_700_000_000_123, "run", entry.clone()).to_json().unwrap())
            .collect();
        let lines = Line::read_all(&text.join("\n")).unwrap();
        prop_assert_eq!(lines.len(), driven.entries.len());
        for (call, prompt) in &driven.prompts {
            let rebuilt = rebuild(lines.iter().map(|line| &line.entry), *call).unwrap();
            prop_assert_eq!(&rebuilt.prompt, prompt, "call {}", call);
        }
    }

    #[test]
    fn system_messages_are_in_every_prompt(seed: u64, order: u64) {
        let driven = Driven::start(setup(seed)).finish(order);
        let summarising: Vec<u32> = driven.entries.iter().filter_map(|entry| match entry {
            Entry::ProviderCallRequest { call_id, summarising: true, .. } => Some(*call_id),
            _ => None,
        }).collect();
        for (call, prompt) in driven.prompts.iter().filter(|(call, _)| !summarising.contains(call)) {
            let system = prompt.messages.iter().any(|message| &*message.content == "always here");
            prop_assert!(system, "call {}", call);
        }
    }

    #[test]
    fn a_changed_line_is_noticed(seed: u64, order: u64, place: usize) {
        let mut driven = Driven::start(setup(seed)).finish(order);
        let last = driven.prompts.last().unwrap().clone();
        let said: Vec<_> = driven.entries.iter().enumerate()
            .filter(|(_, entry)| matches!(entry, Entry::Message { role: Role::System, .. } | Entry::SystemPrompt { .. }))
            .map(|(index, _)| index)
            .collect();
        let at = said[place % said.len()];
        if let Entry::Message { content, .. } | Entry::SystemPrompt { content, .. } = &mut driven.entries[at] {
            *content = format!("{content}!").into();
        }
        let shown = last.1.messages.iter().any(|message| message.role == Role::System);
        if shown {
            prop_assert!(rebuild(&driven.entries, last.0).is_err());
        }
    }
}
