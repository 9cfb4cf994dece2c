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
        let found = reference::taking_effect(&text, call);
        assert_eq!(hits(&decision), found, "{call}\n{text}");
        let strictest = reference::verdict_of(&text, &found);
        assert!(
            decision.verdict() >= strictest.unwrap_or(Verdict::Deny),
            "{call}\n{text}"
        );
        // Only authority can turn an allow or hold into something stricter, and then into a deny.
        if Some(decision.verdict()) != strictest {
            assert_eq!(decision.verdict(), Verdict::Deny, "{call}\n{text}");
        }
    }
}
