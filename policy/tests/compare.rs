//! What the comparison of policies finds and proves, held against a plain enumeration of calls.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use policy::compare::{Answer, Change, Diff, Question, QuestionError, can, diff};
use policy::{CallId, Context, Decision, Policy, SessionState, ToolCall, Verdict, decide_at};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

fn load(rules: &str) -> Policy {
    support::load(rules).unwrap_or_else(|error| panic!("{error}\n{rules}"))
}

fn decide(policy: &Policy, context: &Context, call: &ToolCall) -> Decision {
    decide_at(policy, context, CallId::from_bytes([0; 16]), call.clone())
}

/// The verdict, and with an allow what it gives.
type Seen = (Verdict, Option<(String, policy::Limits)>);

fn seen(policy: &Policy, context: &Context, call: &ToolCall) -> Seen {
    let decision = decide(policy, context, call);
    let grant = decision.grant();
    let grant = grant.map(|grant| (grant.profile().name().to_owned(), *grant.limits()));
    (decision.verdict(), grant)
}

/// The kind of a change: two verdicts, and two profiles if both are allows.
type Kind = (Verdict, Verdict, Option<(String, String)>);

fn kind(old: &Seen, new: &Seen) -> Option<Kind> {
    let profiles = match (&old.1, &new.1) {
        (Some((old, _)), Some((new, _))) => Some((old.clone(), new.clone())),
        _ => None,
    };
    (old != new).then(|| (old.0, new.0, profiles))
}

/// Every change must be real, whatever is said of it.
fn kinds(diff: &Diff, old: &Policy, new: &Policy) -> BTreeSet<String> {
    let kinds = diff.changes.iter().map(|change| {
        let (context, call) = (&change.context, &change.call);
        let (old, new) = (seen(old, context, call), seen(new, context, call));
        assert_eq!((change.from.verdict, change.to.verdict), (old.0, new.0));
        format!("{:?}", kind(&old, &new).expect("a change"))
    });
    kinds.collect()
}

fn rule(id: &str, effect: &str, rest: &str) -> String {
    let run = match effect {
        "allow" if !rest.contains("run =") => "run = \"wasm-offline\"\n",
        _ => "",
    };
    format!("[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nreason = \"{id}\"\n{run}{rest}\n")
}

const ALL: &str = "match = { tool = \"execute_code\" }";

fn only_change(old: &str, new: &str) -> Change {
    let diff = diff(&load(old), &load(new));
    assert!(diff.proved(), "{diff}");
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
    let never = own(
        "== arguments.owner and principal == 'ann' and arguments.owner == 'bob' and principal ==",
    );
    let undecided = diff(&load(&base), &load(&never));
    assert!(
        undecided.changes.is_empty() || undecided.proved(),
        "{undecided}"
    );
    if undecided.changes.is_empty() {
        let only = undecided.undecided.first().unwrap();
        assert_eq!(only.rules, ["d"]);
        assert!(only.why.contains("two facts"), "{undecided}");
    }
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
        assert!(difference.proved(), "{name}: {difference}");
    }
}

// ---- random policies ----------------------------------------------------------------------------

/// One condition a fact, over few values, so that rules overlap.
const CLAUSES: [&str; 27] = [
    "tool = \"execute_code\"",
    "tool = { glob = \"*\" }",
    "principal = { any_of = [\"ann\", \"bob\"] }",
    "principal = { prefix = \"a\" }",
    "session = { exists = true }",
    "\"session.calls\" = { min = 5 }",
    "\"time.hour\" = { min = 18 }",
    "\"arguments.language\" = \"python\"",
    "\"arguments.language\" = { regex = \"^p\" }",
    "\"arguments.code\" = { contains = \"a\" }",
    "\"arguments.code\" = { suffix = \"b\" }",
    "\"arguments.code\" = { regex = \"^a*b$\" }",
    "\"arguments.n\" = 1",
    "\"arguments.n\" = { min = 0, max = 10 }",
    "\"arguments.n\" = { max = 0.5 }",
    "\"arguments.n\" = [true, 1, \"x\"]",
    "\"arguments.n\" = { exists = false }",
    "\"arguments.deep\" = \"x\"",
    "\"arguments.deep\" = { exists = true }",
    "\"arguments.deep.er\" = { exists = true }",
    "\"arguments.deep.er\" = true",
    "\"arguments.list\" = { any = { prefix = \"a\" } }",
    "\"arguments.list\" = { all = { prefix = \"a\" } }",
    "\"arguments.list\" = { any = 1 }",
    "\"arguments.limits.wall_ms\" = { min = 10 }",
    "\"arguments.limits\" = { exists = true }",
    "\"arguments.profile\" = { exists = true }",
];

const REST: [&str; 8] = [
    "",
    "",
    "",
    "when = \"arguments.n > 0 or not (arguments.code contains 'a' and principal != 'ann')\"",
    "when = \"time.hour < 6 or time.hour >= 18\"",
    "when = \"arguments.list contains 'a' and not arguments.n in [1, 2]\"",
    "when = \"session.calls < 5 or not exists arguments.deep.er\"",
    "obligations = { limits = { wall_ms = 100 } }",
];

fn clauses(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    subsequence(CLAUSES.to_vec(), count).prop_map(|mut clauses| {
        clauses.dedup_by_key(|clause| clause.split(" = ").next());
        clauses.join(", ")
    })
}

fn random_rule() -> impl Strategy<Value = (&'static str, &'static str, String, String, &'static str)>
{
    (
        select(vec!["allow", "allow", "allow", "hold", "deny"]),
        select(vec!["wasm-offline", "wide"]),
        clauses(1..3),
        clauses(0..2),
        select(REST.to_vec()),
    )
}

fn rule_text() -> impl Strategy<Value = String> {
    random_rule().prop_map(|(effect, run, matches, unless, rest)| {
        let run = if effect == "allow" { format!("run = \"{run}\"\n") } else { String::new() };
        let rest = if effect == "deny" && rest.starts_with("obl") { "" } else { rest };
        format!(
            "[[rule]]\nid = \"ID\"\neffect = \"{effect}\"\nreason = \"r\"\n{run}match = {{ {matches} }}\nunless = {{ {unless} }}\n{rest}\n"
        )
    })
}

/// Two policies that share most rules.
fn pair() -> impl Strategy<Value = (String, String)> {
    let shared = prop::collection::vec(rule_text(), 0..6);
    let own = || prop::collection::vec(rule_text(), 0..2);
    (shared, own(), own()).prop_map(|(shared, old, new)| {
        let text = |own: Vec<String>| {
            let rules = shared.iter().cloned().chain(own);
            let rules = rules
                .enumerate()
                .map(|(n, rule)| rule.replace("ID", &format!("r{n}")));
            rules.collect::<String>()
        };
        (text(old), text(new))
    })
}

/// Every combination of a few values for each fact that the rules name.
fn universe() -> Vec<ToolCall> {
    let pick = |key: &str, values: &[Value]| -> Vec<Option<(String, Value)>> {
        let some = values
            .iter()
            .map(|value| Some((key.to_owned(), value.clone())));
        std::iter::once(None).chain(some).collect()
    };
    let axes = [
        pick("language", &[json!("python"), json!("javascript")]),
        pick("code", &[json!("a"), json!("ab"), json!("c")]),
        pick(
            "n",
            &[
                json!(-1),
                json!(0.5),
                json!(1),
                json!(11),
                json!(true),
                json!("x"),
                json!(null),
            ],
        ),
        pick(
            "deep",
            &[json!("x"), json!({}), json!({"er": true}), json!({"er": 1})],
        ),
        pick(
            "list",
            &[
                json!([]),
                json!(["a"]),
                json!(["a", 1]),
                json!(["b"]),
                json!("a"),
            ],
        ),
        pick(
            "limits",
            &[
                json!({}),
                json!({"wall_ms": 5}),
                json!({"wall_ms": 200}),
                json!({"wall_ms": 20_000}),
            ],
        ),
        pick("profile", &[json!("wide")]),
    ];
    let mut arguments = vec![serde_json::Map::new()];
    for axis in axes {
        let longer = arguments.iter().flat_map(|map| {
            axis.iter().map(|entry| {
                let mut map = map.clone();
                map.extend(entry.clone());
                map
            })
        });
        arguments = longer.collect();
    }
    let callers = [("ann", None), ("bob", Some("s")), ("eve", None)];
    let calls = arguments.into_iter().enumerate().map(|(n, map)| {
        let (principal, session) = *callers.get(n % 3).unwrap();
        ToolCall::new("execute_code", Value::Object(map), principal, session).unwrap()
    });
    calls.collect()
}

fn contexts() -> [Context; 3] {
    let state = |calls| {
        Some(SessionState {
            calls,
            started_us: 0,
        })
    };
    [
        Context::default(),
        Context {
            now_us: Some(20 * 3_600_000_000),
            session: state(9),
        },
        Context {
            now_us: Some(9 * 3_600_000_000),
            session: state(0),
        },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// No false proof, no false change.
    #[test]
    fn a_difference_is_found_if_some_call_shows_one((old, new) in pair(), offset in 0..7_usize) {
        thread_local!(static CALLS: Vec<ToolCall> = universe());
        let (old, new) = (load(&old), load(&new));
        let difference = diff(&old, &new);
        prop_assert!(difference.proved(), "{}", difference);
        let found = kinds(&difference, &old, &new);
        CALLS.with(|calls| {
            for call in calls.iter().skip(offset).step_by(7) {
                for context in contexts() {
                    let (a, b) = (seen(&old, &context, call), seen(&new, &context, call));
                    if let Some(kind) = kind(&a, &b) {
                        let kind = format!("{kind:?}");
                        prop_assert!(found.contains(&kind), "{kind} by {:?} {:?}\nin\n{}", call, context, difference);
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_can_be_allowed_is_found((policy, _) in pair(), offset in 0..7_usize, clause in select(CLAUSES.to_vec())) {
        thread_local!(static CALLS: Vec<ToolCall> = universe());
        let policy = load(&policy);
        let matching = load(&format!("{}", rule("only", "allow", &format!("run = \"wide\"\nmatch = {{ {clause} }}"))));
        let answer = can(&policy, &Question::read(clause).unwrap());
        let undecided = matches!(answer, Answer::Undecided(_));
        prop_assert!(!undecided);
        CALLS.with(|calls| {
            for call in calls.iter().skip(offset).step_by(7) {
                for context in contexts() {
                    let allowed = seen(&policy, &context, call).0 == Verdict::Allow;
                    let asked = !decide(&matching, &context, call).rules().is_empty();
                    if allowed && asked {
                        prop_assert!(matches!(answer, Answer::Yes(_)), "{:?}", call);
                    }
                }
            }
            Ok(())
        })?;
    }
}
