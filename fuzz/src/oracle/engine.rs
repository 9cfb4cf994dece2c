//! The indexed engine finds the rules that the reference interpreter finds, and rules as the
//! manual says: deny over hold over allow, and no allow is a deny.

use policy::{Context, Verdict};

use super::{called, hits, judge, loaded};
use crate::generate::{Case, rules};
use crate::reference;

/// A policy and calls.
pub fn agrees_with_the_reference(case: &Case) {
    let text = rules::file(&case.rules);
    let Some(policy) = loaded(&text) else {
        return;
    };
    for call in &case.calls {
        let decision = judge(&policy, &Context::default(), &called(call));
        let scene = reference::scene(call, &decision.facts().to_json());
        let found = reference::taking_effect(&text, &scene);
        assert_eq!(hits(&decision), found, "{scene}\n{text}");
        let strictest = reference::verdict_of(&text, &found).unwrap_or(Verdict::Deny);
        let verdict = decision.verdict();
        // Only a want of authority turns an allow or hold into something stricter: into a deny.
        assert!(
            verdict == strictest || verdict == Verdict::Deny,
            "{scene}\n{text}"
        );
        if verdict != Verdict::Deny {
            let covering = reference::covering_profiles(&text, &found, &scene);
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
    }
}
