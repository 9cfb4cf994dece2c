//! The database: its tables, how it is opened, and what makes it ours.
//!
//! The schema is compared word for word, so that a trigger, a view or an extra
//! table is found before anything is read through it. A database that is
//! opened to be read is never written: not its file, not its log.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// "LZRT": SQLite's mark for whose file this is.
pub(crate) const APPLICATION_ID: i64 = 0x4c5a_5254;

/// Version of the tables below.
pub(crate) const SCHEMA_VERSION: i64 = 4;

/// Versions of tables that this program does not read.
const EARLIER_VERSIONS: std::ops::RangeInclusive<i64> = 1..=3;

/// How long one writer waits for another's commit. A commit takes
/// milliseconds; whoever waits ten seconds stands behind a stopped process.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Statements that the writer uses, with room to spare.
const CACHED_STATEMENTS: usize = 32;

/// Name, and the statement that makes it, in the order of the names.
///
/// An append writes to `log` alone, at its end, so that it dirties one page. What is derived from
/// it follows later ([`crate::tail`]).
const SCHEMA: [(&str, &str); 7] = [
    (
        "calls",
        "CREATE TABLE calls(call_id BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (call_id, seq)) STRICT, WITHOUT ROWID",
    ),
    (
        "checkpoints",
        "CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
    ),
    (
        "erasures",
        "CREATE TABLE erasures(seq INTEGER PRIMARY KEY) STRICT",
    ),
    // The leaf stands before the bytes, so that reading it does not go through long records.
    (
        "log",
        "CREATE TABLE log(id INTEGER PRIMARY KEY, call_id BLOB, leaf BLOB, bytes BLOB NOT NULL) STRICT",
    ),
    (
        "nodes",
        "CREATE TABLE nodes(level INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, n)) STRICT, WITHOUT ROWID",
    ),
    (
        "open_calls",
        "CREATE TABLE open_calls(seq INTEGER PRIMARY KEY, call_id BLOB NOT NULL, instance BLOB NOT NULL) STRICT",
    ),
    (
        "settled",
        "CREATE TABLE settled(id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL, edge BLOB NOT NULL) STRICT",
    ),
];

const _: () = {
    assert!(
        SCHEMA_VERSION == 4 && APPLICATION_ID == 0x4c5a_5254 && SCHEMA.len() == 7,
        "the tables are pinned: read docs/LEDGER.md, `Changing the format`, before changing them"
    );
};

/// What a database turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Without any table yet.
    Empty,
    /// A ledger of this version.
    Ours,
    /// A ledger of an earlier version.
    Earlier,
    /// A ledger of a later version.
    Later(i64),
    /// Something else.
    Foreign,
}

/// Makes the file, for its owner alone; SQLite gives its log the same mode.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Opens to write: log ahead, every commit synced.
pub(crate) fn open_write(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    guard(&conn)?;
    // Where the file system cannot share memory SQLite would stay with its old
    // journal and say so; the caller must not take that for durable.
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    }
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", false)?;
    // What is erased is overwritten, wherever it lay.
    conn.pragma_update(None, "secure_delete", true)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(conn)
}

/// Opens to read. Where nothing can be written (a read-only mount), SQLite
/// cannot share a log; without a log there is nothing to share, and the file
/// is read as one that does not change.
pub(crate) fn open_read(path: &Path) -> rusqlite::Result<Connection> {
    match open_shared(path) {
        Err(error) if needs_writing(&error) && !has_log(path) => open_immutable(path),
        opened => opened,
    }
}

/// Reads whose database this is.
pub(crate) fn format(conn: &Connection) -> rusqlite::Result<Format> {
    let application: i64 = pragma(conn, "application_id")?;
    let version: i64 = pragma(conn, "user_version")?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version) {
        (0, 0) if tables == 0 => Format::Empty,
        (APPLICATION_ID, SCHEMA_VERSION) if is_schema(conn)? => Format::Ours,
        (APPLICATION_ID, found) if EARLIER_VERSIONS.contains(&found) => Format::Earlier,
        (APPLICATION_ID, later) if later > SCHEMA_VERSION => Format::Later(later),
        (_, _) => Format::Foreign,
    })
}

/// Makes the tables, inside the caller's transaction.
pub(crate) fn create(conn: &Connection) -> rusqlite::Result<()> {
    for (_, sql) in SCHEMA {
        conn.execute_batch(sql)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", SCHEMA_VERSION)
}

fn is_schema(conn: &Connection) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")?;
    let mut rows = statement.query([])?;
    for (name, sql) in SCHEMA {
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        if row.get_ref(0)?.as_bytes()? != name.as_bytes()
            || row.get_ref(1)?.as_bytes()? != sql.as_bytes()
        {
            return Ok(false);
        }
    }
    Ok(rows.next()?.is_none())
}

fn open_shared(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    prepare_read(&conn)?;
    Ok(conn)
}

fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(uri(path), flags)?;
    prepare_read(&conn)?;
    Ok(conn)
}

fn prepare_read(conn: &Connection) -> rusqlite::Result<()> {
    guard(conn)?;
    conn.pragma_update(None, "query_only", true)?;
    // The first statement that really looks at the file.
    pragma(conn, "schema_version").map(drop)
}

/// What a hostile file could make SQLite do is switched off.
fn guard(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.pragma_update(None, "cell_size_check", true)
}

fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, name, |row| row.get(0))
}

fn needs_writing(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// `file:` with everything escaped that could mean something.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push_str("?immutable=1");
    uri
}
