//! Finds the few rules that can take effect on a call, whatever their number.
//!
//! ```text
//!  tool ─┬─ "execute_code" ─► Group ─┬─ principal         Values
//!        ├─ "run_command"  ─► Group  ├─ session           Values
//!        └─ any other      ─► Group  ├─ arguments ─ key ─ Values ─┬─ "x", 5, true ─► rules
//!                                    ├─ read: command.name … Values ├─ begins with  ─► rules
//!                                    └─ always ─► rules           └─ is there     ─► rules
//! ```
//!
//! Each rule is filed once for each tool that it names, under that condition of its `match` that
//! the fewest rules share. A call leads to the rules filed under what it holds. The index gives
//! candidates, never verdicts: every rule that could take effect is among them (a property test
//! holds it against the plain loop), and each is asked afterwards. So a rule is also found where
//! its condition has no answer, because a hold or deny takes effect there. Where a rule asks for
//! nothing but its tool and one text, finding it under both is the whole answer: such a candidate
//! is certain, and the rule's conditions, which lie far apart in memory, are not read.
//!
//! Looking up allocates nothing, walks no more of the arguments than the rules name, and cannot
//! fail.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rustc_hash::FxHashMap;
use serde_json::Value;
use smallvec::SmallVec;

use crate::call::ToolCall;
use crate::condition::{Clause, Condition, MAX_SEARCHED_BYTES, Num};
use crate::fact::{Fact, FactPath, of_field};
use crate::facts::Facts;
use crate::file::{ConditionFile, Scalar};
use crate::rule::Rule;
use crate::verdict::Verdict;

/// The place of a rule in its set.
pub(crate) type RuleNumber = usize;

/// A rule that may take effect on a call, or certainly does. In order: by the rule, the certain
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(usize);

impl Candidate {
    fn new(number: RuleNumber, certain: bool) -> Self {
        Self(number << 1 | usize::from(!certain))
    }

    /// The rule.
    pub(crate) fn number(self) -> RuleNumber {
        self.0 >> 1
    }

    /// Whether the rule takes effect without being asked.
    pub(crate) fn is_certain(self) -> bool {
        self.0 & 1 == 0
    }
}

/// Most values lead to one rule or two: these stand beside their key in memory.
type Bucket = SmallVec<[Candidate; 2]>;

/// Without random keys: only the policy's author puts something in, so nobody can fill a bucket.
type Map<K, V> = FxHashMap<K, V>;

/// All rules of a policy, filed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    by_tool: Map<Box<str>, Group>,
    any_tool: Group,
}

impl Index {
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut by_tool: BTreeMap<&str, Vec<Entry<'a>>> = BTreeMap::new();
        let mut any_tool = Vec::new();
        for entry in rules.enumerate().map(Entry::of) {
            match tools(entry.rule) {
                Some(tools) => tools.into_iter().for_each(|tool| {
                    let named = Entry {
                        has_tool: true,
                        ..entry
                    };
                    by_tool.entry(tool).or_default().push(named);
                }),
                None => any_tool.push(entry),
            }
        }
        let groups = by_tool.into_iter();
        Self {
            by_tool: groups
                .map(|(tool, entries)| (tool.into(), Group::new(&entries)))
                .collect(),
            any_tool: Group::new(&any_tool),
        }
    }

    /// Calls `found` with every rule that can take effect on a call, perhaps more than once.
    pub(crate) fn candidates(
        &self,
        call: &ToolCall,
        facts: &Facts,
        found: &mut impl FnMut(Candidate),
    ) {
        if let Some(group) = self.by_tool.get(call.tool()) {
            group.visit(call, facts, found);
        }
        self.any_tool.visit(call, facts, found);
    }
}

/// The tools that a rule is for, each once; none when it names them otherwise than one by one.
fn tools(rule: &Rule) -> Option<Vec<&str>> {
    let clause = rule.matches.iter().find(|c| *c.fact == FactPath::Tool)?;
    let Condition::AnyOf(values) = &clause.condition else {
        return None;
    };
    let mut tools: Vec<&str> = values
        .as_slice()
        .iter()
        .filter_map(Scalar::as_text)
        .collect();
    tools.sort_unstable();
    tools.dedup();
    Some(tools)
}

/// A rule on its way into the index.
#[derive(Clone, Copy)]
struct Entry<'a> {
    number: RuleNumber,
    rule: &'a Rule,
    /// Filed with the rules of one of its tools, so that what it says of the tool is true.
    has_tool: bool,
}

impl<'a> Entry<'a> {
    fn of((number, rule): (RuleNumber, &'a Rule)) -> Self {
        Self {
            number,
            rule,
            has_tool: false,
        }
    }

    /// One that must be asked.
    fn perhaps(&self) -> Candidate {
        Candidate::new(self.number, false)
    }

    /// The candidate where a text is what this condition wants: certain if the rule wants no more.
    /// With one condition on an atom, the atom with the text is the one that the rule is about.
    fn met(&self, by: &Clause) -> Candidate {
        let exact = match by.condition {
            Condition::AnyOf(_) | Condition::Prefix(_) => true,
            Condition::Suffix(_)
            | Condition::Contains(_)
            | Condition::Glob(_)
            | Condition::Regex(_)
            | Condition::Cidr(_)
            | Condition::Range { .. }
            | Condition::Exists(_)
            | Condition::Form(..)
            | Condition::Any(_)
            | Condition::All(_) => false,
        };
        let is_met = |clause: &Clause| {
            clause.fact == by.fact || (self.has_tool && *clause.fact == FactPath::Tool)
        };
        let rule = self.rule;
        let nothing_else = rule.unless.is_empty()
            && rule.when.is_none()
            && rule.expires_us.is_none()
            && rule.matches.iter().all(is_met);
        Candidate::new(self.number, exact && nothing_else)
    }
}

/// What a condition is filed under.
enum Key<'a> {
    /// The values that it lists.
    Values(&'a [Scalar]),
    /// What every text begins with that it holds for.
    Prefix(&'a str),
    /// Anything, as long as the fact is there.
    Present,
}

/// None for what can hold without the fact, and for facts that are not looked up.
fn key_of(clause: &Clause) -> Option<Key<'_>> {
    if !is_filed(&clause.fact) {
        return None;
    }
    match (&clause.condition, &clause.source) {
        (Condition::AnyOf(values), _) => Some(Key::Values(values.as_slice())),
        (Condition::Prefix(prefix), _) => Some(Key::Prefix(prefix)),
        (Condition::Glob(_), ConditionFile::Glob(glob)) => Some(prefix_of(glob)),
        (Condition::Exists(false), _) => None,
        (Condition::Exists(true), _)
        | (Condition::Suffix(_), _)
        | (Condition::Contains(_), _)
        | (Condition::Glob(_), _)
        | (Condition::Regex(_), _)
        | (Condition::Cidr(_), _)
        | (Condition::Range { .. }, _)
        | (Condition::Form(..), _)
        | (Condition::Any(_), _)
        | (Condition::All(_), _) => Some(Key::Present),
    }
}

/// The time and a session's state are the same for most calls: rules on them are told apart by
/// their other conditions.
fn is_filed(fact: &FactPath) -> bool {
    match fact {
        FactPath::Tool
        | FactPath::Principal
        | FactPath::Session
        | FactPath::Arguments(_)
        | FactPath::Atom(..)
        | FactPath::Reading(..) => true,
        FactPath::Time(_) | FactPath::SessionState(_) => false,
    }
}

/// The plain text that a glob begins with.
fn prefix_of(glob: &str) -> Key<'_> {
    let end = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len());
    match glob.get(..end) {
        Some(plain) if !plain.is_empty() => Key::Prefix(plain),
        Some(_) | None => Key::Present,
    }
}

// ---- filing -------------------------------------------------------------------------------------

/// Rules filed by the most telling of their facts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    tool: Values,
    principal: Values,
    session: Values,
    arguments: Node,
    /// What was read out of the arguments: fields of atoms, and readings.
    read: BTreeMap<FactPath, Values>,
    /// Rules that can take effect whatever the call holds.
    always: Vec<Candidate>,
}

impl Group {
    fn new(entries: &[Entry<'_>]) -> Self {
        let tally = Tally::of(entries);
        let mut group = Self::default();
        for entry in entries {
            match tally.most_telling(entry.rule) {
                Some(clause) => group.file(*entry, clause),
                None => group.always.push(entry.perhaps()),
            }
        }
        group
    }

    /// Files rules without regard to their tools.
    pub(crate) fn of<'a>(rules: impl Iterator<Item = (RuleNumber, &'a Rule)>) -> Self {
        let entries: Vec<Entry<'a>> = rules.map(Entry::of).collect();
        Self::new(&entries)
    }

    fn file(&mut self, entry: Entry<'_>, clause: &Clause) {
        let values = match &*clause.fact {
            FactPath::Tool => Some(&mut self.tool),
            FactPath::Principal => Some(&mut self.principal),
            FactPath::Session => Some(&mut self.session),
            FactPath::Arguments(keys) => Some(self.arguments.at_or_new(keys, entry.perhaps())),
            read @ (FactPath::Atom(..) | FactPath::Reading(..)) => {
                Some(self.read.entry(read.clone()).or_default())
            }
            FactPath::Time(_) | FactPath::SessionState(_) => None,
        };
        match (values, key_of(clause)) {
            (Some(values), Some(key)) => values.file(entry, &key, entry.met(clause)),
            (None, _) | (_, None) => self.always.push(entry.perhaps()),
        }
    }

    /// Calls `found` with every rule whose filed condition could follow from one of `clauses`,
    /// perhaps more than once.
    pub(crate) fn following(&self, clauses: &[Clause], found: &mut impl FnMut(Candidate)) {
        for clause in clauses {
            if let (Some(values), Some(key)) = (self.at(&clause.fact), key_of(clause)) {
                values.following(&key, found);
            }
        }
        self.always.iter().copied().for_each(found);
    }

    fn at(&self, fact: &FactPath) -> Option<&Values> {
        match fact {
            FactPath::Tool => Some(&self.tool),
            FactPath::Principal => Some(&self.principal),
            FactPath::Session => Some(&self.session),
            FactPath::Arguments(keys) => self.arguments.at(keys),
            read @ (FactPath::Atom(..) | FactPath::Reading(..)) => self.read.get(read),
            FactPath::Time(_) | FactPath::SessionState(_) => None,
        }
    }

    fn visit(&self, call: &ToolCall, facts: &Facts, found: &mut impl FnMut(Candidate)) {
        self.tool.visit(Fact::Text(call.tool()), found);
        self.principal.visit(Fact::Text(call.principal()), found);
        let session = call.session().map_or(Fact::Absent, Fact::Text);
        self.session.visit(session, found);
        self.arguments.visit(call.arguments(), found);
        for (path, values) in &self.read {
            visit_read(path, values, facts, found);
        }
        self.always.iter().copied().for_each(found);
    }
}

fn visit_read(path: &FactPath, values: &Values, facts: &Facts, found: &mut impl FnMut(Candidate)) {
    match path {
        FactPath::Atom(kind, field) => {
            for atom in facts.atoms(*kind) {
                values.visit(of_field(atom.get(field.name)), found);
            }
        }
        FactPath::Reading(reading, field) => {
            values.visit(of_field(facts.reading(*reading, field.name)), found);
        }
        FactPath::Tool
        | FactPath::Principal
        | FactPath::Session
        | FactPath::Arguments(_)
        | FactPath::Time(_)
        | FactPath::SessionState(_) => {}
    }
}

/// A place in the arguments, and what is below it.
#[derive(Debug, Clone, Default)]
struct Node {
    values: Values,
    children: BTreeMap<Box<str>, Node>,
    /// All rules filed below, for a call that has something else than an object here: then their
    /// questions have no answer.
    below: Vec<Candidate>,
}

impl Node {
    fn at_or_new(&mut self, keys: &[String], candidate: Candidate) -> &mut Values {
        let mut node = self;
        for key in keys {
            node.below.push(candidate);
            node = node.children.entry(key.as_str().into()).or_default();
        }
        &mut node.values
    }

    fn at(&self, keys: &[String]) -> Option<&Values> {
        let mut node = self;
        for key in keys {
            node = node.children.get(key.as_str())?;
        }
        Some(&node.values)
    }

    /// As deep as the paths of rules, which is bounded; from the side that names less.
    fn visit(&self, value: &Value, found: &mut impl FnMut(Candidate)) {
        self.values.visit(Fact::of_value(value), found);
        match value {
            Value::Object(map) if map.len() < self.children.len() => {
                for (key, inner) in map {
                    if let Some(child) = self.children.get(key.as_str()) {
                        child.visit(inner, found);
                    }
                }
            }
            Value::Object(map) => {
                for (key, child) in &self.children {
                    if let Some(inner) = map.get(key.as_ref()) {
                        child.visit(inner, found);
                    }
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => self.below.iter().copied().for_each(found),
        }
    }
}

/// Rules filed under one fact.
#[derive(Debug, Clone, Default)]
struct Values {
    /// Short texts stand in the table itself: one place in memory less for each lookup.
    texts: Map<CompactString, Bucket>,
    /// The bytes of the longest of `texts`: what is longer need not be hashed.
    longest_bytes: usize,
    numbers: Map<NumberKey, Bucket>,
    yes: Bucket,
    no: Bucket,
    prefixes: Prefixes,
    present: Vec<Candidate>,
    unanswered: Unanswered,
}

/// Holds and denies by the kinds of fact to which their condition has no answer, so that they take
/// effect there.
#[derive(Debug, Clone, Default)]
struct Unanswered {
    text: Vec<Candidate>,
    long_text: Vec<Candidate>,
    number: Vec<Candidate>,
    truth: Vec<Candidate>,
    other: Vec<Candidate>,
}

/// A number that is the same key whenever it compares as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NumberKey {
    Int(i128),
    Float(u64),
}

impl NumberKey {
    /// Integers of calls and policies lie within 65 bits, where the cast is exact.
    fn of(number: Num) -> Self {
        match number {
            Num::Int(integer) => Self::Int(integer),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "no fraction, and within the range of i128"
            )]
            Num::Float(float) if float.trunc() == float && float.abs() < 1e30 => {
                Self::Int(float as i128)
            }
            Num::Float(float) => Self::Float(float.to_bits()),
        }
    }
}

impl Values {
    /// `met` is the candidate where a text fits the key.
    fn file(&mut self, entry: Entry<'_>, key: &Key<'_>, met: Candidate) {
        match key {
            Key::Values(scalars) => scalars.iter().for_each(|s| self.file_value(s, entry, met)),
            Key::Prefix(prefix) => self.prefixes.file(met, prefix),
            Key::Present => self.present.push(entry.perhaps()),
        }
        match entry.rule.effect() {
            Verdict::Allow => {}
            Verdict::Hold | Verdict::Deny => self.unanswered.file(entry.perhaps(), key),
        }
    }

    fn file_value(&mut self, scalar: &Scalar, entry: Entry<'_>, met: Candidate) {
        let (candidates, candidate) = match scalar {
            Scalar::Text(text) => {
                self.longest_bytes = self.longest_bytes.max(text.len());
                (self.texts.entry(text.as_str().into()).or_default(), met)
            }
            Scalar::Integer(integer) => {
                let number = Num::Int(i128::from(*integer));
                (self.numbers_at(number), entry.perhaps())
            }
            Scalar::Float(float) => (self.numbers_at(Num::Float(*float)), entry.perhaps()),
            Scalar::Bool(true) => (&mut self.yes, entry.perhaps()),
            Scalar::Bool(false) => (&mut self.no, entry.perhaps()),
        };
        // A list may hold a value twice, as `1` and `1.0`.
        if candidates.last() != Some(&candidate) {
            candidates.push(candidate);
        }
    }

    fn numbers_at(&mut self, number: Num) -> &mut Bucket {
        self.numbers.entry(NumberKey::of(number)).or_default()
    }

    /// Every rule filed here that can take effect on this fact.
    fn visit(&self, fact: Fact<'_>, found: &mut impl FnMut(Candidate)) {
        if let Fact::Absent = fact {
            return;
        }
        self.present.iter().copied().for_each(&mut *found);
        self.unanswered
            .by(fact)
            .iter()
            .copied()
            .for_each(&mut *found);
        match fact {
            Fact::Text(text) => self.visit_text(text, found),
            Fact::Number(number) => self
                .numbers
                .get(&NumberKey::of(number))
                .into_iter()
                .flatten()
                .copied()
                .for_each(found),
            Fact::Bool(true) => self.yes.iter().copied().for_each(found),
            Fact::Bool(false) => self.no.iter().copied().for_each(found),
            Fact::Other(_) | Fact::Blocked | Fact::Absent => {}
        }
    }

    /// What follows from a list follows from its first value.
    fn following(&self, key: &Key<'_>, found: &mut impl FnMut(Candidate)) {
        match key {
            Key::Values(scalars) => scalars
                .iter()
                .take(1)
                .for_each(|first| self.visit(Fact::of_value(&first.to_value()), found)),
            Key::Prefix(prefix) => self.visit(Fact::Text(prefix), found),
            Key::Present => self.present.iter().copied().for_each(found),
        }
    }

    fn visit_text(&self, text: &str, found: &mut impl FnMut(Candidate)) {
        if text.len() <= self.longest_bytes {
            let equal = self.texts.get(text).into_iter().flatten();
            equal.copied().for_each(&mut *found);
        }
        if text.len() <= MAX_SEARCHED_BYTES {
            self.prefixes.visit(text, found);
        }
    }
}

impl Unanswered {
    fn file(&mut self, candidate: Candidate, key: &Key<'_>) {
        match key {
            Key::Values(scalars) => {
                let has = |wanted: fn(&Scalar) -> bool| scalars.iter().any(wanted);
                if !has(|s| matches!(s, Scalar::Text(_))) {
                    self.text.push(candidate);
                    self.long_text.push(candidate);
                }
                if !has(|s| matches!(s, Scalar::Integer(_) | Scalar::Float(_))) {
                    self.number.push(candidate);
                }
                if !has(|s| matches!(s, Scalar::Bool(_))) {
                    self.truth.push(candidate);
                }
                self.other.push(candidate);
            }
            Key::Prefix(_) => {
                self.long_text.push(candidate);
                self.number.push(candidate);
                self.truth.push(candidate);
                self.other.push(candidate);
            }
            // Found wherever the fact is there.
            Key::Present => {}
        }
    }

    fn by(&self, fact: Fact<'_>) -> &[Candidate] {
        match fact {
            Fact::Text(text) if text.len() > MAX_SEARCHED_BYTES => &self.long_text,
            Fact::Text(_) => &self.text,
            Fact::Number(_) => &self.number,
            Fact::Bool(_) => &self.truth,
            Fact::Other(_) | Fact::Blocked => &self.other,
            Fact::Absent => &[],
        }
    }
}

/// Rules by what a text begins with, in the order of their prefixes. The beginning of each prefix
/// stands by itself in one array, so that a search stays within a few lines of the cache.
#[derive(Debug, Clone, Default)]
struct Prefixes {
    heads: Vec<u128>,
    entries: Vec<(Box<str>, Bucket)>,
}

/// The first 16 bytes, filled up with zeros: in the order of the texts, as far as they reach.
fn head(text: &str) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.as_bytes()) {
        *to = *from;
    }
    u128::from_be_bytes(bytes)
}

impl Prefixes {
    fn file(&mut self, candidate: Candidate, prefix: &str) {
        let at = self.up_to(prefix);
        let before = at
            .checked_sub(1)
            .and_then(|last| self.entries.get_mut(last));
        match before {
            Some((text, rules)) if **text == *prefix => rules.push(candidate),
            Some(_) | None => {
                self.heads.insert(at, head(prefix));
                let bucket = std::iter::once(candidate).collect();
                self.entries.insert(at, (prefix.into(), bucket));
            }
        }
    }

    /// Of the prefixes that are not above a text, those that it begins with are also what the last
    /// of them begins with. So each step looks at the last one, and goes on with less of the text:
    /// as many steps as the longest prefix has characters at most, usually two.
    fn visit(&self, text: &str, found: &mut impl FnMut(Candidate)) {
        let mut rest = text;
        while let Some((prefix, rules)) = self.last_up_to(rest) {
            if rest.starts_with(prefix) {
                rules.iter().copied().for_each(&mut *found);
                rest = without_last(prefix);
            } else {
                rest = common(prefix, rest);
            }
        }
    }

    fn last_up_to(&self, text: &str) -> Option<(&str, &[Candidate])> {
        let last = self.up_to(text).checked_sub(1)?;
        let (prefix, rules) = self.entries.get(last)?;
        Some((prefix, rules))
    }

    /// How many prefixes are not above a text.
    fn up_to(&self, text: &str) -> usize {
        let wanted = head(text);
        // Most texts lie before or after all of them, and need no search.
        if self.heads.first().is_none_or(|first| wanted < *first) {
            return 0;
        }
        if self.heads.last().is_some_and(|last| *last < wanted) {
            return self.heads.len();
        }
        let first = self.heads.partition_point(|head| *head < wanted);
        let heads = self.heads.get(first..).unwrap_or_default();
        let same = heads.iter().take_while(|head| **head == wanted).count();
        let entries = self.entries.get(first..first + same).unwrap_or_default();
        first + entries.partition_point(|(prefix, _)| **prefix <= *text)
    }
}

fn without_last(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next_back();
    chars.as_str()
}

/// What both texts begin with.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    let bytes = same.map(|(a, _)| a.len_utf8()).sum();
    a.get(..bytes).unwrap_or_default()
}

// ---- choosing -----------------------------------------------------------------------------------

/// How many rules of a group share each condition.
struct Tally<'a>(BTreeMap<&'a FactPath, Counts<'a>>);

#[derive(Default)]
struct Counts<'a> {
    clauses: usize,
    shares: Map<Share<'a>, usize>,
}

/// What two rules can have in common.
#[derive(PartialEq, Eq, Hash)]
enum Share<'a> {
    Text(&'a str),
    Number(NumberKey),
    Bool(bool),
    Prefix(&'a str),
}

impl<'a> Share<'a> {
    fn of(scalar: &'a Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(text),
            Scalar::Integer(integer) => Self::Number(NumberKey::of(Num::Int(i128::from(*integer)))),
            Scalar::Float(float) => Self::Number(NumberKey::of(Num::Float(*float))),
            Scalar::Bool(truth) => Self::Bool(*truth),
        }
    }
}

impl<'a> Tally<'a> {
    fn of(entries: &[Entry<'a>]) -> Self {
        let mut tally = Self(BTreeMap::new());
        for clause in entries.iter().flat_map(|entry| &entry.rule.matches) {
            if let Some(key) = key_of(clause) {
                tally.0.entry(&clause.fact).or_default().add(&key);
            }
        }
        tally
    }

    /// The condition that the fewest others share; one that lists values before one that does not.
    fn most_telling(&self, rule: &'a Rule) -> Option<&'a Clause> {
        // An allow that covers atoms of several kinds takes effect where any of them is there.
        let several = rule.effect() == Verdict::Allow && rule.kinds().len() > 1;
        let telling = |clause: &&Clause| !several || clause.fact.kind().is_none();
        let crowds = rule.matches.iter().filter(telling).filter_map(|clause| {
            let crowd = self.0.get(&*clause.fact)?.crowd(&key_of(clause)?);
            Some((crowd, clause))
        });
        crowds
            .min_by_key(|(crowd, _)| *crowd)
            .map(|(_, clause)| clause)
    }
}

impl<'a> Counts<'a> {
    fn add(&mut self, key: &Key<'a>) {
        self.clauses += 1;
        match key {
            Key::Values(scalars) => scalars.iter().for_each(|s| self.share(Share::of(s))),
            Key::Prefix(prefix) => self.share(Share::Prefix(prefix)),
            Key::Present => {}
        }
    }

    fn share(&mut self, share: Share<'a>) {
        *self.shares.entry(share).or_default() += 1;
    }

    /// How many rules a call meets where this key is, and how sharp the key is.
    fn crowd(&self, key: &Key<'a>) -> (usize, u8) {
        let shared = |share: Share<'a>| self.shares.get(&share).copied().unwrap_or_default();
        match key {
            Key::Values(scalars) => {
                let crowds = scalars.iter().map(|scalar| shared(Share::of(scalar)));
                (crowds.max().unwrap_or_default(), 0)
            }
            Key::Prefix(prefix) => (shared(Share::Prefix(prefix)), 1),
            Key::Present => (self.clauses, 2),
        }
    }
}
