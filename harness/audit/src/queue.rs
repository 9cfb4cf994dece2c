//! What waits for the writer, and who works it off.
//!
//! ```text
//!  callers that wait ──► is the writer free? ── yes ─► one turn on the caller's own thread
//!  (`Ledger::decision`)           │ no
//!  callers that do not ─► queue ──┴─► the ledger's thread, one turn after the other
//! ```
//!
//! Handing an entry to another thread and waiting for it costs two changes of
//! threads, on a busy machine as long as the disk takes. So who waits anyway
//! does the work, if nobody else is at it. Whoever has the writer takes all
//! that is there: entries that come at once share a commit either way.
//!
//! Nothing is left lying: what was pushed is seen by the thread, because it
//! only sleeps while the queue is empty, or is dropped when the ledger ends,
//! which answers it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::erase::{Wiped, Wish};
use crate::prepare::Prepared;
use crate::writer::{Done, Waiter};

/// Entries in one commit. More would not make a commit cheaper for each, only later.
const MAX_GROUP: usize = 256;

/// Bytes in one commit, so that a few large outcomes do not hold many small decisions up.
const MAX_GROUP_BYTES: usize = 32 * 1024 * 1024;

/// What the handles send.
pub(crate) enum Message {
    Append(Box<Prepared>, Waiter),
    Erase(Wish, Done<Wiped>),
}

pub(crate) type Entries = Vec<(Box<Prepared>, Waiter)>;

/// What was taken for one commit, and what follows it.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) entries: Entries,
    pub(crate) erase: Option<(Wish, Done<Wiped>)>,
}

/// Why the thread woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something waits.
    Work,
    /// Nobody came for as long as the writer has patience.
    Silence,
    /// Nobody will come any more.
    Close,
}

/// What waits.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    messages: VecDeque<Message>,
    stage: Stage,
    /// When the writer has something to do by itself.
    due: Option<Instant>,
    is_asleep: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// Takes nothing; what is there is still written.
    Closing,
    /// Nobody writes any more.
    Ended,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.lock().messages.len();
        write!(out, "Queue({waiting})")
    }
}

impl Queue {
    /// For the ledger's thread. What cannot be taken is dropped, which answers it.
    pub(crate) fn push(&self, message: Message) -> bool {
        let mut inner = self.lock();
        let is_taken = inner.stage == Stage::Open;
        if is_taken {
            inner.messages.push_back(message);
            self.wake(&inner);
        }
        is_taken
    }

    /// For whoever has the writer, who takes it at once.
    pub(crate) fn push_quietly(&self, message: Message) -> bool {
        let mut inner = self.lock();
        let is_taken = inner.stage == Stage::Open;
        if is_taken {
            inner.messages.push_back(message);
        }
        is_taken
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        if inner.stage == Stage::Open {
            inner.stage = Stage::Closing;
        }
        self.wake(&inner);
    }

    /// Nobody takes anything out any more.
    pub(crate) fn end(&self) {
        let left = {
            let mut inner = self.lock();
            inner.stage = Stage::Ended;
            std::mem::take(&mut inner.messages)
        };
        // Answers run without the lock.
        drop(left);
    }

    /// Sleeps until there is something to do.
    pub(crate) fn wait(&self) -> Wake {
        let mut inner = self.lock();
        loop {
            if !inner.messages.is_empty() {
                return Wake::Work;
            }
            if inner.stage != Stage::Open {
                return Wake::Close;
            }
            let now = Instant::now();
            let patience = inner.due.map(|due| due.saturating_duration_since(now));
            if patience == Some(Duration::ZERO) {
                return Wake::Silence;
            }
            inner.is_asleep = true;
            inner = match patience {
                None => self
                    .changed
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.changed.wait_timeout(inner, patience);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inner.is_asleep = false;
        }
    }

    /// After a turn: when the writer next has something to do by itself. Whoever leaves work
    /// behind, or makes that earlier, wakes the thread.
    pub(crate) fn rest(&self, patience: Duration) {
        // Longer than the clock counts is never.
        let due = Instant::now().checked_add(patience);
        let mut inner = self.lock();
        let is_earlier = match (due, inner.due) {
            (Some(due), Some(before)) => due < before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        inner.due = due;
        if is_earlier || !inner.messages.is_empty() {
            self.wake(&inner);
        }
    }

    /// What is there, as much of it as one commit takes.
    pub(crate) fn group(&self) -> Group {
        let mut inner = self.lock();
        let mut group = Group::default();
        let mut weight = 0;
        while group.entries.len() < MAX_GROUP && weight < MAX_GROUP_BYTES {
            match inner.messages.pop_front() {
                None => break,
                Some(Message::Append(entry, waiter)) => {
                    weight += entry.weight();
                    group.entries.push((entry, waiter));
                }
                Some(Message::Erase(wish, done)) => {
                    group.erase = Some((wish, done));
                    break;
                }
            }
        }
        group
    }

    fn wake(&self, inner: &Inner) {
        if inner.is_asleep {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
