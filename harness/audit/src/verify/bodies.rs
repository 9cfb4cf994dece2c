//! The bodies, walked beside the records: each lies under its record's number
//! and its place in it, so that the next body is always the next one named.
//! None is read twice, and one that no record names is found.

use rusqlite::{Connection, Rows};

use crate::encoding;
use crate::erase::Erasures;
use crate::fault::Fault;
use crate::store::{SLOTS, body_id, from_sql};
use crate::wire::Named;

pub(super) const BODIES: &str = "SELECT id, bytes FROM bodies ORDER BY id";

/// The rows of bodies, and the one that is looked at.
pub(super) struct Bodies<'c> {
    rows: Rows<'c>,
    next: Option<Stored>,
    pub(super) checked: u64,
    pub(super) erased: u64,
}

/// A body as it lies in its row.
struct Stored {
    id: i64,
    digest: [u8; 32],
    bytes: u64,
}

impl<'c> Bodies<'c> {
    pub(super) fn new(rows: Rows<'c>) -> Self {
        Self {
            rows,
            next: None,
            checked: 0,
            erased: 0,
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
        let bytes = row.get_ref(1)?.as_blob()?;
        self.next = Some(Stored {
            id: row.get(0)?,
            digest: encoding::digest(bytes),
            bytes: bytes.len() as u64,
        });
        Ok(())
    }

    /// The bodies of one record, in order.
    pub(super) fn check(
        &mut self,
        record: u64,
        named: &[Named],
        erasures: &Erasures,
    ) -> Result<(), Fault> {
        for named in named.iter().filter(|named| named.body.bytes > 0) {
            self.peek().map_err(|error| Fault::at(record, error))?;
            let id = body_id(record, named.slot);
            match self.next.take() {
                Some(next) if next.id == id => self.judge(record, named, &next, erasures)?,
                Some(next) if next.id < id => return Err(unnamed(&next)),
                other => {
                    self.next = other;
                    self.absent(record, named, erasures)?;
                }
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        record: u64,
        named: &Named,
        next: &Stored,
        erasures: &Erasures,
    ) -> Result<(), Fault> {
        let (name, digest) = (named.name.clone(), named.body.digest);
        if next.digest != digest.0 || next.bytes != named.body.bytes {
            return Err(Fault::BodyAltered { record, name });
        }
        if erasures.has_body(record, &name) {
            return Err(Fault::BodyReturned { record, name });
        }
        self.checked += 1;
        Ok(())
    }

    fn absent(&mut self, record: u64, named: &Named, erasures: &Erasures) -> Result<(), Fault> {
        if erasures.has_body(record, &named.name) {
            self.erased += 1;
            return Ok(());
        }
        let name = named.name.clone();
        Err(Fault::BodyMissing { record, name })
    }

    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.peek()?;
        self.next.as_ref().map_or(Ok(()), |next| Err(unnamed(next)))
    }
}

fn unnamed(stored: &Stored) -> Fault {
    let id = from_sql(stored.id);
    Fault::BodyUnnamed {
        record: id / SLOTS,
        place: id % SLOTS,
    }
}

/// Every erasure of the ledger, which the records before it need.
pub(super) fn erasures(conn: &Connection) -> Result<Erasures, Fault> {
    let mut erasures = Erasures::default();
    let mut statement = conn.prepare(
        "SELECT record FROM records WHERE seq IN (SELECT seq FROM erasures) ORDER BY seq",
    )?;
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
