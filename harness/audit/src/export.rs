//! Exports: what others read and check without the database.
//!
//! As JSON Lines: one line that says what it is, each record as it is stored
//! (with its bodies behind it, if they are wanted), and the checkpoint that
//! signs them. As C2SP's tlog-tiles (<https://c2sp.org/tlog-tiles>): a directory
//! of hashes and leaves that any tool for such logs reads; it holds no field's
//! value, so it can be published.
//!
//! An export ends at the newest checkpoint: what is not signed yet is not in
//! it. It never writes to the ledger.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::reader::{MAX_TAIL, ReadError, Reader, Record};
use crate::tree::TILE_HEIGHT;

/// What the first line of an export says it is.
pub(crate) const EXPORT_NAME: &str = "lazaret-ledger";

/// Hashes of a whole tile.
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The target.
    #[error("`{path}` cannot be written: {source}", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output.
    #[error("the export cannot be written: {0}")]
    Output(#[from] io::Error),
    /// Nothing is signed.
    #[error("the ledger has no checkpoint yet; it signs one after some seconds")]
    Unsigned,
    /// Something of a record cannot be written.
    #[error("record {record} cannot be exported: {detail}")]
    Record {
        /// Which.
        record: u64,
        /// Why.
        detail: String,
    },
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Records in the export.
    pub records: u64,
    /// Records that are not under a checkpoint yet, and not in the export.
    pub unsigned: u64,
}

/// The first line of a JSON Lines export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) export: String,
    pub(crate) v: u64,
}

/// A body behind its record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BodyLine {
    pub(crate) base64: String,
    pub(crate) body: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Footer {
    pub(crate) checkpoint: String,
}

/// Whether an export has the bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// Records alone.
    Without,
    /// Each record with its bodies.
    With,
}

/// Writes the ledger as JSON Lines.
///
/// # Errors
/// When nothing is signed, or something cannot be read or written.
pub fn export_jsonl(
    reader: &Reader,
    bodies: Bodies,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let checkpoint = newest(reader)?;
    line(
        out,
        &Header {
            export: EXPORT_NAME.to_owned(),
            v: crate::RECORD_VERSION,
        },
    )?;
    let mut at = 0;
    while at < checkpoint.size() {
        for record in page(reader, at, checkpoint.size())? {
            writeln!(out, "{}", record.json())?;
            if bodies == Bodies::With {
                write_bodies(reader, &record, out)?;
            }
            at = record.seq();
        }
    }
    let note = checkpoint.note().to_string();
    line(out, &Footer { checkpoint: note })?;
    out.flush()?;
    exported(reader, &checkpoint)
}

fn write_bodies(reader: &Reader, record: &Record, out: &mut dyn Write) -> Result<(), ExportError> {
    for named in record.data().bodies() {
        // An erased body is not there, and an empty one says nothing.
        let Some(bytes) = reader.body(record.seq(), &named)? else {
            continue;
        };
        if !bytes.is_empty() {
            let base64 = BASE64.encode(bytes);
            let body = named.name;
            line(out, &BodyLine { base64, body })?;
        }
    }
    Ok(())
}

/// Writes the ledger as tiles, into a directory that is empty or has an earlier export of it.
/// The checkpoint is written last, so that what it signs is there.
///
/// # Errors
/// When nothing is signed, or something cannot be read or written.
pub fn export_tiles(reader: &Reader, directory: &Path) -> Result<Exported, ExportError> {
    let checkpoint = newest(reader)?;
    let size = checkpoint.size();
    for level in 0..u64::BITS / TILE_HEIGHT {
        let width = size >> (level * TILE_HEIGHT);
        for (n, count) in tiles(width) {
            let hashes = reader.hashes(level, n * TILE_WIDTH, count)?;
            let path = tile_path(&level.to_string(), n, count);
            write(directory, &path, hashes.as_flattened())?;
        }
    }
    for (n, count) in tiles(size) {
        let bundle = bundle(reader, n * TILE_WIDTH, count)?;
        write(directory, &tile_path("entries", n, count), &bundle)?;
    }
    let note = checkpoint.note().to_string();
    write(directory, Path::new("checkpoint"), note.as_bytes())?;
    exported(reader, &checkpoint)
}

/// The tiles over so many hashes: number and width of each, the last one perhaps narrower.
pub(crate) fn tiles(width: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..width.div_ceil(TILE_WIDTH)).map(move |n| (n, TILE_WIDTH.min(width - n * TILE_WIDTH)))
}

/// `tile/LEVEL/x001/x234/067` with `.p/W` behind a narrower one.
pub(crate) fn tile_path(level: &str, n: u64, width: u64) -> PathBuf {
    let mut parts = vec![format!("{:03}", n % 1000)];
    let mut rest = n / 1000;
    while rest > 0 {
        parts.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    parts.reverse();
    let mut path = PathBuf::from("tile").join(level);
    path.push(parts.join("/"));
    if width < TILE_WIDTH {
        let name = format!("{:03}.p", n % 1000);
        path.set_file_name(name);
        path.push(width.to_string());
    }
    path
}

/// The leaves of one bundle, each behind its length in two bytes.
fn bundle(reader: &Reader, first: u64, count: u64) -> Result<Vec<u8>, ExportError> {
    let mut bundle = Vec::new();
    for record in page(reader, first, first + count)? {
        let entry = record.entry();
        let length = u16::try_from(entry.len()).map_err(|_| ExportError::Record {
            record: record.seq(),
            detail: "its leaf is too long".to_owned(),
        })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Records after `at`, up to `end`, of which there is at least one.
fn page(reader: &Reader, at: u64, end: u64) -> Result<Vec<Record>, ExportError> {
    let count = usize::try_from(end - at)
        .unwrap_or(usize::MAX)
        .min(MAX_PAGE);
    let page = reader.after(at, count)?;
    match page.first().map(Record::seq) {
        Some(first) if first == at + 1 => Ok(page),
        Some(_) | None => Err(ExportError::Record {
            record: at + 1,
            detail: "it is missing; run lazaret-verify".to_owned(),
        }),
    }
}

/// Records that are held at once.
const MAX_PAGE: usize = 1000;

const _: () = assert!(MAX_PAGE <= MAX_TAIL && MAX_PAGE >= 1 << TILE_HEIGHT);

fn newest(reader: &Reader) -> Result<Checkpoint, ExportError> {
    reader.checkpoint()?.ok_or(ExportError::Unsigned)
}

fn exported(reader: &Reader, checkpoint: &Checkpoint) -> Result<Exported, ExportError> {
    let records = checkpoint.size();
    Ok(Exported {
        records,
        unsigned: reader.count()?.saturating_sub(records),
    })
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), ExportError> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

fn write(directory: &Path, name: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let path = directory.join(name);
    let failed = |source| ExportError::Write {
        path: path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(&path, bytes).map_err(failed)
}
