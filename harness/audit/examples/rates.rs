//! What an append costs beside a bare commit of SQLite, in one run:
//! `cargo run --release -p audit --example rates [DIRECTORY]`.
//!
//! Measures and prints; judges nothing. Use a directory on the disk that matters.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first error")]

use std::path::Path;
use std::time::{Duration, Instant};

use audit::{DecisionEntry, Ledger, OutcomeEntry};
use serde_json::json;

const SINGLE: usize = 1000;
const APPENDERS: usize = 64;
const EACH: usize = 500;

fn main() {
    let root = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| std::env::temp_dir().into_os_string());
    let directory = tempfile::tempdir_in(root).unwrap();
    let bare = bare_commits(&directory.path().join("bare.db"), 1);
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let append = spans(SINGLE, || decide(&ledger, "deny"));
    let bare_again = bare_commits(&directory.path().join("bare2.db"), 1);
    report("bare SQLite commit, one row of 600 B", &bare);
    report("one decision appended", &append);
    report("bare SQLite commit, again", &bare_again);
    report("one outcome with 1 MiB of output", &large(&ledger));
    let grouped: Duration = bare_commits(&directory.path().join("bare3.db"), 256)
        .iter()
        .sum();
    println!(
        "{:<40} {:>9.0} rows/s",
        "bare SQLite, 256 rows a commit",
        (SINGLE * 256) as f64 / grouped.as_secs_f64()
    );
    let rate = concurrent(&ledger);
    println!("{:<40} {rate:>9.0} records/s", "64 concurrent appenders");
    ledger.close().unwrap();
    let begun = Instant::now();
    let verified = audit::verify(&path).unwrap();
    let rate = verified.records as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{:<40} {rate:>9.0} records/s ({} records, {} bodies)",
        "verification", verified.records, verified.bodies
    );
}

fn spans(count: usize, mut act: impl FnMut()) -> Vec<Duration> {
    let mut spans: Vec<_> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            act();
            begun.elapsed()
        })
        .collect();
    spans.sort_unstable();
    spans
}

fn report(what: &str, spans: &[Duration]) {
    let at = |part: usize| {
        spans
            .get(spans.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    println!("{what:<40} p50 {:>7.0?}  p99 {:>7.0?}", at(50), at(99));
}

fn bare_commits(path: &Path, rows: usize) -> Vec<Duration> {
    let mut conn = rusqlite::Connection::open(path).unwrap();
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    conn.pragma_update(None, "synchronous", "full").unwrap();
    conn.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
        .unwrap();
    let row = [7_u8; 600];
    spans(SINGLE, || {
        let tx = conn.transaction().unwrap();
        for _ in 0..rows {
            tx.prepare_cached("INSERT INTO t(b) VALUES (?1)")
                .unwrap()
                .execute([row])
                .unwrap();
        }
        tx.commit().unwrap();
    })
}

fn entry(verdict: &str) -> DecisionEntry {
    let call_id = uuid::Uuid::now_v7().into_bytes();
    DecisionEntry {
        call_id,
        principal: "local".to_owned(),
        session: None,
        tool: "execute_code".to_owned(),
        arguments: format!(
            "{{\"code\":\"print({})\",\"language\":\"python\"}}",
            u128::from_be_bytes(call_id)
        )
        .into_bytes(),
        verdict: verdict.to_owned(),
        rules: vec!["contain-code".to_owned()],
        reason: "runs in a sandbox".to_owned(),
        policy_digest: [7; 32],
        policy_generation: 1,
        profile: Some("wasm-offline".to_owned()),
        runtime: Some("python".to_owned()),
        limits: json!({"wall_ms": 10_000, "memory_bytes": 268_435_456}),
    }
}

fn decide(ledger: &Ledger, verdict: &str) {
    drop(ledger.decision(entry(verdict)).unwrap());
}

fn ended(call_id: [u8; 16], decision_seq: u64, stdout: Vec<u8>) -> OutcomeEntry {
    OutcomeEntry {
        call_id,
        decision_seq,
        ending: "exited".to_owned(),
        detail: None,
        exit_code: Some(0),
        stdout,
        stderr: Vec::new(),
        files: Vec::new(),
        truncated_stdout: false,
        truncated_stderr: false,
        usage: json!({"wall_us": 900, "cpu_us": 800, "memory_peak_bytes": 12_000_000}),
        receipt: json!({"landlock_abi": 6, "seccomp_digest": "0".repeat(64)}),
    }
}

fn large(ledger: &Ledger) -> Vec<Duration> {
    let mut spans: Vec<_> = (0..30_u8)
        .map(|round| {
            let receipt = ledger.decision(entry("allow")).unwrap();
            let outcome = ended(receipt.call_id(), receipt.seq(), vec![round; 1024 * 1024]);
            let begun = Instant::now();
            drop(ledger.outcome(outcome).unwrap());
            begun.elapsed()
        })
        .collect();
    spans.sort_unstable();
    spans
}

fn concurrent(ledger: &Ledger) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..APPENDERS {
            scope.spawn(|| {
                for _ in 0..EACH / 2 {
                    let receipt = ledger.decision(entry("allow")).unwrap();
                    let outcome = ended(receipt.call_id(), receipt.seq(), b"7\n".to_vec());
                    drop(ledger.outcome(outcome).unwrap());
                }
            });
        }
    });
    (APPENDERS * EACH) as f64 / begun.elapsed().as_secs_f64()
}
