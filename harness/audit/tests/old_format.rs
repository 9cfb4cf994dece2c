//! A ledger of an earlier format is told from a foreign file: it is not touched, and the error says
//! what to do.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use audit::{Fault, Ledger, OpenError, ReadError, Reader, verify};
use rusqlite::Connection;

/// The tables as the programs of formats 1 and 2 made them.
const TABLES: &str = "
    CREATE TABLE bodies(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE head(id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
    CREATE TABLE open_calls(seq INTEGER PRIMARY KEY, call_id BLOB NOT NULL, instance BLOB NOT NULL) STRICT;
    CREATE TABLE records(seq INTEGER PRIMARY KEY, call_id BLOB, record BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
    CREATE INDEX records_by_call ON records(call_id) WHERE call_id IS NOT NULL;
    PRAGMA application_id = 1280987732;
    PRAGMA user_version = 1;";

#[test]
fn a_ledger_of_an_earlier_format_is_left_as_it_is_and_the_error_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(TABLES)
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let Err(error) = Ledger::open(&path) else {
        unreachable!("it was opened")
    };
    assert!(matches!(error, OpenError::Earlier(_)), "{error}");
    let told = error.to_string();
    for word in [
        "an earlier format",
        "the program that wrote it",
        "move it and",
        "begin a new one",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert!(matches!(Reader::open(&path), Err(ReadError::Earlier)));
    assert_eq!(verify(&path), Err(Fault::Earlier));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(!common::beside(&path, ".d").exists());
    assert!(!directory.path().join("keys").exists());
}
