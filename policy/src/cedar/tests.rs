//! The export, rule by rule; that it says the same as our engine is shown against Cedar itself in
//! `fuzz/`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::profile::Profiles;
use crate::{Context, ToolCall, explain_at, shipped};
use proptest::prelude::*;
use serde_json::{Value, json};

fn policy(rules: &str) -> Policy {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let text = format!("version = 1\nname = \"t\"\n{rules}");
    Policy::load("t.toml", &text, &profiles).unwrap()
}

fn rule(effect: &str, rest: &str) -> Policy {
    policy(&format!(
        "[[rule]]\nid = \"r\"\neffect = \"{effect}\"\nreason = \"so\"\n{rest}\n"
    ))
}

/// The condition of the only rule.
fn condition(effect: &str, rest: &str) -> String {
    let export = export(&rule(effect, rest));
    assert!(export.left_out.is_empty(), "{:?}", export.left_out);
    let (_, after) = export.text.split_once("when {\n").unwrap();
    let (condition, _) = after.split_once("\n};").unwrap();
    condition.split_whitespace().collect::<Vec<_>>().join(" ")
}

const RUN: &str = "run = \"wasm-offline\"\n";

#[test]
fn a_rule_is_a_policy_with_its_words_as_annotations() {
    let export = export(&rule(
        "allow",
        "run = \"wasm-offline\"\nowner = \"o\"\ntags = [\"a\", \"b\"]\nmatch = { tool = { glob = \"ex*\" } }\nobligations = { limits = { wall_ms = 5 } }",
    ));
    let (_, body) = export.text.split_once("\n\n").unwrap();
    assert_eq!(
        body,
        "@id(\"r\")\n@effect(\"allow\")\n@run(\"wasm-offline\")\n@reason(\"so\")\n@owner(\"o\")\n@tags(\"a,b\")\n@limits(\"wall_ms=5\")\n\
         permit (principal, action, resource)\nwhen {\n  context.text[\"tool\"] like \"ex*\" &&\n  context.number[\"atoms\"] == 0\n};\n"
    );
    assert!(export.text.starts_with("// Policy t, sha256 "));
}

#[test]
fn an_allow_asks_whether_it_is_certain_and_a_deny_whether_it_is_possible() {
    let clause = "match = { \"arguments.a.b\" = { contains = \"x*y\" } }";
    assert_eq!(
        condition("allow", &format!("{RUN}{clause}")),
        r#"context.text has "arguments.a.b" && context.text["arguments.a.b"] like "*x\*y*" && context.number["atoms"] == 0"#
    );
    assert_eq!(
        condition("deny", clause),
        r#"if context.text has "arguments.a.b" then context.text["arguments.a.b"] like "*x\*y*" else (context.leaves.containsAny(["arguments.a.b", "arguments.a"]) || context.objects.contains("arguments.a.b"))"#
    );
}

#[test]
fn an_exception_turns_what_is_certain_around() {
    let rest = "match = { tool = \"t\" }\nunless = { \"arguments.n\" = { min = 2, max = 3 } }";
    assert_eq!(
        condition("hold", rest),
        r#"context.text["tool"] == "t" && !(context.number has "arguments.n" && context.number["arguments.n"] >= 2 && context.number["arguments.n"] <= 3)"#
    );
}

#[test]
fn lists_are_asked_by_type() {
    assert_eq!(
        condition(
            "deny",
            "match = { \"arguments.a\" = [\"x\", 1, 2.0, 0.5, true] }"
        ),
        "if context.text has \"arguments.a\" then context.text[\"arguments.a\"] == \"x\" else \
         (if context.number has \"arguments.a\" then [1, 2].contains(context.number[\"arguments.a\"]) else \
         (if context.truth has \"arguments.a\" then context.truth[\"arguments.a\"] == true else \
         (context.leaves.contains(\"arguments.a\") || context.objects.contains(\"arguments.a\"))))"
    );
}

#[test]
fn a_when_is_part_of_it() {
    assert_eq!(
        condition(
            "deny",
            "match = { tool = \"t\" }\nwhen = \"principal != 'eve' or not (arguments.n < 3)\""
        ),
        r#"context.text["tool"] == "t" && !(context.text["principal"] == "eve" && context.number has "arguments.n" && context.number["arguments.n"] < 3)"#
    );
}

#[test]
fn an_allow_ends_and_a_deny_does_not() {
    let rest = "match = { tool = \"t\" }\nexpires = 2001-01-01";
    let with = condition("allow", &format!("{RUN}{rest}"));
    assert!(
        with.contains(r#"context.number["time.unix_s"] < 978307200 && "#),
        "{with}"
    );
    assert_eq!(condition("deny", rest), r#"context.text["tool"] == "t""#);
}

#[test]
fn what_cedar_cannot_say_is_named_and_said_aloud_where_it_weakens() {
    let rest = |clause: &str| format!("match = {{ tool = \"t\" }}\n{clause}");
    for clause in [
        "unless = { \"arguments.a\" = { regex = \"x\" } }",
        "unless = { \"arguments.a\" = { any = \"x\" } }",
        "unless = { \"arguments.a\" = { glob = \"/a/*.c\" } }",
        "unless = { \"arguments.a\" = { min = 0.5 } }",
        "unless = { \"arguments.a\" = { cidr = \"10.0.0.0/8\" } }",
        "unless = { \"command.name\" = \"x\" }",
        "when = \"principal == arguments.owner\"",
        "when = \"'abc' contains principal\"",
        "when = \"arguments.a contains 'x'\"",
        "when = \"session.calls > 3\"",
    ] {
        let deny = export(&rule("deny", &rest(clause)));
        assert_eq!(deny.left_out.len(), 1, "{clause}");
        assert!(deny.is_weaker() && deny.text.contains("WEAKER"), "{clause}");
        assert!(!deny.text.contains("forbid ("), "{clause}");
        let allow = export(&rule("allow", &format!("{RUN}{}", rest(clause))));
        assert_eq!(allow.left_out.len(), 1, "{clause}");
        assert!(
            !allow.is_weaker() && !allow.text.contains("WEAKER"),
            "{clause}"
        );
        assert!(allow.text.contains("`r` (allow)"), "{}", allow.text);
    }
    let shadow = export(&rule("deny", "match = { tool = \"t\" }\nmode = \"shadow\""));
    assert!(!shadow.is_weaker() && shadow.left_out.len() == 1);
}

#[test]
fn globs_that_mean_the_same_are_patterns() {
    let of = |glob: &str| {
        condition(
            "allow",
            &format!("{RUN}match = {{ \"arguments.p\" = {{ glob = \"{glob}\" }} }}"),
        )
    };
    assert!(of("/a/b").contains(r#"like "/a/b" &&"#));
    assert!(of("/a/**").contains(r#"like "/a/*" &&"#));
}

#[test]
fn a_call_is_a_request_with_its_facts_by_type() {
    let call = ToolCall::new(
        "t",
        json!({"s": "x", "n": -1, "b": true, "z": null, "l": [1], "o": {"a.b": "y"}}),
        "p\"q",
        None,
    )
    .unwrap();
    let any = rule("deny", "match = { tool = \"t\" }");
    let request = request(&any, &call, &Context::default()).unwrap();
    assert_eq!(request.principal, "Lazaret::Principal::\"p\\\"q\"");
    assert_eq!(
        request.context,
        json!({
            "text": {"tool": "t", "principal": "p\"q", "arguments.s": "x", "arguments.o.\"a.b\"": "y"},
            "number": {"arguments.n": -1, "atoms": 0},
            "truth": {"arguments.b": true},
            "leaves": ["arguments.b", "arguments.l", "arguments.n", "arguments.o.\"a.b\"", "arguments.s", "arguments.z", "principal", "tool"],
            "objects": ["arguments", "arguments.o"],
        })
    );
    let float = ToolCall::new("t", json!({"x": 0.5}), "p", None).unwrap();
    assert!(super::request(&any, &float, &Context::default()).is_err());
}

#[test]
fn foreign_text_stays_inside_of_its_quotes() {
    let export = export(&rule(
        "deny",
        "match = { \"arguments.a\" = { prefix = \"\\\"*\\\\\\n\\u202e\" } }",
    ));
    assert!(
        export.text.contains(r#"like "\"\*\\\u{a}\u{202e}*""#),
        "{}",
        export.text
    );
}

// ---- the same as our engine ---------------------------------------------------------------------

/// What Cedar makes of an expression; panics where Cedar would skip the policy.
fn holds(expr: &Expr, context: &Value) -> bool {
    match expr {
        Expr::True => true,
        Expr::False => false,
        Expr::Not(inner) => !holds(inner, context),
        Expr::All(parts) => parts.iter().all(|part| holds(part, context)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, context)),
        Expr::If(condition, then, otherwise) => match holds(condition, context) {
            true => holds(then, context),
            false => holds(otherwise, context),
        },
        Expr::Test(text) => test_holds(text, context),
    }
}

fn test_holds(text: &str, context: &Value) -> bool {
    if let Some((set, inner)) = text.split_once("].contains(context.") {
        let set: Vec<Value> = serde_json::from_str(&format!("{set}]")).unwrap();
        return set.contains(&fact(inner.trim_end_matches(')'), context));
    }
    let text = text.strip_prefix("context.").unwrap();
    if let Some((kind, name)) = text.split_once(" has ") {
        return context[kind].get(json_text(name)).is_some();
    }
    if let Some((kind, name)) = text.split_once(".contains(") {
        let name = Value::from(json_text(name.trim_end_matches(')')));
        return context[kind].as_array().unwrap().contains(&name);
    }
    if let Some((kind, names)) = text.split_once(".containsAny(") {
        let names: Vec<Value> = serde_json::from_str(names.trim_end_matches(')')).unwrap();
        let has = context[kind].as_array().unwrap();
        return names.iter().any(|name| has.contains(name));
    }
    let (of, rest) = text.split_once("] ").unwrap();
    let found = fact(&format!("{of}]"), context);
    let (sign, value) = rest.split_once(' ').unwrap();
    let value: Value = serde_json::from_str(value).unwrap();
    match sign {
        "==" => found == value,
        "like" => is_like(found.as_str().unwrap(), value.as_str().unwrap()),
        ">=" => found.as_i64().unwrap() >= value.as_i64().unwrap(),
        "<=" => found.as_i64().unwrap() <= value.as_i64().unwrap(),
        ">" => found.as_i64().unwrap() > value.as_i64().unwrap(),
        "<" => found.as_i64().unwrap() < value.as_i64().unwrap(),
        other => panic!("{other}"),
    }
}

fn json_text(text: &str) -> String {
    serde_json::from_str(text).unwrap()
}

/// `KIND["NAME"]`, which is there.
fn fact(text: &str, context: &Value) -> Value {
    let (kind, name) = text.split_once('[').unwrap();
    let name = json_text(name.trim_end_matches(']'));
    context[kind].get(name).unwrap().clone()
}

fn is_like(text: &str, pattern: &str) -> bool {
    let pattern = pattern.split('*').map(regex::escape).collect::<Vec<_>>();
    let pattern = format!("(?s)^{}$", pattern.join(".*"));
    regex::Regex::new(&pattern).unwrap().is_match(text)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["x", "xy", "a/x", "yx", ""]).prop_map(Value::from),
        (-1_i64..4).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(["x"])),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), inner, 0..3)
            .prop_map(|map| json!(map))
    })
}

fn any_clause() -> impl Strategy<Value = String> {
    let condition = prop::sample::select(vec![
        "'x'",
        "['x', 1]",
        "[1, 2.0, 0.5, true]",
        "{ prefix = 'x' }",
        "{ suffix = 'x' }",
        "{ contains = 'x' }",
        "{ glob = 'a/**' }",
        "{ min = 1 }",
        "{ min = 0, max = 2 }",
        "{ exists = true }",
        "{ exists = false }",
    ]);
    let fact = prop::sample::select(vec!["arguments.a", "arguments.a.b", "arguments.b.a.a"]);
    (fact, condition).prop_map(|(fact, condition)| format!("\"{fact}\" = {condition}"))
}

fn any_when() -> impl Strategy<Value = String> {
    let test = prop::sample::select(vec![
        "arguments.a == 'x'",
        "arguments.a != 1",
        "arguments.a.b < 2",
        "3 >= arguments.b",
        "arguments.b starts_with 'x'",
        "exists arguments.a.b",
        "arguments.a in ['x', 2]",
        "arguments.b not in [true]",
        "session == 's'",
        "principal contains 'x'",
        "time.hour > 7",
        "time.weekday == 'thursday'",
    ]);
    let test = test.prop_map(str::to_owned);
    test.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn an_exported_rule_takes_effect_where_ours_does(
        matches in prop::collection::vec(any_clause(), 0..2),
        unless in prop::collection::vec(any_clause(), 0..2),
        when in prop::option::of(any_when()),
        arguments in prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), any_value(), 0..3),
        session in prop::option::of(Just("s")),
        now_us in prop::option::of(0_u64..100_000_000_000),
        allow in any::<bool>(),
    ) {
        let mut text = String::new();
        let mut clauses = |name: &str, clauses: &[String]| {
            let clauses: std::collections::BTreeMap<_, _> =
                clauses.iter().map(|clause| clause.split_once(" = ").unwrap()).collect();
            let clauses: Vec<String> = clauses.into_iter().map(|(k, v)| format!("{k} = {v}")).collect();
            let tool = if name == "match" { "tool = { glob = '*' }" } else { "session = 'none'" };
            let all: Vec<String> = std::iter::once(tool.to_owned()).chain(clauses).collect();
            text.push_str(&format!("{name} = {{ {} }}\n", all.join(", ")));
        };
        clauses("match", &matches);
        clauses("unless", &unless);
        if let Some(when) = when {
            text.push_str(&format!("when = \"{when}\"\n"));
        }
        let policy = match allow {
            true => rule("allow", &format!("{RUN}expires = 1970-01-02\n{text}")),
            false => rule("deny", &text),
        };
        let call = ToolCall::new("t", json!(arguments), "px", session).unwrap();
        let context = Context { now_us, ..Context::default() };
        let ours = explain_at(&policy, &context, &call).rules.first().unwrap().takes_effect;
        let theirs = said(policy.rules().next().unwrap()).unwrap();
        let request = super::request(&policy, &call, &context).unwrap();
        prop_assert_eq!(holds(&theirs, &request.context), ours, "{}\n{}", theirs, request.context);
    }
}
