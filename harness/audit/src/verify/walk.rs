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

use super::bodies::{Bodies, Body, erasures};
use super::calls::Calls;
use super::{OpenCall, Trust, Verified};
use crate::checkpoint::Checkpoint;
use crate::encoding::{self, DecodeError, Decoded};
use crate::entry::MAX_RECORD_BYTES;
use crate::erase::Erasures;
use crate::fault::Fault;
use crate::mark::Mark;
use crate::prepare::Call;
use crate::skim::{Skimmed, skim};
use crate::store::{OpenRow, SLOTS, StoreError, from_sql, record_id, to_sql};
use crate::tail;
use crate::tree::{Frontier, Hash, Node};
use crate::wire::{Data, Erasure, Named, Verdict};

const ROWS: &str = "SELECT id, call_id, leaf, bytes FROM log ORDER BY id";
const ONE_RECORD: &str = "SELECT bytes FROM log WHERE id = ?1";
const CHECKPOINTS: &str = "SELECT size, note FROM checkpoints ORDER BY size";
const NODE: &str = "SELECT hash FROM nodes WHERE level = ?1 AND n = ?2";
const NODE_COUNT: &str = "SELECT count(*) FROM nodes";
const ERASURES: &str = "SELECT count(*) FROM erasures";
const IS_ERASURE: &str = "SELECT 1 FROM erasures WHERE seq = ?1";

/// Rows that go to a thread at once: enough that handing over costs nothing.
const CHUNK: usize = 512;

/// Bytes of them, unless one is longer; what bounds memory.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Chunks that wait for each thread; what bounds memory.
const WAITING: usize = 2;

/// Threads that decode, at most; more than the reading thread can feed.
const MAX_THREADS: usize = 8;

/// A row as it was read.
struct Raw {
    id: i64,
    call_id: Option<Vec<u8>>,
    leaf: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

/// A row as it was judged by itself.
#[expect(
    clippy::large_enum_variant,
    reason = "half of the rows or more are records, and each is moved once"
)]
enum Judged {
    Record(RecordRow),
    Body(Body),
    /// A body with the marks of a record, or a record without.
    Misfiled(i64),
}

/// A record: what its row says, and what it says itself.
struct RecordRow {
    id: i64,
    call_id: Option<Vec<u8>>,
    leaf: Vec<u8>,
    own: Result<Own, DecodeError>,
}

/// What the walk needs of a record.
struct Own {
    seq: u64,
    instance: [u8; 16],
    leaf: Hash,
    call: Call,
    erasure: Option<Erasure>,
    erased: Vec<&'static str>,
    bodies: Vec<Named>,
}

/// The way to a thread that decodes, and back.
type Judge = (SyncSender<Vec<Raw>>, Receiver<Vec<Judged>>);

/// Walks through everything in this snapshot.
pub(super) fn walk(
    conn: &Connection,
    trust: &Trust,
    mark: Option<Mark>,
) -> Result<Verified, Fault> {
    let erasures = erasures(conn)?;
    let settled = match tail::read_settled(conn) {
        Ok(settled) => settled,
        Err(StoreError::Sqlite(error)) => return Err(error.into()),
        Err(_) => return Err(Fault::Settled),
    };
    let mut checkpoints = conn.prepare(CHECKPOINTS)?;
    let mut walk = Walk {
        conn,
        trust,
        mark,
        erasures,
        bodies: Bodies::default(),
        calls: Calls::new(settled.count()),
        settled,
        open_differ: None,
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
    erasures: u64,
    fields: u64,
}

/// The way through the records: what was reached and what is still open.
struct Walk<'c> {
    conn: &'c Connection,
    trust: &'c Trust,
    mark: Option<Mark>,
    erasures: Erasures,
    bodies: Bodies,
    calls: Calls,
    /// How far the tables are.
    settled: Frontier,
    /// How the table of open calls differs from the records.
    open_differ: Option<Fault>,
    checkpoints: Checkpoints<'c>,
    frontier: Frontier,
    open: BTreeMap<u64, OpenRow>,
    counts: Counts,
}

impl Walk<'_> {
    /// Reads ahead, has chunks judged by threads, and takes them back in order.
    fn records(&mut self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare(ROWS)?;
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

    fn feed(&mut self, rows: &mut Rows<'_>, judges: &[Judge]) -> Result<(), Fault> {
        let (mut sent, mut taken, mut last) = (0_usize, 0_usize, 0_i64);
        let mut failed = Ok(());
        loop {
            while failed.is_ok() && sent - taken < judges.len() * WAITING {
                let (chunk, ended) = read_chunk(rows, last);
                failed = ended.map_or(Ok(()), Err);
                last = chunk.last().map_or(last, |raw| raw.id);
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
                self.row(judged)?;
            }
            taken += 1;
        }
    }

    fn row(&mut self, judged: Judged) -> Result<(), Fault> {
        match judged {
            Judged::Record(row) => {
                self.bodies.over(&self.erasures)?;
                self.record(row)
            }
            Judged::Body(body) => self.bodies.check(&body, &self.erasures),
            Judged::Misfiled(id) if id < 0 => Err(Fault::Added { record: 0 }),
            Judged::Misfiled(id) => Err(Fault::Altered {
                record: from_sql(id) / SLOTS,
            }),
        }
    }

    fn record(&mut self, row: RecordRow) -> Result<(), Fault> {
        let expected = self.frontier.count() + 1;
        let found = from_sql(row.id) / SLOTS;
        if found > expected {
            return Err(Fault::Missing { record: expected });
        }
        if found < expected {
            return Err(Fault::Added { record: found });
        }
        let own = own(row.own, expected)?;
        if row.leaf != own.leaf {
            return Err(Fault::Altered { record: expected });
        }
        if own.call.id().as_ref().map(<[u8; 16]>::as_slice) != row.call_id.as_deref() {
            return Err(Fault::Call { record: expected });
        }
        self.append(own.leaf)?;
        self.meaning(own)?;
        self.stations()
    }

    /// The tree grows, and the stored nodes must be those that it has.
    fn append(&mut self, leaf: Hash) -> Result<(), Fault> {
        let mut nodes = Vec::new();
        self.frontier.append(leaf, |node| nodes.push(node));
        let record = self.frontier.count();
        if record > self.settled.count() {
            return Ok(());
        }
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

    fn meaning(&mut self, own: Own) -> Result<(), Fault> {
        let record = own.seq;
        if let Some(call_id) = own.call.id() {
            self.calls.add(record, call_id);
        }
        match own.call {
            Call::None => {}
            Call::Decided(call_id, verdict) => {
                self.calls.decided(self.conn, record, call_id)?;
                self.decision(record, call_id, verdict, own.instance);
            }
            Call::Ended {
                call_id,
                decision_seq,
            } => self.outcome(record, call_id, decision_seq)?,
        }
        if let Some(erasure) = &own.erasure {
            self.erasure(record, erasure)?;
        }
        for name in own.erased {
            if !self.erasures.has_field(record, name) {
                let name = name.to_owned();
                return Err(Fault::FieldMissing { record, name });
            }
            self.counts.fields += 1;
        }
        self.bodies.expect(record, own.bodies);
        Ok(())
    }

    fn decision(&mut self, seq: u64, call_id: [u8; 16], verdict: Verdict, instance: [u8; 16]) {
        if verdict.is_allow() {
            let row = OpenRow {
                seq,
                call_id,
                instance,
            };
            self.open.insert(seq, row);
        }
    }

    fn outcome(&mut self, record: u64, call_id: [u8; 16], decision: u64) -> Result<(), Fault> {
        match self.open.remove(&decision) {
            Some(open) if open.call_id == call_id => Ok(()),
            Some(_) => Err(Fault::NoDecision { record, decision }),
            None if self.was_allowed(record, call_id, decision)? => {
                Err(Fault::SecondOutcome { record, decision })
            }
            None => Err(Fault::NoDecision { record, decision }),
        }
    }

    /// Whether an earlier record allowed the call that this outcome ends.
    fn was_allowed(&self, record: u64, call: [u8; 16], decision: u64) -> Result<bool, Fault> {
        if decision >= record {
            return Ok(false);
        }
        Ok(match self.one(decision)? {
            Some(Call::Decided(call_id, verdict)) => call_id == call && verdict.is_allow(),
            Some(Call::None | Call::Ended { .. }) | None => false,
        })
    }

    fn one(&self, seq: u64) -> Result<Option<Call>, Fault> {
        let mut statement = self.conn.prepare_cached(ONE_RECORD)?;
        let bytes: Option<Vec<u8>> = statement
            .query_row([record_id(seq)], |row| row.get(0))
            .optional()?;
        let decoded = bytes.and_then(|bytes| encoding::decode(&bytes).ok());
        Ok(decoded.map(|decoded| Call::of(&decoded.data)))
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
        if count == self.settled.count() {
            self.settled_here()?;
        }
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

    /// Where the tables are to agree with the records.
    fn settled_here(&mut self) -> Result<(), Fault> {
        if self.frontier != self.settled {
            return Err(Fault::Settled);
        }
        // A record that is missing behind it says more.
        self.open_differ = self.open_calls().err();
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.bodies.over(&self.erasures)?;
        let count = self.frontier.count();
        if self.settled.count() > count {
            return Err(Fault::Missing { record: count + 1 });
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
        self.calls.end(self.conn, |seq| {
            let call = self.one(seq)?;
            Ok(matches!(call, Some(Call::Decided(..))))
        })?;
        if let Some(fault) = self.open_differ.take() {
            return Err(fault);
        }
        self.bodies.end()
    }

    fn counted(&self, sql: &str, expected: u64, fault: Fault) -> Result<(), Fault> {
        let count: i64 = self.conn.query_row(sql, [], |row| row.get(0))?;
        match from_sql(count) == expected {
            true => Ok(()),
            false => Err(fault),
        }
    }

    /// The stored list must be the derived one, row by row.
    fn open_calls(&self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare(tail::OPEN_CALLS)?;
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
fn read_chunk(rows: &mut Rows<'_>, last: i64) -> (Vec<Raw>, Option<Fault>) {
    let mut chunk: Vec<Raw> = Vec::with_capacity(CHUNK);
    let mut bytes = 0;
    while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
        let row = match rows.next() {
            Ok(Some(row)) => raw(row),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        match row {
            Ok(raw) => {
                bytes += raw.bytes.len();
                chunk.push(raw);
            }
            Err(error) => {
                let last = chunk.last().map_or(last, |raw| raw.id);
                let record = last.unsigned_abs() / SLOTS + 1;
                return (chunk, Some(Fault::at(record, error)));
            }
        }
    }
    (chunk, None)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        call_id: row.get(1)?,
        leaf: row.get(2)?,
        bytes: row.get(3)?,
    })
}

fn judge_all(inbox: &Receiver<Vec<Raw>>, outbox: &SyncSender<Vec<Judged>>) {
    for chunk in inbox {
        let judged = chunk.into_iter().map(judge);
        // Nobody takes it any more once a fault was found.
        if outbox.send(judged.collect()).is_err() {
            return;
        }
    }
}

/// A record lies at the first place of its number, and has a leaf; a body has neither leaf nor call.
fn judge(raw: Raw) -> Judged {
    let Raw {
        id,
        call_id,
        leaf,
        bytes,
    } = raw;
    match (from_sql(id) % SLOTS, leaf) {
        (0, Some(leaf)) if id >= 0 => Judged::Record(RecordRow {
            id,
            call_id,
            leaf,
            own: match skim(&bytes) {
                Some(skimmed) => Ok(Own::skimmed(skimmed)),
                None => decode(&bytes).map(Own::of),
            },
        }),
        (1.., None) if id >= 0 && call_id.is_none() => Judged::Body(Body {
            id,
            digest: encoding::digest(&bytes),
            bytes: bytes.len() as u64,
        }),
        (_, _) => Judged::Misfiled(id),
    }
}

impl Own {
    fn skimmed(skimmed: Skimmed) -> Self {
        Self {
            seq: skimmed.place.seq,
            instance: skimmed.place.instance,
            leaf: skimmed.leaf,
            call: skimmed.call,
            erasure: None,
            erased: Vec::new(),
            bodies: skimmed.bodies,
        }
    }

    fn of(decoded: Decoded) -> Self {
        Self {
            seq: decoded.place.seq,
            instance: decoded.place.instance,
            leaf: decoded.leaf(),
            call: Call::of(&decoded.data),
            erased: decoded.data.erased(),
            bodies: decoded.data.bodies(),
            erasure: match decoded.data {
                Data::Erasure(erasure) => Some(erasure),
                Data::Start(_)
                | Data::Stop(_)
                | Data::Decision(_)
                | Data::Outcome(_)
                | Data::Note(_) => None,
            },
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
fn own(own: Result<Own, DecodeError>, expected: u64) -> Result<Own, Fault> {
    match own {
        Ok(own) if own.seq != expected => Err(Fault::Moved {
            record: expected,
            says: own.seq,
        }),
        Ok(own) => Ok(own),
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
