//! What a runtime is made from: its folder `runtimes/NAME/`, carried by this program.

use serde::Deserialize;

use super::hex::sha256;
use crate::wasm::ENGINE_VERSION;

/// A runtime's folder: the manifest and the files that its build script uses.
struct Folder {
    manifest: &'static str,
    files: &'static [(&'static str, &'static str)],
}

/// A file of a runtime's folder, by its name and its text.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$((
            $name,
            include_str!(concat!("../../../runtimes/", $folder, "/", $name)),
        ),)*]
    };
}

/// The folders that this program carries.
const FOLDERS: [Folder; 2] = [
    Folder {
        manifest: include_str!("../../../runtimes/python/runtime.toml"),
        files: &[
            (
                "build.sh",
                include_str!("../../../runtimes/python/build.sh"),
            ),
            ("shim.c", include_str!("../../../runtimes/python/shim.c")),
            ("stubs.c", include_str!("../../../runtimes/python/stubs.c")),
            guest_sdk::PYTHON_APP,
        ],
    },
    Folder {
        manifest: include_str!("../../../runtimes/javascript/runtime.toml"),
        files: files! { "javascript":
            "build.sh" "shim.c" "host.h" "image.h" "modules.h" "prelude.c" "prelude.h" "seal.h" "assert.js" "buffer.js" "clone.js" "console.js" "crypto.js" "encoding.js" "errors.js" "events.js" "fs.js" "inspect.js" "locale.js" "modules.js" "path.js" "process.js" "readline.js" "report.js" "support.js" "timers.js" "url.js" "util.js"
        },
    },
];

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
    /// Steps that its build script counts aloud.
    pub steps: usize,
    /// What it is built from.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// The files of its folder, name and text.
    #[serde(skip)]
    pub files: &'static [(&'static str, &'static str)],
}

/// One source, pinned by its digest and fetched by the client of its registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, in the registry and below `$SOURCES`.
    pub name: String,
    /// Where it comes from.
    pub from: Registry,
    /// Its version; a Debian source is pinned by its file.
    #[serde(default)]
    pub version: String,
    /// The file of a Debian source that is taken, without Debian's changes.
    #[serde(default)]
    pub file: String,
    /// Why it is needed.
    pub why: String,
    /// SHA-256 of the files that will do, one for each platform.
    pub sha256: Vec<String>,
}

/// A registry, by the client that fetches from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registry {
    /// `apt-get source`, from the release that the manifests are made for.
    DebianSource,
    /// `pip install`, one package without what it depends on.
    Pip,
    /// `cargo vendor`, one crate.
    Cargo,
}

/// All runtimes that can be built.
#[must_use]
pub fn manifests() -> Vec<Manifest> {
    FOLDERS.iter().filter_map(read).collect()
}

/// The runtime `name`.
#[must_use]
pub fn manifest(name: &str) -> Option<Manifest> {
    manifests()
        .into_iter()
        .find(|manifest| manifest.name == name)
}

/// The manifests are part of this program; a test reads each of them.
fn read(folder: &Folder) -> Option<Manifest> {
    let manifest: Manifest = toml::from_str(folder.manifest).ok()?;
    (manifest.version == 2).then_some(Manifest {
        files: folder.files,
        ..manifest
    })
}

impl Manifest {
    /// Digest of everything that the artefact depends on. A runtime with another
    /// one was built by another version of this program.
    #[must_use]
    pub fn inputs_sha256(&self) -> String {
        let pins = self.sources.iter().map(Source::pin);
        let files = self.files.iter().map(|(_, text)| (*text).to_owned());
        let machine = [ENGINE_VERSION.to_owned(), std::env::consts::ARCH.to_owned()];
        let inputs: Vec<String> = pins.chain(files).chain(machine).collect();
        sha256(inputs.join("\0").as_bytes())
    }
}

impl Source {
    fn pin(&self) -> String {
        format!("{} {}", self.name, self.sha256.join(" "))
    }

    /// The package in the form that pip checks hashes in.
    #[must_use]
    pub(crate) fn requirement(&self) -> String {
        let hashes: String = self
            .sha256
            .iter()
            .map(|hash| format!(" --hash=sha256:{hash}"))
            .collect();
        format!("{}=={}{hashes}\n", self.name, self.version)
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::{FOLDERS, manifests};

    #[test]
    fn every_manifest_is_read() {
        assert_eq!(manifests().len(), FOLDERS.len());
    }

    #[test]
    fn sources_are_pinned_by_hash() {
        for manifest in manifests() {
            assert!(manifest.files.iter().any(|(name, _)| *name == "build.sh"));
            assert!(manifest.sources.iter().all(|source| {
                !source.sha256.is_empty() && source.sha256.iter().all(|hash| hash.len() == 64)
            }));
        }
    }

    #[test]
    fn every_part_of_the_prelude_is_carried() {
        let all = manifests();
        let javascript = all.iter().find(|one| one.name == "javascript");
        let files = javascript.expect("javascript is there").files;
        let (_, list) = files
            .iter()
            .find(|(name, _)| *name == "prelude.c")
            .expect("the list");
        let named = list
            .lines()
            .filter_map(|line| line.strip_prefix("#embed \""));
        for name in named.filter_map(|rest| rest.split('"').next()) {
            assert!(files.iter().any(|(file, _)| *file == name), "`{name}`");
        }
    }

    #[test]
    fn steps_are_those_that_the_script_counts() {
        for manifest in manifests() {
            let script = manifest.files.iter().find(|(name, _)| *name == "build.sh");
            let (_, script) = script.expect("a script");
            let steps = script.lines().filter(|line| line.starts_with("step "));
            assert_eq!(steps.count(), manifest.steps, "{}", manifest.name);
        }
    }
}
