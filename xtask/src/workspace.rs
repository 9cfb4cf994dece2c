//! Where the project and what it builds lie, as cargo itself says.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::shell;

/// The project's root and its target directory.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self, Failure> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from("."), PathBuf::from);
        let metadata = metadata(&here, &["--no-deps"])?;
        Ok(Self {
            root: path(&metadata, "workspace_root")?,
            target: path(&metadata, "target_directory")?,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that cargo builds into.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Scratch space on the same disk as the build, kept between runs.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.target.join("xtask").join(name);
        std::fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        Ok(folder)
    }

    /// The folder of our own binaries: one profile for demo, test, bench and CI.
    pub(crate) fn bin_dir(&self) -> PathBuf {
        self.target.join("debug")
    }

    pub(crate) fn bin(&self, name: &str) -> PathBuf {
        self.bin_dir().join(name)
    }

    /// `cargo metadata` with every dependency resolved.
    pub(crate) fn resolved(&self) -> Result<Value, Failure> {
        metadata(&self.root, &[])
    }
}

fn metadata(folder: &Path, flags: &[&str]) -> Result<Value, Failure> {
    let text = shell::read(
        shell::cargo(folder)
            .args(["metadata", "--format-version=1", "--quiet"])
            .args(flags),
    )?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::answer("cargo metadata", error.to_string()))
}

fn path(metadata: &Value, key: &str) -> Result<PathBuf, Failure> {
    metadata
        .get(key)
        .and_then(Value::as_str)
        .map(PathBuf::from)
        .ok_or_else(|| Failure::answer("cargo metadata", format!("without `{key}`")))
}
