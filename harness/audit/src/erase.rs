//! Erasing: a field or a body goes, every proof stays.
//!
//! In one transaction the value is taken out of its record (its commitment
//! stays, so the leaf is the same), the bodies are deleted, and a record says
//! what was erased, by whom and why. SQLite overwrites what is deleted
//! (`secure_delete`), and afterwards the write-ahead log is emptied, since it
//! still has the old pages. What can be erased is what a caller may have put
//! there; numbers, digests of policies and our own words stay.
//!
//! Copies are somebody else's: an export, a backup, a snapshot of the disk.

use rusqlite::{Connection, OptionalExtension as _};

use crate::encoding::{self, Decoded};
use crate::entry::{Refusal, Written};
use crate::prepare;
use crate::store::{Batch, SLOTS, StoreError, body_id, record_id};
use crate::wire::{Data, Erased, Erasure};

const RECORD: &str = "SELECT bytes FROM log WHERE id = ?1";
const REWRITE: &str = "UPDATE log SET bytes = ?2 WHERE id = ?1";
const HAS_BODY: &str = "SELECT 1 FROM log WHERE id = ?1";
const DROP_BODIES: &str = "DELETE FROM log WHERE id >= ?1 AND id < ?2 AND leaf IS NULL";
const BODY_BYTES: &str = "SELECT coalesce(sum(length(bytes)), 0) FROM log WHERE leaf IS NULL";
const BODIES: &str = "SELECT id, length(bytes) FROM log WHERE leaf IS NULL ORDER BY id";

/// What somebody wants to have erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What.
    pub target: Target,
}

/// What is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These bodies and fields of one record; all that can be erased, when neither is named.
    Record {
        /// Its number.
        seq: u64,
        /// Names of bodies.
        bodies: Vec<String>,
        /// Names of fields; their bodies go with them.
        fields: Vec<String>,
    },
    /// All bodies of a run of records.
    Bodies {
        /// The first record.
        first: u64,
        /// The last record.
        last: u64,
    },
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiped {
    /// The record that says so.
    pub seq: u64,
    /// Whether the write-ahead log is empty: until it is, it still has the old pages. It is not
    /// when somebody has been reading the ledger all the time.
    pub log_is_empty: bool,
}

/// Erases inside of a transaction, and writes the record that says so.
pub(crate) fn apply(
    batch: &mut Batch<'_>,
    wish: &Wish,
) -> Result<Result<Written, Refusal>, StoreError> {
    let erased = match &wish.target {
        Target::Record {
            seq,
            bodies,
            fields,
        } => match one(batch, *seq, bodies, fields)? {
            Ok(erased) => erased,
            Err(refusal) => return Ok(Err(refusal)),
        },
        Target::Bodies { first, last } => {
            let end = last.saturating_add(1);
            drop_bodies(batch.conn(), record_id(*first), record_id(end))?;
            Erased {
                bodies: vec!["*".to_owned()],
                fields: Vec::new(),
                first: *first,
                last: *last,
            }
        }
    };
    let erasure = Erasure {
        by: wish.by.clone(),
        items: vec![erased],
        reason: wish.reason.clone(),
    };
    match prepare::erasure(erasure) {
        Ok(entry) => batch.add(&entry),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Empties the write-ahead log, which has the pages as they were before.
pub(crate) fn wipe(conn: &Connection, seq: u64) -> Wiped {
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    Wiped {
        seq,
        log_is_empty: busy == Ok(0_i64),
    }
}

fn one(
    batch: &Batch<'_>,
    seq: u64,
    bodies: &[String],
    fields: &[String],
) -> Result<Result<Erased, Refusal>, StoreError> {
    let conn = batch.conn();
    let mut statement = conn.prepare_cached(RECORD)?;
    let record: Option<Vec<u8>> = statement
        .query_row([record_id(seq)], |row| row.get(0))
        .optional()?;
    let none = |name: &str, choice: &str| {
        Ok(Err(Refusal::NotErasable {
            record: seq,
            name: name.to_owned(),
            choice: choice.to_owned(),
        }))
    };
    let Some(record) = record else {
        return none("record", "there is no such record");
    };
    let frame = |source| StoreError::Frame { seq, source };
    let decoded = encoding::decode(&record).map_err(frame)?;
    let choice = Choice::of(conn, &decoded)?;
    let (fields, bodies) = match (fields, bodies) {
        ([], []) => (choice.fields.clone(), choice.body_names()),
        (fields, bodies) => (fields.to_vec(), bodies.to_vec()),
    };
    let unknown = fields.iter().find(|name| !choice.fields.contains(name));
    let unknown = unknown.or(bodies.iter().find(|name| !choice.has_body(name)));
    if let Some(name) = unknown {
        return none(name, &choice.told());
    }
    if fields.is_empty() && bodies.is_empty() {
        return none("field or body", &choice.told());
    }
    let mut gone = Vec::new();
    for (name, slot) in &choice.bodies {
        let of_field = name.split('/').next().unwrap_or(name);
        if bodies.contains(name) || fields.iter().any(|field| field == of_field) {
            drop_bodies(conn, body_id(seq, *slot), body_id(seq, slot + 1))?;
            gone.push(name.clone());
        }
    }
    if !fields.is_empty() {
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let rest = encoding::erase(&record, &names).map_err(frame)?;
        conn.prepare_cached(REWRITE)?
            .execute((record_id(seq), rest))?;
    }
    Ok(Ok(Erased {
        bodies: gone,
        fields,
        first: seq,
        last: seq,
    }))
}

/// What of a record can be erased.
struct Choice {
    fields: Vec<String>,
    bodies: Vec<(String, u64)>,
}

impl Choice {
    fn of(conn: &Connection, decoded: &Decoded) -> Result<Self, StoreError> {
        let fields = decoded.data.erasable().into_iter();
        let mut bodies = Vec::new();
        for named in decoded.data.bodies() {
            let id = body_id(decoded.place.seq, named.slot);
            if conn.prepare_cached(HAS_BODY)?.exists([id])? {
                bodies.push((named.name, named.slot));
            }
        }
        // An interrupted call has no streams; taking their `null` out would hide nothing.
        Ok(Self {
            fields: fields
                .filter(|(_, is_erased)| !is_erased)
                .map(|(name, _)| name.to_owned())
                .collect(),
            bodies,
        })
    }

    fn has_body(&self, name: &str) -> bool {
        self.bodies.iter().any(|(body, _)| body == name)
    }

    fn body_names(&self) -> Vec<String> {
        self.bodies.iter().map(|(name, _)| name.clone()).collect()
    }

    fn told(&self) -> String {
        let list = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        format!(
            "fields: {}; bodies: {}",
            list(&self.fields),
            list(&self.body_names())
        )
    }
}

fn drop_bodies(conn: &Connection, from: i64, to: i64) -> Result<(), StoreError> {
    conn.prepare_cached(DROP_BODIES)?.execute((from, to))?;
    Ok(())
}

/// Until when bodies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Bodies of records before this moment go, in microseconds since 1970.
    pub before_us: Option<u64>,
    /// The oldest bodies go until the rest has no more bytes than this.
    pub body_bytes: Option<u64>,
}

/// The run of records whose bodies a rule of retention lets go; `None` when none has to.
pub(crate) fn too_old(
    conn: &Connection,
    retention: Retention,
) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut excess = match retention.body_bytes {
        None => 0,
        Some(most) => {
            let all: i64 = conn.query_row(BODY_BYTES, [], |row| row.get(0))?;
            u64::try_from(all).unwrap_or(0).saturating_sub(most)
        }
    };
    let mut statement = conn.prepare(BODIES)?;
    let mut rows = statement.query([])?;
    let (mut first, mut last) = (None, 0);
    while let Some(row) = rows.next()? {
        let (id, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
        let seq = id.unsigned_abs() / SLOTS;
        let is_old = match retention.before_us {
            Some(before) if seq != last => written_before(conn, seq, before)?,
            Some(_) => true,
            None => false,
        };
        // A record's bodies go together, so its later ones follow its first.
        if !is_old && excess == 0 && seq != last {
            break;
        }
        excess = excess.saturating_sub(bytes.unsigned_abs());
        first.get_or_insert(seq);
        last = seq;
    }
    Ok(first.map(|first| (first, last)))
}

fn written_before(conn: &Connection, seq: u64, before_us: u64) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(RECORD)?;
    let record: Option<Vec<u8>> = statement
        .query_row([record_id(seq)], |row| row.get(0))
        .optional()?;
    let decoded = record.and_then(|record| encoding::decode(&record).ok());
    Ok(decoded.is_some_and(|decoded| decoded.place.time_us < before_us))
}

/// What covers what is not there any more, by the erasures of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Erasures(Vec<Erased>);

impl Erasures {
    pub(crate) fn add(&mut self, data: &Data) {
        match data {
            Data::Erasure(erasure) => self.0.extend(erasure.items.iter().cloned()),
            Data::Start(_)
            | Data::Stop(_)
            | Data::Decision(_)
            | Data::Outcome(_)
            | Data::Note(_) => {}
        }
    }

    pub(crate) fn has_body(&self, seq: u64, name: &str) -> bool {
        self.0.iter().any(|erased| erased.has_body(seq, name))
    }

    pub(crate) fn has_field(&self, seq: u64, name: &str) -> bool {
        self.0.iter().any(|erased| erased.has_field(seq, name))
    }
}
