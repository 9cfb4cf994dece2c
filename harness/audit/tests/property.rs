//! Random logs, random changes: whatever is struck, either every byte that a
//! reader gives is as before or verification finds a fault.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::path::Path;

use audit::{FileEntry, Ledger, NoteEntry, verify};
use common::{Dice, beside, call_id, contents, decision, outcome};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

/// One step of a random log.
#[derive(Debug, Clone)]
enum Step {
    Call {
        stdout: Vec<u8>,
        files: Vec<Vec<u8>>,
    },
    Denied,
    LeftOpen,
    Noted(String),
    Reopened,
}

fn any_step() -> impl Strategy<Value = Step> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        4 => (bytes(), prop::collection::vec(bytes(), 0..3)).prop_map(|(stdout, files)| Step::Call { stdout, files }),
        1 => Just(Step::Denied),
        1 => Just(Step::LeftOpen),
        1 => ".{0,40}".prop_map(Step::Noted),
        1 => Just(Step::Reopened),
    ]
}

fn write(path: &Path, steps: &[Step]) {
    let mut ledger = Ledger::open(path).unwrap();
    for step in steps {
        let id = call_id();
        match step {
            Step::Call { stdout, files } => {
                let receipt = ledger.decision(decision(id, "allow")).unwrap();
                let mut entry = outcome(id, receipt.seq(), stdout);
                let files = files.iter().cloned().enumerate();
                entry.files = files
                    .map(|(at, content)| FileEntry {
                        path: at.to_string(),
                        content,
                    })
                    .collect();
                drop(ledger.outcome(entry).unwrap());
            }
            Step::Denied => drop(ledger.decision(decision(id, "deny")).unwrap()),
            Step::LeftOpen => drop(ledger.decision(decision(id, "allow")).unwrap()),
            Step::Noted(topic) => {
                let detail = serde_json::Value::Null;
                ledger
                    .note(NoteEntry {
                        topic: topic.clone(),
                        detail,
                    })
                    .unwrap();
            }
            Step::Reopened => {
                ledger.close().unwrap();
                ledger = Ledger::open(path).unwrap();
            }
        }
    }
    ledger.close().unwrap();
}

/// The rule itself.
fn judge(path: &Path, before: &[String], what: &str) {
    if verify(path).is_ok() {
        assert_eq!(contents(path), before, "{what}: changed and not found");
    }
}

fn clear_logs(path: &Path) {
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(beside(path, end)));
    }
}

/// Strikes one stored value, chosen by the dice.
fn strike_value(path: &Path, dice: &mut Dice) -> String {
    let (table, columns) = match dice.below(6) {
        0 => ("open_calls", &["seq", "call_id", "instance"][..]),
        1 => ("settled", &["id", "count", "edge"][..]),
        2 => ("checkpoints", &["size", "note"][..]),
        _ => ("log", &["id", "call_id", "leaf", "bytes"][..]),
    };
    let column = *columns
        .get(usize::try_from(dice.below(columns.len() as u64)).unwrap())
        .unwrap();
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "ignore_check_constraints", true)
        .unwrap();
    let rows: i64 = conn
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap();
    if rows == 0 {
        return "nothing".to_owned();
    }
    let offset = dice.below(rows.unsigned_abs());
    let (rowid, old): (i64, Value) = conn
        .query_row(
            &format!("SELECT rowid, {column} FROM {table} LIMIT 1 OFFSET {offset}"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let new = other(old, dice);
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
    let done = conn.execute(&sql, (&new, rowid));
    format!("{table}.{column} of row {rowid} to {new:?}: {done:?}")
}

fn other(old: Value, dice: &mut Dice) -> Value {
    match old {
        Value::Integer(number) => Value::Integer(number ^ (1 << dice.below(62))),
        Value::Blob(mut bytes) if !bytes.is_empty() => {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            if dice.below(8) == 0 {
                bytes.truncate(at);
            } else if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            Value::Blob(bytes)
        }
        Value::Text(text) if !text.is_empty() => {
            let mut letters: Vec<char> = text.chars().collect();
            let at = usize::try_from(dice.below(letters.len() as u64)).unwrap();
            if dice.below(8) == 0 {
                letters.truncate(at);
            } else if let Some(letter) = letters.get_mut(at) {
                *letter = if *letter == 'A' { 'B' } else { 'A' };
            }
            Value::Text(letters.into_iter().collect())
        }
        _ => Value::Blob(vec![0; 16]),
    }
}

fn flip_bytes(path: &Path, whole: &[u8], before: &[String], dice: &mut Dice, rounds: u32) {
    for _ in 0..rounds {
        let mut struck = whole.to_vec();
        // The first page, with the header and the tables' names, gets its share.
        let limit = if dice.below(4) == 0 {
            4096
        } else {
            whole.len() as u64
        };
        let at = usize::try_from(dice.below(limit)).unwrap();
        let flip = 1 << dice.below(8);
        *struck.get_mut(at).unwrap() ^= flip;
        std::fs::write(path, &struck).unwrap();
        clear_logs(path);
        judge(path, before, &format!("byte {at} ^ {flip}"));
        clear_logs(path);
    }
}

/// What somebody does to a ledger on purpose.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Remove,
    Swap,
    Insert,
    Flip,
    Truncate,
    RollBack,
    Resign,
}

const ATTACKS: [Attack; 7] = [
    Attack::Remove,
    Attack::Swap,
    Attack::Insert,
    Attack::Flip,
    Attack::Truncate,
    Attack::RollBack,
    Attack::Resign,
];

/// The right edge of the tree over these leaves, as the settled row has it.
fn edge(leaves: &[audit::Hash]) -> Vec<u8> {
    let (mut rest, mut edge) = (leaves, Vec::new());
    while !rest.is_empty() {
        let (first, after) = rest.split_at(1 << rest.len().ilog2());
        let mut row = first.to_vec();
        while let [_, _, ..] = row.as_slice() {
            let pairs = row.chunks(2);
            row = pairs
                .map(|pair| audit::node_hash(pair.first().unwrap(), pair.last().unwrap()))
                .collect();
        }
        edge.extend_from_slice(row.first().unwrap());
        rest = after;
    }
    edge
}

/// Strikes, with everything in the database made to fit; the record that must be named, if it is one.
fn attack(path: &Path, attack: Attack, steps: &[Step], dice: &mut Dice) -> Option<u64> {
    let count = audit::Reader::open(path).unwrap().count().unwrap();
    let at = 1 + dice.below(count);
    let other = 1 + (at + dice.below(count - 1)) % count;
    let conn = Connection::open(path).unwrap();
    let run = |sql: &str| conn.execute_batch(sql).unwrap();
    match attack {
        Attack::Remove => run(&format!("DELETE FROM log WHERE id = {at} * 8192")),
        Attack::Swap => run(&format!(
            "UPDATE log SET id = -1 WHERE id = {at} * 8192;
             UPDATE log SET id = {at} * 8192 WHERE id = {other} * 8192;
             UPDATE log SET id = {other} * 8192 WHERE id = -1"
        )),
        Attack::Insert => run(&format!(
            "INSERT INTO log SELECT ({count} + 1) * 8192, call_id, leaf, bytes FROM log
             WHERE id = {at} * 8192"
        )),
        Attack::Flip => run(&format!(
            "UPDATE log SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"time_us\":', '\"time_us\":1') AS BLOB)
             WHERE id = {at} * 8192"
        )),
        Attack::Truncate => {
            let left = at - 1;
            run(&format!("DELETE FROM log WHERE id >= ({left} + 1) * 8192; DELETE FROM calls WHERE seq > {left};
                DELETE FROM checkpoints WHERE size > {left}; DELETE FROM open_calls"));
            let mut statement = conn
                .prepare("SELECT leaf FROM log WHERE leaf IS NOT NULL ORDER BY id")
                .unwrap();
            let leaves = statement.query_map([], |row| row.get(0)).unwrap();
            let leaves: Vec<audit::Hash> = leaves.map(Result::unwrap).collect();
            let settled = (i64::try_from(left).unwrap(), edge(&leaves));
            conn.execute("UPDATE settled SET count = ?1, edge = ?2", settled).unwrap();
        }
        Attack::RollBack => {
            let earlier = std::fs::read(path).unwrap();
            Ledger::open(path).unwrap().close().unwrap();
            drop(conn);
            clear_logs(path);
            std::fs::write(path, earlier).unwrap();
            return Some(count + 1);
        }
        Attack::Resign => {
            let directory = tempfile::tempdir().unwrap();
            let forged = directory.path().join("ledger.db");
            write(&forged, steps);
            drop(conn);
            clear_logs(path);
            std::fs::copy(&forged, path).unwrap();
            drop(std::fs::remove_dir_all(beside(path, ".d")));
            return None;
        }
    }
    match attack {
        Attack::Swap => Some(at.min(other)),
        Attack::Insert => Some(count + 1),
        _ => Some(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_tampering_is_found_and_named(steps in prop::collection::vec(any_step(), 1..8), seed in 1_u64..) {
        for kind in ATTACKS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("ledger.db");
            write(&path, &steps);
            verify(&path).unwrap();
            let named = attack(&path, kind, &steps, &mut Dice(seed));
            let fault = verify(&path).expect_err("tampering");
            prop_assert!(fault.record().is_some(), "{kind:?}: {fault}");
            if named.is_some() {
                prop_assert_eq!(fault.record(), named, "{:?}: {}", kind, fault);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_random_change_is_harmless_or_found(steps in prop::collection::vec(any_step(), 1..12), seed in 1_u64..) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        write(&path, &steps);
        verify(&path).unwrap();
        let before = contents(&path);
        let whole = std::fs::read(&path).unwrap();
        let mut dice = Dice(seed);
        for _ in 0..30 {
            let what = strike_value(&path, &mut dice);
            judge(&path, &before, &what);
            clear_logs(&path);
            std::fs::write(&path, &whole).unwrap();
        }
        flip_bytes(&path, &whole, &before, &mut dice, 120);
    }
}

#[test]
fn every_byte_of_the_header_and_a_cut_anywhere_are_harmless_or_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    common::sample(&path);
    let before = contents(&path);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..100 {
        for flip in [1, 0x80, 0xff] {
            let mut struck = whole.clone();
            *struck.get_mut(at).unwrap() ^= flip;
            std::fs::write(&path, &struck).unwrap();
            judge(&path, &before, &format!("header byte {at} ^ {flip}"));
            clear_logs(&path);
        }
    }
    for cut in (0..whole.len()).step_by(509) {
        std::fs::write(&path, whole.get(..cut).unwrap()).unwrap();
        judge(&path, &before, &format!("cut at {cut}"));
        clear_logs(&path);
    }
}
