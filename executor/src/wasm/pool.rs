//! Workers kept ready, and the way of an admitted call through one of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::{Limits, Permit, Profile};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::artefact::Artefact;
use super::jailed::{Jailed, StartError};
use super::plan::run_plan;
use super::wire::{Answer, Call, CallLimits, End, Preparation, Role, WireFile};
use super::worker::{About, Worker};
use crate::admitted::Admitted;
use crate::outcome::{Ending, LeftOut, OutFile, Outcome, Stream, Usage};
use crate::program::{Program, check_path};
use crate::receipt::{Receipt, RuntimeReceipt, WasmReceipt};
use crate::runtime::hex::hex;

/// Calls that one worker runs before it is replaced, so that nothing that an
/// engine gathers over time can grow without end.
const MAX_CALLS_PER_WORKER: u32 = 1_000;

/// For each language the name that tracebacks give to the code of a call, and what is
/// done to the code first. Another language's code is called `main` and left as it is.
const SOURCES: [(&str, &str, Preparation); 3] = [
    ("python", "main.py", Preparation::None),
    ("javascript", "main.js", Preparation::None),
    ("typescript", "main.ts", Preparation::EraseTypes),
];

/// How many workers there may be.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Workers kept ready while nobody calls.
    pub warm: usize,
    /// Calls that run at once; more wait.
    pub most: usize,
    /// Calls that wait; more are turned away.
    pub waiting: usize,
}

/// What a pool is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolState {
    /// Workers ready for a call.
    pub idle: usize,
    /// Calls that run.
    pub running: usize,
    /// Calls that wait for a worker.
    pub waiting: usize,
}

/// Told about the worker of a call as it goes; the daemon's fault points hang here.
pub trait WorkerTap: Sync {
    /// A worker is ready for the call.
    fn ready(&self, pid: u32);
    /// The call is on its way to the worker.
    fn sent(&self, pid: u32);
    /// The worker has answered.
    fn answered(&self, pid: u32);
}

/// The backend.
#[derive(Debug, Clone)]
pub struct Wasm(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    artefacts: HashMap<String, Artefact>,
    settings: PoolSettings,
    slots: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<HashMap<Key, Vec<Worker>>>,
    successors: TaskTracker,
    broken: Mutex<Option<String>>,
}

/// Workers are alike when the profile and the runtime are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    profile: [u8; 32],
    runtime: String,
}

impl Wasm {
    /// A backend that starts `program` as its workers and has these runtimes.
    #[must_use]
    pub fn new(
        program: PathBuf,
        artefacts: impl IntoIterator<Item = Artefact>,
        settings: PoolSettings,
    ) -> Self {
        let by_name = artefacts
            .into_iter()
            .map(|one| (one.about.name.clone(), one))
            .collect();
        Self(Arc::new(Inner {
            program,
            artefacts: by_name,
            settings,
            slots: Semaphore::new(settings.most),
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
            successors: TaskTracker::new(),
            broken: Mutex::default(),
        }))
    }

    /// Start workers for `profile` until as many are ready as the settings say.
    ///
    /// # Errors
    /// When a worker cannot be confined as the profile asks: then no call of this
    /// profile could run on this host.
    pub async fn warm_up(&self, profile: &Profile, runtime: &str) -> Result<(), StartError> {
        let key = Key {
            profile: profile.digest(),
            runtime: runtime.to_owned(),
        };
        while self.0.idle_of(&key) < self.0.settings.warm {
            let worker = self.start(profile, runtime).await?;
            self.0.put(key.clone(), worker);
        }
        Ok(())
    }

    /// True when one more call would be turned away.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.slots.available_permits() == 0
            && self.0.waiting.load(Ordering::Relaxed) >= self.0.settings.waiting
    }

    /// Take no more calls and end all workers, those that are being started too.
    pub async fn close(&self) {
        self.0.slots.close();
        self.0.successors.close();
        self.0.successors.wait().await;
        let idle = std::mem::take(&mut *self.0.idle());
        let buried = tokio::task::spawn_blocking(move || drop(idle)).await;
        if let Err(error) = buried {
            tracing::warn!(%error, "the workers could not be ended");
        }
    }

    /// Why the last worker that was started did not start.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.0
            .broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> PoolState {
        PoolState {
            idle: self.0.idle().values().map(Vec::len).sum(),
            running: self.0.settings.most - self.0.slots.available_permits(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
        }
    }

    /// Run an admitted call to its end, whatever that is.
    pub async fn run(
        &self,
        admitted: &Admitted,
        cancel: &CancellationToken,
        tap: &dyn WorkerTap,
    ) -> Outcome {
        let _waiting = Waiting::enter(&self.0.waiting);
        let slot = tokio::select! {
            slot = self.0.slots.acquire() => slot,
            () = cancel.cancelled() => return Outcome::bare(Ending::Cancelled, None),
        };
        drop(_waiting);
        match slot {
            Ok(_running) => self.run_in_slot(admitted.permit(), cancel, tap).await,
            Err(_closed) => Outcome::bare(Ending::Cancelled, None),
        }
    }

    async fn run_in_slot(
        &self,
        permit: &Permit,
        cancel: &CancellationToken,
        tap: &dyn WorkerTap,
    ) -> Outcome {
        let call = match call_of(permit) {
            Ok(call) => call,
            Err(reason) => return Outcome::bare(Ending::LaunchFailed(reason), None),
        };
        let grant = permit.grant();
        let key = Key {
            profile: grant.profile().digest(),
            runtime: grant.runtime().to_owned(),
        };
        let mut worker = match self.worker(&key, grant.profile()).await {
            Ok(worker) => worker,
            Err(error) => return Outcome::bare(Ending::LaunchFailed(error.to_string()), None),
        };
        let pid = worker.pid();
        tap.ready(pid);
        let receipt = Some(receipt(permit, &worker.about));
        let answer = worker.call(&call, cancel, |pid| tap.sent(pid)).await;
        tap.answered(pid);
        let (outcome, reusable) = match answer {
            Ok(answer) => told(answer, grant.limits(), receipt),
            Err(ending) => (Outcome::bare(ending, receipt), false),
        };
        let clean = reusable && !outcome.ending.poisons() && worker.calls < MAX_CALLS_PER_WORKER;
        self.settle(key, grant.profile(), worker, clean);
        outcome
    }

    async fn worker(&self, key: &Key, profile: &Profile) -> Result<Worker, StartError> {
        // One that died while it waited had no call: nothing is lost by another.
        while let Some(mut worker) = self.0.take(key) {
            if worker.is_alive() {
                return Ok(worker);
            }
        }
        self.start(profile, &key.runtime).await
    }

    async fn start(&self, profile: &Profile, runtime: &str) -> Result<Worker, StartError> {
        let started = self.try_start(profile, runtime).await;
        let broken = started.as_ref().err().map(ToString::to_string);
        *self.0.broken.lock().unwrap_or_else(PoisonError::into_inner) = broken;
        started
    }

    async fn try_start(&self, profile: &Profile, runtime: &str) -> Result<Worker, StartError> {
        let ended = |said: String| StartError::Ended { said };
        let artefact = self.0.artefacts.get(runtime).cloned().ok_or_else(|| {
            ended(format!(
                "runtime `{runtime}` is not built; run `lazaret runtime build {runtime}`"
            ))
        })?;
        let plan = run_plan(profile).map_err(|error| ended(error.to_string()))?;
        let role = Role::Run;
        let program = self.0.program.clone();
        let about = artefact.about.clone();
        let started = tokio::task::spawn_blocking(move || {
            let file = artefact
                .descriptor()
                .map_err(|error| ended(error.to_string()))?;
            let jailed = Jailed::start(&program, role, &plan, file)?;
            Ok::<_, StartError>(jailed)
        });
        let jailed = started.await.map_err(|error| StartError::Ended {
            said: error.to_string(),
        })??;
        let about = About {
            runtime: Arc::new(RuntimeReceipt {
                engine: jailed.ready.engine.clone(),
                ..about
            }),
            layers: jailed
                .ready
                .report
                .layers
                .iter()
                .map(|layer| layer.name())
                .collect(),
            reported: Arc::new(jailed.ready.report.clone()),
            observed: Arc::new(jailed.observed.clone()),
        };
        Worker::new(jailed, about)
    }

    /// Keep a clean worker; kill any other and start its successor.
    fn settle(&self, key: Key, profile: &Profile, worker: Worker, clean: bool) {
        if clean {
            self.0.put(key, worker);
            return;
        }
        let (this, profile) = (self.clone(), profile.clone());
        self.0.successors.spawn(async move {
            // Killing waits for the kernel: not on a thread that serves.
            let buried = tokio::task::spawn_blocking(move || drop(worker)).await;
            if let Err(error) = buried {
                tracing::warn!(%error, "a worker could not be ended");
            }
            if this.0.slots.is_closed() {
                return;
            }
            if let Err(error) = this.warm_up(&profile, &key.runtime).await {
                tracing::error!(%error, "no worker could be started in place of one that ended");
            }
        });
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, HashMap<Key, Vec<Worker>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_of(&self, key: &Key) -> usize {
        self.idle().get(key).map_or(0, Vec::len)
    }

    fn take(&self, key: &Key) -> Option<Worker> {
        self.idle().get_mut(key)?.pop()
    }

    fn put(&self, key: Key, worker: Worker) {
        self.idle().entry(key).or_default().push(worker);
    }
}

/// One more that waits, for as long as this lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The call as the worker takes it, read from the permit: what was judged.
fn call_of(permit: &Permit) -> Result<Call, String> {
    let program = Program::read(permit.call()).map_err(|error| error.to_string())?;
    let limits = permit.grant().limits();
    program.fits(limits).map_err(|error| error.to_string())?;
    let files = program.files.into_iter();
    let source = SOURCES.iter().find(|source| source.0 == program.language);
    let (_, filename, preparation) = source.copied().unwrap_or(("", "main", Preparation::None));
    Ok(Call {
        code: program.code,
        preparation,
        filename: filename.into(),
        args: program.args,
        stdin: program.stdin,
        files: files
            .map(|file| WireFile {
                path: file.path,
                content: file.content,
            })
            .collect(),
        collect: program.collect,
        limits: CallLimits {
            wall_ms: limits.wall_ms,
            memory_bytes: limits.memory_bytes,
            output_bytes: limits.output_bytes,
            file_bytes: limits.file_bytes,
            file_count: limits.file_count,
        },
    })
}

fn receipt(permit: &Permit, about: &About) -> Receipt {
    let grant = permit.grant();
    Receipt::Wasm(WasmReceipt {
        profile: grant.profile().name().to_owned(),
        profile_sha256: hex(&grant.profile().digest()),
        policy_sha256: hex(&permit.policy_digest()),
        runtime: Arc::clone(&about.runtime),
        limits: *grant.limits(),
        layers: Arc::clone(&about.layers),
        reported: Arc::clone(&about.reported),
        observed: Arc::clone(&about.observed),
    })
}

/// From a worker's answer to an outcome. A worker may be hostile by now: what it
/// says is held against the limits again.
fn told(mut answer: Answer, limits: &Limits, receipt: Option<Receipt>) -> (Outcome, bool) {
    let reusable = answer.reusable;
    let (files, left_out) = bounded_files(&mut answer, limits);
    let outcome = Outcome {
        ending: match answer.end {
            End::Exited(status) => Ending::Exited(status),
            End::TimedOut => Ending::TimedOut,
            End::OutOfMemory => Ending::OutOfMemory,
            End::Trapped(why) => Ending::Killed(line(&why)),
            End::LaunchFailed(why) => Ending::LaunchFailed(line(&why)),
        },
        stdout: bounded(answer.stdout, limits.output_bytes),
        stderr: bounded(answer.stderr, limits.output_bytes),
        files,
        left_out,
        usage: Usage {
            wall_us: answer.wall_us,
            cpu_us: answer.cpu_us,
            memory_peak_bytes: answer.memory_peak_bytes,
        },
        receipt,
    };
    (outcome, reusable)
}

/// Files that are told to have been left out; a guest can make thousands.
const MAX_LEFT_OUT: usize = 64;

fn left_out_line(one: super::wire::LeftOut) -> LeftOut {
    LeftOut {
        path: line(&one.path),
        reason: line(&one.reason),
    }
}

/// One printable line of bounded length.
fn line(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(1_024)
        .collect()
}

fn bounded(stream: super::wire::Stream, limit_bytes: u64) -> Stream {
    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let mut bytes = stream.bytes;
    let truncated = stream.truncated || bytes.len() > limit;
    bytes.truncate(limit);
    Stream { bytes, truncated }
}

/// The files that may leave, and those that a worker should not have sent.
fn bounded_files(answer: &mut Answer, limits: &Limits) -> (Vec<OutFile>, Vec<LeftOut>) {
    let mut left_out: Vec<LeftOut> = answer
        .left_out
        .drain(..)
        .take(MAX_LEFT_OUT)
        .map(left_out_line)
        .collect();
    let mut files = Vec::new();
    let mut room_bytes = limits.file_bytes;
    for file in answer.files.drain(..) {
        let room = room_bytes.checked_sub(file.content.len() as u64);
        let reason = match (check_path(&file.path), room) {
            (Err(error), _) => error.to_string(),
            (Ok(()), None) => "over the limit of file bytes".to_owned(),
            (Ok(()), Some(_)) if files.len() as u64 >= limits.file_count => {
                "over the limit of files".to_owned()
            }
            (Ok(()), Some(room)) => {
                room_bytes = room;
                files.push(OutFile {
                    path: file.path,
                    content: file.content,
                });
                continue;
            }
        };
        if left_out.len() < MAX_LEFT_OUT {
            left_out.push(LeftOut {
                path: line(&file.path),
                reason,
            });
        }
    }
    (files, left_out)
}
