//! The clock that stops a guest which never comes back: one thread that sleeps
//! until the armed moment and then moves the engine's epoch.
//!
//! It is started before the process is sealed, because afterwards no thread can
//! be made. It wakes only for a deadline, never periodically.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jail::{JailError, Restricted};
use wasmtime::Engine;

/// Arms and disarms the thread.
pub(crate) struct Deadline(Arc<Shared>);

#[derive(Default)]
struct Shared {
    watch: Mutex<Watch>,
    changed: Condvar,
}

/// What is armed, and what the thread waits for.
#[derive(Default)]
struct Watch {
    at: Option<Instant>,
    /// When the thread wakes by itself; none while it waits to be woken.
    wakes: Option<Instant>,
}

/// While this lives the deadline is armed.
pub(crate) struct Armed<'a>(&'a Shared);

impl Deadline {
    /// Start the thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(crate) fn start(restricted: &Restricted, engine: Engine) -> Result<Self, JailError> {
        let shared = Arc::new(Shared::default());
        let clock = Arc::clone(&shared);
        restricted.start_thread("deadline", move || clock.watch(&engine))?;
        Ok(Self(shared))
    }

    /// Move the epoch after `wall` unless the returned value is dropped before.
    pub(crate) fn arm(&self, wall: Duration) -> Armed<'_> {
        self.0.arm(Instant::now().checked_add(wall));
        Armed(&self.0)
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        // The thread is left to sleep: it finds nothing to do when it wakes.
        self.0.lock().at = None;
    }
}

impl Shared {
    /// The thread is woken only when it would wake too late: not for every call.
    fn arm(&self, at: Option<Instant>) {
        let mut watch = self.lock();
        watch.at = at;
        if watch.wakes.is_none() || watch.wakes > at {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, engine: &Engine) {
        let mut watch = self.lock();
        loop {
            let now = Instant::now();
            if watch.at.is_some_and(|at| at <= now) {
                engine.increment_epoch();
                watch.at = None;
            }
            watch.wakes = watch.at;
            watch = match watch.at {
                None => self
                    .changed
                    .wait(watch)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let rest = at.saturating_duration_since(now);
                    self.changed
                        .wait_timeout(watch, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}
