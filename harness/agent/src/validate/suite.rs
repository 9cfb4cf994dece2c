//! Cases, as a file has them, and what they find.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::Record;
use super::script::Script;
use crate::machine::RunEnding;

/// The version of the file's form.
const VERSION: u32 = 1;

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Version of the form.
    pub version: u32,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Stop at the first thing that is wrong.
    #[serde(default)]
    pub strict: bool,
    /// The cases.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What the model is asked.
    #[serde(default)]
    pub task: String,
    /// The transcript to look at; else the task is run.
    #[serde(default)]
    pub transcript: Option<String>,
    /// A model that says this; else the one that is configured.
    #[serde(default)]
    pub script: Option<Script>,
    /// What must hold.
    #[serde(default)]
    pub constraints: Constraints,
    /// What must have happened.
    #[serde(default)]
    pub assertions: Vec<Assertion>,
}

/// What must hold for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Answers of the model.
    pub max_turns: Option<u32>,
    /// Tools that must have been called.
    pub require_tool_call: Vec<String>,
    /// Tools that must not.
    pub forbid_tool_call: Vec<String>,
    /// What the last answer must have in it.
    pub response_must_contain: Vec<String>,
    /// What it must not.
    pub response_must_not_contain: Vec<String>,
    /// Characters that it may have.
    pub max_response_chars: Option<usize>,
    /// Characters that it must have.
    pub min_response_chars: Option<usize>,
    /// What somebody else checks.
    pub custom: Vec<Custom>,
}

/// A check that is not of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// What a report calls it.
    pub name: String,
    /// Under which name it was registered.
    pub validator: String,
}

/// What must have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Assertion {
    /// A tool was called.
    ToolCalled(String),
    /// A tool was called this often.
    ToolCallCount {
        /// The tool.
        tool: String,
        /// How often.
        count: usize,
    },
    /// All tools together were called this often.
    CallCount(usize),
    /// The last answer has this in it.
    ResponseContains(String),
    /// No tool was called.
    NoToolCalls,
    /// The run ended so.
    Ended(RunEnding),
}

impl fmt::Display for Assertion {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToolCalled(tool) => write!(to, "`{tool}` is called"),
            Self::ToolCallCount { tool, count } => write!(to, "`{tool}` is called {count} times"),
            Self::CallCount(count) => write!(to, "{count} tools are called"),
            Self::ResponseContains(text) => write!(to, "the answer has `{text}` in it"),
            Self::NoToolCalls => to.write_str("no tool is called"),
            Self::Ended(ending) => write!(to, "the run ends as `{}`", ending.as_str()),
        }
    }
}

/// Checks of others, by name. Each says what is wrong.
#[derive(Default)]
pub struct Validators(BTreeMap<String, Validator>);

/// Says what is wrong with a record.
type Validator = Box<dyn Fn(&Record) -> Result<(), String> + Send + Sync>;

impl fmt::Debug for Validators {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_set().entries(self.0.keys()).finish()
    }
}

impl Validators {
    /// Register one.
    pub fn add(
        &mut self,
        name: &str,
        validator: impl Fn(&Record) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.0.insert(name.to_owned(), Box::new(validator));
    }
}

/// What a case found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// The case.
    pub name: String,
    /// What is wrong; nothing if it holds.
    pub faults: Vec<String>,
    /// Things that were checked.
    pub checks: usize,
    /// How long the run took.
    pub wall_ms: u64,
}

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SuiteError {
    /// It cannot be read.
    #[error("the cases cannot be read: {0}")]
    File(String),
    /// Its form is of another version.
    #[error("the cases have version {0}; version {VERSION} is known")]
    Version(u32),
    /// A case cannot fail.
    #[error("case `{0}` checks nothing; give it constraints or assertions")]
    Empty(String),
    /// A case has two sources.
    #[error("case `{0}` has both `transcript` and `script`; keep one")]
    Sources(String),
    /// A case has nothing to run.
    #[error("case `{0}` has neither `task` nor `transcript`; give it one")]
    NoTask(String),
    /// A name stands twice.
    #[error("there are two cases `{0}`; rename one")]
    Twice(String),
}

impl Suite {
    /// Read one from TOML.
    ///
    /// # Errors
    /// When it cannot be read, or a case in it could not fail.
    pub fn from_toml(text: &str) -> Result<Self, SuiteError> {
        let suite: Self = toml::from_str(text)
            .map_err(|error| SuiteError::File(error.to_string().trim().to_owned()))?;
        if suite.version != VERSION {
            return Err(SuiteError::Version(suite.version));
        }
        let mut names = std::collections::BTreeSet::new();
        for case in &suite.cases {
            case.usable()?;
            if !names.insert(case.name.as_str()) {
                return Err(SuiteError::Twice(case.name.clone()));
            }
        }
        Ok(suite)
    }
}

impl Case {
    fn usable(&self) -> Result<(), SuiteError> {
        let name = || self.name.clone();
        if self.assertions.is_empty() && self.constraints == Constraints::default() {
            return Err(SuiteError::Empty(name()));
        }
        if self.transcript.is_some() && self.script.is_some() {
            return Err(SuiteError::Sources(name()));
        }
        if self.transcript.is_none() && self.task.is_empty() {
            return Err(SuiteError::NoTask(name()));
        }
        Ok(())
    }

    /// Hold a run against it. A strict check stops at the first fault.
    #[must_use]
    pub fn check(&self, record: &Record, validators: &Validators, strict: bool) -> CaseReport {
        let mut checks = self.constraints.checks(record, validators);
        checks.extend(
            self.assertions
                .iter()
                .map(|assertion| assertion.check(record)),
        );
        let count = checks.len();
        let most = if strict { 1 } else { count };
        CaseReport {
            name: self.name.clone(),
            faults: checks
                .into_iter()
                .filter_map(Result::err)
                .take(most)
                .collect(),
            checks: count,
            wall_ms: 0,
        }
    }
}

type Check = Result<(), String>;

fn ensure(holds: bool, fault: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(fault()) }
}

impl Constraints {
    fn checks(&self, record: &Record, validators: &Validators) -> Vec<Check> {
        let text = record.response.as_str();
        let chars = text.chars().count();
        let mut all: Vec<Check> = Vec::new();
        all.extend(self.max_turns.map(|most| {
            ensure(record.turns <= most, || {
                format!("{} turns, at most {most}", record.turns)
            })
        }));
        all.extend(self.require_tool_call.iter().map(|tool| {
            ensure(record.calls_of(tool) > 0, || {
                format!("`{tool}` was not called")
            })
        }));
        all.extend(self.forbid_tool_call.iter().map(|tool| {
            ensure(record.calls_of(tool) == 0, || {
                format!("`{tool}` was called")
            })
        }));
        all.extend(
            self.response_must_contain
                .iter()
                .map(|part| ensure(text.contains(part), || format!("the answer lacks `{part}`"))),
        );
        all.extend(
            self.response_must_not_contain
                .iter()
                .map(|part| ensure(!text.contains(part), || format!("the answer has `{part}`"))),
        );
        all.extend(self.max_response_chars.map(|most| {
            ensure(chars <= most, || {
                format!("the answer has {chars} characters, at most {most}")
            })
        }));
        all.extend(self.min_response_chars.map(|least| {
            ensure(chars >= least, || {
                format!("the answer has {chars} characters, at least {least}")
            })
        }));
        all.extend(
            self.custom
                .iter()
                .map(|custom| custom.check(record, validators)),
        );
        all
    }
}

impl Custom {
    /// One that nobody registered is a fault: else it could not fail.
    fn check(&self, record: &Record, validators: &Validators) -> Check {
        match validators.0.get(&self.validator) {
            None => Err(format!(
                "{}: there is no validator `{}`",
                self.name, self.validator
            )),
            Some(validator) => validator(record).map_err(|why| format!("{}: {why}", self.name)),
        }
    }
}

impl Assertion {
    fn check(&self, record: &Record) -> Check {
        let holds = match self {
            Self::ToolCalled(tool) => record.calls_of(tool) > 0,
            Self::ToolCallCount { tool, count } => record.calls_of(tool) == *count,
            Self::CallCount(count) => record.tools.len() == *count,
            Self::ResponseContains(text) => record.response.contains(text),
            Self::NoToolCalls => record.tools.is_empty(),
            Self::Ended(ending) => record.ending == Some(*ending),
        };
        ensure(holds, || format!("expected that {self}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::machine::{ModelChoice, Setup};
    use crate::message::{Message, Tool};
    use crate::parse::CallFormat;
    use serde_json::json;

    const SUITE: &str = r#"
version = 1
name = "arithmetic"
strict = false

[[case]]
name = "adds"
task = "What is 17*23?"
assertions = [
  { tool_called = "run" },
  { tool_call_count = { tool = "run", count = 1 } },
  { call_count = 1 },
  { response_contains = "391" },
  { ended = "answered" },
]
[case.constraints]
max_turns = 2
require_tool_call = ["run"]
forbid_tool_call = ["remove"]
response_must_contain = ["391"]
response_must_not_contain = ["sorry"]
max_response_chars = 40
min_response_chars = 3
custom = [{ name = "even", validator = "even_turns" }]
[[case.script.answers]]
text = '<tool_call>{"name":"run","arguments":{"code":"print(17*23)"}}</tool_call>'
[[case.script.answers]]
text = "It is 391."
[[case.script.tools]]
name = "run"
output = "391"
"#;

    fn setup(task: &str) -> Setup {
        let mut model = ModelChoice::new("script", "script");
        model.format = CallFormat::Hermes;
        Setup {
            run: "run".to_owned(),
            depth: 0,
            seed: 0,
            models: vec![model],
            system: String::new(),
            messages: vec![Message::user(task)],
            tools: vec![Tool {
                name: "run".to_owned(),
                description: String::new(),
                parameters: json!({"type": "object", "required": ["code"]}),
                repeatable: false,
                trusted: false,
            }],
            limits: crate::machine::Limits::default(),
            context: crate::context::ContextRule::default(),
        }
    }

    fn validators() -> Validators {
        let mut validators = Validators::default();
        validators.add("even_turns", |record| {
            ensure(record.turns % 2 == 0, || "odd".to_owned())
        });
        validators
    }

    #[test]
    fn a_case_holds_or_says_each_thing_that_does_not() {
        let suite = Suite::from_toml(SUITE).unwrap();
        let case = &suite.cases[0];
        let entries = case.script.as_ref().unwrap().run(setup(&case.task));
        let record = Record::of(&entries);
        let report = case.check(&record, &validators(), false);
        assert_eq!(
            (report.faults.as_slice(), report.checks),
            ([].as_slice(), 13)
        );

        let nothing = case.check(&Record::default(), &validators(), false);
        assert_eq!(nothing.faults.len(), 8, "{:?}", nothing.faults);
        assert_eq!(
            case.check(&Record::default(), &validators(), true)
                .faults
                .len(),
            1
        );
        let unknown = case.check(&record, &Validators::default(), false);
        assert_eq!(unknown.faults, ["even: there is no validator `even_turns`"]);
    }

    #[test]
    fn each_constraint_can_fail() {
        let suite = Suite::from_toml(SUITE).unwrap();
        let call = |name: &str| super::super::record::CalledTool {
            name: name.to_owned(),
            result: String::new(),
            failed: false,
        };
        let record = Record {
            turns: 3,
            tools: vec![call("remove"), call("remove")],
            response: format!("sorry{}", "x".repeat(40)),
            ..Record::default()
        };
        let faults = suite.cases[0].check(&record, &validators(), false).faults;
        assert_eq!(faults.len(), 12, "all but the least length: {faults:?}");
    }

    #[test]
    fn a_case_that_cannot_fail_is_refused() {
        let error = |text: &str| Suite::from_toml(text).unwrap_err().to_string();
        let head = "version = 1\n[[case]]\nname = \"a\"\n";
        assert!(error(&format!("{head}task = \"x\"")).contains("checks nothing"));
        let checked = format!("{head}assertions = [\"no_tool_calls\"]\n");
        assert!(error(&checked).contains("neither `task` nor `transcript`"));
        assert!(error(&format!("{checked}task = \"x\"\ntypo = 1")).contains("typo"));
        assert!(error("version = 2\ncase = []").contains("version 2"));
    }
}
