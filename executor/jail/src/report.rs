//! What the jailed process itself found in force: its half of a receipt.
//!
//! The other half is [`Observed`](crate::Observed), read from outside. Both are wire
//! types: they are written into receipts as they are.

use serde::{Deserialize, Serialize};

use crate::plan::{Layer, Role};

/// What is in force, as the process found it after the last step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The layers that were applied, each read back or tried.
    pub layers: Vec<Layer>,
    /// The kernel's Landlock ABI; 0 where the plan leaves Landlock out.
    pub landlock_abi: u32,
    /// The rights that Landlock controls: all that kernel and program both know.
    pub landlock_handled: Vec<String>,
    /// The rights that stay, and only beneath `/workspace` and `/tmp`.
    pub landlock_granted: Vec<String>,
    /// Which list of system calls.
    pub seccomp_list: Role,
    /// How many filters this process added; 0 where the plan leaves seccomp out.
    pub seccomp_filters: u32,
    /// SHA-256 over the installed programs, in hex; empty where seccomp is left out.
    pub seccomp_digest: String,
    /// Forbidden acts that were tried, and how each was refused.
    pub self_check: Vec<Checked>,
}

/// One forbidden act that was refused as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// The layer that refuses it.
    pub layer: Layer,
    /// The act.
    pub act: String,
    /// The kernel's answer, as `EACCES`.
    pub refused: String,
}
