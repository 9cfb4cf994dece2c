//! What the tests of the comparison share.
#![allow(clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use policy::compare::Diff;
use policy::{CallId, Context, Decision, Policy, ToolCall, Verdict, decide_at};

pub(crate) fn load(rules: &str) -> Policy {
    super::load(rules).unwrap_or_else(|error| panic!("{error}\n{rules}"))
}

pub(crate) fn decide(policy: &Policy, context: &Context, call: &ToolCall) -> Decision {
    decide_at(policy, context, CallId::from_bytes([0; 16]), call.clone())
}

/// The verdict, and with an allow what it gives.
pub(crate) type Seen = (Verdict, Option<(String, policy::Limits)>);

pub(crate) fn seen(policy: &Policy, context: &Context, call: &ToolCall) -> Seen {
    let decision = decide(policy, context, call);
    let grant = decision.grant();
    let grant = grant.map(|grant| (grant.profile().name().to_owned(), *grant.limits()));
    (decision.verdict(), grant)
}

/// The kind of a change: two verdicts, and two profiles if both are allows.
pub(crate) type Kind = (Verdict, Verdict, Option<(String, String)>);

pub(crate) fn kind(old: &Seen, new: &Seen) -> Option<Kind> {
    let profiles = match (&old.1, &new.1) {
        (Some((old, _)), Some((new, _))) => Some((old.clone(), new.clone())),
        _ => None,
    };
    (old != new).then_some((old.0, new.0, profiles))
}

/// Every change must be real, whatever is said of it.
pub(crate) fn kinds(diff: &Diff, old: &Policy, new: &Policy) -> BTreeSet<String> {
    let kinds = diff.changes.iter().map(|change| {
        let (context, call) = (&change.context, &change.call);
        let (old, new) = (seen(old, context, call), seen(new, context, call));
        assert_eq!((change.from.verdict, change.to.verdict), (old.0, new.0));
        format!("{:?}", kind(&old, &new).unwrap())
    });
    kinds.collect()
}

pub(crate) fn rule(id: &str, effect: &str, rest: &str) -> String {
    let run = match effect {
        "allow" if !rest.contains("run =") => "run = \"wasm-offline\"\n",
        _ => "",
    };
    format!("[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nreason = \"{id}\"\n{run}{rest}\n")
}
