//! Rules of every kind that the language has, as values and as TOML.
//!
//! Every rule made here loads, but for a glob that its library does not take. The oracles count on
//! that: a rule that is refused for another reason is a finding.

use std::collections::BTreeMap;
use std::fmt;

use arbitrary::{Result, Unstructured};

use super::when::{self, When};
use super::{several, word};

/// The most rules of one policy: enough for the index to have something to choose from.
const MAX_RULES: usize = 20;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Stands in the rule's id.
    pub number: usize,
    /// `allow`, `hold` or `deny`.
    pub effect: &'static str,
    /// The profile, where the effect is `allow`.
    pub run: &'static str,
    /// Conditions by fact, all of which must hold.
    pub matches: BTreeMap<&'static str, Condition>,
    /// Conditions by fact, none of which may hold.
    pub unless: BTreeMap<&'static str, Condition>,
    /// Whether the rule is only recorded.
    pub shadow: bool,
    /// A condition beside the facts.
    pub when: Option<When>,
    /// Seconds since the beginning of 1970 in UTC.
    pub expires_s: Option<u64>,
}

/// A condition on one fact.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Is exactly this.
    Is(Scalar),
    /// Is one of these.
    OneOf(Vec<Scalar>),
    /// Begins with it.
    Prefix(String),
    /// Ends with it.
    Suffix(String),
    /// Contains it.
    Contains(String),
    /// Fits a glob.
    Glob(String),
    /// Contains a match of a regular expression.
    Regex(&'static str),
    /// Is an address of a range.
    Cidr(&'static str),
    /// Lies in a range, as TOML writes it.
    Range(&'static str),
    /// Is there, or is not.
    Exists(bool),
    /// Some element.
    Any(Box<Condition>),
    /// Every element.
    All(Box<Condition>),
}

/// A value to compare with.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A number or a truth, as TOML writes it.
    Other(&'static str),
}

/// Facts that are text in every call that has them.
const TEXT_FACTS: &[&str] = &["tool", "principal", "session"];
/// Facts that may be anything.
const ARGUMENTS: &[&str] = &[
    "arguments.language",
    "arguments.code",
    "arguments.a",
    "arguments.b",
    "arguments.n",
    "arguments.deep",
    "arguments.deep.er",
    "arguments.deep.er.est",
];
/// Facts of atoms that are text or not known.
const ATOM_TEXTS: &[&str] = &[
    "command.name",
    "command.subcommand",
    "command.origin",
    "redirect.target",
    "redirect.mode",
    "assignment.name",
    "assignment.value",
    "opaque.kind",
    "path.value",
    "shell.syntax",
];
/// Facts of atoms that are an address, or not there.
const ADDRESSES: &[&str] = &["host.address", "arguments.a"];
const RANGES: &[&str] = &[
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "192.168.1.1",
    "fd00::/8",
    "10.1.2.3",
];
/// Options, whole and shortened.
const FLAGS: &[&str] = &[
    "-r",
    "-f",
    "--recursive",
    "--rec",
    "--force",
    "--re",
    "--",
    "-",
];
/// Around the moments at which calls take place.
const EXPIRIES_S: &[u64] = &[1, 1_792_413_005, 1_792_413_006];
/// Facts of atoms that are arrays.
const ATOM_ARRAYS: &[&str] = &[
    "command.arguments",
    "command.operands",
    "command.effects",
    "command.opaque",
    "command.paths",
];
const EFFECTS: &[&str] = &["allow", "hold", "deny", "allow", "allow"];
const TOOLS: &[&str] = &["execute_code", "run_command", "a", "ab"];
const GLOB_PIECES: &[&str] = &[
    "a", "b", "ab", "/", "*", "?", "**", "[ab]", "{a,b}", "é", "exec", "**/",
];

/// Rules with numbers from zero.
pub fn rules(u: &mut Unstructured<'_>) -> Result<Vec<Rule>> {
    let mut rules = several(u, 0, MAX_RULES, |u| {
        let effect = u.choose(EFFECTS)?;
        rule(u, effect)
    })?;
    for (number, rule) in rules.iter_mut().enumerate() {
        rule.number = number;
    }
    Ok(rules)
}

/// One rule with this effect.
pub fn rule(u: &mut Unstructured<'_>, effect: &'static str) -> Result<Rule> {
    let mut matches = match u.ratio(1, 4)? {
        true => BTreeMap::from([rare_clause(u)?]),
        false => clauses(u, 1, 3)?,
    };
    // Most rules name the tool that most calls use, as real ones do.
    if u.ratio(1, 3)? {
        matches.insert("tool", tool(u)?);
    }
    Ok(Rule {
        number: 0,
        effect,
        run: u.choose(&[
            "wide",
            "wasm-offline",
            "container-offline",
            "container-offline",
        ])?,
        matches,
        unless: clauses(u, 0, 1)?,
        shadow: u.ratio(1, 8)?,
        when: sometimes(u, when::when)?,
        expires_s: sometimes(u, |u| u.choose(EXPIRIES_S).copied())?,
    })
}

fn sometimes<T>(
    u: &mut Unstructured<'_>,
    one: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    u.ratio(1, 6)?.then(|| one(u)).transpose()
}

/// A rule of what cedar can say: texts that are compared, listed, or searched for a piece.
pub fn plain_rule(u: &mut Unstructured<'_>, number: usize) -> Result<Rule> {
    Ok(Rule {
        number,
        effect: u.choose(&["allow", "deny", "allow"])?,
        run: "wide",
        matches: plain_clauses(u, 1, 3)?,
        unless: plain_clauses(u, 0, 1)?,
        shadow: false,
        when: None,
        expires_s: None,
    })
}

fn tool(u: &mut Unstructured<'_>) -> Result<Condition> {
    let name = |name: &&str| Scalar::Text((*name).to_owned());
    Ok(match u.int_in_range(0..=4)? {
        0 => Condition::OneOf(vec![name(u.choose(TOOLS)?), name(u.choose(TOOLS)?)]),
        1 => Condition::Glob("exec*".to_owned()),
        _ => Condition::Is(name(u.choose(TOOLS)?)),
    })
}

fn clauses(
    u: &mut Unstructured<'_>,
    least: usize,
    most: usize,
) -> Result<BTreeMap<&'static str, Condition>> {
    let clauses = several(u, least, most, |u| {
        Ok(match u.int_in_range(0..=8)? {
            8 => rare_clause(u)?,
            0 | 1 => (*u.choose(TEXT_FACTS)?, text_condition(u)?),
            2 | 3 => (*u.choose(ATOM_TEXTS)?, atom_condition(u)?),
            4 => (*u.choose(ATOM_ARRAYS)?, elements(u)?),
            _ => (*u.choose(ARGUMENTS)?, condition(u)?),
        })
    })?;
    Ok(clauses.into_iter().collect())
}

fn plain_clauses(
    u: &mut Unstructured<'_>,
    least: usize,
    most: usize,
) -> Result<BTreeMap<&'static str, Condition>> {
    const FACTS: &[&str] = &["tool", "principal", "arguments.a", "arguments.b"];
    let clauses = several(u, least, most, |u| {
        Ok((*u.choose(FACTS)?, plain_condition(u)?))
    })?;
    Ok(clauses.into_iter().collect())
}

fn plain_condition(u: &mut Unstructured<'_>) -> Result<Condition> {
    let text = |u: &mut Unstructured<'_>| word(u).map(Scalar::Text);
    Ok(match u.int_in_range(0..=4)? {
        0 => Condition::Is(text(u)?),
        1 => Condition::OneOf(several(u, 1, 4, text)?),
        2 => Condition::Prefix(word(u)?),
        3 => Condition::Suffix(word(u)?),
        _ => Condition::Contains(word(u)?),
    })
}

/// A condition that text can answer.
fn text_condition(u: &mut Unstructured<'_>) -> Result<Condition> {
    Ok(match u.int_in_range(0..=6)? {
        0..=4 => plain_condition(u)?,
        5 => glob(u)?,
        _ => Condition::Regex(u.choose(&["^a", "b$", "a|é", "(?i)EXEC", "^$"])?),
    })
}

fn glob(u: &mut Unstructured<'_>) -> Result<Condition> {
    let pieces = several(u, 1, 4, |u| u.choose(GLOB_PIECES).copied())?;
    Ok(Condition::Glob(pieces.concat()))
}

/// Any condition on a value.
fn condition(u: &mut Unstructured<'_>) -> Result<Condition> {
    Ok(match u.int_in_range(0..=9)? {
        0..=3 => text_condition(u)?,
        4 => Condition::Is(scalar(u)?),
        5 => Condition::OneOf(several(u, 1, 4, scalar)?),
        6 => Condition::Range(u.choose(&[
            "min = 0",
            "max = 1",
            "min = 0, max = 0.5",
            "min = -3.5",
        ])?),
        7 => Condition::Exists(u.arbitrary()?),
        8 => Condition::Any(Box::new(element(u)?)),
        _ => Condition::All(Box::new(element(u)?)),
    })
}

/// Names, effects and reasons that shell texts have.
const ATOM_WORDS: &[&str] = &[
    "ls",
    "rm",
    "git",
    "cat",
    "a",
    "/tmp/x",
    "~/x",
    "text",
    "wrapper",
    "substitution",
    "write",
    "read",
    "append",
    "PATH",
    "executes",
    "writes",
    "deletes",
    "argument",
    "glob",
    "eval",
    "rejected",
    "accepted",
    "push",
    "-rf",
];

fn atom_condition(u: &mut Unstructured<'_>) -> Result<Condition> {
    let text = |u: &mut Unstructured<'_>| Ok((*u.choose(ATOM_WORDS)?).to_owned());
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => Condition::Is(Scalar::Text(text(u)?)),
        3 => Condition::OneOf(several(u, 1, 6, |u| text(u).map(Scalar::Text))?),
        4 => Condition::Prefix(text(u)?),
        5 => Condition::Contains(text(u)?),
        6 => Condition::Glob("*".to_owned()),
        _ => Condition::Exists(u.arbitrary()?),
    })
}

fn elements(u: &mut Unstructured<'_>) -> Result<Condition> {
    let words = several(u, 1, 3, |u| {
        Ok(Scalar::Text((*u.choose(ATOM_WORDS)?).to_owned()))
    })?;
    let inner = match u.arbitrary()? {
        true => Condition::OneOf(words),
        false => Condition::Prefix((*u.choose(ATOM_WORDS)?).to_owned()),
    };
    Ok(match u.arbitrary()? {
        true => Condition::Any(Box::new(inner)),
        false => Condition::All(Box::new(inner)),
    })
}

/// What rules are seldom about, and what then should stand alone to be of weight.
fn rare_clause(u: &mut Unstructured<'_>) -> Result<(&'static str, Condition)> {
    Ok(match u.arbitrary()? {
        true => ("command.flags", flags(u)?),
        false => (*u.choose(ADDRESSES)?, Condition::Cidr(u.choose(RANGES)?)),
    })
}

/// On the options of a command.
fn flags(u: &mut Unstructured<'_>) -> Result<Condition> {
    let flag = |u: &mut Unstructured<'_>| Ok((*u.choose(FLAGS)?).to_owned());
    let inner = match u.int_in_range(0..=4)? {
        0 => Condition::Is(Scalar::Text(flag(u)?)),
        1 => Condition::OneOf(several(u, 1, 3, |u| flag(u).map(Scalar::Text))?),
        2 => Condition::Prefix(flag(u)?),
        3 => Condition::Contains(flag(u)?),
        _ => Condition::Regex("^--r"),
    };
    Ok(match u.arbitrary()? {
        true => Condition::Any(Box::new(inner)),
        false => Condition::All(Box::new(inner)),
    })
}

fn element(u: &mut Unstructured<'_>) -> Result<Condition> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Condition::Is(scalar(u)?),
        1 => Condition::Range("min = 0"),
        2 => Condition::Any(Box::new(text_condition(u)?)),
        _ => text_condition(u)?,
    })
}

fn scalar(u: &mut Unstructured<'_>) -> Result<Scalar> {
    const OTHERS: &[&str] = &["0", "1", "1.0", "0.5", "-3", "true", "false"];
    if u.ratio(1, 2)? {
        return Ok(Scalar::Other(u.choose(OTHERS)?));
    }
    word(u).map(Scalar::Text)
}

// ---- as TOML ------------------------------------------------------------------------------------

/// A whole policy file.
pub fn file<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> String {
    let rules: String = rules.into_iter().map(Rule::to_string).collect();
    format!("version = 1\nname = \"fuzz\"\n{rules}")
}

/// Text in quotes, as TOML has it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Rule {
    /// The id that the file has for it.
    pub fn id(&self) -> String {
        format!("r{}", self.number)
    }

    /// Makes every range of addresses as wide as its family.
    pub(crate) fn widen_ranges(&mut self) {
        for condition in self.matches.values_mut().chain(self.unless.values_mut()) {
            if let Condition::Cidr(range) = condition {
                *range = if range.contains(':') {
                    "::/0"
                } else {
                    "0.0.0.0/0"
                };
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, effect, .. } = self;
        writeln!(
            f,
            "[[rule]]\nid = \"r{number}\"\neffect = \"{effect}\"\nreason = \"reason {number}\""
        )?;
        if *effect == "allow" {
            writeln!(f, "run = \"{}\"", self.run)?;
        }
        if self.shadow {
            writeln!(f, "mode = \"shadow\"")?;
        }
        if let Some(when) = &self.when {
            writeln!(f, "when = {}", quoted(&when.to_string()))?;
        }
        if let Some(seconds) = self.expires_s {
            writeln!(f, "expires = {}", moment(seconds))?;
        }
        write_clauses(f, "match", &self.matches)?;
        write_clauses(f, "unless", &self.unless)
    }
}

/// As TOML writes it; of the few that are drawn.
fn moment(seconds: u64) -> &'static str {
    match seconds {
        1 => "1970-01-01T00:00:01Z",
        1_792_413_005 => "2026-10-19T12:30:05Z",
        1_792_413_006 => "2026-10-19T12:30:06Z",
        other => unreachable!("{other} is not drawn"),
    }
}

fn write_clauses(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    clauses: &BTreeMap<&'static str, Condition>,
) -> fmt::Result {
    let clauses: Vec<String> = clauses
        .iter()
        .map(|(fact, condition)| format!("\"{fact}\" = {condition}"))
        .collect();
    writeln!(f, "{key} = {{ {} }}", clauses.join(", "))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(scalar) => write!(f, "{scalar}"),
            Self::OneOf(scalars) => {
                let scalars: Vec<String> = scalars.iter().map(Scalar::to_string).collect();
                write!(f, "[{}]", scalars.join(", "))
            }
            Self::Prefix(text) => write!(f, "{{ prefix = {} }}", quoted(text)),
            Self::Suffix(text) => write!(f, "{{ suffix = {} }}", quoted(text)),
            Self::Contains(text) => write!(f, "{{ contains = {} }}", quoted(text)),
            Self::Glob(text) => write!(f, "{{ glob = {} }}", quoted(text)),
            Self::Regex(text) => write!(f, "{{ regex = {} }}", quoted(text)),
            Self::Cidr(range) => write!(f, "{{ cidr = \"{range}\" }}"),
            Self::Range(range) => write!(f, "{{ {range} }}"),
            Self::Exists(there) => write!(f, "{{ exists = {there} }}"),
            Self::Any(inner) => write!(f, "{{ any = {inner} }}"),
            Self::All(inner) => write!(f, "{{ all = {inner} }}"),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Other(other) => f.write_str(other),
        }
    }
}
