//! Laws that hold for every policy and every call, tried on random ones.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::json::{self, JsonFault};
use policy::{CallId, Doubt, Policy, ToolCall, Verdict, decide, explain};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value};

// ---- JSON ---------------------------------------------------------------------------------------

fn value() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter("finite", |f| f.is_finite());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Text near JSON: its tokens in any order.
fn near_json() -> impl Strategy<Value = String> {
    let tokens = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "1",
        "-0",
        "1.5",
        "0.1",
        "1e5",
        "1E+400",
        "12345678901234567890123",
        "00",
        "true",
        "false",
        "null",
        " ",
        "\n",
        "\u{feff}",
        "\"",
        "\\",
    ];
    prop::collection::vec(select(tokens), 0..12).prop_map(|tokens| tokens.concat())
}

/// A number's text by JSON's grammar.
fn number_text() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?"
}

/// serde_json's usual reader may be off by one unit in a float's last place.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((ka, va), (kb, vb))| ka == kb && alike(va, vb))
        }
        (Value::Number(x), Value::Number(y)) if x.is_f64() && y.is_f64() => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            (x - y).abs() <= x.abs() * 1e-15
        }
        _ => a == b,
    }
}

/// Faults that are ours alone: JSON allows the text, readers disagree on it.
fn only_ours(fault: &JsonFault) -> bool {
    match fault {
        JsonFault::DuplicateKey
        | JsonFault::NumberOutOfRange { .. }
        | JsonFault::NumberNotExact { .. } => true,
        JsonFault::TooLong | JsonFault::TooDeep | JsonFault::TooManyValues => true,
        JsonFault::NotUtf8
        | JsonFault::Ended
        | JsonFault::Unexpected { .. }
        | JsonFault::Trailing
        | JsonFault::LoneSurrogate
        | JsonFault::BadEscape
        | JsonFault::ControlCharacter
        | JsonFault::BadNumber { .. } => false,
    }
}

fn agrees_with_serde_json(text: &[u8]) -> Result<(), TestCaseError> {
    match (json::parse(text), serde_json::from_slice::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(alike(&ours, &theirs), "{ours} {theirs}"),
        (Ok(ours), Err(error)) => prop_assert!(false, "only we take it: {ours} {error}"),
        (Err(error), Ok(theirs)) => prop_assert!(
            only_ours(error.fault()),
            "only we refuse it: {error} {theirs}"
        ),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

// ---- policies -----------------------------------------------------------------------------------

/// Conditions and calls draw on the same few words, so that rules match often enough.
const CLAUSES: [&str; 16] = [
    "tool = \"execute_code\"",
    "tool = { prefix = \"exec\" }",
    "tool = [\"execute_code\", \"run_command\"]",
    "tool = { glob = \"*\" }",
    "principal = { any_of = [\"ann\", \"bob\"] }",
    "session = { exists = true }",
    "session = { exists = false }",
    "\"arguments.language\" = \"python\"",
    "\"arguments.language\" = { regex = \"^p\" }",
    "\"arguments.code\" = { contains = \"a\" }",
    "\"arguments.code\" = { suffix = \"b\" }",
    "\"arguments.n\" = 1",
    "\"arguments.n\" = { min = 0, max = 10 }",
    "\"arguments.n\" = { max = 0.5 }",
    "\"arguments.deep.er\" = { exists = true }",
    "\"arguments.deep.er\" = true",
];

#[derive(Debug, Clone)]
struct RandomRule {
    effect: Verdict,
    run: &'static str,
    matches: Vec<&'static str>,
    unless: Vec<&'static str>,
}

/// One condition a fact: TOML has a key once.
fn clauses(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(CLAUSES.to_vec(), count).prop_map(|mut clauses| {
        clauses.dedup_by_key(|clause| clause.split('=').next());
        clauses
    })
}

fn rule_of(effects: &'static [Verdict]) -> impl Strategy<Value = RandomRule> {
    (
        select(effects),
        select(vec!["wasm-offline", "wide"]),
        clauses(1..3),
        clauses(0..2),
    )
        .prop_map(|(effect, run, matches, unless)| RandomRule {
            effect,
            run,
            matches,
            unless,
        })
}

/// Weighted by repetition: denies win, so fewer of them leave room for the others.
const ANY: &[Verdict] = &[
    Verdict::Allow,
    Verdict::Allow,
    Verdict::Allow,
    Verdict::Hold,
    Verdict::Hold,
    Verdict::Deny,
];
const STRICT: &[Verdict] = &[Verdict::Hold, Verdict::Deny];

fn rules() -> impl Strategy<Value = Vec<(usize, RandomRule)>> {
    prop::collection::vec(rule_of(ANY), 0..10)
        .prop_map(|rules| rules.into_iter().enumerate().collect())
}

fn policy(rules: &[(usize, RandomRule)]) -> Policy {
    let text: String = rules
        .iter()
        .map(|(id, rule)| rule_text(*id, rule))
        .collect();
    support::load(&text).unwrap()
}

fn rule_text(id: usize, rule: &RandomRule) -> String {
    let run = match rule.effect {
        Verdict::Allow => format!("run = \"{}\"\n", rule.run),
        Verdict::Hold | Verdict::Deny => String::new(),
    };
    format!(
        "[[rule]]\nid = \"r{id}\"\neffect = \"{}\"\n{run}reason = \"reason {id}\"\nmatch = {{ {} }}\nunless = {{ {} }}\n",
        rule.effect,
        rule.matches.join(", "),
        rule.unless.join(", ")
    )
}

fn call() -> impl Strategy<Value = ToolCall> {
    let tool = prop_oneof![8 => Just("execute_code"), 1 => Just("run_command"), 1 => Just("x")];
    let principal = select(vec!["ann", "bob", "eve"]);
    let session = select(vec![None, Some("s")]);
    (tool, principal, session, arguments()).prop_map(|(tool, principal, session, arguments)| {
        ToolCall::new(tool, arguments, principal, session).unwrap()
    })
}

/// Mostly sensible values under the keys that rules and `decide` look at, sometimes anything.
fn arguments() -> impl Strategy<Value = Value> {
    let language = prop_oneof![12 => Just(Value::from("python")), 2 => Just(Value::from("lua")), 1 => Just(Value::from("ruby")), 1 => value()];
    let code = prop_oneof![12 => "[abc]{0,3}".prop_map(Value::from), 1 => value()];
    let n = prop_oneof![
        (-1..12_i64).prop_map(Value::from),
        Just(Value::from(0.5)),
        value()
    ];
    let deep = prop_oneof![
        Just(serde_json::json!({"er": true})),
        Just(serde_json::json!({"er": 1})),
        value()
    ];
    let limits = prop_oneof![
        Just(serde_json::json!({"wall_ms": 5})),
        Just(serde_json::json!({"wall_ms": 20_000})),
        Just(serde_json::json!({"wall_ms": u64::MAX, "x": 1})),
        value()
    ];
    let key = |name: &'static str, weight: f64, strategy: BoxedStrategy<Value>| {
        prop::option::weighted(weight, strategy)
            .prop_map(move |value| value.map(|v| (name.to_owned(), v)))
    };
    (
        key("language", 0.95, language.boxed()),
        key("code", 0.9, code.boxed()),
        key("n", 0.3, n.boxed()),
        key("deep", 0.3, deep.boxed()),
        key("limits", 0.2, limits.boxed()),
        key(
            "profile",
            0.1,
            prop_oneof![Just(Value::from("wide")), value()].boxed(),
        ),
    )
        .prop_map(|(a, b, c, d, e, f)| {
            Value::Object([a, b, c, d, e, f].into_iter().flatten().collect())
        })
}

/// Everything that a caller sees of a decision.
fn seen(
    policy: &Policy,
    call: &ToolCall,
) -> (Verdict, String, Vec<String>, Vec<String>, Option<String>) {
    let decision = decide(policy, CallId::from_bytes([0; 16]), call.clone());
    (
        decision.verdict(),
        decision.reason().to_owned(),
        decision.next_steps().to_vec(),
        decision
            .rules()
            .iter()
            .map(|hit| hit.id().to_owned())
            .collect(),
        decision
            .grant()
            .map(|grant| grant.profile().name().to_owned()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_written_reads_back(value in value()) {
        let text = json::canonical(&value);
        let again = json::parse(&text).unwrap();
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(json::canonical(&again), text);
    }

    #[test]
    fn any_bytes_end_in_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        agrees_with_serde_json(&bytes)?;
    }

    #[test]
    fn text_near_json_is_read_as_serde_json_reads_it(text in near_json()) {
        agrees_with_serde_json(text.as_bytes())?;
    }

    #[test]
    fn one_changed_byte_is_read_as_serde_json_reads_it(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = json::canonical(&value);
        let at = at.index(text.len());
        *text.get_mut(at).unwrap() = byte;
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn a_number_is_taken_only_if_it_survives(text in number_text()) {
        agrees_with_serde_json(text.as_bytes())?;
        if let Ok(value) = json::parse(text.as_bytes()) {
            let once = json::canonical(&value);
            prop_assert_eq!(json::canonical(&json::parse(&once).unwrap()), once);
        }
    }

    #[test]
    fn any_json_ends_in_a_canonical_call_or_an_error(value in value()) {
        let bare = ToolCall::parse(&json::canonical(&value));
        prop_assert_eq!(bare.is_ok(), false, "no random value has exactly a call's keys");
        if let Ok(call) = ToolCall::new("t", value, "p", None) {
            prop_assert_eq!(&json::parse(call.canonical_arguments()).unwrap(), call.arguments());
        }
    }

    #[test]
    fn loading_never_panics(text in "([a-z\\[\\]{}=\".\n, 0-9]|version = 1\n|\\[\\[rule\\]\\]\n|match = |call = ){0,30}") {
        if let Err(error) = Policy::load("t.toml", &text, &support::profiles()) {
            let message = error.to_string();
            prop_assert!(message.starts_with("t.toml:") && !message.contains('\n'), "{}", message);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn decide_is_total_and_explain_agrees(rules in rules(), call in call()) {
        let policy = policy(&rules);
        let (verdict, reason, _, hits, run) = seen(&policy, &call);
        let explanation = explain(&policy, &call);
        prop_assert_eq!(explanation.verdict, verdict);
        prop_assert_eq!(&explanation.reason, &reason);
        prop_assert_eq!(&explanation.run, &run);
        prop_assert_eq!(run.is_some(), verdict == Verdict::Allow);
        prop_assert!(!reason.is_empty());
        let taking_effect: std::collections::BTreeSet<_> = explanation.rules.iter().filter(|rule| rule.takes_effect).map(|rule| rule.id.clone()).collect();
        prop_assert_eq!(taking_effect, hits.into_iter().collect());
        prop_assert!(!explanation.to_string().is_empty());
    }

    #[test]
    fn the_order_of_rules_never_matters(
        (rules, shuffled) in rules().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        call in call(),
    ) {
        let (a, b) = (policy(&rules), policy(&shuffled));
        prop_assert_eq!(a.digest(), b.digest());
        prop_assert_eq!(seen(&a, &call), seen(&b, &call));
    }

    #[test]
    fn adding_a_deny_or_hold_never_loosens(rules in rules(), added in rule_of(STRICT), calls in prop::collection::vec(call(), 1..8)) {
        let before = policy(&rules);
        let mut more = rules;
        more.push((99, added));
        let after = policy(&more);
        for call in calls {
            prop_assert!(seen(&after, &call).0 >= seen(&before, &call).0);
        }
    }

    /// Laws about allows are empty without calls that only the second profile fits.
    #[test]
    fn adding_an_allow_never_tightens(rules in rules(), added in rule_of(&[Verdict::Allow]), calls in prop::collection::vec(call(), 1..8)) {
        let before = policy(&rules);
        let mut more = rules;
        more.push((99, added));
        let after = policy(&more);
        for call in calls {
            prop_assert!(seen(&after, &call).0 <= seen(&before, &call).0);
        }
    }

    #[test]
    fn a_shadow_rule_never_changes_a_verdict(rules in rules(), added in rule_of(ANY), calls in prop::collection::vec(call(), 1..8)) {
        let before = policy(&rules);
        let text: String = rules.iter().map(|(id, rule)| rule_text(*id, rule)).collect();
        let enforced = rule_text(99, &added);
        let shadow = enforced.replace("reason =", "mode = \"shadow\"\nreason =");
        let after = support::load(&format!("{text}{shadow}")).unwrap();
        let counted = support::load(&format!("{text}{enforced}")).unwrap();
        for call in calls {
            prop_assert_eq!(seen(&after, &call), seen(&before, &call));
            let decision = decide(&after, CallId::from_bytes([0; 16]), call.clone());
            if let Some(verdict) = decision.shadow_verdict() {
                prop_assert_eq!(verdict, seen(&counted, &call).0);
            }
        }
    }

    /// What the lint calls too much can be taken away, one rule at a time.
    #[test]
    fn a_rule_that_the_lint_calls_too_much_changes_nothing(rules in rules(), calls in prop::collection::vec(call(), 1..16)) {
        let whole = policy(&rules);
        for warning in whole.warnings() {
            let too_much = matches!(
                warning.what(),
                Doubt::Shadowed { .. } | Doubt::AlwaysDenied { .. } | Doubt::ExcludesItself { .. }
            );
            let Some(id) = warning.rule().filter(|_| too_much) else { continue };
            let rest: Vec<_> = rules.iter().filter(|(n, _)| format!("r{n}") != id).cloned().collect();
            let without = policy(&rest);
            for call in &calls {
                let (a, b) = (seen(&whole, call), seen(&without, call));
                prop_assert_eq!((a.0, a.4), (b.0, b.4), "{} {}", warning, call.arguments());
            }
        }
    }

    #[test]
    fn taking_the_allows_away_denies_everything(rules in rules(), call in call()) {
        let strict: Vec<_> = rules.into_iter().filter(|(_, rule)| rule.effect != Verdict::Allow).collect();
        prop_assert_eq!(seen(&policy(&strict), &call).0, Verdict::Deny);
    }

    #[test]
    fn a_deny_that_takes_effect_denies(rules in rules(), call in call()) {
        let policy = policy(&rules);
        let decision = decide(&policy, CallId::from_bytes([0; 16]), call);
        let strictest = decision.rules().iter().map(|hit| hit.effect()).max();
        prop_assert!(Some(decision.verdict()) >= strictest.or(Some(Verdict::Deny)));
    }
}

/// The laws mean something only if the random calls meet all verdicts.
#[test]
fn the_generators_reach_every_verdict() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met = std::collections::BTreeMap::new();
    for _ in 0..1_000 {
        let (rules, call) = (rules(), call()).new_tree(&mut runner).unwrap().current();
        *met.entry(seen(&policy(&rules), &call).0).or_insert(0) += 1;
    }
    for verdict in [Verdict::Allow, Verdict::Hold, Verdict::Deny] {
        assert!(
            met.get(&verdict).is_some_and(|count| *count >= 50),
            "{met:?}"
        );
    }
}
