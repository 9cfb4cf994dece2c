//! That meanings answer as the conditions they were made from.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::meaning::Meaning;
use crate::condition::{Clause, MAX_SEARCHED_BYTES};
use crate::fact::{Fact, FactPath};
use crate::file::ConditionFile;

const CONDITIONS: [&str; 18] = [
    "\"a\"",
    "[\"a\", 1, true]",
    "[1, 2.5]",
    "[false]",
    "{ prefix = \"a\" }",
    "{ suffix = \"a\" }",
    "{ contains = \"a\" }",
    "{ glob = \"a*\" }",
    "{ regex = \"a+b?\" }",
    "{ min = 0 }",
    "{ min = -1, max = 2.5 }",
    "{ exists = true }",
    "{ exists = false }",
    "{ any = { prefix = \"a\" } }",
    "{ all = { max = 1 } }",
    "{ any = [1, \"a\"] }",
    "{ all = { any = \"a\" } }",
    "{ any = { all = { suffix = \"b\" } } }",
];

fn values() -> Vec<Value> {
    let plain = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(1.0),
        json!(2.5),
        json!(-3),
        json!(u64::MAX),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("ba"),
        json!("é"),
        json!({}),
        json!({"a": 1}),
    ];
    let arrays = plain
        .iter()
        .flat_map(|a| plain.iter().map(move |b| json!([a, b, [b]])));
    let long = json!("a".repeat(MAX_SEARCHED_BYTES + 1));
    plain
        .iter()
        .cloned()
        .chain(arrays)
        .chain([json!([]), json!([[]]), long])
        .collect()
}

fn clause(condition: &str) -> Clause {
    #[derive(serde::Deserialize)]
    struct Holder {
        c: ConditionFile,
    }
    let holder: Holder = toml::from_str(&format!("c = {condition}")).unwrap();
    let path = Arc::new(FactPath::parse("arguments.x").unwrap());
    Clause::compile(path, holder.c.clone(), holder.c).unwrap()
}

#[test]
fn a_meaning_answers_as_its_condition() {
    let values = values();
    for condition in CONDITIONS {
        let clause = clause(condition);
        let meaning = Meaning::of_condition(&clause.condition);
        let facts = values.iter().map(Fact::of_value);
        for fact in facts.chain([Fact::Absent, Fact::Blocked]) {
            assert_eq!(
                meaning.truth(fact),
                clause.condition.truth(fact),
                "{condition}"
            );
        }
    }
}

proptest! {
    /// A domain that was cut by conditions holds what it gives, and gives nothing only if no value
    /// fits.
    #[test]
    fn a_domain_gives_what_fits(
        chosen in prop::collection::vec((select(CONDITIONS.to_vec()), 0..4_usize), 1..5),
    ) {
        use super::domain::{Domain, Kinds, Picked};
        use super::meaning::Want;
        use super::texts::Found;
        const WANTS: [Want; 4] = [Want::True, Want::NotTrue, Want::False, Want::NotFalse];
        let asked: Vec<(Meaning, Want)> = chosen
            .iter()
            .map(|(condition, want)| {
                let meaning = Meaning::of_condition(&clause(condition).condition);
                (meaning, *WANTS.get(*want).unwrap())
            })
            .collect();
        let fits = |fact: Fact<'_>| asked.iter().all(|(meaning, want)| want.takes(meaning.truth(fact)));
        let whole = Some(Domain::of(Kinds::ALL));
        let cut = asked.iter().fold(whole, |domain, (meaning, want)| domain?.cut(meaning, *want));
        let found = cut.map_or(Found::Nothing, |domain| domain.pick(Kinds::ALL));
        match &found {
            Found::One(Picked::Absent) => prop_assert!(fits(Fact::Absent)),
            Found::One(Picked::Blocked) => prop_assert!(fits(Fact::Blocked)),
            Found::One(Picked::Value(value)) => prop_assert!(fits(Fact::of_value(value))),
            Found::Nothing => {
                prop_assert!(!fits(Fact::Absent) && !fits(Fact::Blocked));
                prop_assert!(!values().iter().any(|value| fits(Fact::of_value(value))));
            }
            Found::Unsure(why) => prop_assert!(false, "{why}"),
        }
    }
}
