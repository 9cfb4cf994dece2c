//! The policy in force: loaded beside running calls, swapped as a whole, never mixed.
//!
//! ```text
//!  file change, SIGHUP, API ──► read ─► parse, types, tests ─► warm up ─► note ─► swap
//!                                 │            │                  │
//!                                 └────────────┴── broken ────────┴──► the old one stays
//! ```
//!
//! A [`Generation`] is one policy with its profiles and a number; a call takes it once and is
//! judged, recorded and answered by it. What is broken never comes into force: the generation
//! before it stays, and [`Standing::broken`] says why, or the gate is closed if the operator chose
//! so. Files are looked at five times a second instead of being watched by the kernel: that needs
//! no watch for each way in which editors and orchestrators replace files (rename, link, mount),
//! works on every file system, and costs a `stat` of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use policy::{Backend, Limits, LoadError, Policy, Profiles};

use crate::config::{Config, OnBroken};
use crate::core::StartError;

/// How often the files are looked at. A change is in force after two looks and the loading.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks at files that keep changing, after which they are loaded all the same.
pub(crate) const MOST_LOOKS: u32 = 4;

/// Times that files are read again because they changed while they were read.
const MOST_READS: u32 = 3;

/// One policy that was in force, and the profiles that it was loaded with.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    policy: Policy,
    profiles: Profiles,
    widest: Limits,
    loaded_at_us: u64,
}

impl Generation {
    fn first(loaded: Loaded) -> Self {
        Self::numbered(1, loaded)
    }

    fn numbered(number: u64, loaded: Loaded) -> Self {
        let Loaded { policy, profiles } = loaded;
        Self {
            number,
            widest: widest(&profiles),
            policy,
            profiles,
            loaded_at_us: now_us().unwrap_or_default(),
        }
    }

    /// Its number: 1 at the start of the daemon, one more with each policy of another meaning.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The profiles.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// When it was loaded, in microseconds since 1970.
    #[must_use]
    pub fn loaded_at_us(&self) -> u64 {
        self.loaded_at_us
    }

    /// The policy's digest in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        executor::runtime::hex::hex(&self.policy.digest())
    }

    /// The most that any profile takes: more than that is refused before it is judged.
    pub(crate) fn widest(&self) -> &Limits {
        &self.widest
    }

    fn means_the_same(&self, loaded: &Loaded) -> bool {
        let digests = |profiles: &Profiles| -> Vec<[u8; 32]> {
            profiles.iter().map(policy::Profile::digest).collect()
        };
        self.policy.digest() == loaded.policy.digest()
            && digests(&self.profiles) == digests(&loaded.profiles)
    }
}

/// How the policy stands: what is in force, and whether what was to follow is broken.
#[derive(Debug, Clone)]
pub struct Standing {
    generation: Arc<Generation>,
    broken: Option<Arc<Broken>>,
    closed: bool,
}

impl Standing {
    /// What is in force.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Why the last attempt to load came to nothing; none after one that did not.
    #[must_use]
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_deref()
    }

    /// Why no call is judged, if the operator wants none judged by an old policy.
    #[must_use]
    pub fn closed(&self) -> Option<&Broken> {
        self.broken.as_deref().filter(|_| self.closed)
    }
}

/// A policy that did not come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    why: String,
    problems: Option<LoadError>,
}

impl Broken {
    pub(crate) fn other(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            problems: None,
        }
    }

    /// Why, on one line.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Each thing that is wrong with the policy, if that is what is broken.
    #[must_use]
    pub fn problems(&self) -> Option<&LoadError> {
        self.problems.as_ref()
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.why)
    }
}

impl std::error::Error for Broken {}

impl From<LoadError> for Broken {
    fn from(error: LoadError) -> Self {
        Self {
            why: error.to_string(),
            problems: Some(error),
        }
    }
}

/// What a good load came to.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// What is in force now.
    pub generation: Arc<Generation>,
    /// Whether it means something else than the one before.
    pub changed: bool,
}

// ---- swapping -----------------------------------------------------------------------------------

/// Holds the standing, and where the next one comes from.
pub(crate) struct InForce {
    standing: ArcSwap<Standing>,
    source: Source,
    on_broken: OnBroken,
    /// One load at a time; a call never waits for it.
    loading: tokio::sync::Mutex<()>,
}

impl InForce {
    /// Loads the first generation. A daemon does not start with a broken one.
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        let source = Source::of(config);
        let loaded = source
            .load()
            .map_err(|broken| StartError::Policy(broken.why))?;
        Ok(Self {
            standing: ArcSwap::from_pointee(Standing {
                generation: Arc::new(Generation::first(loaded)),
                broken: None,
                closed: false,
            }),
            source,
            on_broken: config.policy_on_broken,
            loading: tokio::sync::Mutex::new(()),
        })
    }

    /// How it stands. A call takes this once.
    pub(crate) fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn on_broken(&self) -> OnBroken {
        self.on_broken
    }

    /// Loads, and swaps what is new and good into force. `prepare` is asked before that, and can
    /// refuse.
    pub(crate) async fn reload<P>(
        &self,
        cause: &str,
        prepare: impl FnOnce(Arc<Generation>, Arc<Generation>) -> P,
    ) -> Result<Reloaded, Broken>
    where
        P: Future<Output = Result<(), Broken>>,
    {
        let _one_at_a_time = self.loading.lock().await;
        let result = self.try_reload(prepare).await;
        match &result {
            Ok(reloaded) if reloaded.changed => {
                let (generation, digest) =
                    (reloaded.generation.number, reloaded.generation.digest());
                tracing::info!(cause, generation, digest, "a policy came into force");
            }
            Ok(_) => {}
            Err(broken) => self.keep(cause, broken),
        }
        result
    }

    async fn try_reload<P>(
        &self,
        prepare: impl FnOnce(Arc<Generation>, Arc<Generation>) -> P,
    ) -> Result<Reloaded, Broken>
    where
        P: Future<Output = Result<(), Broken>>,
    {
        let source = self.source.clone();
        let loaded = tokio::task::spawn_blocking(move || source.load())
            .await
            .map_err(|_| Broken::other("the loading broke off; try again"))??;
        let old = Arc::clone(&self.standing().generation);
        let changed = !old.means_the_same(&loaded);
        let number = old.number + u64::from(changed);
        let new = Arc::new(Generation::numbered(number, loaded));
        if changed {
            prepare(old, Arc::clone(&new)).await?;
        }
        self.standing.store(Arc::new(Standing {
            generation: Arc::clone(&new),
            broken: None,
            closed: false,
        }));
        Ok(Reloaded {
            generation: new,
            changed,
        })
    }

    /// The old one stays; the reason is shown. Said once for each reason.
    fn keep(&self, cause: &str, broken: &Broken) {
        let standing = self.standing();
        if standing.broken() == Some(broken) {
            return;
        }
        let closed = match self.on_broken {
            OnBroken::Keep => false,
            OnBroken::Close => true,
        };
        let generation = standing.generation.number;
        tracing::error!(
            cause,
            generation,
            closed,
            "the policy is broken, the old one stays: {broken}"
        );
        self.standing.store(Arc::new(Standing {
            generation: Arc::clone(&standing.generation),
            broken: Some(Arc::new(broken.clone())),
            closed,
        }));
    }
}

/// The most that any profile takes which runs code here.
fn widest(profiles: &Profiles) -> Limits {
    let none = Limits {
        wall_ms: 0,
        memory_bytes: 0,
        output_bytes: 0,
        file_bytes: 0,
        file_count: 0,
        stdin_bytes: 0,
        code_bytes: 0,
    };
    profiles
        .iter()
        .filter(|profile| profile.backend() == Backend::Wasm)
        .map(policy::Profile::limits)
        .fold(none, |a, b| Limits {
            wall_ms: a.wall_ms.max(b.wall_ms),
            memory_bytes: a.memory_bytes.max(b.memory_bytes),
            output_bytes: a.output_bytes.max(b.output_bytes),
            file_bytes: a.file_bytes.max(b.file_bytes),
            file_count: a.file_count.max(b.file_count),
            stdin_bytes: a.stdin_bytes.max(b.stdin_bytes),
            code_bytes: a.code_bytes.max(b.code_bytes),
        })
}

/// The time, if the clock is not before 1970.
pub(crate) fn now_us() -> Option<u64> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    u64::try_from(since.as_micros()).ok()
}

// ---- loading ------------------------------------------------------------------------------------

/// A policy and the profiles that it names, read and tested.
pub(crate) struct Loaded {
    policy: Policy,
    profiles: Profiles,
}

/// Where policy and profiles are read from.
#[derive(Clone)]
pub(crate) struct Source {
    config: Arc<Config>,
    /// The files of the last load beside the policy file itself, found or not.
    included: Arc<std::sync::Mutex<BTreeSet<PathBuf>>>,
}

/// A file as it was when it was looked at: another file, length or time is a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Every file that a policy is made of; none for one that is not there.
pub(crate) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

impl Source {
    fn of(config: &Config) -> Self {
        Self {
            config: Arc::new(config.clone()),
            included: Arc::default(),
        }
    }

    /// The policy file; the shipped policy when there is none.
    pub(crate) fn policy_file(&self) -> Option<&Path> {
        self.config.policy.as_deref()
    }

    /// Reads everything, again if it changed meanwhile, so that files of one change are not mixed
    /// with those of the one before.
    fn load(&self) -> Result<Loaded, Broken> {
        let mut before = self.stamps();
        let mut loaded = self.read();
        for _ in 1..MOST_READS {
            let after = self.stamps();
            if after == before {
                break;
            }
            before = after;
            loaded = self.read();
        }
        loaded
    }

    fn read(&self) -> Result<Loaded, Broken> {
        let profiles = self.config.load_profiles().map_err(Broken::other)?;
        let mut included = BTreeSet::new();
        let loaded = self.config.read_policy(&profiles, &mut |path| {
            included.insert(path.to_owned());
        });
        self.remember(included);
        let policy = loaded.map_err(Broken::other)??;
        Ok(Loaded { policy, profiles })
    }

    /// Files of a broken policy are looked at beside those of the last good one.
    fn remember(&self, included: BTreeSet<PathBuf>) {
        if let Ok(mut remembered) = self.included.lock() {
            *remembered = included;
        }
    }

    /// Looks at every file.
    pub(crate) fn stamps(&self) -> Stamps {
        let included = self.included.lock().map(|files| files.clone());
        let mut files = included.unwrap_or_default();
        files.extend(self.config.policy.clone());
        if let Some(dir) = &self.config.profiles {
            files.insert(dir.clone());
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            files.extend(entries.map(|entry| entry.path()));
        }
        files
            .into_iter()
            .map(|file| (file.clone(), stamp(&file)))
            .collect()
    }
}

/// Of the file itself where the path is a link, so that another target is a change.
fn stamp(file: &Path) -> Option<Stamp> {
    let meta = fs::metadata(file).ok()?;
    Some(Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        bytes: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}
