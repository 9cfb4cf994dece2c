//! What callers hand in, and what they get back.
//!
//! An entry is plain data; bodies are moved in and never copied on the way.
//! A receipt has private fields, no `Clone` and no way to be read back: the
//! only constructor runs after a durable commit. An entry that breaks a rule is
//! *refused* (nothing was written, the ledger works on); an append that the
//! disk did not take *fails*, and seals the ledger.

use serde_json::Value;

use crate::wire::{Id, Repeat, Verdict};

/// The ending of a call whose writer died before its outcome was recorded.
/// Also of one whose outcome a failing disk did not take. Only the ledger itself writes it.
pub const INTERRUPTED: &str = "interrupted";

/// A record larger than this is refused. A record holds names, reasons and
/// digests; 256 files with long paths stay below 128 KiB.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// A body larger than this is refused: twice what the largest profile lets
/// a guest write, and far below SQLite's own limit of 1 GB for a value.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Files in one outcome. The profiles allow 256; this bounds a faulty caller.
pub const MAX_FILES: usize = 4096;

/// Nesting of free-form JSON in a record. The reader's own limit is 128; what
/// is written must be readable with room for the frame around it.
pub const MAX_JSON_DEPTH: usize = 32;

/// A decision, before its call may run.
#[derive(Debug, Clone)]
pub struct DecisionEntry {
    /// The call; each call is decided once.
    pub call_id: [u8; 16],
    /// Who asked.
    pub principal: String,
    /// The session it belongs to.
    pub session: Option<String>,
    /// The tool that was called.
    pub tool: String,
    /// Its arguments as canonical JSON; kept as a body.
    pub arguments: Vec<u8>,
    /// `allow`, `hold` or `deny`.
    pub verdict: String,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// Why, in the policy's words.
    pub reason: String,
    /// SHA-256 of the policy that decided.
    pub policy_digest: [u8; 32],
    /// Which policy of the daemon's life it was, from 1.
    pub policy_generation: u64,
    /// The profile it runs in, when it runs.
    pub profile: Option<String>,
    /// The runtime it runs on, when it runs.
    pub runtime: Option<String>,
    /// The limits in force; no floats, at most [`MAX_JSON_DEPTH`] deep.
    pub limits: Value,
}

/// An outcome, before the answer leaves.
#[derive(Debug, Clone)]
pub struct OutcomeEntry {
    /// The call.
    pub call_id: [u8; 16],
    /// The number of the decision that allowed it ([`DecisionReceipt::seq`]).
    pub decision_seq: u64,
    /// How it ended; anything but [`INTERRUPTED`].
    pub ending: String,
    /// What the engine, the kernel or the launch said of an ending that is not the guest's own.
    pub detail: Option<String>,
    /// The guest's exit code, if it got that far.
    pub exit_code: Option<i32>,
    /// Standard output, as much as was kept.
    pub stdout: Vec<u8>,
    /// Standard error, as much as was kept.
    pub stderr: Vec<u8>,
    /// The files that were collected.
    pub files: Vec<FileEntry>,
    /// Whether the guest wrote more to standard output than was kept.
    pub truncated_stdout: bool,
    /// Whether the guest wrote more to standard error than was kept.
    pub truncated_stderr: bool,
    /// What it used; no floats.
    pub usage: Value,
    /// What was in force while it ran; no floats.
    pub receipt: Value,
    /// What makes the call repeatable, where it is.
    pub repeat: Option<Repeat>,
}

/// One collected file.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Path as the guest named it.
    pub path: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Something else worth remembering: a policy that was loaded, a seal that was lifted.
#[derive(Debug, Clone)]
pub struct NoteEntry {
    /// A short name to search by.
    pub topic: String,
    /// What is noted; no floats.
    pub detail: Value,
}

/// Proof that a decision is on the disk.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a decision is recorded so that its receipt can admit the call"]
pub struct DecisionReceipt {
    seq: u64,
    call_id: [u8; 16],
    record_hash: [u8; 32],
    verdict: Verdict,
}

/// Proof that an outcome is on the disk.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an outcome is recorded so that its receipt can let the answer leave"]
pub struct OutcomeReceipt {
    seq: u64,
    call_id: [u8; 16],
    record_hash: [u8; 32],
    decision_seq: u64,
}

impl DecisionReceipt {
    pub(crate) fn new(written: Written, call_id: [u8; 16], verdict: Verdict) -> Self {
        Self {
            seq: written.seq,
            call_id,
            record_hash: written.leaf,
            verdict,
        }
    }

    /// The record's number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The call that was decided.
    #[must_use]
    pub fn call_id(&self) -> [u8; 16] {
        self.call_id
    }

    /// The hash of its leaf in the tree.
    #[must_use]
    pub fn record_hash(&self) -> [u8; 32] {
        self.record_hash
    }

    /// What was recorded. A denied call has a receipt too, which admits nothing.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl OutcomeReceipt {
    pub(crate) fn new(written: Written, call_id: [u8; 16], decision_seq: u64) -> Self {
        Self {
            seq: written.seq,
            call_id,
            record_hash: written.leaf,
            decision_seq,
        }
    }

    /// The record's number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The call that ended.
    #[must_use]
    pub fn call_id(&self) -> [u8; 16] {
        self.call_id
    }

    /// The hash of its leaf in the tree.
    #[must_use]
    pub fn record_hash(&self) -> [u8; 32] {
        self.record_hash
    }

    /// The number of the decision that allowed the call.
    #[must_use]
    pub fn decision_seq(&self) -> u64 {
        self.decision_seq
    }
}

/// Where a record went: not yet a promise, since its commit may still fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) seq: u64,
    pub(crate) leaf: [u8; 32],
}

/// Why an append came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An earlier append failed; nothing is written until the cause is gone.
    #[error("the ledger is sealed since an append failed ({reason}); remove the cause")]
    Sealed {
        /// What failed.
        reason: String,
    },
    /// This append failed, and sealed the ledger. Its record may or may not be there afterwards.
    #[error("the append failed and the ledger is now sealed: {reason}")]
    Failed {
        /// What failed.
        reason: String,
    },
    /// The ledger was closed before the entry was known to be on the disk.
    #[error("the ledger is closed; open it again")]
    Closed,
    /// Too many decisions wait for the disk; the ledger works on.
    #[error("{waiting} entries wait for the disk; try again")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The entry breaks a rule; nothing was written and the ledger works on.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Which rule an entry breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The verdict is none of the three.
    #[error("`{0}` is not a verdict; give allow, hold or deny")]
    Verdict(String),
    /// The ending is empty, not in lower case, or the ledger's own.
    #[error("`{0}` is not an ending; give a word in lower case other than {INTERRUPTED}")]
    Ending(String),
    /// A value holds a float.
    #[error("`{field}` holds a float; give an integer in a smaller unit")]
    Float {
        /// Which field of the entry.
        field: &'static str,
    },
    /// A value is nested too deeply.
    #[error("`{field}` is nested more than {MAX_JSON_DEPTH} deep; flatten it")]
    Depth {
        /// Which field of the entry.
        field: &'static str,
    },
    /// A body is too large.
    #[error("`{field}` has {bytes} bytes, over the {MAX_BODY_BYTES} of a body; keep less of it")]
    Body {
        /// Which field of the entry.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// Too many files.
    #[error("{0} files, over the {MAX_FILES} of an outcome; collect fewer")]
    Files(usize),
    /// The record as a whole is too large.
    #[error("the record has {0} bytes, over {MAX_RECORD_BYTES}; shorten its names and reasons")]
    Record(usize),
    /// The call was decided before.
    #[error("call `{0}` is decided already; give each call its own id")]
    Decided(Id),
    /// No randomness for a salt.
    #[error("the kernel gives no random bytes: {0}")]
    Random(String),
    /// There is no such record, or it has nothing of this name that can be erased.
    #[error("record {record} has no `{name}` that could be erased; {choice}")]
    NotErasable {
        /// Its number.
        record: u64,
        /// What was named.
        name: String,
        /// What could be named.
        choice: String,
    },
    /// No allowed call of this id and decision is open.
    #[error(
        "call `{call_id}` is not open under decision {decision_seq}; record an outcome once, for an allowed call"
    )]
    NotOpen {
        /// The call.
        call_id: Id,
        /// The decision that was named.
        decision_seq: u64,
    },
}
