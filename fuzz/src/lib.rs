//! Generators and oracles for the policy crate.
//!
//! ```text
//!  bytes of the fuzzer ──► generate: policies, calls, conditions, changed texts
//!                                │
//!                                ▼
//!                          oracle: what must hold, whatever came in
//! ```
//!
//! A target in `fuzz_targets/` joins one generator with one oracle. An oracle panics with what it
//! found; it never repairs and never skips what it cannot judge without saying why in its own
//! words. Nothing here is a part of the product.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod fault;
pub mod generate;
pub mod oracle;

/// What the tests of the policy crate share: the profiles that policies name.
#[path = "../../policy/tests/support/mod.rs"]
mod support;

/// What a policy means, asked rule by rule.
#[path = "../../policy/tests/support/reference.rs"]
mod reference;
