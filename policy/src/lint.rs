//! Warnings: what a policy may say but hardly means.
//!
//! Only certain things are said: "this allow never wins" is said when it is proved from the
//! conditions, never when it merely looks so. Warnings change no verdict and stop no load.

use std::fmt;

use serde_json::Value;

use crate::condition::{Clause, Truth};
use crate::fact::{Fact, FactPath};
use crate::file::{ConditionFile, Scalar};
use crate::grant::CODE_TOOL;
use crate::index::Group;
use crate::rule::{Rule, RuleSet};
use crate::text::{quote, quote_all};
use crate::verdict::Verdict;

/// One warning on a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    line: usize,
    rule: Option<String>,
    what: Doubt,
}

/// What is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The policy has no rule and denies every call.
    NoRules,
    /// Nothing shows that the rule does what it should.
    NoTests,
    /// The rule has tests, but takes effect in none of them.
    NeverMatchedInTests,
    /// Whatever the allow matches, this deny matches too.
    AlwaysDenied {
        /// The id of the deny.
        by: String,
    },
    /// The allow is for a tool that no sandbox runs.
    NothingRuns {
        /// The tools that the rule is for.
        tools: String,
    },
    /// The allow is for languages that its profile has no runtime for.
    NoRuntime {
        /// Those languages.
        languages: String,
        /// The profile.
        profile: String,
    },
}

impl Warning {
    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The id of the rule that it is about; none when it is about the whole policy.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// What is doubtful.
    #[must_use]
    pub fn what(&self) -> &Doubt {
        &self.what
    }
}

/// `LINE: rule ID: what is doubtful`.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {}: ", quote(rule))?;
        }
        write!(f, "{}", self.what)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules => {
                f.write_str("the policy has no rule and denies every call; add an allow")
            }
            Self::NoTests => {
                f.write_str("no test; add a `[[rule.test]]` with a call that it is for")
            }
            Self::NeverMatchedInTests => {
                f.write_str("the rule takes effect in none of its tests; add a call that it is for")
            }
            Self::AlwaysDenied { by } => write!(
                f,
                "this allow never wins: rule {} denies all that it matches; narrow one of them",
                quote(by)
            ),
            Self::NothingRuns { tools } => write!(
                f,
                "this allow never wins: no sandbox runs the tool {tools}; use `{CODE_TOOL}`"
            ),
            Self::NoRuntime { languages, profile } => write!(
                f,
                "profile {} has no runtime for {languages}; such calls are denied",
                quote(profile)
            ),
        }
    }
}

/// All warnings, in the order of the file.
pub(crate) fn warnings(rules: &RuleSet) -> Vec<Warning> {
    let denies = Denies::of(rules);
    let mut found: Vec<Warning> = rules
        .iter()
        .flat_map(|rule| doubts(rule, &denies))
        .collect();
    if rules.iter().next().is_none() {
        found.push(Warning {
            line: 1,
            rule: None,
            what: Doubt::NoRules,
        });
    }
    found.sort_by_key(|warning| warning.line);
    found
}

fn doubts(rule: &Rule, denies: &Denies<'_>) -> Vec<Warning> {
    let about_tests = match rule.tests.as_slice() {
        [] => Some(Doubt::NoTests),
        tests if tests.iter().all(|test| !rule.takes_effect(&test.call)) => {
            Some(Doubt::NeverMatchedInTests)
        }
        _ => None,
    };
    let all = [
        about_tests,
        always_denied(rule, denies),
        nothing_runs(rule),
        no_runtime(rule),
    ];
    all.into_iter()
        .flatten()
        .map(|what| Warning {
            line: rule.line,
            rule: Some(rule.id().to_owned()),
            what,
        })
        .collect()
}

/// The denies of a policy, filed so that those that can cover an allow are found without a look at
/// all others.
struct Denies<'a> {
    rules: &'a RuleSet,
    group: Group,
}

impl<'a> Denies<'a> {
    fn of(rules: &'a RuleSet) -> Self {
        let numbered = rules.iter().enumerate();
        let denies = numbered.filter(|(_, rule)| rule.effect() == Verdict::Deny);
        Self {
            group: Group::of(denies),
            rules,
        }
    }

    /// The first, by id, that takes effect wherever the allow does.
    fn covering(&self, allow: &Rule) -> Option<&'a Rule> {
        let mut first = None;
        self.group.following(&allow.matches, &mut |number| {
            let sooner = first.is_none_or(|first| number < first);
            if sooner
                && self
                    .rules
                    .get(number)
                    .is_some_and(|deny| covers(deny, allow))
            {
                first = Some(number);
            }
        });
        self.rules.get(first?)
    }
}

fn always_denied(rule: &Rule, denies: &Denies<'_>) -> Option<Doubt> {
    if rule.effect() != Verdict::Allow {
        return None;
    }
    denies.covering(rule).map(|deny| Doubt::AlwaysDenied {
        by: deny.id().to_owned(),
    })
}

/// Whether `deny` takes effect wherever `allow` does: each of its conditions follows from one of
/// the allow's, and each of its exceptions is one of the allow's too.
fn covers(deny: &Rule, allow: &Rule) -> bool {
    let follows = |wanted: &Clause| {
        allow
            .matches
            .iter()
            .any(|given| given.fact == wanted.fact && implies(given, wanted))
    };
    let excepted = |exception: &Clause| {
        allow
            .unless
            .iter()
            .any(|clause| clause.fact == exception.fact && clause.source == exception.source)
    };
    deny.matches.iter().all(follows) && deny.unless.iter().all(excepted)
}

/// Whether every fact that `given` is true of is one that `wanted` is not false of.
fn implies(given: &Clause, wanted: &Clause) -> bool {
    if given.source == wanted.source {
        return true;
    }
    match &given.source {
        ConditionFile::AnyOf(scalars) => scalars
            .iter()
            .map(Scalar::to_value)
            .all(|value| wanted.condition.truth(Fact::of_value(&value)) != Truth::False),
        ConditionFile::Prefix(_)
        | ConditionFile::Suffix(_)
        | ConditionFile::Contains(_)
        | ConditionFile::Glob(_)
        | ConditionFile::Regex(_)
        | ConditionFile::Range { .. }
        | ConditionFile::Exists(_) => false,
    }
}

fn nothing_runs(rule: &Rule) -> Option<Doubt> {
    rule.run()?;
    let tools = listed_texts(rule, &FactPath::Tool)?;
    let none_runs = !tools.iter().any(|tool| tool == CODE_TOOL);
    none_runs.then(|| Doubt::NothingRuns {
        tools: quote_all(tools.iter().map(String::as_str)),
    })
}

fn no_runtime(rule: &Rule) -> Option<Doubt> {
    let profile = rule.run()?;
    let languages = listed_texts(rule, &FactPath::Arguments(vec!["language".to_owned()]))?;
    let missing: Vec<&str> = languages
        .iter()
        .map(String::as_str)
        .filter(|language| profile.runtime(language).is_none())
        .collect();
    (!missing.is_empty()).then(|| Doubt::NoRuntime {
        languages: quote_all(missing),
        profile: profile.name().to_owned(),
    })
}

/// The texts that a rule lists for a fact, if it lists any.
fn listed_texts(rule: &Rule, fact: &FactPath) -> Option<Vec<String>> {
    let clause = rule.matches.iter().find(|clause| *clause.fact == *fact)?;
    let ConditionFile::AnyOf(scalars) = &clause.source else {
        return None;
    };
    let texts = scalars.iter().filter_map(|scalar| match scalar.to_value() {
        Value::String(text) => Some(text),
        _ => None,
    });
    Some(texts.collect())
}
