//! Runs a permit, never decides.
//!
//! The only way in is an [`Admitted`]: a permit that `policy` made, together with
//! the proof that its decision is durable. The only way out is an [`Outcome`]:
//! total, so that a call that could not even be launched has one too. This crate
//! never looks at a rule and never writes to the ledger.
//!
//! When the host lacks a layer that the profile asks for, the call is not run and
//! the outcome names the layer; nothing falls back.

use std::collections::BTreeSet;

mod admitted;
pub mod container;
mod outcome;
mod program;
mod receipt;
pub mod runtime;
pub mod wasm;

pub use admitted::{Admitted, NotAdmitted};
pub use outcome::{Ending, LeftOut, OutFile, Outcome, Stream, Usage};
pub use program::{FileIn, Program, ProgramError, check_path};
pub use receipt::{
    ContainerFacts, ContainerReceipt, ImageReceipt, Receipt, RuntimeReceipt, WasmReceipt,
};

/// Every layer that a worker can be confined by, and whether this host has it,
/// found by trying.
#[must_use]
pub fn host_layers() -> Vec<jail::LayerState> {
    jail::host()
}

/// The layers that `profile` asks for, if its plan can be carried out here as far as
/// that can be said beforehand: the version of Landlock, the list of system calls.
///
/// # Errors
/// Why it cannot, in one line.
pub fn plan_for_host(profile: &policy::Profile) -> Result<BTreeSet<jail::Layer>, String> {
    let plan = wasm::run_plan(profile).map_err(|error| error.to_string())?;
    jail::foresee(&plan).map_err(|error| error.to_string())?;
    Ok(plan.layers)
}

pub use jail::{LayerState, State as LayerPresence};
