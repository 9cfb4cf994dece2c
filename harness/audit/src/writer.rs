//! The one writer: it takes what waits and commits it together.
//!
//! ```text
//!  entries ─► group ─► one transaction ─► mark ─► answers
//!                            │ fails
//!                            ▼
//!                          sealed ── every RETRY: is the cause gone? ──► recovered
//! ```
//!
//! It works on one thread at a time: a caller's that waits, or the ledger's own
//! ([`crate::queue`]). Whoever hands in an entry gets its answer exactly once,
//! in every case: after the commit, after a refusal, after a failure, or when
//! the writer ends. After the first failure nothing is written any more, and
//! everything is answered with the reason, until the cause is gone
//! ([`crate::recover`]).

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::entry::{AppendError, DecisionReceipt, NoteEntry, OutcomeReceipt, Refusal, Written};
use crate::erase::{self, Wiped, Wish};
use crate::instance::Instance;
use crate::key::Signer;
use crate::mark::{Mark, MarkFile};
use crate::place::Files;
use crate::prepare::{self, Call};
use crate::queue::{Entries, Queue, Wake};
use crate::recover::{self, RETRY};
use crate::step::{Step, Tap};
use crate::store::{Batch, StoreError};
use crate::tail::Tail;
use crate::wire::{Data, Stop, Verdict};

/// How often the ledger speaks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Records after which the tree is signed.
    pub checkpoint_records: u64,
    /// Time after which it is signed, when there are new records.
    pub checkpoint_wall: Duration,
    /// Silence after which a record says that the writer lives.
    pub heartbeat_wall: Duration,
}

impl Default for Rhythm {
    /// A signature costs as much as hashing a record, so many are no burden; what is not yet
    /// signed is what somebody who steals the file could change unseen.
    fn default() -> Self {
        Self {
            checkpoint_records: 1024,
            checkpoint_wall: Duration::from_secs(10),
            heartbeat_wall: Duration::from_mins(5),
        }
    }
}

/// Why nothing is written.
#[derive(Debug, Clone)]
pub(crate) struct Seal {
    pub(crate) reason: String,
    /// Whether the cause can go by itself; otherwise somebody has to look and open again.
    pub(crate) may_recover: bool,
}

/// What the handles and the writer share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Why the ledger is sealed, while it is.
    sealed: RwLock<Option<Seal>>,
    /// Entries that were handed in and not yet answered.
    pub(crate) waiting: AtomicUsize,
    pub(crate) queue: Queue,
}

impl Shared {
    /// Why the ledger is sealed, while it is.
    pub(crate) fn sealed(&self) -> Option<Seal> {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        sealed.clone()
    }

    /// Seals it; the first reason stays, and one that lasts outweighs one that may pass.
    pub(crate) fn seal(&self, seal: Seal) {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        match &*sealed {
            Some(before) if !before.may_recover || seal.may_recover => {}
            Some(_) | None => *sealed = Some(seal),
        }
    }

    pub(crate) fn unseal(&self) {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        *sealed = None;
    }
}

/// What a caller wants to be told with.
pub(crate) type Answer<R> = Box<dyn FnOnce(Result<R, AppendError>) + Send>;

/// An answer that is given exactly once, if need be when it is dropped.
pub(crate) struct Done<R>(Option<Answer<R>>);

impl<R> Done<R> {
    pub(crate) fn new(done: impl FnOnce(Result<R, AppendError>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    pub(crate) fn answer(mut self, result: Result<R, AppendError>) {
        if let Some(done) = self.0.take() {
            done(result);
        }
    }
}

impl<R> Drop for Done<R> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(AppendError::Closed));
        }
    }
}

/// Who waits for what.
pub(crate) enum Waiter {
    Decision(Done<DecisionReceipt>, [u8; 16], Verdict),
    Outcome(Done<OutcomeReceipt>, [u8; 16], u64),
    Note(Done<u64>),
}

impl Waiter {
    /// Only called with what a durable commit wrote.
    fn durable(self, written: Written) {
        match self {
            Self::Decision(done, call_id, verdict) => {
                done.answer(Ok(DecisionReceipt::new(written, call_id, verdict)));
            }
            Self::Outcome(done, call_id, decision_seq) => {
                done.answer(Ok(OutcomeReceipt::new(written, call_id, decision_seq)));
            }
            Self::Note(done) => done.answer(Ok(written.seq)),
        }
    }

    pub(crate) fn failed(self, error: AppendError) {
        match self {
            Self::Decision(done, ..) => done.answer(Err(error)),
            Self::Outcome(done, ..) => done.answer(Err(error)),
            Self::Note(done) => done.answer(Err(error)),
        }
    }
}

/// The writer, for whoever has it; nobody, once it was closed.
pub(crate) type Desk = Mutex<Option<Writer>>;

/// What writing takes.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    /// Absolute, since the process may change its directory.
    pub(crate) path: PathBuf,
    pub(crate) files: Files,
    pub(crate) instance: Instance,
    pub(crate) mark: MarkFile,
    pub(crate) reached: Mark,
    /// What is known of the end; nothing after a transaction that failed.
    pub(crate) tail: Option<Tail>,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) rhythm: Rhythm,
    pub(crate) tap: Option<Tap>,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    /// Calls that nobody can end any more, since a failing disk did not take their records.
    pub(crate) lost: HashSet<[u8; 16]>,
    pub(crate) beat: Beat,
}

/// When what was done last.
#[derive(Debug)]
pub(crate) struct Beat {
    /// Records at the last checkpoint.
    pub(crate) signed: u64,
    pub(crate) signed_at: Instant,
    pub(crate) written_at: Instant,
    pub(crate) tried_at: Instant,
}

impl Beat {
    pub(crate) fn now(signed: u64) -> Self {
        let now = Instant::now();
        Self {
            signed,
            signed_at: now,
            written_at: now,
            tried_at: now,
        }
    }

    fn wrote(&mut self, signed: Option<u64>) {
        self.written_at = Instant::now();
        if let Some(signed) = signed {
            self.signed = signed;
            self.signed_at = self.written_at;
        }
    }

    /// Whether a ledger of so many records is to be signed.
    fn is_due(&self, rhythm: Rhythm, count: u64) -> bool {
        let new = count.saturating_sub(self.signed);
        let waited = self.signed_at.elapsed() >= rhythm.checkpoint_wall;
        new >= rhythm.checkpoint_records || (new > 0 && waited)
    }
}

/// The ledger's thread: works until the ledger is closed or its last handle is gone.
pub(crate) fn run(desk: &Desk, shared: &Shared) {
    // However this ends, nobody waits for it afterwards.
    let _end = EndWhenDropped(&shared.queue);
    loop {
        let wake = shared.queue.wait();
        let mut desk = lock(desk);
        let Some(writer) = desk.as_mut() else { return };
        match wake {
            Wake::Work => writer.turn(),
            Wake::Silence => writer.silence(),
            Wake::Close => {
                writer.stop();
                *desk = None;
                return;
            }
        }
    }
}

/// A panic of who had it has sealed the ledger, so that nothing half done is gone on with.
pub(crate) fn lock(desk: &Desk) -> MutexGuard<'_, Option<Writer>> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Commits one group of what waits.
    pub(crate) fn turn(&mut self) {
        let shared = Arc::clone(&self.shared);
        // Should this panic, later callers must not wait for us.
        let _guard = SealWhenPanicking(&shared);
        let group = shared.queue.group();
        self.look();
        if !group.entries.is_empty() {
            self.settle(group.entries);
        }
        if let Some((wish, done)) = group.erase {
            self.erase(&wish, done);
        }
        shared.queue.rest(self.patience());
    }

    /// When nobody came.
    fn silence(&mut self) {
        self.look();
        self.idle();
        self.shared.queue.rest(self.patience());
    }

    /// How long it may wait for somebody before it has something to do by itself.
    pub(crate) fn patience(&self) -> Duration {
        if self.shared.sealed().is_some() {
            return RETRY;
        }
        let beat = self
            .rhythm
            .heartbeat_wall
            .saturating_sub(self.beat.written_at.elapsed());
        match self.beat.signed < self.reached.count {
            true => beat.min(
                self.rhythm
                    .checkpoint_wall
                    .saturating_sub(self.beat.signed_at.elapsed()),
            ),
            false => beat,
        }
    }

    /// Before anything else: has the cause of a seal gone, did the clock jump?
    fn look(&mut self) {
        if let Some(seal) = self.shared.sealed() {
            recover::attempt(self, &seal);
        } else if let Some(jump) = self.clock.jump() {
            self.note("clock", jump.detail());
        }
    }

    /// When nobody comes: sign what is new, and show that the writer lives. What comes is signed
    /// with what it brings.
    fn idle(&mut self) {
        if self.shared.sealed().is_some() {
            return;
        }
        if self.beat.written_at.elapsed() >= self.rhythm.heartbeat_wall {
            self.note("heartbeat", json!({ "records": self.reached.count }));
        } else if self.beat.is_due(self.rhythm, self.reached.count) {
            self.write(Vec::new());
        }
    }

    /// A record of the ledger's own.
    fn note(&mut self, topic: &str, detail: Value) {
        let topic = topic.to_owned();
        // Ours are small and have no floats.
        if let Ok(entry) = prepare::note(NoteEntry { topic, detail }) {
            let done = Done::new(|_: Result<u64, AppendError>| ());
            self.write(vec![(Box::new(entry), Waiter::Note(done))]);
        }
    }

    fn settle(&mut self, entries: Entries) {
        let count = entries.len();
        match self.shared.sealed() {
            Some(Seal { reason, .. }) => self.fail(entries, &AppendError::Sealed { reason }),
            None => self.write(entries),
        }
        self.shared.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    fn write(&mut self, entries: Entries) {
        match self.commit(&entries) {
            Ok(results) => {
                self.set_mark();
                for ((_, waiter), result) in entries.into_iter().zip(results) {
                    self.tell(|| match result {
                        Ok(written) => waiter.durable(written),
                        Err(refusal) => waiter.failed(AppendError::Refused(refusal)),
                    });
                }
                pass(&self.tap, Step::Answered);
            }
            Err(error) => {
                let reason = error.to_string();
                let may_recover = recover::may_pass(&error);
                self.seal(reason.clone(), may_recover);
                self.fail(entries, &AppendError::Failed { reason });
            }
        }
    }

    fn commit(&mut self, entries: &Entries) -> Result<Vec<Result<Written, Refusal>>, StoreError> {
        self.transact(Sign::WhenDue, |batch| {
            let mut results = Vec::with_capacity(entries.len());
            for (entry, _) in entries {
                results.push(batch.add(entry)?);
            }
            Ok(results)
        })
    }

    /// One transaction on a ledger that is not behind what was acknowledged, and is still the
    /// file that others read.
    fn transact<R>(
        &mut self,
        sign: Sign,
        act: impl FnOnce(&mut Batch<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let known = self.tail.take();
        let mut batch = Batch::begin(&mut self.conn, known, self.instance.id())?;
        pass(&self.tap, Step::Began);
        if batch.count() < self.reached.count {
            let (from, to) = (self.reached.count, batch.count());
            return Err(StoreError::WentBack { from, to });
        }
        let result = act(&mut batch)?;
        pass(&self.tap, Step::Added);
        let signs = match sign {
            Sign::Now => true,
            Sign::WhenDue => self.beat.is_due(self.rhythm, batch.count()),
        };
        if signs {
            batch.add_checkpoint(&*self.signer)?;
            pass(&self.tap, Step::Signed);
        }
        let (reached, tail) = batch.commit()?;
        self.reached = reached;
        self.tail = Some(tail);
        pass(&self.tap, Step::Committed);
        self.beat.wrote(signs.then_some(self.reached.count));
        match self.files.changed() {
            Some(path) => Err(StoreError::Replaced(path.display().to_string())),
            None => Ok(result),
        }
    }

    /// What was committed is durable whether or not the mark can be set, and is
    /// acknowledged; but without its mark the ledger goes no further.
    fn set_mark(&mut self) {
        match self.mark.set(self.reached) {
            Ok(()) => pass(&self.tap, Step::Marked),
            Err(error) => {
                let reason = format!("the mark beside the ledger could not be set: {error}");
                self.seal(reason, true);
            }
        }
    }

    fn seal(&mut self, reason: String, may_recover: bool) {
        self.beat.tried_at = Instant::now();
        self.shared.seal(Seal {
            reason,
            may_recover,
        });
    }

    /// Their calls cannot be ended by anybody else, should their records be there after all.
    fn fail(&mut self, entries: Entries, error: &AppendError) {
        for (entry, waiter) in entries {
            match entry.call {
                Call::Decided(call_id, Verdict::Allow) | Call::Ended { call_id, .. } => {
                    self.lost.insert(call_id);
                }
                Call::None | Call::Decided(_, Verdict::Hold | Verdict::Deny) => {}
            }
            self.tell(|| waiter.failed(error.clone()));
        }
    }

    /// Gives an answer. It runs code of somebody else's, perhaps not even of the caller whose
    /// thread this is: a panic of it ends here, and the ledger is not written any more.
    fn tell(&self, answer: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(answer)).is_err() {
            self.shared.seal(Seal {
                reason: "an answer panicked, which it must not".to_owned(),
                may_recover: false,
            });
        }
    }

    fn erase(&mut self, wish: &Wish, done: Done<Wiped>) {
        if let Some(seal) = self.shared.sealed() {
            let reason = seal.reason;
            return self.tell(|| done.answer(Err(AppendError::Sealed { reason })));
        }
        let wiped = match self.transact(Sign::Now, |batch| erase::apply(batch, wish)) {
            Ok(Ok(written)) => {
                self.set_mark();
                pass(&self.tap, Step::Erased);
                Ok(erase::wipe(&self.conn, written.seq))
            }
            Ok(Err(refusal)) => Err(AppendError::Refused(refusal)),
            Err(error) => {
                let reason = error.to_string();
                self.seal(reason.clone(), recover::may_pass(&error));
                Err(AppendError::Failed { reason })
            }
        };
        self.tell(|| done.answer(wiped));
    }

    /// Says goodbye in the ledger and signs it, if it still takes anything.
    fn stop(&mut self) {
        if self.shared.sealed().is_some() {
            return;
        }
        let stop = prepare::encode(&Data::Stop(Stop {}), Vec::new(), Call::None);
        let Ok(entry) = stop else { return };
        match self.transact(Sign::Now, |batch| batch.add(&entry)) {
            Ok(_) => self.set_mark(),
            Err(error) => self.seal(error.to_string(), false),
        }
    }
}

/// Whether a transaction ends with a checkpoint.
#[derive(Debug, Clone, Copy)]
enum Sign {
    Now,
    WhenDue,
}

fn pass(tap: &Option<Tap>, step: Step) {
    if let Some(tap) = tap {
        tap(step);
    }
}

struct EndWhenDropped<'a>(&'a Queue);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct SealWhenPanicking<'a>(&'a Shared);

impl Drop for SealWhenPanicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.seal(Seal {
                reason: "the writer was stopped by a panic".to_owned(),
                may_recover: false,
            });
        }
    }
}
