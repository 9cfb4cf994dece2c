//! A policy is changed under a running daemon: nothing is dropped, nothing judged by a mix, and
//! what is broken changes nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::daemon::{Answer, Client, Daemon, Options};
use appliance_tests::ledger;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A change is in force after two looks of the daemon; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(20);

/// How often the wait looks.
const LOOK: Duration = Duration::from_millis(10);

/// A policy that denies what is forbidden, for this reason.
fn policy(reason: &str) -> String {
    format!(
        r#"
version = 1
name = "house"
include = ["lists.toml"]
[[rule]]
id = "contain-code"
effect = "allow"
run = "wasm-offline"
match = {{ tool = "execute_code", "arguments.language" = {{ list = "languages" }} }}
reason = "code runs in the sandbox"
[[rule]]
id = "forbidden"
effect = "deny"
match = {{ tool = "execute_code", "arguments.code" = "forbidden" }}
reason = "{reason}"
[[rule.test]]
call = {{ tool = "execute_code", arguments = {{ language = "python", code = "forbidden" }} }}
verdict = "deny"
"#
    )
}

const LISTS: &str = "version = 1\nname = \"lists\"\n[lists]\nlanguages = [\"python\"]\n";

/// Policies that must not come into force.
fn broken(at: usize) -> String {
    let all = [
        String::new(),
        "version = 1\nname = ".to_owned(),
        policy("new").replace("verdict = \"deny\"", "verdict = \"allow\""),
        policy("new").replace("run = \"wasm-offline\"", "run = \"host\""),
        policy("new").replace("lists.toml", "missing.toml"),
    ];
    all[at % all.len()].clone()
}

/// A policy file, what it includes, and a state directory.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(place.path("lists.toml"), LISTS).unwrap();
        place.write(&policy("alpha"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In place, as some editors do: a reader can see half of it.
    fn write(&self, text: &str) {
        std::fs::write(self.path("policy.toml"), text).unwrap();
    }

    /// Another file under the same name, as others do.
    fn replace(&self, text: &str) {
        std::fs::write(self.path("new.toml"), text).unwrap();
        std::fs::rename(self.path("new.toml"), self.path("policy.toml")).unwrap();
    }

    fn start(&self, more: &[(&str, &str)]) -> Daemon {
        let mut options = Options::default()
            .state(&self.path("state"))
            .policy(&self.path("policy.toml"));
        // Nothing is run here.
        let environment = [("LAZARET_WARM_WORKERS", "0")];
        for (name, value) in environment.iter().chain(more) {
            options
                .environment
                .push(((*name).to_owned(), (*value).to_owned()));
        }
        Daemon::start_with(options)
    }
}

fn call() -> Value {
    json!({"language": "python", "code": "forbidden"})
}

fn explain(client: &Client) -> Answer {
    let call = json!({"tool": "execute_code", "arguments": call()});
    client.post_bytes("/v1/policy/explain", call.to_string().as_bytes())
}

fn reload(client: &Client) -> Answer {
    client.post_bytes("/v1/policy/reload", b"")
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        thread::sleep(LOOK);
    }
}

fn in_force(client: &Client) -> Value {
    let answer = client.get("/v1/policy");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn wait_for_reason(client: &Client, reason: &str) {
    wait_for(reason, || explain(client).text("reason") == reason);
}

// ---- under load ---------------------------------------------------------------------------------

/// What one answer said.
#[derive(Debug)]
struct Said {
    began: Instant,
    generation: u64,
    digest: String,
    reason: String,
    decision: Option<u64>,
}

fn said(answer: &Answer, began: Instant) -> Said {
    let reason = if answer.status == 403 {
        answer.text("detail")
    } else {
        assert_eq!(answer.status, 200, "no answer is lost: {answer:?}");
        answer.text("reason")
    };
    Said {
        began,
        generation: answer.body["policy"]["generation"].as_u64().unwrap(),
        digest: answer.body["policy"]["digest"].as_str().unwrap().to_owned(),
        reason: reason.to_owned(),
        decision: answer.body["ledger"]["decision"].as_u64(),
    }
}

fn ask(client: &Client, stop: &AtomicBool, executes: bool) -> Vec<Said> {
    let mut all = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = if executes {
            client.execute(&call())
        } else {
            explain(client)
        };
        all.push(said(&answer, began));
    }
    all
}

/// Changes the file again and again, broken ones between; gives the moments from which on an
/// answer must be of a generation at least.
fn change(place: &Place, client: &Client) -> Vec<(Instant, u64)> {
    let mut gone = Vec::new();
    for round in 0..6 {
        let reason = if round % 2 == 0 { "beta" } else { "alpha" };
        let text = policy(reason);
        if round % 3 == 0 {
            place.write(&text);
        } else {
            place.replace(&text);
        }
        wait_for_reason(client, reason);
        let generation = in_force(client)["generation"].as_u64().unwrap();
        gone.push((Instant::now(), generation));
        place.replace(&broken(round));
        wait_for("the broken file shows", || {
            in_force(client)["last_error"].is_string()
        });
        assert_eq!(in_force(client)["generation"], generation, "round {round}");
    }
    gone
}

#[test]
fn under_load_nothing_is_dropped_and_nothing_judged_by_a_mix() {
    let place = Place::new();
    let daemon = place.start(&[]);
    let stop = AtomicBool::new(false);
    let (said, gone) = thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|number| {
                let (client, stop) = (daemon.client(), &stop);
                scope.spawn(move || ask(&client, stop, number % 2 == 0))
            })
            .collect();
        let gone = change(&place, &daemon.client());
        stop.store(true, Ordering::Relaxed);
        let said: Vec<Vec<Said>> = askers
            .into_iter()
            .map(|asker| asker.join().unwrap())
            .collect();
        (said, gone)
    });
    for asker in &said {
        let generations: Vec<u64> = asker.iter().map(|one| one.generation).collect();
        assert!(generations.is_sorted(), "never back to an old one");
    }
    let all: Vec<&Said> = said.iter().flatten().collect();
    assert_whole(&all);
    for (moment, generation) in gone {
        let late = all
            .iter()
            .find(|one| one.began > moment && one.generation < generation);
        assert!(late.is_none(), "{generation} was in force: {late:?}");
    }
    let recorded = all.iter().filter(|one| one.decision.is_some()).count();
    assert!(
        recorded > 50 && all.len() > 2 * 50,
        "{recorded} of {}",
        all.len()
    );
    assert_eq!(daemon.stop_and_verify().code, 0);
    assert_recorded(&place, &all);
}

/// Each generation has one digest and one reason.
fn assert_whole(all: &[&Said]) {
    let mut by_generation: BTreeMap<u64, (&str, &str)> = BTreeMap::new();
    for one in all {
        let found = (one.digest.as_str(), one.reason.as_str());
        let first = by_generation.entry(one.generation).or_insert(found);
        assert_eq!(*first, found, "generation {}", one.generation);
        let expected = if one.generation % 2 == 1 {
            "alpha"
        } else {
            "beta"
        };
        assert_eq!(one.reason, expected, "generation {}", one.generation);
    }
    assert!(by_generation.len() > 3, "{by_generation:?}");
}

/// The ledger says the same as the answers.
fn assert_recorded(place: &Place, all: &[&Said]) {
    let rows = ledger::of_kind(&place.path("state/ledger.db"), "decision");
    let rows: BTreeMap<u64, &Value> = rows
        .iter()
        .map(|row| (row["seq"].as_u64().unwrap(), &row["data"]))
        .collect();
    let mut found = 0;
    for one in all {
        let Some(row) = one.decision.and_then(|seq| rows.get(&seq)) else {
            continue;
        };
        found += 1;
        assert_eq!(row["policy_generation"], one.generation, "{one:?}");
        assert_eq!(row["policy_digest"], one.digest.as_str(), "{one:?}");
        assert_eq!(row["reason"], one.reason.as_str(), "{one:?}");
    }
    assert!(found > 0, "some rows were looked at");
    let notes = ledger::of_kind(&place.path("state/ledger.db"), "note");
    assert!(
        notes
            .iter()
            .all(|note| note["data"]["detail"]["policy_generation"].is_u64())
    );
}

// ---- one thing at a time ------------------------------------------------------------------------

#[test]
fn a_broken_file_changes_nothing_and_shows() {
    let place = Place::new();
    let daemon = place.start(&[]);
    let client = daemon.client();
    let before = in_force(&client);
    assert_eq!(before["generation"], 1);
    for at in 0..5 {
        place.write(&broken(at));
        let answer = reload(&client);
        answer.assert_problem(422);
        assert_eq!(answer.body["type"], "urn:lazaret:problem:policy-broken");
        assert_eq!(answer.body["policy"]["generation"], 1);
        let problems = answer.body["problems"].as_array().unwrap();
        assert!(
            problems.iter().all(|one| one["line"].is_u64()),
            "{answer:?}"
        );
        assert!(!problems.is_empty(), "{answer:?}");
        let health = client.get("/health").body["policy"].clone();
        assert_eq!(health["digest"], before["digest"]);
        assert!(health["last_error"].is_string(), "{health}");
        assert_eq!(
            client.get("/health/ready").status,
            200,
            "the old one judges on"
        );
        assert_eq!(client.execute(&call()).text("detail"), "alpha");
    }
    place.write(&policy("alpha"));
    let answer = reload(&client);
    assert_eq!(
        (answer.status, &answer.body["changed"]),
        (200, &json!(false)),
        "{answer:?}"
    );
    assert_eq!(in_force(&client)["last_error"], Value::Null);
    assert_eq!(in_force(&client)["generation"], 1, "it means the same");
}

#[test]
fn the_gate_closes_on_a_broken_file_if_the_operator_chose_so() {
    let place = Place::new();
    let daemon = place.start(&[("LAZARET_POLICY_ON_BROKEN", "close")]);
    let client = daemon.client();
    assert_eq!(client.execute(&call()).status, 403);
    place.replace(&broken(2));
    wait_for("closed", || client.get("/health/ready").status == 503);
    let ready = client.get("/health/ready");
    assert!(ready.body["policy"]["last_error"].is_string(), "{ready:?}");
    let answer = client.execute(&call());
    answer.assert_problem(503);
    assert_eq!(answer.body["type"], "urn:lazaret:problem:policy-broken");
    assert!(
        answer.text("detail").contains("forbidden"),
        "names the rule: {answer:?}"
    );
    place.replace(&policy("beta"));
    wait_for_reason(&client, "beta");
    assert_eq!(client.execute(&call()).text("detail"), "beta");
    assert_eq!(client.get("/health/ready").status, 200);
    assert_eq!(daemon.stop_and_verify().code, 0);
    let rows = ledger::of_kind(&place.path("state/ledger.db"), "decision");
    assert_eq!(
        rows.len(),
        2,
        "what the closed gate turned away was not judged"
    );
}

#[test]
fn an_included_file_a_profile_and_a_signal_are_followed_too() {
    let place = Place::new();
    let profiles = place.path("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let daemon = place.start(&[("LAZARET_PROFILES", profiles.to_str().unwrap())]);
    let client = daemon.client();
    let lists = LISTS.replace("[\"python\"]", "[\"python\", \"ruby\"]");
    std::fs::write(place.path("lists.toml"), lists).unwrap();
    wait_for("the included file", || in_force(&client)["generation"] == 2);
    let shipped = include_str!("../../profiles/wasm-offline.toml");
    let small = shipped
        .replace("name = \"wasm-offline\"", "name = \"small\"")
        .replace("rank = ", "rank = 1");
    std::fs::write(profiles.join("small.toml"), small).unwrap();
    wait_for("the profile", || {
        in_force(&client)["profiles"]
            .as_array()
            .unwrap()
            .contains(&json!("small"))
    });
    let before = in_force(&client)["loaded_at"].clone();
    kill(Pid::from_raw(daemon.pid()), Signal::SIGHUP).unwrap();
    wait_for("the signal", || in_force(&client)["loaded_at"] != before);
    assert_eq!(client.execute(&call()).status, 403, "and goes on");
}

#[test]
fn a_text_can_be_checked_and_a_call_explained_without_any_effect() {
    let place = Place::new();
    let daemon = place.start(&[]);
    let client = daemon.client();
    let check = |body: &Value| client.post_bytes("/v1/policy/check", body.to_string().as_bytes());
    let good = check(&json!({"text": policy("x"), "include": {"lists.toml": LISTS}}));
    assert_eq!(good.body["holds"], true, "{good:?}");
    assert_eq!(good.body["rules"], 2);
    assert_eq!(
        good.body["warnings"][0]["rule"], "contain-code",
        "it has no test: {good:?}"
    );
    let bad =
        check(&json!({"text": broken(2), "file": "a.toml", "include": {"lists.toml": LISTS}}));
    assert_eq!(bad.body["holds"], false);
    let problem = &bad.body["problems"][0];
    assert_eq!(
        (&problem["file"], &problem["rule"], &problem["test"]),
        (&json!("a.toml"), &json!("forbidden"), &json!(1))
    );
    assert_eq!(
        check(&json!({"text": policy("x")})).body["holds"],
        false,
        "the include is missing"
    );
    check(&json!({"txt": ""})).assert_problem(400);
    let explained = explain(&client);
    assert_eq!(explained.text("verdict"), "deny");
    assert_eq!(explained.body["policy"]["generation"], 1);
    for path in [
        "/v1/policy/reload",
        "/v1/policy/check",
        "/v1/policy/explain",
    ] {
        client
            .with_token("no")
            .post_bytes(path, b"{}")
            .assert_problem(401);
    }
    client
        .with_token("no")
        .get("/v1/policy")
        .assert_problem(401);
    assert_eq!(in_force(&client)["generation"], 1);
    assert_eq!(daemon.stop_and_verify().code, 0);
    let rows = ledger::of_kind(&place.path("state/ledger.db"), "decision");
    assert!(rows.is_empty(), "nothing was recorded: {rows:?}");
}
