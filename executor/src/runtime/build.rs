//! Builds a runtime: pinned sources, a module, the started module frozen, machine code.
//! One straight page; what it leaves behind is either complete or not there.
//!
//! Sources are compiled on the host as the user who builds: they are the supply, pinned
//! by hash, not guests. From the first instruction that they themselves run, they are in
//! a jailed worker.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use super::hex::sha256;
use super::manifest::Manifest;
use super::sources;
use super::store::{LOCK_VERSION, Lock, Store};
use crate::wasm::wire::{
    Compiled, Freeze, MAX_ARTEFACT_FRAME_BYTES, Role, Target, WireFile, read_frame, write_frame,
};
use crate::wasm::{Jailed, StartError, compile_plan, freeze_plan};

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
        "`{program}` cannot be started ({source}); on Debian: apt-get install gcc make xz-utils python3 python3-venv; \
         elsewhere, `lazaret runtime import FILE` takes one that was built on another machine"
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
    /// No archive of Debian's is known to this machine.
    #[error(
        "the sources are Debian's, and /etc/apt names no archive of Debian; \
         `lazaret runtime import FILE` takes a runtime that was built on another machine"
    )]
    NoMirror,
    /// The archive has another release of a source by now.
    #[error(
        "the archive has no `{file}` of `{name}` any more; update Lazaret, or use `lazaret runtime import FILE`"
    )]
    Moved {
        /// The source.
        name: String,
        /// The file that is wanted.
        file: String,
    },
    /// A source is not what the manifest names.
    #[error("`{name}` has SHA-256 {found}, and {wanted} is wanted: do not build from it")]
    Digest {
        /// The source.
        name: String,
        /// What was fetched.
        found: String,
        /// What is pinned.
        wanted: String,
    },
    /// The compiler's worker.
    #[error(transparent)]
    Worker(#[from] StartError),
    /// The module does not compile.
    #[error("the module does not compile: {0}")]
    Compile(String),
    /// The interpreter does not start.
    #[error("the interpreter does not start: {0}")]
    Freeze(String),
    /// A file could not be written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Steps of a build besides those of its script.
const STEPS: usize = 5;

/// Lines of a failed program that are shown.
const SAID_LINES: usize = 6;

/// What a build script's line begins with that names its next step.
const STEP_MARK: &str = "lazaret-step: ";

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
    let after = 1 + manifest.steps;
    let of = STEPS + manifest.steps;

    progress.step(1, of, "fetch the pinned sources");
    let sources = scratch.0.join("sources");
    sources::fetch(manifest, &scratch.0, &sources)?;
    let out = script(manifest, &scratch.0, &sources, progress, of)?;
    progress.step(
        after + 1,
        of,
        "compile what is to be started, in a jailed worker",
    );
    let module = read(&out.join("module.wasm"))?;
    let (to_start, _) = compile(worker, &module, Target::Start)?;
    progress.step(after + 2, of, "start it in a jailed worker, and freeze it");
    let files = image(&out.join("image"))?;
    let frozen = freeze(worker, &to_start, module, files)?;
    progress.step(after + 3, of, "compile the frozen module");
    let (artefact, engine) = compile(worker, &frozen, Target::Frozen)?;
    progress.step(after + 4, of, "store by digest");
    keep(manifest, store, &frozen, &artefact, engine)
}

/// Take a frozen module that was built elsewhere, and compile it here.
///
/// # Errors
/// When it does not compile or cannot be stored.
pub fn adopt(
    manifest: &Manifest,
    store: &Store,
    worker: &Path,
    frozen: &[u8],
) -> Result<Lock, BuildError> {
    let dir = store.dir_of(&manifest.name);
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    let _alone = alone(&dir)?;
    let (artefact, engine) = compile(worker, frozen, Target::Frozen)?;
    keep(manifest, store, frozen, &artefact, engine)
}

/// Run the build script of the runtime's folder.
fn script(
    manifest: &Manifest,
    scratch: &Path,
    sources: &Path,
    progress: &dyn Progress,
    of: usize,
) -> Result<PathBuf, BuildError> {
    let (recipe, out) = (scratch.join("recipe"), scratch.join("out"));
    for dir in [&recipe, &out] {
        fs::create_dir_all(dir).map_err(at(dir))?;
    }
    for (name, text) in manifest.files {
        let path = recipe.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut build = Command::new("sh");
    build
        .arg(recipe.join("build.sh"))
        .current_dir(&out)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("HOME", scratch)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SOURCES", sources)
        .env("RECIPE", &recipe)
        .env("OUT", &out)
        .env("JOBS", jobs.to_string());
    let mut number = 1;
    follow("the build script", &mut build, &mut |line| {
        if let Some(step) = line.strip_prefix(STEP_MARK) {
            number += 1;
            progress.step(number, of, step);
        }
    })?;
    Ok(out)
}

/// Machine code, made where a broken compiler can do no harm.
fn compile(worker: &Path, module: &[u8], target: Target) -> Result<(Vec<u8>, String), BuildError> {
    let source = in_memory(module)?;
    let role = Role::Compile { target };
    let mut jailed = Jailed::start(worker, role, &compile_plan(), source)?;
    let engine = jailed.ready.engine.clone();
    let compiled: Compiled = read_frame(&mut jailed.socket, MAX_ARTEFACT_FRAME_BYTES)
        .map_err(|error| BuildError::Compile(format!("the compiler broke off: {error}")))?;
    Ok((compiled.map_err(BuildError::Compile)?, engine))
}

/// The module as it is after its interpreter has started.
fn freeze(
    worker: &Path,
    artefact: &[u8],
    module: Vec<u8>,
    files: Vec<WireFile>,
) -> Result<Vec<u8>, BuildError> {
    let broken = |error: io::Error| BuildError::Freeze(format!("the worker broke off: {error}"));
    let source = in_memory(artefact)?;
    let mut jailed = Jailed::start(worker, Role::Freeze, &freeze_plan(), source)?;
    write_frame(&mut jailed.socket, &Freeze { module, files }).map_err(broken)?;
    let frozen: Compiled =
        read_frame(&mut jailed.socket, MAX_ARTEFACT_FRAME_BYTES).map_err(broken)?;
    frozen.map_err(BuildError::Freeze)
}

/// A sealed file in memory, for a worker's descriptor 1.
fn in_memory(content: &[u8]) -> Result<File, BuildError> {
    crate::wasm::sealed(content).map_err(at(Path::new("a file in memory")))
}

/// All files below `dir`, by their path.
fn image(dir: &Path) -> Result<Vec<WireFile>, BuildError> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(one) = dirs.pop() {
        for entry in fs::read_dir(&one).map_err(at(&one))? {
            let path = entry.map_err(at(&one))?.path();
            let kind = fs::symlink_metadata(&path).map_err(at(&path))?;
            match path.strip_prefix(dir) {
                Ok(relative) if kind.is_file() => files.push(WireFile {
                    path: relative.to_string_lossy().into_owned(),
                    content: read(&path)?,
                }),
                Ok(_) if kind.is_dir() => dirs.push(path),
                Ok(_) | Err(_) => {}
            }
        }
    }
    // The order decides where things lie in the image.
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(at(path))
}

fn keep(
    manifest: &Manifest,
    store: &Store,
    module: &[u8],
    artefact: &[u8],
    engine: String,
) -> Result<Lock, BuildError> {
    let lock = Lock {
        version: LOCK_VERSION,
        name: manifest.name.clone(),
        inputs_sha256: manifest.inputs_sha256(),
        module_sha256: sha256(module),
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
    let (artefact_path, module_path) = (store.artefact_path(&lock), store.module_path(&lock));
    put(&artefact_path, artefact)?;
    put(&module_path, module)?;
    // The lock file last: before it is there, nothing is.
    let lock_path = store.lock_path(&manifest.name);
    put(&lock_path, text.as_bytes())?;
    sweep(
        &store.dir_of(&manifest.name),
        &[artefact_path, module_path, lock_path],
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
pub(super) fn run(step: &'static str, command: &mut Command) -> Result<(), BuildError> {
    follow(step, command, &mut |_| ())
}

/// Run a program to its end and tell each line of its output as it comes.
fn follow(
    step: &'static str,
    command: &mut Command,
    each: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = io::pipe().map_err(at(Path::new("a pipe")))?;
    let errors = writer.try_clone().map_err(at(Path::new("a pipe")))?;
    let spawned = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn();
    // The command holds the pipe's other end, and would keep it open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned.map_err(|source| BuildError::Program { program, source })?;
    let mut last = std::collections::VecDeque::new();
    for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        each(&line);
        if !line.is_empty() {
            last.truncate(SAID_LINES - 1);
            last.push_front(line);
        }
    }
    let status = child.wait().map_err(at(Path::new(step)))?;
    match status.success() {
        true => Ok(()),
        false => Err(BuildError::Step {
            step,
            said: last.into_iter().rev().collect::<Vec<_>>().join(" | "),
        }),
    }
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

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> BuildError + use<> {
    let path = path.display().to_string();
    move |source| BuildError::Io {
        path: path.clone(),
        source,
    }
}
