//! Reading a ledger while it is written, or after.
//!
//! A reader never writes and never blocks a writer. Each record is decoded
//! strictly and each body is hashed before it is given out; whether the ledger
//! as a whole holds is what [`crate::verify()`] says.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row};
use serde_json::value::RawValue;

use crate::bundle::{Bundle, Extension, Extra, Opening, SaltOwned};
use crate::checkpoint::Checkpoint;
use crate::encoding::{self, Decoded};
use crate::entry::MAX_RECORD_BYTES;
use crate::erase::{self, Retention};
use crate::schema::{self, Format};
use crate::skim;
use crate::store::{self, SLOTS, StoreError, Stored, body_id, from_sql, record_id, to_sql};
use crate::tail;
use crate::tree::{self, Hash, Hashes as _};
use crate::wire::{Data, Digest, Kind, Named, SaltText};

/// Records that [`Reader::tail`] gives at most; a page, not an export.
pub const MAX_TAIL: usize = 10_000;

const BY_SEQ: &str = "SELECT id, call_id, leaf, bytes FROM log WHERE id = ?1";
const BY_CALL: &str =
    "SELECT log.id, log.call_id, log.leaf, log.bytes FROM calls JOIN log ON log.id = calls.seq * ?3
    WHERE calls.call_id = ?1 ORDER BY calls.seq LIMIT ?2";
const BY_CALL_BEHIND: &str = "SELECT id, call_id, leaf, bytes FROM log
    WHERE id >= ?3 AND call_id = ?1 AND leaf IS NOT NULL ORDER BY id LIMIT ?2";
const LAST: &str =
    "SELECT id, call_id, leaf, bytes FROM log WHERE leaf IS NOT NULL ORDER BY id DESC LIMIT ?1";
const AFTER: &str = "SELECT id, call_id, leaf, bytes FROM log
    WHERE id >= ?1 AND leaf IS NOT NULL ORDER BY id LIMIT ?2";
const CHECKPOINT: &str = "SELECT note FROM checkpoints WHERE size = ?1";
const BODY: &str = "SELECT bytes FROM log WHERE id = ?1 AND leaf IS NULL";

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("`{path}` does not exist; name a ledger", path = .0.display())]
    Missing(PathBuf),
    /// The path names a directory or a device.
    #[error("`{path}` is not a file; name a ledger", path = .0.display())]
    NotAFile(PathBuf),
    /// The system does not let it be read.
    #[error("the ledger cannot be read: {0}; check its disk and its permissions")]
    Unreadable(String),
    /// The file is no ledger, or its tables are not a ledger's.
    #[error("not a ledger: {0}")]
    Foreign(String),
    /// The file is a ledger of an earlier version.
    #[error("a ledger of an earlier format; use the program that wrote it")]
    Earlier,
    /// The file is a ledger of a later version.
    #[error("a ledger of version {0}; use the program that wrote it")]
    Later(i64),
    /// The database is damaged.
    #[error("the database is damaged: {0}; run lazaret-verify on it")]
    Damaged(String),
    /// A record is not what it should be.
    #[error("record {record} is damaged: {detail}; run lazaret-verify on it")]
    Record {
        /// Its number.
        record: u64,
        /// What is wrong.
        detail: String,
    },
    /// A body is not what its record says.
    #[error("a body does not match its digest; run lazaret-verify on it")]
    Body,
    /// Nothing signed covers the record yet.
    #[error("record {0} is not under a checkpoint yet; the ledger signs one after some seconds")]
    Unsigned(u64),
    /// A field that was to be shown is not there.
    #[error("record {record} has no field `{name}`, or it was erased; it has {has}")]
    NoField {
        /// Its number.
        record: u64,
        /// The field.
        name: String,
        /// Those that it has.
        has: String,
    },
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(text),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SystemIoFailure,
            ) => Self::Unreadable(text),
            // What is left are values and pages that do not fit together.
            Some(_) | None => Self::Damaged(text),
        }
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    decoded: Decoded,
    json: String,
    hash: [u8; 32],
}

impl Record {
    /// Reads a record by itself, as an export holds it.
    ///
    /// # Errors
    /// When it is none, or not in canonical form.
    pub fn parse(json: &str) -> Result<Self, ReadError> {
        if json.len() > MAX_RECORD_BYTES {
            return Err(ReadError::Damaged("it is too long".to_owned()));
        }
        let decoded = encoding::decode(json.as_bytes());
        debug_assert!(
            skim::agrees(json.as_bytes(), decoded.as_ref().ok()),
            "both ways of reading a record must agree"
        );
        let decoded = decoded.map_err(|error| ReadError::Damaged(error.to_string()))?;
        Ok(Self {
            hash: decoded.leaf(),
            json: json.to_owned(),
            decoded,
        })
    }

    /// Its number; the first is 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.decoded.place.seq
    }

    /// When it was written, in microseconds since 1970 by the writer's clock.
    #[must_use]
    pub fn time_us(&self) -> u64 {
        self.decoded.place.time_us
    }

    /// The writer.
    #[must_use]
    pub fn instance(&self) -> [u8; 16] {
        self.decoded.place.instance
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.decoded.data.kind()
    }

    /// The call it is about, if it is about one.
    #[must_use]
    pub fn call_id(&self) -> Option<[u8; 16]> {
        self.decoded.data.call_id()
    }

    /// Its contents.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.decoded.data
    }

    /// The canonical bytes, which are JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The bytes that its leaf is the hash of.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.decoded.entry
    }

    /// The hash of its leaf in the tree.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// A ledger opened to be read.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
}

impl Reader {
    /// Opens a ledger to read.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it is no ledger of this version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ReadError::Missing(path.to_owned()));
            }
            Err(error) => return Err(ReadError::Unreadable(error.to_string())),
        };
        if !meta.is_file() {
            return Err(ReadError::NotAFile(path.to_owned()));
        }
        let conn = schema::open_read(path)?;
        match schema::format(&conn)? {
            Format::Ours => Ok(Self { conn }),
            Format::Earlier => Err(ReadError::Earlier),
            Format::Later(found) => Err(ReadError::Later(found)),
            Format::Empty => Err(ReadError::Foreign("the file is empty".to_owned())),
            Format::Foreign => Err(ReadError::Foreign(
                "its tables are not a ledger's".to_owned(),
            )),
        }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.conn
    }

    /// How many records there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self) -> Result<u64, ReadError> {
        Ok(tail::count(&self.conn)?)
    }

    /// The record of this number.
    ///
    /// # Errors
    /// When the database cannot be read or the record is damaged.
    pub fn get(&self, seq: u64) -> Result<Option<Record>, ReadError> {
        let mut statement = self.conn.prepare_cached(BY_SEQ)?;
        let mut rows = statement.query([record_id(seq)])?;
        rows.next()?.map(record).transpose()
    }

    /// The last `count` records, oldest first; at most [`MAX_TAIL`].
    ///
    /// # Errors
    /// When the database cannot be read or a record is damaged.
    pub fn tail(&self, count: usize) -> Result<Vec<Record>, ReadError> {
        let limit = count.min(MAX_TAIL) as u64;
        let mut statement = self.conn.prepare_cached(LAST)?;
        let mut records = collect(statement.query([to_sql(limit)])?)?;
        records.reverse();
        Ok(records)
    }

    /// The records about a call, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read or a record is damaged.
    pub fn by_call(&self, call_id: &[u8; 16]) -> Result<Vec<Record>, ReadError> {
        // One snapshot for the table of calls and the records that it does not know.
        let snapshot = self.conn.unchecked_transaction()?;
        let most = to_sql(MAX_TAIL as u64);
        let mut settled = snapshot.prepare_cached(BY_CALL)?;
        let mut records = collect(settled.query((call_id, most, to_sql(SLOTS)))?)?;
        if !is_over(&records) {
            let from = tail::read_settled(&snapshot)?.count() + 1;
            let mut behind = snapshot.prepare_cached(BY_CALL_BEHIND)?;
            records.extend(collect(behind.query((call_id, most, record_id(from)))?)?);
        }
        Ok(records)
    }

    /// Records after number `seq`, oldest first; at most [`MAX_TAIL`].
    ///
    /// # Errors
    /// When the database cannot be read or a record is damaged.
    pub fn after(&self, seq: u64, count: usize) -> Result<Vec<Record>, ReadError> {
        let limit = count.min(MAX_TAIL) as u64;
        let mut statement = self.conn.prepare_cached(AFTER)?;
        let from = record_id(seq.saturating_add(1));
        collect(statement.query([from, to_sql(limit)])?)
    }

    /// A body that a record names; `None` once it was erased.
    ///
    /// # Errors
    /// When the database cannot be read or the body does not match its digest.
    pub fn body(&self, seq: u64, named: &Named) -> Result<Option<Vec<u8>>, ReadError> {
        if named.body.bytes == 0 {
            return Ok(Some(Vec::new()));
        }
        let mut statement = self.conn.prepare_cached(BODY)?;
        let id = body_id(seq, named.slot);
        let bytes: Option<Vec<u8>> = statement.query_row([id], |row| row.get(0)).optional()?;
        match bytes {
            Some(bytes) if encoding::digest(&bytes) != named.body.digest.0 => Err(ReadError::Body),
            found => Ok(found),
        }
    }

    /// The newest checkpoint, if one was signed.
    ///
    /// # Errors
    /// When the database cannot be read or the checkpoint is damaged.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, ReadError> {
        Ok(store::last_checkpoint(&self.conn)?)
    }

    /// The checkpoint over exactly so many records.
    ///
    /// # Errors
    /// When the database cannot be read or the checkpoint is damaged.
    pub fn checkpoint_of(&self, size: u64) -> Result<Option<Checkpoint>, ReadError> {
        let mut statement = self.conn.prepare_cached(CHECKPOINT)?;
        let note: Option<String> = statement
            .query_row([to_sql(size)], |row| row.get(0))
            .optional()?;
        let parsed = note.map(|note| Checkpoint::parse(&note)).transpose();
        parsed.map_err(|error| ReadError::Damaged(error.to_string()))
    }

    /// The proof that a record is under the newest checkpoint, with these fields shown; all that
    /// are there, when none is named.
    ///
    /// # Errors
    /// When there is no such record or field, or nothing signed covers it.
    pub fn prove(&self, seq: u64, show: &[String]) -> Result<String, ReadError> {
        let damaged = |detail: String| ReadError::Record {
            record: seq,
            detail,
        };
        // One snapshot for record, checkpoint and tree.
        let snapshot = self.conn.unchecked_transaction()?;
        let checkpoint = store::last_checkpoint(&snapshot)?;
        let checkpoint = checkpoint.filter(|last| 0 < seq && seq <= last.size());
        let checkpoint = checkpoint.ok_or(ReadError::Unsigned(seq))?;
        let record = self.get(seq)?.ok_or(ReadError::Unsigned(seq))?;
        let (index, size) = (seq - 1, checkpoint.size());
        let path = tree::inclusion(&Stored(&snapshot), index, size)?;
        let extra = extra(&record, show)?;
        let bundle = Bundle {
            extra,
            index,
            path,
            checkpoint,
        };
        bundle.write().map_err(|error| damaged(error.to_string()))
    }

    /// The proof that the tree of `old` records is a beginning of that of the newest checkpoint,
    /// as C2SP's witnesses take it.
    ///
    /// # Errors
    /// When nothing signed covers so many records, or the database cannot be read.
    pub fn prove_extension(&self, old: u64) -> Result<String, ReadError> {
        let snapshot = self.conn.unchecked_transaction()?;
        let checkpoint = store::last_checkpoint(&snapshot)?.filter(|last| old <= last.size());
        let checkpoint = checkpoint.ok_or(ReadError::Unsigned(old))?;
        let path = tree::consistency(&Stored(&snapshot), old, checkpoint.size())?;
        let extension = Extension {
            old,
            path,
            checkpoint,
        };
        Ok(extension.write())
    }

    /// The root of the tree over the first `size` records.
    ///
    /// # Errors
    /// When the database cannot be read, or has not so many records.
    pub fn root(&self, size: u64) -> Result<Hash, ReadError> {
        Ok(tree::root(&Stored(&self.conn), size)?)
    }

    /// The hashes `first..first + count` of a level of the tree's tiles.
    pub(crate) fn hashes(
        &self,
        level: u32,
        first: u64,
        count: u64,
    ) -> Result<Vec<Hash>, ReadError> {
        Ok(Stored(&self.conn).range(level, first, count)?)
    }

    /// The run of records whose bodies this rule lets go; `None` when none has to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn too_old(&self, retention: Retention) -> Result<Option<(u64, u64)>, ReadError> {
        Ok(erase::too_old(&self.conn, retention)?)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sqlite(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// What a proof says of its record: every commitment, and what opens those that are shown.
fn extra(record: &Record, show: &[String]) -> Result<Extra, ReadError> {
    let seq = record.seq();
    let damaged = |detail: String| ReadError::Record {
        record: seq,
        detail,
    };
    let fields = encoding::shown(record.json.as_bytes()).map_err(|e| damaged(e.to_string()))?;
    if let Some(name) = show
        .iter()
        .find(|name| !fields.iter().any(|(field, ..)| field == *name))
    {
        let has: Vec<&str> = fields.iter().map(|(name, ..)| name.as_str()).collect();
        return Err(ReadError::NoField {
            record: seq,
            name: name.clone(),
            has: has.join(", "),
        });
    }
    let raw = |text: String| RawValue::from_string(text).map_err(|e| damaged(e.to_string()));
    let mut shown = std::collections::BTreeMap::new();
    for (name, salt, value) in fields {
        if show.is_empty() || show.contains(&name) {
            let salt = SaltOwned(SaltText(salt));
            let value = raw(value)?;
            shown.insert(name, Opening { salt, value });
        }
    }
    let commitments = encoding::commitments(record.json.as_bytes());
    let commitments = commitments.map_err(|error| damaged(error.to_string()))?;
    let leaf = String::from_utf8_lossy(&record.decoded.entry).into_owned();
    Ok(Extra {
        commitments: commitments
            .into_iter()
            .map(|(name, commitment)| (name, Digest(commitment)))
            .collect(),
        leaf: raw(leaf)?,
        shown,
    })
}

/// Whether nothing can come any more about the call of these records.
fn is_over(records: &[Record]) -> bool {
    records.last().is_some_and(|record| match record.data() {
        Data::Outcome(_) => true,
        Data::Decision(decision) => !decision.verdict.is_allow(),
        Data::Start(_) | Data::Stop(_) | Data::Note(_) | Data::Erasure(_) => false,
    })
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Record, ReadError> {
    let id = from_sql(row.get(0)?);
    let seq = id / SLOTS;
    let damaged = |detail: String| ReadError::Record {
        record: seq,
        detail,
    };
    let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(damaged("it is too long".to_owned()));
    }
    let decoded = encoding::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    let call_id: Option<[u8; 16]> = row.get(1)?;
    if !id.is_multiple_of(SLOTS) || decoded.place.seq != seq || decoded.data.call_id() != call_id {
        return Err(damaged("it stands in another's place".to_owned()));
    }
    let hash = row.get(2)?;
    if decoded.leaf() != hash {
        return Err(damaged("it does not match its leaf".to_owned()));
    }
    // Decoded JSON is UTF-8.
    let json = String::from_utf8_lossy(bytes).into_owned();
    Ok(Record {
        decoded,
        json,
        hash,
    })
}
