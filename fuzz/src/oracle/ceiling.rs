//! The longest inputs: what is made of one grows with its length, whatever it repeats.
//!
//! Time is not asked for, because it says more of the machine; what is made is what time goes into,
//! and the steps that bound it are counted here.

use policy::Policy;
use policy::shell::MAX_TEXT_BYTES;
use serde_json::json;

use super::{called, load};
use crate::fault::analyse;

/// Steps of a shell text that make a command, and those of its longest text, as
/// policy/src/shell/budget.rs and walk.rs state them.
const COMMAND_STEPS: usize = 120;
const MAX_STEPS: usize = 40_000 + 3 * MAX_TEXT_BYTES;
/// Bytes of facts for a byte of input: a command of two letters has twelve fields.
const MAX_GROWTH: usize = 48;
/// What every call has beside its text.
const BASE_BYTES: usize = 4_096;

/// A unit, repeated to the longest text, as what each argument with a role may be.
pub fn is_bounded(unit: &str) {
    let text = repeated(unit);
    let facts = analyse(&text);
    assert!(
        facts.commands.len() * COMMAND_STEPS <= MAX_STEPS,
        "{unit:?}"
    );
    let policy = policy();
    for call in [
        json!({"tool": "run_command", "arguments": {"command": text}}),
        json!({"tool": "execute_code", "arguments": {"language": "python", "code": text}}),
        json!({"tool": "execute_code", "arguments": {"language": "javascript", "code": text}}),
        json!({"tool": "read_file", "arguments": {"path": text}}),
    ] {
        let made = policy.facts(&called(&call)).to_json().to_string().len();
        let most = MAX_GROWTH * (call.to_string().len() + BASE_BYTES);
        assert!(made <= most, "{made} bytes of facts, not {most}: {unit:?}");
    }
}

fn repeated(unit: &str) -> String {
    let text: String = unit.chars().cycle().take(MAX_TEXT_BYTES).collect();
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text[..end].to_owned()
}

/// Tools as they are built in; facts are read without regard to the rules.
fn policy() -> Policy {
    load("version = 1\nname = \"ceiling\"\n").expect("a policy without rules loads")
}
