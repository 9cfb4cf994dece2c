//! What a runtime is made from, as it stands in `runtimes/NAME/runtime.toml`.

use serde::Deserialize;

use super::hex::sha256;
use crate::wasm::ENGINE_VERSION;

/// The manifests that this program carries.
const MANIFESTS: [&str; 1] = [include_str!("../../../runtimes/python/runtime.toml")];

/// One runtime's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// Name of the runtime.
    pub name: String,
    /// What it is, in one line.
    pub doc: String,
    /// Language that it runs.
    pub language: String,
    /// The WIT world that the guest side implements.
    pub world: String,
    /// Module of the guest side.
    pub app: String,
    /// Packages that it is built with.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
}

/// A package from a registry, pinned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Why it is needed.
    pub why: String,
    /// SHA-256 of the files that will do, one for each platform.
    pub sha256: Vec<String>,
}

/// All runtimes that can be built.
#[must_use]
pub fn manifests() -> Vec<Manifest> {
    MANIFESTS.iter().filter_map(|text| read(text)).collect()
}

/// The runtime `name`.
#[must_use]
pub fn manifest(name: &str) -> Option<Manifest> {
    manifests()
        .into_iter()
        .find(|manifest| manifest.name == name)
}

/// The manifests are part of this program; a test reads each of them.
fn read(text: &str) -> Option<Manifest> {
    toml::from_str(text)
        .ok()
        .filter(|manifest: &Manifest| manifest.version == 1)
}

impl Manifest {
    /// Digest of everything that the artefact depends on. A runtime with another
    /// one was built by another version of this program.
    #[must_use]
    pub fn inputs_sha256(&self) -> String {
        let packages = self.packages.iter();
        let pins: Vec<String> = packages
            .map(|one| format!("{} {} {}", one.name, one.version, one.sha256.join(" ")))
            .collect();
        let (_, wit) = guest_sdk::WIT;
        let (_, app) = guest_sdk::PYTHON_APP;
        let inputs = [
            &self.world,
            &self.app,
            &pins.join("\n"),
            wit,
            app,
            ENGINE_VERSION,
            std::env::consts::ARCH,
        ];
        sha256(inputs.join("\0").as_bytes())
    }

    /// The packages in the form that pip checks hashes in.
    #[must_use]
    pub(crate) fn requirements(&self) -> String {
        let line = |package: &Package| {
            let hashes = package
                .sha256
                .iter()
                .map(|hash| format!(" --hash=sha256:{hash}"));
            format!(
                "{}=={}{}\n",
                package.name,
                package.version,
                hashes.collect::<String>()
            )
        };
        self.packages.iter().map(line).collect()
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::{MANIFESTS, manifest, manifests};

    #[test]
    fn every_manifest_is_read() {
        assert_eq!(manifests().len(), MANIFESTS.len());
    }

    #[test]
    fn packages_are_pinned_by_hash() {
        let python = manifest("python").expect("python is there");
        assert!(
            python
                .requirements()
                .starts_with("componentize-py==0.25.1 --hash=sha256:")
        );
        assert!(python.packages.iter().all(|package| {
            !package.sha256.is_empty() && package.sha256.iter().all(|hash| hash.len() == 64)
        }));
    }
}
