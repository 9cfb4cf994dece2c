//! The shape of a policy file, as TOML has it. Nothing here decides; [`crate::policy`] turns these
//! types into rules at once.
//!
//! Unknown keys are refused everywhere. Errors are the TOML reader's, with a span.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use crate::budget::{Most, Per};
use crate::form::Form;
use crate::tool::Role;
use crate::verdict::Verdict;

/// The version of the file format that this crate reads.
pub(crate) const VERSION: i64 = 1;

/// Why a text is not the file that it should be.
pub(crate) enum ReadFault {
    /// Broken TOML, a wrong type, an unknown or a missing key.
    Toml(toml::de::Error),
    /// A format that this program does not know.
    Version { found: String, span: Range<usize> },
}

impl ReadFault {
    pub(crate) fn span(&self) -> Range<usize> {
        match self {
            Self::Toml(error) => error.span().unwrap_or(0..0),
            Self::Version { span, .. } => span.clone(),
        }
    }
}

/// Reads a file. The version is looked at first, so that a file of a later format is called that,
/// and not a file with unknown keys; a missing one is named with whatever else is missing.
pub(crate) fn read_document<'a, T: Deserialize<'a>>(
    text: &'a str,
    version: i64,
) -> Result<T, ReadFault> {
    let document = DeTable::parse(text).map_err(ReadFault::Toml)?;
    let written = document.get_ref().get("version");
    if let Some(other) = written.filter(|written| integer(written.get_ref()) != Some(version)) {
        return Err(ReadFault::Version {
            found: text.get(other.span()).unwrap_or_default().to_owned(),
            span: other.span(),
        });
    }
    T::deserialize(toml::Deserializer::from(document)).map_err(ReadFault::Toml)
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A whole policy file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    #[serde(rename = "version")]
    pub(crate) _version: i64,
    pub(crate) name: Spanned<String>,
    #[serde(default)]
    pub(crate) doc: Option<String>,
    #[serde(default)]
    pub(crate) include: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) lists: BTreeMap<String, Spanned<Vec<Scalar>>>,
    #[serde(default, rename = "tool")]
    pub(crate) tools: Vec<Spanned<ToolFile>>,
    #[serde(default, rename = "budget")]
    pub(crate) budgets: Vec<Spanned<BudgetFile>>,
    #[serde(default, rename = "rule")]
    pub(crate) rules: Vec<Spanned<RuleFile>>,
}

/// One `[[tool]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolFile {
    pub(crate) name: String,
    #[serde(default, rename = "doc")]
    pub(crate) _doc: Option<String>,
    #[serde(default)]
    pub(crate) schema: Option<toml::Table>,
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, Role>,
}

/// One `[[budget]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetFile {
    pub(crate) id: Spanned<String>,
    pub(crate) per: Per,
    pub(crate) most: Spanned<Most>,
    #[serde(default = "deny")]
    pub(crate) effect: Verdict,
    pub(crate) reason: Spanned<String>,
    #[serde(default)]
    pub(crate) owner: Option<String>,
}

fn deny() -> Verdict {
    Verdict::Deny
}

/// Facts and the conditions on them, as `match` and `unless` have them.
pub(crate) type ClausesFile = BTreeMap<String, Spanned<ConditionFile>>;

/// One `[[rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleFile {
    pub(crate) id: Spanned<String>,
    pub(crate) effect: Verdict,
    #[serde(default)]
    pub(crate) run: Option<Spanned<String>>,
    #[serde(rename = "match")]
    pub(crate) matches: Spanned<ClausesFile>,
    #[serde(default)]
    pub(crate) unless: ClausesFile,
    #[serde(default)]
    pub(crate) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) expires: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub(crate) obligations: Option<Spanned<ObligationsFile>>,
    pub(crate) reason: Spanned<String>,
    #[serde(default)]
    pub(crate) owner: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) taint: Vec<Spanned<String>>,
    #[serde(default, rename = "test")]
    pub(crate) tests: Vec<Spanned<TestFile>>,
}

/// Whether a rule's effect counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The rule takes part in the verdict.
    #[default]
    Enforce,
    /// The rule is recorded where it would take effect, and changes no verdict.
    Shadow,
}

/// What a rule asks for beside its effect.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObligationsFile {
    #[serde(default)]
    pub(crate) limits: Option<CeilingsFile>,
    #[serde(default)]
    pub(crate) redact: Option<RedactFile>,
}

/// What a rule has taken out of the output.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedactFile {
    #[serde(default)]
    pub(crate) secrets: bool,
    #[serde(default)]
    pub(crate) patterns: Vec<String>,
}

/// Limits that a rule lowers, by the names that a profile has for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CeilingsFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stdin_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_bytes: Option<u64>,
}

/// One `[[rule.test]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestFile {
    pub(crate) call: CallFile,
    #[serde(default)]
    pub(crate) matches: Option<bool>,
    #[serde(default)]
    pub(crate) verdict: Option<Verdict>,
    #[serde(default)]
    pub(crate) now: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub(crate) state: StateFile,
}

/// The state of the session in a test, and what was used of the budgets.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateFile {
    #[serde(default)]
    pub(crate) calls: u64,
    #[serde(default)]
    pub(crate) turn_calls: u64,
    #[serde(default)]
    pub(crate) age_s: u64,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, LabelFile>,
    #[serde(default)]
    pub(crate) used: BTreeMap<String, UsedFile>,
}

/// A label in a test.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelFile {
    #[serde(default = "one_time")]
    pub(crate) count: u64,
    #[serde(default)]
    pub(crate) age_s: u64,
}

fn one_time() -> u64 {
    1
}

/// What was used of a budget in a test.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsedFile {
    #[serde(default)]
    pub(crate) calls: u64,
    #[serde(default)]
    pub(crate) cpu_ms: u64,
    #[serde(default)]
    pub(crate) output_bytes: u64,
    #[serde(default)]
    pub(crate) hosts: BTreeSet<String>,
}

/// The call of a test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallFile {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) arguments: toml::Table,
    #[serde(default)]
    pub(crate) principal: Option<String>,
    #[serde(default)]
    pub(crate) session: Option<String>,
}

/// A value that a fact is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
}

/// A condition on one fact. `= "x"` and `equals` are an [`Self::AnyOf`] of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConditionFile {
    AnyOf(Vec<Scalar>),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Glob(String),
    Regex(String),
    /// Ranges of addresses, one or several.
    Cidr(Vec<String>),
    Range {
        min: Option<Scalar>,
        max: Option<Scalar>,
    },
    Exists(bool),
    /// Some element of an array.
    Any(Box<ConditionFile>),
    /// Every element of an array.
    All(Box<ConditionFile>),
    /// Of a form of the text.
    Form(Form, Box<ConditionFile>),
    /// One of a named list; becomes an [`Self::AnyOf`] before it is compiled.
    List(String),
}

impl Scalar {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Float(_) | Self::Bool(_) => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Integer(integer) => json!(integer),
            Self::Float(float) => json!(float),
            Self::Bool(truth) => json!(truth),
        }
    }
}

impl ConditionFile {
    /// What the condition means, for digests: one form for every way of writing it.
    pub(crate) fn meaning(&self) -> Value {
        match self {
            Self::AnyOf(scalars) => {
                json!({"any_of": scalars.iter().map(Scalar::to_value).collect::<Vec<_>>()})
            }
            Self::Prefix(text) => json!({"prefix": text}),
            Self::Suffix(text) => json!({"suffix": text}),
            Self::Contains(text) => json!({"contains": text}),
            Self::Glob(text) => json!({"glob": text}),
            Self::Regex(text) => json!({"regex": text}),
            Self::Cidr(texts) => json!({"cidr": texts}),
            Self::Range { min, max } => json!({
                "min": min.as_ref().map(Scalar::to_value),
                "max": max.as_ref().map(Scalar::to_value),
            }),
            Self::Exists(there) => json!({"exists": there}),
            Self::Any(inner) => json!({"any": inner.meaning()}),
            Self::All(inner) => json!({"all": inner.meaning()}),
            Self::Form(form, inner) => json!({form.as_str(): inner.meaning()}),
            Self::List(name) => json!({"list": name}),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

impl fmt::Display for ConditionFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOf(scalars) => {
                let words: Vec<String> = scalars.iter().map(Scalar::to_string).collect();
                match words.as_slice() {
                    [one] => write!(f, "equals {one}"),
                    several => write!(f, "is any of {}", several.join(", ")),
                }
            }
            Self::Prefix(text) => write!(f, "begins with {}", json!(text)),
            Self::Suffix(text) => write!(f, "ends with {}", json!(text)),
            Self::Contains(text) => write!(f, "contains {}", json!(text)),
            Self::Glob(text) => write!(f, "fits the glob {}", json!(text)),
            Self::Regex(text) => write!(f, "fits the regex {}", json!(text)),
            Self::Cidr(texts) => write!(
                f,
                "is an address in {}",
                crate::text::quote_all(texts.iter().map(String::as_str))
            ),
            Self::Range { min, max } => match (min, max) {
                (Some(min), Some(max)) => write!(f, "is from {min} to {max}"),
                (Some(min), None) => write!(f, "is at least {min}"),
                (None, Some(max)) => write!(f, "is at most {max}"),
                (None, None) => f.write_str("is a number"),
            },
            Self::Exists(true) => f.write_str("exists"),
            Self::Exists(false) => f.write_str("does not exist"),
            Self::Any(inner) => write!(f, "has an element that {inner}"),
            Self::All(inner) => write!(f, "has only elements of which each {inner}"),
            Self::Form(Form::Nfkc, inner) => write!(f, "in NFKC {inner}"),
            Self::Form(Form::Skeleton, inner) => write!(f, "as a skeleton {inner}"),
            Self::List(name) => write!(f, "is in the list {}", crate::text::quote(name)),
        }
    }
}

// ---- reading a condition, by hand because serde's untagged enums give no useful message ---------

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(integer))
    }

    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<Scalar, E> {
        if float.is_finite() {
            Ok(Scalar::Float(float))
        } else {
            Err(E::custom(
                "`nan` and `inf` compare with nothing; write a finite number",
            ))
        }
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(truth))
    }
}

impl<'de> Deserialize<'de> for ConditionFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConditionVisitor)
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = ConditionFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a string, number, boolean, array of these, or a table such as { prefix = \"…\" }",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ConditionFile, E> {
        one(ScalarVisitor.visit_str(text))
    }

    fn visit_i64<E: serde::de::Error>(self, integer: i64) -> Result<ConditionFile, E> {
        one(ScalarVisitor.visit_i64(integer))
    }

    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<ConditionFile, E> {
        one(ScalarVisitor.visit_f64(float))
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<ConditionFile, E> {
        one(ScalarVisitor.visit_bool(truth))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ConditionFile, A::Error> {
        let mut scalars = Vec::new();
        while let Some(scalar) = items.next_element()? {
            scalars.push(scalar);
        }
        Ok(ConditionFile::AnyOf(scalars))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConditionFile, A::Error> {
        let mut condition = None;
        while let Some(word) = map.next_key::<String>()? {
            let next = table_condition(&word, &mut map)?;
            condition = Some(match condition {
                None => next,
                Some(first) => join_range(first, next).map_err(A::Error::custom)?,
            });
        }
        condition.ok_or_else(|| {
            A::Error::custom("the condition is empty; write one, such as { exists = true }")
        })
    }
}

fn one<E>(scalar: Result<Scalar, E>) -> Result<ConditionFile, E> {
    scalar.map(|scalar| ConditionFile::AnyOf(vec![scalar]))
}

fn table_condition<'de, A: MapAccess<'de>>(
    word: &str,
    map: &mut A,
) -> Result<ConditionFile, A::Error> {
    Ok(match word {
        "equals" => ConditionFile::AnyOf(vec![map.next_value()?]),
        "any_of" => ConditionFile::AnyOf(map.next_value()?),
        "prefix" => ConditionFile::Prefix(map.next_value()?),
        "suffix" => ConditionFile::Suffix(map.next_value()?),
        "contains" => ConditionFile::Contains(map.next_value()?),
        "glob" => ConditionFile::Glob(map.next_value()?),
        "regex" => ConditionFile::Regex(map.next_value()?),
        "cidr" => ConditionFile::Cidr(map.next_value::<OneOrMany>()?.0),
        "min" => ConditionFile::Range {
            min: Some(map.next_value()?),
            max: None,
        },
        "max" => ConditionFile::Range {
            min: None,
            max: Some(map.next_value()?),
        },
        "exists" => ConditionFile::Exists(map.next_value()?),
        "any" => ConditionFile::Any(Box::new(map.next_value()?)),
        "all" => ConditionFile::All(Box::new(map.next_value()?)),
        "nfkc" => ConditionFile::Form(Form::Nfkc, Box::new(map.next_value()?)),
        "skeleton" => ConditionFile::Form(Form::Skeleton, Box::new(map.next_value()?)),
        "list" => ConditionFile::List(map.next_value()?),
        _ => return Err(A::Error::custom(UnknownCondition(word))),
    })
}

/// A text, or a list of texts.
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            texts.push(text);
        }
        Ok(OneOrMany(texts))
    }
}

/// `min` and `max` are the only two conditions that may stand in one table.
fn join_range(first: ConditionFile, second: ConditionFile) -> Result<ConditionFile, &'static str> {
    match (first, second) {
        (
            ConditionFile::Range {
                min: Some(min),
                max: None,
            },
            ConditionFile::Range {
                min: None,
                max: Some(max),
            },
        )
        | (
            ConditionFile::Range {
                min: None,
                max: Some(max),
            },
            ConditionFile::Range {
                min: Some(min),
                max: None,
            },
        ) => Ok(ConditionFile::Range {
            min: Some(min),
            max: Some(max),
        }),
        _ => Err(
            "one table holds one condition, or `min` and `max`; put the other in a rule of its own",
        ),
    }
}

struct UnknownCondition<'a>(&'a str);

impl fmt::Display for UnknownCondition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown condition {}; use equals, any_of, prefix, suffix, contains, glob, regex, cidr, min, max, exists, any, all, nfkc, skeleton or list, and put the path of a fact in quotes: \"arguments.key\" = …",
            crate::text::quote(self.0)
        )
    }
}
