//! The one thread that writes: it takes what waits and commits it together.
//!
//! Whoever hands in an entry gets its answer exactly once, in every case: after
//! the commit, after a refusal, after a failure, or when the writer ends. After
//! the first failure nothing is written any more; everything that waits, and
//! everything that comes, is answered with the reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

use crate::entry::{AppendError, DecisionReceipt, OutcomeReceipt, Refusal, Written};
use crate::instance::Instance;
use crate::mark::{Mark, MarkFile};
use crate::place::Files;
use crate::prepare::{self, Call, Prepared};
use crate::store::{Batch, StoreError};
use crate::wire::{Data, Stop, Verdict};

/// Entries in one commit. More would not make a commit cheaper for each, only later.
const MAX_GROUP: usize = 256;

/// Bytes in one commit, so that a few large outcomes do not hold many small decisions up.
const MAX_GROUP_BYTES: usize = 32 * 1024 * 1024;

/// What the handles and the writer share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Why the ledger is sealed, once it is.
    pub(crate) sealed: OnceLock<String>,
    /// Entries that were handed in and not yet answered.
    pub(crate) waiting: AtomicUsize,
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

/// What the handles send.
pub(crate) enum Message {
    Append(Box<Prepared>, Waiter),
    Close,
}

/// The thread's state.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) files: Files,
    pub(crate) instance: Instance,
    pub(crate) mark: MarkFile,
    pub(crate) reached: Mark,
    pub(crate) shared: Arc<Shared>,
}

/// Entries for one commit, and whether the ledger is to be closed after it.
struct Group {
    entries: Vec<(Box<Prepared>, Waiter)>,
    last: bool,
}

impl Writer {
    /// Works until the ledger is closed or its last handle is gone.
    pub(crate) fn run(mut self, inbox: &Receiver<Message>) {
        // Should a caller's answer panic, later callers must not wait for us.
        let _guard = SealWhenPanicking(Arc::clone(&self.shared));
        while let Some(group) = gather(inbox) {
            let last = group.last;
            self.settle(group.entries);
            if last {
                break;
            }
        }
        self.stop();
    }

    fn settle(&mut self, entries: Vec<(Box<Prepared>, Waiter)>) {
        let count = entries.len();
        if let Some(reason) = self.shared.sealed.get() {
            let reason = reason.clone();
            fail(entries, &AppendError::Sealed { reason });
        } else if !entries.is_empty() {
            self.write(entries);
        }
        self.shared.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    fn write(&mut self, entries: Vec<(Box<Prepared>, Waiter)>) {
        match self.commit(&entries) {
            Ok(results) => {
                self.set_mark();
                for ((_, waiter), result) in entries.into_iter().zip(results) {
                    match result {
                        Ok(written) => waiter.durable(written),
                        Err(refusal) => waiter.failed(AppendError::Refused(refusal)),
                    }
                }
            }
            Err(error) => {
                let reason = error.to_string();
                self.seal(reason.clone());
                fail(entries, &AppendError::Failed { reason });
            }
        }
    }

    fn commit(
        &mut self,
        entries: &[(Box<Prepared>, Waiter)],
    ) -> Result<Vec<Result<Written, Refusal>>, StoreError> {
        let mut batch = Batch::begin(&mut self.conn, self.instance.id())?;
        if batch.head().count < self.reached.count {
            let (from, to) = (self.reached.count, batch.head().count);
            return Err(StoreError::WentBack { from, to });
        }
        let mut results = Vec::with_capacity(entries.len());
        for (entry, _) in entries {
            results.push(batch.add(entry)?);
        }
        self.reached = batch.commit()?;
        match self.files.changed() {
            Some(path) => Err(StoreError::Replaced(path.display().to_string())),
            None => Ok(results),
        }
    }

    /// What was committed is durable whether or not the mark can be set, and is
    /// acknowledged; but without its mark the ledger goes no further.
    fn set_mark(&self) {
        if let Err(error) = self.mark.set(self.reached) {
            self.seal(format!(
                "the mark beside the ledger could not be set: {error}"
            ));
        }
    }

    fn seal(&self, reason: String) {
        // The first reason stays.
        drop(self.shared.sealed.set(reason));
    }

    /// Says goodbye in the ledger, if it still takes anything.
    fn stop(&mut self) {
        if self.shared.sealed.get().is_some() {
            return;
        }
        let stop = prepare::encode(&Data::Stop(Stop {}), Vec::new(), Call::None);
        if let Ok(entry) = stop {
            let done = Done::new(|_: Result<u64, AppendError>| ());
            self.write(vec![(Box::new(entry), Waiter::Note(done))]);
        }
    }
}

/// Waits for one entry and takes what else is there.
fn gather(inbox: &Receiver<Message>) -> Option<Group> {
    let mut group = Group {
        entries: Vec::new(),
        last: false,
    };
    let mut next = inbox.recv().ok();
    let mut weight = 0;
    while let Some(message) = next {
        match message {
            Message::Append(entry, waiter) => {
                weight += entry.weight();
                group.entries.push((entry, waiter));
            }
            Message::Close => group.last = true,
        }
        if group.last || group.entries.len() >= MAX_GROUP || weight >= MAX_GROUP_BYTES {
            return Some(group);
        }
        // Gone for good is seen again at the next wait.
        next = inbox.try_recv().ok();
    }
    (!group.entries.is_empty()).then_some(group)
}

fn fail(entries: Vec<(Box<Prepared>, Waiter)>, error: &AppendError) {
    for (_, waiter) in entries {
        waiter.failed(error.clone());
    }
}

struct SealWhenPanicking(Arc<Shared>);

impl Drop for SealWhenPanicking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "the writer was stopped by a panic in an answer".to_owned();
            drop(self.0.sealed.set(reason));
        }
    }
}
