//! A decision cannot be written down, so that there is no way round by one.

pub fn forge(call_id: policy::CallId, call: policy::ToolCall) -> policy::Decision {
    policy::Decision { call_id, call, policy_digest: [0; 32] } //~ private fields
}
