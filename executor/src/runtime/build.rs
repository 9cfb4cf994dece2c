//! Builds a runtime: pinned packages, a component with the interpreter baked in,
//! machine code. One straight page; what it leaves behind is either complete or
//! not there.
//!
//! pip and the packages run on the host as the user who builds: they are the
//! supply, pinned by hash, not guests. Compiling happens in a jailed worker.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use super::hex::sha256;
use super::manifest::Manifest;
use super::store::{Lock, Store};
use crate::wasm::wire::{Compiled, MAX_ARTEFACT_FRAME_BYTES, Role, read_frame};
use crate::wasm::{Jailed, StartError, compile_plan};

/// Told as the build goes on; the command line draws it.
pub trait Progress {
    /// The next step begins.
    fn step(&self, number: usize, of: usize, what: &str);
}

/// Why a runtime was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program of the host is missing.
    #[error(
        "`{program}` cannot be started ({source}); on Debian: apt-get install python3 python3-venv"
    )]
    Program {
        /// The program.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A step failed; its last lines follow.
    #[error("{step} failed: {said}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// The last lines that it said.
        said: String,
    },
    /// The compiler's worker.
    #[error(transparent)]
    Worker(#[from] StartError),
    /// The component does not compile.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// A file could not be written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Steps of a build, as they are counted aloud.
const STEPS: usize = 4;

/// Lines of a failed program that are shown.
const SAID_LINES: usize = 6;

/// Build the runtime of `manifest` into `store` with `worker` as the compiler.
///
/// Two builds of one runtime at once wait for each other. What is there already
/// stays usable until the new one is complete.
///
/// # Errors
/// The first step that failed.
pub fn build(
    manifest: &Manifest,
    store: &Store,
    worker: &Path,
    progress: &dyn Progress,
) -> Result<Lock, BuildError> {
    let dir = store.dir_of(&manifest.name);
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    let _alone = alone(&dir)?;
    let scratch = Scratch::make(&dir)?;

    progress.step(1, STEPS, "install the pinned packages");
    let tools = install(manifest, &scratch.0)?;
    progress.step(2, STEPS, "bake the interpreter");
    let component = bake(manifest, &tools, &scratch.0)?;
    progress.step(3, STEPS, "compile to machine code in a jailed worker");
    let (artefact, engine) = compile(worker, &component)?;
    progress.step(4, STEPS, "store by digest");
    let component = fs::read(&component).map_err(at(&component))?;
    keep(manifest, store, &component, &artefact, engine)
}

/// An environment of its own, with exactly the pinned packages.
fn install(manifest: &Manifest, scratch: &Path) -> Result<PathBuf, BuildError> {
    let venv = scratch.join("venv");
    let pins = scratch.join("requirements.txt");
    fs::write(&pins, manifest.requirements()).map_err(at(&pins))?;
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&venv);
    run("making a Python environment (python3-venv)", &mut make)?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ])
    .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "-r"])
    .arg(&pins);
    run("pip install with pinned hashes", &mut pip)?;
    Ok(venv.join("bin"))
}

/// CPython and the guest's side as one component, frozen after its imports.
fn bake(manifest: &Manifest, tools: &Path, scratch: &Path) -> Result<PathBuf, BuildError> {
    let (wit, app) = (scratch.join("wit"), scratch.join("app"));
    for (dir, (name, text)) in [(&wit, guest_sdk::WIT), (&app, guest_sdk::PYTHON_APP)] {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let path = dir.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    let component = scratch.join("component.wasm");
    let mut bake = Command::new(tools.join("componentize-py"));
    bake.arg("-d")
        .arg(&wit)
        .args(["-w", &manifest.world, "componentize", "-p"]);
    // The interpreter is frozen with its environment: give it none.
    bake.arg(&app)
        .arg(&manifest.app)
        .arg("-o")
        .arg(&component)
        .current_dir(scratch);
    bake.env_clear()
        .env("LANG", "C.UTF-8")
        .env("HOME", scratch)
        .env("PATH", tools);
    run("componentize-py", &mut bake)?;
    Ok(component)
}

/// Machine code, made where a broken compiler can do no harm.
fn compile(worker: &Path, component: &Path) -> Result<(Vec<u8>, String), BuildError> {
    let source = File::open(component).map_err(at(component))?;
    let mut jailed = Jailed::start(worker, Role::Compile, &compile_plan(), source)?;
    let engine = jailed.ready.engine.clone();
    let compiled: Compiled = read_frame(&mut jailed.socket, MAX_ARTEFACT_FRAME_BYTES)
        .map_err(|error| BuildError::Compile(format!("the compiler broke off: {error}")))?;
    Ok((compiled.map_err(BuildError::Compile)?, engine))
}

fn keep(
    manifest: &Manifest,
    store: &Store,
    component: &[u8],
    artefact: &[u8],
    engine: String,
) -> Result<Lock, BuildError> {
    let lock = Lock {
        version: 1,
        name: manifest.name.clone(),
        inputs_sha256: manifest.inputs_sha256(),
        component_sha256: sha256(component),
        artefact_sha256: sha256(artefact),
        engine,
        built_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    };
    let text = toml::to_string(&lock).map_err(|error| BuildError::Step {
        step: "the lock file",
        said: error.to_string(),
    })?;
    let (artefact_path, component_path) = (store.artefact_path(&lock), store.component_path(&lock));
    put(&artefact_path, artefact)?;
    put(&component_path, component)?;
    // The lock file last: before it is there, nothing is.
    let lock_path = store.lock_path(&manifest.name);
    put(&lock_path, text.as_bytes())?;
    sweep(
        &store.dir_of(&manifest.name),
        &[artefact_path, component_path, lock_path],
    );
    Ok(lock)
}

/// Remove the artefacts of earlier builds. What cannot be removed is no harm.
fn sweep(dir: &Path, keep: &[PathBuf]) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let old = path
            .extension()
            .is_some_and(|kind| kind == "wasm" || kind == "cwasm");
        if old && !keep.contains(&path) {
            let _gone = fs::remove_file(&path).is_ok();
        }
    }
}

/// Write a file so that it is there whole or not at all, also after a power cut.
fn put(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    let partial = path.with_extension("partial");
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(at(path))
}

/// Run a program to its end; its last lines are the error.
fn run(step: &'static str, command: &mut Command) -> Result<(), BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Program { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
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

/// Held while a runtime is built.
fn alone(dir: &Path) -> Result<Flock<File>, BuildError> {
    let path = dir.join("build.lock");
    let file = File::create(&path).map_err(at(&path))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| BuildError::Io {
        path: path.display().to_string(),
        source: error.into(),
    })
}

/// A directory that is gone when the build ends, however it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn make(dir: &Path) -> Result<Self, BuildError> {
        let path = dir.join("scratch");
        // Left over from a build that was killed; nobody else builds now.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
        fs::create_dir(&path).map_err(at(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "scratch directory left behind");
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> BuildError + use<> {
    let path = path.display().to_string();
    move |source| BuildError::Io {
        path: path.clone(),
        source,
    }
}
