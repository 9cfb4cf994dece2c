//! What can be wrong with a ledger, each with the record it is first seen at.

use crate::reader::ReadError;
use crate::wire::Id;

/// The first fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing was judged: the file is not there or cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The file is no ledger (any more).
    #[error("not a ledger: {0}")]
    Foreign(String),
    /// The tables are those of an earlier format.
    #[error("a ledger of an earlier format; use the program that wrote it")]
    Earlier,
    /// The tables are those of a later version.
    #[error("a ledger of version {0}; use the program that wrote it")]
    Later(i64),
    /// SQLite finds its own structures damaged.
    #[error("{}the database is damaged: {detail}", prefix(.record))]
    Storage {
        /// The record that was to be read, if one was.
        record: Option<u64>,
        /// SQLite's words.
        detail: String,
    },
    /// A record is gone.
    #[error("record {record}: missing")]
    Missing {
        /// Its number.
        record: u64,
    },
    /// A record was added.
    #[error("record {record}: added, there is no such number")]
    Added {
        /// Its number.
        record: u64,
    },
    /// A record stands in another's place.
    #[error("record {record}: moved, it says it is record {says}")]
    Moved {
        /// The place.
        record: u64,
        /// The number it carries.
        says: u64,
    },
    /// A record or its leaf was changed.
    #[error("record {record}: altered, it does not match its leaf")]
    Altered {
        /// Its number.
        record: u64,
    },
    /// A record is not one that a ledger writes.
    #[error("record {record}: {detail}")]
    NotCanonical {
        /// Its number.
        record: u64,
        /// What is wrong.
        detail: String,
    },
    /// A record is filed under a call that is not its own, or not at all.
    #[error("record {record}: not filed under its call")]
    Call {
        /// Its number.
        record: u64,
    },
    /// A body that a record names is gone, and no erasure says so.
    #[error("record {record}: its body `{name}` is missing, and no erasure says so")]
    BodyMissing {
        /// The record.
        record: u64,
        /// The body.
        name: String,
    },
    /// A body is not what the record says.
    #[error("record {record}: its body `{name}` was altered")]
    BodyAltered {
        /// The record.
        record: u64,
        /// The body.
        name: String,
    },
    /// A body that was erased is there.
    #[error("record {record}: its body `{name}` was erased, and is there again")]
    BodyReturned {
        /// The record.
        record: u64,
        /// The body.
        name: String,
    },
    /// A body that no record names.
    #[error("record {record}: a body in place {place} was added, the record does not name it")]
    BodyUnnamed {
        /// The record that it lies under.
        record: u64,
        /// Its place there.
        place: u64,
    },
    /// A field of a record is gone, and no erasure says so.
    #[error("record {record}: its field `{name}` is missing, and no erasure says so")]
    FieldMissing {
        /// The record.
        record: u64,
        /// The field.
        name: String,
    },
    /// The list of erasures is not what the records say.
    #[error("the list of erasures does not agree with the records")]
    Erasures,
    /// A stored hash of the tree is not the tree's.
    #[error("record {record}: a stored hash of the tree up to it does not match")]
    Tree {
        /// The last record under it.
        record: u64,
    },
    /// A checkpoint does not fit its records, or is not signed.
    #[error("record {record}: the checkpoint up to it does not hold: {detail}")]
    Checkpoint {
        /// The last record under it.
        record: u64,
        /// What is wrong.
        detail: String,
    },
    /// A witness that was named has cosigned nothing.
    #[error("no checkpoint is cosigned by `{name}`")]
    NoWitness {
        /// The witness.
        name: String,
    },
    /// The ledger is not a continuation of what an anchor vouches for.
    #[error("record {record}: not the one that the anchor vouches for; the ledger was rewritten")]
    NotAsAnchored {
        /// The last record under the anchor.
        record: u64,
    },
    /// A proof does not hold.
    #[error("the proof does not hold: {0}")]
    Proof(String),
    /// An export does not hold.
    #[error("{}the export does not hold: {detail}", prefix(.record))]
    Export {
        /// The record, if it is one's.
        record: Option<u64>,
        /// What is wrong.
        detail: String,
    },
    /// An outcome of a call that was not allowed.
    #[error("record {record}: an outcome, but record {decision} did not allow its call")]
    NoDecision {
        /// The outcome.
        record: u64,
        /// The decision it names.
        decision: u64,
    },
    /// A second outcome of one decision.
    #[error("record {record}: a second outcome for decision {decision}")]
    SecondOutcome {
        /// The outcome.
        record: u64,
        /// The decision.
        decision: u64,
    },
    /// A second decision of one call.
    #[error("record {record}: call `{call_id}` was decided before")]
    SecondDecision {
        /// The decision.
        record: u64,
        /// The call.
        call_id: Id,
    },
    /// The list of open calls is not what the records say.
    #[error("record {record}: the list of open calls does not agree with the records")]
    OpenCalls {
        /// The first decision where they differ.
        record: u64,
    },
    /// The settled state is gone, doubled or does not match.
    #[error("the settled state does not match the records")]
    Settled,
    /// The ledger is shorter than it once was.
    #[error("record {record}: missing, the ledger once had {once} records")]
    Behind {
        /// The first that is gone.
        record: u64,
        /// How many there were.
        once: u64,
    },
    /// The ledger is not the one that was acknowledged.
    #[error("record {record}: not the one that the mark beside the ledger names")]
    NotAsMarked {
        /// Its number.
        record: u64,
    },
    /// The mark beside the ledger is damaged.
    #[error("the mark beside the ledger is malformed")]
    MarkMalformed,
}

impl Fault {
    /// The record it is seen at, if it is a record's.
    #[must_use]
    pub fn record(&self) -> Option<u64> {
        match self {
            Self::Storage { record, .. } | Self::Export { record, .. } => *record,
            Self::Missing { record }
            | Self::Added { record }
            | Self::Moved { record, .. }
            | Self::Altered { record }
            | Self::NotCanonical { record, .. }
            | Self::Call { record }
            | Self::BodyMissing { record, .. }
            | Self::BodyAltered { record, .. }
            | Self::BodyReturned { record, .. }
            | Self::BodyUnnamed { record, .. }
            | Self::FieldMissing { record, .. }
            | Self::Tree { record }
            | Self::Checkpoint { record, .. }
            | Self::NotAsAnchored { record }
            | Self::NoDecision { record, .. }
            | Self::SecondOutcome { record, .. }
            | Self::SecondDecision { record, .. }
            | Self::OpenCalls { record }
            | Self::Behind { record, .. }
            | Self::NotAsMarked { record } => Some(*record),
            Self::Unreadable(_)
            | Self::Foreign(_)
            | Self::Earlier
            | Self::Later(_)
            | Self::Erasures
            | Self::NoWitness { .. }
            | Self::Proof(_)
            | Self::Settled
            | Self::MarkMalformed => None,
        }
    }

    /// Whether the ledger was judged at all.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    /// An error of SQLite while this record was read.
    pub(crate) fn at(record: u64, error: rusqlite::Error) -> Self {
        match Self::from(error) {
            Self::Storage { detail, .. } => Self::Storage {
                record: Some(record),
                detail,
            },
            other => other,
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing(_) | ReadError::NotAFile(_) | ReadError::Unreadable(_) => {
                Self::Unreadable(error.to_string())
            }
            ReadError::Foreign(detail) => Self::Foreign(detail),
            ReadError::Earlier => Self::Earlier,
            ReadError::Later(found) => Self::Later(found),
            ReadError::Damaged(detail) => Self::Storage {
                record: None,
                detail,
            },
            ReadError::Record { record, detail } => Self::NotCanonical { record, detail },
            ReadError::Body => Self::Storage {
                record: None,
                detail: error.to_string(),
            },
            ReadError::Unsigned(_) | ReadError::NoField { .. } => Self::Proof(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        ReadError::from(error).into()
    }
}

fn prefix(record: &Option<u64>) -> String {
    record.map_or_else(String::new, |record| format!("record {record}: "))
}
