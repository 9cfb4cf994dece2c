//! A permit cannot be written down.
use policy::{CallId, Grant, Permit, ToolCall};

fn forge(call_id: CallId, call: ToolCall, grant: Grant) -> Permit {
    Permit { call_id, call, grant }
}

fn main() {}
