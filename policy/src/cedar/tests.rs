//! The export, rule by rule; that it says the same as our engine is shown against Cedar itself in
//! `fuzz/`.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::profile::Profiles;
use crate::{Context, ToolCall, shipped};
use serde_json::json;

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
         permit (principal, action, resource)\nwhen {\n  context.text[\"tool\"] like \"ex*\"\n};\n"
    );
    assert!(export.text.starts_with("// Policy t, sha256 "));
}

#[test]
fn an_allow_asks_whether_it_is_certain_and_a_deny_whether_it_is_possible() {
    let clause = "match = { \"arguments.a.b\" = { contains = \"x*y\" } }";
    assert_eq!(
        condition("allow", &format!("{RUN}{clause}")),
        r#"context.text has "arguments.a.b" && context.text["arguments.a.b"] like "*x\*y*""#
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
        with.ends_with(r#"context.number["time.unix_s"] < 978307200"#),
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
        assert!(allow.text.contains("rule `r` (allow)"), "{}", allow.text);
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
    assert!(of("/a/b").ends_with(r#"like "/a/b""#));
    assert!(of("/a/**").ends_with(r#"like "/a/*""#));
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
    let request = request(&call, &Context::default()).unwrap();
    assert_eq!(request.principal, "Lazaret::Principal::\"p\\\"q\"");
    assert_eq!(
        request.context,
        json!({
            "text": {"tool": "t", "principal": "p\"q", "arguments.s": "x", "arguments.o.\"a.b\"": "y"},
            "number": {"arguments.n": -1},
            "truth": {"arguments.b": true},
            "leaves": ["arguments.b", "arguments.l", "arguments.n", "arguments.o.\"a.b\"", "arguments.s", "arguments.z", "principal", "tool"],
            "objects": ["arguments", "arguments.o"],
        })
    );
    let float = ToolCall::new("t", json!({"x": 0.5}), "p", None).unwrap();
    assert!(super::request(&float, &Context::default()).is_err());
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
