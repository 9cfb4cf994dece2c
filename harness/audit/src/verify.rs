//! Does the ledger hold? One pass over every record and every body.
//!
//! Verification trusts nothing in the file: not the tables, not the head, not
//! the order of rows, not what SQLite says about its own pages. It never
//! writes and never repairs. It gives what holds, or the first fault.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Rows};

use crate::encoding::{self, DecodeError, Decoded, GENESIS};
use crate::entry::MAX_RECORD_BYTES;
use crate::fault::Fault;
use crate::instance;
use crate::mark::{self, Mark, MarkError};
use crate::reader::Reader;
use crate::store::{self, OpenRow, StoreError, from_sql, to_sql};
use crate::wire::{BodyRef, Data, Decision, Digest, Id, Outcome, Verdict};

const RECORDS: &str = "SELECT seq, call_id, record, hash FROM records ORDER BY seq";
const ONE_RECORD: &str = "SELECT record FROM records WHERE seq = ?1";
const FIRST_OF_CALL: &str = "SELECT min(seq) FROM records WHERE call_id = ?1";
const BODIES: &str = "SELECT id, digest, bytes FROM bodies ORDER BY id";
const BODY_LENGTH: &str = "SELECT id, length(bytes) FROM bodies WHERE digest = ?1";

/// Digests whose length is remembered, so that the common ones (an empty
/// stream, a repeated program) are not looked up again. About 300 KiB.
const MAX_REMEMBERED: usize = 4096;

/// Pages kept in memory, in SQLite's way of saying KiB: the upper levels of the
/// indexes that are looked into once for each record.
const CACHE_KIB: i64 = -65_536;

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records in the chain.
    pub records: u64,
    /// Bodies, each named by a record.
    pub bodies: u64,
    /// The last hash, which stands for the whole chain.
    pub head_hash: [u8; 32],
    /// Calls that were allowed and have no outcome yet; not a fault while their writer lives.
    pub open_calls: Vec<OpenCall>,
    /// The count that the mark beside the file vouches for; `None` without a mark.
    pub marked: Option<u64>,
}

/// A call without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall {
    /// The number of its decision.
    pub seq: u64,
    /// The call.
    pub call_id: [u8; 16],
}

/// Verifies a ledger, also while it is written.
///
/// # Errors
/// The first [`Fault`]; [`Fault::Unreadable`] when there was nothing to judge.
pub fn verify(path: &Path) -> Result<Verified, Fault> {
    // Before the database: a mark that is read later may be ahead of what we see.
    let mark = known_mark(path)?;
    let conn = Reader::open(path)?.into_connection();
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    // One snapshot for everything that follows.
    let snapshot = conn.unchecked_transaction()?;
    let mut bodies = snapshot.prepare(BODIES)?;
    let mut walk = Walk::new(&snapshot, Bodies::new(&snapshot, bodies.query([])?), mark);
    walk.records()?;
    walk.end()?;
    integrity(&snapshot)?;
    Ok(walk.verified())
}

fn known_mark(path: &Path) -> Result<Option<Mark>, Fault> {
    mark::read(&instance::directory(path)).map_err(|error| match error {
        MarkError::Malformed => Fault::MarkMalformed,
        MarkError::Io(error) => Fault::Unreadable(error.to_string()),
    })
}

/// SQLite's own opinion: pages, indexes, types. Last, since it knows no record numbers.
fn integrity(conn: &Connection) -> Result<(), Fault> {
    let finding: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding == "ok" {
        return Ok(());
    }
    Err(Fault::Storage {
        record: None,
        detail: finding.replace('\n', " "),
    })
}

/// The way through the records: what was reached and what is still open.
struct Walk<'c> {
    conn: &'c Connection,
    bodies: Bodies<'c>,
    mark: Option<Mark>,
    reached: Mark,
    open: BTreeMap<u64, OpenRow>,
}

impl<'c> Walk<'c> {
    fn new(conn: &'c Connection, bodies: Bodies<'c>, mark: Option<Mark>) -> Self {
        let reached = Mark {
            count: 0,
            hash: GENESIS,
        };
        let open = BTreeMap::new();
        Self {
            conn,
            bodies,
            mark,
            reached,
            open,
        }
    }

    fn records(&mut self) -> Result<(), Fault> {
        self.check_mark()?;
        let mut statement = self.conn.prepare(RECORDS)?;
        let mut rows = statement.query([])?;
        loop {
            let expected = self.reached.count + 1;
            let row = rows.next().map_err(|error| Fault::at(expected, error))?;
            let Some(row) = row else { return Ok(()) };
            self.record(row, expected)?;
            self.check_mark()?;
        }
    }

    fn record(&mut self, row: &Row<'_>, expected: u64) -> Result<(), Fault> {
        let at = |error| Fault::at(expected, error);
        let seq: i64 = row.get(0).map_err(at)?;
        if seq > to_sql(expected) {
            return Err(Fault::Missing { record: expected });
        }
        if seq < to_sql(expected) {
            return Err(Fault::Added {
                record: from_sql(seq),
            });
        }
        let bytes = row
            .get_ref(2)
            .map_err(at)?
            .as_blob()
            .map_err(|error| at(error.into()))?;
        let hash = encoding::chain(&self.reached.hash, bytes);
        let is_chained = hash == row.get::<_, [u8; 32]>(3).map_err(at)?;
        let decoded = decode(bytes, expected, is_chained)?;
        if decoded.data.call_id() != row.get(1).map_err(at)? {
            return Err(Fault::Call { record: expected });
        }
        self.reached = Mark {
            count: expected,
            hash,
        };
        self.meaning(&decoded)
    }

    fn meaning(&mut self, decoded: &Decoded) -> Result<(), Fault> {
        let record = decoded.place.seq;
        match &decoded.data {
            Data::Decision(decision) => self.decision(decoded, decision)?,
            Data::Outcome(outcome) => self.outcome(record, outcome)?,
            Data::Start(_) | Data::Stop(_) | Data::Note(_) => {}
        }
        for body in decoded.data.bodies() {
            self.bodies.check(record, body)?;
        }
        Ok(())
    }

    fn decision(&mut self, decoded: &Decoded, decision: &Decision) -> Result<(), Fault> {
        let record = decoded.place.seq;
        let call_id = decision.call_id.0;
        let mut statement = self.conn.prepare_cached(FIRST_OF_CALL)?;
        let first: Option<i64> = statement.query_row([call_id], |row| row.get(0))?;
        if first != Some(to_sql(record)) {
            let call_id = Id(call_id);
            return Err(Fault::SecondDecision { record, call_id });
        }
        match decision.verdict {
            Verdict::Hold | Verdict::Deny => {}
            Verdict::Allow => {
                let instance = decoded.place.instance;
                self.open.insert(
                    record,
                    OpenRow {
                        seq: record,
                        call_id,
                        instance,
                    },
                );
            }
        }
        Ok(())
    }

    fn outcome(&mut self, record: u64, outcome: &Outcome) -> Result<(), Fault> {
        let decision = outcome.decision_seq;
        match self.open.remove(&decision) {
            Some(open) if open.call_id == outcome.call_id.0 => Ok(()),
            Some(_) => Err(Fault::NoDecision { record, decision }),
            None if self.was_allowed(record, outcome)? => {
                Err(Fault::SecondOutcome { record, decision })
            }
            None => Err(Fault::NoDecision { record, decision }),
        }
    }

    /// Whether an earlier record allowed the call that this outcome ends.
    fn was_allowed(&self, record: u64, outcome: &Outcome) -> Result<bool, Fault> {
        if outcome.decision_seq >= record {
            return Ok(false);
        }
        let mut statement = self.conn.prepare_cached(ONE_RECORD)?;
        let bytes: Option<Vec<u8>> = statement
            .query_row([to_sql(outcome.decision_seq)], |row| row.get(0))
            .optional()?;
        let earlier = bytes.and_then(|bytes| encoding::decode(&bytes).ok());
        Ok(earlier.is_some_and(|earlier| match earlier.data {
            Data::Decision(decision) => {
                decision.call_id == outcome.call_id && decision.verdict == Verdict::Allow
            }
            Data::Start(_) | Data::Stop(_) | Data::Outcome(_) | Data::Note(_) => false,
        }))
    }

    /// When the walk is where the mark was set, both must have the same hash.
    fn check_mark(&self) -> Result<(), Fault> {
        match self.mark {
            Some(mark) if mark.count == self.reached.count && mark.hash != self.reached.hash => {
                Err(Fault::NotAsMarked { record: mark.count })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        let head = match store::read_head(self.conn) {
            Ok(head) => head,
            Err(StoreError::Sqlite(error)) => return Err(error.into()),
            Err(_) => return Err(Fault::Head),
        };
        let count = self.reached.count;
        if head.count > count {
            return Err(Fault::Missing { record: count + 1 });
        }
        if head.count < count {
            return Err(Fault::Added {
                record: head.count + 1,
            });
        }
        if head.hash != self.reached.hash {
            return Err(Fault::Head);
        }
        if let Some(mark) = self.mark.filter(|mark| mark.count > count) {
            let (record, once) = (count + 1, mark.count);
            return Err(Fault::Behind { record, once });
        }
        self.open_calls()?;
        self.bodies.end()
    }

    /// The stored list must be the derived one, row by row.
    fn open_calls(&self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare(store::OPEN_CALLS)?;
        let mut stored = statement.query([])?;
        let mut derived = self.open.values();
        loop {
            let differing = match (stored.next()?, derived.next()) {
                (None, None) => return Ok(()),
                (Some(row), Some(open)) if is_row(row, open)? => continue,
                (Some(row), Some(open)) => from_sql(row.get(0)?).min(open.seq),
                (Some(row), None) => from_sql(row.get(0)?),
                (None, Some(open)) => open.seq,
            };
            return Err(Fault::OpenCalls { record: differing });
        }
    }

    fn verified(self) -> Verified {
        let open = self.open.into_values();
        Verified {
            records: self.reached.count,
            bodies: self.bodies.checked,
            head_hash: self.reached.hash,
            open_calls: open
                .map(|row| OpenCall {
                    seq: row.seq,
                    call_id: row.call_id,
                })
                .collect(),
            marked: self.mark.map(|mark| mark.count),
        }
    }
}

fn is_row(row: &Row<'_>, open: &OpenRow) -> rusqlite::Result<bool> {
    Ok(row.get::<_, i64>(0)? == to_sql(open.seq)
        && row.get_ref(1)?.as_blob()? == open.call_id
        && row.get_ref(2)?.as_blob()? == open.instance)
}

/// The record in this place, or what is wrong with it.
fn decode(bytes: &[u8], expected: u64, is_chained: bool) -> Result<Decoded, Fault> {
    let decoded = if bytes.len() > MAX_RECORD_BYTES {
        Err(DecodeError::NotCanonical)
    } else {
        encoding::decode(bytes)
    };
    match decoded {
        Ok(decoded) if decoded.place.seq != expected => Err(Fault::Moved {
            record: expected,
            says: decoded.place.seq,
        }),
        // A later format is told from an alteration by its chain, which all versions share.
        Err(DecodeError::Version(found)) if is_chained => Err(Fault::LaterRecord {
            record: expected,
            found,
        }),
        _ if !is_chained => Err(Fault::Altered { record: expected }),
        Ok(decoded) => Ok(decoded),
        Err(error) => Err(Fault::NotCanonical {
            record: expected,
            detail: error.to_string(),
        }),
    }
}

/// The bodies, walked beside the records: each is stored when it is first
/// named, so the next body is always the next new name. No body is read twice.
struct Bodies<'c> {
    conn: &'c Connection,
    rows: Rows<'c>,
    next: Option<Stored>,
    checked: u64,
    remembered: HashMap<Digest, u64>,
}

/// A body as it lies in its row.
struct Stored {
    id: i64,
    name: Vec<u8>,
    digest: [u8; 32],
    bytes: u64,
}

impl<'c> Bodies<'c> {
    fn new(conn: &'c Connection, rows: Rows<'c>) -> Self {
        let remembered = HashMap::new();
        Self {
            conn,
            rows,
            next: None,
            checked: 0,
            remembered,
        }
    }

    /// Looks at the next body, unless it is looked at already.
    fn peek(&mut self) -> rusqlite::Result<()> {
        if self.next.is_some() {
            return Ok(());
        }
        let Some(row) = self.rows.next()? else {
            return Ok(());
        };
        let bytes = row.get_ref(2)?.as_blob()?;
        self.next = Some(Stored {
            id: row.get(0)?,
            name: row.get(1)?,
            digest: encoding::digest(bytes),
            bytes: bytes.len() as u64,
        });
        Ok(())
    }

    fn check(&mut self, record: u64, body: BodyRef) -> Result<(), Fault> {
        let digest = body.digest;
        self.peek().map_err(|error| Fault::at(record, error))?;
        match &self.next {
            Some(next) if next.name == digest.0 => {
                let is_intact = next.digest == digest.0 && next.bytes == body.bytes;
                if !is_intact || next.id != to_sql(self.checked + 1) {
                    return Err(Fault::BodyAltered { record, digest });
                }
                self.checked += 1;
                self.next = None;
                self.remember(body);
                Ok(())
            }
            Some(_) | None => self.check_earlier(record, body),
        }
    }

    /// A body that an earlier record named, and that was hashed then.
    fn check_earlier(&mut self, record: u64, body: BodyRef) -> Result<(), Fault> {
        let digest = body.digest;
        if self.remembered.get(&digest) == Some(&body.bytes) {
            return Ok(());
        }
        let mut statement = self.conn.prepare_cached(BODY_LENGTH)?;
        let row: Option<(i64, i64)> = statement
            .query_row([digest.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match row {
            None => Err(Fault::BodyMissing { record, digest }),
            Some((id, bytes)) if id > to_sql(self.checked) || from_sql(bytes) != body.bytes => {
                Err(Fault::BodyAltered { record, digest })
            }
            Some(_) => {
                self.remember(body);
                Ok(())
            }
        }
    }

    fn remember(&mut self, body: BodyRef) {
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert(body.digest, body.bytes);
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.peek()?;
        match &self.next {
            None => Ok(()),
            Some(next) => Err(Fault::BodyUnnamed {
                body: from_sql(next.id),
            }),
        }
    }
}
