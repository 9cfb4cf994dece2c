//! Remembers, never decides: the append-only ledger and its offline verifier.
//!
//! ```text
//!  caller ── DecisionEntry ─► encode, hash bodies ─┐                 ┌─► records  (canonical JSON, chained)
//!  caller ── OutcomeEntry ──► (the caller's thread)├─► one writer ───┤   bodies   (bytes by SHA-256)
//!  …                                               ┘   thread, one   │   head     (count, last hash)
//!                                                      commit for    └─► open_calls
//!  caller ◄── DecisionReceipt ◄── after the commit ◄── many entries      FILE.d/mark, FILE.d/instance-*.lock
//! ```
//!
//! A receipt is made in one place, after the commit that holds its record is
//! durable; it cannot be copied, stored or read back. Whoever holds one knows
//! that the record is on the disk.
//!
//! It never judges a call, never repairs, never deletes, and never goes on
//! after an append failed: the ledger is then *sealed* until it is opened
//! again, and what was acknowledged before stays. What the ledger shows and
//! what it cannot show is written in `docs/LEDGER.md`.

mod encoding;
mod entry;
mod fault;
mod instance;
mod ledger;
mod mark;
mod open;
mod place;
mod prepare;
mod reader;
mod schema;
mod store;
mod verify;
mod wire;
mod writer;

pub use encoding::{GENESIS, RECORD_VERSION};
pub use entry::{
    AppendError, DecisionEntry, DecisionReceipt, FileEntry, INTERRUPTED, MAX_BODY_BYTES, MAX_FILES,
    MAX_JSON_DEPTH, MAX_RECORD_BYTES, NoteEntry, OutcomeEntry, OutcomeReceipt, Refusal,
};
pub use fault::Fault;
pub use ledger::{Ledger, MAX_WAITING};
pub use open::OpenError;
pub use reader::{MAX_TAIL, ReadError, Reader, Record};
pub use verify::{OpenCall, Verified, verify};
pub use wire::{
    BodyRef, Data, Decision, Digest, FileRef, Id, Json, Kind, Note, Outcome, Start, Stop,
    StreamRef, Verdict,
};
