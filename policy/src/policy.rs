//! Loads a policy: reads its files, compiles every rule, runs every rule's tests, warns.
//!
//! A policy that does not do what its own tests say does not load. All faults are gathered, each
//! with its place and rule, so that one run shows them all; only broken TOML ends the reading at
//! once. Reads no files: text comes in, a [`Policy`] or a [`LoadError`] goes out.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::budget::Budget;
use crate::call::ToolCall;
use crate::compile::compile;
use crate::condition::Clause;
use crate::decide::{Inspection, judge};
use crate::digest::{Domain, digest};
use crate::facts::{Facts, Needs};
use crate::fault::{Fault, LoadError, Problem};
use crate::file::Mode;
use crate::include::{Texts, gather};
use crate::lint::{Warning, expired, warnings};
use crate::profile::Profiles;
use crate::rule::{Rule, RuleSet, RuleTest};
use crate::source::Place;
use crate::tool::Tools;

/// Ids and policy names stand in every ledger row and on one line of a terminal.
pub const MAX_ID_BYTES: usize = 64;

/// A set of rules that decides on calls. Made only by [`Policy::load`].
#[derive(Debug, Clone)]
pub struct Policy {
    name: String,
    doc: Option<String>,
    rules: RuleSet,
    tools: Tools,
    budgets: Vec<Arc<Budget>>,
    /// What must be read of a call before the rules can be asked.
    needs: Needs,
    warnings: Vec<Warning>,
    digest: [u8; 32],
}

impl Policy {
    /// Loads a policy from its text. `file` is only for messages.
    ///
    /// # Errors
    /// [`LoadError`] with every fault: keys that are not known, rules that cannot mean anything,
    /// profiles that do not exist, tests that fail, and any `include`, because there is nowhere
    /// to look for it; see [`Policy::load_with`].
    pub fn load(file: &str, text: &str, profiles: &Profiles) -> Result<Self, LoadError> {
        Self::load_with(file, text, profiles, &mut |_| {
            Err("this policy is loaded from one text".to_owned())
        })
    }

    /// Loads a policy of several files. `texts` gives the text of each `include`, or says why
    /// there is none; names are relative to the directory of the first file.
    ///
    /// # Errors
    /// [`LoadError`] with every fault, see [`Policy::load`].
    ///
    /// ```
    /// # use policy::{Policy, Profiles};
    /// let first = "version = 1\nname = \"house\"\ninclude = [\"lists.toml\"]";
    /// let lists = "version = 1\nname = \"lists\"\n[lists]\nteam = [\"ann\", \"bob\"]";
    /// let policy = Policy::load_with("house.toml", first, &Profiles::default(), &mut |name| {
    ///     match name {
    ///         "lists.toml" => Ok(lists.to_owned()),
    ///         _ => Err("no such file".to_owned()),
    ///     }
    /// });
    /// assert!(policy.is_ok());
    /// ```
    pub fn load_with(
        file: &str,
        text: &str,
        profiles: &Profiles,
        texts: &mut Texts<'_>,
    ) -> Result<Self, LoadError> {
        let fail = |problems| LoadError {
            file: file.to_owned(),
            problems,
        };
        let policy = Self::untested(file, text, profiles, texts).map_err(fail)?;
        let failures = policy.run_tests();
        if failures.is_empty() {
            Ok(policy)
        } else {
            Err(fail(failures))
        }
    }

    /// Everything but the tests.
    pub(crate) fn untested(
        file: &str,
        text: &str,
        profiles: &Profiles,
        texts: &mut Texts<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let parts = gather(file, text, texts)?;
        let (name, doc) = parts.first().map_or((String::new(), None), |first| {
            (first.file.name.get_ref().clone(), first.file.doc.clone())
        });
        let start = parts.first().map(|first| Place::new(&first.source, 0..0));
        let compiled = compile(parts, profiles).map_err(in_order)?;
        let rules = RuleSet::new(compiled.rules);
        let mut policy = Self {
            digest: [0; 32],
            warnings: warnings(&rules, start),
            name,
            doc,
            rules,
            tools: compiled.tools,
            budgets: compiled.budgets,
            needs: compiled.needs,
        };
        policy.digest = digest(Domain::Policy, &meaning(&policy));
        Ok(policy)
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

    /// The rules that have expired at a moment, in microseconds since the beginning of 1970 in UTC.
    #[must_use]
    pub fn expired(&self, now_us: u64) -> Vec<Warning> {
        expired(&self.rules, now_us)
    }

    /// The budgets, by id: what whoever asks for decisions has to count.
    #[must_use]
    pub fn budgets(&self) -> &[Arc<Budget>] {
        &self.budgets
    }

    /// Reads a call: the one pass over it before the rules are held against what was read.
    #[must_use]
    pub fn inspect(&self, call: ToolCall) -> Inspection {
        Inspection::of(call, self)
    }

    /// All facts of a call, also those that no rule asks for.
    #[must_use]
    pub fn facts(&self, call: &ToolCall) -> Facts {
        Facts::of(call, &self.tools, Needs::ALL)
    }

    pub(crate) fn tools(&self) -> &Tools {
        &self.tools
    }

    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    pub(crate) fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    fn run_tests(&self) -> Vec<Problem> {
        let problems: Vec<Problem> = self
            .rules()
            .flat_map(|rule| {
                rule.tests
                    .iter()
                    .enumerate()
                    .flat_map(|(index, test)| self.run_test(rule, index + 1, test))
            })
            .collect();
        in_order(problems)
    }

    /// What is not as a test expects.
    pub(crate) fn run_test(&self, rule: &Rule, number: usize, test: &RuleTest) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut fail = |fault| {
            problems.push(Problem {
                place: test.place.clone(),
                rule: Some(rule.id().to_owned()),
                test: Some(number),
                fault,
            });
        };
        let matched = rule.takes_effect(test.scene());
        if let Some(expected) = test.matches.filter(|expected| *expected != matched) {
            fail(Fault::TestMatches { expected });
        }
        let judgement = judge(self, test.scene());
        if let Some(expected) = test
            .verdict
            .filter(|expected| *expected != judgement.verdict())
        {
            fail(Fault::TestVerdict {
                expected,
                got: judgement.verdict(),
                reason: judgement.reason.as_str().to_owned(),
            });
        }
        problems
    }
}

/// By file and place.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| {
        let place =
            |problem: &Problem| (problem.place.file().to_owned(), problem.place.span().start);
        place(a).cmp(&place(b))
    });
    problems
}

// ---- meaning ------------------------------------------------------------------------------------

/// Tools and budgets stand in it only where a policy has them, so that the digest of one without is
/// what it was before they existed.
fn meaning(policy: &Policy) -> Value {
    let mut meaning = json!({
        "name": policy.name,
        "rules": policy.rules.iter().map(rule_meaning).collect::<Vec<_>>(),
    });
    if let Value::Object(entries) = &mut meaning {
        if !policy.tools.is_empty() {
            entries.insert("tools".to_owned(), policy.tools.meaning());
        }
        if !policy.budgets.is_empty() {
            let budgets = policy.budgets.iter().map(|budget| budget.meaning());
            entries.insert("budgets".to_owned(), budgets.collect());
        }
    }
    meaning
}

fn rule_meaning(rule: &Rule) -> Value {
    let mut meaning = json!({
        "id": rule.id(),
        "effect": rule.effect(),
        "run": rule.run().map(|profile| crate::digest::hex(&profile.digest())),
        "match": clauses_meaning(&rule.matches),
        "unless": clauses_meaning(&rule.unless),
        "reason": rule.reason(),
        "owner": rule.owner(),
        "tags": rule.tags(),
    });
    if let Value::Object(entries) = &mut meaning {
        entries.extend(
            rare_meaning(rule)
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?))),
        );
    }
    meaning
}

/// Keys that stand in the digest only where a rule has them, so that it is the same for rules
/// that were written before the keys existed.
fn rare_meaning(rule: &Rule) -> [(&'static str, Option<Value>); 6] {
    let when = rule.when.as_ref().map(|when| json!(when.to_string()));
    let mode = match rule.mode {
        Mode::Enforce => None,
        Mode::Shadow => Some(json!(Mode::Shadow)),
    };
    let limits: Map<String, Value> = rule
        .ceiling()
        .entries()
        .into_iter()
        .filter(|(_, limit)| *limit != u64::MAX)
        .map(|(name, limit)| (name.to_owned(), json!(limit)))
        .collect();
    [
        ("when", when),
        ("mode", mode),
        ("expires_us", rule.expires_us.map(|us| json!(us))),
        (
            "limits",
            (!limits.is_empty()).then_some(Value::Object(limits)),
        ),
        (
            "taint",
            (!rule.taint.is_empty()).then(|| json!(labels(rule))),
        ),
        (
            "redact",
            (!rule.redact().is_empty()).then(|| rule.redact().meaning()),
        ),
    ]
}

fn labels(rule: &Rule) -> Vec<&str> {
    rule.taint.iter().map(|label| &**label).collect()
}

fn clauses_meaning(clauses: &[Clause]) -> Value {
    let entries = clauses
        .iter()
        .map(|clause| (clause.fact.to_string(), clause.source.meaning()));
    Value::Object(entries.collect())
}
