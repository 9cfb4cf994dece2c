//! Loads a precompiled module: with [`crate::memory`] the only place outside the jail
//! crate where the compiler cannot check what we claim.

use std::fs::File;
use std::os::fd::AsRawFd;

use wasmtime::{Engine, Module, Result};

/// Map the artefact behind `file` into memory.
///
/// The daemon handed over a sealed memory file whose SHA-256 it compared with
/// the one in the runtime's lock file, so the bytes are those that our own
/// compile worker made and can no longer change.
///
/// # Errors
/// When the artefact was made by another engine version or for other settings.
pub(crate) fn load(engine: &Engine, file: &File) -> Result<Module> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    #[expect(
        unsafe_code,
        reason = "native code is trusted by nature; the digest and the seals are the proof"
    )]
    // SAFETY: the content is our own compiler's output: the daemon checked its
    // digest against the lock file before it sealed the memory file.
    unsafe {
        Module::deserialize_file(engine, path)
    }
}
