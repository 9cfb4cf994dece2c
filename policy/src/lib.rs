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

mod budget;
mod call;
pub mod cedar;
mod cidr;
pub mod code;
pub mod compare;
mod compile;
mod condition;
mod context;
#[cfg(test)]
#[path = "../tests/support/corpora.rs"]
mod corpora;
mod cover;
mod decide;
mod digest;
mod explain;
mod fact;
mod facts;
mod fault;
mod file;
mod form;
mod format;
mod grant;
mod include;
mod index;
pub mod json;
mod lint;
mod moment;
mod mutate;
mod policy;
mod profile;
mod redact;
mod rule;
pub mod shell;
pub mod shipped;
mod source;
mod testing;
mod text;
pub mod texts;
mod tool;
mod uses;
mod verdict;
mod when;

pub use budget::{Budget, MAX_HOSTS, Most, Per, Remaining, Used};
pub use call::{
    ANONYMOUS, CallError, CallId, CallIdError, MAX_NAME_BYTES, MAX_TOOL_BYTES, ToolCall,
};
pub use condition::{ConditionError, MAX_SEARCHED_BYTES, Truth};
pub use context::{Context, Label, SessionState};
pub use decide::{
    Decision, Inspection, Permit, Refusal, RuleHit, decide, decide_at, decide_inspected,
};
pub use explain::{
    ConditionExplanation, Explanation, Nearest, Part, RuleExplanation, TestExplanation,
    WhenExplanation, explain, explain_at,
};
pub use fact::FactError;
pub use facts::{Facts, Kind};
pub use fault::{Fault, LoadError, Problem};
pub use file::Mode;
pub use format::{FormatError, fmt};
pub use grant::{CODE_TOOL, Grant};
pub use include::{MAX_FILES, MAX_POLICY_BYTES, Texts};
pub use lint::{Doubt, Warning};
pub use moment::MomentError;
pub use mutate::{CaughtBy, Change, Mutant, mutate, mutate_with};
pub use policy::{MAX_ID_BYTES, Policy};
pub use profile::{
    Backend, EgressProxy, Inspect, Landlock, Layer, Layers, LimitReason, Limits, Profile,
    ProfileError, ProfileFault, Profiles, RequiredLayer, Seccomp,
};
pub use redact::Redaction;
pub use rule::Rule;
pub use source::Place;
pub use testing::{ConditionCoverage, RuleCoverage, TestCase, TestReport, test_policy};
pub use tool::{COMMAND_TOOL, REQUEST_TOOL, ToolError};
pub use verdict::Verdict;
pub use when::{WhenError, WhenFault};
