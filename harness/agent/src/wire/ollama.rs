//! Reads lines of Ollama's own format. A whole answer is one line.

use serde_json::Value;

use super::failure::Failure;
use super::{Delta, Reading, count, list, some_text, text};
use crate::message::{Stop, Usage};

/// One line.
pub(super) fn line(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    if value.get("error").is_some() {
        return Err(Failure::of_stream(value));
    }
    reading.start(value, out);
    let message = value.get("message").unwrap_or(&Value::Null);
    if let Some(text) = some_text(message, "thinking") {
        out.push(Delta::Thinking {
            text: text.to_owned(),
        });
    }
    if let Some(text) = some_text(message, "content") {
        out.push(Delta::Text {
            text: text.to_owned(),
        });
    }
    for call in list(message, "tool_calls") {
        tool_call(reading, call, out)?;
    }
    if value.get("done").and_then(Value::as_bool) != Some(true) {
        return Ok(());
    }
    reading.usage(usage(value), out);
    let stop = stop(text(value, "done_reason").unwrap_or("stop"), reading);
    reading.stop(stop, out);
    reading.finish(out);
    Ok(())
}

/// Calls come whole, with arguments that are JSON already, and without a name of theirs.
fn tool_call(reading: &mut Reading, call: &Value, out: &mut Vec<Delta>) -> Result<(), Failure> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let name = text(function, "name").unwrap_or_default();
    let key = reading.calls.len() as u64;
    let index = reading.calls.open(key, some_text(call, "id"), name, out)?;
    let arguments = function
        .get("arguments")
        .map(Value::to_string)
        .unwrap_or_default();
    reading.calls.arguments(index, &arguments, out)?;
    reading.calls.close(index, out);
    Ok(())
}

fn stop(reason: &str, reading: &Reading) -> Stop {
    match reason {
        "stop" if reading.calls.is_empty() => Stop::Finished,
        "stop" => Stop::ToolCalls,
        "length" => Stop::Length,
        _ => Stop::Other,
    }
}

fn usage(value: &Value) -> Usage {
    Usage {
        input_tokens: count(value, "/prompt_eval_count"),
        output_tokens: count(value, "/eval_count"),
        ..Usage::default()
    }
}
