//! The way through a ledger's records, in order; see the picture in the module above.
//!
//! Decoding and hashing run ahead on other threads, in chunks that come back
//! in the order in which they went. Everything that one record says about
//! another is judged here, one after the other. Memory does not grow with the
//! ledger, but for calls that are open.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use rusqlite::{Connection, OptionalExtension as _, Row, Rows};

use super::bodies::{BODIES, Bodies, erasures};
use super::{OpenCall, Trust, Verified};
use crate::checkpoint::Checkpoint;
use crate::encoding::{self, DecodeError, Decoded};
use crate::entry::MAX_RECORD_BYTES;
use crate::erase::Erasures;
use crate::fault::Fault;
use crate::mark::Mark;
use crate::store::{self, OpenRow, StoreError, from_sql, to_sql};
use crate::tree::{Frontier, Hash, Node};
use crate::wire::{Data, Decision, Erasure, Id, Outcome, Verdict};

const RECORDS: &str = "SELECT seq, call_id, leaf, record FROM records ORDER BY seq";
const ONE_RECORD: &str = "SELECT record FROM records WHERE seq = ?1";
const CALLS: &str =
    "SELECT call_id, seq FROM records WHERE call_id IS NOT NULL ORDER BY call_id, seq";
const CHECKPOINTS: &str = "SELECT size, note FROM checkpoints ORDER BY size";
const NODE: &str = "SELECT hash FROM nodes WHERE level = ?1 AND n = ?2";
const NODE_COUNT: &str = "SELECT count(*) FROM nodes";
const ERASURES: &str = "SELECT count(*) FROM erasures";
const IS_ERASURE: &str = "SELECT 1 FROM erasures WHERE seq = ?1";

/// Records that go to a thread at once: enough that handing over costs nothing.
const CHUNK: usize = 256;

/// Chunks that wait for each thread; what bounds memory.
const WAITING: usize = 2;

/// Threads that decode, at most; more than the reading thread can feed.
const MAX_THREADS: usize = 8;

/// A row as it was read.
struct Raw {
    seq: i64,
    call_id: Option<Vec<u8>>,
    leaf: Vec<u8>,
    record: Vec<u8>,
}

/// A row as it was judged by itself.
struct Judged {
    raw: Raw,
    decoded: Result<Decoded, DecodeError>,
}

/// Walks through everything in this snapshot.
pub(super) fn walk(
    conn: &Connection,
    trust: &Trust,
    mark: Option<Mark>,
) -> Result<Verified, Fault> {
    let erasures = erasures(conn)?;
    let mut bodies = conn.prepare(BODIES)?;
    let mut checkpoints = conn.prepare(CHECKPOINTS)?;
    let mut walk = Walk {
        conn,
        trust,
        mark,
        erasures,
        bodies: Bodies::new(bodies.query([])?),
        checkpoints: Checkpoints::new(checkpoints.query([])?, trust),
        frontier: Frontier::default(),
        open: BTreeMap::new(),
        counts: Counts::default(),
    };
    walk.stations()?;
    walk.records()?;
    walk.end()?;
    Ok(walk.verified())
}

/// What was counted on the way.
#[derive(Default)]
struct Counts {
    nodes: u64,
    decisions: u64,
    erasures: u64,
    fields: u64,
}

/// The way through the records: what was reached and what is still open.
struct Walk<'c> {
    conn: &'c Connection,
    trust: &'c Trust,
    mark: Option<Mark>,
    erasures: Erasures,
    bodies: Bodies<'c>,
    checkpoints: Checkpoints<'c>,
    frontier: Frontier,
    open: BTreeMap<u64, OpenRow>,
    counts: Counts,
}

impl Walk<'_> {
    /// Reads ahead, has chunks judged by threads, and takes them back in order.
    fn records(&mut self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare(RECORDS)?;
        let mut rows = statement.query([])?;
        thread::scope(|scope| {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let judges: Vec<_> = (0..cores.min(MAX_THREADS))
                .map(|_| {
                    let (to, inbox) = mpsc::sync_channel(WAITING);
                    let (outbox, from) = mpsc::sync_channel(WAITING);
                    scope.spawn(move || judge_all(&inbox, &outbox));
                    (to, from)
                })
                .collect();
            self.feed(&mut rows, &judges)
        })
    }

    fn feed(
        &mut self,
        rows: &mut Rows<'_>,
        judges: &[(SyncSender<Vec<Raw>>, Receiver<Vec<Judged>>)],
    ) -> Result<(), Fault> {
        let (mut sent, mut taken, mut read) = (0_usize, 0_usize, 0_u64);
        let mut failed = Ok(());
        loop {
            while failed.is_ok() && sent - taken < judges.len() * WAITING {
                let (chunk, ended) = read_chunk(rows, read);
                failed = ended.map_or(Ok(()), Err);
                read += chunk.len() as u64;
                if chunk.is_empty() {
                    break;
                }
                if let Some((to, _)) = judges.get(sent % judges.len()) {
                    // A judge ends only after us.
                    drop(to.send(chunk));
                }
                sent += 1;
            }
            if sent == taken {
                return failed;
            }
            let judged = judges.get(taken % judges.len());
            let judged = judged.and_then(|(_, from)| from.recv().ok());
            for judged in judged.unwrap_or_default() {
                self.record(judged)?;
            }
            taken += 1;
        }
    }

    fn record(&mut self, judged: Judged) -> Result<(), Fault> {
        let expected = self.frontier.count() + 1;
        let Judged { raw, decoded } = judged;
        if raw.seq > to_sql(expected) {
            return Err(Fault::Missing { record: expected });
        }
        if raw.seq < to_sql(expected) {
            let record = from_sql(raw.seq);
            return Err(Fault::Added { record });
        }
        let decoded = own(decoded, expected)?;
        let leaf = decoded.leaf();
        if raw.leaf != leaf {
            return Err(Fault::Altered { record: expected });
        }
        let filed: Option<&[u8]> = raw.call_id.as_deref();
        if decoded.data.call_id().as_ref().map(<[u8; 16]>::as_slice) != filed {
            return Err(Fault::Call { record: expected });
        }
        self.append(leaf)?;
        self.meaning(&decoded)?;
        self.stations()
    }

    /// The tree grows, and the stored nodes must be those that it has.
    fn append(&mut self, leaf: Hash) -> Result<(), Fault> {
        let mut nodes = Vec::new();
        self.frontier.append(leaf, |node| nodes.push(node));
        let record = self.frontier.count();
        for Node { level, n, hash } in nodes {
            let mut statement = self.conn.prepare_cached(NODE)?;
            let stored: Option<Vec<u8>> = statement
                .query_row((level, to_sql(n)), |row| row.get(0))
                .optional()?;
            if stored.as_deref() != Some(hash.as_slice()) {
                return Err(Fault::Tree { record });
            }
            self.counts.nodes += 1;
        }
        Ok(())
    }

    fn meaning(&mut self, decoded: &Decoded) -> Result<(), Fault> {
        let record = decoded.place.seq;
        match &decoded.data {
            Data::Decision(decision) => self.decision(decoded, decision),
            Data::Outcome(outcome) => self.outcome(record, outcome)?,
            Data::Erasure(erasure) => self.erasure(record, erasure)?,
            Data::Start(_) | Data::Stop(_) | Data::Note(_) => {}
        }
        for name in decoded.data.erased() {
            if !self.erasures.has_field(record, name) {
                let name = name.to_owned();
                return Err(Fault::FieldMissing { record, name });
            }
            self.counts.fields += 1;
        }
        self.bodies
            .check(record, &decoded.data.bodies(), &self.erasures)
    }

    fn decision(&mut self, decoded: &Decoded, decision: &Decision) {
        self.counts.decisions += 1;
        let record = decoded.place.seq;
        match decision.verdict {
            Verdict::Hold | Verdict::Deny => {}
            Verdict::Allow => {
                let row = OpenRow {
                    seq: record,
                    call_id: decision.call_id.0,
                    instance: decoded.place.instance,
                };
                self.open.insert(record, row);
            }
        }
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
        Ok(match self.one(outcome.decision_seq)? {
            Some(Data::Decision(decision)) => {
                decision.call_id == outcome.call_id && decision.verdict == Verdict::Allow
            }
            Some(
                Data::Start(_)
                | Data::Stop(_)
                | Data::Outcome(_)
                | Data::Note(_)
                | Data::Erasure(_),
            )
            | None => false,
        })
    }

    fn one(&self, seq: u64) -> Result<Option<Data>, Fault> {
        let mut statement = self.conn.prepare_cached(ONE_RECORD)?;
        let bytes: Option<Vec<u8>> = statement
            .query_row([to_sql(seq)], |row| row.get(0))
            .optional()?;
        let decoded = bytes.and_then(|bytes| encoding::decode(&bytes).ok());
        Ok(decoded.map(|decoded| decoded.data))
    }

    /// An erasure speaks of records before it, and the table of erasures knows of it.
    fn erasure(&mut self, record: u64, erasure: &Erasure) -> Result<(), Fault> {
        self.counts.erasures += 1;
        let mut items = erasure.items.iter();
        if !items.all(|item| 1 <= item.first && item.first <= item.last && item.last < record) {
            let detail = "an erasure of what is not before it".to_owned();
            return Err(Fault::NotCanonical { record, detail });
        }
        let mut statement = self.conn.prepare_cached(IS_ERASURE)?;
        match statement.exists([to_sql(record)])? {
            true => Ok(()),
            false => Err(Fault::Erasures),
        }
    }

    /// Where the walk is now: the mark, checkpoints and anchors of this size must have this root.
    fn stations(&mut self) -> Result<(), Fault> {
        let count = self.frontier.count();
        let marked = self.mark.filter(|mark| mark.count == count);
        let is_signed = self.checkpoints.is_at(count)?;
        // The root costs some hashes, so it is only made where it is compared.
        if marked.is_none() && !is_signed && !self.has_anchor(count) {
            return Ok(());
        }
        let root = self.frontier.root();
        if marked.is_some_and(|mark| mark.root != root) {
            return Err(Fault::NotAsMarked { record: count });
        }
        self.checkpoints.check(count, &root)?;
        for anchor in &self.trust.anchors {
            if anchor.size() == count && anchor.root() != root {
                return Err(Fault::NotAsAnchored { record: count });
            }
        }
        Ok(())
    }

    fn has_anchor(&self, count: u64) -> bool {
        let mut anchors = self.trust.anchors.iter();
        anchors.any(|anchor| anchor.size() == count)
    }

    fn end(&mut self) -> Result<(), Fault> {
        let count = self.frontier.count();
        let head = match store::read_head(self.conn) {
            Ok(head) => head,
            Err(StoreError::Sqlite(error)) => return Err(error.into()),
            Err(_) => return Err(Fault::Head),
        };
        if head.count() > count {
            return Err(Fault::Missing { record: count + 1 });
        }
        if head.count() < count {
            let record = head.count() + 1;
            return Err(Fault::Added { record });
        }
        if head != self.frontier {
            return Err(Fault::Head);
        }
        let anchors = self.trust.anchors.iter().map(Checkpoint::size);
        let once = anchors.chain(self.mark.map(|mark| mark.count)).max();
        if let Some(once) = once.filter(|once| *once > count) {
            let record = count + 1;
            return Err(Fault::Behind { record, once });
        }
        self.checkpoints.end(count, self.trust)?;
        self.counted(NODE_COUNT, self.counts.nodes, Fault::Tree { record: count })?;
        self.counted(ERASURES, self.counts.erasures, Fault::Erasures)?;
        self.calls()?;
        self.open_calls()?;
        self.bodies.end()
    }

    fn counted(&self, sql: &str, expected: u64, fault: Fault) -> Result<(), Fault> {
        let count: i64 = self.conn.query_row(sql, [], |row| row.get(0))?;
        match from_sql(count) == expected {
            true => Ok(()),
            false => Err(fault),
        }
    }

    /// Each call is decided once. Every outcome has its decision, so there are as many calls as
    /// decisions, or one was decided again.
    fn calls(&self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare(CALLS)?;
        let mut rows = statement.query([])?;
        let (mut last, mut calls) = (None, 0);
        let mut again = None;
        while let Some(row) = rows.next()? {
            let call_id: [u8; 16] = row.get(0)?;
            if last == Some(call_id) {
                let seq = from_sql(row.get(1)?);
                if again.is_none() && matches!(self.one(seq)?, Some(Data::Decision(_))) {
                    again = Some((seq, call_id));
                }
            } else {
                calls += 1;
            }
            last = Some(call_id);
        }
        match again {
            Some((record, call_id)) if calls != self.counts.decisions => {
                let call_id = Id(call_id);
                Err(Fault::SecondDecision { record, call_id })
            }
            Some(_) | None => Ok(()),
        }
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
        let anchors = self.trust.anchors.iter().map(Checkpoint::size);
        Verified {
            records: self.frontier.count(),
            bodies: self.bodies.checked,
            erased: self.bodies.erased + self.counts.fields,
            root: self.frontier.root(),
            open_calls: open
                .map(|row| OpenCall {
                    seq: row.seq,
                    call_id: row.call_id,
                })
                .collect(),
            marked: self.mark.map(|mark| mark.count),
            checkpoint: self.checkpoints.newest,
            signed_by: self.trust.key.as_ref().map(|key| key.name().to_owned()),
            witnessed: self.checkpoints.witnessed,
            anchored: anchors.max(),
        }
    }
}

/// The stored checkpoints, walked beside the records.
struct Checkpoints<'c> {
    rows: Rows<'c>,
    trust: &'c Trust,
    next: Option<(u64, String)>,
    newest: Option<u64>,
    witnessed: Vec<(String, u64)>,
}

impl<'c> Checkpoints<'c> {
    fn new(rows: Rows<'c>, trust: &'c Trust) -> Self {
        Self {
            rows,
            trust,
            next: None,
            newest: None,
            witnessed: Vec::new(),
        }
    }

    fn is_at(&mut self, count: u64) -> Result<bool, Fault> {
        if self.next.is_none()
            && let Some(row) = self.rows.next()?
        {
            self.next = Some((from_sql(row.get(0)?), row.get(1)?));
        }
        Ok(self.next.as_ref().is_some_and(|(size, _)| *size == count))
    }

    fn check(&mut self, count: u64, root: &Hash) -> Result<(), Fault> {
        let Some((size, note)) = self.next.take() else {
            return Ok(());
        };
        if size != count {
            self.next = Some((size, note));
            return Ok(());
        }
        let fault = |detail: &str| Fault::Checkpoint {
            record: count,
            detail: detail.to_owned(),
        };
        let checkpoint = Checkpoint::parse(&note).map_err(|error| fault(&error.to_string()))?;
        if checkpoint.size() != count || checkpoint.root() != *root {
            return Err(fault("it is one of other records"));
        }
        if let Some(key) = &self.trust.key
            && !checkpoint.is_signed_by(key)
        {
            return Err(fault(&format!("it is not signed by `{}`", key.name())));
        }
        for witness in &self.trust.witnesses {
            if checkpoint.note().is_signed_by(witness) {
                self.witnessed.retain(|(name, _)| name != witness.name());
                self.witnessed.push((witness.name().to_owned(), count));
            }
        }
        self.newest = Some(count);
        Ok(())
    }

    fn end(&mut self, count: u64, trust: &Trust) -> Result<(), Fault> {
        // What lies ahead of the last record, or was never reached, is of other records.
        let _ = self.is_at(count)?;
        if let Some((size, _)) = self.next.take() {
            return Err(Fault::Checkpoint {
                record: size,
                detail: "it is one of other records".to_owned(),
            });
        }
        let seen = |name: &str| self.witnessed.iter().any(|(witness, _)| witness == name);
        let absent = trust.witnesses.iter().find(|key| !seen(key.name()));
        match absent {
            None => Ok(()),
            Some(witness) => Err(Fault::NoWitness {
                name: witness.name().to_owned(),
            }),
        }
    }
}

/// The next rows, and the fault that ended them. Rows before it are judged first.
fn read_chunk(rows: &mut Rows<'_>, read: u64) -> (Vec<Raw>, Option<Fault>) {
    let mut chunk = Vec::with_capacity(CHUNK);
    while chunk.len() < CHUNK {
        let at = read + chunk.len() as u64 + 1;
        let row = match rows.next() {
            Ok(Some(row)) => raw(row),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        match row {
            Ok(raw) => chunk.push(raw),
            Err(error) => return (chunk, Some(Fault::at(at, error))),
        }
    }
    (chunk, None)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        seq: row.get(0)?,
        call_id: row.get(1)?,
        leaf: row.get(2)?,
        record: row.get(3)?,
    })
}

fn judge_all(inbox: &Receiver<Vec<Raw>>, outbox: &SyncSender<Vec<Judged>>) {
    for chunk in inbox {
        let judged = chunk.into_iter().map(|raw| Judged {
            decoded: decode(&raw.record),
            raw,
        });
        // Nobody takes it any more once a fault was found.
        if outbox.send(judged.collect()).is_err() {
            return;
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(DecodeError::NotCanonical);
    }
    encoding::decode(bytes)
}

/// The record of this place, or what is wrong with it.
fn own(decoded: Result<Decoded, DecodeError>, expected: u64) -> Result<Decoded, Fault> {
    match decoded {
        Ok(decoded) if decoded.place.seq != expected => Err(Fault::Moved {
            record: expected,
            says: decoded.place.seq,
        }),
        Ok(decoded) => Ok(decoded),
        Err(error) => Err(Fault::NotCanonical {
            record: expected,
            detail: error.to_string(),
        }),
    }
}

fn is_row(row: &Row<'_>, open: &OpenRow) -> rusqlite::Result<bool> {
    Ok(row.get::<_, i64>(0)? == to_sql(open.seq)
        && row.get_ref(1)?.as_blob()? == open.call_id
        && row.get_ref(2)?.as_blob()? == open.instance)
}
