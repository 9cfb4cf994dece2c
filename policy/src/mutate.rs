//! Changes a policy one small step at a time and asks whether some test notices.
//!
//! A change that no test notices could be made by mistake. Every mutant is the policy with one
//! rule dropped, loosened or narrowed; it is caught when a test of the policy, of any rule, would
//! fail on it. The policy itself stays as it is. Cannot fail.

use std::fmt;
use std::sync::Arc;

use crate::condition::{Condition, Values};
use crate::decide::judge_by;
use crate::explain::Part;
use crate::file::ConditionFile;
use crate::policy::Policy;
use crate::rule::{Effect, Rule, RuleTest, TakingEffect};
use crate::source::Place;
use crate::text::quote;
use crate::verdict::Verdict;

/// The values of one list that are taken out, one a mutant: enough to see whether the list is
/// tested at all.
const MAX_DROPPED_VALUES: usize = 8;

/// One change of one rule, and the test that noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The id of the changed rule.
    pub rule: String,
    /// Where the rule begins.
    pub place: Place,
    /// The change.
    pub change: Change,
    /// A test that fails on the mutant; none when all pass.
    pub caught_by: Option<CaughtBy>,
}

/// The test that noticed a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtBy {
    /// The id of its rule.
    pub rule: String,
    /// Its number in the rule, from 1.
    pub number: usize,
}

/// What a mutant has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The rule is gone.
    Drop,
    /// A deny is a hold, or a hold a deny.
    Effect(Verdict),
    /// A condition is gone.
    DropCondition {
        /// The part that it stood in.
        part: Part,
        /// The fact that it was on.
        fact: String,
    },
    /// A list lacks one of its values.
    DropValue {
        /// The part that it stands in.
        part: Part,
        /// The fact that it is on.
        fact: String,
        /// The value.
        value: String,
    },
    /// The `when` is gone.
    DropWhen,
    /// The obligations are gone.
    DropObligations,
}

/// Every mutant of a policy, by the id of its rule.
#[must_use]
pub fn mutate(policy: &Policy) -> Vec<Mutant> {
    mutate_with(policy, &mut |_| {})
}

/// The same; `step` is told how many rules are done after each, for whoever waits.
#[must_use]
pub fn mutate_with(policy: &Policy, step: &mut dyn FnMut(usize)) -> Vec<Mutant> {
    let cases = Case::all(policy);
    let mut mutants = Vec::new();
    for (done, rule) in (1..).zip(policy.rules()) {
        mutants.extend(mutants_of(&cases, rule));
        step(done);
    }
    mutants
}

fn mutants_of(cases: &[Case<'_>], rule: &Rule) -> Vec<Mutant> {
    let mutant = |(change, changed): (Change, Option<Arc<Rule>>)| Mutant {
        rule: rule.id().to_owned(),
        place: rule.place().clone(),
        caught_by: caught_by(cases, rule, changed.as_ref()),
        change,
    };
    changes(rule).into_iter().map(mutant).collect()
}

/// A test, and what takes effect in it before any change.
struct Case<'a> {
    policy: &'a Policy,
    owner: &'a Rule,
    number: usize,
    test: &'a RuleTest,
    found: TakingEffect,
}

impl<'a> Case<'a> {
    fn all(policy: &'a Policy) -> Vec<Self> {
        let tests = policy.rules().flat_map(|owner| {
            let numbered = (1..).zip(&owner.tests);
            numbered.map(move |(number, test)| (owner, number, test))
        });
        tests
            .map(|(owner, number, test)| Case {
                policy,
                owner,
                number,
                test,
                found: policy.rule_set().taking_effect(test.scene()),
            })
            .collect()
    }

    /// Whether the test fails with the rule changed, or gone.
    fn notices(&self, rule: &Rule, changed: Option<&Arc<Rule>>) -> bool {
        let before = rule.takes_effect(self.test.scene());
        let after = changed.filter(|changed| changed.takes_effect(self.test.scene()));
        if !before && after.is_none() {
            return false;
        }
        let own = self.owner.id() == rule.id();
        let matches = self.test.matches.filter(|_| own);
        matches.is_some_and(|expected| expected != after.is_some())
            || self.test.verdict.is_some_and(|expected| {
                let found = self.found.with(rule, after);
                judge_by(self.policy, found, self.test.scene()).verdict() != expected
            })
    }
}

fn caught_by(cases: &[Case<'_>], rule: &Rule, changed: Option<&Arc<Rule>>) -> Option<CaughtBy> {
    let case = cases.iter().find(|case| case.notices(rule, changed))?;
    Some(CaughtBy {
        rule: case.owner.id().to_owned(),
        number: case.number,
    })
}

// ---- changes ------------------------------------------------------------------------------------

/// Each change of a rule, and the rule as it then is; none when it is gone.
fn changes(rule: &Rule) -> Vec<(Change, Option<Arc<Rule>>)> {
    let bare = Rule {
        tests: Vec::new(),
        ..rule.clone()
    };
    let mut changes = vec![(Change::Drop, None)];
    changes.extend(other_effect(&bare));
    for part in [Part::Match, Part::Unless] {
        changes.extend((0..clauses(&bare, part).len()).flat_map(|at| on_clause(&bare, part, at)));
    }
    if bare.when.is_some() {
        let without = Rule {
            when: None,
            ..bare.clone()
        };
        changes.push((Change::DropWhen, Some(Arc::new(without))));
    }
    if bare.duties.is_some() {
        let without = Rule {
            duties: None,
            ..bare
        };
        changes.push((Change::DropObligations, Some(Arc::new(without))));
    }
    changes
}

fn other_effect(rule: &Rule) -> Option<(Change, Option<Arc<Rule>>)> {
    let effect = match rule.effect {
        Effect::Allow(_) => return None,
        Effect::Hold => Effect::Deny,
        Effect::Deny => Effect::Hold,
    };
    let changed = Rule {
        effect,
        ..rule.clone()
    };
    Some((Change::Effect(changed.effect()), Some(Arc::new(changed))))
}

fn clauses(rule: &Rule, part: Part) -> &[crate::condition::Clause] {
    match part {
        Part::Match => &rule.matches,
        Part::Unless => &rule.unless,
    }
}

fn clauses_mut(rule: &mut Rule, part: Part) -> &mut Vec<crate::condition::Clause> {
    match part {
        Part::Match => &mut rule.matches,
        Part::Unless => &mut rule.unless,
    }
}

/// Without the condition, and without each of the values that it lists.
fn on_clause(rule: &Rule, part: Part, at: usize) -> Vec<(Change, Option<Arc<Rule>>)> {
    let Some(clause) = clauses(rule, part).get(at) else {
        return Vec::new();
    };
    let fact = clause.fact.to_string();
    let mut without = rule.clone();
    clauses_mut(&mut without, part).remove(at);
    let drop = Change::DropCondition {
        part,
        fact: fact.clone(),
    };
    let mut changes = vec![(drop, Some(Arc::new(without)))];
    if let ConditionFile::AnyOf(scalars) = &clause.source
        && scalars.len() > 1
    {
        for (dropped, value) in scalars.iter().enumerate().take(MAX_DROPPED_VALUES) {
            let mut fewer = scalars.clone();
            fewer.remove(dropped);
            let mut narrowed = rule.clone();
            if let Some(clause) = clauses_mut(&mut narrowed, part).get_mut(at) {
                clause.condition = Condition::AnyOf(Values::new(fewer));
            }
            let change = Change::DropValue {
                part,
                fact: fact.clone(),
                value: value
                    .as_text()
                    .map_or_else(|| value.to_string(), str::to_owned),
            };
            changes.push((change, Some(Arc::new(narrowed))));
        }
    }
    changes
}

// ---- for people ---------------------------------------------------------------------------------

/// `rule ID, the change: what noticed`.
impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}, {}: ", quote(&self.rule), self.change)?;
        match &self.caught_by {
            Some(test) => write!(
                f,
                "caught by rule {}, test {}",
                quote(&test.rule),
                test.number
            ),
            None => f.write_str("no test notices; add one that does"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |part: &Part| match part {
            Part::Match => "match",
            Part::Unless => "unless",
        };
        match self {
            Self::Drop => f.write_str("dropped"),
            Self::Effect(effect) => write!(f, "as a {effect}"),
            Self::DropCondition { part, fact } => {
                write!(f, "without its `{}` on {}", key(part), quote(fact))
            }
            Self::DropValue { part, fact, value } => {
                write!(
                    f,
                    "with a `{}` on {} that lacks {}",
                    key(part),
                    quote(fact),
                    quote(value)
                )
            }
            Self::DropWhen => f.write_str("without its `when`"),
            Self::DropObligations => f.write_str("without its obligations"),
        }
    }
}
