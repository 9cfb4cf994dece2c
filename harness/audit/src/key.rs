//! The key that signs checkpoints: a file outside of the database.
//!
//! `keys/NAME.key` beside the ledger holds the private key in the form that
//! other tools for signed notes read (`PRIVATE+KEY+NAME+ID+KEY`), mode 0600, in
//! a directory of mode 0700; `keys/NAME.pub` holds the public one. Both are
//! made at the first start. A key that others can read is refused. A signer
//! elsewhere (PKCS#11, a KMS) implements [`Signer`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::note::{ALG_ED25519, PublicKey};

/// A key file is one line.
const MAX_FILE_BYTES: u64 = 1024;

/// What a private key begins with, in every tool for signed notes.
const PREFIX: &str = "PRIVATE+KEY+";

/// Signs checkpoints.
pub trait Signer: Send {
    /// The public key that its signatures verify with.
    fn public(&self) -> &PublicKey;

    /// Signs a message.
    ///
    /// # Errors
    /// When the key cannot be used now; the ledger is then sealed.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not there.
    #[error("`{path}` is missing, and the ledger is signed by it; put its own key back", path = .0.display())]
    Missing(PathBuf),
    /// The file.
    #[error("`{path}`: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Others can read it.
    #[error("`{path}` has mode {mode:o}: others can read the key; chmod 600 it", path = path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds no key.
    #[error("`{path}` holds no key that signs notes; put the ledger's own key back", path = .0.display())]
    Malformed(PathBuf),
    /// No randomness.
    #[error("the kernel gives no random bytes: {0}")]
    Random(String),
    /// A signer elsewhere does not answer.
    #[error("the signer does not sign: {0}")]
    Signer(String),
}

/// A key in a file.
pub struct KeyFile {
    key: SigningKey,
    public: PublicKey,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "KeyFile({})", self.public)
    }
}

/// `keys/NAME.key` and `keys/NAME.pub`, beside the ledger `NAME.db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPaths {
    /// The private key.
    pub private: PathBuf,
    /// The public key.
    pub public: PathBuf,
}

impl KeyPaths {
    /// Where the keys of a ledger lie.
    #[must_use]
    pub fn of(ledger: &Path) -> Self {
        let directory = ledger.with_file_name("keys");
        let name = ledger.file_stem().unwrap_or(ledger.as_os_str());
        let file = |end: &str| {
            let mut file = name.to_owned();
            file.push(end);
            directory.join(file)
        };
        Self {
            private: file(".key"),
            public: file(".pub"),
        }
    }
}

impl KeyFile {
    /// The key of a ledger that has one.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is not secret.
    pub fn open(paths: &KeyPaths) -> Result<Self, KeyError> {
        match File::open(&paths.private) {
            Ok(file) => read(file, &paths.private),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Missing(paths.private.clone()))
            }
            Err(source) => Err(io_error(&paths.private, source)),
        }
    }

    /// The key of a ledger that nothing is signed of yet, made if there is none.
    ///
    /// # Errors
    /// When it cannot be made or read, or is not secret.
    pub fn open_or_make(paths: &KeyPaths) -> Result<Self, KeyError> {
        match Self::open(paths) {
            Err(KeyError::Missing(_)) => make(paths),
            opened => opened,
        }
    }
}

impl Signer for KeyFile {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

fn io_error(path: &Path, source: io::Error) -> KeyError {
    let path = path.to_owned();
    KeyError::Io { path, source }
}

fn read(file: File, path: &Path) -> Result<KeyFile, KeyError> {
    let failed = |source| io_error(path, source);
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(KeyError::Open { path, mode });
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    parse(text.trim()).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

fn parse(text: &str) -> Option<KeyFile> {
    let mut parts = text.strip_prefix(PREFIX)?.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = BASE64.decode(key).ok()?;
    let (&algorithm, seed) = bytes.split_first()?;
    let key = SigningKey::from_bytes(seed.try_into().ok()?);
    let public = PublicKey::new(name, key.verifying_key().as_bytes()).ok()?;
    let fits = algorithm == ALG_ED25519 && u32::from_str_radix(id, 16) == Ok(public.id());
    fits.then_some(KeyFile { key, public })
}

/// A new key, named by a new UUID so that no two logs share an origin.
fn make(paths: &KeyPaths) -> Result<KeyFile, KeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
    let key = SigningKey::from_bytes(&seed);
    let name = format!("lazaret/{}", uuid::Uuid::now_v7());
    let public = PublicKey::new(&name, key.verifying_key().as_bytes())
        .map_err(|_| KeyError::Malformed(paths.private.clone()))?;
    let bytes = [&[ALG_ED25519], seed.as_slice()].concat();
    let private = format!(
        "{PREFIX}{name}+{:08x}+{}\n",
        public.id(),
        BASE64.encode(bytes)
    );
    make_directory(paths)?;
    // The public key first: a private one that is there has its public one beside it.
    write(&paths.public, &format!("{public}\n"), 0o644)?;
    write(&paths.private, &private, 0o600)?;
    Ok(KeyFile { key, public })
}

fn make_directory(paths: &KeyPaths) -> Result<(), KeyError> {
    let Some(directory) = paths.private.parent() else {
        return Ok(());
    };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| io_error(directory, source)),
    }
}

/// Under another name first, so that half a key is never found.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), KeyError> {
    let failed = |source| io_error(path, source);
    let unborn = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(&unborn).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&unborn, path).map_err(failed)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}
