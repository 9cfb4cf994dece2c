//! Makes the image of a container runtime: a Debian of named packages, or an image that is there
//! already, with `lazaret-init` put into it. No registry is asked for images.
//!
//! The package lists and keys are those of the host's own apt. What runs here is the host's
//! mmdebstrap, as the user who builds: the supply, not a guest. What it leaves behind is either
//! a lock file with the digest of a complete image, or nothing.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};

use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateImageOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use container_init::INIT_PATH;
use futures_util::{StreamExt as _, stream};
use tokio::io::AsyncReadExt as _;
use tokio::process::{ChildStdout, Command};

use super::docker::Docker;
use super::error::ContainerError;
use super::image::{ImageError, ImageLock, ImageState, ImageStore};
use super::manifest::{Debian, ImageManifest};
use super::plan::GUEST_ID;
use crate::runtime::Progress;
use crate::runtime::hex::sha256;

/// Steps of a build, as they are counted aloud.
const STEPS: usize = 3;

/// Lines of a failed program that are shown.
const SAID_LINES: usize = 4;

/// Bytes of the image that are passed on at a time.
const PIECE_BYTES: usize = 256 << 10;

/// What an image needs no more of than its licences: most of its small files.
const LEFT_OUT: [&str; 3] = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
];

/// Why an image was not made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program of the host is missing.
    #[error("`{0}` is not installed; as root on Debian: apt-get install {0}")]
    Program(&'static str),
    /// A step failed; its last lines follow.
    #[error("{step} failed: {said}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// The last lines that it said.
        said: String,
    },
    /// The first process is missing.
    #[error("`{path}`: {why}; build it as docs/CONTAINERS.md says and put it beside `lazaret`")]
    Init {
        /// Where it was looked for.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Docker.
    #[error(transparent)]
    Docker(#[from] ContainerError),
    /// Manifest or lock file.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Make the image of `manifest` with the Docker at `socket`, and keep its lock file.
///
/// A runtime that is built and asked for again is made from fresh packages; one that is stale
/// keeps the packages that it has.
///
/// # Errors
/// The first step that failed.
pub async fn build_image(
    manifest: &ImageManifest,
    store: &ImageStore,
    socket: &Path,
    progress: &dyn Progress,
) -> Result<ImageLock, BuildError> {
    let docker = Docker::patient(socket.to_owned());
    let init = init(store.init())?;
    let before = store.state(manifest)?;
    progress.step(1, STEPS, "find or make the base image");
    let base = base(manifest, &before, &docker).await?;
    progress.step(2, STEPS, "put the first process into it");
    let image = derive(&docker, &manifest.name, &base, &init).await?;
    progress.step(3, STEPS, "write the lock file");
    let lock = ImageLock {
        version: 1,
        name: manifest.name.clone(),
        inputs_sha256: manifest.inputs_sha256(),
        init_sha256: sha256(&init),
        image,
        base_image: base,
        built_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    };
    store.keep(&lock)?;
    if let ImageState::Stale(old) | ImageState::Built(old) = before
        && old.image != lock.image
    {
        forget(&docker, &old.image).await;
    }
    Ok(lock)
}

/// The first process: one file that needs nothing of the image.
fn init(path: &Path) -> Result<Vec<u8>, BuildError> {
    let wrong = |why: String| BuildError::Init {
        path: path.display().to_string(),
        why,
    };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    match asks_for_interpreter(&bytes) {
        Some(false) => Ok(bytes),
        Some(true) => Err(wrong("it is not linked statically".into())),
        None => Err(wrong("it is no program of this machine".into())),
    }
}

/// Whether an ELF program has a segment of type `PT_INTERP` (elf(5)): then it needs a loader.
fn asks_for_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let read = elf.get(at..at.checked_add(bytes)?)?;
        Some(
            read.iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        )
    };
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let kinds = (0..count).map(|index| number(usize::try_from(start + index * size).ok()?, 4));
    let kinds: Vec<u64> = kinds.collect::<Option<_>>()?;
    Some(kinds.contains(&PT_INTERP))
}

/// The image without our first process, by digest.
async fn base(
    manifest: &ImageManifest,
    before: &ImageState,
    docker: &Docker,
) -> Result<String, BuildError> {
    if let Some(image) = &manifest.image {
        docker.has_image(&manifest.name, image).await?;
        return Ok(image.clone());
    }
    let Some(debian) = &manifest.debian else {
        return Err(ImageError::Unknown(manifest.name.clone()).into());
    };
    let inputs = manifest.inputs_sha256();
    let tag = inputs.get(..16).unwrap_or_default();
    let repository = format!("lazaret/base-{}", manifest.name);
    if !matches!(before, ImageState::Built(_))
        && let Some(found) = docker.image_id(&format!("{repository}:{tag}")).await?
    {
        return Ok(found);
    }
    tools().await?;
    bootstrap(debian, docker, &repository, tag).await?;
    let made = docker.image_id(&format!("{repository}:{tag}")).await?;
    Ok(made.ok_or_else(|| ContainerError::NoImage(manifest.name.clone()))?)
}

/// mmdebstrap, installed where that can be done.
async fn tools() -> Result<(), BuildError> {
    let there = || Command::new("mmdebstrap").arg("--version").output();
    if there().await.is_ok() {
        return Ok(());
    }
    if nix::unistd::geteuid().is_root() {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "--yes", "--no-install-recommends", "mmdebstrap"]);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        // What apt says is no help here: the line below says what to do.
        let _tried = apt.output().await.is_ok();
    }
    there()
        .await
        .map(drop)
        .map_err(|_missing| BuildError::Program("mmdebstrap"))
}

/// Debian's packages, from mmdebstrap's output straight into Docker.
async fn bootstrap(
    debian: &Debian,
    docker: &Docker,
    repository: &str,
    tag: &str,
) -> Result<(), BuildError> {
    let packages: Vec<&str> = debian
        .packages
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let passwd = format!(
        "echo guest:x:{GUEST_ID}:{GUEST_ID}::/tmp:/bin/sh >> \"$1/etc/passwd\" && \
         echo guest:x:{GUEST_ID}: >> \"$1/etc/group\""
    );
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--variant=minbase", "--format=tar"])
        .arg(format!("--include={}", packages.join(",")))
        .args(LEFT_OUT.map(|option| format!("--dpkgopt={option}")))
        .arg(format!("--customize-hook={passwd}"))
        .args([&debian.suite, "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let failed = |error: io::Error| BuildError::Step {
        step: "mmdebstrap",
        said: error.to_string(),
    };
    let mut child = command.spawn().map_err(failed)?;
    let Some(output) = child.stdout.take() else {
        return Err(BuildError::Program("mmdebstrap"));
    };
    let said = tokio::spawn(child.wait_with_output());
    let imported = import(docker, repository, tag, output).await;
    let ended = said
        .await
        .map_err(io::Error::other)
        .and_then(|ended| ended)
        .map_err(failed)?;
    succeeded("mmdebstrap", &ended)?;
    imported
}

async fn import(
    docker: &Docker,
    repository: &str,
    tag: &str,
    output: ChildStdout,
) -> Result<(), BuildError> {
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(repository)
        .tag(tag)
        .build();
    let pieces = stream::unfold(output, |mut output| async move {
        let mut piece = vec![0; PIECE_BYTES];
        match output.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(Bytes::from(piece)), output))
            }
            Err(error) => Some((Err(error), output)),
        }
    });
    let api = docker.api().await?;
    let mut told = std::pin::pin!(api.create_image(
        Some(options),
        Some(bollard::body_try_stream(pieces)),
        None
    ));
    while let Some(one) = told.next().await {
        one.map_err(ContainerError::step("importing the image"))?;
    }
    Ok(())
}

fn succeeded(step: &'static str, ended: &Output) -> Result<(), BuildError> {
    if ended.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&ended.stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines
        .get(lines.len().saturating_sub(SAID_LINES)..)
        .unwrap_or_default();
    Err(BuildError::Step {
        step,
        said: last.join(" | "),
    })
}

/// A container of the base that never runs takes the file in, and becomes the image.
async fn derive(
    docker: &Docker,
    name: &str,
    base: &str,
    init: &[u8],
) -> Result<String, BuildError> {
    let body = ContainerCreateBody {
        image: Some(base.to_owned()),
        entrypoint: Some(vec![INIT_PATH.to_owned()]),
        network_disabled: Some(true),
        ..ContainerCreateBody::default()
    };
    let id = docker.create(body).await?;
    let image = commit(docker, name, &id, init).await;
    docker.remove(&id).await?;
    image
}

async fn commit(docker: &Docker, name: &str, id: &str, init: &[u8]) -> Result<String, BuildError> {
    let api = docker.api().await?;
    let to = UploadToContainerOptionsBuilder::default().path("/").build();
    let archive = bollard::body_full(Bytes::from(archive(init)));
    api.upload_to_container(id, Some(to), archive)
        .await
        .map_err(ContainerError::step(
            "putting the first process into the image",
        ))?;
    let options = CommitContainerOptionsBuilder::default()
        .container(id)
        .pause(false)
        .build();
    let config = ContainerConfig {
        entrypoint: Some(vec![INIT_PATH.to_owned()]),
        ..ContainerConfig::default()
    };
    let made = api.commit_container(options, config).await;
    let image = made.map_err(ContainerError::step("making the image"))?.id;
    // Named, so that cleaning up unnamed images leaves it; it is run by its digest.
    let options = TagImageOptionsBuilder::default()
        .repo(&format!("lazaret/{name}"))
        .tag("latest")
        .build();
    api.tag_image(&image, Some(options))
        .await
        .map_err(ContainerError::step("naming the image"))?;
    Ok(image)
}

/// An earlier image. One that something still uses stays, and is no harm.
async fn forget(docker: &Docker, image: &str) {
    let Ok(api) = docker.api().await else { return };
    let options = RemoveImageOptionsBuilder::default().build();
    let _gone = api.remove_image(image, Some(options), None).await.is_ok();
}

/// A tar archive (ustar) of one folder and one program in it, of root, readable for all.
fn archive(program: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 512;
    let path = INIT_PATH.trim_start_matches('/');
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut archive = header(&format!("{folder}/"), b'5', 0).to_vec();
    archive.extend(header(path, b'0', program.len()));
    archive.extend(program);
    let end = archive.len().next_multiple_of(BLOCK_BYTES) + 2 * BLOCK_BYTES;
    archive.resize(end, 0);
    archive
}

/// A header of a ustar archive: fields at fixed places, numbers in octal, and the sum of all
/// bytes with the sum's own field taken for blanks.
fn header(path: &str, kind: u8, bytes: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| {
        for (to, from) in header.iter_mut().skip(at).zip(text.bytes()) {
            *to = from;
        }
    };
    put(0, path);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{bytes:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, char::from(kind).encode_utf8(&mut [0; 4]));
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    for (to, from) in header
        .iter_mut()
        .skip(148)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *to = from;
    }
    header
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let dir = std::env::temp_dir().join(format!("lazaret-archive-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("a.tar");
        fs::write(&file, archive(b"program")).unwrap();
        let listed = std::process::Command::new("tar")
            .arg("tvf")
            .arg(&file)
            .output()
            .unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.status.success(), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("drwxr-xr-x") && lines[0].ends_with(".lazaret/"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("-rwxr-xr-x") && lines[1].ends_with(".lazaret/init"),
            "{text}"
        );
    }

    #[test]
    fn a_program_with_a_loader_is_told_from_one_without() {
        let shell = fs::read("/bin/sh").unwrap();
        assert_eq!(asks_for_interpreter(&shell), Some(true));
        assert_eq!(asks_for_interpreter(b"#!/bin/sh"), None);
    }
}
