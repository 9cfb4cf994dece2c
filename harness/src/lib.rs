//! The daemon and the command line, and the same for programs that embed them.
//!
//! [`Harness::execute`] is the one way of a tool call: judged, recorded, run,
//! recorded again, answered. Every interface goes through it; none has a way of
//! its own.
//!
//! It never runs guest code in its own address space, and it never answers what
//! is not durable: when the ledger cannot be written, it answers nothing and
//! [`Harness::health`] says why.

mod book;
pub mod config;
mod core;
mod egress;
pub mod fault;
pub mod gateway;
mod in_force;
pub mod mcp;
mod reply;

pub use crate::book::Whereabouts;
pub use crate::core::{
    CallError, Cancel, EXECUTE_CODE, Executed, Harness, Health, Offers, StartError,
};
pub use crate::egress::{EgressError, EgressSettings};
pub use crate::in_force::{Broken, Generation, Reloaded, Standing};
pub use crate::reply::{Denial, Reply};
