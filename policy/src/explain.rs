//! Says why: every fact, every condition with its truth, and the allow that came nearest.
//!
//! Asks the same functions that decide, so that an explanation cannot differ from the decision.
//! Long text is cut for reading; the decision sees all of it. Cannot fail.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::call::ToolCall;
use crate::condition::{Clause, Truth};
use crate::context::{Context, Scene};
use crate::decide::{Judgement, Ruling, judge};
use crate::fact::Fact;
use crate::facts::{Kind, words};
use crate::file::Mode;
use crate::policy::Policy;
use crate::rule::Rule;
use crate::text::{quote, quote_all};
use crate::verdict::Verdict;
use crate::when::{Test, When};

/// The characters of one text that an explanation shows.
const MAX_SHOWN_CHARS: usize = 200;

/// The facts that an explanation shows: a person reads them.
const MAX_SHOWN_FACTS: usize = 200;

/// The path of the fact that tells one kind of call from another.
const TOOL: &str = "tool";

/// Everything that led to a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The policy's name.
    pub policy: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, as the caller is told.
    pub reason: String,
    /// What the caller can do.
    pub next_steps: Vec<String>,
    /// The profile that an allowed call runs in.
    pub run: Option<String>,
    /// The call's facts by path, long texts cut; at most 200.
    pub facts: BTreeMap<String, Value>,
    /// Every rule, by id.
    pub rules: Vec<RuleExplanation>,
    /// The atoms that no allow which takes effect covers, at most 200.
    pub uncovered: Vec<String>,
    /// When no allow took effect: the one that came nearest.
    pub nearest: Option<Nearest>,
}

/// What one rule made of the call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleExplanation {
    /// The rule's id.
    pub id: String,
    /// What the rule says of calls that it matches.
    pub effect: Verdict,
    /// Whether it took effect.
    pub takes_effect: bool,
    /// The atoms that an allow covers, or that a hold or deny is about; at most 200.
    pub atoms: Vec<String>,
    /// Every condition of `match` and `unless`.
    pub conditions: Vec<ConditionExplanation>,
    /// The rule's `when`, if it has one.
    pub when: Option<WhenExplanation>,
    /// Whether its effect counts.
    pub mode: Mode,
    /// Whether it has expired; unknown when the time is not known.
    pub expired: Truth,
}

/// What a `when` made of the call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhenExplanation {
    /// The expression, with all its parentheses.
    pub text: String,
    /// What is known of it.
    pub truth: Truth,
    /// Its questions, in the order of the text.
    pub tests: Vec<TestExplanation>,
}

/// One question of a `when`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestExplanation {
    /// The question.
    pub text: String,
    /// What is known of it.
    pub truth: Truth,
}

/// What one condition made of the call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionExplanation {
    /// Whether the condition must hold or must not.
    pub part: Part,
    /// The fact's path.
    pub fact: String,
    /// The condition in words.
    pub condition: String,
    /// The fact's value, none when the call does not have it.
    pub value: Option<Value>,
    /// What is known of the condition.
    pub truth: Truth,
}

/// The part of a rule that a condition stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Must hold.
    Match,
    /// Must not hold.
    Unless,
}

/// The allow rule that lacked the least.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearest {
    /// The rule's id.
    pub id: String,
    /// The conditions that kept it from taking effect.
    pub differs: Vec<ConditionExplanation>,
    /// Its `when`, if that kept it from taking effect.
    pub when: Option<WhenExplanation>,
    /// Whether it has expired, or may have.
    pub expired: Truth,
    /// The holds and denies that would stand in the way even if it took effect, by id.
    pub still: Vec<String>,
}

/// Explains what a policy makes of a call, without a word about the world, as [`crate::decide`].
#[must_use]
pub fn explain(policy: &Policy, call: &ToolCall) -> Explanation {
    explain_at(policy, &Context::default(), call)
}

/// Explains what a policy makes of a call in the world that `context` tells of.
#[must_use]
pub fn explain_at(policy: &Policy, context: &Context, call: &ToolCall) -> Explanation {
    let facts = policy.facts(call);
    let scene = Scene::new(call, &facts, context);
    let judgement = judge(policy, scene);
    let rules: Vec<RuleExplanation> = policy
        .rules()
        .map(|rule| explain_rule(rule, scene))
        .collect();
    Explanation {
        policy: policy.name().to_owned(),
        verdict: judgement.verdict(),
        reason: judgement.reason.as_str().to_owned(),
        run: run(&judgement),
        facts: shown_facts(scene),
        uncovered: uncovered(policy, scene),
        nearest: nearest(&rules),
        next_steps: judgement.next_steps,
        rules,
    }
}

fn run(judgement: &Judgement) -> Option<String> {
    match &judgement.ruling {
        Ruling::Allow(grant) => Some(grant.profile().name().to_owned()),
        Ruling::Hold | Ruling::Deny => None,
    }
}

fn explain_rule(rule: &Rule, scene: Scene<'_>) -> RuleExplanation {
    let matches = rule.matches.iter().map(|clause| (Part::Match, clause));
    let unless = rule.unless.iter().map(|clause| (Part::Unless, clause));
    RuleExplanation {
        id: rule.id().to_owned(),
        effect: rule.effect(),
        takes_effect: rule.takes_effect(scene),
        atoms: atoms_meant(rule, scene),
        conditions: matches
            .chain(unless)
            .map(|(part, clause)| explain_clause(part, clause, scene))
            .collect(),
        when: rule.when.as_ref().map(|when| explain_when(when, scene)),
        mode: rule.mode(),
        expired: rule.lives(scene.context).negate(),
    }
}

fn explain_when(when: &When, scene: Scene<'_>) -> WhenExplanation {
    let explain_test = |test: &Test| TestExplanation {
        text: test.to_string(),
        truth: test.truth(scene),
    };
    WhenExplanation {
        text: when.to_string(),
        truth: when.truth(scene),
        tests: when.tests().into_iter().map(explain_test).collect(),
    }
}

fn explain_clause(part: Part, clause: &Clause, scene: Scene<'_>) -> ConditionExplanation {
    ConditionExplanation {
        part,
        fact: clause.fact.to_string(),
        condition: clause.words(),
        value: shown_value(clause, scene),
        truth: clause.truth_in_call(scene),
    }
}

/// Of a clause on atoms: the values of all of them, as a list.
fn shown_value(clause: &Clause, scene: Scene<'_>) -> Option<Value> {
    let Some(kind) = clause.fact.kind() else {
        return shown_fact(clause.fact.find(scene));
    };
    let atoms = scene.facts.atoms(kind).iter();
    let values: Vec<Value> = atoms
        .filter_map(|atom| clause.fact.find(scene.at(kind, atom)).to_value())
        .collect();
    let shown = (!values.is_empty()).then_some(Value::Array(values))?;
    shown_fact(Fact::Other(&shown))
}

/// What an allow covers, or what a hold or deny may mean.
fn atoms_meant(rule: &Rule, scene: Scene<'_>) -> Vec<String> {
    let least = match rule.effect() {
        Verdict::Allow => Truth::True,
        Verdict::Hold | Verdict::Deny => Truth::Unknown,
    };
    if rule.truth(scene) < least {
        return Vec::new();
    }
    let kinds = rule.kinds().iter();
    let atoms = kinds.flat_map(|kind| {
        let atoms = scene.facts.atoms(kind).iter();
        atoms.map(move |atom| (kind, atom))
    });
    atoms
        .filter(|(kind, atom)| rule.atom_truth(scene, *kind, atom) >= least)
        .map(|(kind, atom)| shown_atom(kind, atom))
        .take(MAX_SHOWN_FACTS)
        .collect()
}

fn uncovered(policy: &Policy, scene: Scene<'_>) -> Vec<String> {
    let taking_effect = policy.rule_set().taking_effect(scene).enforced;
    let is_covered = |kind, atom| {
        let allows = taking_effect
            .iter()
            .filter(|rule| rule.effect() == Verdict::Allow);
        allows
            .into_iter()
            .any(|rule| rule.covers(scene, kind, atom))
    };
    let atoms = scene.facts.to_cover();
    atoms
        .filter(|(kind, atom)| !is_covered(*kind, atom))
        .map(|(kind, atom)| shown_atom(kind, atom))
        .take(MAX_SHOWN_FACTS)
        .collect()
}

fn shown_atom(kind: Kind, atom: &Value) -> String {
    format!("{kind} {}", quote(&words(kind, atom)))
}

/// None when an allow took effect: then nothing is missing.
fn nearest(rules: &[RuleExplanation]) -> Option<Nearest> {
    let allows = || {
        let counting = rules.iter().filter(|rule| rule.mode == Mode::Enforce);
        counting.filter(|rule| rule.effect == Verdict::Allow)
    };
    if allows().any(|rule| rule.takes_effect) {
        return None;
    }
    let differing = allows().map(|rule| Nearest {
        id: rule.id.clone(),
        differs: rule
            .conditions
            .iter()
            .filter(|c| keeps_back(c))
            .cloned()
            .collect(),
        when: rule.when.clone().filter(|when| when.truth != Truth::True),
        expired: rule.expired,
        still: in_the_way(rules),
    });
    differing.min_by_key(Nearest::distance)
}

fn in_the_way(rules: &[RuleExplanation]) -> Vec<String> {
    let strict = rules.iter().filter(|rule| match rule.effect {
        Verdict::Allow => false,
        Verdict::Hold | Verdict::Deny => rule.takes_effect && rule.mode == Mode::Enforce,
    });
    strict.map(|rule| rule.id.clone()).collect()
}

impl Nearest {
    /// How many things would have to be otherwise. Another tool makes another call, so an allow for
    /// it is further away than any for this one.
    fn distance(&self) -> (bool, usize) {
        let tool = self.differs.iter().any(|condition| condition.fact == TOOL);
        let expired = usize::from(self.expired != Truth::False);
        let count = self.differs.len() + usize::from(self.when.is_some()) + expired;
        (tool, count)
    }
}

fn keeps_back(condition: &ConditionExplanation) -> bool {
    match condition.part {
        Part::Match => condition.truth != Truth::True,
        Part::Unless => condition.truth != Truth::False,
    }
}

// ---- facts --------------------------------------------------------------------------------------

fn shown_facts(scene: Scene<'_>) -> BTreeMap<String, Value> {
    let call = scene.call;
    let mut facts = BTreeMap::new();
    facts.insert("tool".to_owned(), Value::from(call.tool()));
    facts.insert("principal".to_owned(), Value::from(call.principal()));
    facts.extend(
        call.session()
            .map(|session| ("session".to_owned(), shown_text(session))),
    );
    let mut keys = Vec::new();
    collect(call.arguments(), &mut keys, &mut facts);
    read_facts(scene, &mut facts);
    facts
}

/// `command.1`, `command.2` … for atoms, `shell.syntax` and its like for readings.
fn read_facts(scene: Scene<'_>, facts: &mut BTreeMap<String, Value>) {
    let Value::Object(groups) = scene.facts.to_json() else {
        return;
    };
    for (group, value) in groups {
        let entries: Vec<(String, Value)> = match value {
            Value::Array(atoms) => (1..)
                .zip(atoms)
                .map(|(number, atom): (usize, Value)| (format!("{group}.{number:03}"), atom))
                .collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(field, value)| (format!("{group}.{field}"), value))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (path, value) in entries {
            if facts.len() < MAX_SHOWN_FACTS {
                facts.extend(shown_fact(Fact::of_value(&value)).map(|shown| (path, shown)));
            }
        }
    }
}

/// Walks objects; anything else is one fact. As deep as a call can be, which is bounded.
fn collect(value: &Value, keys: &mut Vec<String>, facts: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                keys.push(key.clone());
                collect(inner, keys, facts);
                keys.pop();
            }
        }
        _ if facts.len() < MAX_SHOWN_FACTS => {
            let path = crate::fact::FactPath::Arguments(keys.clone());
            facts.extend(shown_fact(Fact::of_value(value)).map(|shown| (path.to_string(), shown)));
        }
        _ => {}
    }
}

fn shown_fact(fact: Fact<'_>) -> Option<Value> {
    match fact {
        Fact::Text(text) => Some(shown_text(text)),
        Fact::Other(value @ (Value::Array(_) | Value::Object(_))) => Some(shown_text(
            &String::from_utf8_lossy(&crate::json::canonical(value)),
        )),
        other => other.to_value(),
    }
}

fn shown_text(text: &str) -> Value {
    if text.chars().nth(MAX_SHOWN_CHARS).is_none() {
        return Value::from(text);
    }
    let cut: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    Value::from(format!("{cut}… ({} bytes)", text.len()))
}

// ---- for people ---------------------------------------------------------------------------------

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if let Some(run) = &self.run {
            write!(f, " in {run}")?;
        }
        writeln!(f, ": {}", self.reason)?;
        self.next_steps
            .iter()
            .try_for_each(|step| writeln!(f, "  next: {step}"))?;
        writeln!(f, "facts")?;
        self.facts
            .iter()
            .try_for_each(|(path, value)| writeln!(f, "  {path} = {value}"))?;
        writeln!(f, "rules of {}", self.policy)?;
        self.rules.iter().try_for_each(|rule| write!(f, "{rule}"))?;
        if !self.uncovered.is_empty() {
            writeln!(f, "covered by no allow")?;
        }
        self.uncovered
            .iter()
            .try_for_each(|atom| writeln!(f, "  {atom}"))?;
        self.nearest
            .iter()
            .try_for_each(|nearest| write!(f, "{nearest}"))
    }
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.takes_effect {
            "takes effect"
        } else {
            "does not match"
        };
        let mode = match self.mode {
            Mode::Enforce => "",
            Mode::Shadow => ", shadow",
        };
        writeln!(f, "  {} ({}{mode}) {outcome}", self.id, self.effect)?;
        self.conditions
            .iter()
            .try_for_each(|condition| writeln!(f, "    {condition}"))?;
        let meant = if self.effect == Verdict::Allow {
            "covers"
        } else {
            "is about"
        };
        self.atoms
            .iter()
            .try_for_each(|atom| writeln!(f, "    {meant} {atom}"))?;
        self.when.iter().try_for_each(|when| write!(f, "{when}"))?;
        write_expired(f, self.expired, "    ")
    }
}

impl fmt::Display for ConditionExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let truth = in_words(self.truth);
        let part = match self.part {
            Part::Match => "",
            Part::Unless => "unless ",
        };
        write!(f, "{part}{} {}: {truth}", self.fact, self.condition)?;
        match &self.value {
            Some(value) => write!(f, " (it is {value})"),
            None => f.write_str(" (the call does not have it)"),
        }
    }
}

fn in_words(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "yes",
        Truth::False => "no",
        Truth::Unknown => "cannot be told",
    }
}

fn write_expired(f: &mut fmt::Formatter<'_>, expired: Truth, margin: &str) -> fmt::Result {
    match expired {
        Truth::False => Ok(()),
        Truth::True => writeln!(f, "{margin}expired"),
        Truth::Unknown => writeln!(f, "{margin}expired: cannot be told without the time"),
    }
}

/// The expression, and below it each question, when there are several.
impl fmt::Display for WhenExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    when {}: {}", self.text, in_words(self.truth))?;
        let several = self.tests.iter().filter(|_| self.tests.len() > 1);
        several
            .into_iter()
            .try_for_each(|test| writeln!(f, "      {}: {}", test.text, in_words(test.truth)))
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "nearest allow: {}, kept back by", self.id)?;
        self.differs
            .iter()
            .try_for_each(|condition| writeln!(f, "  {condition}"))?;
        self.when.iter().try_for_each(|when| write!(f, "{when}"))?;
        write_expired(f, self.expired, "  ")?;
        let still = self.still.iter().map(String::as_str);
        match self.still.is_empty() {
            true => Ok(()),
            false => writeln!(f, "  even then in the way: {}", quote_all(still)),
        }
    }
}
