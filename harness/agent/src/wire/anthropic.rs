//! Reads messages of Anthropic.

use serde_json::Value;

use super::failure::{Failure, FailureKind};
use super::{Delta, Reading, count, list, some_text, text};
use crate::message::Stop;

/// One event of a stream.
pub(super) fn event(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    match text(value, "type").unwrap_or_default() {
        "message_start" => {
            let message = value.get("message").unwrap_or(&Value::Null);
            reading.start(message, out);
            merge_usage(reading, message.get("usage"), out);
            Ok(())
        }
        "content_block_start" => {
            let block = value.get("content_block").unwrap_or(&Value::Null);
            block_start(reading, count(value, "/index"), block, out)
        }
        "content_block_delta" => delta(reading, value, out),
        "content_block_stop" => {
            if let Some(index) = reading.calls.find(count(value, "/index")) {
                reading.calls.close(index, out);
            }
            Ok(())
        }
        "message_delta" => {
            merge_usage(reading, value.get("usage"), out);
            if let Some(reason) = value.pointer("/delta/stop_reason").and_then(Value::as_str) {
                reading.stop(stop(reason), out);
            }
            Ok(())
        }
        "message_stop" => {
            reading.finish(out);
            Ok(())
        }
        "error" => Err(Failure::of_stream(value)),
        // `ping`, and whatever comes to be.
        _ => Ok(()),
    }
}

fn block_start(
    reading: &mut Reading,
    key: u64,
    block: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    match text(block, "type").unwrap_or_default() {
        "tool_use" => {
            let name = text(block, "name").unwrap_or_default();
            reading.calls.open(key, some_text(block, "id"), name, out)?;
        }
        "text" => say(some_text(block, "text"), out),
        "thinking" => {
            if let Some(text) = some_text(block, "thinking") {
                out.push(Delta::Thinking {
                    text: text.to_owned(),
                });
            }
        }
        _ => {}
    }
    Ok(())
}

fn delta(reading: &mut Reading, value: &Value, out: &mut Vec<Delta>) -> Result<(), Failure> {
    let delta = value.get("delta").unwrap_or(&Value::Null);
    match text(delta, "type").unwrap_or_default() {
        "text_delta" => say(some_text(delta, "text"), out),
        "thinking_delta" => {
            if let Some(text) = some_text(delta, "thinking") {
                out.push(Delta::Thinking {
                    text: text.to_owned(),
                });
            }
        }
        "signature_delta" => {
            if let Some(text) = some_text(delta, "signature") {
                out.push(Delta::Signature {
                    text: text.to_owned(),
                });
            }
        }
        "input_json_delta" => {
            let Some(index) = reading.calls.find(count(value, "/index")) else {
                return Err(Failure::new(
                    FailureKind::Garbage,
                    "arguments of no tool call",
                ));
            };
            let json = text(delta, "partial_json").unwrap_or_default();
            return reading.calls.arguments(index, json, out);
        }
        _ => {}
    }
    Ok(())
}

/// A whole answer.
pub(super) fn whole(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    match text(value, "type") {
        Some("error") => return Err(Failure::of_stream(value)),
        Some("message") => {}
        _ => return Ok(()),
    }
    reading.start(value, out);
    for (key, block) in list(value, "content").iter().enumerate() {
        block_start(reading, key as u64, block, out)?;
        if let Some(text) = some_text(block, "signature") {
            out.push(Delta::Signature {
                text: text.to_owned(),
            });
        }
        if let (Some(index), Some(input)) = (reading.calls.find(key as u64), block.get("input")) {
            reading.calls.arguments(index, &input.to_string(), out)?;
        }
    }
    merge_usage(reading, value.get("usage"), out);
    reading.stop(stop(text(value, "stop_reason").unwrap_or("end_turn")), out);
    reading.finish(out);
    Ok(())
}

fn say(text: Option<&str>, out: &mut Vec<Delta>) {
    if let Some(text) = text {
        out.push(Delta::Text {
            text: text.to_owned(),
        });
    }
}

fn stop(reason: &str) -> Stop {
    match reason {
        "end_turn" | "stop_sequence" => Stop::Finished,
        "tool_use" => Stop::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "refusal" => Stop::Filtered,
        _ => Stop::Other,
    }
}

/// Input is told at the beginning, output at the end; what is told later counts. The
/// provider counts tokens of its cache beside the input, and here they are part of it.
fn merge_usage(reading: &mut Reading, value: Option<&Value>, out: &mut Vec<Delta>) {
    let Some(value) = value.filter(|value| value.is_object()) else {
        return;
    };
    let mut usage = reading.usage;
    let told = |key: &str| value.get(key).and_then(Value::as_u64);
    let fresh = told("input_tokens").unwrap_or_else(|| {
        let cached = usage
            .cache_read_tokens
            .saturating_add(usage.cache_write_tokens);
        usage.input_tokens.saturating_sub(cached)
    });
    usage.cache_read_tokens = told("cache_read_input_tokens").unwrap_or(usage.cache_read_tokens);
    usage.cache_write_tokens =
        told("cache_creation_input_tokens").unwrap_or(usage.cache_write_tokens);
    usage.input_tokens = fresh
        .saturating_add(usage.cache_read_tokens)
        .saturating_add(usage.cache_write_tokens);
    usage.output_tokens = told("output_tokens").unwrap_or(usage.output_tokens);
    reading.usage(usage, out);
}
