//! What a container runtime is made from, as it stands in `runtimes/NAME/runtime.toml`, and how
//! its languages become command lines.
//!
//! More runtimes may lie in the directory of runtimes: `DIR/NAME/runtime.toml`. One that bears
//! the name of a shipped one takes its place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::image::ImageError;
use crate::runtime::hex::sha256;

/// The manifests that this program carries.
const MANIFESTS: [&str; 3] = [
    include_str!("../../../runtimes/shell/runtime.toml"),
    include_str!("../../../runtimes/python-data/runtime.toml"),
    include_str!("../../../runtimes/node/runtime.toml"),
];

/// A manifest is a page of text.
const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// Runtimes of one installation.
const MAX_OWN: usize = 64;

/// Where a language's command line takes the code.
const CODE: &str = "{code}";

/// One runtime's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    version: u32,
    kind: String,
    /// Name of the runtime.
    pub name: String,
    /// What it is, in one line.
    pub doc: String,
    /// Languages that it runs.
    #[serde(rename = "language")]
    pub languages: Vec<Language>,
    /// Debian and its packages: the image is built.
    pub debian: Option<Debian>,
    /// An image that is there already, by its digest: `sha256:…`.
    pub image: Option<String>,
}

/// A language and its command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Its name, as calls say it.
    pub name: String,
    /// The program and its arguments; `{code}` is the call's code.
    pub argv: Vec<String>,
}

/// What a Debian image is made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// The release.
    pub suite: String,
    /// Packages besides the smallest set.
    #[serde(rename = "package")]
    pub packages: Vec<DebianPackage>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackage {
    /// Its name.
    pub name: String,
    /// Why it is there.
    pub why: String,
}

impl ImageManifest {
    /// The command line for `code` of this language; nothing when it has no such language.
    #[must_use]
    pub fn argv(&self, language: &str, code: &str, args: &[String]) -> Option<Vec<String>> {
        let language = self.languages.iter().find(|one| one.name == language)?;
        let words = language.argv.iter().map(|word| match word.as_str() {
            CODE => code.to_owned(),
            word => word.to_owned(),
        });
        Some(words.chain(args.iter().cloned()).collect())
    }

    /// Digest of everything that the image depends on, but for what runs in it first.
    #[must_use]
    pub fn inputs_sha256(&self) -> String {
        let debian = self.debian.as_ref().map(|debian| {
            let names: Vec<&str> = debian
                .packages
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            format!("{} {}", debian.suite, names.join(" "))
        });
        let inputs = [
            self.name.clone(),
            debian.unwrap_or_default(),
            self.image.clone().unwrap_or_default(),
            std::env::consts::ARCH.to_owned(),
        ];
        sha256(inputs.join("\0").as_bytes())
    }

    /// Read and check a manifest.
    fn read(text: &str) -> Result<Self, String> {
        let manifest: Self =
            toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
        let is_code = |word: &&String| word.as_str() == CODE;
        let bad_language = manifest.languages.iter().find(|language| {
            language.argv.iter().filter(is_code).count() != 1
                || language.argv.first().is_some_and(|word| word == CODE)
        });
        if manifest.version != 1 || manifest.kind != "container" {
            return Err("is not version 1 of kind `container`".to_owned());
        }
        if !is_plain_name(&manifest.name) {
            return Err(format!(
                "has the name `{}`; use a-z, 0-9 and -",
                manifest.name.escape_debug()
            ));
        }
        if let Some(language) = bad_language {
            return Err(format!(
                "language `{}` must have `{CODE}` once in its `argv`, not first",
                language.name
            ));
        }
        match (&manifest.debian, &manifest.image) {
            (Some(_), None) => Ok(manifest),
            (None, Some(image)) if is_digest(image) => Ok(manifest),
            (None, Some(_)) => {
                Err("must name its image by digest, as `sha256:` and 64 digits".to_owned())
            }
            (Some(_), Some(_)) | (None, None) => Err("has either `[debian]` or `image`".to_owned()),
        }
    }
}

/// Whether this is an image's digest.
pub(crate) fn is_digest(image: &str) -> bool {
    let digits = image.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A name that is a file name, part of an image's name, and nothing else.
fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

/// All runtimes that containers can be made from: the shipped ones and those below `dir`.
///
/// # Errors
/// When a manifest cannot be read or is none.
pub fn image_manifests(dir: &Path) -> Result<Vec<ImageManifest>, ImageError> {
    let mut manifests = own(dir)?;
    for text in MANIFESTS {
        let Ok(shipped) = ImageManifest::read(text) else {
            continue;
        };
        if !manifests.iter().any(|own| own.name == shipped.name) {
            manifests.push(shipped);
        }
    }
    manifests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(manifests)
}

fn own(dir: &Path) -> Result<Vec<ImageManifest>, ImageError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| ImageError::io(dir, source))?,
    };
    let mut manifests = Vec::new();
    for entry in entries.flatten().take(MAX_OWN) {
        let path = entry.path().join("runtime.toml");
        let Some(text) = read_text(&path)? else {
            continue;
        };
        let wrong = |why| ImageError::Manifest {
            path: path.display().to_string(),
            why,
        };
        let manifest = ImageManifest::read(&text).map_err(wrong)?;
        if entry.file_name().to_str() != Some(manifest.name.as_str()) {
            return Err(wrong("must lie in a folder of its name".to_owned()));
        }
        manifests.push(manifest);
    }
    Ok(manifests)
}

/// A text of bounded length; nothing when the file is not there.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, ImageError> {
    let mut text = String::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file
            .and_then(|file| file.take(MAX_MANIFEST_BYTES).read_to_string(&mut text))
            .map(|_| Some(text))
            .map_err(|source| ImageError::io(path, source)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const RUBY: &str = "version = 1\nkind = \"container\"\nname = \"ruby\"\ndoc = \"Ruby\"\n\
        [[language]]\nname = \"ruby\"\nargv = [\"ruby\", \"-e\", \"{code}\", \"--\"]\n\
        [debian]\nsuite = \"bookworm\"\n[[debian.package]]\nname = \"ruby\"\nwhy = \"it\"\n";

    #[test]
    fn every_shipped_manifest_is_read() {
        for text in MANIFESTS {
            ImageManifest::read(text).unwrap();
        }
    }

    #[test]
    fn code_is_one_word_whatever_it_is() {
        let ruby = ImageManifest::read(RUBY).unwrap();
        let argv = ruby
            .argv("ruby", "puts '{code}'; # $(x)", &["a b".into()])
            .unwrap();
        assert_eq!(argv, ["ruby", "-e", "puts '{code}'; # $(x)", "--", "a b"]);
        assert_eq!(ruby.argv("bash", "", &[]), None);
    }

    #[test]
    fn a_manifest_that_could_be_misread_is_refused() {
        for (from, to) in [
            ("name = \"ruby\"\ndoc", "name = \"../ruby\"\ndoc"),
            ("\"{code}\", ", ""),
            ("\"ruby\", \"-e\", ", ""),
            ("kind = \"container\"", "kind = \"wasm\""),
            ("[debian]", "image = \"debian:latest\"\n[other]"),
            ("version = 1", "version = 2"),
        ] {
            assert!(
                ImageManifest::read(&RUBY.replace(from, to)).is_err(),
                "{to}"
            );
        }
        let by_name = RUBY
            .split("[debian]")
            .next()
            .unwrap()
            .replace("doc =", "image = \"debian:latest\"\ndoc =");
        assert!(ImageManifest::read(&by_name).is_err());
    }
}
