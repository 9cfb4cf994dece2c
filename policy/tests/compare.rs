//! What the comparison of policies finds and proves, one change at a time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::collections::BTreeSet;

use policy::compare::{Answer, Change, Question, QuestionError, can, diff};
use policy::{Policy, Verdict};
use serde_json::{Value, json};
use support::compare::{kinds, load, rule};

const ALL: &str = "match = { tool = \"execute_code\" }";

fn only_change(old: &str, new: &str) -> Change {
    let diff = diff(&load(old), &load(new));
    assert!(diff.proved(), "{diff}");
    assert_eq!(diff.changes.len(), 1, "{diff}");
    diff.changes.into_iter().next().unwrap()
}

/// As [`only_change`], for rules on commands and the like: what several of them could show besides
/// is not decided.
fn shown_change(old: &str, new: &str) -> Change {
    let diff = diff(&load(old), &load(new));
    assert!(
        diff.undecided.iter().all(|u| u.why.contains("several")),
        "{diff}"
    );
    assert_eq!(diff.changes.len(), 1, "{diff}");
    diff.changes.into_iter().next().unwrap()
}

fn verdicts(change: &Change) -> (Verdict, Verdict) {
    (change.from.verdict, change.to.verdict)
}

fn same(old: &str, new: &str) {
    let diff = diff(&load(old), &load(new));
    assert!(diff.is_empty(), "{diff}");
}

// ---- single changes -----------------------------------------------------------------------------

#[test]
fn a_policy_does_not_differ_from_itself() {
    let docs = [
        rule("a", "allow", ALL),
        rule(
            "h",
            "hold",
            "match = { \"arguments.code\" = { regex = '(?i)rm\\b' } }",
        ),
        rule(
            "w",
            "deny",
            "match = { tool = \"execute_code\" }\nwhen = \"principal == arguments.owner\"",
        ),
    ];
    same(&docs.concat(), &docs.concat());
    let [a, h, w] = &docs;
    same(&docs.concat(), &format!("{w}{a}{h}"));
    same("", "");
}

#[test]
fn each_kind_of_change_shows_a_call() {
    let allow = rule("a", "allow", ALL);
    let hold = rule("h", "hold", "match = { \"arguments.n\" = 5 }");
    let deny = rule("h", "deny", "match = { \"arguments.n\" = 5 }");
    let (held, denied) = (format!("{allow}{hold}"), format!("{allow}{deny}"));
    use Verdict::{Allow, Deny, Hold};
    for (old, new, verdict) in [
        (&allow, &held, (Allow, Hold)),
        (&held, &allow, (Hold, Allow)),
        (&allow, &denied, (Allow, Deny)),
        (&denied, &allow, (Deny, Allow)),
        (&held, &denied, (Hold, Deny)),
        (&denied, &held, (Deny, Hold)),
    ] {
        let change = only_change(old, new);
        assert_eq!(verdicts(&change), verdict);
        assert_eq!(change.call.arguments().get("n"), Some(&json!(5)));
    }
}

#[test]
fn another_profile_and_other_limits_are_changes() {
    let allow = rule("a", "allow", ALL);
    let wide = rule("a", "allow", &format!("run = \"wide\"\n{ALL}"));
    let diff_of = |old: &str, new: &str| diff(&load(old), &load(new));
    let moved = diff_of(&allow, &wide);
    assert!(moved.proved(), "{moved}");
    let profiles: Vec<String> = moved
        .changes
        .iter()
        .map(|c| format!("{} {}", c.from, c.to))
        .collect();
    assert!(
        profiles.contains(&"allow in wasm-offline allow in wide".to_owned()),
        "{moved}"
    );
    // The wide profile has a second language, and takes longer calls.
    assert!(
        profiles.contains(&"deny allow in wide".to_owned()),
        "{moved}"
    );

    let short = rule(
        "a",
        "allow",
        &format!("{ALL}\nobligations = {{ limits = {{ wall_ms = 50 }} }}"),
    );
    let lowered = diff_of(&allow, &short);
    assert!(lowered.proved(), "{lowered}");
    let text = lowered.to_string();
    assert!(text.contains("wall_ms: 10000 -> 50"), "{text}");
    assert!(text.contains("allow in wasm-offline -> deny"), "{text}");
}

#[test]
fn a_hold_that_lowers_limits_denies_what_asks_for_more() {
    let allow = rule("a", "allow", ALL);
    let old = format!("{allow}{}", rule("h", "hold", ALL));
    let limits = "obligations = { limits = { wall_ms = 50 } }";
    let new = format!("{allow}{}", rule("h", "hold", &format!("{ALL}\n{limits}")));
    let change = only_change(&old, &new);
    assert_eq!(verdicts(&change), (Verdict::Hold, Verdict::Deny));
    let asked = change.call.arguments().pointer("/limits/wall_ms").unwrap();
    assert!(asked.as_u64().unwrap() > 50);
}

#[test]
fn what_never_takes_effect_makes_no_difference() {
    let base = rule("a", "allow", ALL)
        + &rule(
            "d",
            "deny",
            "match = { \"arguments.p\" = { prefix = \"/a\" } }",
        );
    for dead in [
        // Denied already.
        rule(
            "x",
            "hold",
            "match = { \"arguments.p\" = { glob = \"/abc/*\" } }",
        ),
        rule(
            "x",
            "deny",
            "match = { \"arguments.p\" = { prefix = \"/ab\" } }",
        ),
        // For another tool, which no sandbox runs.
        rule("x", "hold", "match = { tool = \"run_command\" }"),
        // For a language that there is none of.
        rule(
            "x",
            "allow",
            "match = { \"arguments.language\" = \"cobol\" }",
        ),
        rule(
            "x",
            "deny",
            "match = { \"arguments.language\" = { exists = false } }",
        ),
        // Its own exception.
        rule(
            "x",
            "deny",
            "match = { principal = { prefix = \"ab\" } }\nunless = { principal = { prefix = \"a\" } }",
        ),
        rule(
            "x",
            "deny",
            "match = { principal = { regex = '^[0-9]+$' } }\nunless = { principal = { regex = '[0-9]' } }",
        ),
        // No such moment.
        rule(
            "x",
            "deny",
            &format!("{ALL}\nwhen = \"time.month == 2 and time.day == 30\""),
        )
        .replace(
            "time.day == 30",
            "time.day == 30 and exists time.day and time.year != 2000",
        ),
        // Shadow.
        rule("x", "deny", &format!("{ALL}\nmode = \"shadow\"")),
        // Names can have no control characters.
        rule(
            "x",
            "allow",
            "match = { principal = { contains = \"\\n\" } }\nrun = \"wide\"",
        ),
    ] {
        if dead.contains("time.month") {
            // Unknown time lets the deny take effect, so this one is real.
            let difference = diff(&load(&base), &load(&format!("{base}{dead}")));
            assert!(
                difference.proved() && !difference.is_empty(),
                "{difference}"
            );
            assert!(
                difference
                    .changes
                    .iter()
                    .all(|change| change.context.now_us.is_none())
            );
        } else {
            same(&base, &format!("{base}{dead}"));
        }
    }
}

#[test]
fn a_rule_covered_by_two_others_is_proved_dead() {
    let base = rule("a", "allow", ALL)
        + &rule("low", "deny", "match = { \"arguments.n\" = { max = 5 } }")
        + &rule(
            "high",
            "deny",
            "match = { \"arguments.n\" = { min = 5.5 } }",
        );
    let integers = rule(
        "x",
        "hold",
        "match = { \"arguments.n\" = { min = 0, max = 10 } }",
    );
    let change = only_change(&base, &(base.clone() + &integers));
    let n = change
        .call
        .arguments()
        .get("n")
        .and_then(Value::as_f64)
        .unwrap();
    assert!(n > 5.0 && n < 5.5);
    let gap = rule(
        "gap",
        "deny",
        "match = { \"arguments.n\" = { min = 4.5, max = 6 } }",
    );
    let base = base + &gap;
    same(&base, &(base.clone() + &integers));
}

#[test]
fn names_reasons_and_tests_make_no_difference() {
    let old = rule("a", "allow", ALL);
    let new = rule(
        "b",
        "allow",
        "match = { tool = { equals = \"execute_code\" } }",
    );
    let case = "[[rule.test]]\ncall = { tool = \"x\" }\nverdict = \"deny\"\n";
    same(&old, &format!("{new}{case}"));
    let split = ["python", "ruby"].map(|language| {
        rule(
            language,
            "allow",
            &format!("match = {{ \"arguments.language\" = \"{language}\" }}"),
        )
    });
    let whole = rule(
        "a",
        "allow",
        "match = { \"arguments.language\" = [\"python\", \"ruby\"] }",
    );
    same(&whole, &split.concat());
}

#[test]
fn arrays_and_objects_are_compared() {
    let base = rule("a", "allow", ALL);
    let any = rule(
        "d",
        "deny",
        "match = { \"arguments.p\" = { any = { prefix = \"/etc\" } } }",
    );
    let all = rule(
        "d",
        "deny",
        "match = { \"arguments.p\" = { all = { prefix = \"/etc\" } } }",
    );
    let both = diff(&load(&(base.clone() + &any)), &load(&(base.clone() + &all)));
    assert!(both.proved(), "{both}");
    let found: BTreeSet<_> = both.changes.iter().map(verdicts).collect();
    assert!(found.contains(&(Verdict::Allow, Verdict::Deny)), "{both}");
    assert!(found.contains(&(Verdict::Deny, Verdict::Allow)), "{both}");
    // Below a text there is nothing, and that cannot be told; below an absent key it can.
    let below = rule("d", "deny", "match = { \"arguments.o.k\" = 1 }");
    let excepted = rule(
        "d",
        "deny",
        "match = { \"arguments.o.k\" = 1 }\nunless = { \"arguments.o\" = \"x\" }",
    );
    let change = only_change(&(base.clone() + &below), &(base.clone() + &excepted));
    assert_eq!(change.call.arguments().get("o"), Some(&json!("x")));
    assert_eq!(verdicts(&change), (Verdict::Deny, Verdict::Allow));
}

#[test]
fn times_and_sessions_are_compared() {
    let base = rule(
        "a",
        "allow",
        "match = { tool = \"execute_code\" }\nwhen = \"time.year >= 1970\"",
    );
    let night = |hours: &str| {
        base.clone()
            + &rule(
                "n",
                "hold",
                &format!("{ALL}\nwhen = \"{hours} and time.weekday == 'sunday'\""),
            )
    };
    let change = only_change(&night("time.hour >= 18"), &night("time.hour >= 17"));
    let now = jiff::Timestamp::from_microsecond(change.context.now_us.unwrap() as i64).unwrap();
    let now = now.to_zoned(jiff::tz::TimeZone::UTC);
    assert_eq!(
        (now.hour(), now.weekday()),
        (17, jiff::civil::Weekday::Sunday)
    );
    same(
        &night("time.unix_s >= @2026-01-01 and time.year == 2025"),
        &night("time.unix_s >= @2026-01-01 and time.year == 2024"),
    );
    let calls = |n: u64| {
        base.clone()
            + &rule("s", "deny", "match = { \"session.calls\" = { min = N } }")
                .replace('N', &n.to_string())
    };
    let change = only_change(&calls(1_000), &calls(900));
    assert_eq!(change.context.session.unwrap().calls, 900);
    let expiring = |date: &str| rule("a", "allow", &format!("{ALL}\nexpires = {date}"));
    let change = only_change(&expiring("2026-12-31"), &expiring("2027-12-31"));
    assert_eq!(verdicts(&change), (Verdict::Deny, Verdict::Allow));
    assert!(change.context.now_us.unwrap() >= 1_798_675_200_000_000);
}

#[test]
fn what_cannot_be_decided_is_said() {
    let base = rule("a", "allow", ALL);
    let own = |how: &str| {
        base.clone()
            + &rule(
                "d",
                "deny",
                &format!("{ALL}\nwhen = \"principal {how} arguments.owner\""),
            )
    };
    // A witness can still be found, by giving both the same value.
    let equal = diff(&load(&base), &load(&own("==")));
    assert_eq!(equal.changes.len(), 1, "{equal}");
    // Nobody can be both, but that is not proved here.
    let impossible = own("== arguments.other and principal !=");
    let odd = diff(&load(&base), &load(&impossible));
    for change in &odd.changes {
        assert_eq!(verdicts(change), (Verdict::Allow, Verdict::Deny));
    }
    let never = "when = \"principal == arguments.owner and principal == 'ann' and arguments.owner == 'bob'\"";
    let never = rule("n", "allow", &format!("{ALL}\n{never}"));
    let undecided = diff(&load(""), &load(&never));
    assert!(undecided.changes.is_empty(), "{undecided}");
    let only = undecided.undecided.first().unwrap();
    assert_eq!(only.rules, ["n"]);
    assert!(only.why.contains("two facts"), "{undecided}");
}

#[test]
fn what_takes_too_long_is_said() {
    let base = rule("a", "allow", ALL);
    let hard = |n: usize| {
        base.clone()
            + &rule(
                "r",
                "deny",
                &format!(
                    "match = {{ \"arguments.x\" = {{ regex = '^(a|b)*a(a|b){{{n}}}$' }} }}\nunless = {{ \"arguments.x\" = {{ regex = '^(a|b)*b(a|b){{17}}(a|b)*$|^a*$' }} }}"
                ),
            )
    };
    let difference = diff(&load(&hard(30)), &load(&hard(31)));
    assert!(
        !difference.changes.is_empty() || !difference.proved(),
        "{difference}"
    );
}

// ---- can ----------------------------------------------------------------------------------------

fn asks(policy: &Policy, question: &str) -> Answer {
    can(policy, &Question::read(question).unwrap())
}

#[test]
fn questions_are_answered_with_a_call_or_a_proof() {
    let policy = load(
        &(rule(
            "a",
            "allow",
            "match = { tool = \"execute_code\" }\nunless = { \"arguments.path\" = { prefix = \"/etc/\" } }",
        ) + &rule(
            "h",
            "hold",
            "match = { \"arguments.path\" = { prefix = \"/home/\" } }",
        )),
    );
    let Answer::Yes(witness) = asks(&policy, "\"arguments.path\" = { glob = \"/data/**\" }") else {
        panic!("no call");
    };
    assert_eq!(witness.outcome.verdict, Verdict::Allow);
    assert!(
        witness
            .call
            .arguments()
            .get("path")
            .unwrap()
            .as_str()
            .unwrap()
            .starts_with("/data/")
    );
    assert_eq!(witness.rules, ["a"]);
    let etc = "\"arguments.path\" = { regex = '^/etc/(passwd|shadow)$' }";
    assert!(matches!(asks(&policy, etc), Answer::No));
    let home = Question::read("\"arguments.path\" = { prefix = \"/home/ann/\" }").unwrap();
    assert!(matches!(can(&policy, &home), Answer::No));
    let Answer::Yes(witness) = can(&policy, &home.or_held()) else {
        panic!("no call");
    };
    assert_eq!(witness.outcome.verdict, Verdict::Hold);
    assert!(matches!(
        asks(&policy, "tool = \"run_command\""),
        Answer::No
    ));
    assert!(matches!(asks(&policy, ""), Answer::Yes(_)));
    assert!(matches!(
        can(&load(""), &Question::default().or_held()),
        Answer::No
    ));
}

#[test]
fn what_is_no_question_is_refused() {
    let refused = |text: &str| Question::read(text).unwrap_err();
    assert!(matches!(refused("tool ="), QuestionError::Toml(_)));
    assert!(matches!(
        refused("tool = { like = \"x\" }"),
        QuestionError::Toml(_)
    ));
    assert!(matches!(refused("host = \"x\""), QuestionError::Fact(_)));
    assert!(matches!(
        refused("tool = 5"),
        QuestionError::Condition { .. }
    ));
    assert!(matches!(
        refused("tool = { list = \"x\" }"),
        QuestionError::Condition { .. }
    ));
}

// ---- what is read out of calls ------------------------------------------------------------------

const SHELL: &str = "run = \"container-offline\"\nmatch = { tool = \"run_command\", ";

fn shell(id: &str, rest: &str) -> String {
    rule(id, "allow", &format!("{SHELL}{rest} }}"))
}

#[test]
fn commands_paths_and_flags_are_compared() {
    let names = |names: &str| shell("names", &format!("\"command.name\" = [{names}]"));
    let change = shown_change(&names("\"ls\", \"cat\""), &names("\"ls\", \"cat\", \"rm\""));
    assert_eq!(verdicts(&change), (Verdict::Deny, Verdict::Allow));
    let command = change
        .call
        .arguments()
        .get("command")
        .unwrap()
        .as_str()
        .unwrap();
    assert!(command.starts_with("rm"), "{command}");

    let base = names("\"ls\", \"grep\"");
    let flags = |flag: &str| {
        base.clone()
            + &rule(
                "f",
                "deny",
                &format!("match = {{ \"command.flags\" = {{ any = \"{flag}\" }} }}"),
            )
    };
    let change = shown_change(&base, &flags("--recursive"));
    assert_eq!(verdicts(&change), (Verdict::Allow, Verdict::Deny));
    same(&flags("--recursive"), &flags("--recursive"));

    let files = rule(
        "p",
        "allow",
        "run = \"container-offline\"\nmatch = { \"path.value\" = { prefix = \"/work/\" } }",
    );
    let git = rule(
        "git",
        "deny",
        "match = { \"path.value\" = { glob = \"/work/**/.git/**\" } }",
    );
    let change = shown_change(&files, &format!("{files}{git}"));
    assert_eq!(verdicts(&change), (Verdict::Allow, Verdict::Deny));
    let outside = rule(
        "git",
        "deny",
        "match = { \"path.value\" = { prefix = \"/etc/\" } }",
    );
    same(&files, &format!("{files}{outside}"));
}

#[test]
fn calls_without_atoms_are_not_touched_by_rules_on_them() {
    let code = rule("a", "allow", ALL);
    same(
        &code,
        &(code.clone() + &rule("x", "allow", "match = { \"command.name\" = \"ls\" }")),
    );
    let hosts = |range: &str| {
        rule(
            "h",
            "allow",
            "run = \"container-offline\"\nmatch = { \"host.name\" = { exists = true } }",
        ) + &rule(
            "d",
            "deny",
            &format!("match = {{ \"host.address\" = {{ cidr = \"{range}\" }} }}"),
        )
    };
    same(&hosts("10.0.0.0/8"), &hosts("10.0.0.0/8"));
    let wider = diff(&load(&hosts("10.1.0.0/16")), &load(&hosts("10.0.0.0/8")));
    assert!(!wider.is_empty());
    let link = load(&hosts("169.254.0.0/16"));
    assert!(matches!(
        asks(&link, "\"host.address\" = { cidr = \"169.254.169.254\" }"),
        Answer::No
    ));
    assert!(!matches!(
        asks(&link, "\"host.address\" = { cidr = \"169.0.0.0/8\" }"),
        Answer::No
    ));
}

#[test]
fn what_a_pack_lets_through_is_asked() {
    let packs = policy::shipped::PACKS.iter();
    for pack in packs {
        let Ok(policy) = Policy::load(pack.file, pack.text, &support::profiles()) else {
            eprintln!("skipped: {} does not load", pack.file);
            continue;
        };
        let itself = diff(&policy, &policy);
        assert!(itself.is_empty(), "{}: {itself}", pack.file);
        if pack.file.contains("shell-readonly") {
            let Answer::Yes(witness) = asks(&policy, "\"command.name\" = \"ls\"") else {
                panic!("no call");
            };
            assert_eq!(witness.outcome.verdict, Verdict::Allow);
            // Only to be told what it is.
            if let Answer::Yes(witness) = asks(&policy, "\"command.name\" = \"rm\"") {
                let command = witness.call.arguments().get("command").unwrap();
                assert!(command.as_str().unwrap().contains("--"), "{command}");
            }
        }
    }
}

#[test]
fn what_is_not_compared_is_said() {
    let base = rule("a", "allow", ALL);
    let said = |old: &str, new: &str, word: &str| {
        let difference = diff(&load(old), &load(new));
        assert!(!difference.proved());
        assert!(
            difference.undecided.iter().any(|u| u.why.contains(word)),
            "{difference}"
        );
    };
    let tainted = rule("a", "allow", &format!("{ALL}\ntaint = [\"seen\"]"));
    said(&base, &tainted, "labels");
    let tool = "[[tool]]\nname = \"fetch\"\nroles = { url = \"url\" }\n";
    said(&base, &format!("{tool}{base}"), "tools");
    let budget =
        "[[budget]]\nid = \"b\"\nper = \"session\"\nmost = { calls = 5 }\nreason = \"enough\"\n";
    said(&base, &format!("{budget}{base}"), "budgets");
    let wide = rule(
        "w",
        "allow",
        "run = \"wide\"\nmatch = { \"command.name\" = \"cat\" }",
    );
    said(
        &shell("s", "\"command.name\" = \"ls\""),
        &(shell("s", "\"command.name\" = \"ls\"") + &wide),
        "several",
    );
}

#[test]
fn labels_are_compared() {
    let base = rule("a", "allow", ALL);
    let label = |count: u64| {
        base.clone()
            + &rule(
                "l",
                "deny",
                &format!(
                    "match = {{ \"session.label.seen.count\" = {{ min = {count} }}, \"session.label.seen.age_s\" = {{ max = 60 }} }}"
                ),
            )
    };
    let change = only_change(&label(3), &label(2));
    assert_eq!(verdicts(&change), (Verdict::Allow, Verdict::Deny));
    let state = change.context.session.unwrap();
    assert_eq!(state.labels.get("seen").unwrap().count, 2);
}

// ---- one change among a thousand ----------------------------------------------------------------

/// Rules as real policies have them: on paths, projects, teams, sizes, patterns.
fn thousand(change: impl Fn(usize, String) -> Option<String>) -> String {
    let rules = (0..1_000).map(|n| {
        let text = match n % 10 {
            0 => rule(&format!("r{n}"), "deny", &format!("match = {{ tool = \"execute_code\", \"arguments.path\" = {{ prefix = \"/srv/{n}/\" }} }}")),
            1 => rule(&format!("r{n}"), "hold", &format!("match = {{ principal = [\"team-{n}\", \"lead-{n}\"], \"arguments.table\" = {{ prefix = \"secret-{n}\" }} }}")),
            2 => rule(&format!("r{n}"), "hold", &format!("match = {{ \"arguments.size\" = {{ min = {n}, max = {} }} }}", n + 5)),
            3 => rule(&format!("r{n}"), "deny", &format!("match = {{ \"arguments.query\" = {{ regex = '(?i)drop\\s+table\\s+t{n}\\b' }} }}")),
            4 => rule(&format!("r{n}"), "deny", &format!("match = {{ \"arguments.file\" = {{ glob = \"/data/{n}/*.key\" }} }}")),
            _ => rule(&format!("r{n}"), "allow", &format!("match = {{ tool = \"execute_code\", \"arguments.project\" = \"project-{n}\" }}")),
        };
        change(n, text).unwrap_or_default()
    });
    rules.collect()
}

#[test]
fn one_change_among_a_thousand_rules_is_found() {
    let old = load(&thousand(|_, text| Some(text)));
    let changed = |at: usize, from: &'static str, to: &'static str| {
        let new = thousand(move |n, text| {
            Some(if n == at {
                text.replace(from, to)
            } else {
                text
            })
        });
        assert_ne!(new, thousand(|_, text| Some(text)));
        load(&new)
    };
    let dropped = |at: usize| load(&thousand(move |n, text| (n != at).then_some(text)));
    for (name, new) in [
        ("a literal", changed(505, "project-505", "project-x")),
        ("a deny dropped", dropped(500)),
        ("an allow dropped", dropped(505)),
        ("a hold made a deny", changed(501, "hold", "deny")),
        ("a wider prefix", changed(500, "/srv/500/", "/srv/50")),
        ("another regex", changed(503, "drop", "(drop|alter)")),
        ("a wider range", changed(502, "max = 507", "max = 511")),
        ("another glob", changed(504, "*.key", "*.pem")),
    ] {
        let difference = diff(&old, &new);
        let found = kinds(&difference, &old, &new);
        assert!(!found.is_empty(), "{name}: {difference}");
        // A word boundary is not walked beyond ASCII, and that is said.
        assert!(
            difference.proved() || name == "another regex",
            "{name}: {difference}"
        );
    }
}
