//! When to ask a model again, and when to leave it alone.
//!
//! Time is handed in as milliseconds of some clock that never goes back, chance as a
//! seed. Nothing here waits, and nothing fails.

pub mod backoff;
mod breaker;
mod permits;

pub use breaker::{Breaker, BreakerRule, BreakerState, Counts};
pub use permits::{PermitRule, Permits};
