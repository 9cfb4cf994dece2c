//! Runs the tests in a policy one by one, and says what they cover.
//!
//! [`crate::Policy::load`] refuses a policy that fails a test; this reports instead, for people
//! and as JUnit XML for machines. Changes no verdict. Fails only for what does not compile.

use std::fmt::{self, Write as _};

use crate::condition::{Clause, Truth};
use crate::explain::Part;
use crate::fault::{LoadError, Problem};
use crate::include::Texts;
use crate::policy::Policy;
use crate::profile::Profiles;
use crate::rule::Rule;
use crate::source::Place;

/// What the tests of a policy say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// The policy's name.
    pub policy: String,
    /// Every test, by the id of its rule and its number.
    pub cases: Vec<TestCase>,
    /// What the tests of each rule cover, by id.
    pub coverage: Vec<RuleCoverage>,
}

/// One `[[rule.test]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// The id of its rule.
    pub rule: String,
    /// Its number in the rule, from 1.
    pub number: usize,
    /// Where it stands.
    pub place: Place,
    /// What was not as expected; empty when it passes.
    pub failures: Vec<Problem>,
}

/// What the tests of one rule show of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCoverage {
    /// The rule's id.
    pub rule: String,
    /// Tests in which it takes effect.
    pub takes_effect: usize,
    /// Tests in which it does not.
    pub does_not: usize,
    /// Its conditions.
    pub conditions: Vec<ConditionCoverage>,
}

/// What the tests of a rule show of one of its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionCoverage {
    /// Whether the condition must hold or must not.
    pub part: Part,
    /// The condition, as `FACT WORDS`.
    pub condition: String,
    /// Tests in which it holds.
    pub holds: usize,
    /// Tests in which it does not hold, or cannot be told.
    pub does_not: usize,
}

/// Compiles a policy and runs its tests.
///
/// # Errors
/// [`LoadError`] for everything but a failing test.
pub fn test_policy(
    file: &str,
    text: &str,
    profiles: &Profiles,
    texts: &mut Texts<'_>,
) -> Result<TestReport, LoadError> {
    let policy = Policy::untested(file, text, profiles, texts).map_err(|problems| LoadError {
        file: file.to_owned(),
        problems,
    })?;
    Ok(TestReport {
        policy: policy.name().to_owned(),
        cases: policy
            .rules()
            .flat_map(|rule| cases(&policy, rule))
            .collect(),
        coverage: policy.rules().map(coverage).collect(),
    })
}

fn cases(policy: &Policy, rule: &Rule) -> Vec<TestCase> {
    let numbered = (1..).zip(&rule.tests);
    numbered
        .map(|(number, test)| TestCase {
            rule: rule.id().to_owned(),
            number,
            place: test.place.clone(),
            failures: policy.run_test(rule, number, test),
        })
        .collect()
}

fn coverage(rule: &Rule) -> RuleCoverage {
    let effects = rule
        .tests
        .iter()
        .map(|test| rule.takes_effect(test.scene()));
    let takes_effect = effects.filter(|takes_effect| *takes_effect).count();
    let matches = rule.matches.iter().map(|clause| (Part::Match, clause));
    let unless = rule.unless.iter().map(|clause| (Part::Unless, clause));
    RuleCoverage {
        rule: rule.id().to_owned(),
        takes_effect,
        does_not: rule.tests.len() - takes_effect,
        conditions: matches
            .chain(unless)
            .map(|(part, clause)| condition_coverage(rule, part, clause))
            .collect(),
    }
}

fn condition_coverage(rule: &Rule, part: Part, clause: &Clause) -> ConditionCoverage {
    let truths = rule
        .tests
        .iter()
        .map(|test| clause.truth_in_call(test.scene()));
    let holds = truths.filter(|truth| *truth == Truth::True).count();
    ConditionCoverage {
        part,
        condition: format!("{} {}", clause.fact, clause.words()),
        holds,
        does_not: rule.tests.len() - holds,
    }
}

impl TestReport {
    /// Whether every test passes.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.failed() == 0
    }

    /// How many tests fail.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases
            .iter()
            .filter(|case| !case.failures.is_empty())
            .count()
    }

    /// The report as JUnit XML.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let counts = format!(
            "tests=\"{}\" failures=\"{}\"",
            self.cases.len(),
            self.failed()
        );
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
            xml(&self.policy)
        );
        for case in &self.cases {
            write_case(&mut out, &self.policy, case);
        }
        out.push_str("  </testsuite>\n</testsuites>\n");
        out
    }
}

fn write_case(out: &mut String, policy: &str, case: &TestCase) {
    let _cannot_fail = write!(
        out,
        "    <testcase classname=\"{}.{}\" name=\"test {}\" file=\"{}\" line=\"{}\"",
        xml(policy),
        xml(&case.rule),
        case.number,
        xml(case.place.file()),
        case.place.line()
    );
    if case.failures.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push_str(">\n");
    for failure in &case.failures {
        let message = xml(&failure.fault().to_string());
        let _cannot_fail = writeln!(out, "      <failure message=\"{message}\"/>");
    }
    out.push_str("    </testcase>\n");
}

/// For an attribute in double quotes. Control characters, which XML cannot hold, as Rust writes
/// them.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                out.extend(c.escape_default());
            }
            c => out.push(c),
        }
    }
    out
}

/// Failures, then what no test shows.
impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.cases.len() - self.failed();
        writeln!(
            f,
            "{}: {passed} of {} tests pass",
            self.policy,
            self.cases.len()
        )?;
        let failures = self.cases.iter().flat_map(|case| &case.failures);
        failures
            .into_iter()
            .try_for_each(|failure| f.write_str(&failure.report()))?;
        self.coverage
            .iter()
            .try_for_each(|rule| write!(f, "{rule}"))
    }
}

/// Nothing when every side of every condition is shown.
impl fmt::Display for RuleCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.takes_effect == 0 {
            writeln!(f, "rule {}: takes effect in no test", self.rule)?;
        }
        if self.does_not == 0 {
            writeln!(f, "rule {}: does not take effect in no test", self.rule)?;
        }
        self.conditions.iter().try_for_each(|condition| {
            let never = match (condition.holds, condition.does_not) {
                (0, _) => "holds in no test",
                (_, 0) => "fails in no test",
                (_, _) => return Ok(()),
            };
            let part = match condition.part {
                Part::Match => "",
                Part::Unless => "unless ",
            };
            writeln!(
                f,
                "rule {}: {part}{}: {never}",
                self.rule, condition.condition
            )
        })
    }
}
