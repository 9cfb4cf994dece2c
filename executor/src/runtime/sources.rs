//! Fetches the pinned sources of a runtime, each by the client of its registry, and
//! unpacks them. Nothing is unpacked or run before its digest was compared: by pip, by
//! cargo, or here.
//!
//! It fails with the client's last lines, or with the two digests that differ.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{BuildError, at, run};
use super::manifest::{Manifest, Registry, Source};
use super::store::digest;

/// The Debian release whose sources the manifests name.
const RELEASE: &str = "trixie";

/// A description of apt's sources is a few lines.
const MAX_APT_FILE_BYTES: u64 = 1 << 20;

/// Fetch all sources of `manifest` into `dir/NAME/`.
///
/// # Errors
/// The first that cannot be had, or is not what the manifest names.
pub(super) fn fetch(manifest: &Manifest, scratch: &Path, dir: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let apt = Apt::new(scratch)?;
    for source in &manifest.sources {
        let into = dir.join(&source.name);
        match source.from {
            Registry::DebianSource => debian(source, &apt, &into)?,
            Registry::Pip => pip(source, scratch, &into)?,
            Registry::Cargo => cargo(source, scratch, &into)?,
        }
    }
    Ok(())
}

/// apt with a state of its own: the machine's packages and lists are left alone.
struct Apt {
    dir: PathBuf,
}

impl Apt {
    fn new(scratch: &Path) -> Result<Self, BuildError> {
        let dir = scratch.join("apt");
        for part in ["lists/partial", "cache/archives/partial", "got"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).map_err(at(&part))?;
        }
        Ok(Self { dir })
    }

    /// The line of the source lists, made from where this machine gets its packages.
    fn prepare(&self) -> Result<(), BuildError> {
        let list = self.dir.join("sources.list");
        if list.exists() {
            return Ok(());
        }
        let mirror = mirror().ok_or(BuildError::NoMirror)?;
        let keys = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
        let line = format!("deb-src {keys} {mirror} {RELEASE} main\n");
        fs::write(&list, line).map_err(at(&list))?;
        run("apt-get update", self.command().arg("update"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.current_dir(self.dir.join("got")).args(["-q", "-y"]);
        let dir = self.dir.display();
        for (key, value) in [
            ("Dir::Etc::sourcelist", format!("{dir}/sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::State::lists", format!("{dir}/lists")),
            ("Dir::State::status", "/dev/null".into()),
            ("Dir::Cache", format!("{dir}/cache")),
            ("APT::Sandbox::User", "".into()),
        ] {
            command.arg("-o").arg(format!("{key}={value}"));
        }
        command
    }
}

/// Where this machine gets Debian's packages: the first main archive of its lists.
fn mirror() -> Option<String> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").ok();
    let parts = parts
        .into_iter()
        .flatten()
        .flatten()
        .map(|part| part.path());
    let mut files: Vec<PathBuf> = parts.collect();
    files.sort();
    files.push("/etc/apt/sources.list".into());
    files.iter().find_map(|file| {
        let mut text = String::new();
        let file = File::open(file).ok()?;
        file.take(MAX_APT_FILE_BYTES)
            .read_to_string(&mut text)
            .ok()?;
        archive(&text)
    })
}

/// The first address of a Debian archive in the text of a source list.
fn archive(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let live = lines.filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    let mut words = live.flat_map(str::split_whitespace);
    words
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

fn debian(source: &Source, apt: &Apt, into: &Path) -> Result<(), BuildError> {
    apt.prepare()?;
    let mut get = apt.command();
    get.args(["source", "--download-only", &source.name]);
    run("apt-get source", &mut get)?;
    let file = apt.dir.join("got").join(&source.file);
    compare(&file, source)?;
    unpack(&file, into)
}

fn compare(file: &Path, source: &Source) -> Result<(), BuildError> {
    if !file.exists() {
        return Err(BuildError::Moved {
            name: source.name.clone(),
            file: source.file.clone(),
        });
    }
    pinned(source, digest(file).map_err(at(file))?)
}

/// The digest is one of those that the manifest names.
fn pinned(source: &Source, found: String) -> Result<(), BuildError> {
    match source.sha256.contains(&found) {
        true => Ok(()),
        false => Err(BuildError::Digest {
            name: source.name.clone(),
            found,
            wanted: source.sha256.join(" or "),
        }),
    }
}

/// The archive's one directory becomes `into`.
fn unpack(archive: &Path, into: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(into).map_err(at(into))?;
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--strip-components=1",
        "--no-same-owner",
        "--file",
    ])
    .arg(archive)
    .arg("--directory")
    .arg(into);
    run("tar (with xz-utils)", &mut tar)
}

/// One package from an environment of its own, with the hash that the manifest names.
fn pip(source: &Source, scratch: &Path, into: &Path) -> Result<(), BuildError> {
    let venv = scratch.join("venv");
    if !venv.exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        run("making a Python environment (python3-venv)", &mut make)?;
    }
    let pins = scratch.join(format!("{}.txt", source.name));
    fs::write(&pins, source.requirement()).map_err(at(&pins))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--require-hashes", "--target"])
        .arg(into)
        .arg("-r")
        .arg(&pins);
    run("pip install with pinned hashes", &mut pip)
}

/// One crate, as a package that depends on it gets it. cargo compares the digest with
/// its index; the manifest's is compared with what cargo says it was.
fn cargo(source: &Source, scratch: &Path, into: &Path) -> Result<(), BuildError> {
    let dir = scratch.join("crate");
    let vendor = dir.join("vendor");
    fs::create_dir_all(dir.join("src")).map_err(at(&dir))?;
    let manifest = dir.join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [workspace]\n[dependencies.{}]\nversion = \"={}\"\n",
        source.name, source.version
    );
    fs::write(&manifest, text).map_err(at(&manifest))?;
    let lib = dir.join("src/lib.rs");
    fs::write(&lib, "").map_err(at(&lib))?;
    let mut get = Command::new("cargo");
    get.current_dir(&dir)
        .args(["vendor", "--quiet", "--versioned-dirs"])
        .arg(&vendor);
    run("cargo vendor", &mut get)?;
    let got = vendor.join(format!("{}-{}", source.name, source.version));
    package(&got, source)?;
    fs::rename(&got, into).map_err(at(into))?;
    fs::remove_dir_all(&dir).map_err(at(&dir))
}

/// The digest of the package that cargo unpacked.
fn package(dir: &Path, source: &Source) -> Result<(), BuildError> {
    let path = dir.join(".cargo-checksum.json");
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let sums: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let found = sums.get("package").and_then(|sum| sum.as_str());
    pinned(source, found.unwrap_or("none").to_owned())
}

#[cfg(test)]
mod tests {
    use super::archive;

    #[test]
    fn the_archive_is_found_in_both_forms_of_source_lists() {
        let new =
            "Types: deb\n# http://old.example.com/debian\nURIs: http://mirror.example.com/debian\n";
        let old = "deb [arch=amd64] https://mirror.example.com/debian/ bookworm main\n";
        let other = "deb https://packages.example.com/apt stable main\n";
        assert_eq!(
            archive(new).as_deref(),
            Some("http://mirror.example.com/debian")
        );
        assert_eq!(
            archive(old).as_deref(),
            Some("https://mirror.example.com/debian/")
        );
        assert_eq!(archive(other), None);
    }
}
