//! Does an export hold? Every record and every hash, up to the signed head.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Trust;
use crate::checkpoint::Checkpoint;
use crate::encoding;
use crate::entry::{MAX_BODY_BYTES, MAX_RECORD_BYTES};
use crate::export::{BodyLine, EXPORT_NAME, Footer, Header, tile_path, tiles};
use crate::fault::Fault;
use crate::note::MAX_NOTE_BYTES;
use crate::tree::{Frontier, TILE_HEIGHT};
use crate::wire::Named;

/// A line is a record, or a body in Base64 with its name.
const MAX_LINE_BYTES: usize = MAX_BODY_BYTES / 3 * 4 + MAX_RECORD_BYTES;

/// A bundle holds 256 leaves of at most 64 KiB.
const MAX_BUNDLE_BYTES: u64 = (1 << TILE_HEIGHT) * (2 + u16::MAX as u64);

/// What of an export holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Records under the checkpoint.
    pub records: u64,
    /// Bodies that were there.
    pub bodies: u64,
    /// Whose log it is.
    pub origin: String,
}

/// Verifies an export: a file of JSON Lines, or a directory of tiles.
///
/// # Errors
/// The first [`Fault`]; without a key in `trust` nothing holds.
pub fn verify_export(path: &Path, trust: &Trust) -> Result<Held, Fault> {
    match path.is_dir() {
        true => tiled(path, trust),
        false => lines(path, trust),
    }
}

fn lines(path: &Path, trust: &Trust) -> Result<Held, Fault> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut lines = Lines::new(BufReader::new(file));
    let header: Option<Header> = lines.next()?.and_then(|line| read(&line));
    if !header
        .is_some_and(|header| header.export == EXPORT_NAME && header.v == crate::RECORD_VERSION)
    {
        return Err(fault(
            None,
            "its first line is not that of an export of this version",
        ));
    }
    let (mut frontier, mut bodies) = (Frontier::default(), 0);
    let mut named: Vec<Named> = Vec::new();
    while let Some(line) = lines.next()? {
        let record = frontier.count() + 1;
        if let Some(footer) = read::<Footer>(&line) {
            let origin = head(&footer.checkpoint, &frontier, trust)?;
            if lines.next()?.is_some() {
                return Err(fault(None, "there is something behind its checkpoint"));
            }
            let records = frontier.count();
            return Ok(Held {
                records,
                bodies,
                origin,
            });
        }
        if let Some(body) = read::<BodyLine>(&line) {
            check_body(record - 1, &mut named, &body)?;
            bodies += 1;
            continue;
        }
        let decoded = encoding::decode(line.as_bytes())
            .map_err(|error| fault(Some(record), &error.to_string()))?;
        if decoded.place.seq != record {
            return Err(fault(
                Some(record),
                "it is missing, or another stands in its place",
            ));
        }
        frontier.append(decoded.leaf(), |_| {});
        named = decoded.data.bodies();
        stations(&frontier, trust)?;
    }
    Err(fault(None, "its checkpoint is missing; it was cut"))
}

/// A body is one that the record before it names, each once.
fn check_body(record: u64, named: &mut Vec<Named>, line: &BodyLine) -> Result<(), Fault> {
    let at = named.iter().position(|named| named.name == line.body);
    let bytes = BASE64.decode(&line.base64).ok();
    let fits = match (at, bytes) {
        (Some(at), Some(bytes)) => encoding::digest(&bytes) == named.remove(at).body.digest.0,
        (Some(_) | None, _) => false,
    };
    match fits {
        true => Ok(()),
        false => Err(fault(
            Some(record),
            &format!("its body `{}` was altered", line.body),
        )),
    }
}

fn tiled(directory: &Path, trust: &Trust) -> Result<Held, Fault> {
    let note = read_file(directory, Path::new("checkpoint"), MAX_NOTE_BYTES as u64)?;
    let note = String::from_utf8(note).map_err(|_| fault(None, "its checkpoint is no text"))?;
    let size = Checkpoint::parse(&note)
        .map_err(|error| fault(None, &error.to_string()))?
        .size();
    let mut frontier = Frontier::default();
    let mut levels: Vec<Level> = (0..u64::BITS / TILE_HEIGHT)
        .map(|_| Level::default())
        .collect();
    for (n, count) in tiles(size) {
        let bundle = read_file(directory, &tile_path("entries", n, count), MAX_BUNDLE_BYTES)?;
        let mut rest = bundle.as_slice();
        for _ in 0..count {
            let record = frontier.count() + 1;
            let (entry, after) =
                entry(rest).ok_or_else(|| fault(Some(record), "its leaf was cut"))?;
            let (place, ..) = encoding::read_entry(entry)
                .map_err(|error| fault(Some(record), &error.to_string()))?;
            if place.seq != record {
                return Err(fault(Some(record), "another stands in its place"));
            }
            let leaf = crate::tree::leaf_hash(entry);
            push(&mut levels, 0, &leaf);
            frontier.append(leaf, |node| push(&mut levels, node.level, &node.hash));
            rest = after;
            stations(&frontier, trust)?;
        }
        if !rest.is_empty() {
            return Err(fault(
                Some(frontier.count()),
                "there is something behind its leaf",
            ));
        }
        compare(directory, &mut levels, frontier.count(), size)?;
    }
    let origin = head(&note, &frontier, trust)?;
    Ok(Held {
        records: frontier.count(),
        bodies: 0,
        origin,
    })
}

/// The hashes of a level that are not yet compared with their tile.
#[derive(Default)]
struct Level {
    compared: u64,
    hashes: Vec<u8>,
}

fn push(levels: &mut [Level], level: u32, hash: &[u8; 32]) {
    if let Some(level) = levels.get_mut(level as usize) {
        level.hashes.extend_from_slice(hash);
    }
}

/// Compares every tile that is whole, and at the end of the export the narrower ones.
fn compare(directory: &Path, levels: &mut [Level], record: u64, size: u64) -> Result<(), Fault> {
    for (level, own) in (0_u32..).zip(levels) {
        let width = own.hashes.len() as u64 / 32;
        if width == 0 || (width < 1 << TILE_HEIGHT && record < size) {
            continue;
        }
        let path = tile_path(&level.to_string(), own.compared, width);
        if read_file(directory, &path, 32 << TILE_HEIGHT)? != own.hashes {
            let detail = format!("its tile `{}` was altered", path.display());
            return Err(fault(Some(record), &detail));
        }
        own.compared += 1;
        own.hashes.clear();
    }
    Ok(())
}

fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The checkpoint at the end: of these records, and signed by the key.
fn head(note: &str, frontier: &Frontier, trust: &Trust) -> Result<String, Fault> {
    let count = frontier.count();
    let detail = |detail: String| Fault::Checkpoint {
        record: count,
        detail,
    };
    let checkpoint = Checkpoint::parse(note).map_err(|error| detail(error.to_string()))?;
    if checkpoint.size() != count || checkpoint.root() != frontier.root() {
        return Err(detail("it is one of other records".to_owned()));
    }
    let Some(key) = &trust.key else {
        return Err(detail(
            "there is no key to check it by; give one".to_owned(),
        ));
    };
    if !checkpoint.is_signed_by(key) {
        return Err(detail(format!("it is not signed by `{}`", key.name())));
    }
    for witness in &trust.witnesses {
        if !checkpoint.note().is_signed_by(witness) {
            let name = witness.name().to_owned();
            return Err(Fault::NoWitness { name });
        }
    }
    let once = trust.anchors.iter().map(Checkpoint::size).max();
    match once.filter(|once| *once > count) {
        None => Ok(checkpoint.origin().to_owned()),
        Some(once) => Err(Fault::Behind {
            record: count + 1,
            once,
        }),
    }
}

fn stations(frontier: &Frontier, trust: &Trust) -> Result<(), Fault> {
    let record = frontier.count();
    let mut anchors = trust
        .anchors
        .iter()
        .filter(|anchor| anchor.size() == record);
    match anchors.any(|anchor| anchor.root() != frontier.root()) {
        true => Err(Fault::NotAsAnchored { record }),
        false => Ok(()),
    }
}

/// Lines of bounded length.
struct Lines<R>(R);

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self(input)
    }

    fn next(&mut self) -> Result<Option<String>, Fault> {
        let mut line = String::new();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = (&mut self.0).take(limit).read_line(&mut line);
        let read = read.map_err(|error| Fault::Unreadable(error.to_string()))?;
        if read > MAX_LINE_BYTES {
            return Err(fault(None, "a line is too long"));
        }
        if line.pop().is_some_and(|last| last != '\n') {
            return Err(fault(None, "its last line was cut"));
        }
        Ok((read > 0).then_some(line))
    }
}

fn read<T: serde::de::DeserializeOwned>(line: &str) -> Option<T> {
    serde_json::from_str(line).ok()
}

fn read_file(directory: &Path, name: &Path, most: u64) -> Result<Vec<u8>, Fault> {
    let path = directory.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(fault(None, &format!("`{}` is missing", name.display())));
        }
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&path, &error))?;
    match bytes.len() as u64 > most {
        true => Err(fault(None, &format!("`{}` is too long", name.display()))),
        false => Ok(bytes),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Unreadable(format!("`{}` cannot be read: {error}", path.display()))
}

fn fault(record: Option<u64>, detail: &str) -> Fault {
    Fault::Export {
        record,
        detail: detail.to_owned(),
    }
}
