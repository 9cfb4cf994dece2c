//! Measures the policy engine beside others, with the same rules and the same calls, in one run.
//!
//! ```text
//!  rules ──► ours · cedar · rego · cel ──► decide    the decision alone, 10 to 10,000 rules
//!  corpus ─► ours · openmoat ────────────► commands  from raw JSON, with the shell analysis
//!  rules with tests ──► ours ────────────► loading
//! ```
//!
//! Contenders take turns in small rounds, so that a noisy second falls on all of them; the ratios
//! mean more than the times. Before anything is timed every contender answers every call, and
//! another answer than ours ends the run. Fails with one line; measures nothing that is wrong.

pub mod cedar;
pub mod cel;
pub mod commands;
pub mod decide;
pub mod loading;
pub mod ours;
pub mod rego;
pub mod rules;
pub mod sample;
pub mod table;

/// What can go wrong is shown to a developer, once.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
