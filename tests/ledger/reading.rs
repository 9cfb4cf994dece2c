//! The ledger of a running daemon, read by others: over HTTP, on the command line, from a full disk.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::command::{Finished, finish, program, verify};
use appliance_tests::daemon::{Daemon, Options};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};

/// A checkpoint covers a record at most ten seconds later.
const SIGNED_WALL: Duration = Duration::from_secs(20);

fn audit(state: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program("lazaret"));
    command
        .arg("audit")
        .args(arguments)
        .arg("--state")
        .arg(state);
    finish(&mut command, b"")
}

fn judge(arguments: &[&Path]) -> Finished {
    finish(Command::new(program("lazaret-verify")).args(arguments), b"")
}

#[test]
fn pages_questions_records_and_proofs_over_http() {
    let daemon = Daemon::start();
    let answers: Vec<_> = (0..3)
        .map(|n| daemon.python(&format!("print('number {n}')")))
        .collect();
    let client = daemon.client();
    let page = client.get("/v1/ledger?limit=4").body;
    assert_eq!(page["records"].as_array().unwrap().len(), 4);
    assert_eq!(
        (page["after"].as_u64(), page["more"].as_bool()),
        (Some(4), Some(true))
    );
    let mut all: Vec<Value> = Vec::new();
    let mut after = 0;
    loop {
        let page = client
            .get(&format!("/v1/ledger?limit=3&after={after}"))
            .body;
        all.extend(page["records"].as_array().unwrap().iter().cloned());
        after = page["after"].as_u64().unwrap();
        if page["more"] == false {
            break;
        }
    }
    let numbers: Vec<u64> = all
        .iter()
        .map(|record| record["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=after).collect::<Vec<_>>(),
        "each record once, in order"
    );
    let found = client.get("/v1/ledger?text=number%201").body;
    let calls: Vec<&Value> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["data"]["call_id"])
        .collect();
    assert_eq!(
        calls, [&answers[1].body["call_id"]; 2],
        "its decision and its outcome"
    );
    for (question, some) in [
        ("principal=api", true),
        ("principal=nobody", false),
        ("ending=exited", true),
        ("ending=killed", false),
        ("verdict=deny", false),
        ("tool=execute_code", true),
    ] {
        let page = client.get(&format!("/v1/ledger?{question}")).body;
        let is_some = !page["records"].as_array().unwrap().is_empty();
        assert_eq!(is_some, some, "{question}: {page}");
    }
    let seq = answers[0].body["ledger"]["outcome"].as_u64().unwrap();
    let whole = client.get(&format!("/v1/ledger/records/{seq}")).body;
    assert_eq!(whole["bodies"]["stdout"], "number 0\n");
    let deadline = Instant::now() + SIGNED_WALL;
    let proof = loop {
        let proof = client.get(&format!("/v1/ledger/records/{seq}/proof"));
        if proof.status == 200 {
            break proof;
        }
        proof.assert_problem(409);
        assert!(Instant::now() < deadline, "nothing was signed");
        thread::sleep(Duration::from_millis(200));
    };
    let file = daemon.state().join("proof");
    std::fs::write(&file, &proof.raw).unwrap();
    let key = daemon.state().join("keys/ledger.pub");
    let judged = judge(&[&file, Path::new("--key"), &key]);
    assert_eq!(judged.code, 0, "{}{}", judged.out(), judged.err());
    assert!(
        judged.out().contains(&format!("record {seq} (outcome)")),
        "{}",
        judged.out()
    );
    assert!(
        client
            .get("/v1/ledger/checkpoint")
            .everything()
            .starts_with("lazaret/")
    );
}

#[test]
fn what_is_asked_wrongly_is_a_problem_and_nothing_is_shown_without_the_token() {
    let daemon = Daemon::start();
    let client = daemon.client();
    for path in [
        "/v1/ledger?after=x",
        "/v1/ledger?verdict=maybe",
        "/v1/ledger?since=yesterday",
        "/v1/ledger?nonsense=1",
        "/v1/ledger/records/one",
    ] {
        client.get(path).assert_problem(400);
    }
    client.get("/v1/ledger/records/999999").assert_problem(404);
    client
        .get("/v1/ledger/records/999999/proof")
        .assert_problem(404);
    let stranger = client.with_token("lzr_0000000000000000000000000000000000000000");
    for path in [
        "/v1/ledger",
        "/v1/ledger/records/1",
        "/v1/ledger/records/1/proof",
        "/v1/ledger/checkpoint",
    ] {
        stranger.get(path).assert_problem(401);
        assert_eq!(client.get("/v1/ledger").status, 200, "control");
    }
}

#[test]
fn a_client_follows_the_ledger() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let after = client.get("/v1/ledger?limit=1000").body["after"]
        .as_u64()
        .unwrap();
    let none = client.get(&format!("/v1/ledger?after={after}&wait_ms=300"));
    assert!(none.body["records"].as_array().unwrap().is_empty());
    assert!(none.took >= Duration::from_millis(300));
    let follower =
        thread::spawn(move || client.get(&format!("/v1/ledger?after={after}&wait_ms=20000")));
    thread::sleep(Duration::from_millis(300));
    let answer = daemon.python("print(1)");
    let followed = follower.join().unwrap();
    assert!(
        followed.took < Duration::from_secs(10),
        "{:?}",
        followed.took
    );
    assert_eq!(
        followed.body["records"][0]["data"]["call_id"],
        answer.body["call_id"]
    );
}

#[test]
fn the_command_line_searches_proves_exports_and_redacts() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    let answer = daemon.python("print('a secret of somebody')");
    let seq = answer.body["ledger"]["outcome"].to_string();
    let decision = answer.body["ledger"]["decision"].to_string();
    assert_eq!(daemon.stop_and_verify().code, 0);
    let run = |arguments: &[&str]| {
        let done = audit(state.path(), arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.out(), done.err());
        done.out()
    };
    let found = run(&["search", "--text", "a secret of somebody", "--json"]);
    assert_eq!(found.lines().count(), 2, "decision and outcome: {found}");
    assert!(run(&["search", "--verdict", "deny"]).is_empty());
    assert!(run(&["stats"]).contains("execute_code"));
    let key = state.path().join("keys/ledger.pub");
    assert_eq!(
        run(&["key"]).trim(),
        std::fs::read_to_string(&key).unwrap().trim()
    );
    let proof = state.path().join("proof");
    std::fs::write(&proof, run(&["prove", &seq, "--show", "ending"])).unwrap();
    let lines = state.path().join("export.jsonl");
    let tiles = state.path().join("tiles");
    let place = |path: &Path| path.to_str().unwrap().to_owned();
    run(&["export", "jsonl", "--bodies", "--out", &place(&lines)]);
    run(&["export", "tiles", "--out", &place(&tiles)]);
    for file in [&proof, &lines, &tiles] {
        let judged = judge(&[file, Path::new("--key"), &key]);
        assert_eq!(judged.code, 0, "{}{}", judged.out(), judged.err());
    }
    let events = run(&["export", "ocsf"]);
    assert!(
        events
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    assert!(
        run(&["export", "cef"])
            .lines()
            .all(|line| line.contains(" CEF:0|Lazaret|"))
    );
    let logs = run(&["export", "otlp"]);
    let log = |line: &str| serde_json::from_str::<Value>(line).unwrap()["resourceLogs"].is_array();
    assert!(!logs.is_empty() && logs.lines().all(log));
    let anchor = tempfile::tempdir().unwrap();
    let anchor = format!("file:{}", place(&anchor.path().join("anchor")));
    run(&["anchor", &anchor]);
    run(&[
        "redact",
        &seq,
        "--body",
        "stdout",
        "--reason",
        "it was asked for",
    ]);
    run(&["redact", &decision, "--reason", "it was asked for"]);
    assert!(run(&["search", "--text", "a secret of somebody"]).is_empty());
    for end in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(state.path().join(end)).unwrap_or_default();
        let there = String::from_utf8_lossy(&bytes).contains("a secret of somebody");
        assert!(!there, "it is in {end}");
    }
    assert!(run(&["verify", "--anchor", &anchor]).contains("anchored to"));
    assert_eq!(verify(&state.path().join("ledger.db")).code, 0);
    let refused = audit(
        state.path(),
        &["redact", &seq, "--field", "ending", "--reason", "no"],
    );
    assert_ne!(refused.code, 0);
    assert!(refused.err().contains("fields:"), "{}", refused.err());
}

/// A file system of our own, unmounted at the end.
struct Mount<'p>(&'p Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_daemon_on_a_full_disk_says_so_and_works_on_when_there_is_room() {
    let state = tempfile::tempdir().unwrap();
    let mounted = mount(
        Some("none"),
        state.path(),
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=24m,mode=700"),
    );
    if mounted.is_err() {
        eprintln!("skipped: mounting a tmpfs needs root");
        return;
    }
    let _disk = Mount(state.path());
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    let mut answered = vec![daemon.python("print('before')")];
    let hog = state.path().join("hog");
    let mut file = std::fs::File::create(&hog).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    let refused = (0..200).find_map(|_| {
        let answer = daemon.execute(
            &json!({"language": "python", "code": format!("print('{}')", "x".repeat(60_000))}),
        );
        if answer.status == 200 {
            answered.push(answer);
            return None;
        }
        Some(answer)
    });
    let refused = refused.unwrap();
    refused.assert_problem(503);
    assert!(refused.text("detail").contains("full"), "{refused:?}");
    let health = daemon.client().get("/health");
    assert_eq!(health.status, 503);
    assert!(
        health.everything().contains("sealed"),
        "{}",
        health.everything()
    );
    drop(file);
    std::fs::remove_file(&hog).unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    while daemon.client().get("/health").status != 200 {
        assert!(Instant::now() < deadline, "it never recovered");
        thread::sleep(Duration::from_millis(100));
    }
    answered.push(daemon.python("print('after')"));
    let ledger = daemon.ledger();
    daemon.stop();
    assert_eq!(verify(&ledger).code, 0, "{}", verify(&ledger).out());
    for answer in &answered {
        assert_eq!(answer.status, 200);
        let rows = appliance_tests::ledger::of_call(&ledger, answer.call_id());
        assert_eq!(rows.len(), 2, "an answered call is missing: {answer:?}");
    }
}
