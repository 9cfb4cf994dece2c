//! The handle that callers hold.
//!
//! It hands entries to the one writer and gives back what the writer answers,
//! and lends it the caller's thread where the caller waits anyway
//! ([`crate::queue`]). It never answers for the writer: `Ok` comes from a
//! durable commit or not at all. Errors are [`AppendError`]s, and every append
//! gets exactly one.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use crate::entry::{
    AppendError, DecisionEntry, DecisionReceipt, NoteEntry, OutcomeEntry, OutcomeReceipt,
};
use crate::erase::{Wiped, Wish};
use crate::key::Signer;
use crate::open::{self, OpenError};
use crate::prepare::{self, Prepared};
use crate::queue::Message;
use crate::step::Tap;
use crate::writer::{self, Answer, Desk, Done, Rhythm, Shared, Waiter};

/// Decisions that may wait for the disk. At 20,000 records a second this is
/// a twentieth of a second; who comes later is told to try again. Outcomes are
/// never turned away: there is at most one for each decision.
pub const MAX_WAITING: usize = 1024;

/// An open ledger. Clones share one writer; the last one to go closes it.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a ledger is opened.
#[derive(Default)]
pub struct Settings {
    /// What signs its checkpoints; the key file beside the ledger when there is none.
    pub signer: Option<Box<dyn Signer>>,
    /// How often it speaks for itself.
    pub rhythm: Rhythm,
    /// What is told of each step of writing.
    pub tap: Option<Tap>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signer = self.signer.as_ref().map(|signer| signer.public());
        out.debug_struct("Settings")
            .field("signer", &signer)
            .field("rhythm", &self.rhythm)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens a ledger to write, and makes it and its key if there is none.
    ///
    /// Calls of writers that died are closed as [`crate::INTERRUPTED`].
    ///
    /// # Errors
    /// When the file or the key cannot be used, it is no ledger, or does not end as it should.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Settings::default())
    }

    /// The same, with settings.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(path: &Path, settings: Settings) -> Result<Self, OpenError> {
        let writer = open::writer(path, settings)?;
        let shared = Arc::clone(&writer.shared);
        shared.queue.rest(writer.patience());
        let desk = Arc::new(Mutex::new(Some(writer)));
        let thread = {
            let (desk, shared) = (Arc::clone(&desk), Arc::clone(&shared));
            thread::Builder::new()
                .name("ledger".to_owned())
                .spawn(move || writer::run(&desk, &shared))
                .map_err(|source| OpenError::io(path, source))?
        };
        Ok(Self(Arc::new(Inner {
            desk,
            shared,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Appends a decision. `done` is called exactly once: on the thread of whoever writes, after
    /// the commit, or at once if the entry cannot be taken. It must neither wait nor panic.
    pub fn append_decision(
        &self,
        entry: DecisionEntry,
        done: impl FnOnce(Result<DecisionReceipt, AppendError>) + Send + 'static,
    ) {
        self.take_decision(entry, Done::new(done), Who::Thread);
    }

    /// Appends an outcome; `done` as for [`Self::append_decision`].
    pub fn append_outcome(
        &self,
        entry: OutcomeEntry,
        done: impl FnOnce(Result<OutcomeReceipt, AppendError>) + Send + 'static,
    ) {
        self.take_outcome(entry, Done::new(done), Who::Thread);
    }

    /// Appends a decision and waits for the disk.
    ///
    /// # Errors
    /// When it is not durable; see [`AppendError`].
    pub fn decision(&self, entry: DecisionEntry) -> Result<DecisionReceipt, AppendError> {
        wait(|done| self.take_decision(entry, Done::new(done), Who::Caller))
    }

    /// Appends an outcome and waits for the disk.
    ///
    /// # Errors
    /// When it is not durable; see [`AppendError`].
    pub fn outcome(&self, entry: OutcomeEntry) -> Result<OutcomeReceipt, AppendError> {
        wait(|done| self.take_outcome(entry, Done::new(done), Who::Caller))
    }

    /// Appends a note, waits for the disk and gives the record's number.
    ///
    /// # Errors
    /// When it is not durable; see [`AppendError`].
    pub fn note(&self, entry: NoteEntry) -> Result<u64, AppendError> {
        let entry = prepare::note(entry)?;
        wait(|done| self.send(entry, Waiter::Note(Done::new(done)), Who::Caller))
    }

    /// Erases fields and bodies, says so in a record, and waits until the bytes are gone from
    /// the ledger's files.
    ///
    /// # Errors
    /// When there is nothing of that name, or the ledger cannot be written.
    pub fn erase(&self, wish: Wish) -> Result<Wiped, AppendError> {
        wait(|done| {
            // What is not taken is dropped, and says that the ledger is closed.
            self.hand_in(Message::Erase(wish, Done::new(done)), Who::Caller);
        })
    }

    /// Why nothing is written, while the ledger is sealed. It tries by itself, every second,
    /// whether the cause is gone.
    #[must_use]
    pub fn sealed(&self) -> Option<String> {
        self.0.shared.sealed().map(|seal| seal.reason)
    }

    /// Writes what waits and a `stop` record, and closes the file. Appends
    /// through other clones are answered with [`AppendError::Closed`] from here on.
    ///
    /// # Errors
    /// [`AppendError::Sealed`] when an append failed, now or before.
    pub fn close(self) -> Result<(), AppendError> {
        self.0.close();
        match self.sealed() {
            Some(reason) => Err(AppendError::Sealed { reason }),
            None => Ok(()),
        }
    }

    fn take_decision(&self, entry: DecisionEntry, done: Done<DecisionReceipt>, who: Who) {
        let waiting = self.0.shared.waiting.load(Ordering::Relaxed);
        if waiting >= MAX_WAITING {
            return done.answer(Err(AppendError::Busy { waiting }));
        }
        let call_id = entry.call_id;
        match prepare::decision(entry) {
            Err(refusal) => done.answer(Err(refusal.into())),
            Ok((entry, verdict)) => {
                self.send(entry, Waiter::Decision(done, call_id, verdict), who);
            }
        }
    }

    fn take_outcome(&self, entry: OutcomeEntry, done: Done<OutcomeReceipt>, who: Who) {
        let (call_id, decision_seq) = (entry.call_id, entry.decision_seq);
        match prepare::outcome(entry) {
            Err(refusal) => done.answer(Err(refusal.into())),
            Ok(entry) => self.send(entry, Waiter::Outcome(done, call_id, decision_seq), who),
        }
    }

    fn send(&self, entry: Prepared, waiter: Waiter, who: Who) {
        // An outcome goes to the writer all the same, which then knows that nobody will end its call.
        let is_outcome = matches!(waiter, Waiter::Outcome(..));
        if let Some(reason) = self.sealed().filter(|_| !is_outcome) {
            return waiter.failed(AppendError::Sealed { reason });
        }
        self.0.shared.waiting.fetch_add(1, Ordering::Relaxed);
        if !self.hand_in(Message::Append(Box::new(entry), waiter), who) {
            self.0.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether it was taken; what is not taken is dropped, and says that the ledger is closed.
    fn hand_in(&self, message: Message, who: Who) -> bool {
        let queue = &self.0.shared.queue;
        let free = match who {
            Who::Thread => Err(TryLockError::WouldBlock),
            Who::Caller => self.0.desk.try_lock(),
        };
        match free {
            Ok(mut desk) => {
                let is_taken = queue.push_quietly(message);
                if let Some(writer) = desk.as_mut().filter(|_| is_taken) {
                    writer.turn();
                }
                is_taken
            }
            // Who has it, or had it and died, leaves the queue to the thread.
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => queue.push(message),
        }
    }
}

/// On whose thread an entry may be written.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// On the ledger's own: the caller does not wait.
    Thread,
    /// On the caller's, if nobody else writes.
    Caller,
}

impl Inner {
    /// What waits is written, and nothing after it.
    fn close(&self) {
        self.shared.queue.close();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = thread.take() else { return };
        // The last handle may die inside an answer, on the writer's own thread.
        if thread.thread().id() != thread::current().id() {
            // A panic of the writer has sealed the ledger; `sealed` says so.
            drop(thread.join());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn wait<R: Send + 'static>(append: impl FnOnce(Answer<R>)) -> Result<R, AppendError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // The receiver waits below, so that sending cannot fail.
    append(Box::new(move |result| drop(sender.send(result))));
    receiver.recv().unwrap_or(Err(AppendError::Closed))
}
