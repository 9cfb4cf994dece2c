//! What an explanation shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{Truth, Verdict, explain};
use serde_json::json;
use support::{call, load};

const RULES: &str = r#"
[[rule]]
id = "allow-ann"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code", principal = "ann", "arguments.language" = "python" }
unless = { "arguments.code" = { contains = "socket" } }
reason = "ann may"

[[rule]]
id = "allow-bob"
effect = "allow"
run = "wide"
match = { tool = "execute_code", principal = "bob", "arguments.note" = { prefix = "ok" } }
reason = "bob may with a note"
"#;

#[test]
fn the_nearest_allow_says_what_differs() {
    let policy = load(RULES).unwrap();
    let python = json!({"tool": "execute_code", "principal": "ann", "arguments": {"language": "python", "code": "import socket"}});
    let explanation = explain(&policy, &call(&python));
    assert_eq!(explanation.verdict, Verdict::Deny);
    let nearest = explanation.nearest.unwrap();
    assert_eq!(nearest.id, "allow-ann");
    assert_eq!(nearest.differs.len(), 1);
    assert_eq!(
        nearest.differs[0].to_string(),
        "unless arguments.code contains \"socket\": yes (it is \"import socket\")"
    );
}

#[test]
fn an_allowed_call_has_no_nearest() {
    let policy = load(RULES).unwrap();
    let python = json!({"tool": "execute_code", "principal": "ann", "arguments": {"language": "python", "code": "1"}});
    let explanation = explain(&policy, &call(&python));
    assert_eq!(
        (explanation.verdict, explanation.run.as_deref()),
        (Verdict::Allow, Some("wasm-offline"))
    );
    assert!(explanation.nearest.is_none());
    assert_eq!(explanation.facts["arguments.code"], json!("1"));
}

#[test]
fn unknown_is_shown_as_such() {
    let policy = load(RULES).unwrap();
    let explanation = explain(
        &policy,
        &call(&json!({"tool": "execute_code", "principal": "bob", "arguments": {"note": 5}})),
    );
    let nearest = explanation.nearest.unwrap();
    assert_eq!(
        (nearest.id.as_str(), nearest.differs[0].truth),
        ("allow-bob", Truth::Unknown)
    );
    assert_eq!(
        nearest.differs[0].to_string(),
        "arguments.note begins with \"ok\": cannot be told (it is 5)"
    );
}

#[test]
fn reads_as_a_page_and_as_json() {
    let policy = load(RULES).unwrap();
    let explanation = explain(
        &policy,
        &call(
            &json!({"tool": "execute_code", "arguments": {"a.b": [1, {"c": null}], "language": "python"}}),
        ),
    );
    assert_eq!(
        explanation.to_string(),
        "\
deny: no allow rule covers this call
  next: add an allow rule that covers the call; `lazaret policy explain` shows which one comes nearest
facts
  arguments.\"a.b\" = \"[1,{\\\"c\\\":null}]\"
  arguments.language = \"python\"
  input.bytes = 42
  input.chars = 6
  principal = \"anonymous\"
  tool = \"execute_code\"
rules of t
  allow-ann (allow) does not match
    arguments.language equals \"python\": yes (it is \"python\")
    principal equals \"ann\": no (it is \"anonymous\")
    tool equals \"execute_code\": yes (it is \"execute_code\")
    unless arguments.code contains \"socket\": no (the call does not have it)
  allow-bob (allow) does not match
    arguments.note begins with \"ok\": no (the call does not have it)
    principal equals \"bob\": no (it is \"anonymous\")
    tool equals \"execute_code\": yes (it is \"execute_code\")
nearest allow: allow-ann, kept back by
  principal equals \"ann\": no (it is \"anonymous\")
"
    );
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["verdict"], "deny");
    assert_eq!(json["rules"][0]["conditions"][0]["truth"], "true");
}

#[test]
fn long_text_is_cut_for_reading_only() {
    let policy = load(RULES).unwrap();
    let code = format!("{}socket", "x".repeat(10_000));
    let explanation = explain(
        &policy,
        &call(
            &json!({"tool": "execute_code", "principal": "ann", "arguments": {"language": "python", "code": code}}),
        ),
    );
    assert_eq!(
        explanation.verdict,
        Verdict::Deny,
        "the decision saw the end of it"
    );
    assert!(
        explanation.facts["arguments.code"]
            .as_str()
            .unwrap()
            .ends_with("x… (10006 bytes)")
    );
    assert!(explanation.to_string().len() < 4_000);
}

/// The allow for another tool lacks one thing, the one for this tool two.
#[test]
fn an_allow_for_another_tool_is_never_the_nearest() {
    let other = "[[rule]]\nid = \"a-other\"\neffect = \"allow\"\nrun = \"wide\"\nmatch = { tool = \"run_command\" }\nreason = \"r\"\n";
    let policy = load(&format!("{other}{RULES}")).unwrap();
    let call =
        call(&json!({"tool": "execute_code", "principal": "eve", "arguments": {"language": "c"}}));
    let nearest = explain(&policy, &call).nearest.unwrap();
    assert_eq!(
        (nearest.id.as_str(), nearest.differs.len()),
        ("allow-ann", 2)
    );
}

#[test]
fn why_not_tells_what_is_in_the_way_even_then() {
    let rule = |id: &str, effect: &str, more: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nmatch = {{ tool = \"execute_code\" }}\nreason = \"r\"\n{more}\n"
        )
    };
    let strict = [
        rule("deny", "deny", ""),
        rule("hold", "hold", ""),
        rule("shadow", "deny", "mode = \"shadow\""),
    ];
    let policy = load(&format!("{RULES}{}", strict.concat())).unwrap();
    let call = call(&json!({"tool": "execute_code", "arguments": {"language": "python"}}));
    let explanation = explain(&policy, &call);
    assert_eq!(
        explanation.nearest.as_ref().unwrap().still,
        ["deny", "hold"]
    );
    let page = explanation.to_string();
    assert!(
        page.ends_with("  even then in the way: `deny`, `hold`\n"),
        "{page}"
    );
}
