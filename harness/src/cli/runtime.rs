//! `lazaret runtime`: build, list and verify what programs run in.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use executor::container::{ImageManifest, ImageState, build_image};
use executor::runtime::{Progress, RuntimeState, StoreError, adopt, build, manifest};
use harness::config::{Config, Written};
use indicatif::{ProgressBar, ProgressStyle};

use super::show::{self, Tone};
use super::{Failure, Places, STATUS_NO};

/// Build and verify runtimes.
#[derive(Debug, Subcommand)]
pub(crate) enum RuntimeCommand {
    /// List the runtimes and how they stand
    List {
        #[command(flatten)]
        places: Places,
    },
    /// Build a runtime from its pinned inputs
    Build {
        /// Name of the runtime
        name: String,
        #[command(flatten)]
        places: Places,
    },
    /// Write a built runtime into a file, for a machine without a network
    Export {
        /// Name of the runtime
        name: String,
        /// The file to write
        file: PathBuf,
        #[command(flatten)]
        places: Places,
    },
    /// Take a runtime from such a file, and compile it for this machine
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        places: Places,
    },
    /// Compare a built runtime with its lock file, byte by byte
    Verify {
        /// Name of the runtime; all of them if none is named
        name: Option<String>,
        #[command(flatten)]
        places: Places,
    },
}

pub(crate) fn runtime(command: &RuntimeCommand) -> Result<ExitCode, Failure> {
    match command {
        RuntimeCommand::List { places } => list(places),
        RuntimeCommand::Build { name, places } => make(name, places),
        RuntimeCommand::Export { name, file, places } => export(name, file, places),
        RuntimeCommand::Import { file, places } => import(file, places),
        RuntimeCommand::Verify { name, places } => verify(name.as_deref(), places),
    }
}

fn list(places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    for (manifest, state) in config.runtime_store().list()? {
        let state = match state {
            RuntimeState::Missing => show::tone(Tone::Bad, "not built"),
            RuntimeState::Stale(_) => show::tone(Tone::Bad, "stale"),
            RuntimeState::Built(lock) => {
                let day = lock.built_at.get(..10).unwrap_or_default();
                format!("{} {day}, {}", show::tone(Tone::Good, "built"), lock.engine)
            }
        };
        show::line(&format!(
            "{:<12} {:<34} {}",
            manifest.name, state, manifest.doc
        ));
    }
    for (manifest, state) in config.image_store().list()? {
        let state = match state {
            ImageState::Missing => show::tone(Tone::Bad, "not built"),
            ImageState::Stale(_) => show::tone(Tone::Bad, "stale"),
            ImageState::Built(lock) => {
                let day = lock.built_at.get(..10).unwrap_or_default();
                let digest = lock.image.get(..19).unwrap_or_default();
                format!("{} {day}, {digest}", show::tone(Tone::Good, "built"))
            }
        };
        show::line(&format!(
            "{:<12} {:<34} {}",
            manifest.name, state, manifest.doc
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn make(name: &str, places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    let Some(manifest) = manifest(name) else {
        return make_image(&config, &config.image_store().manifest(name)?);
    };
    let started = Instant::now();
    let lock = build(
        &manifest,
        &config.runtime_store(),
        &config.worker,
        &Steps::new(),
    )?;
    let seconds = started.elapsed().as_secs();
    show::line(&format!(
        "{name}: built in {seconds} s, sha256 {}",
        lock.artefact_sha256
    ));
    Ok(ExitCode::SUCCESS)
}

fn export(name: &str, file: &Path, places: &Places) -> Result<ExitCode, Failure> {
    let store = places.config(Written::default())?.runtime_store();
    let lock = store.pack(name, file)?;
    let (path, sha256) = (file.display(), lock.module_sha256);
    show::line(&format!(
        "{name}: written to {path}, module sha256 {sha256}"
    ));
    Ok(ExitCode::SUCCESS)
}

fn import(file: &Path, places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    let store = config.runtime_store();
    let (manifest, frozen) = store.unpack(file)?;
    let lock = adopt(&manifest, &store, &config.worker, &frozen)?;
    let (name, sha256) = (lock.name, lock.module_sha256);
    show::line(&format!("{name}: imported, module sha256 {sha256}"));
    Ok(ExitCode::SUCCESS)
}

/// A container's image: Docker is needed, and what makes a Debian.
fn make_image(config: &Config, manifest: &ImageManifest) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let (store, steps) = (config.image_store(), Steps::new());
    let build = build_image(manifest, &store, &config.docker_socket, &steps);
    let lock = super::tokio()?.block_on(build)?;
    let seconds = started.elapsed().as_secs();
    drop(steps);
    show::line(&format!(
        "{}: built in {seconds} s, {}",
        manifest.name, lock.image
    ));
    Ok(ExitCode::SUCCESS)
}

/// Whether Docker still has the image that the lock file names.
fn verify_image(config: &Config, name: &str) -> Result<String, Failure> {
    let (_, lock) = config.image_store().built(name)?;
    let containers = config
        .open_containers(String::new(), None)
        .ok_or("containers are switched off in the configuration")?;
    super::tokio()?.block_on(containers.check_image(name))?;
    Ok(lock.image)
}

fn verify(name: Option<&str>, places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    let store = config.runtime_store();
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => store
            .list()?
            .into_iter()
            .map(|(manifest, _)| manifest.name)
            .collect(),
    };
    let mut all = true;
    for name in names {
        match store.verify(&name) {
            Ok(lock) => {
                let good = show::tone(Tone::Good, "holds");
                show::line(&format!("{name}: {good}, sha256 {}", lock.artefact_sha256));
            }
            Err(StoreError::Unknown(_)) => match verify_image(&config, &name) {
                Ok(image) => {
                    let good = show::tone(Tone::Good, "holds");
                    show::line(&format!("{name}: {good}, {image}"));
                }
                Err(error) => {
                    all = false;
                    eprintln!("lazaret: {error}");
                }
            },
            Err(error) => {
                all = false;
                eprintln!("lazaret: {error}");
            }
        }
    }
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(STATUS_NO)
    })
}

/// The steps of a build: a bar on a terminal, lines elsewhere.
struct Steps(ProgressBar);

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(120);

impl Steps {
    fn new() -> Self {
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Progress for Steps {
    fn step(&self, number: usize, of: usize, what: &str) {
        self.0.set_length(of as u64);
        self.0.set_position(number as u64);
        self.0.set_message(what.to_owned());
        if self.0.is_hidden() {
            eprintln!("{number}/{of} {what}");
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
