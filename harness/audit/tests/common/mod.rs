//! What the attacks share: entries, children, and a copy of all that a reader gives.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests; each file uses its part"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use audit::{DecisionEntry, FileEntry, Ledger, OutcomeEntry, Reader};
use serde_json::{Value, json};

pub(crate) fn call_id() -> [u8; 16] {
    uuid::Uuid::now_v7().into_bytes()
}

pub(crate) fn decision(call_id: [u8; 16], verdict: &str) -> DecisionEntry {
    DecisionEntry {
        call_id,
        principal: "tester".to_owned(),
        session: None,
        tool: "execute_code".to_owned(),
        arguments: format!("{{\"code\":\"print({})\"}}", u128::from_be_bytes(call_id)).into_bytes(),
        verdict: verdict.to_owned(),
        rules: vec!["contain-code".to_owned()],
        reason: "runs in a sandbox".to_owned(),
        policy_digest: [7; 32],
        policy_generation: 1,
        profile: Some("wasm-offline".to_owned()),
        runtime: Some("python".to_owned()),
        limits: json!({"wall_ms": 10_000}),
    }
}

pub(crate) fn outcome(call_id: [u8; 16], decision_seq: u64, stdout: &[u8]) -> OutcomeEntry {
    OutcomeEntry {
        call_id,
        decision_seq,
        ending: "exited".to_owned(),
        detail: None,
        exit_code: Some(0),
        stdout: stdout.to_vec(),
        stderr: Vec::new(),
        files: Vec::new(),
        truncated_stdout: false,
        truncated_stderr: false,
        usage: json!({"wall_us": 900}),
        receipt: Value::Null,
        repeat: None,
    }
}

/// One call, from decision to outcome.
pub(crate) fn call(ledger: &Ledger, stdout: &[u8]) -> (u64, u64) {
    let id = call_id();
    let decision = ledger.decision(decision(id, "allow")).unwrap();
    let outcome = ledger.outcome(outcome(id, decision.seq(), stdout)).unwrap();
    assert_eq!(outcome.decision_seq(), decision.seq());
    (decision.seq(), outcome.seq())
}

/// A ledger with every kind of record, shared bodies, files, and open calls.
/// 1 start, 2 decision, 3 outcome, 4 denied, 5 decision, 6 outcome, 7 note,
/// 8 and 9 decisions without outcome, 10 stop.
pub(crate) fn sample(path: &Path) {
    let ledger = Ledger::open(path).unwrap();
    call(&ledger, b"one\n");
    drop(ledger.decision(decision(call_id(), "deny")).unwrap());
    let id = call_id();
    let receipt = ledger.decision(decision(id, "allow")).unwrap();
    let mut entry = outcome(id, receipt.seq(), b"one\n");
    for name in ["a", "b"] {
        let content = name.repeat(9000).into_bytes();
        entry.files.push(FileEntry {
            path: name.to_owned(),
            content,
        });
    }
    drop(ledger.outcome(entry).unwrap());
    let detail = json!({"digest": "abc"});
    ledger
        .note(audit::NoteEntry {
            topic: "policy".to_owned(),
            detail,
        })
        .unwrap();
    drop(ledger.decision(decision(call_id(), "allow")).unwrap());
    drop(ledger.decision(decision(call_id(), "allow")).unwrap());
    ledger.close().unwrap();
}

pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Everything that a reader gives, as text to compare; an error is text too.
pub(crate) fn contents(path: &Path) -> Vec<String> {
    let reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => return vec![error.to_string()],
    };
    let mut all = vec![format!("{:?}", reader.count())];
    all.push(format!("{:?}", reader.tail(1000)));
    all.push(format!("{:?}", reader.checkpoint()));
    for seq in 1..=reader.count().unwrap_or(0).min(1000) {
        let Ok(Some(record)) = reader.get(seq) else {
            all.push(format!("{:?}", reader.get(seq)));
            continue;
        };
        all.push(format!("{} {:?}", record.json(), record.hash()));
        if let Some(call) = record.call_id() {
            all.push(format!("{:?}", reader.by_call(&call)));
        }
        for named in record.data().bodies() {
            all.push(format!("{:?}", reader.body(seq, &named)));
        }
    }
    all
}

/// This test program again, running the ignored test `name` with a ledger's path.
pub(crate) fn child(name: &str, path: &Path) -> Child {
    child_with(name, path, &[])
}

/// The same, with more variables.
pub(crate) fn child_with(name: &str, path: &Path, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            name,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("LEDGER_UNDER_TEST", path)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The path that a child was given.
pub(crate) fn child_path() -> Option<PathBuf> {
    std::env::var_os("LEDGER_UNDER_TEST").map(PathBuf::from)
}

/// Prints what was acknowledged; one whole line at a time.
pub(crate) fn acknowledge(seq: u64, hash: [u8; 32]) {
    use std::io::Write as _;
    let line = format!("ack {seq} {}\n", audit::Digest(hash));
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What a child printed before it ended.
pub(crate) fn acknowledged(child: &mut Child) -> Vec<(u64, String)> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut acks = Vec::new();
    for line in out.lines().map_while(Result::ok) {
        let mut words = line
            .split(' ')
            .skip_while(|word| !word.ends_with("ack"))
            .skip(1);
        if let (Some(seq), Some(hash)) = (words.next(), words.next())
            && hash.len() == 64
        {
            acks.push((seq.parse().unwrap(), hash.to_owned()));
        }
    }
    acks
}

/// Every acknowledged record must be there, with its hash.
pub(crate) fn assert_there(path: &Path, acks: &[(u64, String)]) {
    let reader = Reader::open(path).unwrap();
    for (seq, hash) in acks {
        let record = reader
            .get(*seq)
            .unwrap()
            .unwrap_or_else(|| panic!("record {seq} is lost"));
        assert_eq!(
            &audit::Digest(record.hash()).to_string(),
            hash,
            "record {seq} changed"
        );
    }
}

/// Small and repeatable: an xorshift is enough to choose where to strike.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
