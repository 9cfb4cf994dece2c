//! Runtimes: the interpreters that guests run in, what they are made from, and
//! where the results are kept.
//!
//! A runtime is built from pinned sources into a WebAssembly module, started once and
//! frozen, compiled in a jailed worker to machine code, and kept by digest. The lock file beside
//! the artefact says what it was made from; a runtime whose inputs differ from
//! those of this program is stale and is not run.

mod build;
pub mod hex;
mod manifest;
mod parcel;
mod sources;
mod store;

pub use build::{BuildError, Progress, adopt, build};
pub use manifest::{Manifest, Registry, Source, manifest, manifests};
pub use store::{Lock, RuntimeState, Store, StoreError};
