//! How a ledger is opened to be written.
//!
//! Opening makes what is missing, checks that the end of the tree is where it
//! should be and signed by our key, and closes the calls of writers that died, all behind one lock
//! and in one transaction. It does not read the whole ledger
//! ([`crate::verify()`] does), and it repairs nothing: what does not fit is an
//! error that says what to do.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::clock::Clock;
use crate::entry::Refusal;
use crate::instance::{self, Instance, Life, OpenLock};
use crate::key::{KeyError, KeyFile, KeyPaths, Signer};
use crate::ledger::Settings;
use crate::mark::{self, Mark, MarkError, MarkFile};
use crate::place::Files;
use crate::prepare::{self, Call};
use crate::schema::{self, Format};
use crate::store::{self, Batch, OpenRow, StoreError};
use crate::tail::{self, Tail};
use crate::wire::{Data, Start};
use crate::writer::{Beat, Shared, Writer};

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path names a directory.
    #[error("`{path}` is a directory; name a file", path = .0.display())]
    Directory(PathBuf),
    /// A file or directory cannot be made, opened or locked.
    #[error("`{path}` cannot be opened for writing: {source}; check that it and its directory are writable", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("`{path}` cannot be used: {detail}; check its disk, then run lazaret-verify on it", path = path.display())]
    Storage {
        /// Which.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
    },
    /// The file is no ledger.
    #[error("`{path}` is not a ledger; name another file", path = .0.display())]
    Foreign(PathBuf),
    /// The file is a ledger of an earlier version.
    #[error(
        "`{path}` is a ledger of an earlier format, which this program does not read; keep it with the program that wrote it, and move it and `{path}.d` away to begin a new one", path = .0.display()
    )]
    Earlier(PathBuf),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file is a ledger of a later version.
    #[error("`{path}` is a ledger of version {found}; use the program that wrote it", path = path.display())]
    Later {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The end of the ledger does not fit.
    #[error("`{path}` does not end as it should: {detail}; run lazaret-verify on it", path = path.display())]
    End {
        /// Which.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }

    fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(path.to_owned()),
            Some(_) | None => Self::storage(path, error),
        }
    }

    fn storage(path: &Path, error: &dyn std::error::Error) -> Self {
        Self::Storage {
            path: path.to_owned(),
            detail: error.to_string(),
        }
    }

    fn end(path: &Path, detail: impl Into<String>) -> Self {
        Self::End {
            path: path.to_owned(),
            detail: detail.into(),
        }
    }
}

/// What the opening itself can run into, before it knows the path's error.
#[derive(Debug, thiserror::Error)]
enum BeginError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    End(#[from] store::EndError),
}

/// Opens, step by step.
pub(crate) fn writer(path: &Path, settings: Settings) -> Result<Writer, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Directory(path.to_owned()));
    }
    let io = |source| OpenError::io(path, source);
    // A foreign file is left exactly as it is: nothing is made beside it.
    refuse_foreign(path)?;
    let directory = instance::directory(path);
    instance::make_directory(&directory).map_err(|source| OpenError::io(&directory, source))?;
    // One opener at a time, so that tables are made once and the dead are buried once.
    let _turn = OpenLock::take(&directory).map_err(|source| OpenError::io(&directory, source))?;
    schema::make_file(path).map_err(io)?;
    let mut conn = open_database(path)?;
    let signer = match settings.signer {
        Some(signer) => signer,
        None => own_key(path, &conn)?,
    };
    // Alive before the first record, so that no other opener takes us for dead.
    let instance = Instance::create(&directory).map_err(io)?;
    let known = known_mark(path, &directory)?;
    let (reached, tail) = begin(&mut conn, &directory, &instance, known, &*signer)
        .map_err(|error| open_error(path, error))?;
    let mark = first_mark(path, &directory, reached).map_err(io)?;
    instance::sweep(&directory).map_err(io)?;
    let signed = store::last_checkpoint(&conn)
        .map_err(|error| OpenError::storage(path, &error))?
        .map_or(0, |last| last.size());
    let path = std::path::absolute(path).map_err(io)?;
    Ok(Writer {
        conn,
        files: Files::of(&path).map_err(io)?,
        path,
        instance,
        mark,
        reached,
        tail: Some(tail),
        signer,
        rhythm: settings.rhythm,
        tap: settings.tap,
        clock: Clock::now(),
        shared: Arc::new(Shared::default()),
        lost: HashSet::new(),
        beat: Beat::now(signed),
    })
}

/// A key is made for a ledger that nothing is signed of; any other has its own.
fn own_key(path: &Path, conn: &Connection) -> Result<Box<dyn Signer>, OpenError> {
    let paths = KeyPaths::of(path);
    let last = store::last_checkpoint(conn).map_err(|error| OpenError::storage(path, &error))?;
    Ok(Box::new(match last {
        None => KeyFile::open_or_make(&paths)?,
        Some(_) => KeyFile::open(&paths)?,
    }))
}

/// A file that is there already must be a ledger, or empty.
fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > 0 => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io(path, error)),
    }
    let conn = schema::open_read(path).map_err(|error| OpenError::sqlite(path, &error))?;
    check_format(path, &conn).map(drop)
}

fn open_database(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |error| OpenError::sqlite(path, &error);
    let mut conn = schema::open_write(path).map_err(sqlite)?;
    match check_format(path, &conn)? {
        Format::Empty => create(&mut conn).map_err(sqlite)?,
        Format::Ours | Format::Earlier | Format::Later(_) | Format::Foreign => {}
    }
    Ok(conn)
}

fn check_format(path: &Path, conn: &Connection) -> Result<Format, OpenError> {
    match schema::format(conn).map_err(|error| OpenError::sqlite(path, &error))? {
        fit @ (Format::Empty | Format::Ours) => Ok(fit),
        Format::Foreign => Err(OpenError::Foreign(path.to_owned())),
        Format::Earlier => Err(OpenError::Earlier(path.to_owned())),
        Format::Later(found) => {
            let path = path.to_owned();
            Err(OpenError::Later { path, found })
        }
    }
}

fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::create(&tx)?;
    tail::add_settled(&tx)?;
    tx.commit()
}

fn known_mark(path: &Path, directory: &Path) -> Result<Option<Mark>, OpenError> {
    mark::read(directory).map_err(|error| match error {
        MarkError::Malformed => OpenError::end(path, "the mark beside it is malformed"),
        MarkError::Io(source) => OpenError::io(directory, source),
    })
}

/// The first transaction: check the end, close the calls of the dead, say that we are here.
fn begin(
    conn: &mut Connection,
    directory: &Path,
    instance: &Instance,
    known: Option<Mark>,
    signer: &dyn Signer,
) -> Result<(Mark, Tail), BeginError> {
    let mut batch = Batch::begin(conn, None, instance.id())?;
    batch.check_end(known, signer)?;
    let (orphans, _held) = orphans(directory, batch.open_calls())?;
    for row in orphans {
        let entry = prepare::interrupted(row.call_id, row.seq, None)?;
        batch.add(&entry)??;
    }
    let start = Data::Start(Start {
        key: signer.public().to_string(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    batch.add(&prepare::encode(&start, Vec::new(), Call::None)?)??;
    Ok(batch.commit()?)
}

/// The open calls of the dead, with the locks that keep them so until the commit.
fn orphans(directory: &Path, open: Vec<OpenRow>) -> io::Result<(Vec<OpenRow>, Vec<Life>)> {
    let mut lives = HashMap::new();
    let mut orphans = Vec::new();
    for row in open {
        let life = match lives.entry(row.instance) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(instance::life(directory, row.instance)?)
            }
        };
        match life {
            Life::Alive => {}
            Life::Dead(_) => orphans.push(row),
        }
    }
    Ok((orphans, lives.into_values().collect()))
}

/// The mark and the names of both directories reach the disk before the first receipt.
fn first_mark(path: &Path, directory: &Path, reached: Mark) -> io::Result<MarkFile> {
    let mark = MarkFile::open(directory)?;
    mark.set(reached)?;
    mark.sync()?;
    File::open(directory)?.sync_all()?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(mark)
}

fn open_error(path: &Path, error: BeginError) -> OpenError {
    match error {
        BeginError::Store(StoreError::Settled) => {
            OpenError::end(path, "its settled state is missing or malformed")
        }
        BeginError::Store(StoreError::Short { settled }) => {
            OpenError::end(path, format!("record {settled} is missing"))
        }
        BeginError::Store(StoreError::Record(seq)) => {
            let detail = format!("record {seq} is missing or does not match its leaf");
            OpenError::end(path, detail)
        }
        BeginError::Store(StoreError::Sqlite(error)) => OpenError::sqlite(path, &error),
        BeginError::Store(error) => OpenError::storage(path, &error),
        BeginError::Refused(error) => OpenError::storage(path, &error),
        BeginError::Io(source) => OpenError::io(path, source),
        BeginError::End(store::EndError::Store(StoreError::Sqlite(error))) => {
            OpenError::sqlite(path, &error)
        }
        BeginError::End(error) => OpenError::end(path, error.to_string()),
    }
}
