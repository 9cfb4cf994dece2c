//! One transaction: read the head, chain records to it, write the head.
//!
//! The head is read inside the transaction (`BEGIN IMMEDIATE`), so writers of
//! several processes line up behind each other. Nothing is promised before
//! [`Batch::commit`] returns. Errors of SQLite are errors of the whole batch; a
//! [`Refusal`] concerns one entry, found before anything of it was written.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::encoding::{self, DecodeError, GENESIS, Place};
use crate::entry::{Refusal, Written};
use crate::mark::Mark;
use crate::prepare::{Body, Call, Prepared};
use crate::wire::{Id, Verdict};

const READ_HEAD: &str = "SELECT id, count, hash FROM head";
const WRITE_HEAD: &str = "UPDATE head SET count = ?1, hash = ?2 WHERE id = 1";
const ADD_HEAD: &str = "INSERT INTO head(id, count, hash) VALUES (1, 0, ?1)";
const ADD_RECORD: &str = "INSERT INTO records(seq, call_id, record, hash) VALUES (?1, ?2, ?3, ?4)";
const ADD_BODY: &str =
    "INSERT INTO bodies(digest, bytes) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING";
const HAS_BODY: &str = "SELECT 1 FROM bodies WHERE digest = ?1";
const HAS_CALL: &str = "SELECT 1 FROM records WHERE call_id = ?1 LIMIT 1";
const OPEN_CALL: &str = "INSERT INTO open_calls(seq, call_id, instance) VALUES (?1, ?2, ?3)";
const IS_OPEN: &str = "SELECT 1 FROM open_calls WHERE seq = ?1 AND call_id = ?2";
const CLOSE_CALL: &str = "DELETE FROM open_calls WHERE seq = ?1";
const LAST_RECORD: &str = "SELECT seq, record FROM records ORDER BY seq DESC LIMIT 1";
const HASH_AT: &str = "SELECT hash FROM records WHERE seq = ?1";
pub(crate) const OPEN_CALLS: &str = "SELECT seq, call_id, instance FROM open_calls ORDER BY seq";

/// Bodies above this are looked up before they are handed to SQLite, which
/// would copy them only to find that it has them.
const LOOK_FIRST_BYTES: usize = 64 * 1024;

/// Why a batch cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("record {seq} could not be framed: {source}")]
    Frame { seq: u64, source: DecodeError },
    #[error("the head row is missing or malformed; run lazaret-verify")]
    Head,
    #[error(
        "`{0}` was removed or replaced while the ledger was open; put it back or move it away, then open again"
    )]
    Replaced(String),
    #[error(
        "the ledger went back from {from} records to {to} while it was open; run lazaret-verify"
    )]
    WentBack { from: u64, to: u64 },
}

/// How the end of a ledger fails to fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("its head counts {head} records, its last record is {last}")]
    Count { head: u64, last: u64 },
    #[error("record {0} does not match its hash")]
    Hash(u64),
    #[error("it has {count} records, but once had {once}")]
    Behind { count: u64, once: u64 },
    #[error("record {0} is not the one that was acknowledged")]
    Forked(u64),
}

/// A call that was allowed and has no outcome yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenRow {
    pub(crate) seq: u64,
    pub(crate) call_id: [u8; 16],
    pub(crate) instance: [u8; 16],
}

/// A batch of records that stand or fall together.
pub(crate) struct Batch<'c> {
    tx: Transaction<'c>,
    head: Mark,
    instance: [u8; 16],
}

impl<'c> Batch<'c> {
    /// Starts a batch behind every other writer.
    pub(crate) fn begin(conn: &'c mut Connection, instance: [u8; 16]) -> Result<Self, StoreError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = read_head(&tx)?;
        Ok(Self { tx, head, instance })
    }

    /// How far the ledger is, this batch included.
    pub(crate) fn head(&self) -> Mark {
        self.head
    }

    /// Adds one record with its bodies, or refuses it before touching anything.
    pub(crate) fn add(&mut self, entry: &Prepared) -> Result<Result<Written, Refusal>, StoreError> {
        if let Some(refusal) = self.refusal(entry.call)? {
            return Ok(Err(refusal));
        }
        for body in &entry.bodies {
            self.add_body(body)?;
        }
        let written = self.add_record(entry)?;
        match entry.call {
            Call::None | Call::Decided(_, Verdict::Hold | Verdict::Deny) => {}
            Call::Decided(call_id, Verdict::Allow) => {
                let row = (to_sql(written.seq), call_id, self.instance);
                self.tx.prepare_cached(OPEN_CALL)?.execute(row)?;
            }
            Call::Ended { decision_seq, .. } => {
                self.tx
                    .prepare_cached(CLOSE_CALL)?
                    .execute([to_sql(decision_seq)])?;
            }
        }
        Ok(Ok(written))
    }

    /// Checks the last record, the head and the mark against each other.
    pub(crate) fn check_end(&self, known: Option<Mark>) -> Result<(), EndError> {
        let head = self.head;
        let last: Option<(i64, Vec<u8>)> =
            self.tx.query_row(LAST_RECORD, [], as_pair).optional()?;
        let (last, record) = last.map_or((0, None), |(seq, bytes)| (from_sql(seq), Some(bytes)));
        if last != head.count {
            let head = head.count;
            return Err(EndError::Count { head, last });
        }
        let hash = match record {
            None => GENESIS,
            Some(record) => {
                let before = hash_at(&self.tx, last.saturating_sub(1))?;
                encoding::chain(&before.unwrap_or(GENESIS), &record)
            }
        };
        if hash != head.hash || hash_at(&self.tx, last)? != Some(hash) {
            return Err(EndError::Hash(last));
        }
        self.check_mark(known)
    }

    fn check_mark(&self, known: Option<Mark>) -> Result<(), EndError> {
        let Some(once) = known else { return Ok(()) };
        let count = self.head.count;
        if once.count > count {
            let once = once.count;
            return Err(EndError::Behind { count, once });
        }
        match hash_at(&self.tx, once.count)? {
            Some(hash) if hash == once.hash => Ok(()),
            Some(_) | None => Err(EndError::Forked(once.count)),
        }
    }

    /// The calls that are open, oldest first.
    pub(crate) fn open_calls(&self) -> Result<Vec<OpenRow>, StoreError> {
        let mut statement = self.tx.prepare_cached(OPEN_CALLS)?;
        let rows = statement.query_map([], |row| {
            Ok(OpenRow {
                seq: from_sql(row.get(0)?),
                call_id: row.get(1)?,
                instance: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes the head and makes the batch durable.
    pub(crate) fn commit(self) -> Result<Mark, StoreError> {
        let row = (to_sql(self.head.count), self.head.hash);
        let changed = self.tx.prepare_cached(WRITE_HEAD)?.execute(row)?;
        if changed != 1 {
            return Err(StoreError::Head);
        }
        self.tx.commit()?;
        Ok(self.head)
    }

    fn refusal(&self, call: Call) -> Result<Option<Refusal>, StoreError> {
        Ok(match call {
            Call::None => None,
            Call::Decided(call_id, _) => {
                let decided = self.tx.prepare_cached(HAS_CALL)?.exists([call_id])?;
                decided.then_some(Refusal::Decided(Id(call_id)))
            }
            Call::Ended {
                call_id,
                decision_seq,
            } => {
                let row = (to_sql(decision_seq), call_id);
                let is_open = self.tx.prepare_cached(IS_OPEN)?.exists(row)?;
                let call_id = Id(call_id);
                (!is_open).then_some(Refusal::NotOpen {
                    call_id,
                    decision_seq,
                })
            }
        })
    }

    fn add_body(&self, body: &Body) -> Result<(), StoreError> {
        if body.bytes.len() > LOOK_FIRST_BYTES
            && self.tx.prepare_cached(HAS_BODY)?.exists([body.digest])?
        {
            return Ok(());
        }
        self.tx
            .prepare_cached(ADD_BODY)?
            .execute((body.digest, &body.bytes))?;
        Ok(())
    }

    fn add_record(&mut self, entry: &Prepared) -> Result<Written, StoreError> {
        let seq = self.head.count + 1;
        let place = Place {
            seq,
            time_us: now_us(),
            instance: self.instance,
        };
        let record = encoding::frame(place, entry.kind, &entry.data)
            .map_err(|source| StoreError::Frame { seq, source })?;
        let hash = encoding::chain(&self.head.hash, &record);
        let call_id = match entry.call {
            Call::None => None,
            Call::Decided(call_id, _) | Call::Ended { call_id, .. } => Some(call_id),
        };
        let row = (to_sql(seq), call_id, record, hash);
        self.tx.prepare_cached(ADD_RECORD)?.execute(row)?;
        self.head = Mark { count: seq, hash };
        Ok(Written { seq, hash })
    }
}

/// Writes the head of a ledger that has no record yet.
pub(crate) fn add_head(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(ADD_HEAD, [GENESIS]).map(drop)
}

/// The hash that record `seq` reached; that of record 0 is the genesis.
pub(crate) fn hash_at(conn: &Connection, seq: u64) -> rusqlite::Result<Option<[u8; 32]>> {
    if seq == 0 {
        return Ok(Some(GENESIS));
    }
    let mut statement = conn.prepare_cached(HASH_AT)?;
    statement
        .query_row([to_sql(seq)], |row| row.get(0))
        .optional()
}

fn as_pair(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Reads the head row, of which there is exactly one.
pub(crate) fn read_head(conn: &Connection) -> Result<Mark, StoreError> {
    let mut statement = conn.prepare_cached(READ_HEAD)?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StoreError::Head)?;
    let (id, count, hash): (i64, i64, Option<[u8; 32]>) =
        (row.get(0)?, row.get(1)?, row.get(2).ok());
    let is_alone = id == 1 && rows.next()?.is_none();
    match (u64::try_from(count), hash) {
        (Ok(count), Some(hash)) if is_alone => Ok(Mark { count, hash }),
        (Ok(_) | Err(_), _) => Err(StoreError::Head),
    }
}

/// A number of ours as SQLite keeps it. Counting to 2^63 takes longer than
/// disks last, and a number that does not fit names no record.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// A number of SQLite's; what is negative is no number of ours, and too large to be one.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn now_us() -> u64 {
    // A clock before 1970 is recorded as 0; records are ordered by number, not by time.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
