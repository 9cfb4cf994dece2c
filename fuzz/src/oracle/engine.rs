//! The indexed engine finds the rules that the reference interpreter finds, and rules as the
//! manual says: deny over hold over allow, no allow is a deny, and a budget only tightens.

use std::collections::BTreeSet;

use policy::{Context, Decision, Policy, Verdict};
use serde_json::Value;

use super::{called, hits, judge, loaded, when};
use crate::fault;
use crate::generate::budget::Budget;
use crate::generate::{Case, rules};
use crate::reference::{self, World};

/// A policy and calls.
pub fn agrees_with_the_reference(case: &Case) {
    let (Some(right), text) = (loaded(&file(case)), file(case)) else {
        return;
    };
    // The same, but for a fault that was seeded to see whether it is found.
    let judged = fault::case(case);
    let Some(policy) = loaded(&file(&judged)) else {
        return;
    };
    for (call, given) in case.calls.iter().zip(&judged.calls) {
        let decision = judge(&policy, &judged.context, &called(given));
        let facts = right.facts(&called(call)).to_json();
        let scene = reference::scene(call, &facts);
        finds_the_rules(case, call, &text, &scene, &decision);
        rules_as_the_manual_says(case, call, &text, &scene, &decision);
        budgets_only_tighten(case, call, &facts, &policy, &judged, &decision);
    }
}

fn file(case: &Case) -> String {
    let budgets: String = case.budgets.iter().map(Budget::to_string).collect();
    format!("{}{budgets}", rules::file(&case.rules))
}

fn taking_effect(case: &Case, call: &Value, text: &str, scene: &Value) -> Vec<String> {
    reference::taking_effect_in(text, scene, &|id| world(case, call, id))
}

/// What is known of the world for one rule.
fn world(case: &Case, call: &Value, id: &str) -> World {
    let rule = case.rules.iter().find(|rule| rule.id() == id);
    let rule = rule.expect("the reference names rules of the file");
    let when = rule.when.as_ref();
    World {
        when: when.map_or(Some(true), |when| when::truth(when, &case.context, call)),
        lives: match (rule.expires_s, case.context.now_us) {
            (None, _) => Some(true),
            (Some(_), None) => None,
            (Some(expires_s), Some(now_us)) => Some(now_us < expires_s * 1_000_000),
        },
    }
}

fn finds_the_rules(case: &Case, call: &Value, text: &str, scene: &Value, decision: &Decision) {
    let budgets: BTreeSet<String> = case.budgets.iter().map(Budget::id).collect();
    let mut found = hits(decision);
    found.retain(|id| !budgets.contains(id));
    let wanted = taking_effect(case, call, text, scene);
    assert_eq!(found, wanted, "{scene}\n{:?}\n{text}", case.context);
}

fn rules_as_the_manual_says(
    case: &Case,
    call: &Value,
    text: &str,
    scene: &Value,
    decision: &Decision,
) {
    let found = taking_effect(case, call, text, scene);
    let strictest = reference::verdict_of(text, &found).unwrap_or(Verdict::Deny);
    // A want of authority or a budget turns an allow or hold into something stricter, never looser.
    let verdict = decision.verdict();
    assert!(verdict >= strictest, "{scene}\n{text}");
    if verdict == Verdict::Deny {
        return;
    }
    let covering = reference::covering_profiles(text, &found, scene);
    let run = decision
        .grant()
        .map(|grant| grant.profile().name().to_owned());
    assert!(
        !covering.is_empty(),
        "{verdict}, and not covered: {scene}\n{text}"
    );
    assert!(
        run.is_none_or(|run| covering.contains(&run)),
        "{scene}\n{text}"
    );
}

// ---- budgets ------------------------------------------------------------------------------------

/// What the manual makes of the verdict that the same rules give without budgets.
fn budgets_only_tighten(
    case: &Case,
    call: &Value,
    facts: &Value,
    policy: &Policy,
    judged: &Case,
    decision: &Decision,
) {
    if case.budgets.is_empty() {
        return assert!(decision.remaining().is_empty());
    }
    let without = Case {
        budgets: Vec::new(),
        ..judged.clone()
    };
    let Some(unbounded) = loaded(&file(&without)) else {
        return;
    };
    let verdict = judge(&unbounded, &Context::clone(&judged.context), &called(call)).verdict();
    let applying = case.budgets.iter().filter(|budget| applies(budget, call));
    let wanted = match verdict {
        Verdict::Deny => Verdict::Deny,
        Verdict::Allow | Verdict::Hold => applying
            .map(|budget| said_by(budget, &case.context, facts))
            .fold(verdict, Verdict::max),
    };
    assert_eq!(
        decision.verdict(),
        wanted,
        "{call}\n{:?}\n{:?}\n{}",
        case.budgets,
        case.context,
        policy.name()
    );
}

fn applies(budget: &Budget, call: &Value) -> bool {
    budget.per == "principal" || call.get("session").is_some()
}

/// What a budget says of a call: nothing, or its effect. One whose use nobody knows denies.
fn said_by(budget: &Budget, context: &Context, facts: &Value) -> Verdict {
    let Some(used) = context.budgets.get(&budget.id()) else {
        return Verdict::Deny;
    };
    let mut hosts: BTreeSet<&str> = used.hosts.iter().map(String::as_str).collect();
    let named = facts.get("host").and_then(Value::as_array);
    let named = named.into_iter().flatten();
    hosts.extend(named.map(|host| host["name"].as_str().unwrap_or("?")));
    let above = budget.calls.is_some_and(|most| used.calls + 1 > most)
        || budget.hosts.is_some_and(|most| hosts.len() as u64 > most)
        || used.cpu_ms >= budget.cpu_ms;
    match (above, budget.effect) {
        (false, _) => Verdict::Allow,
        (true, "hold") => Verdict::Hold,
        (true, _) => Verdict::Deny,
    }
}
