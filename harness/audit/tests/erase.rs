//! Erasing: what is erased is in no file of the ledger any more, and everything still holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use std::path::Path;

use audit::{
    AppendError, Data, Fault, Ledger, Reader, Refusal, Retention, Target, Trust, Wish, verify,
    verify_with,
};
use common::{Dice, beside, call_id, decision, outcome};

fn wish(target: Target) -> Wish {
    Wish {
        by: "tester".to_owned(),
        reason: "asked to".to_owned(),
        target,
    }
}

fn record(seq: u64, bodies: &[&str], fields: &[&str]) -> Target {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Target::Record {
        seq,
        bodies: owned(bodies),
        fields: owned(fields),
    }
}

/// Whether these bytes are in any file of the ledger.
fn is_anywhere(path: &Path, bytes: &[u8]) -> bool {
    ["", "-wal", "-shm"].iter().any(|end| {
        let file = std::fs::read(beside(path, end)).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// One call whose principal, arguments, reason and output can be told from all others.
fn marked(ledger: &Ledger, mark: &str, bytes: usize) -> (u64, u64) {
    let id = call_id();
    let mut entry = decision(id, "allow");
    let text = |what: &str| format!("{what}-{mark}-");
    entry.principal = text("who");
    entry.reason = text("why");
    entry.session = Some(text("where"));
    entry.arguments = text("what").repeat(1 + bytes / 16).into_bytes();
    let decided = ledger.decision(entry).unwrap();
    let output = text("said").repeat(1 + bytes / 16);
    let mut entry = outcome(id, decided.seq(), output.as_bytes());
    entry.detail = Some(text("how"));
    entry.files.push(audit::FileEntry {
        path: text("path"),
        content: text("file").repeat(1 + bytes / 16).into_bytes(),
    });
    let ended = ledger.outcome(entry).unwrap();
    (decided.seq(), ended.seq())
}

const WORDS: [&str; 7] = ["who", "why", "where", "what", "said", "how", "file"];

#[test]
fn erased_bytes_are_nowhere_and_every_proof_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let mut dice = Dice(5);
    let calls: Vec<_> = (0..120)
        .map(|n| {
            let bytes = usize::try_from(dice.below(30_000)).unwrap();
            marked(&ledger, &format!("{n:04}"), bytes)
        })
        .collect();
    let leaves: Vec<_> = (1..=240)
        .map(|seq| {
            Reader::open(&path)
                .unwrap()
                .get(seq)
                .unwrap()
                .unwrap()
                .hash()
        })
        .collect();
    for (n, (decided, ended)) in calls.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        let here = |word: &str| is_anywhere(&path, format!("{word}-{n:04}-").as_bytes());
        assert!(WORDS.iter().all(|word| here(word)), "control: it is there");
        for seq in [*decided, *ended] {
            let wiped = ledger.erase(wish(record(seq, &[], &[]))).unwrap();
            assert!(wiped.log_is_empty);
        }
        assert!(
            !WORDS.iter().any(|word| here(word)),
            "call {n} is still there"
        );
    }
    let verified = verify(&path).unwrap();
    assert_eq!(verified.erased, 40 * (4 + 4));
    ledger.close().unwrap();
    let reader = Reader::open(&path).unwrap();
    let key = Trust::beside(&path).unwrap().key.unwrap();
    for (at, leaf) in leaves.iter().enumerate() {
        let seq = at as u64 + 1;
        assert_eq!(reader.get(seq).unwrap().unwrap().hash(), *leaf);
        audit::verify_proof(&reader.prove(seq, &[]).unwrap(), &key).unwrap();
    }
    // Its neighbours are whole.
    assert!(is_anywhere(&path, b"said-0001-") && is_anywhere(&path, b"who-0119-"));
    let opened = Ledger::open(&path).unwrap();
    opened.close().unwrap();
    verify(&path).unwrap();
}

#[test]
fn one_field_or_one_body_goes_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let (decided, ended) = marked(&ledger, "only", 100);
    let here = |word: &str| is_anywhere(&path, format!("{word}-only-").as_bytes());
    ledger.erase(wish(record(ended, &["stdout"], &[]))).unwrap();
    assert!(!here("said") && here("file") && here("how"));
    ledger.erase(wish(record(ended, &[], &["files"]))).unwrap();
    assert!(!here("file") && !here("path") && here("how"));
    ledger
        .erase(wish(record(decided, &[], &["principal"])))
        .unwrap();
    assert!(!here("who") && here("why") && here("what"));
    ledger
        .erase(wish(record(decided, &[], &["arguments"])))
        .unwrap();
    assert!(!here("what") && here("why"));
    verify(&path).unwrap();
    let refused = |target| match ledger.erase(wish(target)) {
        Err(AppendError::Refused(Refusal::NotErasable { name, .. })) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(record(decided, &[], &["verdict"])), "verdict");
    assert_eq!(
        refused(record(decided, &[], &["principal"])),
        "principal",
        "again"
    );
    assert_eq!(refused(record(ended, &["stdout"], &[])), "stdout", "again");
    assert_eq!(refused(record(ended, &["nothing"], &[])), "nothing");
    assert_eq!(refused(record(99, &[], &[])), "record");
    assert_eq!(refused(record(1, &[], &[])), "field or body");
    let reader = Reader::open(&path).unwrap();
    let Data::Decision(decision) = reader.get(decided).unwrap().unwrap().data().clone() else {
        panic!("no decision")
    };
    assert_eq!(decision.principal.kept(), None);
    assert!(decision.reason.kept().unwrap().starts_with("why-only"));
    ledger.close().unwrap();
}

#[test]
fn retention_by_size_and_by_age_keeps_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    for n in 0..40 {
        marked(&ledger, &format!("{n:04}"), 4_000);
    }
    let by = |before_us, body_bytes| Retention {
        before_us,
        body_bytes,
    };
    let too_old = |retention| Reader::open(&path).unwrap().too_old(retention).unwrap();
    assert_eq!(too_old(by(None, None)), None);
    assert_eq!(too_old(by(Some(1), Some(u64::MAX))), None);
    let (first, last) = too_old(by(None, Some(200_000))).unwrap();
    assert_eq!(first, 2);
    assert!(last > 10 && last < 80, "{last}");
    ledger.erase(wish(Target::Bodies { first, last })).unwrap();
    assert_eq!(too_old(by(None, Some(200_000))), None, "once is enough");
    assert!(!is_anywhere(&path, b"said-0000-") && is_anywhere(&path, b"said-0039-"));
    assert!(is_anywhere(&path, b"who-0000-"), "fields stay");
    let verified = verify(&path).unwrap();
    assert!(verified.erased > 10);
    let record = Reader::open(&path).unwrap().get(60).unwrap().unwrap();
    let (_, last) = too_old(by(Some(record.time_us()), None)).unwrap();
    assert_eq!(last, 59);
    let (_, all) = too_old(by(Some(u64::MAX), None)).unwrap();
    ledger
        .erase(wish(Target::Bodies {
            first: 1,
            last: all,
        }))
        .unwrap();
    assert!(!is_anywhere(&path, b"said-"));
    assert_eq!(verify(&path).unwrap().bodies, 0);
    ledger.close().unwrap();
}

#[test]
fn what_goes_without_an_erasure_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let (decided, ended) = marked(&ledger, "only", 10);
    ledger.erase(wish(record(ended, &["stdout"], &[]))).unwrap();
    ledger
        .erase(wish(record(decided, &[], &["reason"])))
        .unwrap();
    ledger.close().unwrap();
    verify(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let strike = |sql: &str| {
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch(sql).unwrap();
        drop(conn);
        let fault = verify(&path).unwrap_err();
        std::fs::write(&path, &whole).unwrap();
        fault
    };
    let body = |slot: u64| format!("{ended} * 8192 + {slot} + 1");
    let gone = strike(&format!("DELETE FROM log WHERE id = {}", body(2)));
    assert!(
        matches!(gone, Fault::BodyMissing { record, .. } if record == ended),
        "{gone}"
    );
    let back = strike(&format!(
        "INSERT INTO log(id, bytes) VALUES ({}, CAST('said-only-' AS BLOB))",
        body(0)
    ));
    assert!(matches!(back, Fault::BodyReturned { .. }), "{back}");
    let hidden = strike("DELETE FROM erasures");
    assert!(
        matches!(
            hidden,
            Fault::BodyMissing { .. } | Fault::FieldMissing { .. } | Fault::Erasures
        ),
        "{hidden}"
    );
    let more = strike("INSERT INTO erasures VALUES (1)");
    assert_eq!(more, Fault::Erasures);
    verify_with(&path, &Trust::beside(&path).unwrap()).unwrap();
}
