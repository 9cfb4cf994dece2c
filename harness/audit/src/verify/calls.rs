//! Which calls there are: the table that says so, and each call decided once.
//!
//! The table has a row for each record about a call, up to the settled one. It
//! lies in the order of the calls and the records do not, so both are added up:
//! each row's hash under a key that is new each time, in any order. Sums that
//! differ are looked into row by row, to name the record.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::Fault;
use crate::store::{from_sql, record_id, to_sql};
use crate::wire::Id;

const CALLS: &str = "SELECT call_id, seq FROM calls ORDER BY call_id, seq";
const FILED: &str = "SELECT 1 FROM calls WHERE call_id = ?1 AND seq = ?2";
const IS_DECIDED: &str = "SELECT 1 FROM calls WHERE call_id = ?1 LIMIT 1";
const CALL_OF: &str = "SELECT call_id FROM log WHERE id = ?1";
const ALL: &str =
    "SELECT id / 8192, call_id FROM log WHERE leaf IS NOT NULL AND call_id IS NOT NULL ORDER BY id";

type CallId = [u8; 16];

/// What the records say of calls.
pub(super) struct Calls {
    settled: u64,
    keys: [RandomState; 2],
    /// Over the settled records about calls.
    sum: u128,
    /// Settled decisions.
    decisions: u64,
    /// Calls that were decided behind the settled records.
    behind: HashSet<CallId>,
}

impl Calls {
    pub(super) fn new(settled: u64) -> Self {
        Self {
            settled,
            keys: [RandomState::new(), RandomState::new()],
            sum: 0,
            decisions: 0,
            behind: HashSet::new(),
        }
    }

    /// A record about a call.
    pub(super) fn add(&mut self, record: u64, call_id: CallId) {
        if record <= self.settled {
            self.sum = self.sum.wrapping_add(self.hash(call_id, record));
        }
    }

    /// A decision; behind the settled records, where it can still be looked up, it must be the
    /// first one of its call.
    pub(super) fn decided(
        &mut self,
        conn: &Connection,
        record: u64,
        call_id: CallId,
    ) -> Result<(), Fault> {
        if record <= self.settled {
            self.decisions += 1;
            return Ok(());
        }
        let is_filed = conn.prepare_cached(IS_DECIDED)?.exists([call_id])?;
        match self.behind.insert(call_id) && !is_filed {
            true => Ok(()),
            false => {
                let call_id = Id(call_id);
                Err(Fault::SecondDecision { record, call_id })
            }
        }
    }

    /// After the last record: the table must say the same. Every outcome has its decision, so
    /// there are as many calls as decisions, or one was decided again.
    pub(super) fn end(
        &self,
        conn: &Connection,
        is_decision: impl Fn(u64) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut statement = conn.prepare(CALLS)?;
        let mut rows = statement.query([])?;
        let (mut sum, mut calls, mut last) = (0_u128, 0, None);
        while let Some(row) = rows.next()? {
            let (call_id, seq): (CallId, u64) = (row.get(0)?, from_sql(row.get(1)?));
            sum = sum.wrapping_add(self.hash(call_id, seq));
            calls += u64::from(last != Some(call_id));
            last = Some(call_id);
        }
        if sum != self.sum {
            let record = self.differing(conn)?;
            return Err(Fault::Call { record });
        }
        match calls == self.decisions {
            true => Ok(()),
            false => again(conn, is_decision),
        }
    }

    /// The first record that the table files wrongly, or not at all.
    fn differing(&self, conn: &Connection) -> Result<u64, Fault> {
        let mut first = u64::MAX;
        let mut statement = conn.prepare(CALLS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (call_id, seq): (CallId, u64) = (row.get(0)?, from_sql(row.get(1)?));
            let own: Option<Option<CallId>> = conn
                .prepare_cached(CALL_OF)?
                .query_row([record_id(seq)], |row| row.get(0))
                .optional()?;
            if own.flatten() != Some(call_id) || seq > self.settled {
                first = first.min(seq);
            }
        }
        let mut statement = conn.prepare(ALL)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, call_id): (u64, CallId) = (from_sql(row.get(0)?), row.get(1)?);
            if seq >= first || seq > self.settled {
                break;
            }
            if !conn.prepare_cached(FILED)?.exists((call_id, to_sql(seq)))? {
                first = seq;
            }
        }
        Ok(first)
    }

    fn hash(&self, call_id: CallId, seq: u64) -> u128 {
        let [high, low] = &self.keys;
        let row = (call_id, seq);
        u128::from(high.hash_one(row)) << 64 | u128::from(low.hash_one(row))
    }
}

/// The call that was decided twice.
fn again(conn: &Connection, is_decision: impl Fn(u64) -> Result<bool, Fault>) -> Result<(), Fault> {
    let mut statement = conn.prepare(CALLS)?;
    let mut rows = statement.query([])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (call_id, record): (CallId, u64) = (row.get(0)?, from_sql(row.get(1)?));
        if last == Some(call_id) && is_decision(record)? {
            let call_id = Id(call_id);
            return Err(Fault::SecondDecision { record, call_id });
        }
        last = Some(call_id);
    }
    Ok(())
}
