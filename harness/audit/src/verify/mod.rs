//! Does the ledger hold? One pass over every record and every body.
//!
//! ```text
//!  rows ─┬─► decode, commit, hash (a thread for each core) ─┐
//!        │                                                  ▼
//!        └── in order: number, leaf, tree, nodes, mark, checkpoints, anchors,
//!            what the record means, its bodies ─► Verified, or the first Fault
//! ```
//!
//! Verification trusts nothing in the file: not the tables, not the head, not
//! the order of rows, not what SQLite says about its own pages. It trusts the
//! key that it is given. It never writes and never repairs.

mod bodies;
mod bundle;
mod calls;
mod export;
mod told;
mod walk;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use rusqlite::Connection;

use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::instance;
use crate::key::KeyPaths;
use crate::mark::{self, Mark, MarkError};
use crate::note::PublicKey;
use crate::reader::Reader;
use crate::tree::Hash;

pub use bundle::{Proved, Shown, verify_extension, verify_proof};
pub use export::{Held, verify_export};
pub use told::{Holds, judge};

/// Pages kept in memory, in SQLite's way of saying KiB.
const CACHE_KIB: i64 = -65_536;

/// A public key file is one line; what is cut is no key.
const MAX_KEY_BYTES: u64 = 1024;

/// What a verification goes by.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The ledger's public key. Without it, checkpoints are compared and their signatures are not.
    pub key: Option<PublicKey>,
    /// Witnesses, each of which must have cosigned a checkpoint.
    pub witnesses: Vec<PublicKey>,
    /// Checkpoints that were kept elsewhere: each must be a beginning of the ledger.
    pub anchors: Vec<Checkpoint>,
}

impl Trust {
    /// The public key that lies beside a ledger; none where there is none. It finds accidents;
    /// whoever can write the ledger can write it as well.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when something is there and is no key, or cannot be read: nothing is
    /// then verified as if it had never been signed.
    pub fn beside(ledger: &Path) -> Result<Self, Fault> {
        let path = KeyPaths::of(ledger).public;
        let wrong = |detail: &dyn std::fmt::Display| {
            let path = path.display();
            Fault::Unreadable(format!(
                "`{path}` is no public key: {detail}; put it back or give the key"
            ))
        };
        let mut text = String::new();
        let read =
            File::open(&path).and_then(|file| file.take(MAX_KEY_BYTES).read_to_string(&mut text));
        let key = match read {
            Ok(_) => Some(PublicKey::parse(&text).map_err(|error| wrong(&error))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(&error)),
        };
        Ok(Self {
            key,
            ..Self::default()
        })
    }
}

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records in the tree.
    pub records: u64,
    /// Bodies that are there, each as its record names it.
    pub bodies: u64,
    /// Bodies and fields that an erasure took out.
    pub erased: u64,
    /// The root of the tree over all records.
    pub root: Hash,
    /// Calls that were allowed and have no outcome yet; not a fault while their writer lives.
    pub open_calls: Vec<OpenCall>,
    /// The count that the mark beside the file vouches for; `None` without a mark.
    pub marked: Option<u64>,
    /// Records that the newest checkpoint covers, if there is one.
    pub checkpoint: Option<u64>,
    /// The key that signed every checkpoint; `None` when none was given.
    pub signed_by: Option<String>,
    /// Records that the newest cosigned checkpoint covers, for each witness that was named.
    pub witnessed: Vec<(String, u64)>,
    /// Records that the anchors vouch for.
    pub anchored: Option<u64>,
}

/// A call without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall {
    /// The number of its decision.
    pub seq: u64,
    /// The call.
    pub call_id: [u8; 16],
}

/// Verifies a ledger, also while it is written, by the key that lies beside it.
///
/// # Errors
/// The first [`Fault`]; [`Fault::Unreadable`] when there was nothing to judge.
pub fn verify(path: &Path) -> Result<Verified, Fault> {
    verify_with(path, &Trust::beside(path)?)
}

/// The same, by a key, witnesses and anchors of the caller's.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(path: &Path, trust: &Trust) -> Result<Verified, Fault> {
    // Before the database: a mark that is read later may be ahead of what we see.
    let mark = known_mark(path)?;
    let conn = Reader::open(path)?.into_connection();
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    // One snapshot for everything that follows.
    let snapshot = conn.unchecked_transaction()?;
    let verified = walk::walk(&snapshot, trust, mark)?;
    integrity(&snapshot)?;
    Ok(verified)
}

fn known_mark(path: &Path) -> Result<Option<Mark>, Fault> {
    mark::read(&instance::directory(path)).map_err(|error| match error {
        MarkError::Malformed => Fault::MarkMalformed,
        MarkError::Io(error) => Fault::Unreadable(error.to_string()),
    })
}

/// SQLite's own opinion: pages, indexes, types. Last, since it knows no record numbers.
fn integrity(conn: &Connection) -> Result<(), Fault> {
    let finding: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding == "ok" {
        return Ok(());
    }
    Err(Fault::Storage {
        record: None,
        detail: finding.replace('\n', " "),
    })
}
