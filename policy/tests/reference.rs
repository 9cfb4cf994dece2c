//! The indexed engine and the reference interpreter find the same rules.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "support/reference.rs"]
mod reference;
mod support;

use policy::{CallId, ToolCall, decide};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Every kind of condition, over so few words that rules share values, prefixes and paths.
fn condition() -> impl Strategy<Value = String> {
    let word = || select(vec!["a", "ab", "abc", "b", "é", "éa", "a/b", "x"]);
    let scalar = || {
        prop_oneof![
            3 => word().prop_map(|w| format!("\"{w}\"")),
            1 => select(vec!["0", "1", "1.0", "0.5", "-3", "true", "false"]).prop_map(str::to_owned),
        ]
    };
    prop_oneof![
        3 => scalar(),
        2 => prop::collection::vec(scalar(), 1..4).prop_map(|list| format!("[{}]", list.join(", "))),
        3 => word().prop_map(|w| format!("{{ prefix = \"{w}\" }}")),
        1 => word().prop_map(|w| format!("{{ suffix = \"{w}\" }}")),
        1 => word().prop_map(|w| format!("{{ contains = \"{w}\" }}")),
        2 => select(vec!["a*", "ab?", "*", "a/**", "é{a,b}", "[ab]*", "ab"]).prop_map(|w| format!("{{ glob = \"{w}\" }}")),
        1 => select(vec!["^a", "b$", "a|é"]).prop_map(|w| format!("{{ regex = \"{w}\" }}")),
        1 => select(vec!["min = 0", "max = 1", "min = 0, max = 0.5"]).prop_map(|w| format!("{{ {w} }}")),
        1 => any::<bool>().prop_map(|there| format!("{{ exists = {there} }}")),
        1 => (select(vec!["any", "all"]), word()).prop_map(|(which, w)| format!("{{ {which} = {{ prefix = \"{w}\" }} }}")),
    ]
}

/// Conditions on text only, for facts that are always text.
fn text_condition() -> impl Strategy<Value = String> {
    condition().prop_filter("text", |c| {
        let words = [
            "any", "all", "exists", "min", "max", "0", "1", "3", "true", "false",
        ];
        !words.iter().any(|word| c.contains(word))
    })
}

fn clauses(counts: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let argument = select(vec!["a", "b", "deep", "deep.er", "deep.er.est"]);
    let clause = prop_oneof![
        2 => (Just("tool".to_owned()), text_condition()),
        1 => (Just("principal".to_owned()), text_condition()),
        1 => (Just("session".to_owned()), text_condition()),
        6 => (argument.prop_map(|key| format!("\"arguments.{key}\"")), condition()),
    ];
    prop::collection::btree_map("[0-9]", clause, counts).prop_map(|clauses| {
        let by_fact: std::collections::BTreeMap<_, _> = clauses.into_values().collect();
        let written: Vec<String> = by_fact
            .into_iter()
            .map(|(f, c)| format!("{f} = {c}"))
            .collect();
        written.join(", ")
    })
}

fn rules() -> impl Strategy<Value = String> {
    let effect = select(vec![
        "effect = \"allow\"\nrun = \"wide\"",
        "effect = \"hold\"",
        "effect = \"deny\"",
    ]);
    prop::collection::vec((effect, clauses(1..4), clauses(0..2)), 0..24).prop_map(|rules| {
        let numbered = rules.into_iter().enumerate();
        numbered
            .map(|(id, (effect, matches, unless))| {
                format!("[[rule]]\nid = \"r{id}\"\n{effect}\nreason = \"r\"\nmatch = {{ {matches} }}\nunless = {{ {unless} }}\n")
            })
            .collect()
    })
}

fn value() -> impl Strategy<Value = Value> {
    let text = select(vec![
        "", "a", "ab", "abc", "abcd", "b", "é", "éa", "éb", "e", "a/b", "a/b/c", "x", "ac",
    ]);
    let leaf = prop_oneof![
        8 => text.prop_map(Value::from),
        1 => select(vec![json!(0), json!(1), json!(1.0), json!(0.5), json!(-3), json!(7), json!(u64::MAX)]),
        1 => any::<bool>().prop_map(Value::from),
        1 => select(vec![json!(null), json!(["a"]), json!(["b", null]), json!([]), json!({})]),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop::collection::btree_map(select(vec!["er", "est", "z"]), inner, 0..3).prop_map(|map| {
            Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        })
    })
}

fn call() -> impl Strategy<Value = Value> {
    let name = || select(vec!["a", "ab", "abc", "b", "x", "ac"]);
    let keys = select(vec!["a", "b", "deep", "other"]);
    let arguments = prop::collection::btree_map(keys, value(), 0..4);
    (name(), name(), prop::option::of(name()), arguments).prop_map(
        |(tool, principal, session, arguments)| {
            let mut call = json!({"tool": tool, "principal": principal, "arguments": arguments});
            if let Some(session) = session {
                call.as_object_mut()
                    .unwrap()
                    .insert("session".to_owned(), json!(session));
            }
            call
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn the_index_finds_what_the_reference_finds(rules in rules(), calls in prop::collection::vec(call(), 1..6)) {
        let text = format!("version = 1\nname = \"t\"\n{rules}");
        let policy = support::load(&rules).unwrap();
        for call in calls {
            let judged = ToolCall::parse(call.to_string().as_bytes()).unwrap();
            let decision = decide(&policy, CallId::from_bytes([0; 16]), judged);
            let found: Vec<String> = decision.rules().iter().map(|hit| hit.id().to_owned()).collect();
            let scene = reference::scene(&call, &decision.facts().to_json());
            prop_assert_eq!(found, reference::taking_effect(&text, &scene), "{}", scene);
        }
    }
}

#[test]
fn text_too_long_to_search_is_found_by_both() {
    let rules = "[[rule]]\nid = \"d\"\neffect = \"deny\"\nreason = \"r\"\nmatch = { \"arguments.a\" = { prefix = \"x\" } }\n";
    let call = json!({"tool": "t", "principal": "p", "arguments": {"a": "y".repeat(policy::MAX_SEARCHED_BYTES + 1)}});
    let decision = support::judge(&support::load(rules).unwrap(), &call);
    assert_eq!(decision.rules().len(), 1);
    let scene = reference::scene(&call, &decision.facts().to_json());
    assert_eq!(
        reference::taking_effect(&format!("version = 1\nname = \"t\"\n{rules}"), &scene),
        ["d"]
    );
}
