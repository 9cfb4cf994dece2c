//! One transaction: see the end of the log, append records, commit.
//!
//! The end is looked at inside the transaction (`BEGIN IMMEDIATE`), so writers
//! of several processes line up behind each other, and one that finds another's
//! records reads them before it goes on ([`crate::tail`]). Nothing is promised
//! before [`Batch::commit`] returns. Errors of SQLite are errors of the whole
//! batch; a [`Refusal`] concerns one entry, found before anything of it was
//! written.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::checkpoint::Checkpoint;
use crate::encoding::{DecodeError, Place};
use crate::entry::{Refusal, Written};
use crate::key::{KeyError, Signer};
use crate::mark::Mark;
use crate::prepare::{Body, Call, Prepared};
use crate::tail::{self, Tail};
use crate::tree::{self, Hash, Hashes, TILE_HEIGHT};
use crate::wire::{Id, Kind};

const ADD_RECORD: &str = "INSERT INTO log(id, call_id, leaf, bytes) VALUES (?1, ?2, ?3, ?4)";
const ADD_BODY: &str = "INSERT INTO log(id, bytes) VALUES (?1, ?2)";
const ADD_ERASURE: &str = "INSERT INTO erasures(seq) VALUES (?1)";
const ADD_CHECKPOINT: &str = "INSERT INTO checkpoints(size, note) VALUES (?1, ?2)";
const LAST_CHECKPOINT: &str = "SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1";
const LEAVES: &str =
    "SELECT leaf FROM log WHERE id >= ?1 AND id < ?2 AND leaf IS NOT NULL ORDER BY id";
const NODES: &str = "SELECT n, hash FROM nodes WHERE level = ?3 AND n >= ?1 AND n < ?2 ORDER BY n";

/// Rows of one record, at most: itself, two streams and its files stay below it.
pub(crate) const SLOTS: u64 = 8192;

const _: () = assert!(crate::entry::MAX_FILES + 3 <= SLOTS as usize);

/// Why a batch cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("record {seq} could not be framed: {source}")]
    Frame { seq: u64, source: DecodeError },
    #[error("the settled state is missing or malformed; run lazaret-verify")]
    Settled,
    #[error("record {settled}, to which the tables go, is missing; run lazaret-verify")]
    Short { settled: u64 },
    #[error("record {0} is missing or does not match its leaf; run lazaret-verify")]
    Record(u64),
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
    #[error("its tree does not lead to its end")]
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
    tail: Tail,
    instance: [u8; 16],
}

impl<'c> Batch<'c> {
    /// Starts a batch behind every other writer. What was known of the end is read again if it is
    /// not true any more.
    pub(crate) fn begin(
        conn: &'c mut Connection,
        known: Option<Tail>,
        instance: [u8; 16],
    ) -> Result<Self, StoreError> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tail = Tail::read(&tx, known)?;
        Ok(Self { tx, tail, instance })
    }

    /// How many records there are, those of this batch included.
    pub(crate) fn count(&self) -> u64 {
        self.tail.count()
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
        if entry.sealed.kind == Kind::Erasure {
            let seq = to_sql(written.seq);
            self.tx.prepare_cached(ADD_ERASURE)?.execute([seq])?;
        }
        Ok(Ok(written))
    }

    /// Lets the tables follow and signs the tree, unless it is signed already.
    pub(crate) fn add_checkpoint(&mut self, signer: &dyn Signer) -> Result<(), StoreError> {
        self.tail.settle(&self.tx)?;
        let size = self.count();
        let last = last_checkpoint(&self.tx)?;
        if last.is_some_and(|last| last.size() == size) {
            return Ok(());
        }
        let checkpoint = Checkpoint::issue(signer, size, self.tail.frontier().root())?;
        let row = (to_sql(size), checkpoint.note().to_string());
        self.tx.prepare_cached(ADD_CHECKPOINT)?.execute(row)?;
        Ok(())
    }

    /// Checks the tree, the last checkpoint and the mark against the records. The records at the
    /// end were checked when they were read.
    pub(crate) fn check_end(
        &self,
        known: Option<Mark>,
        signer: &dyn Signer,
    ) -> Result<(), EndError> {
        let stored = Stored(&self.tx);
        let frontier = tree::frontier(&stored, self.count()).map_err(|_| EndError::Edge)?;
        if frontier != *self.tail.frontier() {
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
        let count = self.count();
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
    pub(crate) fn open_calls(&self) -> Vec<OpenRow> {
        self.tail.open_calls().copied().collect()
    }

    /// Makes the batch durable, and gives what is known of the end then.
    pub(crate) fn commit(self) -> Result<(Mark, Tail), StoreError> {
        let Self { tx, mut tail, .. } = self;
        if tail.is_long() {
            tail.settle(&tx)?;
        }
        tx.commit()?;
        Ok((Mark::of(tail.frontier()), tail))
    }

    fn refusal(&self, call: Call) -> Result<Option<Refusal>, StoreError> {
        Ok(match call {
            Call::None => None,
            Call::Decided(call_id, _) => {
                let decided = self.tail.is_decided(&self.tx, &call_id)?;
                decided.then_some(Refusal::Decided(Id(call_id)))
            }
            Call::Ended {
                call_id,
                decision_seq,
            } => {
                let is_open = self.tail.is_open(decision_seq, &call_id);
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
        let seq = self.count() + 1;
        let place = Place {
            seq,
            time_us: now_us(),
            instance: self.instance,
        };
        let framed = entry.sealed.frame(place);
        let (record, leaf) = framed.map_err(|source| StoreError::Frame { seq, source })?;
        let row = (record_id(seq), entry.call.id(), leaf, record);
        self.tx.prepare_cached(ADD_RECORD)?.execute(row)?;
        self.tail.push(leaf, entry.call, self.instance);
        Ok(Written { seq, leaf })
    }
}

/// The tree as the tables keep it.
pub(crate) struct Stored<'c>(pub(crate) &'c Connection);

impl Hashes for Stored<'_> {
    type Error = StoreError;

    fn range(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let hashes = match level {
            0 => self.leaves(first, count)?,
            _ => self.nodes(level, first, count)?,
        };
        match hashes.len() as u64 == count {
            true => Ok(hashes),
            false => Err(StoreError::Tree),
        }
    }
}

impl Stored<'_> {
    fn leaves(&self, first: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let (from, to) = (record_id(first + 1), record_id(first + count + 1));
        let mut statement = self.0.prepare_cached(LEAVES)?;
        let rows = statement.query_map((from, to), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Those that are stored, and behind them those that the table does not know yet.
    fn nodes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let mut hashes = Vec::new();
        let mut statement = self.0.prepare_cached(NODES)?;
        let mut rows = statement.query((to_sql(first), to_sql(first + count), level))?;
        while let Some(row) = rows.next()? {
            if from_sql(row.get(0)?) != first + hashes.len() as u64 {
                return Err(StoreError::Tree);
            }
            hashes.push(row.get(1)?);
        }
        let settled = match hashes.len() as u64 == count {
            true => return Ok(hashes),
            false => tail::read_settled(self.0)?.count(),
        };
        for n in first + hashes.len() as u64..first + count {
            if (n + 1) << (level * TILE_HEIGHT) <= settled {
                return Err(StoreError::Tree);
            }
            let below = self.range(level - 1, n << TILE_HEIGHT, 1 << TILE_HEIGHT)?;
            hashes.push(tree::complete(below));
        }
        Ok(hashes)
    }
}

/// Where a record lies.
pub(crate) fn record_id(seq: u64) -> i64 {
    to_sql(seq.saturating_mul(SLOTS))
}

/// Where a body lies: behind its record, by its place in it.
pub(crate) fn body_id(seq: u64, slot: u64) -> i64 {
    to_sql(
        seq.saturating_mul(SLOTS)
            .saturating_add(slot)
            .saturating_add(1),
    )
}

/// The newest checkpoint.
pub(crate) fn last_checkpoint(conn: &Connection) -> Result<Option<Checkpoint>, StoreError> {
    let mut statement = conn.prepare_cached(LAST_CHECKPOINT)?;
    let note: Option<String> = statement.query_row([], |row| row.get(0)).optional()?;
    let parsed = note.map(|note| Checkpoint::parse(&note)).transpose();
    parsed.map_err(|_| StoreError::Tree)
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
