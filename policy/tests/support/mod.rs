//! What the tests of this crate share: the shipped profiles, a wide second one, short ways to load.
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod compare;
pub(crate) mod corpora;

use policy::{CallId, Decision, LoadError, Policy, Profiles, ToolCall, decide, shipped};
use serde_json::Value;

/// A second profile with more languages and more authority than the shipped one.
pub(crate) fn wide_profile() -> String {
    shipped::PROFILES[0]
        .text
        .replace("wasm-offline", "wide")
        .replace("rank = 10", "rank = 20")
        .replace(
            "python = \"python\"",
            "python = \"python\"\nlua = \"lua-5\"",
        )
        .replace("max = 10_000", "max = 60_000")
}

pub(crate) fn profiles() -> Profiles {
    let wide = wide_profile();
    let shipped = shipped::PROFILES.iter().map(|p| (p.file, p.text));
    Profiles::load(shipped.chain([("profiles/wide.toml", wide.as_str())])).unwrap()
}

pub(crate) fn load(rules: &str) -> Result<Policy, LoadError> {
    Policy::load(
        "t.toml",
        &format!("version = 1\nname = \"t\"\n{rules}"),
        &profiles(),
    )
}

pub(crate) fn call(json: &Value) -> ToolCall {
    ToolCall::parse(json.to_string().as_bytes()).unwrap()
}

pub(crate) fn judge(policy: &Policy, json: &Value) -> Decision {
    decide(policy, CallId::from_bytes([7; 16]), call(json))
}

/// A policy that is shipped, by its name.
pub(crate) fn pack(name: &str) -> Policy {
    let file = format!("{name}.toml");
    let mut packs = shipped::PACKS.iter();
    let pack = packs.find(|pack| pack.file == file).unwrap();
    Policy::load(pack.file, pack.text, &profiles()).unwrap()
}
