//! What must hold, whatever came in. Each function panics with what it found.

pub mod canonical;
#[cfg(feature = "cedar")]
pub mod cedar;
pub mod code;
pub mod engine;
pub mod format;
pub mod laws;
pub mod ledger;
pub mod loader;
pub mod shell;
pub mod shell_bash;
pub mod texts;
pub mod when;

use std::sync::OnceLock;

use policy::{CallId, Context, Decision, LoadError, Policy, Profiles, ToolCall, decide_at};
use serde_json::Value;

use crate::support;

/// The profiles that every policy here may name: `wasm-offline` and `wide`.
fn profiles() -> &'static Profiles {
    static PROFILES: OnceLock<Profiles> = OnceLock::new();
    PROFILES.get_or_init(support::profiles)
}

fn load(text: &str) -> Result<Policy, LoadError> {
    Policy::load("t.toml", text, profiles())
}

/// A policy made by our own generator. None where a glob is refused, which its library decides.
fn loaded(text: &str) -> Option<Policy> {
    match load(text) {
        Ok(policy) => Some(policy),
        Err(error) => {
            let only_globs = |p: &policy::Problem| p.to_string().contains("is not a glob");
            assert!(
                error.problems().iter().all(only_globs),
                "refused: {error}\n{text}"
            );
            None
        }
    }
}

fn called(json: &Value) -> ToolCall {
    ToolCall::parse(json.to_string().as_bytes()).expect("a generated call is one")
}

fn judge(policy: &Policy, context: &Context, call: &ToolCall) -> Decision {
    decide_at(policy, context, CallId::from_bytes([0; 16]), call.clone())
}

/// The ids of the rules that take effect, the strictest first.
fn hits(decision: &Decision) -> Vec<String> {
    decision
        .rules()
        .iter()
        .map(|hit| hit.id().to_owned())
        .collect()
}
