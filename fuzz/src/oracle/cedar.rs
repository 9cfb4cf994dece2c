//! The engine against cedar-policy: by a translation of our own of what both can say, and by the
//! export of any policy, which Cedar must read and judge as we do.
//!
//! The translation is of texts that are compared, listed, or searched for a piece, with deny over
//! allow. Cedar has no hold and no third truth, so rules and calls there have none either.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Context as CedarContext, Decision, Entities, EntityUid, Policy as CedarPolicy,
    PolicyId, PolicySet, Request,
};
use policy::cedar::CedarRequest;
use policy::{Context, Policy, Verdict};
use serde_json::{Value, json};

use super::{called, judge, loaded, profiles};
use crate::generate::Case;
use crate::generate::rules::{Condition, Rule, Scalar, file};

/// A policy and calls.
pub fn agrees_with_cedar(rules: &[Rule], calls: &[Value]) {
    let text = file(rules);
    let Some(policy) = loaded(&text) else {
        return;
    };
    let translated = translate(rules);
    for call in calls {
        let ours = judge(&policy, &Context::default(), &called(call));
        let effect = |effect: &str| -> BTreeSet<String> {
            let hits = ours
                .rules()
                .iter()
                .filter(|hit| hit.effect().to_string() == effect);
            hits.map(|hit| hit.id().to_owned()).collect()
        };
        let (denies, allows) = (effect("deny"), effect("allow"));
        let permitted = denies.is_empty() && !allows.is_empty();
        let determining = if denies.is_empty() { allows } else { denies };
        assert_eq!(
            (permitted, determining),
            ask(&translated, call),
            "{call}\n{text}\n{translated}"
        );
    }
}

/// Every policy that is shipped is exported, and Cedar reads it.
pub fn reads_what_is_shipped() {
    for pack in policy::shipped::PACKS {
        let loaded = Policy::load(pack.file, pack.text, profiles());
        exported(&loaded.unwrap_or_else(|error| panic!("{error}")));
    }
}

/// Cedar's policies with the ids of our rules.
fn exported(policy: &Policy) -> (PolicySet, BTreeMap<PolicyId, String>) {
    let text = policy::cedar::export(policy).text;
    let set: PolicySet = text
        .parse()
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let ids = set.policies().map(|written| {
        let id = written.annotation("id").expect("every rule has an id");
        (written.id().clone(), id.to_owned())
    });
    let ids = ids.collect();
    (set, ids)
}

/// A policy and calls: of the rules that are exported, Cedar finds those that take effect.
pub fn agrees_with_the_export(case: &Case) {
    let Some(policy) = loaded(&file(&case.rules)) else {
        return;
    };
    let (set, ids) = exported(&policy);
    for call in &case.calls {
        let called = called(call);
        // What Cedar's values cannot hold is no request, and nothing is said of it.
        let Ok(request) = policy::cedar::request(&policy, &called, &case.context) else {
            continue;
        };
        let covers_nothing = request.context["number"]["atoms"] == 0;
        let decision = judge(&policy, &case.context, &called);
        let of = |wanted: fn(Verdict) -> bool| -> BTreeSet<String> {
            let hits = decision.rules().iter().filter(|hit| wanted(hit.effect()));
            let hits = hits.map(|hit| hit.id().to_owned());
            hits.filter(|id| ids.values().any(|known| known == id))
                .collect()
        };
        let forbids = of(|effect| effect != Verdict::Allow);
        let mut permits = of(|effect| effect == Verdict::Allow);
        permits.retain(|_| covers_nothing);
        let permitted = forbids.is_empty() && !permits.is_empty();
        let determining = if forbids.is_empty() { permits } else { forbids };
        let (decided, found) = answer(&set, &request);
        let found: BTreeSet<String> = found.iter().filter_map(|id| ids.get(id).cloned()).collect();
        assert_eq!((permitted, determining), (decided, found), "{call}\n{set}");
    }
}

fn answer(set: &PolicySet, request: &CedarRequest) -> (bool, Vec<PolicyId>) {
    let uid = |text: &str| text.parse::<EntityUid>().expect("a name of the export");
    let context = CedarContext::from_json_value(request.context.clone(), None);
    let request = Request::new(
        uid(&request.principal),
        uid(&request.action),
        uid(&request.resource),
        context.expect("Cedar has these values"),
        None,
    )
    .expect("without a schema every request is one");
    let answer = Authorizer::new().is_authorized(&request, set, &Entities::empty());
    let errors: Vec<String> = answer
        .diagnostics()
        .errors()
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, [] as [String; 0], "no exported expression can fail");
    let found = answer.diagnostics().reason().cloned().collect();
    (answer.decision() == Decision::Allow, found)
}

fn ask(policies: &PolicySet, call: &Value) -> (bool, BTreeSet<String>) {
    let uid = |text: &str| text.parse::<EntityUid>().expect("a name of our own");
    let context = CedarContext::from_json_value(facts(call), None).expect("texts only");
    let who = uid(r#"Principal::"any""#);
    let request = Request::new(
        who,
        uid(r#"Action::"call""#),
        uid(r#"Tool::"any""#),
        context,
        None,
    )
    .expect("without a schema every request is one");
    let answer = Authorizer::new().is_authorized(&request, policies, &Entities::empty());
    let errors: Vec<String> = answer
        .diagnostics()
        .errors()
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, [] as [String; 0], "{call}");
    let reasons = answer.diagnostics().reason().map(|id| id.to_string());
    (answer.decision() == Decision::Allow, reasons.collect())
}

/// The facts under the names that rules have for them.
fn facts(call: &Value) -> Value {
    let mut facts = json!({"tool": call["tool"], "principal": call["principal"]});
    for (key, value) in call["arguments"].as_object().into_iter().flatten() {
        facts[format!("arguments.{key}")] = value.clone();
    }
    facts
}

fn translate(rules: &[Rule]) -> PolicySet {
    let mut policies = PolicySet::new();
    for rule in rules {
        let id = PolicyId::new(format!("r{}", rule.number));
        let text = rule_text(rule);
        let policy =
            CedarPolicy::parse(Some(id), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        policies.add(policy).expect("ids are unique");
    }
    policies
}

fn rule_text(rule: &Rule) -> String {
    let effect = if rule.effect == "allow" {
        "permit"
    } else {
        "forbid"
    };
    let part = |word: &str, joint: &str, clauses: &std::collections::BTreeMap<&str, Condition>| {
        let clauses: Vec<String> = clauses.iter().map(|(fact, c)| clause(fact, c)).collect();
        match clauses.is_empty() {
            true => String::new(),
            false => format!(" {word} {{ {} }}", clauses.join(joint)),
        }
    };
    let when = part("when", " && ", &rule.matches);
    let unless = part("unless", " || ", &rule.unless);
    format!("{effect}(principal, action, resource){when}{unless};")
}

/// A fact that is not there fulfils nothing.
fn clause(fact: &str, condition: &Condition) -> String {
    let there = format!("context has {fact:?}");
    let value = format!("context[{fact:?}]");
    let asked = match condition {
        Condition::Is(scalar) => format!("{value} == {}", text(scalar)),
        Condition::OneOf(scalars) => {
            let texts: Vec<String> = scalars.iter().map(text).collect();
            format!("[{}].contains({value})", texts.join(", "))
        }
        Condition::Prefix(part) => format!("{value} like \"{}*\"", pattern(part)),
        Condition::Suffix(part) => format!("{value} like \"*{}\"", pattern(part)),
        Condition::Contains(part) => format!("{value} like \"*{}*\"", pattern(part)),
        Condition::Glob(_)
        | Condition::Regex(_)
        | Condition::Cidr(_)
        | Condition::Range(_)
        | Condition::Exists(_)
        | Condition::Any(_)
        | Condition::All(_) => unreachable!("no plain rule has {condition}"),
    };
    format!("({there} && {asked})")
}

fn text(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("\"{}\"", text.escape_default()),
        Scalar::Other(other) => unreachable!("no plain rule has {other}"),
    }
}

/// A star that means itself has a backslash.
fn pattern(text: &str) -> String {
    text.split('*')
        .map(|part| part.escape_default().to_string())
        .collect::<Vec<_>>()
        .join("\\*")
}
