//! Machine code that is known: read once, digest compared, and sealed so that
//! nobody can change what was compared.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::receipt::RuntimeReceipt;
use crate::runtime::hex;

/// Largest artefact that is loaded; a scientific Python is about 300 MB.
const MAX_ARTEFACT_BYTES: u64 = 1 << 30;

/// Bytes copied at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Precompiled machine code in a sealed memory file, shared by all workers.
#[derive(Debug, Clone)]
pub struct Artefact {
    file: Arc<File>,
    /// What the receipt says of it; the engine is the worker's word.
    pub(crate) about: RuntimeReceipt,
}

/// Why an artefact cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// The file cannot be read or held in memory.
    #[error("`{path}`: {source}; build it again with `lazaret runtime build {runtime}`")]
    Io {
        /// The file.
        path: String,
        /// Name of the runtime.
        runtime: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The content is not what was built.
    #[error(
        "`{path}` has SHA-256 {found}, the lock file says {wanted}: somebody changed it; \
         build it again with `lazaret runtime build {runtime}`"
    )]
    Digest {
        /// The file.
        path: String,
        /// Name of the runtime.
        runtime: String,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
}

impl Artefact {
    /// Read `path`, compare its digest with the one in `about`, and seal it.
    ///
    /// # Errors
    /// When it cannot be read or is not what was built.
    pub fn load(path: &Path, about: RuntimeReceipt) -> Result<Self, ArtefactError> {
        let (file, found) = sealed_copy(path).map_err(|source| ArtefactError::Io {
            path: path.display().to_string(),
            runtime: about.name.clone(),
            source,
        })?;
        if found != about.artefact_sha256 {
            return Err(ArtefactError::Digest {
                path: path.display().to_string(),
                runtime: about.name,
                found,
                wanted: about.artefact_sha256,
            });
        }
        Ok(Self {
            file: Arc::new(file),
            about,
        })
    }

    /// The sealed file, for a worker's descriptor 1.
    pub(crate) fn descriptor(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// A copy of the file in memory that can no longer be written, and its digest.
fn sealed_copy(path: &Path) -> io::Result<(File, String)> {
    let mut source = File::open(path)?.take(MAX_ARTEFACT_BYTES);
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut copy = File::from(memfd_create(c"lazaret-artefact", flags)?);
    let mut digest = hex::Sha256Writer::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = source.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        digest.update(bytes);
        copy.write_all(bytes)?;
    }
    seal(&copy)?;
    Ok((copy, digest.finish()))
}

/// `content` in a file in memory that can no longer be written.
///
/// # Errors
/// When the kernel has no room for it.
pub(crate) fn sealed(content: &[u8]) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"lazaret-module", flags)?);
    file.write_all(content)?;
    file.rewind()?;
    seal(&file)?;
    Ok(file)
}

fn seal(file: &File) -> io::Result<()> {
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(())
}
