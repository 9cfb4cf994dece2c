//! How much the proxy takes, holds and waits for, each with its reason.
//!
//! [`Limits`] bound one message or one wait and protect the daemon; a [`Budget`] bounds what all
//! messages of one door use together and is the operator's. Cannot fail.

use std::time::Duration;

use serde::Deserialize;

/// The bytes of a request line with its headers. Twice what common servers take, because
/// cookies and tokens grow; more is no request.
pub const MAX_HEAD_BYTES: usize = 32 << 10;

/// Headers of one message. Browsers send about twenty.
pub const MAX_HEADERS: usize = 100;

/// The bytes of a request's target: what common servers take, twice over.
pub const MAX_TARGET_BYTES: usize = 16 << 10;

/// The bytes that a TLS client says before the server answers. A hello with a post-quantum key
/// has about two thousand.
pub(crate) const MAX_HELLO_BYTES: usize = 16 << 10;

/// Addresses of one name that are looked at, and the most that are tried.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// What one direction of a relay holds before it waits for the reader.
pub(crate) const RELAY_BYTES: usize = 16 << 10;

/// Certificates for inspected hosts that are kept. One takes about a kilobyte.
pub(crate) const MAX_CERTIFICATES: usize = 256;

/// Waits and sizes of single messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a head to its last; a slow sender is a way to hold connections.
    pub head: Duration,
    /// Without a byte in either direction, in a body, in a tunnel, between two requests.
    pub idle: Duration,
    /// From the opening of a connection to its end, whatever it does.
    pub total: Duration,
    /// To look up a name.
    pub lookup: Duration,
    /// To connect to one address, TLS included.
    pub connect: Duration,
    /// Until a server begins to answer.
    pub answer: Duration,
    /// The bytes of one request's body.
    pub body_bytes: u64,
    /// How long an address stays that of its name. Then the name is looked up and checked anew.
    pub pin: Duration,
}

impl Default for Limits {
    /// For package installs and calls of web APIs.
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(3_600),
            lookup: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            body_bytes: 1 << 30,
            pin: Duration::from_secs(3_600),
        }
    }
}

/// What one door may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Requests, refused ones included, so that refusals cannot fill the ledger.
    pub requests: u64,
    /// Bytes from the guest to servers.
    pub sent_bytes: u64,
    /// Bytes from servers to the guest.
    pub received_bytes: u64,
    /// Distinct hosts, each of which is looked up and remembered.
    pub hosts: usize,
    /// Connections of the guest at once.
    pub connections: usize,
}

impl Default for Budget {
    /// What installing the packages of a project of common size takes, with room.
    fn default() -> Self {
        Self {
            requests: 10_000,
            sent_bytes: 256 << 20,
            received_bytes: 2 << 30,
            hosts: 64,
            connections: 64,
        }
    }
}
