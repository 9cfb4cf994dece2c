//! The policy in force, for the proxy: asked for every request, in the state of the call's session.
//!
//! A policy that comes into force while a call runs holds for its next request. While the operator
//! wants nothing judged by an old policy, nothing goes out.

use std::sync::Arc;

use ::egress::{Counts, Rules, Ruling};
use policy::{CallId, ToolCall, Used, decide_at};

use crate::book::Book;
use crate::in_force::{InForce, now_us};

/// The policy in force, and what sessions have done.
pub(super) struct RulesInForce {
    rules: Arc<InForce>,
    book: Arc<Book>,
}

impl RulesInForce {
    pub(super) fn new(rules: Arc<InForce>, book: Arc<Book>) -> Self {
        Self { rules, book }
    }
}

impl Rules for RulesInForce {
    fn decide(&self, call_id: CallId, call: ToolCall, counts: Counts) -> Result<Ruling, String> {
        let standing = self.rules.standing();
        if let Some(broken) = standing.closed() {
            return Err(format!("the policy is broken: {broken}"));
        }
        let generation = standing.generation();
        let policy = generation.policy();
        let decision = match counts {
            Counts::No => {
                let context = self.book.context(policy, &call, now_us());
                decide_at(policy, &context, call_id, call)
            }
            Counts::OfName => {
                let mut context = self.book.context(policy, &call, now_us());
                let used = context.budgets.values_mut();
                used.for_each(|used| *used = Used::default());
                decide_at(policy, &context, call_id, call)
            }
            Counts::Yes => {
                let inspection = policy.inspect(call);
                self.book.judge(policy, now_us(), None, call_id, inspection)
            }
        };
        Ok(Ruling {
            decision,
            generation: generation.number(),
        })
    }
}
