//! A permit cannot be written down, with all of its fields.

use policy::{CallId, Grant, Permit, ToolCall};

pub fn forge(call_id: CallId, call: ToolCall, grant: Grant) -> Permit {
    Permit { call_id, call, grant, policy_digest: [0; 32] } //~ of struct `Permit` are private
}
