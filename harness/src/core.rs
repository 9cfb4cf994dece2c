//! The way of one tool call, from arguments to a durable answer.
//!
//! ```text
//! read ─► decide ─► record ─┬─ Denial
//!                           └─ Admitted ─► run ─► record ─► Reply
//! ```
//!
//! Each arrow is a type that cannot be had without the step before it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use audit::{AppendError, DecisionEntry, FileEntry, Ledger, NoteEntry, OutcomeEntry};
use executor::wasm::{PoolState, Wasm, WorkerTap};
use executor::{Admitted, Outcome, Program, ProgramError};
use policy::{CallId, Context, Decision, Limits, Policy, Profiles, ToolCall, decide_at};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::fault::{self, Point};
use crate::reply::{Denial, Reply};

/// The tool that runs code.
pub const EXECUTE_CODE: &str = policy::CODE_TOOL;

/// A running Lazaret.
#[derive(Clone)]
pub struct Harness(Arc<Inner>);

impl std::fmt::Debug for Harness {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Harness")
            .field("policy", &self.0.policy.name())
            .finish_non_exhaustive()
    }
}

struct Inner {
    policy: Policy,
    profiles: Profiles,
    widest: Limits,
    wasm: Wasm,
    ledger: Ledger,
    cancel: CancellationToken,
    calls: TaskTracker,
}

/// Cancels the call that it is given to.
#[derive(Debug, Clone)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// End the call; its outcome is recorded as cancelled.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// What became of a call.
#[derive(Debug)]
pub enum Executed {
    /// It ran, whatever its ending.
    Done(Box<Reply>),
    /// The policy does not let it run.
    Refused(Box<Denial>),
}

/// Why there is no answer to a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The arguments are not those of the tool.
    #[error(transparent)]
    Arguments(#[from] ProgramError),
    /// The call is none.
    #[error(transparent)]
    Call(#[from] policy::CallError),
    /// The queue is full.
    #[error("all workers are busy and the queue is full; try again in a moment")]
    Busy,
    /// The ledger cannot be written: nothing is run and nothing is answered.
    #[error("the ledger cannot be written, so nothing is run: {0}")]
    Ledger(AppendError),
    /// A step of ours failed in a way that leaves no answer.
    #[error("the call was lost: {0}; its record is in the ledger")]
    Lost(&'static str),
    /// It ran, and what it left behind is too much for a record.
    #[error(
        "the call ran, and its outcome is too large to be recorded: {0}; lower the profile's limits"
    )]
    Unrecordable(audit::Refusal),
    /// It is being shut down.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Why Lazaret does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A policy or profile.
    #[error("{0}")]
    Policy(String),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] audit::OpenError),
    /// A runtime.
    #[error(transparent)]
    Runtime(#[from] executor::runtime::StoreError),
    /// A worker: this host cannot enforce what a profile asks for.
    #[error(
        "no call of profile `{profile}` could run here: {source}; `lazaret doctor` shows each layer"
    )]
    Worker {
        /// The profile.
        profile: String,
        /// Why.
        source: executor::wasm::StartError,
    },
    /// Others can write to the state directory.
    #[error(
        "`{0}` belongs to another user or can be written by others; chmod 700 it, or name another with --state"
    )]
    Shared(String),
    /// A file or directory.
    #[error("`{path}`: {source}")]
    Io {
        /// The path.
        path: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
}

/// How it stands.
#[derive(Debug, Clone)]
pub struct Health {
    /// Why nothing is run, if the ledger cannot be written.
    pub sealed: Option<String>,
    /// True once what still runs is being cancelled.
    pub stopping: bool,
    /// Why no worker starts, if the last one did not.
    pub broken: Option<String>,
    /// The workers.
    pub pool: PoolState,
}

impl Harness {
    /// Open the ledger, load policy, profiles and runtimes.
    ///
    /// # Errors
    /// When anything of that is missing or broken. Nothing is started half.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let profiles = config.load_profiles()?;
        let policy = config.load_policy(&profiles)?;
        let wasm = config.open_backend(&profiles)?;
        make_private_dir(&config.state)?;
        let ledger = Ledger::open(&config.ledger_path())?;
        let widest = widest(&profiles);
        let cancel = CancellationToken::new();
        Ok(Self(Arc::new(Inner {
            policy,
            profiles,
            widest,
            wasm,
            ledger,
            cancel,
            calls: TaskTracker::new(),
        })))
    }

    /// Start the workers of every profile, so that the first call finds one, and so
    /// that a host that cannot confine them is found now.
    ///
    /// # Errors
    /// The first profile that cannot be enforced here.
    pub async fn warm_up(&self) -> Result<(), StartError> {
        for profile in self.0.profiles.iter() {
            for (_, runtime) in profile.languages() {
                self.0
                    .wasm
                    .warm_up(profile, runtime)
                    .await
                    .map_err(|source| StartError::Worker {
                        profile: profile.name().to_owned(),
                        source,
                    })?;
            }
        }
        Ok(())
    }

    /// Note in the ledger what this daemon works with.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn note_start(&self) -> Result<(), CallError> {
        let detail = json!({
            "policy": self.0.policy.name(),
            "policy_sha256": executor::runtime::hex::hex(&self.0.policy.digest()),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let noted = self.0.ledger.note(NoteEntry {
            topic: "serving".into(),
            detail,
        });
        noted.map(drop).map_err(CallError::Ledger)
    }

    /// Something to cancel a call by; the end of the daemon cancels it too.
    #[must_use]
    pub fn cancel_handle(&self) -> Cancel {
        Cancel(self.0.cancel.child_token())
    }

    /// Run one call of `tool` for `principal`.
    ///
    /// Dropping the future does not stop the call: its outcome is recorded all the
    /// same. It ends by itself, by its limits, or by `cancel`.
    ///
    /// # Errors
    /// When the call is malformed, the queue is full, or the ledger cannot be written.
    pub async fn execute(
        &self,
        tool: &str,
        arguments: Value,
        principal: &str,
        cancel: Cancel,
    ) -> Result<Executed, CallError> {
        let call = ToolCall::new(tool, arguments, principal, None)?;
        // A tool without a backend has no arguments that could be checked: it is denied.
        if tool == EXECUTE_CODE {
            Program::read(&call)?.fits(&self.0.widest)?;
        }
        fault::pass(Point::Parsed, None);
        if self.0.cancel.is_cancelled() {
            return Err(CallError::Stopping);
        }
        if self.0.wasm.is_full() {
            return Err(CallError::Busy);
        }
        let this = self.clone();
        let running = self
            .0
            .calls
            .spawn(async move { this.judged(call, cancel).await });
        running
            .await
            .unwrap_or(Err(CallError::Lost("its task ended")))
    }

    async fn judged(&self, call: ToolCall, cancel: Cancel) -> Result<Executed, CallError> {
        let call_id = CallId::from_bytes(uuid::Uuid::now_v7().into_bytes());
        let decision = decide_at(&self.0.policy, &now(), call_id, call);
        fault::pass(Point::Decided, None);

        let recorded = self.record_decision(&decision).await?;
        fault::pass(Point::DecisionRecorded, None);

        let permit = match decision.into_permit() {
            Ok(permit) => permit,
            Err(refusal) => {
                return Ok(Executed::Refused(Box::new(Denial::new(refusal, recorded))));
            }
        };
        let admitted = Admitted::new(permit, recorded)
            .map_err(|_| CallError::Lost("its record is that of another call"))?;
        fault::pass(Point::Admitted, None);

        let outcome = self.0.wasm.run(&admitted, &cancel.0, &FaultTap).await;

        let recorded = match self
            .record_outcome(outcome_entry(&admitted, &outcome))
            .await
        {
            Err(AppendError::Refused(refusal)) => {
                self.close_refused(&admitted, &outcome, &refusal).await?;
                return Err(CallError::Unrecordable(refusal));
            }
            recorded => recorded.map_err(refused)?,
        };
        fault::pass(Point::OutcomeRecorded, None);
        Ok(Executed::Done(Box::new(Reply::new(outcome, recorded))))
    }

    async fn record_decision(
        &self,
        decision: &Decision,
    ) -> Result<audit::DecisionReceipt, CallError> {
        let (done, durable) = oneshot::channel();
        self.0
            .ledger
            .append_decision(decision_entry(decision), move |result| {
                // The receiver waits below; it is gone only when the daemon is.
                let _told = done.send(result).is_ok();
            });
        durable
            .await
            .map_err(|_| CallError::Lost("the ledger's writer is gone"))?
            .map_err(refused)
    }

    async fn record_outcome(
        &self,
        entry: OutcomeEntry,
    ) -> Result<audit::OutcomeReceipt, AppendError> {
        let (done, durable) = oneshot::channel();
        self.0.ledger.append_outcome(entry, move |result| {
            let _told = done.send(result).is_ok();
        });
        durable.await.unwrap_or(Err(AppendError::Closed))
    }

    /// What a call left behind was too much for a record: close it with its ending
    /// alone, so that it does not stay open.
    async fn close_refused(
        &self,
        admitted: &Admitted,
        outcome: &Outcome,
        refusal: &audit::Refusal,
    ) -> Result<(), CallError> {
        let bare = Outcome::bare(outcome.ending.clone(), None);
        let detail = Some(format!(
            "its outcome could not be recorded whole: {refusal}"
        ));
        let entry = OutcomeEntry {
            detail,
            ..outcome_entry(admitted, &bare)
        };
        self.record_outcome(entry).await.map(drop).map_err(refused)
    }

    /// True when one more call would be turned away.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.wasm.is_full()
    }

    /// How it stands.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            sealed: self.0.ledger.sealed(),
            stopping: self.0.cancel.is_cancelled(),
            broken: self.0.wasm.broken(),
            pool: self.0.wasm.state(),
        }
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Wait until no call runs.
    pub async fn calls_over(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
    }

    /// Cancel what still runs and take no new calls.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Let running calls end for `drain`, cancel what is left, end the workers, write
    /// the last records and close the ledger. A call whose client has left counts too:
    /// its outcome is recorded all the same.
    ///
    /// # Errors
    /// When the last records could not be written.
    pub async fn close(self, drain: Duration) -> Result<(), CallError> {
        if tokio::time::timeout(drain, self.calls_over())
            .await
            .is_err()
        {
            self.cancel();
            self.calls_over().await;
        }
        self.cancel();
        self.0.wasm.close().await;
        self.0.ledger.clone().close().map_err(CallError::Ledger)
    }
}

/// What the policy is told of the world: the time. A clock before 1970 is no time,
/// and an allow that expires does not hold then.
fn now() -> Context {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_us = since
        .ok()
        .and_then(|since| u64::try_from(since.as_micros()).ok());
    Context {
        now_us,
        ..Context::default()
    }
}

/// Hangs the fault points on the worker's steps.
struct FaultTap;

impl WorkerTap for FaultTap {
    fn ready(&self, pid: u32) {
        fault::pass(Point::WorkerReady, Some(pid));
    }

    fn sent(&self, pid: u32) {
        fault::pass(Point::RequestSent, Some(pid));
    }

    fn answered(&self, pid: u32) {
        fault::pass(Point::WorkerAnswered, Some(pid));
    }
}

fn refused(error: AppendError) -> CallError {
    match error {
        AppendError::Busy { .. } => CallError::Busy,
        AppendError::Closed => CallError::Stopping,
        AppendError::Refused(_) => CallError::Lost("the ledger refused its record"),
        AppendError::Sealed { .. } | AppendError::Failed { .. } => CallError::Ledger(error),
    }
}

fn decision_entry(decision: &Decision) -> DecisionEntry {
    let call = decision.call();
    let grant = decision.grant();
    DecisionEntry {
        call_id: *decision.call_id().as_bytes(),
        principal: call.principal().to_owned(),
        session: call.session().map(str::to_owned),
        tool: call.tool().to_owned(),
        arguments: call.canonical_arguments().to_vec(),
        verdict: decision.verdict().as_str().to_owned(),
        rules: decision
            .rules()
            .iter()
            .map(|rule| rule.id().to_owned())
            .collect(),
        reason: decision.reason().to_owned(),
        policy_digest: decision.policy_digest(),
        profile: grant.map(|grant| grant.profile().name().to_owned()),
        runtime: grant.map(|grant| grant.runtime().to_owned()),
        limits: grant.map_or(Value::Null, |grant| as_json(grant.limits())),
    }
}

fn outcome_entry(admitted: &Admitted, outcome: &Outcome) -> OutcomeEntry {
    let files = outcome.files.iter().map(|file| FileEntry {
        path: file.path.clone(),
        content: file.content.clone(),
    });
    OutcomeEntry {
        call_id: *admitted.permit().call_id().as_bytes(),
        decision_seq: admitted.decision_seq(),
        ending: outcome.ending.name().to_owned(),
        detail: outcome.ending.detail().map(str::to_owned),
        exit_code: outcome.ending.exit_code().map(i32::from),
        stdout: outcome.stdout.bytes.clone(),
        stderr: outcome.stderr.bytes.clone(),
        files: files.collect(),
        truncated_stdout: outcome.stdout.truncated,
        truncated_stderr: outcome.stderr.truncated,
        usage: as_json(&outcome.usage),
        receipt: outcome.receipt.as_ref().map_or(Value::Null, as_json),
    }
}

/// A value of ours as JSON: no floats, string keys, so it always is one.
fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(error.to_string()))
}

/// The most that any profile takes: more than that is refused before it is judged.
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
        .map(|profile| profile.limits())
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

/// The state directory: for nobody but its owner, and nobody else can put files there.
pub(crate) fn make_private_dir(dir: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let io = |source| StartError::Io {
        path: dir.display().to_string(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io)?;
    let meta = std::fs::metadata(dir).map_err(io)?;
    let mine = meta.uid() == nix::unistd::geteuid().as_raw();
    match mine && meta.mode() & 0o022 == 0 {
        true => Ok(()),
        false => Err(StartError::Shared(dir.display().to_string())),
    }
}
