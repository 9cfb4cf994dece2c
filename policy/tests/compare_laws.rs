//! The comparison of random policies, held against a plain enumeration of calls.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::compare::{Answer, Question, can, diff};
use policy::{Context, SessionState, ToolCall, Verdict};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use support::compare::{decide, kind, kinds, load, rule, seen};

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
        pick("language", &[json!("python"), json!("lua")]),
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
    let at = |now_us, calls| Context {
        now_us: Some(now_us),
        session: Some(SessionState {
            calls,
            ..SessionState::default()
        }),
        ..Context::default()
    };
    [
        Context::default(),
        at(20 * 3_600_000_000, 9),
        at(9 * 3_600_000_000, 0),
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
        let matching = load(&rule("only", "allow", &format!("run = \"wide\"\nmatch = {{ {clause} }}")));
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

// ---- random policies over commands --------------------------------------------------------------

const ON_COMMANDS: [&str; 14] = [
    "tool = \"run_command\"",
    "\"command.name\" = [\"ls\", \"cat\", \"rm\"]",
    "\"command.name\" = { regex = \"^[a-m]\" }",
    "\"command.name\" = { prefix = \"r\" }",
    "\"command.flags\" = { any = \"-r\" }",
    "\"command.flags\" = { any = \"--recursive\" }",
    "\"command.effects\" = { any = [\"writes\", \"deletes\"] }",
    "\"command.effects\" = { all = \"connects\" }",
    "\"command.operands\" = { any = { prefix = \"/etc\" } }",
    "\"command.operands\" = { all = { prefix = \"/work\" } }",
    "\"redirect.target\" = { prefix = \"/work\" }",
    "\"shell.commands\" = { min = 2 }",
    "\"assignment.name\" = { exists = true }",
    "\"opaque.kind\" = { exists = true }",
];

const TEXTS: [&str; 24] = [
    "ls",
    "cat a",
    "rm -r a",
    "rm a",
    "rm --rec /etc/x",
    "rm --recursive /work/x",
    "curl http://a.example/",
    "ls > /work/a",
    "cat /etc/passwd > b",
    "> /work/c",
    "ls; rm a",
    "cat a | grep b",
    "ls /work/a /etc/b",
    "$x",
    "rm $x",
    "rm -r$x a",
    "LD_PRELOAD=a ls",
    "a=b",
    "cat \"$x\" > \"$y\"",
    "eval $x",
    "cp a b; curl c; tee d",
    "grep -r x /etc",
    "",
    "ls 'a",
];

fn command_rule() -> impl Strategy<Value = String> {
    let clauses = |count: std::ops::Range<usize>| {
        subsequence(ON_COMMANDS.to_vec(), count).prop_map(|mut clauses| {
            clauses.dedup_by_key(|clause| clause.split(" = ").next());
            clauses.join(", ")
        })
    };
    let effect = select(vec!["allow", "allow", "allow", "hold", "deny"]);
    (effect, clauses(1..3), clauses(0..2)).prop_map(|(effect, matches, unless)| {
        let run = if effect == "allow" { "run = \"container-offline\"\n" } else { "" };
        format!("[[rule]]\nid = \"ID\"\neffect = \"{effect}\"\nreason = \"r\"\n{run}match = {{ {matches} }}\nunless = {{ {unless} }}\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No false proof, also for commands: calls with several of them are among those tried.
    #[test]
    fn a_difference_in_commands_is_found_or_not_ruled_out(
        shared in prop::collection::vec(command_rule(), 0..5),
        own_old in prop::collection::vec(command_rule(), 0..2),
        own_new in prop::collection::vec(command_rule(), 0..2),
    ) {
        let text = |own: Vec<String>| {
            let rules = shared.iter().cloned().chain(own).enumerate();
            rules.map(|(n, rule)| rule.replace("ID", &format!("r{n}"))).collect::<String>()
        };
        let (old, new) = (load(&text(own_old)), load(&text(own_new)));
        let difference = diff(&old, &new);
        let found = kinds(&difference, &old, &new);
        for command in TEXTS {
            let call = ToolCall::new("run_command", json!({"command": command}), "ann", None).unwrap();
            let context = Context::default();
            if let Some(kind) = kind(&seen(&old, &context, &call), &seen(&new, &context, &call)) {
                let kind = format!("{kind:?}");
                prop_assert!(found.contains(&kind) || !difference.proved(), "{kind} by {command}\nin\n{difference}");
            }
        }
    }
}
