//! Runs against what was expected of them.
//!
//! ```text
//!  live run ────────┐
//!  transcript ──────┼─► Record ─► Case::check ─► CaseReport ─► JUnit
//!  scripted model ──┘
//! ```
//!
//! The same cases hold for all three. A case that names nothing to be checked is an
//! error: it could not fail.

mod junit;
mod record;
mod script;
mod suite;

pub use junit::junit;
pub use record::{CalledTool, Record};
pub use script::{Script, ScriptedAnswer, ScriptedTool};
pub use suite::{Assertion, Case, CaseReport, Constraints, Custom, Suite, SuiteError, Validators};
