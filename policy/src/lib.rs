//! Decides, never acts: rules over tool calls, and the only maker of a permit.
//!
//! ```text
//!  profiles/*.toml ──► Profiles ──┐
//!  policy.toml ───────────────────┴─► Policy::load  (unknown keys refused, tests run)
//!                                         │
//!  bytes ──► json::parse ──► ToolCall ──► decide ──► Decision ──┬─ into_permit ──► Permit { Grant }
//!                                                              └─ Refusal::{Held, Denied}
//! ```
//!
//! Verdicts are ordered `Allow < Hold < Deny` and combine by `max`; no matching rule is a deny, and
//! so is everything that goes wrong during a decision. A [`Permit`] cannot be made outside of this
//! crate, so an executor that takes one cannot run what was not decided.
//!
//! This crate does no I/O, reads no clock, holds no unsafe code and knows no other crate of the
//! project. Files come in as text, the call's id as bytes.
//!
//! ```
//! use policy::{CallId, Policy, Profiles, ToolCall, Verdict, decide, shipped};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text)))?;
//! let policy = Policy::load(shipped::CONTAIN.file, shipped::CONTAIN.text, &profiles)?;
//! let call = ToolCall::parse(
//!     br#"{"tool":"execute_code","arguments":{"language":"python","code":"print(1)"}}"#,
//! )?;
//! let decision = decide(&policy, CallId::from_bytes([0; 16]), call);
//! assert_eq!(decision.verdict(), Verdict::Allow);
//! let permit = decision.into_permit().map_err(|refusal| refusal.reason().to_owned())?;
//! assert_eq!(permit.grant().profile().name(), "wasm-offline");
//! # Ok(())
//! # }
//! ```

mod call;
mod condition;
mod decide;
mod digest;
mod explain;
mod fact;
mod file;
mod grant;
mod index;
pub mod json;
mod lint;
mod policy;
mod profile;
mod rule;
pub mod shipped;
mod text;
mod verdict;

pub use call::{
    ANONYMOUS, CallError, CallId, CallIdError, MAX_NAME_BYTES, MAX_TOOL_BYTES, ToolCall,
};
pub use condition::{ConditionError, MAX_SEARCHED_BYTES, Truth};
pub use decide::{Decision, Permit, Refusal, RuleHit, decide};
pub use explain::{ConditionExplanation, Explanation, Nearest, Part, RuleExplanation, explain};
pub use fact::FactError;
pub use grant::{CODE_TOOL, Grant};
pub use lint::{Doubt, Warning};
pub use policy::{Fault, LoadError, MAX_ID_BYTES, MAX_POLICY_BYTES, Policy, Problem};
pub use profile::{
    Backend, Landlock, Layer, Layers, LimitReason, Limits, Profile, ProfileError, ProfileFault,
    Profiles, RequiredLayer, Seccomp,
};
pub use rule::Rule;
pub use verdict::Verdict;
