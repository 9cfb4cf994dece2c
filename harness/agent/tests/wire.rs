//! Streams as providers send them, cut at every byte: the same deltas each time.
//!
//! Written by hand after each provider's documented form.

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

use agent::machine::ModelChoice;
use agent::message::{Stop, Usage};
use agent::parse::CallFormat;
use agent::wire::{
    Decoder, Delta, Dialect, Failure, FailureKind, Gathered, MAX_ANSWER_BYTES, whole,
};
use proptest::prelude::*;
use serde_json::json;

fn sse(events: &[serde_json::Value]) -> String {
    events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect()
}

fn named(events: &[serde_json::Value]) -> String {
    let line = |event: &serde_json::Value| {
        format!(
            "event: {}\r\ndata: {event}\r\n\r\n",
            event["type"].as_str().unwrap()
        )
    };
    events.iter().map(line).collect()
}

fn chat() -> String {
    let chunk = |delta: serde_json::Value, reason: serde_json::Value| {
        json!({"id": "c-1", "model": "m-1", "object": "chat.completion.chunk",
               "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let call = |index: u64, more: serde_json::Value| {
        json!({"tool_calls": [
        json!({"index": index, "function": {"arguments": more}})]})
    };
    let mut text = sse(&[
        chunk(json!({"role": "assistant", "content": ""}), json!(null)),
        chunk(json!({"reasoning_content": "hm"}), json!(null)),
        chunk(json!({"content": "Grüße 😀"}), json!(null)),
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "a", "type": "function",
                     "function": {"name": "run", "arguments": ""}}]}),
            json!(null),
        ),
        chunk(call(0, json!("{\"code\":\"pr")), json!(null)),
        chunk(call(0, json!("int(\\\"}\\\")\"}")), json!(null)),
        chunk(
            json!({"tool_calls": [{"index": 1, "id": "b", "type": "function",
                     "function": {"name": "stop", "arguments": ""}}]}),
            json!(null),
        ),
        chunk(json!({}), json!("tool_calls")),
        json!({"id": "c-1", "model": "m-1", "choices": [], "usage": {
            "prompt_tokens": 50, "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 3}}}),
    ]);
    text.push_str("data: [DONE]\n\n");
    text
}

fn responses() -> String {
    named(&[
        json!({"type": "response.created", "response": {"id": "c-1", "model": "m-1"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning"}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Grüße 😀"}),
        json!({"type": "response.output_item.added", "output_index": 2,
               "item": {"type": "function_call", "call_id": "a", "name": "run", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"code\":\"pr"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "int(\\\"}\\\")\"}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "…"}),
        json!({"type": "response.output_item.added", "output_index": 3,
               "item": {"type": "function_call", "call_id": "b", "name": "stop", "arguments": ""}}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": {}}),
        json!({"type": "response.completed", "response": {"id": "c-1", "usage": {
            "input_tokens": 50, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 40},
            "output_tokens_details": {"reasoning_tokens": 3}}}}),
    ])
}

fn anthropic() -> String {
    named(&[
        json!({"type": "message_start", "message": {"id": "c-1", "model": "m-1", "usage": {
            "input_tokens": 10, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0,
            "output_tokens": 1}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Grüße 😀"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2,
               "content_block": {"type": "tool_use", "id": "a", "name": "run", "input": {}}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"code\":\"pr"}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "int(\\\"}\\\")\"}"}}),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "content_block_start", "index": 3,
               "content_block": {"type": "tool_use", "id": "b", "name": "stop", "input": {}}}),
        json!({"type": "content_block_stop", "index": 3}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ])
}

fn ollama() -> String {
    let lines = [
        json!({"model": "m-1", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false}),
        json!({"model": "m-1", "message": {"role": "assistant", "content": "Grüße 😀"}, "done": false}),
        json!({"model": "m-1", "message": {"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "run", "arguments": {"code": "print(\"}\")"}}},
            {"function": {"name": "stop", "arguments": {}}}]}, "done": false}),
        json!({"model": "m-1", "message": {"role": "assistant", "content": ""}, "done": true,
               "done_reason": "stop", "prompt_eval_count": 50, "eval_count": 9}),
    ];
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn recorded(dialect: Dialect) -> String {
    match dialect {
        Dialect::OpenaiChat => chat(),
        Dialect::OpenaiResponses => responses(),
        Dialect::Anthropic => anthropic(),
        Dialect::Ollama => ollama(),
    }
}

fn decoded(dialect: Dialect, pieces: &[&[u8]]) -> (Vec<Delta>, Result<(), Failure>) {
    let mut decoder = Decoder::new(dialect);
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(failure) = decoder.push(piece, &mut out) {
            return (out, Err(failure));
        }
    }
    let end = decoder.end(&mut out);
    (out, end)
}

#[test]
fn every_cut_of_every_format_gives_the_same_deltas() {
    for dialect in Dialect::ALL {
        let text = recorded(dialect);
        let bytes = text.as_bytes();
        let (wanted, end) = decoded(dialect, &[bytes]);
        assert_eq!(end, Ok(()), "{dialect:?}");
        for cut in 0..=bytes.len() {
            let (one, two) = bytes.split_at(cut);
            let (deltas, end) = decoded(dialect, &[one, two]);
            assert_eq!(
                (deltas, end),
                (wanted.clone(), Ok(())),
                "{dialect:?} cut at {cut}"
            );
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decoded(dialect, &single).0, wanted);
    }
}

#[test]
fn every_format_says_the_same() {
    for dialect in Dialect::ALL {
        let (deltas, _) = decoded(dialect, &[recorded(dialect).as_bytes()]);
        let gathered = Gathered::of(&deltas);
        assert_eq!(gathered.text, "Grüße 😀", "{dialect:?}");
        assert_eq!(gathered.thinking.text, "hm");
        assert_eq!(gathered.model, "m-1");
        let calls: Vec<_> = gathered
            .calls
            .iter()
            .map(|call| (&*call.name, &*call.arguments))
            .collect();
        assert_eq!(
            calls,
            [("run", r#"{"code":"print(\"}\")"}"#), ("stop", "{}")]
        );
        assert_eq!(gathered.stop, Some(Stop::ToolCalls));
        let (cache_read_tokens, reasoning_tokens) = match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => (40, 3),
            Dialect::Anthropic => (40, 0),
            Dialect::Ollama => (0, 0),
        };
        let usage = Usage {
            input_tokens: 50,
            output_tokens: 9,
            cache_read_tokens,
            cache_write_tokens: 0,
            reasoning_tokens,
        };
        assert_eq!(gathered.usage, usage, "{dialect:?}");
    }
}

/// By the order of events, not by a clock: a call is complete before the next begins
/// and before the model has stopped.
#[test]
fn a_call_is_told_before_the_answer_is_over() {
    for dialect in [
        Dialect::OpenaiChat,
        Dialect::OpenaiResponses,
        Dialect::Anthropic,
    ] {
        let text = recorded(dialect);
        let end_of_call = text.find("int(").unwrap();
        let end_of_event = end_of_call
            + text[end_of_call..]
                .find("\n\n")
                .or_else(|| text[end_of_call..].find("\r\n\r\n"))
                .unwrap()
            + 4;
        let mut decoder = Decoder::new(dialect);
        let mut out = Vec::new();
        decoder
            .push(text[..end_of_event.min(text.len())].as_bytes(), &mut out)
            .unwrap();
        assert!(
            matches!(out.last(), Some(Delta::CallComplete { index: 0, .. })),
            "{dialect:?} {out:?}"
        );
        assert!(!decoder.is_over());
    }
}

#[test]
fn a_stream_that_ends_too_soon_is_cut_wherever_it_ends() {
    for dialect in Dialect::ALL {
        let text = recorded(dialect);
        let last = match dialect {
            // From its reason to stop on, the answer is whole.
            Dialect::OpenaiChat => text.find("\"finish_reason\":\"tool_calls\"").unwrap(),
            Dialect::Anthropic => text.find("\"stop_reason\"").unwrap(),
            Dialect::OpenaiResponses => text.find("\"type\":\"response.completed\"").unwrap_or(0),
            Dialect::Ollama => text.find("\"done\":true").unwrap(),
        };
        assert_eq!(
            decoded(dialect, &[]).1.unwrap_err().kind,
            FailureKind::Empty
        );
        for cut in 1..last {
            let failure = decoded(dialect, &[&text.as_bytes()[..cut]]).1.unwrap_err();
            assert!(
                matches!(failure.kind, FailureKind::Cut | FailureKind::Garbage),
                "{dialect:?} {cut} {failure:?}"
            );
        }
    }
}

#[test]
fn an_error_inside_of_a_stream_has_its_class() {
    let cases = [
        (
            Dialect::Anthropic,
            "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
            FailureKind::Overloaded,
        ),
        (
            Dialect::OpenaiChat,
            "data: {\"error\":{\"message\":\"x\",\"code\":\"rate_limit_exceeded\"}}\n\n",
            FailureKind::RateLimited,
        ),
        (
            Dialect::OpenaiResponses,
            "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}}\n\n",
            FailureKind::Server,
        ),
        (
            Dialect::Ollama,
            "{\"error\":\"out of memory\"}\n",
            FailureKind::Server,
        ),
        (
            Dialect::OpenaiChat,
            "data: <html>\n\n",
            FailureKind::Garbage,
        ),
        (Dialect::Ollama, "\u{1f600}\n", FailureKind::Garbage),
    ];
    for (dialect, text, kind) in cases {
        assert_eq!(
            decoded(dialect, &[text.as_bytes()]).1.unwrap_err().kind,
            kind,
            "{text}"
        );
    }
}

#[test]
fn an_endless_stream_and_a_huge_answer_end() {
    let line = b"data: {\"choices\":[{\"delta\":{\"content\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}]}\n\n";
    let mut decoder = Decoder::new(Dialect::OpenaiChat);
    let mut out = Vec::new();
    let failure = (0..MAX_ANSWER_BYTES)
        .find_map(|_| decoder.push(line, &mut out).err())
        .unwrap();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    assert_eq!(
        decoder.push(line, &mut out).unwrap_err().kind,
        FailureKind::TooLarge,
        "it stays so"
    );

    let silent = vec![b'x'; 10 * 1024 * 1024];
    for dialect in Dialect::ALL {
        assert_eq!(
            decoded(dialect, &[&silent]).1.unwrap_err().kind,
            FailureKind::TooLarge
        );
        assert_eq!(
            whole(dialect, &silent).unwrap_err().kind,
            FailureKind::TooLarge
        );
    }
}

#[test]
fn arguments_that_go_on_after_their_end_are_refused() {
    let call = |arguments: &str| {
        json!({"choices": [{"delta": {"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "run", "arguments": arguments}}]}}]})
    };
    let text = sse(&[
        call("{\"code\":\"1\"}"),
        call(" "),
        call("{\"code\":\"2\"}"),
    ]);
    let (deltas, end) = decoded(Dialect::OpenaiChat, &[text.as_bytes()]);
    assert!(matches!(deltas.last(), Some(Delta::CallComplete { .. })));
    assert_eq!(end.unwrap_err().kind, FailureKind::Garbage);
}

#[test]
fn whole_answers_say_what_streams_say() {
    let chat = json!({"id": "c", "model": "m", "choices": [{"finish_reason": "tool_calls", "message": {
        "content": "text", "tool_calls": [{"id": "a", "function": {"name": "run", "arguments": "{}"}}]}}]});
    let responses = json!({"object": "response", "id": "c", "model": "m", "status": "completed", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "text"}]},
        {"type": "function_call", "call_id": "a", "name": "run", "arguments": "{}"}]});
    let anthropic = json!({"type": "message", "id": "c", "model": "m", "stop_reason": "tool_use", "content": [
        {"type": "text", "text": "text"}, {"type": "tool_use", "id": "a", "name": "run", "input": {}}]});
    let ollama = json!({"model": "m", "done": true, "message": {"content": "text", "tool_calls": [
        {"id": "a", "function": {"name": "run", "arguments": {}}}]}});
    for (dialect, body) in Dialect::ALL
        .into_iter()
        .zip([chat, responses, anthropic, ollama])
    {
        let gathered = Gathered::of(&whole(dialect, body.to_string().as_bytes()).unwrap());
        assert_eq!(
            (&*gathered.text, gathered.stop),
            ("text", Some(Stop::ToolCalls)),
            "{dialect:?}"
        );
        assert_eq!(
            (&*gathered.calls[0].id, &*gathered.calls[0].arguments),
            ("a", "{}")
        );
        assert_eq!(
            whole(dialect, b"{}").unwrap_err().kind,
            FailureKind::Garbage
        );
    }
}

#[test]
fn nothing_said_is_a_failure_and_calls_in_text_are_found() {
    let empty = Gathered::default()
        .answer(CallFormat::Native, &[], "t")
        .unwrap_err();
    assert_eq!(empty.kind, FailureKind::Empty);
    let text = "<tool_call>{\"name\":\"run\",\"arguments\":{}}</tool_call>".to_owned();
    let gathered = Gathered {
        text,
        ..Gathered::default()
    };
    let answer = gathered.answer(CallFormat::Hermes, &[], "t").unwrap();
    assert_eq!(
        (answer.calls[0].name.as_str(), answer.prose.as_str()),
        ("run", "")
    );
}

#[test]
fn a_model_choice_has_defaults_for_all_but_its_name() {
    let choice: ModelChoice =
        serde_json::from_value(json!({"provider": "p", "model": "m"})).unwrap();
    assert_eq!(choice, ModelChoice::new("p", "m"));
}

proptest! {
    /// Whatever comes, it ends in deltas or in a failure, the same however it is cut.
    #[test]
    fn garbage_is_read_the_same_however_it_is_cut(
        bytes in proptest::collection::vec(prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            Just(b"data: ".to_vec()), Just(b"\n\n".to_vec()), Just(b"{}".to_vec()),
            Just(b"{\"type\":\"message_stop\"}".to_vec()), Just(b"data: [DONE]\n\n".to_vec()),
            Just(b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n".to_vec()),
        ], 0..30).prop_map(|parts| parts.concat()),
        cut in 0_usize..200,
    ) {
        for dialect in Dialect::ALL {
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(decoded(dialect, &[one, two]), decoded(dialect, &[&bytes]));
        }
    }
}
