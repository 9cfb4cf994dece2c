//! JSON: what is read is what is written, and serde_json reads the same where both read.

use policy::ToolCall;
use policy::json::{self, JsonFault};
use serde_json::Value;

/// Any bytes.
pub fn reads_as_serde_json(bytes: &[u8]) {
    match (json::parse(bytes), serde_json::from_slice::<Value>(bytes)) {
        (Ok(ours), Ok(theirs)) => {
            assert!(alike(&ours, &theirs), "{ours} {theirs}");
            is_written_once(&ours);
        }
        (Ok(ours), Err(error)) => panic!("only we take it: {ours} {error}"),
        (Err(error), Ok(theirs)) => {
            assert!(
                only_ours(error.fault()),
                "only we refuse it: {error} {theirs}"
            );
        }
        (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(call) = ToolCall::parse(bytes) {
        let again = json::parse(call.canonical_arguments()).expect("canonical arguments are JSON");
        assert_eq!(&again, call.arguments());
    }
}

fn is_written_once(value: &Value) {
    let text = json::canonical(value);
    let again = json::parse(&text).expect("what is written is read");
    assert_eq!(&again, value);
    assert_eq!(json::canonical(&again), text);
    twice_is_refused(value);
}

/// The first key of an object a second time, in escapes.
fn twice_is_refused(value: &Value) {
    let Some((key, value)) = value.as_object().and_then(|map| map.iter().next()) else {
        return;
    };
    let escaped: String = key
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let plain = Value::from(key.as_str());
    let text = format!("{{{plain}:{value},\"{escaped}\":{value}}}");
    let fault = json::parse(text.as_bytes()).map_err(|error| error.fault().clone());
    assert_eq!(fault, Err(JsonFault::DuplicateKey), "{text}");
}

/// serde_json's usual reader may be off by one unit in a float's last place.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && alike(a.1, b.1))
        }
        (Value::Number(x), Value::Number(y)) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => x == y || (x - y).abs() <= x.abs() * 1e-15,
            _ => x == y,
        },
        _ => a == b,
    }
}

/// Faults that are ours alone: JSON allows the text, readers disagree on it.
fn only_ours(fault: &JsonFault) -> bool {
    match fault {
        JsonFault::DuplicateKey
        | JsonFault::NumberOutOfRange { .. }
        | JsonFault::NumberNotExact { .. }
        | JsonFault::TooLong
        | JsonFault::TooDeep
        | JsonFault::TooManyValues => true,
        JsonFault::NotUtf8
        | JsonFault::Ended
        | JsonFault::Unexpected { .. }
        | JsonFault::Trailing
        | JsonFault::LoneSurrogate
        | JsonFault::BadEscape
        | JsonFault::ControlCharacter
        | JsonFault::BadNumber { .. } => false,
    }
}
