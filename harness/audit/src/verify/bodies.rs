//! The bodies, which lie behind their records: each is the next one that its
//! record names, or an erasure says that it is gone. One that no record names
//! is found.

use std::collections::VecDeque;

use rusqlite::Connection;

use crate::encoding;
use crate::erase::Erasures;
use crate::fault::Fault;
use crate::store::{SLOTS, body_id, from_sql};
use crate::wire::Named;

const ERASURES: &str =
    "SELECT bytes FROM log WHERE id IN (SELECT seq * 8192 FROM erasures) ORDER BY id";

const _: () = assert!(SLOTS == 8192, "as `ERASURES` says");

/// A body as it lies in its row.
pub(super) struct Body {
    pub(super) id: i64,
    pub(super) digest: [u8; 32],
    pub(super) bytes: u64,
}

/// The bodies of the record that is looked at.
#[derive(Default)]
pub(super) struct Bodies {
    record: u64,
    due: VecDeque<Named>,
    /// The first one behind a record that is not there.
    stray: Option<i64>,
    pub(super) checked: u64,
    pub(super) erased: u64,
}

impl Bodies {
    /// What the next record names. An empty body is not stored.
    pub(super) fn expect(&mut self, record: u64, named: Vec<Named>) {
        self.record = record;
        self.due = named.into();
        self.due.retain(|named| named.body.bytes > 0);
    }

    /// The next body.
    pub(super) fn check(&mut self, body: &Body, erasures: &Erasures) -> Result<(), Fault> {
        if from_sql(body.id) / SLOTS > self.record {
            // That its record is missing is said first, if one comes behind it.
            self.stray.get_or_insert(body.id);
            return Ok(());
        }
        while let Some(named) = self.due.pop_front() {
            let id = body_id(self.record, named.slot);
            if id == body.id {
                return self.judge(named, body, erasures);
            }
            if id > body.id {
                break;
            }
            self.absent(named, erasures)?;
        }
        Err(unnamed(body.id))
    }

    /// After the last body of a record: what is still due must be erased.
    pub(super) fn over(&mut self, erasures: &Erasures) -> Result<(), Fault> {
        while let Some(named) = self.due.pop_front() {
            self.absent(named, erasures)?;
        }
        Ok(())
    }

    /// After the last record.
    pub(super) fn end(&self) -> Result<(), Fault> {
        self.stray.map_or(Ok(()), |id| Err(unnamed(id)))
    }

    fn judge(&mut self, named: Named, body: &Body, erasures: &Erasures) -> Result<(), Fault> {
        let record = self.record;
        let name = named.name;
        if body.digest != named.body.digest.0 || body.bytes != named.body.bytes {
            return Err(Fault::BodyAltered { record, name });
        }
        if erasures.has_body(record, &name) {
            return Err(Fault::BodyReturned { record, name });
        }
        self.checked += 1;
        Ok(())
    }

    fn absent(&mut self, named: Named, erasures: &Erasures) -> Result<(), Fault> {
        let record = self.record;
        if erasures.has_body(record, &named.name) {
            self.erased += 1;
            return Ok(());
        }
        let name = named.name;
        Err(Fault::BodyMissing { record, name })
    }
}

fn unnamed(id: i64) -> Fault {
    let id = from_sql(id);
    Fault::BodyUnnamed {
        record: id / SLOTS,
        place: (id % SLOTS).saturating_sub(1),
    }
}

/// Every erasure of the ledger, which the records before it need.
pub(super) fn erasures(conn: &Connection) -> Result<Erasures, Fault> {
    let mut erasures = Erasures::default();
    let mut statement = conn.prepare(ERASURES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        // What cannot be read covers nothing, and is a fault when the walk comes to it.
        if let Ok(decoded) = encoding::decode(bytes) {
            erasures.add(&decoded.data);
        }
    }
    Ok(erasures)
}
