//! What can be wrong with a policy: every fault with its place, its rule and what to do.
//!
//! Messages stand on one line and quote foreign text in back-ticks, escaped. [`Problem::report`]
//! shows the line as rustc does.

use std::fmt;

use thiserror::Error;

use crate::budget::MAX_HOSTS;
use crate::call::CallError;
use crate::condition::ConditionError;
use crate::fact::FactError;
use crate::file::{ReadFault, VERSION};
use crate::include::{MAX_FILES, MAX_POLICY_BYTES};
use crate::moment::MomentError;
use crate::policy::MAX_ID_BYTES;
use crate::source::{Place, render};
use crate::text::quote;
use crate::tool::ToolError;
use crate::verdict::Verdict;
use crate::when::WhenError;

/// A policy file that is refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    pub(crate) file: String,
    pub(crate) problems: Vec<Problem>,
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(crate) place: Place,
    pub(crate) rule: Option<String>,
    pub(crate) test: Option<usize>,
    pub(crate) fault: Fault,
}

/// What is wrong with a policy file or one of its rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The reader's word on broken TOML, a wrong type, an unknown or a missing key.
    #[error("{0}; see docs/POLICY.md for the keys of a policy")]
    Toml(String),
    /// More text than a policy can need.
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes; split it")]
    TooLong,
    /// A format that this program does not know.
    #[error("version {0} is not known here; this program reads version {VERSION}")]
    Version(String),
    /// An id or policy name that is none.
    #[error("{} is not a name; use 1 to {MAX_ID_BYTES} of a-z 0-9 - _ . and begin with a letter", quote(.0))]
    Name(String),
    /// The id of a rule further up.
    #[error(
        "the id is also that of the rule on line {line}{}; choose another",
        OfFile(file)
    )]
    DuplicateRule {
        /// The other rule's line.
        line: usize,
        /// The other rule's file, when it is another.
        file: Option<String>,
    },
    /// The name of a list in another file.
    #[error("the list {} is also in `{other}`; choose another name", quote(name))]
    DuplicateList {
        /// The list.
        name: String,
        /// The other file.
        other: String,
    },
    /// A list that cannot be used.
    #[error("list {}: {error}", quote(name))]
    List {
        /// The list.
        name: String,
        /// What is wrong with it.
        error: ConditionError,
    },
    /// An include that could lead out of the policy's directory.
    #[error("{} cannot be included; write the path of a file below this policy, without `..`", quote(.0))]
    IncludeName(String),
    /// An include without a text.
    #[error(
        "{} cannot be included: {why}; correct the name or add the file",
        quote(name)
    )]
    IncludeMissing {
        /// The name in the file.
        name: String,
        /// What the caller said.
        why: String,
    },
    /// More files than a policy can need.
    #[error("a policy includes at most {MAX_FILES} files; join some")]
    TooManyFiles,
    /// A condition that cannot be read.
    #[error("{0}")]
    When(#[from] WhenError),
    /// An end that is no moment.
    #[error("`{key}`: {error}")]
    Moment {
        /// `expires` or `now`.
        key: &'static str,
        /// What is wrong with it.
        error: MomentError,
    },
    /// Obligations of a rule that runs nothing.
    #[error("`obligations` belong to an allow or a hold; a deny runs nothing, leave them out")]
    ObligationsOfDeny,
    /// A pattern of a redaction.
    #[error("`obligations.redact.patterns`: {0}")]
    Redact(ConditionError),
    /// A label that cannot stand in the name of a fact.
    #[error("{} is not a label; use 1 to 64 of a-z 0-9 - _ and begin with a letter", quote(.0))]
    Label(String),
    /// A declared tool.
    #[error("tool {}: {error}", quote(name))]
    Tool {
        /// The tool.
        name: String,
        /// What is wrong with it.
        error: ToolError,
    },
    /// A budget that allows.
    #[error("a budget holds or denies what goes above it; write `effect = \"hold\"` or \"deny\"")]
    BudgetAllows,
    /// A budget without a ceiling.
    #[error("`most` names no ceiling; add `calls`, `cpu_ms`, `output_bytes` or `hosts`")]
    EmptyBudget,
    /// More hosts than anybody counts.
    #[error("`most.hosts` is at most {MAX_HOSTS}; a budget with more room bounds nothing")]
    ManyHosts,
    /// Two budgets of one id.
    #[error("the budget {} is there twice; choose another id", quote(.0))]
    DuplicateBudget(String),
    /// Obligations that oblige to nothing.
    #[error(
        "`obligations` names no limit and nothing to redact; add one or leave `obligations` out"
    )]
    NoObligation,
    /// A limit of nothing.
    #[error("`obligations.limits.{0}` is zero; a call needs some, deny it instead")]
    ZeroCeiling(&'static str),
    /// A limit that lowers nothing.
    #[error(
        "`obligations.limits.{name}` is {asked}, and profile {} gives at most {max}; write less, obligations only lower",
        quote(profile)
    )]
    HighCeiling {
        /// The limit.
        name: &'static str,
        /// What the rule says.
        asked: u64,
        /// What the profile gives.
        max: u64,
        /// The profile.
        profile: String,
    },
    /// A rule that gives no reason.
    #[error("`reason` is empty; say what the caller should know")]
    NoReason,
    /// A rule that matches everything by saying nothing.
    #[error("`match` is empty; a rule for every call says so with `tool = {{ glob = \"*\" }}`")]
    EmptyMatch,
    /// An allow that does not say where.
    #[error("an allow names the profile it runs in; add `run = \"…\"`, there are {have}")]
    NoRun {
        /// The profiles there are.
        have: String,
    },
    /// A hold or deny that says where.
    #[error("`run` belongs to an allow; a {0} runs nothing, leave it out")]
    RunWithoutAllow(Verdict),
    /// A profile that is not there.
    #[error("there is no profile {}; there are {have}", quote(asked))]
    UnknownProfile {
        /// The name in the file.
        asked: String,
        /// The profiles there are.
        have: String,
    },
    /// The left side of a condition.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// The right side of a condition.
    #[error("condition on {}: {error}", quote(fact))]
    Condition {
        /// The fact that the condition is on.
        fact: String,
        /// What is wrong with it.
        error: ConditionError,
    },
    /// The call of a test is none.
    #[error("{0}")]
    TestCall(#[from] CallError),
    /// The call of a test holds what JSON has not.
    #[error("`{0}` does not exist in a tool call; write it as a string")]
    TestValue(&'static str),
    /// A test without an expectation.
    #[error("the test expects nothing; add `matches` or `verdict`")]
    TestExpectsNothing,
    /// A test whose rule does not match as it says.
    #[error("expected the rule {}; correct the rule or the test", if *expected { "to match, got no match" } else { "not to match, got a match" })]
    TestMatches {
        /// What the test says.
        expected: bool,
    },
    /// A test whose verdict is another.
    #[error("expected the verdict {expected}, got {got} ({reason}); correct the rule or the test")]
    TestVerdict {
        /// What the test says.
        expected: Verdict,
        /// What the policy says.
        got: Verdict,
        /// Why the policy says it.
        reason: String,
    },
}

impl LoadError {
    /// The name of the first file, as given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// All that is wrong, in the order of the files; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<ReadFault> for Fault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Toml(error) => Self::Toml(error.message().replace('\n', ", ")),
            ReadFault::Version { found, .. } => Self::Version(found),
        }
    }
}

/// ` of FILE`, or nothing for the same file.
struct OfFile<'a>(&'a Option<String>);

impl fmt::Display for OfFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|file| write!(f, " of `{file}`"))
    }
}

/// The first problem, and how many more there are.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.first() {
            Some(first) => write!(f, "{}:{first}", first.place.file())?,
            None => f.write_str(&self.file)?,
        }
        match self.problems.len() {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for LoadError {}

impl Problem {
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

    /// Several lines for a terminal: the message, the place, the line, a caret.
    #[must_use]
    pub fn report(&self) -> String {
        render("error", &self.message(), &self.place)
    }

    fn message(&self) -> String {
        match (&self.rule, self.test) {
            (Some(rule), Some(test)) => {
                format!("rule {}, test {test}: {}", quote(rule), self.fault)
            }
            (Some(rule), None) => format!("rule {}: {}", quote(rule), self.fault),
            (None, _) => self.fault.to_string(),
        }
    }

    /// The id of the rule that it is about.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The number of the rule's test that it is about, from 1.
    #[must_use]
    pub fn test(&self) -> Option<usize> {
        self.test
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// `LINE: rule ID, test N: what is wrong`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line(), self.message())
    }
}
