//! Warnings: what a policy may say but hardly means.
//!
//! Only certain things are said: "this allow never wins" is said when it is proved from the
//! conditions, never when it merely looks so. Warnings change no verdict and stop no load.

use std::fmt;

use serde_json::Value;

use crate::cover::{covers, excludes_itself, replaces};
use crate::fact::FactPath;
use crate::file::ConditionFile;
use crate::grant::CODE_TOOL;
use crate::index::Group;
use crate::moment::moment_text;
use crate::rule::{Rule, RuleSet};
use crate::source::{Place, render};
use crate::text::{quote, quote_all};
use crate::tool::COMMAND_TOOL;
use crate::verdict::Verdict;

/// One warning on a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    place: Place,
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
    /// On a call of the rule's tests another rule says something else, and the test does not say
    /// which of them is meant to win.
    Overlaps {
        /// The number of the test, from 1.
        test: usize,
        /// The id of the other.
        with: String,
        /// What the other says.
        effect: Verdict,
    },
    /// The rule has expired: an allow no longer matches, a hold or deny is due for a look.
    Expired {
        /// When.
        at: String,
        /// What the rule says.
        effect: Verdict,
    },
    /// Whatever the allow matches, this deny matches too.
    AlwaysDenied {
        /// The id of the deny.
        by: String,
    },
    /// Without the rule every verdict would be the same: another takes effect wherever it does.
    Shadowed {
        /// The id of the other.
        by: String,
        /// What the other says.
        effect: Verdict,
    },
    /// An exception holds wherever a condition of the rule does, so it never takes effect.
    ExcludesItself {
        /// The fact that both are on.
        fact: String,
    },
    /// The rule searches the text of a program.
    RawText {
        /// The fact that holds the program.
        fact: String,
    },
    /// The allow is for a tool that its profile does not run.
    NothingRuns {
        /// The tools that the rule is for.
        tools: String,
        /// The profile.
        profile: String,
    },
    /// The allow is for shell texts and says nothing of the commands in them.
    CoversNothing,
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
        self.place.line()
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The id of the rule that it is about; none when it is about the whole policy.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Several lines for a terminal: the message, the place, the line, a caret.
    #[must_use]
    pub fn report(&self) -> String {
        render("warning", &self.message(), &self.place)
    }

    fn message(&self) -> String {
        match &self.rule {
            Some(rule) => format!("rule {}: {}", quote(rule), self.what),
            None => self.what.to_string(),
        }
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
        write!(f, "{}: {}", self.line(), self.message())
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
            Self::Overlaps { test, with, effect } => write!(
                f,
                "on the call of test {test} the {effect} {} takes effect as well; add `verdict` to say which is meant, or narrow one of them",
                quote(with)
            ),
            Self::Expired {
                at,
                effect: Verdict::Allow,
            } => write!(
                f,
                "expired at {at} and no longer allows anything; renew or remove it"
            ),
            Self::Expired {
                at,
                effect: effect @ (Verdict::Hold | Verdict::Deny),
            } => write!(
                f,
                "expired at {at}; a {effect} stays in force until it is removed, so look at it again"
            ),
            Self::AlwaysDenied { by } => write!(
                f,
                "this allow never wins: rule {} denies all that it matches; narrow one of them",
                quote(by)
            ),
            Self::Shadowed { by, effect } => write!(
                f,
                "the rule changes nothing: the {effect} {} takes effect wherever it does; remove one of them",
                quote(by)
            ),
            Self::ExcludesItself { fact } => write!(
                f,
                "the rule never takes effect: its `unless` on {} holds wherever its `match` does; correct one of them",
                quote(fact)
            ),
            Self::RawText { fact } => write!(
                f,
                "the rule searches the text of a program in {}, which is easily written otherwise; let the sandbox contain it",
                quote(fact)
            ),
            Self::NothingRuns { tools, profile } => write!(
                f,
                "this allow never wins: profile {} does not run the tool {tools}; name another profile or tool",
                quote(profile)
            ),
            Self::CoversNothing => f.write_str(
                "the allow covers no command; say which, as in `\"command.name\" = [\"ls\"]`",
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
pub(crate) fn warnings(rules: &RuleSet, start: Option<Place>) -> Vec<Warning> {
    let filed = Filed::of(rules);
    let mut found: Vec<Warning> = rules.iter().flat_map(|rule| doubts(rule, &filed)).collect();
    let start = start.filter(|_| rules.iter().next().is_none());
    found.extend(start.map(|place| Warning {
        place,
        rule: None,
        what: Doubt::NoRules,
    }));
    found.sort_by_key(|warning| warning.place.span().start);
    found
}

/// The rules that have expired, in the order of the file.
pub(crate) fn expired(rules: &RuleSet, now_us: u64) -> Vec<Warning> {
    let expired = rules.iter().filter_map(|rule| {
        let at_us = rule.expires_us().filter(|at_us| *at_us <= now_us)?;
        Some(Warning {
            place: rule.place.clone(),
            rule: Some(rule.id().to_owned()),
            what: Doubt::Expired {
                at: moment_text(at_us),
                effect: rule.effect(),
            },
        })
    });
    expired.collect()
}

fn doubts(rule: &Rule, filed: &Filed<'_>) -> Vec<Warning> {
    let about_tests = match rule.tests.as_slice() {
        [] => Some(Doubt::NoTests),
        tests if tests.iter().all(|test| !rule.takes_effect(test.scene())) => {
            Some(Doubt::NeverMatchedInTests)
        }
        _ => None,
    };
    let all = [
        about_tests,
        overlaps(rule, filed),
        always_denied(rule, filed),
        replaced(rule, filed),
        excluded(rule),
        raw_text(rule),
        nothing_runs(rule),
        covers_nothing(rule),
        no_runtime(rule),
    ];
    all.into_iter()
        .flatten()
        .map(|what| Warning {
            place: rule.place.clone(),
            rule: Some(rule.id().to_owned()),
            what,
        })
        .collect()
}

/// Rules of a policy, filed so that those that can cover another are found without a look at all.
struct Filed<'a> {
    rules: &'a RuleSet,
    allows: Group,
    holds: Group,
    denies: Group,
}

/// Rules with the same fact and no listed value between them can only be told apart one by one;
/// beyond this many, the lint says less instead of taking long.
const MAX_COMPARED: usize = 1_000;

impl<'a> Filed<'a> {
    fn of(rules: &'a RuleSet) -> Self {
        let filed = |effect: Verdict| {
            let numbered = rules.iter().enumerate();
            Group::of(numbered.filter(|(_, rule)| rule.effect() == effect))
        };
        Self {
            allows: filed(Verdict::Allow),
            holds: filed(Verdict::Hold),
            denies: filed(Verdict::Deny),
            rules,
        }
    }

    /// The first, by id, of a group that stands in this relation to the rule.
    fn first(&self, group: &Group, rule: &Rule, is: fn(&Rule, &Rule) -> bool) -> Option<&'a Rule> {
        let mut first = None;
        let mut compared = 0;
        group.following(&rule.matches, &mut |candidate| {
            let number = candidate.number();
            compared += 1;
            let sooner = first.is_none_or(|first| number < first) && compared <= MAX_COMPARED;
            if sooner && self.rules.get(number).is_some_and(|other| is(other, rule)) {
                first = Some(number);
            }
        });
        self.rules.get(first?)
    }
}

/// Two rules that say different things of one call are how exceptions are made; a test that names
/// the verdict shows that this one was meant.
fn overlaps(rule: &Rule, filed: &Filed<'_>) -> Option<Doubt> {
    let silent = rule
        .tests
        .iter()
        .zip(1..)
        .filter(|(t, _)| t.verdict.is_none());
    silent.into_iter().find_map(|(test, number)| {
        let taking_effect = filed.rules.taking_effect(test.scene()).enforced;
        let mine = taking_effect.iter().any(|hit| hit.id() == rule.id());
        let other = taking_effect
            .iter()
            .find(|hit| hit.effect() != rule.effect())?;
        mine.then(|| Doubt::Overlaps {
            test: number,
            with: other.id().to_owned(),
            effect: other.effect(),
        })
    })
}

fn always_denied(rule: &Rule, filed: &Filed<'_>) -> Option<Doubt> {
    if rule.effect() != Verdict::Allow {
        return None;
    }
    let deny = filed.first(&filed.denies, rule, covers)?;
    Some(Doubt::AlwaysDenied {
        by: deny.id().to_owned(),
    })
}

/// Of two rules that replace each other, the later one is said to be too much.
fn replaced(rule: &Rule, filed: &Filed<'_>) -> Option<Doubt> {
    let is = |other: &Rule, rule: &Rule| {
        let another = other.id() != rule.id();
        another && replaces(other, rule) && (other.id() < rule.id() || !replaces(rule, other))
    };
    let groups: &[&Group] = match rule.effect() {
        Verdict::Allow => &[&filed.allows],
        Verdict::Hold => &[&filed.denies, &filed.holds],
        Verdict::Deny => &[&filed.denies],
    };
    let by = groups
        .iter()
        .find_map(|group| filed.first(group, rule, is))?;
    Some(Doubt::Shadowed {
        by: by.id().to_owned(),
        effect: by.effect(),
    })
}

fn excluded(rule: &Rule) -> Option<Doubt> {
    excludes_itself(rule).map(|clause| Doubt::ExcludesItself {
        fact: clause.fact.to_string(),
    })
}

/// Reads programs as text: easily written otherwise, so such a rule keeps nobody out.
fn raw_text(rule: &Rule) -> Option<Doubt> {
    let mut clauses = rule.matches.iter().chain(&rule.unless);
    let raw = clauses.find(|c| c.fact.is_program_text() && searches_text(&c.source))?;
    Some(Doubt::RawText {
        fact: raw.fact.to_string(),
    })
}

fn searches_text(source: &ConditionFile) -> bool {
    match source {
        ConditionFile::Prefix(_)
        | ConditionFile::Suffix(_)
        | ConditionFile::Contains(_)
        | ConditionFile::Glob(_)
        | ConditionFile::Regex(_) => true,
        ConditionFile::Any(inner) | ConditionFile::All(inner) => searches_text(inner),
        ConditionFile::AnyOf(_)
        | ConditionFile::Cidr(_)
        | ConditionFile::Range { .. }
        | ConditionFile::Exists(_)
        | ConditionFile::List(_) => false,
    }
}

fn nothing_runs(rule: &Rule) -> Option<Doubt> {
    let profile = rule.run()?;
    let tools = listed_texts(rule, &FactPath::Tool)?;
    let runs = |tool: &String| tool == CODE_TOOL || profile.tools().any(|(name, _)| name == tool);
    let none_runs = !tools.iter().any(runs);
    none_runs.then(|| Doubt::NothingRuns {
        tools: quote_all(tools.iter().map(String::as_str)),
        profile: profile.name().to_owned(),
    })
}

/// An allow for a tool whose calls are read into atoms has to say which of them it covers.
fn covers_nothing(rule: &Rule) -> Option<Doubt> {
    rule.run()?;
    let tools = listed_texts(rule, &FactPath::Tool)?;
    let commands = tools.iter().any(|tool| tool == COMMAND_TOOL);
    // A rule for texts without commands knows that there is nothing to cover.
    let counts = rule.matches.iter().any(|c| c.fact.counts_commands());
    (commands && !counts && rule.kinds().is_empty()).then_some(Doubt::CoversNothing)
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
