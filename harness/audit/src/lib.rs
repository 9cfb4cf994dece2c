//! Remembers, never decides: the append-only ledger and its offline verifier.
//!
//! ```text
//!  caller ── DecisionEntry ─► encode, commit to ───┐                 ┌─► log: records (canonical JSON), bodies
//!  caller ── OutcomeEntry ──► each field           ├─► one writer ───┤   later: calls, nodes of the tree
//!  …                          (the caller's thread)┘   at a time,    ├─► checkpoints, signed by keys/NAME.key
//!                                                      one commit    └─► FILE.d/mark, FILE.d/instance-*.lock
//!  caller ◄── DecisionReceipt ◄── after the commit ◄── for many entries
//! ```
//!
//! A receipt is made in one place, after the commit that holds its record is
//! durable; it cannot be copied, stored or read back. Whoever holds one knows
//! that the record is on the disk. Records are the leaves of a Merkle tree
//! whose head is signed ([`Checkpoint`]); a field or a body can be erased and
//! every proof still holds.
//!
//! It never judges a call, never repairs, and never goes on after an append
//! failed: the ledger is then *sealed* until the cause is gone, and what was
//! acknowledged before stays. What the ledger shows and what it cannot show is
//! written in `docs/LEDGER.md`.

mod anchor;
mod bundle;
mod checkpoint;
mod clock;
mod commit;
mod cosign;
mod encoding;
mod entry;
mod erase;
mod export;
mod fault;
mod instance;
mod key;
mod ledger;
mod mark;
mod note;
mod open;
mod otlp;
mod place;
mod prepare;
mod queue;
mod reader;
mod recover;
mod schema;
mod search;
mod siem;
mod skim;
mod step;
mod store;
mod tail;
mod tree;
mod verify;
mod wire;
mod writer;

pub use anchor::{Anchor, AnchorError};
pub use bundle::{MAX_PROOF_BYTES, ProofError};
pub use checkpoint::Checkpoint;
pub use commit::{Salt, commitment, field_salt, fields};
pub use cosign::{CosignError, cosign};
pub use encoding::RECORD_VERSION;
pub use entry::{
    AppendError, DecisionEntry, DecisionReceipt, FileEntry, INTERRUPTED, MAX_BODY_BYTES, MAX_FILES,
    MAX_JSON_DEPTH, MAX_RECORD_BYTES, NoteEntry, OutcomeEntry, OutcomeReceipt, Refusal,
};
pub use erase::{Retention, Target, Wiped, Wish};
pub use export::{Bodies, ExportError, Exported, export_jsonl, export_tiles};
pub use fault::Fault;
pub use key::{KeyError, KeyFile, KeyPaths, Signer};
pub use ledger::{Ledger, MAX_WAITING, Settings};
pub use note::{
    MAX_NOTE_BYTES, MAX_SIGNATURES, Note as SignedNote, NoteError, PublicKey, Signature,
};
pub use open::OpenError;
pub use otlp::otlp;
pub use reader::{MAX_TAIL, ReadError, Reader, Record};
pub use search::{Page, Query};
pub use siem::{cef, ocsf};
pub use step::{STEPS, Step, Tap};
pub use tree::{EMPTY_ROOT, Hash, MAX_PROOF_HASHES, extends, includes, leaf_hash, node_hash};
pub use verify::{
    Held, Holds, OpenCall, Proved, Shown, Trust, Verified, judge, verify, verify_export,
    verify_extension, verify_proof, verify_with,
};
pub use wire::{
    BodyRef, Data, Decision, Digest, Erased, Erasure, Field, FileRef, Id, Json, Kind, Named, Note,
    Outcome, Repeat, Start, Stop, StreamRef, Verdict,
};
pub use writer::Rhythm;
