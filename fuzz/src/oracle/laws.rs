//! Laws of every policy and every call.

use policy::{Context, Doubt, Policy, ToolCall, Verdict, explain};

use super::{called, hits, judge, loaded};
use crate::generate::Case;
use crate::generate::rules::{Rule, file};

/// What a caller sees of a decision.
type Seen = (Verdict, String, Vec<String>, Vec<String>, Option<String>);

fn seen(policy: &Policy, call: &ToolCall) -> Seen {
    let decision = judge(policy, &Context::default(), call);
    (
        decision.verdict(),
        decision.reason().to_owned(),
        decision.next_steps().to_vec(),
        hits(&decision),
        decision
            .grant()
            .map(|grant| grant.profile().name().to_owned()),
    )
}

/// All of them, for a policy, calls, and two rules that are added.
pub fn hold(case: &Case, strict: &Rule, allow: &Rule) {
    let Some(policy) = loaded(&file(&case.rules)) else {
        return;
    };
    let calls: Vec<ToolCall> = case.calls.iter().map(called).collect();
    explanations_agree(&policy, &calls);
    order_does_not_matter(&policy, &case.rules, &calls);
    one_more_deny_or_hold_never_loosens(&policy, &case.rules, strict, &calls);
    one_more_allow_never_tightens(&policy, &case.rules, allow, &calls);
    shadow_changes_nothing(&policy, &case.rules, strict, &calls);
    shadow_changes_nothing(&policy, &case.rules, allow, &calls);
    without_allows_nothing_runs(&case.rules, &calls);
    what_the_lint_calls_too_much_can_go(&policy, &case.rules, &calls);
}

fn with(rules: &[Rule], added: &Rule) -> Option<Policy> {
    loaded(&file(rules.iter().chain([&Rule {
        number: 99,
        ..added.clone()
    }])))
}

fn explanations_agree(policy: &Policy, calls: &[ToolCall]) {
    for call in calls {
        let (verdict, reason, _, mut hits, run) = seen(policy, call);
        let explanation = explain(policy, call);
        let of_rules = explanation.rules.iter();
        let took_effect = of_rules.filter(|r| r.takes_effect && r.mode == policy::Mode::Enforce);
        let ids: Vec<String> = took_effect.map(|rule| rule.id.clone()).collect();
        hits.sort();
        assert_eq!(hits, ids);
        assert_eq!(
            (explanation.verdict, &explanation.reason),
            (verdict, &reason)
        );
        assert_eq!(explanation.run, run);
        assert_eq!(run.is_some(), verdict == Verdict::Allow);
        assert!(!reason.is_empty() && !explanation.to_string().is_empty());
    }
}

fn order_does_not_matter(policy: &Policy, rules: &[Rule], calls: &[ToolCall]) {
    let Some(reversed) = loaded(&file(rules.iter().rev())) else {
        return;
    };
    assert_eq!(policy.digest(), reversed.digest());
    for call in calls {
        assert_eq!(seen(policy, call), seen(&reversed, call));
    }
}

fn one_more_deny_or_hold_never_loosens(
    before: &Policy,
    rules: &[Rule],
    strict: &Rule,
    calls: &[ToolCall],
) {
    let Some(after) = with(rules, strict) else {
        return;
    };
    for call in calls {
        assert!(seen(&after, call).0 >= seen(before, call).0, "{strict}");
    }
}

fn one_more_allow_never_tightens(
    before: &Policy,
    rules: &[Rule],
    allow: &Rule,
    calls: &[ToolCall],
) {
    let Some(after) = with(rules, allow) else {
        return;
    };
    for call in calls {
        assert!(seen(&after, call).0 <= seen(before, call).0, "{allow}");
    }
}

fn shadow_changes_nothing(before: &Policy, rules: &[Rule], added: &Rule, calls: &[ToolCall]) {
    let shadow = Rule {
        shadow: true,
        ..added.clone()
    };
    let Some(after) = with(rules, &shadow) else {
        return;
    };
    for call in calls {
        assert_eq!(seen(&after, call), seen(before, call), "{shadow}");
    }
    counted_is_what_it_would_be(&after, rules, &shadow, calls);
}

/// The verdict with shadow rules is that of the policy in which all of them are enforced.
fn counted_is_what_it_would_be(after: &Policy, rules: &[Rule], shadow: &Rule, calls: &[ToolCall]) {
    let enforced = |rule: &Rule| Rule {
        shadow: false,
        ..rule.clone()
    };
    let all: Vec<Rule> = rules.iter().map(enforced).collect();
    let Some(counted) = with(&all, &enforced(shadow)) else {
        return;
    };
    for call in calls {
        if let Some(verdict) = judge(after, &Context::default(), call).shadow_verdict() {
            assert_eq!(verdict, seen(&counted, call).0);
        }
    }
}

fn without_allows_nothing_runs(rules: &[Rule], calls: &[ToolCall]) {
    let strict = rules.iter().filter(|rule| rule.effect != "allow");
    let Some(policy) = loaded(&file(strict)) else {
        return;
    };
    for call in calls {
        assert_eq!(seen(&policy, call).0, Verdict::Deny);
    }
}

fn what_the_lint_calls_too_much_can_go(policy: &Policy, rules: &[Rule], calls: &[ToolCall]) {
    for warning in policy.warnings() {
        let too_much = matches!(
            warning.what(),
            Doubt::Shadowed { .. } | Doubt::AlwaysDenied { .. } | Doubt::ExcludesItself { .. }
        );
        let Some(id) = warning.rule().filter(|_| too_much) else {
            continue;
        };
        let rest = rules
            .iter()
            .filter(|rule| format!("r{}", rule.number) != id);
        let Some(without) = loaded(&file(rest)) else {
            return;
        };
        for call in calls {
            let (a, b) = (seen(policy, call), seen(&without, call));
            assert_eq!((a.0, a.4), (b.0, b.4), "{warning} {}", call.arguments());
        }
    }
}
