//! The receipt: which layers were really in force around a call.
//!
//! It is made from what was read back, never from what was asked. For a worker: what the kernel
//! reported, read from outside by the daemon and inside right after each layer was applied. For a
//! container: what Docker set, what the first process sees, and what the kernel says from outside
//! where the daemon can see it. The limits that an engine keeps itself are those of the call.

use std::sync::Arc;

use serde::Serialize;

use crate::container::{CgroupLimits, ContainerSettings};

/// What was in force around a call, by what ran it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
pub enum Receipt {
    /// A WebAssembly instance in a confined process.
    Wasm(WasmReceipt),
    /// A container.
    Container(Box<ContainerReceipt>),
}

impl Receipt {
    /// What ran it, in the word of profiles.
    #[must_use]
    pub fn backend(&self) -> policy::Backend {
        match self {
            Self::Wasm(_) => policy::Backend::Wasm,
            Self::Container(_) => policy::Backend::Container,
        }
    }
}

/// What was in force around a call in a worker.
#[derive(Debug, Clone, Serialize)]
pub struct WasmReceipt {
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

/// What was in force around a call in a container.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerReceipt {
    /// Name of the profile.
    pub profile: String,
    /// Digest of the profile.
    pub profile_sha256: String,
    /// Digest of the policy that decided.
    pub policy_sha256: String,
    /// The image and what ran it.
    pub runtime: ImageReceipt,
    /// The limits of this call.
    pub limits: policy::Limits,
    /// Names of the layers that the profile asks for. Each was compared with `container` at the
    /// hand-out.
    pub layers: Vec<&'static str>,
    /// Whether the container was waiting already when the call came.
    pub warm: bool,
    /// What was read back at the hand-out.
    pub container: ContainerFacts,
}

/// The image of a call and what ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageReceipt {
    /// Name of the runtime.
    pub name: String,
    /// The image, by the digest that Docker gives it.
    pub image: String,
    /// SHA-256 of the first process.
    pub init_sha256: String,
    /// The OCI runtime: its name, its program and its arguments in Docker's configuration.
    pub oci_runtime: String,
    /// Version of Docker.
    pub docker: String,
}

/// What was read back of a container.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerFacts {
    /// Docker's id of it.
    pub id: String,
    /// What Docker says it set.
    pub settings: ContainerSettings,
    /// The limits that the kernel has on file; nothing where the daemon cannot see them.
    pub kernel_limits: Option<CgroupLimits>,
    /// What its first process sees.
    pub reported: Arc<container_init::Report>,
    /// What the kernel says of it from outside: of gVisor the sandbox, of runc the first process;
    /// nothing where the daemon cannot see it.
    pub observed: Option<jail::Observed>,
}
