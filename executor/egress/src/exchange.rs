//! One request from its admission to its end: what it used, and the record of it.
//!
//! Shared by both bodies or both directions of a relay. When the last of them is gone, the record
//! of the end is written. Never holds a byte of what is sent.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::meter::{Meter, Way};
use crate::record::{EgressRecord, Recorder};
use crate::refusal::Refusal;

/// An admitted request.
pub(crate) struct Exchange {
    record: Mutex<EgressRecord>,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    meter: Arc<Meter>,
    recorder: Recorder,
}

impl Exchange {
    /// After its record is durable.
    pub(crate) fn new(record: EgressRecord, meter: Arc<Meter>, recorder: Recorder) -> Arc<Self> {
        Arc::new(Self {
            record: Mutex::new(record),
            sent_bytes: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            meter,
            recorder,
        })
    }

    /// Counts bytes that are about to be handed on. Beyond the budget the exchange is cut off.
    pub(crate) fn count(&self, way: Way, bytes: usize) -> io::Result<()> {
        let counter = match way {
            Way::Out => &self.sent_bytes,
            Way::In => &self.received_bytes,
        };
        self.meter
            .bytes(way, bytes)
            .map_err(|refusal| self.cut(&refusal))?;
        counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// Notes why it was cut off; the first reason stays.
    pub(crate) fn cut(&self, refusal: &Refusal) -> io::Error {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.reason.is_none() {
            record.because(refusal);
        }
        io::Error::other(refusal.detail.clone())
    }

    /// The bytes that have gone out so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Notes the status of the server's answer.
    pub(crate) fn answered(&self, status: u16) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.status = Some(status);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let record = self
            .record
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let mut record = record.clone().ended();
        record.unanswered();
        record.sent_bytes = *self.sent_bytes.get_mut();
        record.received_bytes = *self.received_bytes.get_mut();
        self.recorder.later(record);
    }
}
