//! Images of container runtimes: what is built, what is kept in the lock file, and how it is
//! found again.
//!
//! ```text
//! DIR/shell/image.lock.toml      what it was made from, and the digest that is run
//! ```
//!
//! Docker keeps the images; only the digest in the lock file is ever run, never a name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{ImageManifest, image_manifests, is_digest, read_text};
use crate::runtime::hex::sha256;

/// What an image was made from and into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLock {
    /// Version of this file's format.
    pub version: u32,
    /// Name of the runtime.
    pub name: String,
    /// Digest of everything that it was made from.
    pub inputs_sha256: String,
    /// Digest of `lazaret-init`, which lies in the image.
    pub init_sha256: String,
    /// The image that is run, by digest.
    pub image: String,
    /// The image before `lazaret-init` was put into it, by digest.
    pub base_image: String,
    /// When, in RFC 3339.
    pub built_at: String,
}

/// How an image stands, by its lock file; Docker is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// It was never built here.
    Missing,
    /// It was built from other inputs than this program's.
    Stale(ImageLock),
    /// It was built.
    Built(ImageLock),
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No such runtime.
    #[error("there is no container runtime `{0}`; `lazaret runtime list` shows them")]
    Unknown(String),
    /// Not built.
    #[error("runtime `{0}` is not built; run `lazaret runtime build {0}`")]
    Missing(String),
    /// Built by another version.
    #[error("runtime `{0}` was built by another version; run `lazaret runtime build {0}`")]
    Stale(String),
    /// A manifest that is none.
    #[error("`{path}` {why}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
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
    /// A file or directory.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ImageError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

/// The images of one installation: manifests, and lock files below one directory.
#[derive(Debug, Clone)]
pub struct ImageStore {
    dir: PathBuf,
    init: PathBuf,
}

impl ImageStore {
    /// Images whose lock files lie below `dir`, and `init`, the static `lazaret-init`.
    #[must_use]
    pub fn new(dir: PathBuf, init: PathBuf) -> Self {
        Self { dir, init }
    }

    /// The program that is the first process of every container.
    #[must_use]
    pub fn init(&self) -> &Path {
        &self.init
    }

    /// Every runtime and how it stands.
    ///
    /// # Errors
    /// When a manifest or lock file cannot be read.
    pub fn list(&self) -> Result<Vec<(ImageManifest, ImageState)>, ImageError> {
        let manifests = image_manifests(&self.dir)?.into_iter();
        let states = manifests.map(|manifest| Ok((manifest.clone(), self.state(&manifest)?)));
        states.collect()
    }

    /// The manifest of runtime `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn manifest(&self, name: &str) -> Result<ImageManifest, ImageError> {
        let mut manifests = image_manifests(&self.dir)?.into_iter();
        let found = manifests.find(|manifest| manifest.name == name);
        found.ok_or_else(|| ImageError::Unknown(name.to_owned()))
    }

    /// How the runtime of `manifest` stands.
    ///
    /// # Errors
    /// When its lock file cannot be read.
    pub fn state(&self, manifest: &ImageManifest) -> Result<ImageState, ImageError> {
        let Some(lock) = self.lock(&manifest.name)? else {
            return Ok(ImageState::Missing);
        };
        let same = lock.inputs_sha256 == manifest.inputs_sha256()
            && Some(&lock.init_sha256) == self.init_sha256().as_ref();
        Ok(match same {
            true => ImageState::Built(lock),
            false => ImageState::Stale(lock),
        })
    }

    /// The lock of runtime `name`, which must be built from this program's inputs.
    ///
    /// # Errors
    /// When it is not built, or from others.
    pub fn built(&self, name: &str) -> Result<(ImageManifest, ImageLock), ImageError> {
        let manifest = self.manifest(name)?;
        match self.state(&manifest)? {
            ImageState::Built(lock) => Ok((manifest, lock)),
            ImageState::Stale(_) => Err(ImageError::Stale(name.to_owned())),
            ImageState::Missing => Err(ImageError::Missing(name.to_owned())),
        }
    }

    /// Digest of `lazaret-init`; nothing when it is not there.
    #[must_use]
    pub fn init_sha256(&self) -> Option<String> {
        fs::read(&self.init).ok().map(|bytes| sha256(&bytes))
    }

    pub(crate) fn keep(&self, lock: &ImageLock) -> Result<(), ImageError> {
        let path = self.lock_path(&lock.name);
        let text =
            toml::to_string(lock).map_err(|error| self.wrong(&lock.name, error.to_string()))?;
        let partial = path.with_extension("partial");
        let folder = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&partial, text))
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| ImageError::io(&path, source))
    }

    pub(crate) fn lock(&self, name: &str) -> Result<Option<ImageLock>, ImageError> {
        let Some(text) = read_text(&self.lock_path(name))? else {
            return Ok(None);
        };
        let lock: ImageLock =
            toml::from_str(&text).map_err(|error| self.wrong(name, error.message().to_owned()))?;
        match lock.version == 1 && lock.name == name && is_digest(&lock.image) {
            true => Ok(Some(lock)),
            false => Err(self.wrong(name, "is not the lock file of this runtime".to_owned())),
        }
    }

    fn wrong(&self, name: &str, why: String) -> ImageError {
        ImageError::Lock {
            path: self.lock_path(name).display().to_string(),
            why,
            name: name.to_owned(),
        }
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("image.lock.toml")
    }
}
