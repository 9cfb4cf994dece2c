//! A built runtime as one file, for machines that cannot build it.
//!
//! ```text
//! parcel = gzip( "lazaret-runtime 1\\n" ∥ length of the lock: u32 ∥ lock ∥ frozen module )
//! ```
//!
//! The module is compiled anew where it arrives: machine code is never taken from
//! elsewhere. A parcel of another version of this program, or one whose module is not
//! the one that its lock names, is refused.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::hex::sha256;
use super::manifest::{Manifest, manifest};
use super::store::{Lock, Store, StoreError};

/// First bytes of a parcel.
const HEAD: &[u8] = b"lazaret-runtime 1\n";

/// Largest parcel that is unpacked: the largest module, and its lock.
const MAX_PARCEL_BYTES: u64 = 600 << 20;

impl Store {
    /// Write runtime `name` into `file`.
    ///
    /// # Errors
    /// When it is not built or not what was built, or the file cannot be written.
    pub fn pack(&self, name: &str, file: &Path) -> Result<Lock, StoreError> {
        let lock = self.verify(name)?;
        let path = self.module_path(&lock);
        let module = std::fs::read(&path).map_err(at(&path))?;
        let text = toml::to_string(&lock).map_err(|error| at(file)(io::Error::other(error)))?;
        write(file, text.as_bytes(), &module).map_err(at(file))?;
        Ok(lock)
    }

    /// The runtime and the frozen module of the parcel `file`.
    ///
    /// # Errors
    /// When it is no parcel, or that of another version of this program.
    pub fn unpack(&self, file: &Path) -> Result<(Manifest, Vec<u8>), StoreError> {
        let refused = |why: &str| StoreError::Parcel {
            path: file.display().to_string(),
            why: why.into(),
        };
        let content = read(file).map_err(at(file))?;
        let (lock, module) = parts(&content).ok_or_else(|| refused("is no exported runtime"))?;
        let lock: Lock = toml::from_str(lock).map_err(|_| refused("is no exported runtime"))?;
        let manifest = manifest(&lock.name).ok_or(StoreError::Unknown(lock.name))?;
        if lock.inputs_sha256 != manifest.inputs_sha256() {
            return Err(refused(
                "was exported by another version of Lazaret; export it again",
            ));
        }
        match sha256(module) == lock.module_sha256 {
            true => Ok((manifest, module.to_vec())),
            false => Err(refused(
                "is damaged: its module is not the one that it names",
            )),
        }
    }
}

fn write(file: &Path, lock: &[u8], module: &[u8]) -> io::Result<()> {
    let length = u32::try_from(lock.len()).map_err(io::Error::other)?;
    let mut packed = GzEncoder::new(File::create(file)?, Compression::default());
    for part in [HEAD, &length.to_le_bytes(), lock, module] {
        packed.write_all(part)?;
    }
    packed.finish()?.sync_all()
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(File::open(file)?)
        .take(MAX_PARCEL_BYTES)
        .read_to_end(&mut content)?;
    Ok(content)
}

/// Lock and module.
fn parts(content: &[u8]) -> Option<(&str, &[u8])> {
    let rest = content.strip_prefix(HEAD)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (lock, module) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(lock).ok()?, module))
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::Io {
        path: path.clone(),
        source,
    }
}
