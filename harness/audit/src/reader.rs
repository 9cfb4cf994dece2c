//! Reading a ledger while it is written, or after.
//!
//! A reader never writes and never blocks a writer. Each record is decoded
//! strictly and each body is hashed before it is given out; whether the chain
//! as a whole holds is what [`crate::verify()`] says.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row};

use crate::encoding::{self, Decoded};
use crate::entry::MAX_RECORD_BYTES;
use crate::schema::{self, Format};
use crate::store::{self, StoreError, from_sql, to_sql};
use crate::wire::{Data, Kind};

/// Records that [`Reader::tail`] gives at most; a page, not an export.
pub const MAX_TAIL: usize = 10_000;

const BY_SEQ: &str = "SELECT seq, call_id, record, hash FROM records WHERE seq = ?1";
const BY_CALL: &str =
    "SELECT seq, call_id, record, hash FROM records WHERE call_id = ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT seq, call_id, record, hash FROM records ORDER BY seq DESC LIMIT ?1";
const BODY: &str = "SELECT bytes FROM bodies WHERE digest = ?1";

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
    /// A body is not what its name says.
    #[error("a body does not match its digest; run lazaret-verify on it")]
    Body,
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

    /// Its hash, which holds everything up to it.
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
        match store::read_head(&self.conn) {
            Ok(head) => Ok(head.count),
            Err(StoreError::Sqlite(error)) => Err(error.into()),
            Err(error) => Err(ReadError::Damaged(error.to_string())),
        }
    }

    /// The record of this number.
    ///
    /// # Errors
    /// When the database cannot be read or the record is damaged.
    pub fn get(&self, seq: u64) -> Result<Option<Record>, ReadError> {
        let mut statement = self.conn.prepare_cached(BY_SEQ)?;
        let mut rows = statement.query([to_sql(seq)])?;
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
        let mut statement = self.conn.prepare_cached(BY_CALL)?;
        collect(statement.query((call_id, to_sql(MAX_TAIL as u64)))?)
    }

    /// The body of this digest.
    ///
    /// # Errors
    /// When the database cannot be read or the body does not match its digest.
    pub fn body(&self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, ReadError> {
        let mut statement = self.conn.prepare_cached(BODY)?;
        let bytes: Option<Vec<u8>> = statement.query_row([digest], |row| row.get(0)).optional()?;
        match bytes {
            Some(bytes) if encoding::digest(&bytes) != *digest => Err(ReadError::Body),
            found => Ok(found),
        }
    }
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Record, ReadError> {
    let seq = from_sql(row.get(0)?);
    let damaged = |detail: String| ReadError::Record {
        record: seq,
        detail,
    };
    let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(damaged("it is too long".to_owned()));
    }
    let decoded = encoding::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    let call_id: Option<[u8; 16]> = row.get(1)?;
    if decoded.place.seq != seq || decoded.data.call_id() != call_id {
        return Err(damaged("it stands in another's place".to_owned()));
    }
    // Decoded JSON is UTF-8.
    let json = String::from_utf8_lossy(bytes).into_owned();
    let hash = row.get(3)?;
    Ok(Record {
        decoded,
        json,
        hash,
    })
}
