//! What a policy means, as short as it can be said: every rule is asked, in the words of
//! docs/POLICY.md. Reads the file's TOML by itself and shares no code with the crate, so that the
//! two can be held against each other: by the tests here and by the fuzz target `engine`.

use std::cmp::Ordering;

use serde_json::{Value, json};

/// The kinds of atoms.
const KINDS: [&str; 10] = [
    "command",
    "redirect",
    "assignment",
    "opaque",
    "host",
    "path",
    "snippet",
    "secret",
    "unicode",
    "encoding",
];

/// What rules are held against: the call, and beside it the facts that were read out of it, as
/// `Facts::to_json` has them.
pub(crate) fn scene(call: &Value, facts: &Value) -> Value {
    let mut scene = facts.clone();
    for (key, value) in call.as_object().unwrap() {
        scene[key] = value.clone();
    }
    scene
}

/// The ids of the rules that take effect, the strictest first, then by id.
pub(crate) fn taking_effect(policy: &str, scene: &Value) -> Vec<String> {
    let file: toml::Table = policy.parse().unwrap();
    let none = Vec::new();
    let rules = file.get("rule").map_or(&none, |r| r.as_array().unwrap());
    let mut found: Vec<(u8, String)> = rules
        .iter()
        .filter(|rule| is_enforced(rule) && takes_effect(rule, scene))
        .map(|rule| {
            (
                strictness(text(rule, "effect")),
                text(rule, "id").to_owned(),
            )
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

/// What the rules that take effect say, before anybody looks whether a sandbox can run the call.
/// None: there is no allow among them and no deny, so nothing says more than deny.
#[allow(dead_code, reason = "each user takes a part")]
pub(crate) fn verdict_of(policy: &str, ids: &[String]) -> Option<policy::Verdict> {
    let file: toml::Table = policy.parse().unwrap();
    let rules = file.get("rule").and_then(toml::Value::as_array);
    let of = |effect: &str| {
        let mut rules = rules.into_iter().flatten();
        rules.any(|rule| {
            text(rule, "effect") == effect && ids.iter().any(|id| id == text(rule, "id"))
        })
    };
    match (of("deny"), of("allow"), of("hold")) {
        (true, _, _) => Some(policy::Verdict::Deny),
        (false, true, true) => Some(policy::Verdict::Hold),
        (false, true, false) => Some(policy::Verdict::Allow),
        (false, false, _) => None,
    }
}

/// A shadow rule changes nothing.
fn is_enforced(rule: &toml::Value) -> bool {
    rule.get("mode")
        .is_none_or(|mode| mode.as_str() == Some("enforce"))
}

fn strictness(effect: &str) -> u8 {
    ["deny", "hold", "allow"]
        .iter()
        .position(|e| *e == effect)
        .unwrap() as u8
}

/// The profiles in which every atom of the call is covered by an allow among these rules; all of
/// the allows' profiles when the call has no atom to cover.
#[allow(dead_code, reason = "each user takes a part")]
pub(crate) fn covering_profiles(policy: &str, ids: &[String], scene: &Value) -> Vec<String> {
    let file: toml::Table = policy.parse().unwrap();
    let rules = file.get("rule").and_then(toml::Value::as_array);
    let allows: Vec<&toml::Value> = rules
        .into_iter()
        .flatten()
        .filter(|rule| text(rule, "effect") == "allow")
        .filter(|rule| ids.iter().any(|id| id == text(rule, "id")))
        .collect();
    let covered_in = |profile: &str| {
        let mut atoms = KINDS
            .iter()
            .flat_map(|kind| atoms(kind, scene).map(move |atom| (*kind, atom)));
        atoms.all(|(kind, atom)| {
            !gives_authority(kind, atom)
                || allows
                    .iter()
                    .any(|rule| text(rule, "run") == profile && covers(rule, kind, atom))
        })
    };
    let mut profiles: Vec<String> = allows
        .iter()
        .map(|rule| text(rule, "run").to_owned())
        .filter(|profile| covered_in(profile))
        .collect();
    profiles.sort();
    profiles.dedup();
    profiles
}

/// What a call does by itself. A snippet, a secret and the like are only described.
fn gives_authority(kind: &str, atom: &Value) -> bool {
    match kind {
        "command" => atom["kind"] != "function",
        "assignment" => atom["influence"] == "code",
        "redirect" | "opaque" | "host" | "path" => true,
        _ => false,
    }
}

fn atoms<'a>(kind: &str, scene: &'a Value) -> impl Iterator<Item = &'a Value> {
    scene
        .get(kind)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// An allow must be certain, a hold or deny must only be possible. An allow that speaks of atoms
/// must cover one; a hold or deny needs one of each kind that it speaks of.
fn takes_effect(rule: &toml::Value, scene: &Value) -> bool {
    let call = truth(rule, |fact| kind_of(fact).is_none(), scene);
    let mut kinds = KINDS.iter().filter(|kind| speaks_of(rule, kind));
    if text(rule, "effect") == "allow" {
        let some = KINDS.iter().any(|kind| speaks_of(rule, kind));
        return call == Some(true)
            && (!some
                || kinds.any(|kind| atoms(kind, scene).any(|atom| covers(rule, kind, atom))));
    }
    call != Some(false)
        && kinds.all(|kind| {
            atoms(kind, scene).any(|atom| truth_of_atom(rule, kind, atom) != Some(false))
        })
}

fn covers(rule: &toml::Value, kind: &str, atom: &Value) -> bool {
    speaks_of(rule, kind) && truth_of_atom(rule, kind, atom) == Some(true)
}

/// All clauses of a rule on one kind speak about one atom.
fn truth_of_atom(rule: &toml::Value, kind: &str, atom: &Value) -> Option<bool> {
    let scene = json!({kind: atom});
    truth(rule, |fact| kind_of(fact) == Some(kind), &scene)
}

fn speaks_of(rule: &toml::Value, kind: &str) -> bool {
    let tables = ["match", "unless"]
        .into_iter()
        .filter_map(|part| rule.get(part)?.as_table());
    tables
        .flat_map(toml::Table::keys)
        .any(|fact| kind_of(fact) == Some(kind))
}

fn kind_of(fact: &str) -> Option<&str> {
    let (root, _) = fact.split_once('.')?;
    KINDS.contains(&root).then_some(root)
}

/// All of `match` hold and none of `unless`, as far as they are meant. None: it cannot be told.
fn truth(rule: &toml::Value, meant: impl Fn(&str) -> bool, scene: &Value) -> Option<bool> {
    let truths = |part: &str| -> Vec<Option<bool>> {
        let table = rule.get(part).and_then(toml::Value::as_table);
        let clauses = table.into_iter().flatten().filter(|(fact, _)| meant(fact));
        clauses
            .map(|(fact, condition)| holds(condition, &find(fact, scene)))
            .collect()
    };
    let unless = truths("unless").into_iter().map(|t| t.map(|t| !t));
    let all: Vec<Option<bool>> = truths("match").into_iter().chain(unless).collect();
    if all.contains(&Some(false)) {
        Some(false)
    } else if all.contains(&None) {
        None
    } else {
        Some(true)
    }
}

pub(crate) enum Found {
    There(Value),
    Absent,
    /// The way leads through something that is no object.
    Blocked,
}

fn find(path: &str, scene: &Value) -> Found {
    let mut value = scene;
    for key in path.split('.') {
        let Value::Object(map) = value else {
            return Found::Blocked;
        };
        match map.get(key) {
            Some(next) => value = next,
            // What was not read out of the call is absent as well.
            None => return Found::Absent,
        }
    }
    Found::There(value.clone())
}

fn holds(condition: &toml::Value, fact: &Found) -> Option<bool> {
    let (word, wanted) = match condition {
        toml::Value::Table(table) if table.contains_key("min") || table.contains_key("max") => {
            ("range", condition)
        }
        toml::Value::Table(table) => {
            let (word, wanted) = table.iter().next().unwrap();
            (word.as_str(), wanted)
        }
        toml::Value::Array(_) => ("any_of", condition),
        _ => ("equals", condition),
    };
    match (word, fact) {
        (_, Found::Blocked) => None,
        ("exists", Found::There(_)) => Some(wanted.as_bool().unwrap()),
        ("exists", Found::Absent) => Some(!wanted.as_bool().unwrap()),
        (_, Found::Absent) => Some(false),
        ("equals", Found::There(value)) => equals(wanted, value),
        ("any_of", Found::There(value)) => any_of(wanted.as_array().unwrap(), value),
        ("range", Found::There(value)) => within(wanted, value),
        ("any", Found::There(value)) => {
            let truths = of_elements(wanted, value)?;
            let known = truths.contains(&Some(true)) || !truths.contains(&None);
            known.then(|| truths.contains(&Some(true)))
        }
        ("all", Found::There(value)) => {
            let truths = of_elements(wanted, value)?;
            let known = truths.contains(&Some(false)) || !truths.contains(&None);
            known.then(|| !truths.contains(&Some(false)))
        }
        (word, Found::There(value)) => search(word, wanted.as_str().unwrap(), value.as_str()?),
    }
}

/// What the condition makes of each element. None: there are no elements to ask.
fn of_elements(condition: &toml::Value, array: &Value) -> Option<Vec<Option<bool>>> {
    let elements = array.as_array()?.iter();
    Some(
        elements
            .map(|element| holds(condition, &Found::There(element.clone())))
            .collect(),
    )
}

fn any_of(list: &[toml::Value], value: &Value) -> Option<bool> {
    let truths: Vec<Option<bool>> = list.iter().map(|one| equals(one, value)).collect();
    if truths.contains(&Some(true)) {
        Some(true)
    } else if truths.contains(&Some(false)) {
        Some(false)
    } else {
        None
    }
}

fn equals(wanted: &toml::Value, value: &Value) -> Option<bool> {
    match (wanted, value) {
        (toml::Value::String(a), Value::String(b)) => Some(a == b),
        (toml::Value::Boolean(a), Value::Bool(b)) => Some(a == b),
        (wanted, Value::Number(_)) => Some(compare(value, wanted)? == Ordering::Equal),
        _ => None,
    }
}

fn within(range: &toml::Value, value: &Value) -> Option<bool> {
    let at_least = range
        .get("min")
        .map_or(Some(true), |min| Some(compare(value, min)?.is_ge()))?;
    let at_most = range
        .get("max")
        .map_or(Some(true), |max| Some(compare(value, max)?.is_le()))?;
    Some(at_least && at_most)
}

/// Good for small bounds: what is far away may be rounded, but not across them.
fn compare(value: &Value, bound: &toml::Value) -> Option<Ordering> {
    let bound = bound
        .as_float()
        .or_else(|| bound.as_integer().map(|i| i as f64))?;
    value.as_number()?.as_f64()?.partial_cmp(&bound)
}

fn search(word: &str, wanted: &str, text: &str) -> Option<bool> {
    if text.len() > policy::MAX_SEARCHED_BYTES {
        return None;
    }
    Some(match word {
        "prefix" => text.starts_with(wanted),
        "suffix" => text.ends_with(wanted),
        "contains" => text.contains(wanted),
        "regex" => regex::Regex::new(wanted).unwrap().is_match(text),
        "glob" => globset::GlobBuilder::new(wanted)
            .literal_separator(true)
            .build()
            .unwrap()
            .compile_matcher()
            .is_match(text),
        word => unreachable!("{word} is no condition"),
    })
}

fn text<'a>(rule: &'a toml::Value, key: &str) -> &'a str {
    rule.get(key).unwrap().as_str().unwrap()
}
