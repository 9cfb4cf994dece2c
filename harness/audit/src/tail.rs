//! What the newest records say, before the tables say it too.
//!
//! ```text
//!  log      1 … settled  settled + 1 … count
//!           └────┬─────┘ └───────┬─────────┘
//!  calls, open_calls,            tail: the same things in memory,
//!  nodes, settled                for at most some thousand records
//! ```
//!
//! An append writes its record and nothing else, so that a commit costs one
//! page. Which calls there are, which of them are open, and the stored hashes
//! of the tree follow from the records. The writer keeps them in memory and
//! *settles* them into their tables with every checkpoint, and at the latest
//! after [`SETTLE_RECORDS`]. Who comes new reads the settled state and the
//! records behind it, each of which must be what its leaf says.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::encoding::{self, Decoded};
use crate::prepare::Call;
use crate::store::{OpenRow, SLOTS, StoreError, from_sql, record_id, to_sql};
use crate::tree::{Frontier, Hash, Node};

/// Records after which the tables follow. Who opens the ledger reads so many records (some
/// milliseconds), and a reader looks through so many for a call.
pub(crate) const SETTLE_RECORDS: u64 = 1024;

const READ_SETTLED: &str = "SELECT id, count, edge FROM settled";
const ADD_SETTLED: &str = "INSERT INTO settled(id, count, edge) VALUES (1, 0, x'')";
const WRITE_SETTLED: &str = "UPDATE settled SET count = ?1, edge = ?2 WHERE id = 1";
const SETTLED_COUNT: &str = "SELECT count FROM settled WHERE id = 1";
const LEAF: &str = "SELECT leaf FROM log WHERE id = ?1";
const FROM: &str =
    "SELECT id, leaf, bytes FROM log WHERE id >= ?1 AND leaf IS NOT NULL ORDER BY id LIMIT ?2";
const LAST_ID: &str = "SELECT id FROM log ORDER BY id DESC LIMIT 1";
const ADD_CALL: &str = "INSERT INTO calls(call_id, seq) VALUES (?1, ?2)";
const HAS_CALL: &str = "SELECT 1 FROM calls WHERE call_id = ?1 LIMIT 1";
const ADD_NODE: &str = "INSERT INTO nodes(level, n, hash) VALUES (?1, ?2, ?3)";
const OPEN_CALL: &str = "INSERT INTO open_calls(seq, call_id, instance) VALUES (?1, ?2, ?3)";
const CLOSE_CALL: &str = "DELETE FROM open_calls WHERE seq = ?1";
pub(crate) const OPEN_CALLS: &str = "SELECT seq, call_id, instance FROM open_calls ORDER BY seq";

/// The end of the log, and everything that an append must know of what came before.
#[derive(Debug)]
pub(crate) struct Tail {
    frontier: Frontier,
    /// The leaf of the last record.
    last: Option<Hash>,
    /// How far the tables are.
    settled: u64,
    /// All open calls, by the number of their decision.
    open: BTreeMap<u64, OpenRow>,
    /// Calls that are open in the table, and not any more.
    closed: Vec<u64>,
    /// Records about calls that the table does not know.
    calls: Vec<([u8; 16], u64)>,
    /// The same calls, to be looked up.
    known: HashSet<[u8; 16]>,
    /// Hashes that the table does not know.
    nodes: Vec<Node>,
}

impl Tail {
    /// The end as it is now: what was known of it and what was written since, or all of it.
    pub(crate) fn read(conn: &Connection, known: Option<Self>) -> Result<Self, StoreError> {
        let mut tail = match known {
            Some(tail) if tail.stands(conn)? => tail,
            Some(_) | None => Self::load(conn)?,
        };
        tail.follow(conn)?;
        Ok(tail)
    }

    /// The settled state; its last record must be there, and be itself.
    fn load(conn: &Connection) -> Result<Self, StoreError> {
        let frontier = read_settled(conn)?;
        let settled = frontier.count();
        let mut last = None;
        if settled > 0 {
            let mut statement = conn.prepare_cached(FROM)?;
            let mut rows = statement.query((record_id(settled), 1))?;
            let row = rows.next()?.ok_or(StoreError::Short { settled })?;
            last = Some(read(row, settled)?.leaf());
        }
        Ok(Self {
            last,
            settled,
            open: open_rows(conn)?,
            closed: Vec::new(),
            calls: Vec::new(),
            known: HashSet::new(),
            nodes: Vec::new(),
            frontier,
        })
    }

    /// Whether the tables and the last record are still those that are known.
    fn stands(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let mut settled = conn.prepare_cached(SETTLED_COUNT)?;
        let settled: Option<i64> = settled.query_row([], |row| row.get(0)).optional()?;
        let mut last = conn.prepare_cached(LEAF)?;
        let last: Option<Option<Hash>> = last
            .query_row([record_id(self.count())], |row| row.get(0))
            .optional()?;
        Ok(settled.map(from_sql) == Some(self.settled) && last.flatten() == self.last)
    }

    /// Takes in the records that others wrote.
    fn follow(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let mut statement = conn.prepare_cached(FROM)?;
        let mut rows = statement.query((record_id(self.count() + 1), -1))?;
        while let Some(row) = rows.next()? {
            let record = read(row, self.count() + 1)?;
            let call = Call::of(&record.data);
            self.push(record.leaf(), call, record.place.instance);
        }
        Ok(())
    }

    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(crate) fn count(&self) -> u64 {
        self.frontier.count()
    }

    /// The calls that are open, oldest first.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = &OpenRow> {
        self.open.values()
    }

    /// Whether this call is open under this decision.
    pub(crate) fn is_open(&self, decision_seq: u64, call_id: &[u8; 16]) -> bool {
        let open = self.open.get(&decision_seq);
        open.is_some_and(|open| open.call_id == *call_id)
    }

    /// Whether this call was decided.
    pub(crate) fn is_decided(
        &self,
        conn: &Connection,
        call_id: &[u8; 16],
    ) -> rusqlite::Result<bool> {
        if self.known.contains(call_id) {
            return Ok(true);
        }
        conn.prepare_cached(HAS_CALL)?.exists([call_id])
    }

    /// Takes in what the next record says.
    pub(crate) fn push(&mut self, leaf: Hash, call: Call, instance: [u8; 16]) {
        let nodes = &mut self.nodes;
        self.frontier.append(leaf, |node| nodes.push(node));
        self.last = Some(leaf);
        let seq = self.frontier.count();
        let call_id = match call {
            Call::None => return,
            Call::Decided(call_id, verdict) => {
                if verdict.is_allow() {
                    let row = OpenRow {
                        seq,
                        call_id,
                        instance,
                    };
                    self.open.insert(seq, row);
                }
                call_id
            }
            Call::Ended {
                call_id,
                decision_seq,
            } => {
                if self.open.remove(&decision_seq).is_some() && decision_seq <= self.settled {
                    self.closed.push(decision_seq);
                }
                call_id
            }
        };
        self.calls.push((call_id, seq));
        self.known.insert(call_id);
    }

    /// Whether the tables should follow now.
    pub(crate) fn is_long(&self) -> bool {
        self.count() - self.settled >= SETTLE_RECORDS
    }

    /// Writes into the tables what they do not know, inside the caller's transaction.
    pub(crate) fn settle(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let count = self.count();
        if count == self.settled {
            return Ok(());
        }
        // Neighbours in the table come one after the other.
        self.calls.sort_unstable();
        let mut add_call = conn.prepare_cached(ADD_CALL)?;
        for (call_id, seq) in self.calls.drain(..) {
            add_call.execute((call_id, to_sql(seq)))?;
        }
        let mut close = conn.prepare_cached(CLOSE_CALL)?;
        for seq in self.closed.drain(..) {
            close.execute([to_sql(seq)])?;
        }
        let mut open = conn.prepare_cached(OPEN_CALL)?;
        for (seq, row) in self.open.range(self.settled + 1..) {
            open.execute((to_sql(*seq), row.call_id, row.instance))?;
        }
        let mut add_node = conn.prepare_cached(ADD_NODE)?;
        for Node { level, n, hash } in self.nodes.drain(..) {
            add_node.execute((level, to_sql(n), hash))?;
        }
        let row = (to_sql(count), self.frontier.to_bytes());
        if conn.prepare_cached(WRITE_SETTLED)?.execute(row)? != 1 {
            return Err(StoreError::Settled);
        }
        self.known.clear();
        self.settled = count;
        Ok(())
    }
}

/// How many records there are, by the last row of the log.
pub(crate) fn count(conn: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = conn
        .prepare_cached(LAST_ID)?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.map_or(0, |id| id.unsigned_abs() / SLOTS))
}

/// Writes the settled state of a ledger that has no record yet.
pub(crate) fn add_settled(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(ADD_SETTLED, []).map(drop)
}

/// Reads the settled state, of which there is exactly one row.
pub(crate) fn read_settled(conn: &Connection) -> Result<Frontier, StoreError> {
    let mut statement = conn.prepare_cached(READ_SETTLED)?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StoreError::Settled)?;
    let (id, count, edge): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let count = u64::try_from(count).map_err(|_| StoreError::Settled)?;
    let frontier = Frontier::from_parts(count, &edge).filter(|_| id == 1);
    match rows.next()? {
        None => frontier.ok_or(StoreError::Settled),
        Some(_) => Err(StoreError::Settled),
    }
}

/// The record that must be in this row.
fn read(row: &Row<'_>, seq: u64) -> Result<Decoded, StoreError> {
    let damaged = || StoreError::Record(seq);
    let bytes = row.get_ref(2)?.as_blob().map_err(|_| damaged())?;
    let record = encoding::decode(bytes).map_err(|_| damaged())?;
    let leaf: Hash = row.get(1).map_err(|_| damaged())?;
    let is_own = row.get::<_, i64>(0)? == record_id(seq) && record.place.seq == seq;
    match is_own && record.leaf() == leaf {
        true => Ok(record),
        false => Err(damaged()),
    }
}

fn open_rows(conn: &Connection) -> Result<BTreeMap<u64, OpenRow>, StoreError> {
    let mut statement = conn.prepare_cached(OPEN_CALLS)?;
    let rows = statement.query_map([], |row| {
        let seq = from_sql(row.get(0)?);
        let row = OpenRow {
            seq,
            call_id: row.get(1)?,
            instance: row.get(2)?,
        };
        Ok((seq, row))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
