//! What the ledger costs beside plain SQLite with the same row size and settings, in one run:
//! `cargo run --release -p audit --example rates [DIRECTORY [LEAVES]]`.
//!
//! Measures and prints; judges nothing. Use a directory on the disk that matters. With LEAVES, a
//! ledger of so many small records is made (about 400 bytes each) and proofs from it are timed.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first error")]

use std::path::Path;
use std::time::{Duration, Instant};

use audit::{DecisionEntry, Hash, Ledger, NoteEntry, OutcomeEntry, Reader, leaf_hash, node_hash};
use rusqlite::Connection;
use serde_json::json;

/// Appends that wait for the disk one by one, in turn with bare commits.
const SINGLE: usize = 1000;

/// Threads that append at once.
const APPENDERS: usize = 64;

/// Records of each of them.
const EACH: usize = 500;

/// Proofs that are timed.
const PROOFS: u64 = 1000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments
        .next()
        .map_or_else(std::env::temp_dir, std::path::PathBuf::from);
    let leaves: Option<u64> = arguments.next().map(|leaves| leaves.parse().unwrap());
    let directory = tempfile::tempdir_in(root).unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    drop(ledger.decision(entry("deny")).unwrap());
    let bytes = row_bytes(&path);
    single(&ledger, &directory.path().join("bare.db"), bytes);
    let grouped = grouped(&directory.path().join("grouped.db"), bytes);
    let own = concurrent(&ledger);
    println!("bare SQLite, {APPENDERS} rows of {bytes} B a commit   {grouped:>9.0} rows/s");
    println!(
        "{APPENDERS} concurrent appenders                {own:>9.0} records/s   ratio {:.2}",
        own / grouped
    );
    ledger.close().unwrap();
    verification(&path);
    if let Some(leaves) = leaves {
        proofs(&directory.path().join("many.db"), leaves);
    }
}

/// What a decision puts into the tables: its record, its leaf, its arguments.
fn row_bytes(path: &Path) -> usize {
    let record = Reader::open(path).unwrap().get(2).unwrap().unwrap();
    let bodies = record.data().bodies();
    let bodies: u64 = bodies.iter().map(|named| named.body.bytes).sum();
    record.json().len() + 32 + usize::try_from(bodies).unwrap()
}

/// In turn, so that both see the same disk.
fn single(ledger: &Ledger, bare: &Path, bytes: usize) {
    let mut conn = bare_database(bare);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE {
        theirs.push(span(|| bare_commit(&mut conn, bytes, 1)));
        ours.push(span(|| drop(ledger.decision(entry("deny")).unwrap())));
    }
    let sum = |spans: &[Duration]| spans.iter().sum::<Duration>().as_secs_f64();
    let ratio = sum(&theirs) / sum(&ours);
    report(&format!("bare SQLite commit, one row of {bytes} B"), theirs);
    report("one decision appended", ours);
    println!("rate of single appends over SQLite's       {ratio:.2}");
}

fn grouped(path: &Path, bytes: usize) -> f64 {
    let mut conn = bare_database(path);
    let begun = Instant::now();
    for _ in 0..EACH {
        bare_commit(&mut conn, bytes, APPENDERS);
    }
    (EACH * APPENDERS) as f64 / begun.elapsed().as_secs_f64()
}

fn span(act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    begun.elapsed()
}

fn report(what: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let at = |part: usize| {
        let at = spans.get(spans.len() * part / 100);
        at.copied().unwrap_or_default()
    };
    println!("{what:<42} p50 {:>7.0?}  p99 {:>7.0?}", at(50), at(99));
}

fn bare_database(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    conn.pragma_update(None, "synchronous", "full").unwrap();
    conn.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
        .unwrap();
    conn
}

fn bare_commit(conn: &mut Connection, bytes: usize, rows: usize) {
    let row = vec![7_u8; bytes];
    let tx = conn.transaction().unwrap();
    for _ in 0..rows {
        tx.prepare_cached("INSERT INTO t(b) VALUES (?1)")
            .unwrap()
            .execute([&row])
            .unwrap();
    }
    tx.commit().unwrap();
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
        repeat: None,
    }
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

fn verification(path: &Path) {
    let before = peak_kib();
    let begun = Instant::now();
    let verified = audit::verify(path).unwrap();
    let rate = verified.records as f64 / begun.elapsed().as_secs_f64();
    println!(
        "verification                               {rate:>9.0} records/s ({} records, {} bodies)",
        verified.records, verified.bodies
    );
    println!(
        "most memory of this process before and after {:>6} KiB, {} KiB",
        before,
        peak_kib()
    );
}

/// The most that was resident, by the kernel's count.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

/// A ledger of many records of one kind, written past the ledger itself but as it would: the
/// ledger opens it, goes on, and signs it.
fn proofs(path: &Path, leaves: u64) {
    let ledger = Ledger::open(path).unwrap();
    let detail = json!({"filler": "x".repeat(100)});
    let topic = "many".to_owned();
    ledger.note(NoteEntry { topic, detail }).unwrap();
    drop(ledger);
    std::fs::remove_dir_all(path.with_extension("db.d")).unwrap();
    let begun = Instant::now();
    fill(path, leaves);
    println!("{leaves} records made in {:.0?}", begun.elapsed());
    Ledger::open(path).unwrap().close().unwrap();
    let reader = Reader::open(path).unwrap();
    let count = reader.count().unwrap();
    // Far apart and in no order.
    let seqs = (0..PROOFS).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count + 1);
    let spans = seqs.map(|seq| span(|| drop(reader.prove(seq, &[]).unwrap())));
    report(
        &format!("proof of one record among {count}"),
        spans.collect(),
    );
    verification(path);
}

fn fill(path: &Path, leaves: u64) {
    let note = Reader::open(path).unwrap().get(2).unwrap().unwrap();
    let entry = String::from_utf8(note.entry().to_vec()).unwrap();
    let mut conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "DELETE FROM log WHERE id > 2 * 8192; DELETE FROM checkpoints; PRAGMA synchronous = off",
    )
    .unwrap();
    let mut edges: Vec<Vec<Hash>> = vec![Vec::new(); 8];
    let first: Vec<Hash> = [1, 2]
        .map(|seq| {
            Reader::open(path)
                .unwrap()
                .get(seq)
                .unwrap()
                .unwrap()
                .hash()
        })
        .to_vec();
    let tx = conn.transaction().unwrap();
    for seq in 1..=leaves {
        let of = |text: &str| text.replacen("\"seq\":2,", &format!("\"seq\":{seq},"), 1);
        let leaf = match first.get(usize::try_from(seq - 1).unwrap_or(usize::MAX)) {
            Some(leaf) => *leaf,
            None => {
                let leaf = leaf_hash(of(&entry).as_bytes());
                tx.prepare_cached("INSERT INTO log VALUES (?1 * 8192, NULL, ?2, ?3)")
                    .unwrap()
                    .execute((sql(seq), leaf, of(note.json()).as_bytes()))
                    .unwrap();
                leaf
            }
        };
        push(&tx, &mut edges, 0, leaf);
    }
    // The edge: what is left of each level, in complete subtrees, largest first.
    let edge: Vec<Hash> = edges
        .iter()
        .rev()
        .flat_map(|level| complete(level))
        .collect();
    tx.execute(
        "UPDATE settled SET count = ?1, edge = ?2",
        (sql(leaves), edge.concat()),
    )
    .unwrap();
    tx.commit().unwrap();
}

/// Adds a hash to a level; 256 of them make one of the next.
fn push(conn: &Connection, edges: &mut [Vec<Hash>], level: usize, hash: Hash) {
    let row = edges.get_mut(level).unwrap();
    row.push(hash);
    if row.len() == 256 {
        let above = complete(row).remove(0);
        row.clear();
        let n: i64 = conn
            .query_row(
                "SELECT coalesce(max(n) + 1, 0) FROM nodes WHERE level = ?1",
                [sql(level as u64 + 1)],
                |row| row.get(0),
            )
            .unwrap();
        conn.prepare_cached("INSERT INTO nodes VALUES (?1, ?2, ?3)")
            .unwrap()
            .execute((sql(level as u64 + 1), n, above))
            .unwrap();
        push(conn, edges, level + 1, above);
    }
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

/// The roots of the complete subtrees of a row, largest first.
fn complete(row: &[Hash]) -> Vec<Hash> {
    let mut roots = Vec::new();
    let mut rest = row;
    while !rest.is_empty() {
        let (first, after) = rest.split_at(1 << rest.len().ilog2());
        let mut hashes = first.to_vec();
        while hashes.len() > 1 {
            let pairs = hashes.chunks(2);
            hashes = pairs
                .map(|pair| node_hash(pair.first().unwrap(), pair.last().unwrap()))
                .collect();
        }
        roots.extend(hashes);
        rest = after;
    }
    roots
}
