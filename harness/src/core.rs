//! The way of one tool call, from arguments to a durable answer.
//!
//! ```text
//! read ─► decide ─► record ─┬─ Denial
//!                           └─ Admitted ─► run ─► record ─► Reply
//! ```
//!
//! Each arrow is a type that cannot be had without the step before it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit::{AppendError, DecisionEntry, FileEntry, Ledger, NoteEntry, OutcomeEntry};
use executor::container::{ContainerError, Containers};
use executor::wasm::{PoolState, Wasm, WorkerTap};
use executor::{Admitted, Ending, Outcome, Program, ProgramError};
use policy::{Backend, CallId, Decision, Explanation, Redaction, ToolCall, decide_at, explain_at};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::book::{Book, CountsError, Spent, Whereabouts};
use crate::config::{Config, OnBroken, UseContainers};
use crate::egress::{Doors, EgressError};
use crate::fault::{self, Point};
use crate::in_force::{
    Broken, Generation, InForce, LOOK_EVERY, MOST_LOOKS, Reloaded, Stamps, Standing, now_us,
};
use crate::reply::{Denial, Judged, Reply};

/// Languages whose code is a command.
const SHELL_LANGUAGES: [&str; 3] = ["bash", "sh", "shell"];

/// Why a call that needs a container is not run where there shall be none.
const NO_CONTAINERS: &str =
    "containers are switched off in the configuration; set `containers` to `on`";

/// What sessions and principals have used, below the state directory.
const COUNTS: &str = "counts.json";

/// How soon what was counted is written.
const COUNTS_EVERY: Duration = Duration::from_secs(1);

/// The tool that runs code.
pub const EXECUTE_CODE: &str = policy::CODE_TOOL;

/// A running Lazaret.
#[derive(Clone)]
pub struct Harness(Arc<Inner>);

impl std::fmt::Debug for Harness {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Harness")
            .field(
                "policy",
                &self.0.rules.standing().generation().policy().name(),
            )
            .finish_non_exhaustive()
    }
}

struct Inner {
    rules: Arc<InForce>,
    wasm: Wasm,
    /// Nothing where no containers shall be made.
    containers: Option<Containers>,
    use_containers: UseContainers,
    ledger: Ledger,
    ledger_path: PathBuf,
    book: Arc<Book>,
    doors: Arc<Doors>,
    cancel: CancellationToken,
    calls: TaskTracker,
    /// Those that the profiles of the start name; a later profile can name no others.
    runtimes: BTreeSet<String>,
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

/// What can run here under the policy in force.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    /// The languages that a profile in force has a runtime for.
    pub languages: BTreeSet<String>,
    /// Whether a shell command can be run.
    pub commands: bool,
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
    /// The policy file is broken, and the operator wants nothing judged by an old one.
    #[error("the policy is broken, and no call is judged until it is corrected: {0}")]
    PolicyBroken(String),
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
    /// What a container needs is missing, and the operator wants no daemon without.
    #[error(
        "no container of profile `{profile}` could be made here: {source}; `lazaret doctor` shows what is missing"
    )]
    Container {
        /// The profile.
        profile: String,
        /// What is missing.
        source: ContainerError,
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
    /// What was counted before.
    #[error("`{path}`: {source}")]
    Counts {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: CountsError,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The way out of containers.
    #[error(transparent)]
    Egress(#[from] EgressError),
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
    /// The containers; nothing where there shall be none.
    pub containers: Option<PoolState>,
    /// The policy.
    pub rules: Arc<Standing>,
}

impl Harness {
    /// Open the ledger, load policy, profiles and runtimes.
    ///
    /// # Errors
    /// When anything of that is missing or broken. Nothing is started half.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let rules = Arc::new(InForce::open(config)?);
        let egress = config.egress_settings()?;
        let wasm = config.open_backend(rules.standing().generation().profiles())?;
        make_private_dir(&config.state)?;
        let ledger = Ledger::open(&config.ledger_path())?;
        let book = Arc::new(Book::default());
        let doors = Arc::new(Doors::new(
            egress,
            Arc::clone(&rules),
            Arc::clone(&book),
            ledger.clone(),
            config.state.clone(),
        ));
        let installation = installation(&config.state)?;
        let containers = config.open_containers(installation, Some(Arc::clone(&doors) as _));
        let cancel = CancellationToken::new();
        let runtimes = runtimes(rules.standing().generation());
        Ok(Self(Arc::new(Inner {
            rules,
            wasm,
            containers,
            use_containers: config.containers,
            ledger,
            ledger_path: config.ledger_path(),
            book,
            doors,
            cancel,
            calls: TaskTracker::new(),
            runtimes,
        })))
    }

    /// Start the workers of every profile, so that the first call finds one, and so
    /// that a host that cannot confine them is found now.
    ///
    /// # Errors
    /// The first profile that cannot be enforced here.
    pub async fn warm_up(&self) -> Result<(), StartError> {
        drop(tokio::task::spawn_blocking(policy::texts::secrets::warm));
        let generation = Arc::clone(self.0.rules.standing().generation());
        self.sweep().await;
        for profile in generation.profiles().iter() {
            self.warm_up_one(profile).await?;
        }
        Ok(())
    }

    /// Remove the containers and sockets that an earlier life of this installation left behind.
    async fn sweep(&self) {
        if let Err(error) = self.0.doors.sweep() {
            tracing::warn!(%error, "the sockets of an earlier life could not be removed");
        }
        let Some(containers) = &self.0.containers else {
            return;
        };
        match containers.sweep().await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "containers of an earlier life were removed"),
            // Said again, as an error, by whoever needs a container.
            Err(error) => tracing::info!(%error, "no containers"),
        }
    }

    async fn warm_up_one(&self, profile: &policy::Profile) -> Result<(), StartError> {
        match profile.backend() {
            Backend::Wasm => {}
            Backend::Container => return self.check_containers(profile).await,
        }
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
        Ok(())
    }

    /// A container starts with its call, and says then what it lacks; who wants to know at the
    /// start says so.
    async fn check_containers(&self, profile: &policy::Profile) -> Result<(), StartError> {
        let Some(containers) = &self.0.containers else {
            return Ok(());
        };
        match (containers.check(profile).await, self.0.use_containers) {
            (Ok(()), _) => Ok(()),
            (Err(source), UseContainers::Required) => Err(StartError::Container {
                profile: profile.name().to_owned(),
                source,
            }),
            (Err(_), UseContainers::On | UseContainers::Off) => Ok(()),
        }
    }

    /// Go on with what budgets and labels counted before the last end.
    ///
    /// # Errors
    /// When it cannot be read: to count anew would give every budget again.
    pub fn resume_counts(&self) -> Result<(), StartError> {
        let file = self.counts();
        self.0
            .book
            .read(&file)
            .map_err(|source| StartError::Counts {
                path: file.display().to_string(),
                source,
            })
    }

    /// Write what budgets and labels count, for ever, a moment after it changed.
    pub async fn keep_counts(&self) {
        loop {
            tokio::time::sleep(COUNTS_EVERY).await;
            let this = self.clone();
            // A panic in there is as good as a file that cannot be written: it is tried again.
            drop(tokio::task::spawn_blocking(move || this.write_counts()).await);
        }
    }

    /// Write what budgets and labels counted until now.
    pub fn write_counts(&self) {
        let file = self.counts();
        if let Err(error) = self.0.book.write(&file) {
            tracing::error!(file = %file.display(), %error, "what budgets counted is not kept; make room or correct its rights");
        }
    }

    fn counts(&self) -> PathBuf {
        self.0.ledger_path.with_file_name(COUNTS)
    }

    /// What the profiles in force can run on this host. Whether a call of it is allowed, the policy
    /// says of the call.
    pub async fn offers(&self) -> Offers {
        let generation = Arc::clone(self.0.rules.standing().generation());
        let mut offers = Offers::default();
        for profile in generation.profiles().iter() {
            for (language, runtime) in profile.languages() {
                if self.is_at_hand(profile, runtime).await {
                    offers.languages.insert(language.to_owned());
                }
            }
            for (tool, runtime) in profile.tools() {
                offers.commands |=
                    tool == policy::COMMAND_TOOL && self.is_at_hand(profile, runtime).await;
            }
        }
        // Code in a shell's language is a command.
        offers
            .languages
            .retain(|language| !SHELL_LANGUAGES.contains(&language.as_str()));
        offers
    }

    async fn is_at_hand(&self, profile: &policy::Profile, runtime: &str) -> bool {
        match (profile.backend(), &self.0.containers) {
            (Backend::Wasm, _) => self.0.runtimes.contains(runtime),
            (Backend::Container, Some(containers)) => {
                containers.check(profile).await.is_ok()
                    && containers.check_image(runtime).await.is_ok()
            }
            (Backend::Container, None) => false,
        }
    }

    /// Note in the ledger what this daemon works with.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn note_start(&self) -> Result<(), CallError> {
        self.note("serving", self.0.rules.standing().generation())
            .map_err(CallError::Ledger)
    }

    fn note(&self, topic: &str, generation: &Generation) -> Result<(), AppendError> {
        let detail = json!({
            "policy": generation.policy().name(),
            "policy_generation": generation.number(),
            "policy_sha256": generation.digest(),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let topic = topic.to_owned();
        self.0.ledger.note(NoteEntry { topic, detail }).map(drop)
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
        whereabouts: Whereabouts<'_>,
        cancel: Cancel,
    ) -> Result<Executed, CallError> {
        let (tool, arguments) = as_command(tool, arguments);
        let call = ToolCall::new(tool, arguments, principal, whereabouts.session)?;
        let turn = whereabouts.turn.map(str::to_owned);
        // Taken once: from here on, the call knows no other policy.
        let standing = self.0.rules.standing();
        if let Some(broken) = standing.closed() {
            return Err(CallError::PolicyBroken(broken.to_string()));
        }
        let rules = Arc::clone(standing.generation());
        // A tool without a backend has no arguments that could be checked: it is denied.
        if Program::is_tool(tool) {
            Program::read(&call)?.fits(rules.widest())?;
        }
        fault::pass(Point::Parsed, None);
        if self.0.cancel.is_cancelled() {
            return Err(CallError::Stopping);
        }
        if !self.has_room(&rules, &call) {
            return Err(CallError::Busy);
        }
        let this = self.clone();
        let running = self
            .0
            .calls
            .spawn(async move { this.judged(call, turn, &rules, cancel).await });
        running
            .await
            .unwrap_or(Err(CallError::Lost("its task ended")))
    }

    async fn judged(
        &self,
        call: ToolCall,
        turn: Option<String>,
        rules: &Generation,
        cancel: Cancel,
    ) -> Result<Executed, CallError> {
        let call_id = CallId::from_bytes(uuid::Uuid::now_v7().into_bytes());
        let policy = rules.policy();
        let inspection = policy.inspect(call);
        let turn = turn.as_deref();
        let book = &self.0.book;
        let decision = book.judge(policy, now_us(), turn, call_id, inspection);
        fault::pass(Point::Decided, None);

        let recorded = self.record_decision(&decision, rules.number()).await?;
        fault::pass(Point::DecisionRecorded, None);

        let remaining = decision.remaining().to_vec();
        let permit = match decision.into_permit() {
            Ok(permit) => permit,
            Err(refusal) => {
                let denial = Denial::new(refusal, recorded, rules.number());
                return Ok(Executed::Refused(Box::new(denial)));
            }
        };
        let admitted = Admitted::new(permit, recorded)
            .map_err(|_| CallError::Lost("its record is that of another call"))?;
        fault::pass(Point::Admitted, None);

        let mut outcome = self.run(&admitted, &cancel.0).await;
        book.spend(policy, admitted.permit().call(), &spent(&outcome));
        // Before anything is kept or shown: what is taken out is in no ledger.
        let redaction = admitted.permit().grant().redaction();
        let redacted = redact(redaction, &mut outcome);

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
        let judged = Judged {
            generation: rules.number(),
            policy_digest: policy.digest(),
            remaining,
            redacted,
        };
        Ok(Executed::Done(Box::new(Reply::new(
            outcome, recorded, judged,
        ))))
    }

    /// In the backend that the profile of the grant names; there is no other choice to make.
    async fn run(&self, admitted: &Admitted, cancel: &CancellationToken) -> Outcome {
        match admitted.permit().grant().profile().backend() {
            Backend::Wasm => self.0.wasm.run(admitted, cancel, &FaultTap).await,
            Backend::Container => match &self.0.containers {
                Some(containers) => containers.run(admitted, cancel, &FaultTap).await,
                None => Outcome::bare(Ending::LaunchFailed(NO_CONTAINERS.to_owned()), None),
            },
        }
    }

    async fn record_decision(
        &self,
        decision: &Decision,
        generation: u64,
    ) -> Result<audit::DecisionReceipt, CallError> {
        let (done, durable) = oneshot::channel();
        self.0
            .ledger
            .append_decision(decision_entry(decision, generation), move |result| {
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

    /// True when one more call would be turned away, whatever it is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let containers = self.0.containers.as_ref();
        self.0.wasm.is_full() && containers.is_none_or(Containers::is_full)
    }

    /// Whether the backend that the policy would run this call in takes one more. What is refused
    /// needs no room.
    fn has_room(&self, rules: &Generation, call: &ToolCall) -> bool {
        let containers = self.0.containers.as_ref();
        let full = (
            self.0.wasm.is_full(),
            containers.is_some_and(Containers::is_full),
        );
        if full == (false, false) {
            return true;
        }
        let policy = rules.policy();
        let context = self.0.book.context(policy, call, now_us());
        // Asked to know, entered nowhere: the id is nobody's.
        let decision = decide_at(policy, &context, CallId::from_bytes([0; 16]), call.clone());
        match decision.grant().map(|grant| grant.profile().backend()) {
            None => true,
            Some(Backend::Wasm) => !full.0,
            Some(Backend::Container) => !full.1,
        }
    }

    /// Where the ledger lies, for who reads it.
    #[must_use]
    pub fn ledger_path(&self) -> &Path {
        &self.0.ledger_path
    }

    /// How it stands.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            sealed: self.0.ledger.sealed(),
            stopping: self.0.cancel.is_cancelled(),
            broken: self.0.wasm.broken(),
            pool: self.0.wasm.state(),
            containers: self.0.containers.as_ref().map(Containers::state),
            rules: self.0.rules.standing(),
        }
    }

    /// The policy in force, and whether its successor is broken.
    #[must_use]
    pub fn rules(&self) -> Arc<Standing> {
        self.0.rules.standing()
    }

    /// The policy file, if it is not the shipped policy that is in force.
    #[must_use]
    pub fn policy_file(&self) -> Option<&Path> {
        self.0.rules.source().policy_file()
    }

    /// What happens to calls while the policy file is broken.
    #[must_use]
    pub fn on_broken(&self) -> OnBroken {
        self.0.rules.on_broken()
    }

    /// What the policy in force makes of a call now, and the generation that says so. Nothing is
    /// run, and nothing recorded.
    #[must_use]
    pub fn explain(&self, call: &ToolCall) -> (Arc<Generation>, Explanation) {
        let rules = Arc::clone(self.0.rules.standing().generation());
        let context = self.0.book.context(rules.policy(), call, now_us());
        let explanation = explain_at(rules.policy(), &context, call);
        (rules, explanation)
    }

    /// Read policy and profiles again, and put them in force if they are good. Running calls end
    /// as they began.
    ///
    /// # Errors
    /// What is wrong; the policy that was in force stays.
    pub async fn reload(&self, cause: &str) -> Result<Reloaded, Broken> {
        let prepare = |old, new| self.prepare(old, new);
        self.0.rules.reload(cause, prepare).await
    }

    /// Before a policy comes into force: its new profiles can be enforced here, and the ledger
    /// knows of it.
    async fn prepare(&self, old: Arc<Generation>, new: Arc<Generation>) -> Result<(), Broken> {
        let known: Vec<[u8; 32]> = old.profiles().iter().map(policy::Profile::digest).collect();
        let profiles = new.profiles().iter();
        for profile in profiles.filter(|profile| !known.contains(&profile.digest())) {
            self.check_runtimes(profile)?;
            self.warm_up_one(profile).await.map_err(Broken::other)?;
        }
        tokio::task::block_in_place(|| self.note("policy", &new)).map_err(Broken::other)
    }

    /// Runtimes are opened at the start, and a new profile can only name these.
    fn check_runtimes(&self, profile: &policy::Profile) -> Result<(), Broken> {
        let opened = &self.0.runtimes;
        let languages = match profile.backend() {
            Backend::Wasm => Some(profile.languages()),
            Backend::Container => None,
        };
        match languages
            .into_iter()
            .flatten()
            .find(|(_, runtime)| !opened.contains(*runtime))
        {
            None => Ok(()),
            Some((_, runtime)) => Err(Broken::other(format!(
                "profile `{}` names the runtime `{runtime}`, which was not opened at the start; restart the daemon",
                profile.name()
            ))),
        }
    }

    /// Look at the policy's files for ever, and reload when they have changed and lie still.
    pub async fn watch(&self) {
        let (mut loaded, mut last) = (Stamps::new(), Stamps::new());
        let mut looks = 0;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let source = self.0.rules.source().clone();
            let Ok(now) = tokio::task::spawn_blocking(move || source.stamps()).await else {
                continue;
            };
            let still = now == last;
            last = now;
            looks = if last == loaded { 0 } else { looks + 1 };
            if looks > 0 && (still || looks >= MOST_LOOKS) {
                // The reason is kept and shown; there is nobody here to tell.
                let _kept = self.reload("file").await.is_ok();
                // What still changes is loaded again when it lies still.
                loaded = if still { last.clone() } else { Stamps::new() };
                looks = 0;
            }
        }
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
        if let Some(containers) = &self.0.containers {
            containers.close().await;
        }
        self.0.doors.close();
        self.0.ledger.clone().close().map_err(CallError::Ledger)
    }
}

/// Code in a shell's language is a command, whatever it is called: judged by what it does, so that
/// no rule about commands can be walked around.
fn as_command(tool: &str, mut arguments: Value) -> (&str, Value) {
    let language = arguments.get("language").and_then(Value::as_str);
    let is_shell = language.is_some_and(|language| SHELL_LANGUAGES.contains(&language));
    let Some(map) = arguments
        .as_object_mut()
        .filter(|_| is_shell && tool == EXECUTE_CODE)
    else {
        return (tool, arguments);
    };
    map.remove("language");
    if let Some(code) = map.remove("code") {
        map.insert("command".to_owned(), code);
    }
    (policy::COMMAND_TOOL, arguments)
}

fn spent(outcome: &Outcome) -> Spent {
    let bytes = outcome.stdout.bytes.len() + outcome.stderr.bytes.len();
    Spent {
        cpu_ms: outcome.usage.cpu_us / 1_000,
        output_bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
    }
}

/// Takes out of both streams what rules oblige to, and says how many places that were. A stream
/// that is no UTF-8 is read with its odd bytes replaced, and stays so where something was found.
fn redact(redaction: &Redaction, outcome: &mut Outcome) -> usize {
    if redaction.is_empty() {
        return 0;
    }
    let mut places = 0;
    for stream in [&mut outcome.stdout, &mut outcome.stderr] {
        let text = String::from_utf8_lossy(&stream.bytes);
        let (redacted, found) = redaction.apply(&text);
        if found > 0 {
            places += found;
            stream.bytes = redacted.into_owned().into_bytes();
        }
    }
    places
}

fn runtimes(generation: &Generation) -> BTreeSet<String> {
    let profiles = generation.profiles().iter();
    let wasm = profiles.filter(|profile| profile.backend() == Backend::Wasm);
    let names = wasm.flat_map(|profile| profile.languages().map(|(_, name)| name.to_owned()));
    names.collect()
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

fn decision_entry(decision: &Decision, generation: u64) -> DecisionEntry {
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
        policy_generation: generation,
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
        repeat: None,
    }
}

/// A value of ours as JSON: no floats, string keys, so it always is one.
fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(error.to_string()))
}

/// What tells the containers of this state directory from those of others; made at first use.
fn installation(state: &Path) -> Result<String, StartError> {
    let path = state.join("installation-id");
    let io = |source| StartError::Io {
        path: path.display().to_string(),
        source,
    };
    let known = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(io)?,
    };
    if !known.trim().is_empty() {
        return Ok(known.trim().to_owned());
    }
    let id = uuid::Uuid::now_v7().to_string();
    std::fs::write(&path, &id).map_err(io)?;
    Ok(id)
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
