//! The published JSON Schema takes what the loader takes, and refuses what its shape can refuse.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use jsonschema::Validator;
use policy::shipped;
use proptest::prelude::*;
use serde_json::Value;

const SCHEMA: &str = include_str!("../../docs/policy.schema.json");
const PAGE: &str = include_str!("../../docs/POLICY.md");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// As an editor sees the file: its TOML as JSON, moments as text.
fn as_json(toml: &str) -> Value {
    let table: toml::Table = toml.parse().unwrap();
    convert(toml::Value::Table(table))
}

fn convert(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(moment) => Value::from(moment.to_string()),
        toml::Value::Array(items) => items.into_iter().map(convert).collect(),
        toml::Value::Table(table) => table
            .into_iter()
            .map(|(key, value)| (key, convert(value)))
            .collect(),
        plain => serde_json::to_value(plain).unwrap(),
    }
}

fn errors(schema: &Validator, toml: &str) -> Vec<String> {
    let file = as_json(toml);
    schema
        .iter_errors(&file)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

/// Every policy that is shipped or shown loads by the schema too.
#[test]
fn the_schema_takes_what_loads() {
    let schema = schema();
    let shown = PAGE
        .split("```toml policy\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let texts: Vec<&str> = shown
        .chain(shipped::PACKS.iter().map(|pack| pack.text))
        .collect();
    assert!(texts.len() > 5);
    for text in texts {
        assert_eq!(errors(&schema, text), Vec::<String>::new(), "{text}");
    }
}

const RULE: &str = "[[rule]]\nid = \"a\"\neffect = \"allow\"\nrun = \"wide\"\nmatch = { tool = \"x\" }\nreason = \"r\"\n";

/// Faults of shape: the loader and the schema both refuse them.
#[test]
fn the_schema_refuses_what_does_not_load() {
    let schema = schema();
    let test = |text: &str| format!("{RULE}[[rule.test]]\n{text}\n");
    let cases = [
        "x = 1".to_owned(),
        "include = [\"../a.toml\", \"/a\"]".to_owned(),
        "[lists]\na = []".to_owned(),
        RULE.replace("\"a\"", "\"A\""),
        RULE.replace("allow", "permit"),
        RULE.replace("run = \"wide\"\n", ""),
        RULE.replace("allow", "deny"),
        RULE.replace("{ tool = \"x\" }", "{}"),
        RULE.replace("\"r\"", "\" \""),
        RULE.replace("tool", "tol"),
        RULE.replace("tool", "\"arguments.a[0]\""),
        RULE.replace("\"x\"", "{}"),
        RULE.replace("\"x\"", "[]"),
        RULE.replace("\"x\"", "{ prefix = \"\" }"),
        RULE.replace("\"x\"", "{ prefix = \"a\", suffix = \"b\" }"),
        RULE.replace("\"x\"", "{ startswith = \"a\" }"),
        RULE.replace("tool = \"x\"", "\"arguments.n\" = { min = \"a\" }"),
        format!("{RULE}mode = \"off\"\n"),
        format!("{RULE}obligations = {{}}\n"),
        format!("{RULE}obligations.limits = {{}}\n"),
        format!("{RULE}obligations.limits.wall_ms = 0\n"),
        test("matches = true"),
        test("call = { tool = \"x\" }"),
        test("call = { tool = \"x y\" }\nmatches = true"),
        test("call = { tool = \"x\", args = {} }\nmatches = true"),
        test("call = { tool = \"x\" }\nmatches = true\nstate = { calls = -1 }"),
    ];
    for rules in cases {
        let text = format!("version = 1\nname = \"t\"\n{rules}");
        // `..` is made of characters that a file name has: a pattern without look-around lets it by.
        let only_loader = rules.contains("..") && !rules.contains("\"/a\"");
        assert!(support::load(&rules).is_err(), "the loader takes {rules}");
        assert!(
            only_loader || !errors(&schema, &text).is_empty(),
            "the schema takes {rules}"
        );
    }
}

proptest! {
    /// What the schema refuses, the loader refuses.
    #[test]
    fn the_schema_is_never_stricter(words in prop::collection::vec(prop::sample::select(vec![
        "\"x\"", "5", "true", "{ prefix = \"a\" }", "{ min = 1 }", "{ max = 2, min = 1 }", "{ exists = true }", "[1, \"a\"]",
        "{ any = [\"a\"] }", "{ all = { any = { glob = \"*\" } } }", "{ list = \"l\" }", "{ any_of = [] }", "{ regex = \"\" }",
        "{ contains = 1 }", "[[1]]", "{ exists = 1 }", "{ equals = [1] }",
    ]), 1..3)) {
        let clauses: Vec<String> = words.iter().enumerate().map(|(n, c)| format!("\"arguments.k{n}\" = {c}")).collect();
        let rules = format!("[lists]\nl = [\"a\"]\n{}", RULE.replace("tool = \"x\"", &clauses.join(", ")));
        if support::load(&rules).is_ok() {
            prop_assert_eq!(errors(&schema(), &format!("version = 1\nname = \"t\"\n{rules}")), Vec::<String>::new());
        }
    }
}
