//! From a profile to the plan that a worker confines itself by.

use std::collections::BTreeSet;

use jail::{Layer, Plan, Role, Tmpfs};
use policy::{Backend, Profile};

/// Private memory of a worker beside its guest: the engine's own, one set of
/// tables and stacks, and the frames that carry files and output.
const ENGINE_BYTES: u64 = 384 << 20;

/// Memory of a worker that compiles: Cranelift over CPython takes 1.5 GiB.
const COMPILER_BYTES: u64 = 8 << 30;

/// Descriptors of a worker beside the guest's own files.
const ENGINE_FILES: u64 = 32;

/// Threads of a worker beside its first: the deadline's.
const RUN_THREADS: u64 = 4;

/// Memory of a worker that starts an interpreter and freezes it: the interpreter, and
/// its image as a module, twice.
const FREEZER_BYTES: u64 = 4 << 30;

/// What an interpreter finds while it starts: a standard library.
const FREEZER_FILES: Tmpfs = Tmpfs {
    bytes: 256 << 20,
    inodes: 16_384,
};

/// Threads of a worker that compiles, at most.
const COMPILE_THREADS: u64 = 64;

/// What one stream can be at most: it becomes one body of the ledger.
const MAX_OUTPUT_BYTES: u64 = audit::MAX_BODY_BYTES as u64;

/// What the files can be at most: they fit into one frame beside two streams.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How many files there can be at most: each is named in one record of the ledger.
const MAX_FILE_COUNT: u64 = 1_024;

/// What a guest can address.
const MAX_MEMORY_BYTES: u64 = 4 << 30;

/// Why a profile is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The profile asks for a layer that the jail does not know.
    #[error("profile `{profile}`: {source}")]
    Layer {
        /// The profile.
        profile: String,
        /// The jail's word.
        source: jail::PlanError,
    },
    /// The profile allows more than the backend can carry.
    #[error(
        "profile `{profile}` allows {asked} in `{limit}`; the wasm backend carries at most {most}"
    )]
    Limit {
        /// The profile.
        profile: String,
        /// The limit.
        limit: &'static str,
        /// What it allows.
        asked: u64,
        /// What can be.
        most: u64,
    },
    /// The profile is for another backend.
    #[error(
        "profile `{0}` runs in a container, and this version has no container backend; run code in a profile whose backend is `wasm`"
    )]
    Backend(String),
    /// The profile names another list than the backend's.
    #[error(
        "profile `{profile}` asks for the system call list `{list}`; the wasm backend has `worker`"
    )]
    List {
        /// The profile.
        profile: String,
        /// The list.
        list: String,
    },
}

/// How a worker that runs calls of `profile` confines itself.
///
/// # Errors
/// When the profile asks for what the jail does not have.
pub fn run_plan(profile: &Profile) -> Result<Plan, PlanError> {
    match profile.backend() {
        Backend::Wasm => {}
        Backend::Container => return Err(PlanError::Backend(profile.name().to_owned())),
    }
    let named = |source| PlanError::Layer {
        profile: profile.name().to_owned(),
        source,
    };
    let mut layers = BTreeSet::new();
    for layer in profile.layers().required() {
        layers.insert(layer.name.parse::<Layer>().map_err(named)?);
    }
    if let Some(seccomp) = &profile.layers().seccomp
        && seccomp.list != Role::Worker.name()
    {
        let (profile, list) = (profile.name().to_owned(), seccomp.list.clone());
        return Err(PlanError::List { profile, list });
    }
    let limits = profile.limits();
    for (limit, asked, most) in [
        ("output_bytes", limits.output_bytes, MAX_OUTPUT_BYTES),
        ("file_bytes", limits.file_bytes, MAX_FILE_BYTES),
        ("file_count", limits.file_count, MAX_FILE_COUNT),
        ("memory_bytes", limits.memory_bytes, MAX_MEMORY_BYTES),
    ] {
        if asked > most {
            let profile = profile.name().to_owned();
            return Err(PlanError::Limit {
                profile,
                limit,
                asked,
                most,
            });
        }
    }
    // One inode more for the directory itself.
    let files = Tmpfs {
        bytes: limits.file_bytes,
        inodes: limits.file_count.saturating_add(1),
    };
    let plan = Plan {
        role: Role::Worker,
        layers,
        landlock_min_abi: profile
            .layers()
            .landlock
            .as_ref()
            .map_or(1, |landlock| landlock.min_abi),
        memory_bytes: limits
            .memory_bytes
            .saturating_add(limits.file_bytes.saturating_mul(2))
            .saturating_add(ENGINE_BYTES),
        open_files: limits.file_count.saturating_add(ENGINE_FILES),
        threads: RUN_THREADS,
        workspace: files,
        scratch: files,
        ..Plan::strict(Role::Worker)
    };
    plan.check().map_err(named)?;
    Ok(plan)
}

/// How a worker that compiles confines itself: every layer, no files to speak of.
#[must_use]
pub fn compile_plan() -> Plan {
    let nothing = Tmpfs {
        bytes: 4 << 10,
        inodes: 2,
    };
    Plan {
        memory_bytes: COMPILER_BYTES,
        threads: COMPILE_THREADS,
        workspace: nothing,
        scratch: nothing,
        ..Plan::strict(Role::Compile)
    }
}

/// How a worker that starts an interpreter at build time confines itself: as one that
/// runs calls, with room for a standard library.
#[must_use]
pub fn freeze_plan() -> Plan {
    Plan {
        memory_bytes: FREEZER_BYTES,
        threads: RUN_THREADS,
        open_files: 256 + ENGINE_FILES,
        workspace: FREEZER_FILES,
        scratch: FREEZER_FILES,
        ..Plan::strict(Role::Worker)
    }
}
