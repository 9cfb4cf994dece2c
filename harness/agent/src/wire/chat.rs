//! Reads chat completions of OpenAI and of those that imitate them.

use serde_json::Value;

use super::failure::Failure;
use super::{Delta, Reading, count, list, some_text, text};
use crate::message::{Stop, Usage};

/// One chunk of a stream.
pub(super) fn chunk(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Failure::of_stream(value));
    }
    reading.start(value, out);
    if let Some(choice) = list(value, "choices").first() {
        let delta = choice.get("delta").unwrap_or(&Value::Null);
        message(reading, delta, out)?;
        if let Some(reason) = text(choice, "finish_reason") {
            reading.stop(stop(reason), out);
        }
    }
    if let Some(used) = value.get("usage").filter(|used| used.is_object()) {
        reading.usage(usage(used), out);
    }
    Ok(())
}

/// A whole answer.
pub(super) fn whole(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Failure::of_stream(value));
    }
    let Some(choice) = list(value, "choices").first() else {
        return Ok(());
    };
    reading.start(value, out);
    message(reading, choice.get("message").unwrap_or(&Value::Null), out)?;
    reading.stop(stop(text(choice, "finish_reason").unwrap_or("stop")), out);
    if let Some(used) = value.get("usage").filter(|used| used.is_object()) {
        reading.usage(usage(used), out);
    }
    reading.finish(out);
    Ok(())
}

/// What a message, or a piece of one, says.
fn message(reading: &mut Reading, delta: &Value, out: &mut Vec<Delta>) -> Result<(), Failure> {
    let thinking = some_text(delta, "reasoning_content").or_else(|| some_text(delta, "reasoning"));
    if let Some(text) = thinking {
        out.push(Delta::Thinking {
            text: text.to_owned(),
        });
    }
    let said = some_text(delta, "content").or_else(|| some_text(delta, "refusal"));
    if let Some(text) = said {
        out.push(Delta::Text {
            text: text.to_owned(),
        });
    }
    for (position, call) in list(delta, "tool_calls").iter().enumerate() {
        tool_call(reading, position, call, out)?;
    }
    Ok(())
}

fn tool_call(
    reading: &mut Reading,
    position: usize,
    call: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    let key = call
        .get("index")
        .and_then(Value::as_u64)
        .unwrap_or(position as u64);
    let function = call.get("function").unwrap_or(&Value::Null);
    let index = match reading.calls.find(key) {
        Some(index) => index,
        None => {
            let name = text(function, "name").unwrap_or_default();
            reading.calls.open(key, some_text(call, "id"), name, out)?
        }
    };
    reading
        .calls
        .arguments(index, text(function, "arguments").unwrap_or_default(), out)
}

fn stop(reason: &str) -> Stop {
    match reason {
        "stop" => Stop::Finished,
        "tool_calls" | "function_call" => Stop::ToolCalls,
        "length" => Stop::Length,
        "content_filter" => Stop::Filtered,
        _ => Stop::Other,
    }
}

fn usage(value: &Value) -> Usage {
    Usage {
        input_tokens: count(value, "/prompt_tokens"),
        output_tokens: count(value, "/completion_tokens"),
        cache_read_tokens: count(value, "/prompt_tokens_details/cached_tokens"),
        cache_write_tokens: 0,
        reasoning_tokens: count(value, "/completion_tokens_details/reasoning_tokens"),
    }
}
