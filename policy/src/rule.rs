//! One rule, and the set of rules that a call is held against.
//!
//! [`Rule`] says what one rule thinks of a call; [`RuleSet`] finds the rules that match. The set
//! is a plain loop and the only place that knows so: an index by tool replaces its inside without
//! a change to the file types or to the decision. Neither decides; neither can fail.

use std::sync::Arc;

use crate::call::ToolCall;
use crate::condition::{Clause, Truth};
use crate::profile::Profile;
use crate::verdict::Verdict;

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) id: Arc<str>,
    pub(crate) effect: Effect,
    pub(crate) matches: Vec<Clause>,
    pub(crate) unless: Vec<Clause>,
    pub(crate) reason: Arc<str>,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) line: usize,
    pub(crate) tests: Vec<RuleTest>,
}

/// What a rule does to a call that it matches. Only an allow names a profile.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Allow(Arc<Profile>),
    Hold,
    Deny,
}

/// A case that a rule brings along.
#[derive(Debug, Clone)]
pub(crate) struct RuleTest {
    pub(crate) call: ToolCall,
    pub(crate) matches: Option<bool>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) line: usize,
}

impl Rule {
    /// The name, unique in its policy.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the rule says of a call that it matches.
    #[must_use]
    pub fn effect(&self) -> Verdict {
        match self.effect {
            Effect::Allow(_) => Verdict::Allow,
            Effect::Hold => Verdict::Hold,
            Effect::Deny => Verdict::Deny,
        }
    }

    /// The profile that an allow runs a call in.
    #[must_use]
    pub fn run(&self) -> Option<&Profile> {
        match &self.effect {
            Effect::Allow(profile) => Some(profile),
            Effect::Hold | Effect::Deny => None,
        }
    }

    /// Why the rule is there, for the caller.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who answers for the rule.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Labels of the rule's author.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The line of the file that the rule begins on, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// How many cases the rule brings along.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Whether the rule takes effect on a call. What is not known never helps the call: an allow
    /// must be certain, a hold or deny must only be possible.
    pub(crate) fn takes_effect(&self, call: &ToolCall) -> bool {
        match self.effect {
            Effect::Allow(_) => self.truth(call) == Truth::True,
            Effect::Hold | Effect::Deny => self.truth(call) != Truth::False,
        }
    }

    /// All of `match` hold, and none of `unless`.
    fn truth(&self, call: &ToolCall) -> Truth {
        let matches = self.matches.iter().map(|clause| clause.truth(call));
        let unless = self.unless.iter().map(|clause| clause.truth(call).negate());
        let mut all = Truth::True;
        for truth in matches.chain(unless) {
            all = all.and(truth);
            if all == Truth::False {
                break;
            }
        }
        all
    }
}

impl Clause {
    pub(crate) fn truth(&self, call: &ToolCall) -> Truth {
        self.condition.truth(self.fact.find(call))
    }
}

/// The rules of a policy, as they are matched.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleSet {
    /// By id, so that nothing depends on the order in the file.
    rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let mut rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Self { rules }
    }

    /// The rules that take effect on a call: the strictest first, then by id.
    pub(crate) fn taking_effect(&self, call: &ToolCall) -> Vec<Arc<Rule>> {
        let mut found: Vec<Arc<Rule>> = self
            .rules
            .iter()
            .filter(|rule| rule.takes_effect(call))
            .cloned()
            .collect();
        // Stable: equal effects stay in the order of their ids.
        found.sort_by_key(|rule| std::cmp::Reverse(rule.effect()));
        found
    }

    /// All rules, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(Arc::as_ref)
    }
}
