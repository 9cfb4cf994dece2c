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
    at: Mutex<Option<Instant>>,
    changed: Condvar,
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
        self.0.set(Instant::now().checked_add(wall));
        Armed(&self.0)
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Shared {
    fn set(&self, at: Option<Instant>) {
        *self.lock() = at;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, engine: &Engine) {
        let mut at = self.lock();
        loop {
            let now = Instant::now();
            at = match *at {
                None => self
                    .changed
                    .wait(at)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(moment) if moment > now => {
                    let rest = moment.saturating_duration_since(now);
                    self.changed
                        .wait_timeout(at, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                Some(_) => {
                    engine.increment_epoch();
                    *at = None;
                    at
                }
            };
        }
    }
}
