//! Counts what one door uses, and says when its budget is spent.
//!
//! Counting never goes back: what was counted stays used. Fails with a [`Refusal`] of the reason
//! `budget` that names the part which is spent.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::host::Host;
use crate::limits::Budget;
use crate::refusal::{Reason, Refusal};

/// The use of one door.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    requests: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    hosts: Mutex<HashSet<Host>>,
    connections: Arc<Semaphore>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the guest to a server.
    Out,
    /// From a server to the guest.
    In,
}

/// What was used of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Requests, refused ones included.
    pub requests: u64,
    /// Bytes from the guest to servers.
    pub sent_bytes: u64,
    /// Bytes from servers to the guest.
    pub received_bytes: u64,
    /// Distinct hosts.
    pub hosts: usize,
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        let connections = budget.connections.min(Semaphore::MAX_PERMITS);
        Self {
            budget,
            requests: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            hosts: Mutex::default(),
            connections: Arc::new(Semaphore::new(connections)),
        }
    }

    /// Counts a request. The number is the request's own, from 1.
    pub(crate) fn request(&self) -> (u64, Result<(), Refusal>) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let within = if number > self.budget.requests {
            Err(spent("requests", self.budget.requests))
        } else {
            Ok(())
        };
        (number, within)
    }

    /// Whether a refusal of this request is still recorded: the first beyond the budget is the
    /// last, so that nobody fills the ledger with refusals.
    pub(crate) fn is_recorded(&self, request: u64) -> bool {
        request <= self.budget.requests.saturating_add(1)
    }

    /// Counts a host that the policy allows.
    pub(crate) fn host(&self, host: &Host) -> Result<(), Refusal> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.contains(host) {
            return Ok(());
        }
        if hosts.len() >= self.budget.hosts {
            let most = u64::try_from(self.budget.hosts).unwrap_or(u64::MAX);
            return Err(spent("hosts", most));
        }
        hosts.insert(host.clone());
        Ok(())
    }

    /// Counts bytes, before they are handed on.
    pub(crate) fn bytes(&self, way: Way, count: usize) -> Result<(), Refusal> {
        let (counter, most, what) = match way {
            Way::Out => (&self.sent_bytes, self.budget.sent_bytes, "sent_bytes"),
            Way::In => (
                &self.received_bytes,
                self.budget.received_bytes,
                "received_bytes",
            ),
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let used = counter.fetch_add(count, Ordering::Relaxed);
        if used.saturating_add(count) > most {
            return Err(spent(what, most));
        }
        Ok(())
    }

    /// The right to one more connection, while it is held.
    pub(crate) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn used(&self) -> Used {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        Used {
            requests: self.requests.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
            hosts: hosts.len(),
        }
    }
}

pub(crate) fn spent(what: &str, most: u64) -> Refusal {
    Refusal::new(
        Reason::Budget,
        format!("the budget of {most} `{what}` is spent"),
    )
    .or(format!(
        "raise `{what}` in the budget of this session's egress"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_once() {
        let meter = Meter::new(Budget {
            requests: 2,
            sent_bytes: 10,
            received_bytes: 0,
            hosts: 1,
            connections: 1,
        });
        assert_eq!(meter.request(), (1, Ok(())));
        assert_eq!(meter.request(), (2, Ok(())));
        assert!(meter.request().1.is_err());
        assert!(meter.is_recorded(3));
        assert!(!meter.is_recorded(4));
        assert_eq!(meter.bytes(Way::Out, 10), Ok(()));
        assert!(meter.bytes(Way::Out, 1).is_err());
        assert!(meter.bytes(Way::In, 1).is_err());
        let host = |text: &str| text.parse::<Host>().unwrap();
        assert_eq!(meter.host(&host("a.example")), Ok(()));
        assert_eq!(meter.host(&host("a.example")), Ok(()));
        assert!(meter.host(&host("b.example")).is_err());
        let held = meter.connection();
        assert!(held.is_some());
        assert!(meter.connection().is_none());
        drop(held);
        assert!(meter.connection().is_some());
        assert_eq!(meter.used().requests, 3);
    }
}
