//! Where built runtimes are kept, and whether what is there is what was built.
//!
//! ```text
//! DIR/python/lock.toml            what it was made from, and the two digests
//! DIR/python/<sha256>.wasm        the frozen module
//! DIR/python/<sha256>.cwasm       the machine code
//! ```

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hex::Sha256Writer;
use super::manifest::{Manifest, manifest, manifests};
use crate::receipt::RuntimeReceipt;
use crate::wasm::{Artefact, ArtefactError};

/// Version of the lock file's format.
pub(crate) const LOCK_VERSION: u32 = 2;

/// A lock file is half a kilobyte.
const MAX_LOCK_BYTES: u64 = 64 << 10;

/// Bytes digested at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// The directory of runtimes.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// What a runtime was made from and into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of this file's format.
    pub version: u32,
    /// Name of the runtime.
    pub name: String,
    /// Digest of everything that it was made from.
    pub inputs_sha256: String,
    /// Digest of the frozen module.
    pub module_sha256: String,
    /// Digest of the machine code.
    pub artefact_sha256: String,
    /// The engine that compiled it.
    pub engine: String,
    /// When, in RFC 3339.
    pub built_at: String,
}

/// How a runtime stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeState {
    /// It was never built here.
    Missing,
    /// It was built from other inputs than this program's.
    Stale(Lock),
    /// It is there.
    Built(Lock),
}

/// Why a runtime cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such runtime.
    #[error("there is no runtime `{0}`; `lazaret runtime list` shows them")]
    Unknown(String),
    /// Not built.
    #[error(
        "runtime `{0}` is not built; run `lazaret runtime build {0}`, or `lazaret runtime import FILE` with one that was exported elsewhere"
    )]
    Missing(String),
    /// Built by another version.
    #[error("runtime `{0}` was built by another version; run `lazaret runtime build {0}`")]
    Stale(String),
    /// The lock file is no lock file.
    #[error("`{path}`: {why}; run `lazaret runtime build {name}`")]
    Lock {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
        /// Name of the runtime.
        name: String,
    },
    /// A file is not what was built.
    #[error(
        "`{path}` has SHA-256 {found}, the lock file says {wanted}: somebody changed it; \
         run `lazaret runtime build {name}`"
    )]
    Changed {
        /// The file.
        path: String,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
        /// Name of the runtime.
        name: String,
    },
    /// A file is not a runtime that can be imported.
    #[error("`{path}` {why}")]
    Parcel {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The artefact.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The directory.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Store {
    /// Runtimes below `dir`; it need not exist yet.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The directory of one runtime.
    #[must_use]
    pub fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Every runtime that this program knows, and how it stands.
    ///
    /// # Errors
    /// When a lock file cannot be read.
    pub fn list(&self) -> Result<Vec<(Manifest, RuntimeState)>, StoreError> {
        manifests()
            .into_iter()
            .map(|manifest| {
                let state = self.state(&manifest)?;
                Ok((manifest, state))
            })
            .collect()
    }

    /// How the runtime of `manifest` stands, by its lock file.
    ///
    /// # Errors
    /// When the lock file cannot be read.
    pub fn state(&self, manifest: &Manifest) -> Result<RuntimeState, StoreError> {
        let Some(lock) = self.lock(&manifest.name)? else {
            return Ok(RuntimeState::Missing);
        };
        match lock.inputs_sha256 == manifest.inputs_sha256() {
            true => Ok(RuntimeState::Built(lock)),
            false => Ok(RuntimeState::Stale(lock)),
        }
    }

    /// The machine code of runtime `name`, checked and sealed.
    ///
    /// # Errors
    /// When it is missing, stale, or not what was built.
    pub fn artefact(&self, name: &str) -> Result<Artefact, StoreError> {
        let lock = self.built(name)?;
        let path = self.artefact_path(&lock);
        let about = RuntimeReceipt {
            name: lock.name,
            module_sha256: lock.module_sha256,
            artefact_sha256: lock.artefact_sha256,
            engine: lock.engine,
        };
        Ok(Artefact::load(&path, about)?)
    }

    /// Compare both files of runtime `name` with its lock file.
    ///
    /// # Errors
    /// When it is missing, stale, or not what was built.
    pub fn verify(&self, name: &str) -> Result<Lock, StoreError> {
        let lock = self.built(name)?;
        compare(&self.artefact_path(&lock), &lock.artefact_sha256, name)?;
        compare(&self.module_path(&lock), &lock.module_sha256, name)?;
        Ok(lock)
    }

    /// The lock of runtime `name`, which must be built from this program's inputs.
    fn built(&self, name: &str) -> Result<Lock, StoreError> {
        let manifest = manifest(name).ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
        match self.state(&manifest)? {
            RuntimeState::Built(lock) => Ok(lock),
            RuntimeState::Stale(_) => Err(StoreError::Stale(name.to_owned())),
            RuntimeState::Missing => Err(StoreError::Missing(name.to_owned())),
        }
    }

    pub(crate) fn artefact_path(&self, lock: &Lock) -> PathBuf {
        self.dir_of(&lock.name)
            .join(format!("{}.cwasm", lock.artefact_sha256))
    }

    pub(crate) fn module_path(&self, lock: &Lock) -> PathBuf {
        self.dir_of(&lock.name)
            .join(format!("{}.wasm", lock.module_sha256))
    }

    pub(crate) fn lock_path(&self, name: &str) -> PathBuf {
        self.dir_of(name).join("lock.toml")
    }

    fn lock(&self, name: &str) -> Result<Option<Lock>, StoreError> {
        let path = self.lock_path(name);
        let wrong = |why: String| StoreError::Lock {
            path: path.display().to_string(),
            why,
            name: name.to_owned(),
        };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut text = String::new();
        file.take(MAX_LOCK_BYTES)
            .read_to_string(&mut text)
            .map_err(|e| wrong(e.to_string()))?;
        let lock: Lock =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        let digests = [&lock.module_sha256, &lock.artefact_sha256];
        let sound = lock.version == LOCK_VERSION
            && lock.name == name
            && digests
                .iter()
                .all(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        match sound {
            true => Ok(Some(lock)),
            false => Err(wrong("is not the lock file of this runtime".into())),
        }
    }
}

fn compare(path: &Path, wanted: &str, name: &str) -> Result<(), StoreError> {
    let io = |source| StoreError::Io {
        path: path.display().to_string(),
        source,
    };
    let found = digest(path).map_err(io)?;
    match found == wanted {
        true => Ok(()),
        false => Err(StoreError::Changed {
            path: path.display().to_string(),
            found,
            wanted: wanted.to_owned(),
            name: name.to_owned(),
        }),
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut digest = Sha256Writer::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        match chunk.get(..read) {
            Some(bytes) if !bytes.is_empty() => digest.update(bytes),
            Some(_) | None => return Ok(digest.finish()),
        }
    }
}
