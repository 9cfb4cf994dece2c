//! Reads responses of OpenAI.

use serde_json::Value;

use super::failure::Failure;
use super::{Delta, Reading, count, list, some_text, text};
use crate::message::{Stop, Usage};

/// One event of a stream.
pub(super) fn event(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    let key = count(value, "/output_index");
    match text(value, "type").unwrap_or_default() {
        "response.created" => reading.start(value.get("response").unwrap_or(value), out),
        "response.output_text.delta" | "response.refusal.delta" => {
            if let Some(text) = some_text(value, "delta") {
                out.push(Delta::Text {
                    text: text.to_owned(),
                });
            }
        }
        "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
            if let Some(text) = some_text(value, "delta") {
                out.push(Delta::Thinking {
                    text: text.to_owned(),
                });
            }
        }
        "response.output_item.added" => open(reading, key, value.get("item"), out)?,
        "response.function_call_arguments.delta" => {
            if let Some(index) = reading.calls.find(key) {
                let piece = text(value, "delta").unwrap_or_default();
                reading.calls.arguments(index, piece, out)?;
            }
        }
        "response.function_call_arguments.done" | "response.output_item.done" => {
            if let Some(index) = reading.calls.find(key) {
                reading.calls.close(index, out);
            }
        }
        "response.completed" | "response.incomplete" => {
            return end(reading, value.get("response").unwrap_or(&Value::Null), out);
        }
        "response.failed" | "error" => return Err(Failure::of_stream(value)),
        // Parts and annotations, and whatever comes to be.
        _ => {}
    }
    Ok(())
}

fn open(
    reading: &mut Reading,
    key: u64,
    item: Option<&Value>,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    let Some(item) = item.filter(|item| text(item, "type") == Some("function_call")) else {
        return Ok(());
    };
    let name = text(item, "name").unwrap_or_default();
    let index = reading
        .calls
        .open(key, some_text(item, "call_id"), name, out)?;
    reading
        .calls
        .arguments(index, text(item, "arguments").unwrap_or_default(), out)
}

/// A whole answer.
pub(super) fn whole(
    reading: &mut Reading,
    value: &Value,
    out: &mut Vec<Delta>,
) -> Result<(), Failure> {
    if text(value, "status") == Some("failed") || text(value, "object") != Some("response") {
        return match value.get("error").is_some_and(|error| !error.is_null()) {
            true => Err(Failure::of_stream(value)),
            false => Ok(()),
        };
    }
    reading.start(value, out);
    for (key, item) in list(value, "output").iter().enumerate() {
        item_text(item, out);
        open(reading, key as u64, Some(item), out)?;
    }
    end(reading, value, out)
}

fn item_text(item: &Value, out: &mut Vec<Delta>) {
    let parts = list(item, "content").iter().chain(list(item, "summary"));
    for part in parts {
        let said = some_text(part, "text").or_else(|| some_text(part, "refusal"));
        match (said, text(part, "type").unwrap_or_default()) {
            (Some(text), "output_text" | "refusal") => {
                out.push(Delta::Text {
                    text: text.to_owned(),
                });
            }
            (Some(text), "reasoning_text" | "summary_text") => {
                out.push(Delta::Thinking {
                    text: text.to_owned(),
                });
            }
            _ => {}
        }
    }
}

fn end(reading: &mut Reading, response: &Value, out: &mut Vec<Delta>) -> Result<(), Failure> {
    reading.start(response, out);
    if let Some(used) = response.get("usage").filter(|used| used.is_object()) {
        reading.usage(usage(used), out);
    }
    let reason = response
        .pointer("/incomplete_details/reason")
        .and_then(Value::as_str);
    let stop = match reason {
        Some("max_output_tokens") => Stop::Length,
        Some("content_filter") => Stop::Filtered,
        Some(_) => Stop::Other,
        None if reading.calls.is_empty() => Stop::Finished,
        None => Stop::ToolCalls,
    };
    reading.stop(stop, out);
    reading.finish(out);
    Ok(())
}

fn usage(value: &Value) -> Usage {
    Usage {
        input_tokens: count(value, "/input_tokens"),
        output_tokens: count(value, "/output_tokens"),
        cache_read_tokens: count(value, "/input_tokens_details/cached_tokens"),
        cache_write_tokens: 0,
        reasoning_tokens: count(value, "/output_tokens_details/reasoning_tokens"),
    }
}
