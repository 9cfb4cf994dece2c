//! Cosignatures of witnesses: taken in when they are good, and kept with the checkpoint.
//!
//! A witness saw that the ledger only grew, and says so by signing its
//! checkpoint (<https://c2sp.org/tlog-cosignature>). What it hands back is the
//! checkpoint with one more line. Only lines of witnesses whose keys the
//! operator names are kept. The checkpoint's text must be the one that is
//! stored: nothing else of the ledger changes.

use std::path::Path;

use rusqlite::{OptionalExtension as _, TransactionBehavior};

use crate::checkpoint::Checkpoint;
use crate::note::{NoteError, PublicKey};
use crate::reader::{ReadError, Reader};
use crate::schema;
use crate::store::to_sql;

const NOTE: &str = "SELECT note FROM checkpoints WHERE size = ?1";
const KEEP: &str = "UPDATE checkpoints SET note = ?2 WHERE size = ?1";

/// Why a cosignature was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// The text is no checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such checkpoint.
    #[error("the ledger has no such checkpoint over {0} records; send one that it signed")]
    Unknown(u64),
    /// A witness that was named did not sign it.
    #[error("`{0}` has not cosigned it; name the witnesses that have")]
    NotCosigned(String),
    /// No room for another signature.
    #[error("the checkpoint has all the signatures that it can hold")]
    Full,
}

impl From<rusqlite::Error> for CosignError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Takes in the cosignatures of these witnesses and gives the size of their checkpoint.
///
/// # Errors
/// When one of them has not signed, or the checkpoint is not the ledger's. Nothing was written then.
pub fn cosign(path: &Path, text: &str, witnesses: &[PublicKey]) -> Result<u64, CosignError> {
    let given = Checkpoint::parse(text)?;
    let size = given.size();
    // Refuses what is no ledger of this version.
    drop(Reader::open(path)?);
    let mut conn = schema::open_write(path)?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stored: Option<String> = tx
        .query_row(NOTE, [to_sql(size)], |row| row.get(0))
        .optional()?;
    let stored = stored.as_deref().map(Checkpoint::parse).transpose()?;
    let same = stored.filter(|stored| stored.note().text() == given.note().text());
    let mut kept = same.ok_or(CosignError::Unknown(size))?;
    for witness in witnesses {
        let signature = given.note().signature_of(witness).cloned();
        let signature =
            signature.ok_or_else(|| CosignError::NotCosigned(witness.name().to_owned()))?;
        if !kept.note_mut().add(signature) {
            return Err(CosignError::Full);
        }
    }
    tx.execute(KEEP, (to_sql(size), kept.note().to_string()))?;
    tx.commit()?;
    Ok(size)
}
