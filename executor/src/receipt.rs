//! The receipt: which layers were really in force around a call.
//!
//! It is made from what the kernel reported, read from outside the worker by the
//! daemon and inside it right after each layer was applied. Nothing in it is
//! copied from what was asked, but the limits that the engine keeps.

use std::sync::Arc;

use serde::Serialize;

/// What was in force around a call.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// What ran it: `wasm`.
    pub backend: &'static str,
    /// Name of the profile.
    pub profile: String,
    /// Digest of the profile.
    pub profile_sha256: String,
    /// Digest of the policy that decided.
    pub policy_sha256: String,
    /// The interpreter.
    pub runtime: Arc<RuntimeReceipt>,
    /// The limits of this call.
    pub limits: policy::Limits,
    /// Names of the layers that the worker applied and read back; the daemon compared
    /// them with the profile and with what it sees from outside.
    pub layers: Arc<[&'static str]>,
    /// What the worker reported of its own confinement.
    pub reported: Arc<jail::Report>,
    /// What the kernel said of the worker, read from outside.
    pub observed: Arc<jail::Observed>,
}

/// The interpreter that ran a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeReceipt {
    /// Name of the runtime.
    pub name: String,
    /// SHA-256 of the WebAssembly module.
    pub module_sha256: String,
    /// SHA-256 of the machine code made from it.
    pub artefact_sha256: String,
    /// The engine and its version, as the worker reported.
    pub engine: String,
}
