//! Somebody changes the ledger behind our back: every column of every row,
//! rows removed, added and swapped, the tables themselves, the mark.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::path::{Path, PathBuf};

use audit::{Fault, verify};
use common::{beside, contents, sample};
use rusqlite::Connection;
use rusqlite::types::Value;

struct Scene {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    sample(&path);
    let verified = verify(&path).unwrap();
    assert_eq!((verified.records, verified.open_calls.len()), (10, 2));
    assert_eq!(verified.marked, Some(10));
    Scene {
        _directory: directory,
        path,
    }
}

fn raw(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "ignore_check_constraints", true)
        .unwrap();
    conn
}

fn tampered(sql: &str) -> Fault {
    let scene = scene();
    raw(&scene.path).execute_batch(sql).unwrap();
    verify(&scene.path).expect_err(sql)
}

fn strike(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(number) => vec![
            Value::Integer(number + 1000),
            Value::Integer(-number),
            Value::Integer(number ^ 1),
        ],
        Value::Blob(bytes) => {
            let at = [0, bytes.len() / 2, bytes.len().saturating_sub(1)];
            let mut struck: Vec<_> = at
                .iter()
                .filter(|at| **at < bytes.len())
                .map(|at| {
                    let mut other = bytes.clone();
                    *other.get_mut(*at).unwrap() ^= 0x10;
                    Value::Blob(other)
                })
                .collect();
            struck.push(Value::Blob([bytes.as_slice(), b" "].concat()));
            struck
        }
        Value::Null => vec![Value::Blob(vec![1; 16])],
        Value::Text(text) => strike_text(text),
        Value::Real(_) => panic!("no such column"),
    }
}

/// A checkpoint: another size, another root, another signature, cut.
fn strike_text(text: &str) -> Vec<Value> {
    let at = |place: usize, with: &str| {
        let mut other = text.to_owned();
        let place = (place..).find(|at| text.is_char_boundary(*at)).unwrap();
        other.replace_range(place..=place, with);
        Value::Text(other)
    };
    let size = text.find('\n').unwrap() + 1;
    vec![
        at(size, "9"),
        at(size + 5, "+"),
        at(text.len() - 20, "+"),
        Value::Text(text.get(..text.len() - 10).unwrap().to_owned()),
        Value::Text(format!("{text}x")),
    ]
}

/// The record at which a change of this row must be seen, if it names one.
fn expected(table: &str, row: i64) -> Option<u64> {
    match table {
        "open_calls" | "checkpoints" => Some(row.unsigned_abs()),
        // A record, and behind it its bodies.
        "log" => Some(row.unsigned_abs() / 8192),
        "settled" => None,
        other => panic!("{other}"),
    }
}

#[test]
fn every_change_of_every_column_of_every_row_is_found_with_its_record() {
    let scene = scene();
    let whole = std::fs::read(&scene.path).unwrap();
    let columns = [
        ("log", "id", &["id", "call_id", "leaf", "bytes"][..]),
        ("checkpoints", "size", &["size", "note"]),
        ("open_calls", "seq", &["seq", "call_id", "instance"]),
        ("settled", "id", &["id", "count", "edge"]),
    ];
    let mut struck = 0;
    for (table, key, columns) in columns {
        let keys: Vec<i64> = {
            let conn = raw(&scene.path);
            let mut statement = conn
                .prepare(&format!("SELECT {key} FROM {table} ORDER BY 1"))
                .unwrap();
            statement
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect()
        };
        assert!(!keys.is_empty());
        for row in keys {
            for column in columns {
                struck += change(&scene.path, &whole, table, key, row, column);
            }
        }
    }
    assert!(struck > 200, "only {struck} changes were made");
}

fn change(path: &Path, whole: &[u8], table: &str, key: &str, row: i64, column: &str) -> u32 {
    let mut struck = 0;
    let old: Value = raw(path)
        .query_row(
            &format!("SELECT {column} FROM {table} WHERE {key} = ?1"),
            [row],
            |row| row.get(0),
        )
        .unwrap();
    for (at, new) in strike(&old).into_iter().enumerate() {
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = ?2");
        // A new key that is taken cannot be written; that is a swap, which has its own test.
        if raw(path).execute(&sql, (&new, row)).is_ok() && new != old {
            struck += 1;
            let what = format!("{table} row {row} column {column} change {at}");
            let fault = verify(path).expect_err(&what);
            let record = fault.record();
            let is_key = column == key;
            if let (Some(expected), false) = (expected(table, row), is_key) {
                assert_eq!(record, Some(expected), "{what}: {fault}");
            }
            assert!(record.is_some() || table == "settled", "{what}: {fault}");
        }
        std::fs::write(path, whole).unwrap();
    }
    struck
}

#[test]
fn a_removed_record_is_missing_wherever_it_was() {
    for seq in 1..=10 {
        let fault = tampered(&format!("DELETE FROM log WHERE id = {seq} * 8192"));
        assert_eq!(fault, Fault::Missing { record: seq });
        let whole = tampered(&format!("DELETE FROM log WHERE id / 8192 = {seq}"));
        assert_eq!(whole, Fault::Missing { record: seq });
    }
}

#[test]
fn a_removed_record_is_found_when_the_rest_is_renumbered() {
    let fault = tampered(
        "DELETE FROM log WHERE id / 8192 = 4; UPDATE log SET id = id - 8192 WHERE id > 5 * 8192 - 1;
         UPDATE settled SET count = 9",
    );
    assert_eq!(fault, Fault::Moved { record: 4, says: 5 });
}

/// The record of this number under another one.
fn copied(to: u64, from: u64) -> String {
    format!(
        "INSERT INTO log SELECT {to} * 8192, call_id, leaf, bytes FROM log WHERE id = {from} * 8192;"
    )
}

#[test]
fn an_inserted_record_is_found_wherever_it_is() {
    assert_eq!(
        tampered(&copied(11, 10)),
        Fault::Moved {
            record: 11,
            says: 10
        }
    );
    assert_eq!(tampered(&copied(0, 1)), Fault::Added { record: 0 });
    let middle = format!(
        "UPDATE log SET id = -id - 8192 WHERE id >= 5 * 8192; UPDATE log SET id = -id WHERE id < 0;
        {}",
        copied(5, 4)
    );
    assert_eq!(tampered(&middle), Fault::Moved { record: 5, says: 4 });
}

/// What lies behind the settled records is read as a writer that died would have left it: it must
/// be whole, and it is not signed.
#[test]
fn records_behind_the_settled_ones_are_judged_like_all_others() {
    let scene = scene();
    let longer = {
        let copy = scene.path.with_file_name("copy.db");
        std::fs::copy(&scene.path, &copy).unwrap();
        let keys = scene.path.with_file_name("keys");
        for end in ["key", "pub"] {
            let key = |name: &str| keys.join(format!("{name}.{end}"));
            std::fs::copy(key("ledger"), key("copy")).unwrap();
        }
        let ledger = audit::Ledger::open(&copy).unwrap();
        common::call(&ledger, b"later");
        ledger.close().unwrap();
        copy
    };
    // Two that were open, a start, a call, a stop.
    let taken = format!(
        "ATTACH '{}' AS longer; INSERT INTO log SELECT * FROM longer.log WHERE id >= 11 * 8192",
        longer.display()
    );
    raw(&scene.path).execute_batch(&taken).unwrap();
    let verified = verify(&scene.path).unwrap();
    assert_eq!(verified.records, audit::verify(&longer).unwrap().records);
    assert_eq!((verified.checkpoint, verified.marked), (Some(10), Some(10)));
    let strikes = [
        ("DELETE FROM log WHERE id / 8192 = 13", 13),
        (
            "UPDATE log SET leaf = zeroblob(32) WHERE id = 12 * 8192",
            12,
        ),
        (
            "UPDATE log SET call_id = zeroblob(16) WHERE id = 14 * 8192",
            14,
        ),
        ("INSERT INTO nodes VALUES (1, 0, zeroblob(32))", 16),
    ];
    for (sql, record) in strikes {
        let whole = std::fs::read(&scene.path).unwrap();
        raw(&scene.path).execute_batch(sql).unwrap();
        let fault = verify(&scene.path).expect_err(sql);
        assert_eq!(fault.record(), Some(record), "{sql}: {fault}");
        std::fs::write(&scene.path, whole).unwrap();
    }
    // Decided again where the table of calls does not reach.
    let again =
        "UPDATE calls SET call_id = (SELECT call_id FROM log WHERE id = 14 * 8192) WHERE seq = 2";
    raw(&scene.path).execute_batch(again).unwrap();
    let fault = verify(&scene.path).unwrap_err();
    assert!(matches!(fault, Fault::SecondDecision { .. }), "{fault}");
}

#[test]
fn swapped_records_are_found_at_the_first() {
    for (left, right) in [(1, 2), (2, 5), (9, 10), (3, 10)] {
        let whole = format!(
            "UPDATE log SET id = -1 WHERE id = {left} * 8192;
             UPDATE log SET id = {left} * 8192 WHERE id = {right} * 8192;
             UPDATE log SET id = {right} * 8192 WHERE id = -1"
        );
        assert_eq!(
            tampered(&whole),
            Fault::Moved {
                record: left,
                says: right
            }
        );
    }
}

#[test]
fn a_table_of_calls_that_says_something_else_is_found() {
    for (sql, record) in [
        ("DELETE FROM calls WHERE seq = 5", 5),
        ("DELETE FROM calls", 2),
        ("UPDATE calls SET seq = 7 WHERE seq = 6", 6),
        ("UPDATE calls SET call_id = zeroblob(16) WHERE seq = 3", 3),
        ("INSERT INTO calls VALUES (zeroblob(16), 1)", 1),
        ("INSERT INTO calls VALUES (zeroblob(16), 99)", 99),
    ] {
        let fault = tampered(sql);
        assert!(
            matches!(fault, Fault::Call { record: found } if found == record),
            "{sql}: {fault}"
        );
    }
}

#[test]
fn bodies_that_are_removed_added_or_swapped_are_found() {
    // The output of record 3, the arguments of record 9.
    for record in [3, 9] {
        let gone = tampered(&format!("DELETE FROM log WHERE id = {record} * 8192 + 1"));
        assert!(
            matches!(gone, Fault::BodyMissing { record: found, .. } if found == record),
            "{gone}"
        );
    }
    for (record, place) in [(2, 5), (4, 7), (10, 0), (99, 1)] {
        let sql =
            format!("INSERT INTO log(id, bytes) VALUES ({record} * 8192 + {place} + 1, x'00')");
        assert_eq!(tampered(&sql), Fault::BodyUnnamed { record, place });
    }
    let swapped = tampered(
        "CREATE TEMP TABLE kept AS SELECT id, bytes FROM log;
         UPDATE log SET bytes = (SELECT bytes FROM kept WHERE kept.id = 6 * 8192 * 2 + 7 - log.id)
         WHERE id IN (6 * 8192 + 3, 6 * 8192 + 4)",
    );
    assert!(
        matches!(swapped, Fault::BodyAltered { record: 6, .. }),
        "{swapped}"
    );
    let emptied = tampered("UPDATE log SET bytes = x'' WHERE leaf IS NULL");
    assert!(
        matches!(emptied, Fault::BodyAltered { record: 2, .. }),
        "{emptied}"
    );
}

#[test]
fn checkpoints_that_are_added_or_of_another_key_are_found() {
    let scene = scene();
    let other = scene.path.with_file_name("other.db");
    sample(&other);
    let sql = format!(
        "ATTACH '{}' AS other; UPDATE checkpoints SET note = (SELECT note FROM other.checkpoints WHERE size = 10)
         WHERE size = 10",
        other.display()
    );
    raw(&scene.path).execute_batch(&sql).unwrap();
    let fault = verify(&scene.path).unwrap_err();
    assert!(
        matches!(fault, Fault::Checkpoint { record: 10, .. }),
        "{fault}"
    );
    let added =
        tampered("INSERT INTO checkpoints SELECT 11, note FROM checkpoints WHERE size = 10");
    assert!(
        matches!(added, Fault::Checkpoint { record: 11, .. }),
        "{added}"
    );
}

/// Somebody with the database alone rewrites it whole, with a key of their own: a sound ledger,
/// but not one of the key that was published.
#[test]
fn a_ledger_written_anew_and_signed_by_another_key_is_found() {
    let scene = scene();
    let public =
        std::fs::read_to_string(scene.path.with_file_name("keys").join("ledger.pub")).unwrap();
    let forged = scene.path.with_file_name("forged.db");
    sample(&forged);
    let trust = audit::Trust {
        key: Some(audit::PublicKey::parse(&public).unwrap()),
        ..audit::Trust::default()
    };
    audit::verify_with(&scene.path, &trust).unwrap();
    let fault = audit::verify_with(&forged, &trust).unwrap_err();
    assert!(matches!(fault, Fault::Checkpoint { .. }), "{fault}");
    let opened = {
        std::fs::copy(&forged, &scene.path).unwrap();
        std::fs::remove_dir_all(beside(&scene.path, ".d")).unwrap();
        audit::Ledger::open(&scene.path)
    };
    assert!(matches!(opened, Err(audit::OpenError::End { .. })));
}

/// Whoever breaks the key must not get a verdict without signatures for it.
#[test]
fn a_broken_public_key_is_said_and_nothing_is_verified_without_it() {
    let scene = scene();
    let key = scene.path.with_file_name("keys").join("ledger.pub");
    let whole = std::fs::read(&key).unwrap();
    let cut = whole.get(..whole.len() - 9).unwrap().to_vec();
    for broken in [
        b"".to_vec(),
        b"no key\n".to_vec(),
        vec![0xff; 40],
        cut,
        b"x".repeat(5000),
    ] {
        std::fs::write(&key, &broken).unwrap();
        let fault = verify(&scene.path).unwrap_err();
        assert!(matches!(fault, Fault::Unreadable(_)), "{fault}");
        assert!(fault.to_string().contains("ledger.pub"), "{fault}");
    }
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    assert!(matches!(verify(&scene.path), Err(Fault::Unreadable(_))));
    std::fs::remove_dir(&key).unwrap();
    // Where there is none at all, what is said is that nothing was checked by it.
    assert_eq!(verify(&scene.path).unwrap().signed_by, None);
    std::fs::write(&key, whole).unwrap();
    assert!(verify(&scene.path).unwrap().signed_by.is_some());
}

#[test]
fn the_list_of_open_calls_must_agree() {
    assert_eq!(
        tampered("DELETE FROM open_calls WHERE seq = 9"),
        Fault::OpenCalls { record: 9 }
    );
    assert_eq!(
        tampered("DELETE FROM open_calls"),
        Fault::OpenCalls { record: 8 }
    );
    let added = "INSERT INTO open_calls SELECT 2, call_id, instance FROM open_calls WHERE seq = 8";
    assert_eq!(tampered(added), Fault::OpenCalls { record: 2 });
}

#[test]
fn a_settled_state_that_is_gone_or_doubled_is_found() {
    for sql in [
        "DELETE FROM settled",
        "INSERT INTO settled VALUES (2, 10, zeroblob(64))",
        "INSERT INTO settled VALUES (0, 10, zeroblob(64))",
    ] {
        assert_eq!(tampered(sql), Fault::Settled, "{sql}");
    }
}

#[test]
fn foreign_tables_triggers_and_views_are_found() {
    for sql in [
        "CREATE TABLE more(x)",
        "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM calls; END",
        "CREATE VIEW v AS SELECT * FROM log",
        "CREATE INDEX bodies ON log(id) WHERE leaf IS NULL",
        "ALTER TABLE calls RENAME TO names",
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
    ] {
        let fault = tampered(sql);
        assert!(matches!(fault, Fault::Foreign(_)), "{sql}: {fault}");
    }
    assert_eq!(tampered("PRAGMA user_version = 5"), Fault::Later(5));
    assert_eq!(tampered("PRAGMA user_version = 1"), Fault::Earlier);
    assert_eq!(tampered("PRAGMA user_version = 3"), Fault::Earlier);
}

/// Removes the last record and corrects everything that lies in the database: nine records have
/// the edge of eight and one.
const SHORTEN: &str =
    "DELETE FROM log WHERE id / 8192 = 10; DELETE FROM checkpoints WHERE size = 10;
    DELETE FROM calls WHERE seq = 10;
    UPDATE settled SET count = 9,
        edge = CAST(substr(edge, 1, 32) || (SELECT leaf FROM log WHERE id = 9 * 8192) AS BLOB)";

#[test]
fn a_shortened_ledger_is_behind_its_mark_and_is_not_opened() {
    let scene = scene();
    raw(&scene.path).execute_batch(SHORTEN).unwrap();
    let fault = verify(&scene.path).unwrap_err();
    assert_eq!(
        fault,
        Fault::Behind {
            record: 10,
            once: 10
        }
    );
    assert!(matches!(
        audit::Ledger::open(&scene.path),
        Err(audit::OpenError::End { .. })
    ));
}

#[test]
fn without_its_mark_a_shortened_ledger_passes_as_the_document_says() {
    let scene = scene();
    raw(&scene.path).execute_batch(SHORTEN).unwrap();
    std::fs::remove_dir_all(beside(&scene.path, ".d")).unwrap();
    let verified = verify(&scene.path).unwrap();
    assert_eq!((verified.records, verified.marked), (9, None));
}

#[test]
fn an_earlier_copy_put_back_is_found() {
    let scene = scene();
    let earlier = std::fs::read(&scene.path).unwrap();
    let ledger = audit::Ledger::open(&scene.path).unwrap();
    common::call(&ledger, b"later\n");
    ledger.close().unwrap();
    std::fs::write(&scene.path, earlier).unwrap();
    assert!(matches!(
        verify(&scene.path),
        Err(Fault::Behind { record: 11, .. })
    ));
    std::fs::write(&scene.path, b"").unwrap();
    assert!(matches!(
        audit::Ledger::open(&scene.path),
        Err(audit::OpenError::End { .. })
    ));
    std::fs::remove_file(&scene.path).unwrap();
    assert!(matches!(
        audit::Ledger::open(&scene.path),
        Err(audit::OpenError::End { .. })
    ));
}

#[test]
fn a_tampered_mark_is_found() {
    let scene = scene();
    let mark = beside(&scene.path, ".d").join("mark");
    let whole = std::fs::read(&mark).unwrap();
    let before = contents(&scene.path);
    for at in 0..whole.len() {
        let mut other = whole.clone();
        *other.get_mut(at).unwrap() ^= 1;
        std::fs::write(&mark, &other).unwrap();
        verify(&scene.path).expect_err("a flipped bit of the mark");
    }
    std::fs::write(&mark, &whole).unwrap();
    verify(&scene.path).unwrap();
    assert_eq!(contents(&scene.path), before);
}

#[test]
fn opening_looks_at_the_end_of_the_log() {
    let copied = copied(11, 10);
    for sql in [
        "DELETE FROM log WHERE id = 10 * 8192",
        "UPDATE log SET bytes = CAST(bytes || x'20' AS BLOB) WHERE id = 10 * 8192",
        "UPDATE log SET leaf = zeroblob(32) WHERE id = 10 * 8192",
        "UPDATE log SET leaf = zeroblob(32) WHERE id = 9 * 8192",
        "UPDATE checkpoints SET note = replace(note, '10', '11')",
        "UPDATE settled SET count = 11",
        "UPDATE settled SET edge = zeroblob(64)",
        "DELETE FROM settled",
        &copied,
    ] {
        let scene = scene();
        raw(&scene.path).execute_batch(sql).unwrap();
        let opened = audit::Ledger::open(&scene.path);
        assert!(matches!(opened, Err(audit::OpenError::End { .. })), "{sql}");
    }
}
