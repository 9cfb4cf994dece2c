//! Loads a policy: reads the file, compiles every rule, runs every rule's tests, warns.
//!
//! A policy that does not do what its own tests say does not load. All faults of a file are
//! gathered, each with its line and rule, so that one run shows them all; only broken TOML ends
//! the reading at once. Reads no files: text comes in, a [`Policy`] or a [`LoadError`] goes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use thiserror::Error;
use toml::Spanned;

use crate::call::{ANONYMOUS, CallError, ToolCall};
use crate::condition::{Clause, ConditionError};
use crate::decide::judge;
use crate::digest::{Domain, digest};
use crate::fact::{FactError, FactPath};
use crate::file::{
    CallFile, ClausesFile, ConditionFile, PolicyFile, ReadFault, RuleFile, TestFile, VERSION,
    read_document,
};
use crate::lint::{Warning, warnings};
use crate::profile::Profiles;
use crate::rule::{Effect, Rule, RuleSet, RuleTest};
use crate::text::{is_name, line_of, quote};
use crate::verdict::Verdict;

/// Twenty thousand rules of usual size; more is a mistake in whatever writes the file.
pub const MAX_POLICY_BYTES: usize = 16 << 20;

/// Ids and policy names stand in every ledger row and on one line of a terminal.
pub const MAX_ID_BYTES: usize = 64;

/// A set of rules that decides on calls. Made only by [`Policy::load`].
#[derive(Debug, Clone)]
pub struct Policy {
    name: String,
    doc: Option<String>,
    rules: RuleSet,
    warnings: Vec<Warning>,
    digest: [u8; 32],
}

impl Policy {
    /// Loads a policy from its text. `file` is only for messages.
    ///
    /// # Errors
    /// [`LoadError`] with every fault: keys that are not known, rules that cannot mean anything,
    /// profiles that do not exist, tests that fail.
    pub fn load(file: &str, text: &str, profiles: &Profiles) -> Result<Self, LoadError> {
        let fail = |problems| LoadError {
            file: file.to_owned(),
            problems,
        };
        let read = read(text).map_err(fail)?;
        let policy = compile(text, read, profiles).map_err(fail)?;
        let failures = policy.run_tests();
        if failures.is_empty() {
            Ok(policy)
        } else {
            Err(fail(failures))
        }
    }

    /// The name that the file gives itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the file says it is for.
    #[must_use]
    pub fn doc(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// SHA-256 over what the policy means: its rules in the order of their ids without their
    /// tests, and the digests of the profiles that they name. Comments, spacing, order and the
    /// way of writing a condition do not change it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// What is allowed but probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(crate) fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    fn run_tests(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .rules()
            .flat_map(|rule| {
                rule.tests
                    .iter()
                    .enumerate()
                    .flat_map(|(index, test)| self.run_test(rule, index + 1, test))
            })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn run_test(&self, rule: &Rule, number: usize, test: &RuleTest) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut fail = |fault| {
            problems.push(Problem {
                line: test.line,
                rule: Some(rule.id().to_owned()),
                test: Some(number),
                fault,
            });
        };
        let matched = rule.takes_effect(&test.call);
        if let Some(expected) = test.matches.filter(|expected| *expected != matched) {
            fail(Fault::TestMatches { expected });
        }
        let judgement = judge(self, &test.call);
        if let Some(expected) = test
            .verdict
            .filter(|expected| *expected != judgement.verdict())
        {
            fail(Fault::TestVerdict {
                expected,
                got: judgement.verdict(),
                reason: judgement.reason.to_string(),
            });
        }
        problems
    }
}

/// A policy file that is refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    file: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    line: usize,
    rule: Option<String>,
    test: Option<usize>,
    fault: Fault,
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
    #[error("the id is also that of the rule on line {0}; choose another")]
    DuplicateRule(usize),
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
    /// The file's name, as given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// All that is wrong, in the order of the file; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// The first problem, and how many more there are.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(first) = self.problems.first() {
            write!(f, ":{first}")?;
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
        self.line
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
        write!(f, "{}: ", self.line)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {}", quote(rule))?;
            if let Some(test) = self.test {
                write!(f, ", test {test}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.fault)
    }
}

// ---- reading ------------------------------------------------------------------------------------

fn read(text: &str) -> Result<PolicyFile, Vec<Problem>> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(vec![in_file(1, Fault::TooLong)]);
    }
    read_document(text, VERSION).map_err(|fault| {
        let line = line_of(text, fault.offset());
        vec![in_file(line, fault.into())]
    })
}

impl From<ReadFault> for Fault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Toml(error) => Self::Toml(error.message().replace('\n', ", ")),
            ReadFault::Version { found, .. } => Self::Version(found),
        }
    }
}

fn in_file(line: usize, fault: Fault) -> Problem {
    Problem {
        line,
        rule: None,
        test: None,
        fault,
    }
}

// ---- compiling ----------------------------------------------------------------------------------

fn compile(text: &str, file: PolicyFile, profiles: &Profiles) -> Result<Policy, Vec<Problem>> {
    let lines = Lines::of(text);
    let mut problems = Vec::new();
    let mut paths = Paths::default();
    let mut first_lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut rules = Vec::new();
    if !is_name(file.name.get_ref(), MAX_ID_BYTES) {
        problems.push(in_file(
            lines.at(&file.name),
            Fault::Name(file.name.get_ref().clone()),
        ));
    }
    for rule in file.rules {
        let id = rule.get_ref().id.get_ref().clone();
        let line = lines.at(&rule.get_ref().id);
        let mut compiler = Compiler::new(&lines, profiles, &mut paths, &id);
        match first_lines.get(&id) {
            Some(first) => compiler.fail(line, Fault::DuplicateRule(*first)),
            None => drop(first_lines.insert(id.clone(), line)),
        }
        rules.extend(compiler.rule(rule));
        problems.append(&mut compiler.problems);
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(problems);
    }
    let rules = RuleSet::new(rules);
    Ok(Policy {
        digest: digest(Domain::Policy, &meaning(file.name.get_ref(), &rules)),
        name: file.name.into_inner(),
        doc: file.doc,
        warnings: warnings(&rules),
        rules,
    })
}

/// Turns offsets into lines by bisection: a large file has thousands of spans.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(offset, _)| offset).collect())
    }

    fn at<T>(&self, spanned: &Spanned<T>) -> usize {
        self.0
            .partition_point(|newline| *newline < spanned.span().start)
            + 1
    }
}

/// The facts that a policy names, each read and kept once: a decision that goes from rule to rule
/// then finds them in the processor's cache.
#[derive(Default)]
struct Paths(BTreeMap<String, Arc<FactPath>>);

impl Paths {
    fn read(&mut self, name: &str) -> Result<Arc<FactPath>, FactError> {
        if let Some(path) = self.0.get(name) {
            return Ok(Arc::clone(path));
        }
        let path = Arc::new(FactPath::parse(name)?);
        self.0.insert(name.to_owned(), Arc::clone(&path));
        Ok(path)
    }
}

/// Compiles one rule and gathers what is wrong with it.
struct Compiler<'a> {
    lines: &'a Lines,
    profiles: &'a Profiles,
    paths: &'a mut Paths,
    id: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Compiler<'a> {
    fn new(lines: &'a Lines, profiles: &'a Profiles, paths: &'a mut Paths, id: &'a str) -> Self {
        Self {
            lines,
            profiles,
            paths,
            id,
            problems: Vec::new(),
        }
    }

    fn fail(&mut self, line: usize, fault: Fault) {
        self.problems.push(Problem {
            line,
            rule: Some(self.id.to_owned()),
            test: None,
            fault,
        });
    }

    /// None when something is wrong with the rule; what it is stands in `problems`.
    fn rule(&mut self, spanned: Spanned<RuleFile>) -> Option<Rule> {
        let line = self.lines.at(&spanned);
        let rule = spanned.into_inner();
        self.check_words(&rule);
        let effect = self.effect(line, rule.effect, rule.run);
        let matches = self.clauses(rule.matches.into_inner());
        let unless = self.clauses(rule.unless);
        let tests = self.tests(rule.tests);
        Some(Rule {
            id: self.id.into(),
            effect: effect?,
            matches: matches?,
            unless: unless?,
            reason: rule.reason.into_inner().into(),
            owner: rule.owner,
            tags: rule.tags,
            line,
            tests: tests?,
        })
    }

    fn check_words(&mut self, rule: &RuleFile) {
        if !is_name(self.id, MAX_ID_BYTES) {
            self.fail(self.lines.at(&rule.id), Fault::Name(self.id.to_owned()));
        }
        if rule.reason.get_ref().trim().is_empty() {
            self.fail(self.lines.at(&rule.reason), Fault::NoReason);
        }
        if rule.matches.get_ref().is_empty() {
            self.fail(self.lines.at(&rule.matches), Fault::EmptyMatch);
        }
    }

    fn effect(
        &mut self,
        line: usize,
        effect: Verdict,
        run: Option<Spanned<String>>,
    ) -> Option<Effect> {
        match (effect, run) {
            (Verdict::Allow, Some(run)) => self.allow_in(&run),
            (Verdict::Allow, None) => {
                let have = self.profiles.names();
                self.fail(line, Fault::NoRun { have });
                None
            }
            (Verdict::Hold, None) => Some(Effect::Hold),
            (Verdict::Deny, None) => Some(Effect::Deny),
            (Verdict::Hold | Verdict::Deny, Some(run)) => {
                self.fail(self.lines.at(&run), Fault::RunWithoutAllow(effect));
                None
            }
        }
    }

    fn allow_in(&mut self, run: &Spanned<String>) -> Option<Effect> {
        let profile = self.profiles.shared(run.get_ref());
        if profile.is_none() {
            let fault = Fault::UnknownProfile {
                asked: run.get_ref().clone(),
                have: self.profiles.names(),
            };
            self.fail(self.lines.at(run), fault);
        }
        profile.map(Effect::Allow)
    }

    fn clauses(&mut self, file: ClausesFile) -> Option<Vec<Clause>> {
        let clauses: Vec<Option<Clause>> = file
            .into_iter()
            .map(|(name, condition)| self.clause(&name, condition))
            .collect();
        clauses.into_iter().collect()
    }

    fn clause(&mut self, name: &str, condition: Spanned<ConditionFile>) -> Option<Clause> {
        let line = self.lines.at(&condition);
        let fact = self
            .paths
            .read(name)
            .map_err(|error| self.fail(line, error.into()))
            .ok()?;
        Clause::compile(fact, condition.into_inner())
            .map_err(|error| {
                let fact = name.to_owned();
                self.fail(line, Fault::Condition { fact, error });
            })
            .ok()
    }

    fn tests(&mut self, file: Vec<Spanned<TestFile>>) -> Option<Vec<RuleTest>> {
        let tests: Vec<Option<RuleTest>> = file
            .into_iter()
            .enumerate()
            .map(|(index, test)| self.test(index + 1, test))
            .collect();
        tests.into_iter().collect()
    }

    fn test(&mut self, number: usize, spanned: Spanned<TestFile>) -> Option<RuleTest> {
        let line = self.lines.at(&spanned);
        let test = spanned.into_inner();
        let fault = match test_call(test.call) {
            Ok(_) if test.matches.is_none() && test.verdict.is_none() => Fault::TestExpectsNothing,
            Ok(call) => {
                return Some(RuleTest {
                    call,
                    matches: test.matches,
                    verdict: test.verdict,
                    line,
                });
            }
            Err(fault) => fault,
        };
        self.problems.push(Problem {
            line,
            rule: Some(self.id.to_owned()),
            test: Some(number),
            fault,
        });
        None
    }
}

fn test_call(file: CallFile) -> Result<ToolCall, Fault> {
    let arguments = table_to_json(file.arguments)?;
    let principal = file.principal.as_deref().unwrap_or(ANONYMOUS);
    Ok(ToolCall::new(
        &file.tool,
        arguments,
        principal,
        file.session.as_deref(),
    )?)
}

fn table_to_json(table: toml::Table) -> Result<Value, Fault> {
    let entries: Result<Map<String, Value>, Fault> = table
        .into_iter()
        .map(|(key, value)| Ok((key, to_json(value)?)))
        .collect();
    entries.map(Value::Object)
}

/// The TOML reader bounds the nesting, and with it this recursion.
fn to_json(value: toml::Value) -> Result<Value, Fault> {
    match value {
        toml::Value::String(text) => Ok(Value::String(text)),
        toml::Value::Integer(integer) => Ok(json!(integer)),
        toml::Value::Float(float) if float.is_finite() => Ok(json!(float)),
        toml::Value::Float(_) => Err(Fault::TestValue("nan or inf")),
        toml::Value::Boolean(truth) => Ok(json!(truth)),
        toml::Value::Datetime(_) => Err(Fault::TestValue("a date")),
        toml::Value::Array(items) => items
            .into_iter()
            .map(to_json)
            .collect::<Result<_, _>>()
            .map(Value::Array),
        toml::Value::Table(table) => table_to_json(table),
    }
}

// ---- meaning ------------------------------------------------------------------------------------

fn meaning(name: &str, rules: &RuleSet) -> Value {
    json!({
        "name": name,
        "rules": rules.iter().map(rule_meaning).collect::<Vec<_>>(),
    })
}

fn rule_meaning(rule: &Rule) -> Value {
    json!({
        "id": rule.id(),
        "effect": rule.effect(),
        "run": rule.run().map(|profile| crate::digest::hex(&profile.digest())),
        "match": clauses_meaning(&rule.matches),
        "unless": clauses_meaning(&rule.unless),
        "reason": rule.reason(),
        "owner": rule.owner(),
        "tags": rule.tags(),
    })
}

fn clauses_meaning(clauses: &[Clause]) -> Value {
    let entries = clauses
        .iter()
        .map(|clause| (clause.fact.to_string(), clause.source.meaning()));
    Value::Object(entries.collect())
}
