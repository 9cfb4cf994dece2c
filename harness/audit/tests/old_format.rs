//! Ledgers outlive programs: one that format 1 wrote holds, is read, and is written on.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;

use audit::{Data, GENESIS, Ledger, Reader, verify};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

/// Written here a second time, so that the ledger's own code is not its own witness.
fn chain(previous: &[u8], record: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"lazaret-ledger-record-v1\0");
    hash.update(previous);
    hash.update((record.len() as u64).to_be_bytes());
    hash.update(record);
    hash.finalize().to_vec()
}

/// Turns a ledger into what format 1 would have written.
fn age(path: &Path) {
    let conn = Connection::open(path).unwrap();
    let mut statement = conn
        .prepare("SELECT seq, record FROM records ORDER BY seq")
        .unwrap();
    let rows: Vec<(i64, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut hash = GENESIS.to_vec();
    for (seq, record) in rows {
        let text = String::from_utf8(record).unwrap();
        let old = text
            .replace("\"policy_generation\":1,", "")
            .replace("\"v\":2}", "\"v\":1}");
        hash = chain(&hash, old.as_bytes());
        conn.execute(
            "UPDATE records SET record = ?1, hash = ?2 WHERE seq = ?3",
            (old.as_bytes(), &hash, seq),
        )
        .unwrap();
    }
    conn.execute("UPDATE head SET hash = ?1", [&hash]).unwrap();
    std::fs::remove_dir_all(common::beside(path, ".d")).unwrap();
}

#[test]
fn a_ledger_of_the_first_format_holds_and_is_written_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    common::sample(&path);
    age(&path);
    let old = verify(&path).unwrap().records;
    let ledger = Ledger::open(&path).unwrap();
    let (decision, _) = common::call(&ledger, b"new\n");
    ledger.close().unwrap();
    assert!(verify(&path).unwrap().records > old);
    let reader = Reader::open(&path).unwrap();
    let generation = |seq: u64| match reader.get(seq).unwrap().unwrap().data() {
        Data::Decision(decision) => decision.policy_generation,
        other => panic!("{other:?} is no decision"),
    };
    assert_eq!((generation(2), generation(decision)), (None, Some(1)));
    let record = |seq: u64| reader.get(seq).unwrap().unwrap().json().to_owned();
    assert!(record(2).ends_with("\"v\":1}") && record(decision).ends_with("\"v\":2}"));
}
