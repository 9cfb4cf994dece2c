//! One rule, and the set of rules that a call is held against.
//!
//! [`Rule`] says what one rule thinks of a call; [`RuleSet`] finds the rules that match, by its
//! [`Index`]. Neither decides; neither can fail.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::call::ToolCall;
use crate::condition::{Clause, Truth};
use crate::index::Index;
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
        Truth::all(matches.chain(unless))
    }
}

impl Clause {
    pub(crate) fn truth(&self, call: &ToolCall) -> Truth {
        self.condition.truth(self.fact.find(call))
    }
}

/// Rules that take effect on one call: more than four of them is rare, so few calls allocate.
pub(crate) type Found = SmallVec<[Arc<Rule>; 4]>;

/// The rules of a policy, as they are matched.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleSet {
    /// By id, so that nothing depends on the order in the file.
    rules: Vec<Arc<Rule>>,
    index: Index,
}

impl RuleSet {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let mut rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Self {
            index: Index::new(rules.iter().map(Arc::as_ref)),
            rules,
        }
    }

    /// The rules that take effect on a call: the strictest first, then by id.
    pub(crate) fn taking_effect(&self, call: &ToolCall) -> Found {
        let mut found = Found::new();
        self.index.candidates(call, &mut |number| {
            let rule = self.rules.get(number);
            found.extend(rule.filter(|rule| rule.takes_effect(call)).cloned());
        });
        found.sort_unstable_by(|a, b| strictest_first(a, b));
        found
    }

    /// All rules, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(Arc::as_ref)
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number).map(Arc::as_ref)
    }
}

fn strictest_first(a: &Rule, b: &Rule) -> Ordering {
    Reverse(a.effect())
        .cmp(&Reverse(b.effect()))
        .then_with(|| a.id.cmp(&b.id))
}
