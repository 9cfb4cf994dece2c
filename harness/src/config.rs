//! Configuration in two stages: what was written (file, environment, command
//! line), then one resolved [`Config`] without half-valid states. Every default
//! is here.

use std::collections::BTreeSet;
use std::env::VarError;
use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use executor::container::{ContainerHost, Containers, DOCKER_SOCKET, Doors, ImageStore};
use executor::runtime::{Store, StoreError};
use executor::wasm::{PoolSettings, Wasm};
use policy::{Backend, Policy, Profiles, shipped};
use serde::Deserialize;

use crate::core::StartError;
use crate::egress::{EgressError, EgressSettings};

/// A configuration or policy file is text that a person wrote.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Where the daemon listens: this machine only.
const LISTEN: &str = "127.0.0.1:7070";

/// Calls that run at once, for each core: guests that sleep or wait leave room.
const RUNNING_PER_CORE: usize = 4;

/// Calls that wait for a worker; more are answered with 503 and Retry-After.
const MAX_WAITING: usize = 1_024;

/// Largest request body: 16 MiB of files in Base64, with room for the rest.
const BODY_BYTES: usize = 32 << 20;

/// No number of the configuration is sensibly above this.
const MAX_NUMBER: usize = 1_000_000_001;

/// What running calls get to end by themselves when the daemon stops.
const DRAIN_MS: u64 = 5_000;

/// What was written, before anything is checked: the file's keys, each also as
/// `LAZARET_` and its name in capitals, each also on the command line where a
/// flag of that name is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Address to listen on.
    pub listen: Option<String>,
    /// Directory of ledger and token.
    pub state: Option<PathBuf>,
    /// Policy file.
    pub policy: Option<PathBuf>,
    /// What a daemon does with calls while its policy file is broken.
    pub policy_on_broken: Option<OnBroken>,
    /// Directory of more profiles.
    pub profiles: Option<PathBuf>,
    /// Directory of built runtimes.
    pub runtimes: Option<PathBuf>,
    /// The worker's program.
    pub worker: Option<PathBuf>,
    /// Workers kept ready.
    pub warm_workers: Option<usize>,
    /// Calls that run at once.
    pub max_running: Option<usize>,
    /// Calls that wait.
    pub max_waiting: Option<usize>,
    /// Largest request body.
    pub body_bytes: Option<usize>,
    /// Time for running calls when stopping.
    pub drain_ms: Option<u64>,
    /// Whether containers are made.
    pub containers: Option<UseContainers>,
    /// Docker's socket.
    pub docker_socket: Option<PathBuf>,
    /// The file about the way out of containers.
    pub egress: Option<PathBuf>,
}

/// The resolved configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Directory of ledger and token.
    pub state: PathBuf,
    /// Policy file; the shipped `contain` when there is none.
    pub policy: Option<PathBuf>,
    /// What a daemon does with calls while its policy file is broken.
    pub policy_on_broken: OnBroken,
    /// Directory of more profiles.
    pub profiles: Option<PathBuf>,
    /// Directory of built runtimes.
    pub runtimes: PathBuf,
    /// The worker's program.
    pub worker: PathBuf,
    /// How many workers.
    pub pool: PoolSettings,
    /// Largest request body in bytes.
    pub body_bytes: usize,
    /// Time for running calls when stopping, in milliseconds.
    pub drain_ms: u64,
    /// Whether containers are made.
    pub containers: UseContainers,
    /// Docker's socket.
    pub docker_socket: PathBuf,
    /// The file about the way out of containers; the usual settings when there is none.
    pub egress: Option<PathBuf>,
}

/// Whether containers are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UseContainers {
    /// Never: Docker is not asked, and a call that needs a container is not run.
    Off,
    /// When a call needs one. Where there is no Docker, that call is not run.
    #[default]
    On,
    /// As `on`, and a daemon does not start where Docker or what a profile needs of it is missing.
    Required,
}

impl UseContainers {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Required => "required",
        }
    }
}

impl std::str::FromStr for UseContainers {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Off, Self::On, Self::Required]
            .into_iter()
            .find(|one| one.as_str() == word)
            .ok_or(())
    }
}

/// What a daemon does with calls while the policy file that it should follow is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBroken {
    /// The policy that was in force stays.
    #[default]
    Keep,
    /// Nothing is judged until there is a good one.
    Close,
}

impl OnBroken {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Close => "close",
        }
    }
}

impl std::str::FromStr for OnBroken {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Keep, Self::Close]
            .into_iter()
            .find(|one| one.as_str() == word)
            .ok_or(())
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("`{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file is too long to be what it should be.
    #[error("`{0}` is longer than 4 MiB; is it the right file?")]
    TooLong(String),
    /// The file is not the configuration.
    #[error("`{path}`: {why}; docs/CONFIGURATION.md lists the keys")]
    File {
        /// The file.
        path: String,
        /// The reader's word.
        why: String,
    },
    /// A variable's value.
    #[error("the variable {name} is `{value}`, not {wanted}")]
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A key's value.
    #[error("`{key}` is `{value}`, not {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// No place for state.
    #[error("neither HOME nor XDG_STATE_HOME is set; set LAZARET_STATE and LAZARET_RUNTIMES")]
    NoHome,
}

impl Written {
    /// Read a configuration file.
    ///
    /// # Errors
    /// When it cannot be read or has an unknown key.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        toml::from_str(&text).map_err(|error| ConfigError::File {
            path: path.display().to_string(),
            why: error.message().replace('\n', " "),
        })
    }

    /// Read the variables.
    ///
    /// # Errors
    /// When one has a value of the wrong kind.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Ok(Self {
            listen: text("LISTEN")?,
            state: path("STATE"),
            policy: path("POLICY"),
            policy_on_broken: parsed("POLICY_ON_BROKEN", "keep or close")?,
            profiles: path("PROFILES"),
            runtimes: path("RUNTIMES"),
            worker: path("WORKER"),
            warm_workers: number("WARM_WORKERS")?,
            max_running: number("MAX_RUNNING")?,
            max_waiting: number("MAX_WAITING")?,
            body_bytes: number("BODY_BYTES")?,
            drain_ms: number("DRAIN_MS")?,
            containers: parsed("CONTAINERS", "off, on or required")?,
            docker_socket: path("DOCKER_SOCKET"),
            egress: path("EGRESS"),
        })
    }

    /// What is not set here is taken from `weaker`.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        Self {
            listen: self.listen.or(weaker.listen),
            state: self.state.or(weaker.state),
            policy: self.policy.or(weaker.policy),
            policy_on_broken: self.policy_on_broken.or(weaker.policy_on_broken),
            profiles: self.profiles.or(weaker.profiles),
            runtimes: self.runtimes.or(weaker.runtimes),
            worker: self.worker.or(weaker.worker),
            warm_workers: self.warm_workers.or(weaker.warm_workers),
            max_running: self.max_running.or(weaker.max_running),
            max_waiting: self.max_waiting.or(weaker.max_waiting),
            body_bytes: self.body_bytes.or(weaker.body_bytes),
            drain_ms: self.drain_ms.or(weaker.drain_ms),
            containers: self.containers.or(weaker.containers),
            docker_socket: self.docker_socket.or(weaker.docker_socket),
            egress: self.egress.or(weaker.egress),
        }
    }

    /// Check everything and fill in what was not written.
    ///
    /// # Errors
    /// The first value that cannot be.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let listen = self.listen.unwrap_or_else(|| LISTEN.into());
        let most = positive(
            "max_running",
            self.max_running,
            cores.saturating_mul(RUNNING_PER_CORE),
        )?;
        Ok(Config {
            listen: listen.parse().map_err(|_| ConfigError::Value {
                key: "listen",
                value: listen.clone(),
                wanted: "an address such as 127.0.0.1:7070",
            })?,
            state: or_else(self.state, default_state)?,
            policy: self.policy,
            policy_on_broken: self.policy_on_broken.unwrap_or_default(),
            profiles: self.profiles,
            runtimes: or_else(self.runtimes, || Ok(default_state()?.join("runtimes")))?,
            worker: or_else(self.worker, default_worker)?,
            pool: PoolSettings {
                warm: self.warm_workers.unwrap_or(cores).min(most),
                most,
                waiting: self.max_waiting.unwrap_or(MAX_WAITING),
            },
            body_bytes: positive("body_bytes", self.body_bytes, BODY_BYTES)?,
            drain_ms: self.drain_ms.unwrap_or(DRAIN_MS),
            containers: self.containers.unwrap_or_default(),
            docker_socket: self.docker_socket.unwrap_or_else(|| DOCKER_SOCKET.into()),
            egress: self.egress,
        })
    }
}

impl Config {
    /// The ledger.
    #[must_use]
    pub fn ledger_path(&self) -> PathBuf {
        self.state.join("ledger.db")
    }

    /// The runtimes.
    #[must_use]
    pub fn runtime_store(&self) -> Store {
        Store::new(self.runtimes.clone())
    }

    /// The images of container runtimes.
    #[must_use]
    pub fn image_store(&self) -> ImageStore {
        let init = self.worker.with_file_name("lazaret-init");
        ImageStore::new(self.runtimes.clone(), init)
    }

    /// What was written about the way out of containers.
    ///
    /// # Errors
    /// When the file, or something that it names, is not what it should be.
    pub fn egress_settings(&self) -> Result<EgressSettings, EgressError> {
        let file = self.egress.as_deref();
        file.map_or_else(|| Ok(EgressSettings::default()), EgressSettings::read)
    }

    /// The backend that makes containers; nothing where there shall be none. Docker is not asked.
    /// Without `doors` no container has a way out.
    #[must_use]
    pub fn open_containers(
        &self,
        installation: String,
        doors: Option<Arc<dyn Doors>>,
    ) -> Option<Containers> {
        let host = ContainerHost {
            socket: self.docker_socket.clone(),
            images: self.image_store(),
            installation,
            lives: self.state.join("containers.d"),
            pool: self.pool,
            doors,
        };
        (self.containers != UseContainers::Off).then(|| Containers::new(host))
    }

    /// The shipped profiles and those of the profile directory.
    ///
    /// # Errors
    /// When one cannot be read or is none.
    pub fn load_profiles(&self) -> Result<Profiles, StartError> {
        let mut files: Vec<(String, String)> = shipped::PROFILES
            .iter()
            .map(|one| (one.file.to_owned(), one.text.to_owned()))
            .collect();
        if let Some(dir) = &self.profiles {
            files.extend(profile_files(dir)?);
        }
        let pairs = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        Profiles::load(pairs).map_err(|error| StartError::Policy(error.to_string()))
    }

    /// The policy file, or the shipped policy.
    ///
    /// # Errors
    /// When it cannot be read, is none, or one of its tests fails.
    pub fn load_policy(&self, profiles: &Profiles) -> Result<Policy, StartError> {
        let loaded = self.read_policy(profiles, &mut |_| {})?;
        loaded.map_err(|error| StartError::Policy(error.to_string()))
    }

    /// The same, with everything that is wrong with it; `note` is told of each file that it
    /// includes.
    pub(crate) fn read_policy(
        &self,
        profiles: &Profiles,
        note: &mut dyn FnMut(&Path),
    ) -> Result<Result<Policy, policy::LoadError>, ConfigError> {
        match &self.policy {
            Some(path) => read_policy_file(path, profiles, note),
            None => Ok(Policy::load(
                shipped::CONTAIN.file,
                shipped::CONTAIN.text,
                profiles,
            )),
        }
    }

    /// The backend with the runtimes that the profiles name.
    ///
    /// # Errors
    /// When a runtime is not built or not what was built.
    pub(crate) fn open_backend(&self, profiles: &Profiles) -> Result<Wasm, StoreError> {
        let store = self.runtime_store();
        let wasm = profiles
            .iter()
            .filter(|profile| profile.backend() == Backend::Wasm);
        let runtimes: BTreeSet<&str> = wasm
            .flat_map(|profile| profile.languages().map(|(_, runtime)| runtime))
            .collect();
        let artefacts = runtimes.into_iter().map(|name| store.artefact(name));
        let artefacts = artefacts.collect::<Result<Vec<_>, _>>()?;
        Ok(Wasm::new(self.worker.clone(), artefacts, self.pool))
    }
}

/// A policy file with the files that it includes, which lie below its directory.
///
/// # Errors
/// Outside: when the file cannot be read. Inside: when it is no policy.
pub fn load_policy_file(
    path: &Path,
    profiles: &Profiles,
) -> Result<Result<Policy, policy::LoadError>, ConfigError> {
    read_policy_file(path, profiles, &mut |_| {})
}

fn read_policy_file(
    path: &Path,
    profiles: &Profiles,
    note: &mut dyn FnMut(&Path),
) -> Result<Result<Policy, policy::LoadError>, ConfigError> {
    let text = read_text(path)?;
    let mut included = included(path, note);
    Ok(Policy::load_with(
        &path.display().to_string(),
        &text,
        profiles,
        &mut included,
    ))
}

/// Reads what a policy file includes, below its directory; `note` is told of each file.
///
/// # Errors
/// Inside, as a text: the name leads elsewhere, or the file cannot be read.
pub fn included(
    policy: &Path,
    mut note: impl FnMut(&Path),
) -> impl FnMut(&str) -> Result<String, String> {
    let dir = policy.parent().unwrap_or_else(|| Path::new(""));
    move |name| {
        executor::check_path(name).map_err(|error| error.to_string())?;
        let path = dir.join(name);
        note(&path);
        read_text(&path).map_err(|error| error.to_string())
    }
}

fn profile_files(dir: &Path) -> Result<Vec<(String, String)>, StartError> {
    let failed = |source| StartError::Io {
        path: dir.display().to_string(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|kind| kind == "toml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            files.push((name, read_text(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// A text file of bounded length.
///
/// # Errors
/// When it cannot be read, is too long or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    let named = |source| ConfigError::Read {
        path: path.display().to_string(),
        source,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(named)?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(named)?;
    match text.len() as u64 > MAX_FILE_BYTES {
        true => Err(ConfigError::TooLong(path.display().to_string())),
        false => Ok(text),
    }
}

/// `$XDG_STATE_HOME/lazaret`; without the variable `/var/lib/lazaret` for root
/// and `~/.local/state/lazaret` for anybody else.
fn default_state() -> Result<PathBuf, ConfigError> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(state) = set("XDG_STATE_HOME") {
        return Ok(state.join("lazaret"));
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/lazaret"));
    }
    Ok(set("HOME")
        .ok_or(ConfigError::NoHome)?
        .join(".local/state/lazaret"))
}

/// `lazaret-worker` beside this program.
fn default_worker() -> Result<PathBuf, ConfigError> {
    let own = std::env::current_exe().map_err(|source| ConfigError::Read {
        path: "/proc/self/exe".into(),
        source,
    })?;
    Ok(own.with_file_name("lazaret-worker"))
}

fn or_else(
    value: Option<PathBuf>,
    default: impl FnOnce() -> Result<PathBuf, ConfigError>,
) -> Result<PathBuf, ConfigError> {
    value.map_or_else(default, Ok)
}

fn positive(key: &'static str, value: Option<usize>, default: usize) -> Result<usize, ConfigError> {
    match value.unwrap_or(default) {
        number @ (0 | MAX_NUMBER..) => Err(ConfigError::Value {
            key,
            value: number.to_string(),
            wanted: "a number from 1 to 1,000,000,000",
        }),
        value => Ok(value),
    }
}

fn text(key: &str) -> Result<Option<String>, ConfigError> {
    let name = format!("LAZARET_{key}");
    match std::env::var(&name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(value)) => {
            let value = value.to_string_lossy().into_owned();
            Err(ConfigError::Variable {
                name,
                value,
                wanted: "UTF-8",
            })
        }
    }
}

/// A path need not be UTF-8.
fn path(key: &str) -> Option<PathBuf> {
    let value = std::env::var_os(format!("LAZARET_{key}"))?;
    (!value.is_empty()).then(|| PathBuf::from(value))
}

fn number<N: std::str::FromStr>(key: &str) -> Result<Option<N>, ConfigError> {
    parsed(key, "a number")
}

fn parsed<N: std::str::FromStr>(key: &str, wanted: &'static str) -> Result<Option<N>, ConfigError> {
    let Some(value) = text(key)? else {
        return Ok(None);
    };
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ConfigError::Variable {
            name: format!("LAZARET_{key}"),
            value,
            wanted,
        }),
    }
}
