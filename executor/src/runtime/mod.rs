//! Runtimes: the interpreters that guests run in, what they are made from, and
//! where the results are kept.
//!
//! A runtime is built from pinned inputs into a WebAssembly component, compiled
//! in a jailed worker to machine code, and kept by digest. The lock file beside
//! the artefact says what it was made from; a runtime whose inputs differ from
//! those of this program is stale and is not run.

mod build;
pub mod hex;
mod manifest;
mod store;

pub use build::{BuildError, Progress, build};
pub use manifest::{Manifest, Package, manifest, manifests};
pub use store::{Lock, RuntimeState, Store, StoreError};
