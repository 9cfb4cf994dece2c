//! One transaction: read the head, append records to the tree, write the head.
//!
//! The head is read inside the transaction (`BEGIN IMMEDIATE`), so writers of
//! several processes line up behind each other. Nothing is promised before
//! [`Batch::commit`] returns. Errors of SQLite are errors of the whole batch; a
//! [`Refusal`] concerns one entry, found before anything of it was written.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::checkpoint::Checkpoint;
use crate::encoding::{self, DecodeError, Place};
use crate::entry::{Refusal, Written};
use crate::key::{KeyError, Signer};
use crate::mark::Mark;
use crate::prepare::{Body, Call, Prepared};
use crate::tree::{self, Frontier, Hash, Hashes, Node};
use crate::wire::{Id, Kind, Verdict};

const READ_HEAD: &str = "SELECT id, count, edge FROM head";
const WRITE_HEAD: &str = "UPDATE head SET count = ?1, edge = ?2 WHERE id = 1";
const ADD_HEAD: &str = "INSERT INTO head(id, count, edge) VALUES (1, 0, x'')";
const ADD_RECORD: &str = "INSERT INTO records(seq, call_id, leaf, record) VALUES (?1, ?2, ?3, ?4)";
const ADD_BODY: &str = "INSERT INTO bodies(id, bytes) VALUES (?1, ?2)";
const ADD_NODE: &str = "INSERT INTO nodes(level, n, hash) VALUES (?1, ?2, ?3)";
const ADD_ERASURE: &str = "INSERT INTO erasures(seq) VALUES (?1)";
const ADD_CHECKPOINT: &str = "INSERT INTO checkpoints(size, note) VALUES (?1, ?2)";
const LAST_CHECKPOINT: &str = "SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1";
const HAS_CALL: &str = "SELECT 1 FROM records WHERE call_id = ?1 LIMIT 1";
const OPEN_CALL: &str = "INSERT INTO open_calls(seq, call_id, instance) VALUES (?1, ?2, ?3)";
const IS_OPEN: &str = "SELECT 1 FROM open_calls WHERE seq = ?1 AND call_id = ?2";
const CLOSE_CALL: &str = "DELETE FROM open_calls WHERE seq = ?1";
const LAST_RECORD: &str = "SELECT seq, record, leaf FROM records ORDER BY seq DESC LIMIT 1";
const LEAVES: &str = "SELECT leaf FROM records WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
const NODES: &str = "SELECT hash FROM nodes WHERE level = ?3 AND n >= ?1 AND n < ?2 ORDER BY n";
pub(crate) const OPEN_CALLS: &str = "SELECT seq, call_id, instance FROM open_calls ORDER BY seq";

/// Bodies of one record, at most: files and two streams stay below it.
pub(crate) const SLOTS: u64 = 8192;

const _: () = assert!(crate::entry::MAX_FILES + 2 <= SLOTS as usize);

/// Why a batch cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("record {seq} could not be framed: {source}")]
    Frame { seq: u64, source: DecodeError },
    #[error("the head row is missing or malformed; run lazaret-verify")]
    Head,
    #[error("a hash of the tree is missing; run lazaret-verify")]
    Tree,
    #[error(
        "`{0}` was removed or replaced while the ledger was open; put it back or move it away, then open again"
    )]
    Replaced(String),
    #[error(
        "the ledger went back from {from} records to {to} while it was open; run lazaret-verify"
    )]
    WentBack { from: u64, to: u64 },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the mark beside the ledger could not be set: {0}")]
    Mark(std::io::Error),
}

/// How the end of a ledger fails to fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its head counts {head} records, its last record is {last}")]
    Count { head: u64, last: u64 },
    #[error("record {0} does not match its leaf")]
    Leaf(u64),
    #[error("its tree does not lead to its head")]
    Edge,
    #[error("it has {count} records, but once had {once}")]
    Behind { count: u64, once: u64 },
    #[error("record {0} is not the one that was acknowledged")]
    Forked(u64),
    #[error("its last checkpoint is damaged")]
    Checkpoint,
    #[error(
        "its checkpoints are signed by `{signed}`, and the key beside it is `{ours}`; put its own key back"
    )]
    OtherKey { signed: String, ours: String },
}

impl From<rusqlite::Error> for EndError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
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
    frontier: Frontier,
    instance: [u8; 16],
}

impl<'c> Batch<'c> {
    /// Starts a batch behind every other writer.
    pub(crate) fn begin(conn: &'c mut Connection, instance: [u8; 16]) -> Result<Self, StoreError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let frontier = read_head(&tx)?;
        Ok(Self {
            tx,
            frontier,
            instance,
        })
    }

    /// How many records there are, those of this batch included.
    pub(crate) fn count(&self) -> u64 {
        self.frontier.count()
    }

    /// The database, inside of this batch.
    pub(crate) fn conn(&self) -> &Connection {
        &self.tx
    }

    /// Adds one record with its bodies, or refuses it before touching anything.
    pub(crate) fn add(&mut self, entry: &Prepared) -> Result<Result<Written, Refusal>, StoreError> {
        if let Some(refusal) = self.refusal(entry.call)? {
            return Ok(Err(refusal));
        }
        let written = self.add_record(entry)?;
        for body in &entry.bodies {
            self.add_body(written.seq, body)?;
        }
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
        if entry.sealed.kind == Kind::Erasure {
            let seq = to_sql(written.seq);
            self.tx.prepare_cached(ADD_ERASURE)?.execute([seq])?;
        }
        Ok(Ok(written))
    }

    /// Signs the head, unless it is signed already.
    pub(crate) fn add_checkpoint(&self, signer: &dyn Signer) -> Result<(), StoreError> {
        let size = self.frontier.count();
        let last = last_checkpoint(&self.tx)?;
        if last.is_some_and(|last| last.size() == size) {
            return Ok(());
        }
        let checkpoint = Checkpoint::issue(signer, size, self.frontier.root())?;
        let row = (to_sql(size), checkpoint.note().to_string());
        self.tx.prepare_cached(ADD_CHECKPOINT)?.execute(row)?;
        Ok(())
    }

    /// Checks the last record, the tree, the head, the last checkpoint and the mark against each
    /// other.
    pub(crate) fn check_end(
        &self,
        known: Option<Mark>,
        signer: &dyn Signer,
    ) -> Result<(), EndError> {
        let count = self.frontier.count();
        let last: Option<(i64, Vec<u8>, Hash)> =
            self.tx.query_row(LAST_RECORD, [], as_three).optional()?;
        let number = last.as_ref().map_or(0, |(seq, ..)| from_sql(*seq));
        if number != count {
            let (head, last) = (count, number);
            return Err(EndError::Count { head, last });
        }
        if let Some((_, record, leaf)) = last {
            let decoded = encoding::decode(&record).map_err(|_| EndError::Leaf(number))?;
            if decoded.leaf() != leaf {
                return Err(EndError::Leaf(number));
            }
        }
        let stored = Stored(&self.tx);
        if tree::frontier(&stored, count).map_err(|_| EndError::Edge)? != self.frontier {
            return Err(EndError::Edge);
        }
        self.check_checkpoint(signer)?;
        self.check_mark(known)
    }

    fn check_checkpoint(&self, signer: &dyn Signer) -> Result<(), EndError> {
        let Some(last) = last_checkpoint(&self.tx)? else {
            return Ok(());
        };
        if !last.is_signed_by(signer.public()) {
            return Err(EndError::OtherKey {
                signed: last.origin().to_owned(),
                ours: signer.public().name().to_owned(),
            });
        }
        let fits = last.size() <= self.count()
            && tree::root(&Stored(&self.tx), last.size())? == last.root();
        match fits {
            true => Ok(()),
            false => Err(EndError::Checkpoint),
        }
    }

    fn check_mark(&self, known: Option<Mark>) -> Result<(), EndError> {
        let Some(once) = known else { return Ok(()) };
        let count = self.frontier.count();
        if once.count > count {
            let once = once.count;
            return Err(EndError::Behind { count, once });
        }
        match tree::root(&Stored(&self.tx), once.count)? == once.root {
            true => Ok(()),
            false => Err(EndError::Forked(once.count)),
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
        let row = (to_sql(self.frontier.count()), self.frontier.to_bytes());
        let changed = self.tx.prepare_cached(WRITE_HEAD)?.execute(row)?;
        if changed != 1 {
            return Err(StoreError::Head);
        }
        self.tx.commit()?;
        Ok(Mark::of(&self.frontier))
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

    fn add_body(&self, seq: u64, body: &Body) -> Result<(), StoreError> {
        let row = (body_id(seq, body.slot), &body.bytes);
        self.tx.prepare_cached(ADD_BODY)?.execute(row)?;
        Ok(())
    }

    fn add_record(&mut self, entry: &Prepared) -> Result<Written, StoreError> {
        let seq = self.frontier.count() + 1;
        let place = Place {
            seq,
            time_us: now_us(),
            instance: self.instance,
        };
        let framed = entry.sealed.frame(place);
        let (record, leaf) = framed.map_err(|source| StoreError::Frame { seq, source })?;
        let call_id = match entry.call {
            Call::None => None,
            Call::Decided(call_id, _) | Call::Ended { call_id, .. } => Some(call_id),
        };
        let row = (to_sql(seq), call_id, leaf, record);
        self.tx.prepare_cached(ADD_RECORD)?.execute(row)?;
        let mut nodes = Vec::new();
        self.frontier.append(leaf, |node| nodes.push(node));
        for Node { level, n, hash } in nodes {
            let row = (level, to_sql(n), hash);
            self.tx.prepare_cached(ADD_NODE)?.execute(row)?;
        }
        Ok(Written { seq, leaf })
    }
}

/// The tree as the tables keep it.
pub(crate) struct Stored<'c>(pub(crate) &'c Connection);

impl Hashes for Stored<'_> {
    type Error = StoreError;

    fn range(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let (from, to) = (to_sql(first), to_sql(first + count));
        let hashes: Vec<Hash> = if level == 0 {
            let mut statement = self.0.prepare_cached(LEAVES)?;
            let rows = statement.query_map((from, to), |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()?
        } else {
            let mut statement = self.0.prepare_cached(NODES)?;
            let rows = statement.query_map((from, to, level), |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        match hashes.len() as u64 == count {
            true => Ok(hashes),
            false => Err(StoreError::Tree),
        }
    }
}

/// Where a body lies: by its record, then by its place in it.
pub(crate) fn body_id(seq: u64, slot: u64) -> i64 {
    to_sql(seq.saturating_mul(SLOTS).saturating_add(slot))
}

/// Writes the head of a ledger that has no record yet.
pub(crate) fn add_head(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(ADD_HEAD, []).map(drop)
}

/// The newest checkpoint.
pub(crate) fn last_checkpoint(conn: &Connection) -> Result<Option<Checkpoint>, StoreError> {
    let mut statement = conn.prepare_cached(LAST_CHECKPOINT)?;
    let note: Option<String> = statement.query_row([], |row| row.get(0)).optional()?;
    let parsed = note.map(|note| Checkpoint::parse(&note)).transpose();
    parsed.map_err(|_| StoreError::Tree)
}

fn as_three(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Vec<u8>, Hash)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Reads the head row, of which there is exactly one.
pub(crate) fn read_head(conn: &Connection) -> Result<Frontier, StoreError> {
    let mut statement = conn.prepare_cached(READ_HEAD)?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StoreError::Head)?;
    let (id, count, edge): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let count = u64::try_from(count).map_err(|_| StoreError::Head)?;
    let frontier = Frontier::from_parts(count, &edge).filter(|_| id == 1);
    match rows.next()? {
        None => frontier.ok_or(StoreError::Head),
        Some(_) => Err(StoreError::Head),
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

pub(crate) fn now_us() -> u64 {
    // A clock before 1970 is recorded as 0; records are ordered by number, not by time.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
