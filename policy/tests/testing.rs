//! Reports, coverage and mutants of a policy's own tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{Change, Mutant, Part, Policy, TestReport, Verdict, mutate, shipped, test_policy};
use support::{load, profiles};

const RULES: &str = r#"
[[rule]]
id = "allow"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code", "arguments.language" = ["python", "ruby"] }
unless = { principal = "eve" }
reason = "r"

[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python" } }
matches = true
verdict = "allow"

[[rule]]
id = "deny"
effect = "deny"
match = { "arguments.path" = { prefix = "/etc" } }
when = 'time.hour < 12'
reason = "r"

[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python", path = "/etc/x" } }
verdict = "deny"

[[rule.test]]
now = 2026-01-01T12:00:00Z
call = { tool = "execute_code", arguments = { language = "python", path = "/etc/x" } }
verdict = "allow"
"#;

fn report(rules: &str) -> TestReport {
    let text = format!("version = 1\nname = \"t\"\n{rules}");
    test_policy(
        "t.toml",
        &text,
        &profiles(),
        &mut |_| Err("none".to_owned()),
    )
    .unwrap()
}

fn unnoticed(policy: &Policy) -> Vec<String> {
    let mutants = mutate(policy).into_iter();
    let unnoticed = mutants.filter(|mutant| mutant.caught_by.is_none());
    unnoticed
        .map(|mutant| format!("{}: {}", mutant.rule, mutant.change))
        .collect()
}

#[test]
fn failing_tests_are_reported_and_not_refused() {
    let good = report(RULES);
    assert!(good.passes());
    assert_eq!((good.cases.len(), good.failed()), (3, 0));
    let bad = report(&RULES.replacen("verdict = \"allow\"", "verdict = \"hold\"", 1));
    assert_eq!(bad.failed(), 1);
    assert_eq!(
        (bad.cases[0].rule.as_str(), bad.cases[0].number),
        ("allow", 1)
    );
    assert!(bad.to_string().starts_with(
        "t: 2 of 3 tests pass\nerror: rule `allow`, test 1: expected the verdict hold, got allow"
    ));
    let broken = test_policy("t.toml", "version = 1", &profiles(), &mut |_| {
        Err(String::new())
    });
    assert!(
        broken
            .unwrap_err()
            .to_string()
            .contains("missing field `name`")
    );
}

#[test]
fn coverage_says_which_side_no_test_shows() {
    let report = report(RULES);
    let allow = &report.coverage[0];
    assert_eq!((allow.takes_effect, allow.does_not), (1, 0));
    assert_eq!(allow.conditions.last().unwrap().part, Part::Unless);
    let said = allow.to_string();
    assert!(
        said.contains("rule allow: does not take effect in no test\n"),
        "{said}"
    );
    assert!(
        said.contains("rule allow: tool equals \"execute_code\": fails in no test\n"),
        "{said}"
    );
    assert!(
        said.contains("rule allow: unless principal equals \"eve\": holds in no test\n"),
        "{said}"
    );
    assert!(
        !report.coverage[1]
            .to_string()
            .contains("takes effect in no test")
    );
}

#[test]
fn junit_names_every_test_and_escapes_what_it_shows() {
    assert_eq!(
        report(RULES).to_junit(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"3\" failures=\"0\">\n  <testsuite name=\"t\" tests=\"3\" failures=\"0\">\n    \
         <testcase classname=\"t.allow\" name=\"test 1\" file=\"t.toml\" line=\"12\"/>\n    \
         <testcase classname=\"t.deny\" name=\"test 1\" file=\"t.toml\" line=\"24\"/>\n    \
         <testcase classname=\"t.deny\" name=\"test 2\" file=\"t.toml\" line=\"28\"/>\n  </testsuite>\n</testsuites>\n"
    );
    let bad = RULES
        .replacen("reason = \"r\"", "reason = \"<&\\\"'\\u0007>\"", 1)
        .replacen("verdict = \"allow\"", "verdict = \"hold\"", 1);
    let junit = report(&bad).to_junit();
    assert!(junit.contains("failures=\"1\""), "{junit}");
    assert!(
        junit.contains("      <failure message=\"expected the verdict hold, got allow (&lt;&amp;&quot;&apos;\\u{7}&gt;); correct the rule or the test\"/>\n"),
        "{junit}"
    );
}

#[test]
fn a_mutant_that_no_test_notices_is_named() {
    assert_eq!(
        unnoticed(&load(RULES).unwrap()),
        [
            "allow: without its `match` on `arguments.language`",
            "allow: with a `match` on `arguments.language` that lacks `ruby`",
            "allow: without its `match` on `tool`",
            "allow: without its `unless` on `principal`",
        ]
    );
    let mutants = mutate(&load(RULES).unwrap());
    let shown = |change: Change| {
        mutants
            .iter()
            .find(|m: &&Mutant| m.change == change && m.rule == "deny")
            .unwrap()
            .to_string()
    };
    assert_eq!(
        shown(Change::DropWhen),
        "rule `deny`, without its `when`: caught by rule `deny`, test 2"
    );
    assert_eq!(
        shown(Change::Effect(Verdict::Hold)),
        "rule `deny`, as a hold: caught by rule `deny`, test 1"
    );
}

#[test]
fn one_more_test_catches_one_more_mutant() {
    let more = format!(
        "{RULES}\n[[rule.test]]\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\" }} }}\nmatches = false\n\
         [[rule.test]]\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\" }}, principal = \"eve\" }}\nverdict = \"deny\"\n"
    );
    let left = unnoticed(&load(&more).unwrap());
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        left.iter().all(|mutant| mutant.starts_with("allow: ")),
        "{left:?}"
    );
}

#[test]
fn obligations_are_changed_too() {
    let rules = RULES.replacen("reason", "obligations.limits.wall_ms = 5\nreason", 1);
    assert!(
        unnoticed(&load(&rules).unwrap()).contains(&"allow: without its obligations".to_owned())
    );
    let test = "\n[[rule.test]]\nnow = 2026-01-01T12:00:00Z\ncall = { tool = \"execute_code\", arguments = { language = \"python\", limits = { wall_ms = 6 } } }\nverdict = \"deny\"\n";
    assert!(
        !unnoticed(&load(&format!("{rules}{test}")).unwrap())
            .contains(&"allow: without its obligations".to_owned())
    );
}

/// The shipped packs are the first to be held to it.
#[test]
fn every_mutant_of_the_shipped_packs_is_caught() {
    let unnoticed: Vec<(&str, Vec<String>)> = shipped::PACKS
        .iter()
        .map(|pack| {
            let policy = Policy::load(pack.file, pack.text, &profiles()).unwrap();
            let mut unnoticed = unnoticed(&policy);
            unnoticed.retain(|change| !is_equivalent(change));
            (pack.file, unnoticed)
        })
        .filter(|(_, unnoticed)| !unnoticed.is_empty())
        .collect();
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// Changes that change nothing: of the tools that a pack knows only `run_command` has shell texts
/// and hosts and only `execute_code` has code, so a rule on these is for that tool anyway; and a
/// tool that no allow is for is denied whether a rule denies or holds it.
fn is_equivalent(change: &str) -> bool {
    const BY_ITS_ATOMS: &[&str] = &[
        "commands",
        "contain-commands",
        "contain-nothing",
        "disguised-hosts",
        "git-readers",
        "listed-hosts",
        "names-of-hosts",
        "no-analysis",
        "nothing-kept",
        "nothing-to-run",
        "other-users",
        "paths-outside",
        "readers",
        "readers-with-care",
        "recursive-removal",
        "run-time-words",
        "what-reads",
        "wrappers",
        "writes-outside",
    ];
    match change.split_once(": ") {
        Some((rule, "without its `match` on `tool`")) => BY_ITS_ATOMS.contains(&rule),
        Some((rule, "as a hold")) => rule == "blocked-tools",
        Some(_) | None => false,
    }
}
