//! Turns the files of a policy into rules, and gathers everything that is wrong with them.
//!
//! One bad rule does not hide the next. Never reads a file, never runs a test.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::value::Datetime;

use crate::budget::{Budget, MAX_HOSTS, Most, Used};
use crate::call::{ANONYMOUS, ToolCall};
use crate::condition::{Clause, ConditionError, checked_list, compile_regex};
use crate::context::{Context, Label, SessionState, is_label};
use crate::fact::{FactError, FactPath};
use crate::facts::{Facts, Kind, Needs, Reading};
use crate::fault::{Fault, Problem};
use crate::file::{
    BudgetFile, CallFile, CeilingsFile, ClausesFile, ConditionFile, ObligationsFile, RedactFile,
    RuleFile, Scalar, StateFile, TestFile, ToolFile,
};
use crate::include::Part;
use crate::moment::read_moment;
use crate::policy::MAX_ID_BYTES;
use crate::profile::{Limits, Profile, Profiles};
use crate::redact::{Pattern, Redaction};
use crate::rule::{Duties, Effect, Rule, RuleTest};
use crate::source::{Place, Source};
use crate::text::{is_name, quote_all};
use crate::tool::{Role, Tool, Tools};
use crate::verdict::Verdict;
use crate::when::{Names, When, WhenError};

/// When tests take place that do not say: the beginning of 2000, before anything expires, so that
/// a policy that loads today loads tomorrow.
const TEST_TIME_US: u64 = 946_684_800_000_000;

/// What the files of a policy say.
pub(crate) struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) tools: Tools,
    /// By id.
    pub(crate) budgets: Vec<Arc<Budget>>,
    pub(crate) needs: Needs,
}

/// Compiles all files.
pub(crate) fn compile(parts: Vec<Part>, profiles: &Profiles) -> Result<Compiled, Vec<Problem>> {
    let mut house = House::new(&parts, profiles);
    let mut first_places: BTreeMap<String, Place> = BTreeMap::new();
    let mut rules = Vec::new();
    for Part { source, file } in parts {
        house.check_name(&source, &file.name);
        house.add_tools(&source, file.tools);
        house.add_budgets(&source, file.budgets);
        for rule in file.rules {
            let id = rule.get_ref().id.get_ref().clone();
            let place = Place::new(&source, rule.get_ref().id.span());
            let mut compiler = Compiler {
                source: &source,
                id: &id,
                house: &mut house,
            };
            match first_places.get(&id) {
                Some(first) => compiler.fail_at(place, duplicate(first, &source)),
                None => drop(first_places.insert(id.clone(), place)),
            }
            rules.extend(compiler.rule(rule));
        }
    }
    if house.problems.is_empty() {
        let needs = house.paths.needs();
        rules
            .iter_mut()
            .flat_map(|rule: &mut Rule| &mut rule.tests)
            .for_each(|test| house.look_into(test, needs));
        Ok(Compiled {
            rules,
            needs,
            tools: house.tools,
            budgets: house.budgets.into_values().map(Arc::new).collect(),
        })
    } else {
        Err(house.problems)
    }
}

fn duplicate(first: &Place, source: &Source) -> Fault {
    Fault::DuplicateRule {
        line: first.line(),
        file: (first.file() != source.name()).then(|| first.file().to_owned()),
    }
}

/// What all rules of a policy share: profiles, facts, lists, and the problems found so far.
struct House<'a> {
    profiles: &'a Profiles,
    paths: Paths,
    lists: BTreeMap<String, Vec<Scalar>>,
    tools: Tools,
    budgets: BTreeMap<String, Budget>,
    problems: Vec<Problem>,
}

impl<'a> House<'a> {
    fn new(parts: &[Part], profiles: &'a Profiles) -> Self {
        let mut house = Self {
            profiles,
            paths: Paths::default(),
            lists: BTreeMap::new(),
            tools: Tools::default(),
            budgets: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut files: BTreeMap<&str, &str> = BTreeMap::new();
        for part in parts {
            for (name, list) in &part.file.lists {
                let other = files.insert(name, part.source.name());
                if let Err(fault) = house.add_list(name, list.get_ref(), other) {
                    house.fail(Place::new(&part.source, list.span()), fault);
                }
            }
        }
        house
    }

    fn add_list(&mut self, name: &str, list: &[Scalar], other: Option<&str>) -> Result<(), Fault> {
        if !is_name(name, MAX_ID_BYTES) {
            return Err(Fault::Name(name.to_owned()));
        }
        if let Some(other) = other {
            return Err(Fault::DuplicateList {
                name: name.to_owned(),
                other: other.to_owned(),
            });
        }
        let checked = checked_list(list).map_err(|error| Fault::List {
            name: name.to_owned(),
            error,
        })?;
        self.lists.insert(name.to_owned(), checked);
        Ok(())
    }

    fn add_tools(&mut self, source: &Arc<Source>, tools: Vec<Spanned<ToolFile>>) {
        for tool in tools {
            let place = Place::new(source, tool.span());
            let tool = tool.into_inner();
            if let Err(fault) = self.add_tool(&tool.name, tool.roles, tool.schema) {
                self.fail(place, fault);
            }
        }
    }

    fn add_tool(
        &mut self,
        name: &str,
        roles: BTreeMap<String, Role>,
        schema: Option<toml::Table>,
    ) -> Result<(), Fault> {
        let schema = schema.map(table_to_json).transpose()?;
        Tool::new(roles, schema.as_ref())
            .and_then(|tool| self.tools.add(name, tool))
            .map_err(|error| Fault::Tool {
                name: name.to_owned(),
                error,
            })
    }

    fn add_budgets(&mut self, source: &Arc<Source>, budgets: Vec<Spanned<BudgetFile>>) {
        for budget in budgets {
            let place = Place::new(source, budget.span());
            if let Err(fault) = self.add_budget(budget.into_inner()) {
                self.fail(place, fault);
            }
        }
    }

    fn add_budget(&mut self, file: BudgetFile) -> Result<(), Fault> {
        let id = file.id.into_inner();
        let reason = file.reason.into_inner();
        if !is_name(&id, MAX_ID_BYTES) {
            return Err(Fault::Name(id));
        }
        if file.effect == Verdict::Allow {
            return Err(Fault::BudgetAllows);
        }
        if *file.most.get_ref() == Most::default() {
            return Err(Fault::EmptyBudget);
        }
        if file
            .most
            .get_ref()
            .hosts
            .is_some_and(|most| most > MAX_HOSTS)
        {
            return Err(Fault::ManyHosts);
        }
        if reason.trim().is_empty() {
            return Err(Fault::NoReason);
        }
        let budget = Budget {
            id: id.as_str().into(),
            per: file.per,
            most: file.most.into_inner(),
            effect: file.effect,
            reason: reason.into(),
            owner: file.owner,
        };
        match self.budgets.insert(id.clone(), budget) {
            None => Ok(()),
            Some(_) => Err(Fault::DuplicateBudget(id)),
        }
    }

    /// Reads the call of a test, and fills in what it does not say of budgets: nothing was used.
    fn look_into(&self, test: &mut RuleTest, needs: Needs) {
        test.facts = Facts::of(&test.call, &self.tools, needs);
        for id in self.budgets.keys() {
            test.context.budgets.entry(id.clone()).or_default();
        }
    }

    fn check_name(&mut self, source: &Arc<Source>, name: &Spanned<String>) {
        if !is_name(name.get_ref(), MAX_ID_BYTES) {
            self.fail(
                Place::new(source, name.span()),
                Fault::Name(name.get_ref().clone()),
            );
        }
    }

    fn fail(&mut self, place: Place, fault: Fault) {
        self.problems.push(Problem {
            place,
            rule: None,
            test: None,
            fault,
        });
    }

    /// The condition with its list written out.
    fn resolved(&self, written: &ConditionFile) -> Result<ConditionFile, ConditionError> {
        Ok(match written {
            ConditionFile::List(name) => ConditionFile::AnyOf(self.list(name)?),
            ConditionFile::Any(inner) => ConditionFile::Any(Box::new(self.resolved(inner)?)),
            ConditionFile::All(inner) => ConditionFile::All(Box::new(self.resolved(inner)?)),
            other => other.clone(),
        })
    }
}

impl Names for House<'_> {
    fn fact(&mut self, name: &str) -> Result<Arc<FactPath>, FactError> {
        let path = self.paths.read(name)?;
        match path.kind() {
            None => Ok(path),
            Some(kind) => Err(FactError::OfAtom {
                fact: name.to_owned(),
                kind,
            }),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<Scalar>, ConditionError> {
        self.lists
            .get(name)
            .cloned()
            .ok_or_else(|| ConditionError::UnknownList {
                asked: name.to_owned(),
                have: quote_all(self.lists.keys().map(String::as_str)),
            })
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

    /// What must be read of a call before the facts that are named can be looked up.
    fn needs(&self) -> Needs {
        let has = |wanted: fn(&FactPath) -> bool| self.0.values().any(|path| wanted(path));
        Needs {
            code: has(|path| matches!(path, FactPath::Reading(Reading::Code, _))),
            input: has(|path| matches!(path, FactPath::Reading(Reading::Input, _))),
            secrets: has(|path| path.kind() == Some(Kind::Secret)),
            unicode: has(|path| path.kind() == Some(Kind::Unicode)),
            encodings: has(|path| path.kind() == Some(Kind::Encoding)),
        }
    }
}

/// Compiles one rule.
struct Compiler<'a, 'h> {
    source: &'a Arc<Source>,
    id: &'a str,
    house: &'a mut House<'h>,
}

impl Compiler<'_, '_> {
    fn fail(&mut self, span: Range<usize>, fault: Fault) {
        self.fail_at(Place::new(self.source, span), fault);
    }

    fn fail_at(&mut self, place: Place, fault: Fault) {
        self.house.problems.push(Problem {
            place,
            rule: Some(self.id.to_owned()),
            test: None,
            fault,
        });
    }

    /// None when something is wrong with the rule; what it is stands in `problems`.
    fn rule(&mut self, spanned: Spanned<RuleFile>) -> Option<Rule> {
        let span = spanned.span();
        let rule = spanned.into_inner();
        self.check_words(&rule);
        let effect = self.effect(span.clone(), rule.effect, rule.run);
        let matches = self.clauses(rule.matches.into_inner());
        let unless = self.clauses(rule.unless);
        let when = rule.when.map(|when| self.when(&when));
        let expires = rule.expires.map(|expires| self.moment("expires", &expires));
        let duties = rule
            .obligations
            .map(|file| self.duties(&file, effect.as_ref()));
        let duties = all_or_nothing(duties);
        let taint = self.taint(rule.taint);
        let tests = self.tests(rule.tests);
        let duties = duties?.map(Box::new);
        Some(Rule {
            id: self.id.into(),
            effect: effect?,
            matches: matches?,
            unless: unless?,
            when: all_or_nothing(when)?,
            mode: rule.mode,
            expires_us: all_or_nothing(expires)?,
            duties,
            taint: taint?,
            reason: rule.reason.into_inner().into(),
            owner: rule.owner,
            tags: rule.tags,
            place: Place::new(self.source, span),
            tests: tests?,
        })
    }

    fn check_words(&mut self, rule: &RuleFile) {
        if !is_name(self.id, MAX_ID_BYTES) {
            self.fail(rule.id.span(), Fault::Name(self.id.to_owned()));
        }
        if rule.reason.get_ref().trim().is_empty() {
            self.fail(rule.reason.span(), Fault::NoReason);
        }
        if rule.matches.get_ref().is_empty() {
            self.fail(rule.matches.span(), Fault::EmptyMatch);
        }
    }

    fn effect(
        &mut self,
        span: Range<usize>,
        effect: Verdict,
        run: Option<Spanned<String>>,
    ) -> Option<Effect> {
        match (effect, run) {
            (Verdict::Allow, Some(run)) => self.allow_in(&run),
            (Verdict::Allow, None) => {
                let have = self.house.profiles.names();
                self.fail(span, Fault::NoRun { have });
                None
            }
            (Verdict::Hold, None) => Some(Effect::Hold),
            (Verdict::Deny, None) => Some(Effect::Deny),
            (Verdict::Hold | Verdict::Deny, Some(run)) => {
                self.fail(run.span(), Fault::RunWithoutAllow(effect));
                None
            }
        }
    }

    fn allow_in(&mut self, run: &Spanned<String>) -> Option<Effect> {
        let profile = self.house.profiles.shared(run.get_ref());
        if profile.is_none() {
            let fault = Fault::UnknownProfile {
                asked: run.get_ref().clone(),
                have: self.house.profiles.names(),
            };
            self.fail(run.span(), fault);
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
        let span = condition.span();
        let fact = match self.house.paths.read(name) {
            Ok(fact) => fact,
            Err(error) => {
                self.fail(span, error.into());
                return None;
            }
        };
        let written = condition.into_inner();
        let resolved = self.house.resolved(&written);
        resolved
            .and_then(|resolved| Clause::compile(fact, written, resolved))
            .map_err(|error| {
                let fact = name.to_owned();
                self.fail(span, Fault::Condition { fact, error });
            })
            .ok()
    }

    fn when(&mut self, written: &Spanned<String>) -> Option<When> {
        let parsed = When::parse(written.get_ref(), self.house);
        parsed
            .map_err(|error| {
                let span = within(self.source, written, &error);
                self.fail(span, error.into());
            })
            .ok()
    }

    fn moment(&mut self, key: &'static str, written: &Spanned<Datetime>) -> Option<u64> {
        read_moment(&written.get_ref().to_string())
            .map_err(|error| self.fail(written.span(), Fault::Moment { key, error }))
            .ok()
    }

    fn duties(
        &mut self,
        file: &Spanned<ObligationsFile>,
        effect: Option<&Effect>,
    ) -> Option<Duties> {
        let duties = read_duties(file.get_ref());
        let checked = duties.and_then(|duties| check_duties(&duties, effect).map(|()| duties));
        checked.map_err(|fault| self.fail(file.span(), fault)).ok()
    }

    fn taint(&mut self, labels: Vec<Spanned<String>>) -> Option<Vec<Arc<str>>> {
        let read: Vec<Option<Arc<str>>> = labels
            .into_iter()
            .map(|label| {
                let good = is_label(label.get_ref());
                if !good {
                    self.fail(label.span(), Fault::Label(label.get_ref().clone()));
                }
                good.then(|| label.get_ref().as_str().into())
            })
            .collect();
        read.into_iter().collect()
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
        let place = Place::new(self.source, spanned.span());
        let test = spanned.into_inner();
        let now_us = match test.now {
            Some(now) => self.moment("now", &now)?,
            None => TEST_TIME_US,
        };
        let fault = match test_call(test.call) {
            Ok(_) if test.matches.is_none() && test.verdict.is_none() => Fault::TestExpectsNothing,
            Ok(call) => {
                return Some(RuleTest {
                    call,
                    facts: Facts::default(),
                    context: test_context(now_us, test.state),
                    matches: test.matches,
                    verdict: test.verdict,
                    place,
                });
            }
            Err(fault) => fault,
        };
        self.house.problems.push(Problem {
            place,
            rule: Some(self.id.to_owned()),
            test: Some(number),
            fault,
        });
        None
    }
}

/// What was there and could not be read stops the rule; what was not there does not.
fn all_or_nothing<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
        None => Some(None),
    }
}

/// Where in the file an error in a `when` stands: in its text, if that is written without escapes,
/// otherwise the whole of it.
fn within(source: &Source, written: &Spanned<String>, error: &WhenError) -> Range<usize> {
    let span = written.span();
    let raw = source.slice(&span);
    match raw.find(written.get_ref().as_str()) {
        Some(offset) if !written.get_ref().is_empty() => {
            let start = span.start + offset;
            start + error.span.start..start + error.span.end
        }
        Some(_) | None => span,
    }
}

fn read_duties(file: &ObligationsFile) -> Result<Duties, Fault> {
    let redact = file.redact.as_ref().map(redaction).transpose()?;
    Ok(Duties {
        ceiling: file.limits.as_ref().map_or(Limits::UNBOUNDED, ceiling),
        redact: redact.unwrap_or_default(),
    })
}

fn redaction(file: &RedactFile) -> Result<Redaction, Fault> {
    let patterns = file.patterns.iter().map(|text| {
        let regex = compile_regex(text).map_err(Fault::Redact)?;
        Ok(Arc::new(Pattern(regex)))
    });
    Ok(Redaction {
        secrets: file.secrets,
        patterns: patterns.collect::<Result<_, Fault>>()?,
    })
}

fn ceiling(file: &CeilingsFile) -> Limits {
    let or_none = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    Limits {
        wall_ms: or_none(file.wall_ms),
        memory_bytes: or_none(file.memory_bytes),
        output_bytes: or_none(file.output_bytes),
        file_bytes: or_none(file.file_bytes),
        file_count: or_none(file.file_count),
        stdin_bytes: or_none(file.stdin_bytes),
        code_bytes: or_none(file.code_bytes),
    }
}

fn check_duties(duties: &Duties, effect: Option<&Effect>) -> Result<(), Fault> {
    let ceiling = &duties.ceiling;
    if duties == Duties::NONE {
        return Err(Fault::NoObligation);
    }
    if let Some((name, _)) = ceiling.entries().into_iter().find(|(_, limit)| *limit == 0) {
        return Err(Fault::ZeroCeiling(name));
    }
    match effect {
        Some(Effect::Deny) => Err(Fault::ObligationsOfDeny),
        Some(Effect::Allow(profile)) => check_below(ceiling, profile),
        Some(Effect::Hold) | None => Ok(()),
    }
}

fn check_below(ceiling: &Limits, profile: &Profile) -> Result<(), Fault> {
    let pairs = ceiling
        .entries()
        .into_iter()
        .zip(profile.limits().entries());
    let high = pairs
        .into_iter()
        .find(|((_, asked), (_, max))| *asked != u64::MAX && asked > max);
    high.map_or(Ok(()), |((name, asked), (_, max))| {
        Err(Fault::HighCeiling {
            name,
            asked,
            max,
            profile: profile.name().to_owned(),
        })
    })
}

fn test_context(now_us: u64, state: StateFile) -> Context {
    let before = |age_s: u64| now_us.saturating_sub(age_s.saturating_mul(1_000_000));
    let labels = state.labels.into_iter().map(|(name, label)| {
        let at_us = before(label.age_s);
        let count = label.count;
        (name, Label { count, at_us })
    });
    let used = state.used.into_iter().map(|(id, used)| {
        let used = Used {
            calls: used.calls,
            cpu_ms: used.cpu_ms,
            output_bytes: used.output_bytes,
            hosts: used.hosts,
        };
        (id, used)
    });
    Context {
        now_us: Some(now_us),
        session: Some(SessionState {
            calls: state.calls,
            turn_calls: state.turn_calls,
            started_us: before(state.age_s),
            labels: labels.collect(),
        }),
        budgets: used.collect(),
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
