//! The one way out of a container: judges each request, and never relays what was not judged.
//!
//! ```text
//!  container                     host
//!  ─────────                     ────────────────────────────────────────────────────────────
//!  program ─► helper ─► socket ─► Gate ─► judge ─► names ─► reach ─► record ─► server
//!                                 strict   policy   once,    private  durable
//!                                 parsing           pinned   only by
//!                                                            name
//! ```
//!
//! A container has no network interface. Its [`Door`] is a Unix socket that speaks HTTP as a proxy
//! does; what is asked there is parsed strictly, judged by the policy in force request by request,
//! resolved by us once, held against the addresses that nobody may reach unasked, recorded before
//! its first byte goes out, counted against a [`Budget`], and given the [`Secrets`] that belong to
//! the host. TLS is let through when its server name is the host that was allowed, or looked into
//! by an [`Authority`] of the installation where that is asked for.
//!
//! Deny by default: whatever is not allowed, not understood, or not recorded does not go out, and
//! the guest reads why in a [`Refusal`]. Nothing is redirected, cached or retried on the guest's
//! behalf. Opening a door fails with [`DoorError`].

mod body;
mod chunks;
mod door;
mod exchange;
mod forward;
mod gate;
mod head;
mod hello;
mod host;
mod judge;
mod limits;
mod meter;
mod names;
mod record;
mod refusal;
mod relay;
mod scrub;
mod secrets;
mod serve;
mod stream;
mod target;
mod tls;
mod tunnel;
mod upstream;

pub use door::{Door, DoorError, SOCKET, Settings};
pub use host::{Authority as Place, Host, NotAHost};
pub use judge::{
    Answer, Caller, Counts, Judge, PolicyJudge, Protocol, Question, RuledBy, Rules, Ruling, Scheme,
};
pub use limits::{Budget, Limits, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES};
pub use meter::Used;
pub use names::{NameServers, NoNameServers};
pub use record::{EgressRecord, Event, NotRecorded, Recording, Sink};
pub use refusal::{Reason, Refusal};
pub use secrets::{SecretError, SecretRule, SecretValue, Secrets};
pub use tls::{Authority, TlsError, Trust};
