//! The WebAssembly backend: jailed worker processes, each with a precompiled
//! interpreter, each call in a fresh instance.
//!
//! ```text
//!  daemon                          worker (pid 1 of its own world)
//!  ┌──────────────┐   socket pair  ┌─────────────────────────────────┐
//!  │ Wasm ─ Pool ─┼───────────────►│ Setup → confine → Ready         │
//!  │   │          │     frames     │ Call → instance → Answer, again │
//!  │ sealed file ─┼── descriptor 1 ┤ machine code, mapped            │
//!  └──────────────┘                └──────────────▲──────────────────┘
//!                                   keeper: waits, kills, knows nothing
//! ```
//!
//! A worker that ended a call in any way but by the program's own end is never
//! used again.

mod artefact;
mod jailed;
mod plan;
mod pool;
pub mod wire;
mod worker;

pub(crate) use artefact::sealed;
pub use artefact::{Artefact, ArtefactError};
pub use jailed::{Jailed, StartError};
pub use plan::{PlanError, compile_plan, freeze_plan, run_plan};
pub use pool::{PoolSettings, PoolState, Wasm, WorkerTap};

/// Version of the engine that `lazaret-worker` is built with; part of what an
/// artefact depends on. A test in the worker compares it with the lock file.
pub const ENGINE_VERSION: &str = "48.0.8";
