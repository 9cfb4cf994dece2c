//! A permit made outside of policy.

use policy::{CallId, Grant, Permit, ToolCall};

fn forge(call_id: CallId, call: ToolCall, grant: Grant) -> Permit {
    Permit { call_id, call, grant, policy_digest: [0; 32] }
}

fn main() {
    let _forge = forge;
}
