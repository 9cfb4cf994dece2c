//! What a policy means, as short as it can be said: every rule is asked, in the words of
//! docs/POLICY.md. Reads the file's TOML by itself and shares no code with the crate, so that the
//! two can be held against each other: by the tests here and by the fuzz target `engine`.

use std::cmp::Ordering;
use std::net::IpAddr;

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

/// What is known of the world beside a call, for one rule.
#[derive(Clone, Copy)]
pub(crate) struct World {
    /// What its `when` comes to; true without one.
    pub(crate) when: Option<bool>,
    /// Whether it has not expired yet; true if it never does.
    pub(crate) lives: Option<bool>,
}

impl World {
    pub(crate) const PLAIN: Self = Self {
        when: Some(true),
        lives: Some(true),
    };
}

/// The ids of the rules that take effect, the strictest first, then by id.
#[allow(dead_code, reason = "each user takes a part")]
pub(crate) fn taking_effect(policy: &str, scene: &Value) -> Vec<String> {
    taking_effect_in(policy, scene, &|_| World::PLAIN)
}

/// The same in a world that says something of each rule, by its id.
pub(crate) fn taking_effect_in(
    policy: &str,
    scene: &Value,
    world: &dyn Fn(&str) -> World,
) -> Vec<String> {
    let file: toml::Table = policy.parse().unwrap();
    let none = Vec::new();
    let rules = file.get("rule").map_or(&none, |r| r.as_array().unwrap());
    let mut found: Vec<(u8, String)> = rules
        .iter()
        .filter(|rule| is_enforced(rule) && takes_effect(rule, scene, world(text(rule, "id"))))
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
        "assignment" => atom["influence"] == "code",
        "command" | "redirect" | "opaque" | "host" | "path" => true,
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

/// An allow must be certain and not have expired, a hold or deny must only be possible. An allow
/// that speaks of atoms must cover one; a hold or deny needs one of each kind that it speaks of.
fn takes_effect(rule: &toml::Value, scene: &Value, world: World) -> bool {
    let call = both(
        truth(rule, |fact| kind_of(fact).is_none(), scene),
        world.when,
    );
    let mut kinds = KINDS.iter().filter(|kind| speaks_of(rule, kind));
    if text(rule, "effect") == "allow" {
        let some = KINDS.iter().any(|kind| speaks_of(rule, kind));
        return call == Some(true)
            && world.lives == Some(true)
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
            .map(|(fact, condition)| match fact.as_str() {
                "command.flags" => holds_of_flags(condition, &find(fact, scene)),
                fact => holds(condition, &find(fact, scene)),
            })
            .collect()
    };
    let unless = truths("unless").into_iter().map(|t| t.map(|t| !t));
    let all = truths("match").into_iter().chain(unless);
    all.fold(Some(true), both)
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
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
        ("any", Found::There(value)) => any(&of_elements(wanted, value)?),
        ("all", Found::There(value)) => all(&of_elements(wanted, value)?),
        ("cidr", Found::There(value)) => in_ranges(wanted, value.as_str()?),
        (word, Found::There(value)) => search(word, wanted.as_str().unwrap(), value.as_str()?),
    }
}

fn any(truths: &[Option<bool>]) -> Option<bool> {
    let known = truths.contains(&Some(true)) || !truths.contains(&None);
    known.then(|| truths.contains(&Some(true)))
}

fn all(truths: &[Option<bool>]) -> Option<bool> {
    truths.iter().copied().fold(Some(true), both)
}

/// Of the options of a command: `--rec` may be short for any longer one.
fn holds_of_flags(condition: &toml::Value, fact: &Found) -> Option<bool> {
    let of_each = |word: &str| {
        let inner = condition.get(word)?;
        let Found::There(Value::Array(flags)) = fact else {
            return None;
        };
        let truths = flags.iter().map(|flag| holds_of_flag(inner, flag));
        Some(truths.collect::<Vec<_>>())
    };
    match (of_each("any"), of_each("all")) {
        (Some(truths), _) => any(&truths),
        (None, Some(truths)) => all(&truths),
        (None, None) => holds(condition, fact),
    }
}

fn holds_of_flag(condition: &toml::Value, flag: &Value) -> Option<bool> {
    let truth = holds(condition, &Found::There(flag.clone()));
    let short = flag
        .as_str()
        .filter(|flag| flag.len() > 2 && flag.starts_with("--"));
    match (truth, short) {
        (Some(false), Some(short)) if may_mean(condition, short) => None,
        (truth, _) => truth,
    }
}

/// Whether a longer option that begins like this one could fulfil the condition.
fn may_mean(condition: &toml::Value, short: &str) -> bool {
    let longer = |one: &toml::Value| {
        let one = one.as_str().unwrap_or_default();
        one != short && one.starts_with(short)
    };
    match condition {
        toml::Value::Array(list) => list.iter().any(longer),
        toml::Value::Table(table) => table.iter().any(|(word, wanted)| match word.as_str() {
            "prefix" => wanted.as_str().unwrap().starts_with(short),
            word => matches!(word, "suffix" | "contains" | "glob" | "regex"),
        }),
        one => longer(one),
    }
}

/// An IPv4 address that is written as IPv6 is that IPv4 address.
fn in_ranges(ranges: &toml::Value, text: &str) -> Option<bool> {
    let address = text.parse::<IpAddr>().ok()?.to_canonical();
    let ranges = match ranges {
        toml::Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    Some(ranges.into_iter().any(|range| {
        let range = range.as_str().unwrap();
        let (first, length) = range.split_once('/').unwrap_or((range, "128"));
        let (first, address) = (bits(first.parse().unwrap()), bits(address));
        let length = length.parse::<usize>().unwrap().min(first.len());
        first.len() == address.len() && first[..length] == address[..length]
    }))
}

fn bits(address: IpAddr) -> Vec<bool> {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let of_byte = |byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1 == 1);
    bytes.into_iter().flat_map(of_byte).collect()
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
