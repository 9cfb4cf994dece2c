//! The working tools around a policy, as a person and as a pipeline use them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance_tests::command::{Finished, finish, program};
use audit::{DecisionEntry, Ledger};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with files, in which commands run.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `lazaret WORDS…`, in the directory.
    fn run(&self, words: &str) -> Finished {
        self.run_with(words, b"")
    }

    fn run_with(&self, words: &str, stdin: &[u8]) -> Finished {
        let mut command = Command::new(program("lazaret"));
        command
            .args(words.split_whitespace())
            .current_dir(self.folder.path())
            .env_remove("LAZARET_POLICY")
            .env("LAZARET_STATE", self.folder.path())
            .env("NO_COLOR", "1");
        finish(&mut command, stdin)
    }

    /// A ledger with these decisions.
    fn ledger(&self, entries: Vec<DecisionEntry>) -> &Self {
        let ledger = Ledger::open(&self.path("ledger.db")).unwrap();
        for entry in entries {
            drop(ledger.decision(entry).unwrap());
        }
        ledger.close().unwrap();
        self
    }
}

const POLICY: &str = r#"version = 1
name = "house"

[[rule]]
id = "contain-python"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code", "arguments.language" = "python" }
reason = "python runs in a sandbox"
owner = "platform"

[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python", code = "1" } }
matches = true
verdict = "allow"

[[rule.test]]
call = { tool = "execute_code", arguments = { language = "ruby", code = "1" } }
matches = false
verdict = "deny"

[[rule.test]]
call = { tool = "other", arguments = { language = "python" } }
matches = false
"#;

const HOLD: &str = r#"
[[rule]]
id = "ask-for-releases"
effect = "hold"
match = { tool = "execute_code", "arguments.target" = "release" }
reason = "a person looks at releases"
owner = "release"
"#;

fn decision(number: u8, verdict: &str, arguments: &Value, session: Option<&str>) -> DecisionEntry {
    DecisionEntry {
        call_id: [number; 16],
        principal: "ann".to_owned(),
        session: session.map(str::to_owned),
        tool: "execute_code".to_owned(),
        arguments: arguments.to_string().into_bytes(),
        verdict: verdict.to_owned(),
        rules: vec!["contain-python".to_owned()],
        reason: "python runs in a sandbox".to_owned(),
        policy_digest: [7; 32],
        policy_generation: 1,
        profile: (verdict == "allow").then(|| "wasm-offline".to_owned()),
        runtime: None,
        limits: Value::Null,
    }
}

fn python(target: &str) -> Value {
    json!({"code": "1", "language": "python", "target": target})
}

fn two_calls() -> Vec<DecisionEntry> {
    vec![
        decision(1, "allow", &python("test"), None),
        decision(2, "allow", &python("release"), None),
    ]
}

// ---- test ---------------------------------------------------------------------------------------

#[test]
fn a_failing_test_is_status_1_and_stands_in_the_report() {
    let place = Place::new();
    place.file("good.toml", POLICY);
    place.file(
        "bad.toml",
        &POLICY.replace("verdict = \"deny\"", "verdict = \"allow\""),
    );
    let good = place.run("policy test good.toml --junit good.xml");
    assert_eq!(
        (good.code, good.out().trim()),
        (0, "good.toml: 3 of 3 tests pass"),
        "{}",
        good.err()
    );
    assert!(
        place
            .read("good.xml")
            .contains("<testsuites tests=\"3\" failures=\"0\">")
    );
    let bad = place.run("policy test bad.toml --junit bad.xml");
    assert_eq!(
        (bad.code, bad.out().trim()),
        (1, "bad.toml: 2 of 3 tests pass")
    );
    assert!(
        bad.err().contains("--> bad.toml:"),
        "with its place: {}",
        bad.err()
    );
    assert!(
        place
            .read("bad.xml")
            .contains("<failure message=\"expected the verdict allow, got deny")
    );
    place.file("broken.toml", "version = 1\nname = \n");
    assert_eq!(place.run("policy test broken.toml").code, 1);
    assert_eq!(place.run("policy test missing.toml").code, 125);
}

#[test]
fn a_change_that_no_test_notices_is_status_1_unless_allowed() {
    let place = Place::new();
    place
        .file("good.toml", POLICY)
        .file("lax.toml", &format!("{POLICY}{HOLD}"));
    let good = place.run("policy test good.toml --mutate");
    assert_eq!(good.code, 0, "{}{}", good.out(), good.err());
    let lax = place.run("policy test lax.toml --mutate");
    assert_eq!(lax.code, 1, "{}", lax.out());
    assert!(
        lax.out()
            .contains("rule `ask-for-releases`, dropped: no test notices"),
        "{}",
        lax.out()
    );
    assert_eq!(
        place
            .run("policy test lax.toml --mutate --allow-survivors")
            .code,
        0
    );
    let coverage = place.run("policy test lax.toml --coverage");
    assert!(
        coverage
            .out()
            .contains("rule ask-for-releases: takes effect in no test"),
        "{}",
        coverage.out()
    );
}

// ---- fmt ----------------------------------------------------------------------------------------

#[test]
fn formatting_keeps_meaning_comments_and_mode() {
    let place = Place::new();
    let wild = format!(
        "# ours\n{}",
        POLICY
            .replace("effect = \"allow\"\n", "")
            .replace("reason =", "effect   =  \"allow\" # yes\nreason =")
    );
    place.file("wild.toml", &wild);
    std::fs::set_permissions(place.path("wild.toml"), PermissionsExt::from_mode(0o600)).unwrap();
    let digest = |name: &str| {
        place
            .run(&format!("policy explain --json --policy {name} call.json"))
            .out()
    };
    place.file(
        "call.json",
        r#"{"tool": "execute_code", "arguments": {"language": "python", "code": "1"}}"#,
    );
    let before = digest("wild.toml");
    let check = place.run("policy fmt --check wild.toml");
    assert_eq!(
        (check.code, check.out().trim()),
        (1, "wild.toml: not formatted")
    );
    assert_eq!(place.read("wild.toml"), wild, "--check changes nothing");
    assert_eq!(place.run("policy fmt wild.toml").code, 0);
    let formatted = place.read("wild.toml");
    assert!(
        formatted.contains("# ours") && formatted.contains("effect = \"allow\" # yes\nrun ="),
        "{formatted}"
    );
    let mode = std::fs::metadata(place.path("wild.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(digest("wild.toml"), before);
    assert_eq!(place.run("policy fmt --check wild.toml").code, 0);
    let piped = place.run_with("policy fmt -", wild.as_bytes());
    assert_eq!(piped.out(), formatted);
    place.file("broken.toml", "version = 1\nname = \n");
    let broken = place.run("policy fmt wild.toml broken.toml");
    assert_eq!(broken.code, 125);
    assert!(
        broken.err().contains("broken.toml: line 2"),
        "{}",
        broken.err()
    );
    assert_eq!(place.read("broken.toml"), "version = 1\nname = \n");
}

// ---- export -------------------------------------------------------------------------------------

#[test]
fn an_export_without_a_deny_is_status_3_unless_wanted_so() {
    let place = Place::new();
    let deny = "[[rule]]\nid = \"no-eval\"\neffect = \"deny\"\nmatch = { \"arguments.code\" = { regex = 'eval' } }\nreason = \"no\"\n";
    place
        .file("whole.toml", POLICY)
        .file("part.toml", &format!("{POLICY}{deny}"));
    let whole = place.run("policy export --cedar whole.toml");
    assert_eq!((whole.code, whole.err().as_str()), (0, ""));
    assert!(
        whole.out().contains("permit (principal, action, resource)"),
        "{}",
        whole.out()
    );
    let part = place.run("policy export --cedar part.toml");
    assert_eq!(part.code, 3);
    for text in [part.err(), part.out()] {
        assert!(
            text.contains("WEAKER") && text.contains("`no-eval` (deny)"),
            "{text}"
        );
    }
    let wanted = place.run("policy export --cedar --partial part.toml");
    assert_eq!((wanted.code, wanted.out()), (0, part.out()));
}

// ---- replay -------------------------------------------------------------------------------------

#[test]
fn replay_says_what_would_have_changed() {
    let place = Place::new();
    place
        .file("same.toml", POLICY)
        .file("new.toml", &format!("{POLICY}{HOLD}"));
    place.ledger(two_calls());
    let same = place.run("policy replay same.toml --ledger ledger.db");
    assert_eq!(same.code, 0, "{}{}", same.out(), same.err());
    assert_eq!(
        same.out().trim(),
        "same.toml: 0 of 2 recorded calls would have been decided otherwise"
    );
    let new = place.run("policy replay new.toml --ledger ledger.db --json");
    assert_eq!(new.code, 1, "{}", new.err());
    let found = new.json();
    assert_eq!(
        (&found["decided"], &found["changed"]),
        (&json!(2), &json!(1))
    );
    let change = &found["changes"][0];
    assert_eq!(change["before"]["verdict"], "allow");
    assert_eq!(
        (&change["after"]["verdict"], &change["after"]["rule"]),
        (&json!("hold"), &json!("ask-for-releases"))
    );
    assert_eq!(
        found["owners"],
        json!({"release": {"stricter": 1, "looser": 0, "elsewhere": 0}})
    );
    let table = place.run("policy replay new.toml --ledger ledger.db");
    assert!(
        table.out().contains("allow in wasm-offline -> hold"),
        "{}",
        table.out()
    );
    assert_eq!(
        place
            .run("policy replay new.toml --ledger ledger.db --since 2100-01-01")
            .code,
        0
    );
    assert_eq!(
        place
            .run("policy replay new.toml --ledger ledger.db --since 1h")
            .code,
        1
    );
}

#[test]
fn what_replay_cannot_say_is_status_2_and_said() {
    let place = Place::new();
    let stateful = "[[rule]]\nid = \"busy\"\neffect = \"deny\"\nmatch = { tool = \"elsewhere\" }\nwhen = \"session.calls > 5\"\nreason = \"no\"\n";
    place
        .file("same.toml", POLICY)
        .file("state.toml", &format!("{POLICY}{stateful}"));
    let mut gone = decision(3, "allow", &python("test"), None);
    gone.arguments = b"not json".to_vec();
    place.ledger(vec![decision(1, "allow", &python("test"), Some("s")), gone]);
    let same = place.run("policy replay same.toml --ledger ledger.db");
    assert_eq!(same.code, 2);
    assert!(
        same.out().contains("1 calls were not decided"),
        "{}",
        same.out()
    );
    let state = place.run("policy replay state.toml --ledger ledger.db");
    assert_eq!(state.code, 2);
    assert!(
        state.out().contains("not recorded: busy;"),
        "{}",
        state.out()
    );
    assert_eq!(
        place
            .run("policy replay same.toml --ledger missing.db")
            .code,
        2
    );
    assert_eq!(
        place
            .run("policy replay missing.toml --ledger ledger.db")
            .code,
        2
    );
}

#[test]
fn replay_finds_the_owners_of_earlier_rules() {
    let place = Place::new();
    let deny = "[[rule]]\nid = \"no-release\"\neffect = \"deny\"\nmatch = { \"arguments.target\" = \"release\" }\nreason = \"no\"\nowner = \"release\"\n";
    let old = format!("{POLICY}{deny}");
    place.file("new.toml", POLICY).file("then/old.toml", &old);
    let mut entry = decision(1, "deny", &python("release"), None);
    entry.rules = vec!["no-release".to_owned(), "contain-python".to_owned()];
    entry.policy_digest = digest(&old);
    place.ledger(vec![entry]);
    let found = place.run("policy replay new.toml --ledger ledger.db --policy-dir then --json");
    assert_eq!(found.code, 1, "{}", found.err());
    let before = &found.json()["changes"][0]["before"];
    assert_eq!(
        (&before["rule"], &before["owner"]),
        (&json!("no-release"), &json!("release"))
    );
    assert_eq!(
        found.json()["owners"],
        json!({"platform": {"stricter": 0, "looser": 1, "elsewhere": 0}})
    );
}

fn digest(text: &str) -> [u8; 32] {
    let shipped = policy::shipped::PROFILES
        .iter()
        .map(|one| (one.file, one.text));
    let profiles = policy::Profiles::load(shipped).unwrap();
    policy::Policy::load("old.toml", text, &profiles)
        .unwrap()
        .digest()
}

// ---- the page -----------------------------------------------------------------------------------

/// What a block of docs/POLICY-TOOLS.md is.
enum Block {
    File(String, String),
    Commands(String),
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let body = format!("{}\n", body.join("\n"));
        match kind.split_once(" file ") {
            Some((_, name)) => blocks.push(Block::File(name.to_owned(), body)),
            None if kind == "console" => blocks.push(Block::Commands(body)),
            None => {}
        }
    }
    blocks
}

/// `$ lazaret WORDS [STATUS]`, and what it prints: standard output, then standard error.
fn run_commands(place: &Place, text: &str) -> usize {
    let mut count = 0;
    for part in text.split("$ lazaret ").skip(1) {
        let (line, expected) = part.split_once('\n').unwrap();
        let (words, status) = match line.rsplit_once(" [") {
            Some((words, status)) => (words, status.trim_end_matches(']').parse().unwrap()),
            None => (line, 0),
        };
        let done = place.run(words);
        let printed = format!("{}{}", done.out(), done.err());
        assert_eq!(without_digests(&printed), expected, "lazaret {words}");
        assert_eq!(done.code, status, "lazaret {words}");
        count += 1;
    }
    count
}

/// A digest is another when a shipped profile is; the page leaves them out.
fn without_digests(text: &str) -> String {
    let digest = regex::Regex::new("[0-9a-f]{64}").unwrap();
    digest.replace_all(text, "…").into_owned()
}

#[test]
fn every_example_of_the_page_runs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/POLICY-TOOLS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let place = Place::new();
    place.ledger(two_calls());
    let mut count = 0;
    for block in blocks(&page) {
        match block {
            Block::File(name, text) => drop(place.file(&name, &text)),
            Block::Commands(text) => count += run_commands(&place, &text),
        }
    }
    assert!(count >= 8, "the page has lost its examples: {count}");
}
