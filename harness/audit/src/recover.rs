//! Out of the seal: is what made an append fail gone?
//!
//! A full disk, an unplugged one, one that was mounted read-only: such causes
//! pass, and the writer tries by itself. It opens the file anew, looks at the
//! end of the ledger as at a start, ends the calls whose records a failing
//! disk did not take, and says in a record what had happened and for how long.
//! Only when that record is durable is the ledger open again. What points at a
//! file that is not the one we wrote (replaced, shorter, damaged) never
//! recovers: somebody has to look.

use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use serde_json::json;

use crate::entry::NoteEntry;
use crate::prepare;
use crate::schema::{self, Format};
use crate::store::{Batch, EndError, StoreError};
use crate::writer::{Seal, Writer};

/// How often a sealed ledger looks whether the cause is gone.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Whether the cause of a failure can go away by itself.
pub(crate) fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
            )
        ),
        StoreError::Key(_) | StoreError::Mark(_) => true,
        StoreError::Frame { .. }
        | StoreError::Settled
        | StoreError::Short { .. }
        | StoreError::Record(_)
        | StoreError::Tree
        | StoreError::Replaced(_)
        | StoreError::WentBack { .. } => false,
    }
}

/// Tries once, if it is time. The seal stays when anything of it fails.
pub(crate) fn attempt(writer: &mut Writer, seal: &Seal) {
    if !seal.may_recover || writer.beat.tried_at.elapsed() < RETRY {
        return;
    }
    writer.beat.tried_at = Instant::now();
    match reopen(writer, seal) {
        Ok(()) => writer.shared.unseal(),
        Err(error) if may_end(&error) => {}
        Err(error) => writer.shared.seal(Seal {
            reason: format!("{}; then: {error}", seal.reason),
            may_recover: false,
        }),
    }
}

fn may_end(error: &EndError) -> bool {
    match error {
        EndError::Store(error) => may_pass(error),
        EndError::Edge
        | EndError::Behind { .. }
        | EndError::Forked(_)
        | EndError::Checkpoint
        | EndError::OtherKey { .. } => false,
    }
}

fn reopen(writer: &mut Writer, seal: &Seal) -> Result<(), EndError> {
    if let Some(path) = writer.files.changed() {
        let path = path.display().to_string();
        return Err(StoreError::Replaced(path).into());
    }
    // Another connection before the old one goes, so that the old one is not the last: it must
    // not tidy up on a disk that fails.
    let mut conn = schema::open_write(&writer.path)?;
    match schema::format(&conn)? {
        Format::Ours => {}
        Format::Empty | Format::Earlier | Format::Later(_) | Format::Foreign => {
            return Err(StoreError::Settled.into());
        }
    }
    let mut batch = Batch::begin(&mut conn, None, writer.instance.id())?;
    batch.check_end(Some(writer.reached), &*writer.signer)?;
    for open in batch.open_calls() {
        if writer.lost.contains(&open.call_id) {
            let detail = format!("its outcome could not be recorded: {}", seal.reason);
            add(
                &mut batch,
                prepare::interrupted(open.call_id, open.seq, Some(detail)),
            )?;
        }
    }
    let sealed_ms = u64::try_from(writer.beat.written_at.elapsed().as_millis());
    add(
        &mut batch,
        prepare::note(NoteEntry {
            topic: "recovered".to_owned(),
            detail: json!({ "reason": seal.reason, "since_last_record_ms": sealed_ms.unwrap_or(u64::MAX) }),
        }),
    )?;
    let (reached, tail) = batch.commit()?;
    writer.mark.set(reached).map_err(StoreError::Mark)?;
    writer.reached = reached;
    writer.tail = Some(tail);
    writer.beat.written_at = Instant::now();
    writer.lost.clear();
    writer.conn = conn;
    Ok(())
}

fn add(
    batch: &mut Batch<'_>,
    entry: Result<prepare::Prepared, crate::entry::Refusal>,
) -> Result<(), StoreError> {
    // Both are ours and keep the rules; what is refused all the same leaves the seal in place.
    let entry = entry.map_err(|_| StoreError::Settled)?;
    batch
        .add(&entry)?
        .map(drop)
        .map_err(|_| StoreError::Settled)
}
