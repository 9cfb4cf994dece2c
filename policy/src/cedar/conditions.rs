//! Conditions on facts, each as when it certainly and when it possibly holds.
//!
//! Follows what `condition.rs` and `when.rs` do with a fact that is absent, of another type, or
//! behind something that is no object. A condition that Cedar has no words for is an error with the
//! reason.

use std::ops::Not;

use super::expression::{Expr, literal, pattern, set};
use crate::condition::{Clause, Values};
use crate::fact::FactPath;
use crate::file::{ConditionFile, Scalar};
use crate::rule::Rule;
use crate::text::quote;
use crate::when::{Comparison, Operand, Test, When};

/// When something certainly holds, and when it possibly does.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) certain: Expr,
    pub(super) possible: Expr,
}

/// What a fact is, as far as that is the same for every call.
enum Known {
    /// Text, and there.
    Text,
    /// Text wherever it is there.
    TextOrAbsent,
    /// A number or text of this type, or unknown.
    OrUnknown,
    /// Anything, with the names of the objects that it lies in.
    Argument(Vec<String>),
}

/// When a rule's conditions hold.
pub(super) fn rule_reach(rule: &Rule) -> Result<Reach, String> {
    let matches = rule.matches.iter().map(clause_reach);
    let unless = rule
        .unless
        .iter()
        .map(|clause| clause_reach(clause).map(Reach::not));
    let when = rule.when.iter().map(when_reach);
    let all: Vec<Reach> = matches
        .chain(unless)
        .chain(when)
        .collect::<Result<_, _>>()?;
    Ok(Reach::all(all))
}

fn clause_reach(clause: &Clause) -> Result<Reach, String> {
    let name = clause.fact.to_string();
    let known = known(&clause.fact)?;
    let on = |why: &str| format!("{} on {}", why, quote(&name));
    match &clause.source {
        ConditionFile::AnyOf(scalars) => Ok(one_of(&name, &known, scalars)),
        ConditionFile::Prefix(text) => Ok(like(&name, &known, &pattern(&[text, ""]))),
        ConditionFile::Suffix(text) => Ok(like(&name, &known, &pattern(&["", text]))),
        ConditionFile::Contains(text) => Ok(like(&name, &known, &pattern(&["", text, ""]))),
        ConditionFile::Glob(glob) => glob_pattern(&clause.fact, glob)
            .map(|pattern| like(&name, &known, &pattern))
            .ok_or_else(|| {
                on("Cedar's `like` has no word for this glob, whose `*` or `?` stops at `/`,")
            }),
        ConditionFile::Range { min, max } => range(&name, &known, min.as_ref(), max.as_ref())
            .ok_or_else(|| on("a bound that is no 64-bit integer")),
        ConditionFile::Exists(there) => {
            let exists = exists(&name, &known);
            Ok(if *there { exists } else { exists.not() })
        }
        ConditionFile::Cidr(_) => Err(on(
            "Cedar knows addresses as a type of their own, and this asks a text for a network",
        )),
        ConditionFile::Regex(_) => Err(on("Cedar has no regular expressions, which this asks for")),
        ConditionFile::Form(..) => Err(on(
            "Cedar compares texts as they are, and this asks for another form of one",
        )),
        ConditionFile::Any(_) | ConditionFile::All(_) => Err(on(
            "Cedar cannot ask each element of an array, as this does",
        )),
        ConditionFile::List(_) => Err(on("a list that is not written out")),
    }
}

fn known(fact: &FactPath) -> Result<Known, String> {
    match fact {
        FactPath::Tool | FactPath::Principal => Ok(Known::Text),
        FactPath::Session => Ok(Known::TextOrAbsent),
        FactPath::Time(_) => Ok(Known::OrUnknown),
        FactPath::SessionState(_) => Err(format!(
            "{} is the state of a session, which a Cedar request does not hold",
            quote(&fact.to_string())
        )),
        FactPath::Arguments(keys) => {
            let above = (1..keys.len()).filter_map(|length| keys.get(..length));
            let names = above.map(|keys| FactPath::Arguments(keys.to_vec()).to_string());
            Ok(Known::Argument(names.collect()))
        }
        FactPath::Atom(..) | FactPath::Reading(..) => Err(format!(
            "{} is a fact of the analysis, which a Cedar request does not hold",
            quote(&fact.to_string())
        )),
    }
}

// ---- conditions ---------------------------------------------------------------------------------

fn has(kind: &str, name: &str) -> Expr {
    Expr::test(format!("context.{kind} has {}", literal(name)))
}

fn test(kind: &str, name: &str, rest: &str) -> Expr {
    Expr::test(format!("context.{kind}[{}] {rest}", literal(name)))
}

impl Known {
    /// When the fact is there or hidden, and none of the types that were asked before.
    fn unanswered(&self, name: &str) -> Expr {
        match self {
            Self::Text | Self::TextOrAbsent => Expr::False,
            Self::OrUnknown => Expr::True,
            Self::Argument(above) => {
                let mut names = vec![literal(name)];
                names.extend(above.iter().map(|name| literal(name)));
                let leaf = match names.as_slice() {
                    [one] => format!("context.leaves.contains({one})"),
                    several => format!("context.leaves.containsAny({})", set(several)),
                };
                Expr::any([
                    Expr::test(leaf),
                    Expr::test(format!("context.objects.contains({})", literal(name))),
                ])
            }
        }
    }

    fn has_text(&self, name: &str) -> Expr {
        match self {
            Self::Text => Expr::True,
            Self::TextOrAbsent | Self::OrUnknown | Self::Argument(_) => has("text", name),
        }
    }

    fn is_always_text(&self) -> bool {
        matches!(self, Self::Text | Self::TextOrAbsent)
    }
}

/// A question to a text; every other type leaves it open.
fn of_text(name: &str, known: &Known, asked: Expr) -> Reach {
    Reach {
        certain: Expr::all([known.has_text(name), asked.clone()]),
        possible: Expr::when(known.has_text(name), asked, known.unanswered(name)),
    }
}

fn like(name: &str, known: &Known, pattern: &str) -> Reach {
    of_text(name, known, test("text", name, &format!("like {pattern}")))
}

/// A question to a number; every other type leaves it open.
fn of_number(name: &str, known: &Known, asked: Expr) -> Reach {
    Reach {
        certain: Expr::all([has("number", name), asked.clone()]),
        possible: Expr::when(has("number", name), asked, known.unanswered(name)),
    }
}

fn one_of(name: &str, known: &Known, scalars: &[Scalar]) -> Reach {
    let listed = Listed::of(scalars);
    let is_text = listed
        .texts
        .as_ref()
        .map(|texts| test_set("text", name, texts));
    let is_number = listed
        .numbers
        .as_ref()
        .map(|numbers| test_set("number", name, numbers));
    let is_truth = listed
        .truths
        .as_ref()
        .map(|truths| test_set("truth", name, truths));
    let certain = [
        is_text
            .clone()
            .map(|asked| Expr::all([known.has_text(name), asked])),
        is_number
            .clone()
            .map(|asked| Expr::all([has("number", name), asked])),
        is_truth
            .clone()
            .map(|asked| Expr::all([has("truth", name), asked])),
    ];
    let mut possible = known.unanswered(name);
    if let Some(asked) = is_truth {
        possible = Expr::when(has("truth", name), asked, possible);
    }
    if let Some(asked) = is_number {
        possible = Expr::when(has("number", name), asked, possible);
    }
    if let Some(asked) = is_text {
        possible = Expr::when(known.has_text(name), asked, possible);
    }
    Reach {
        certain: Expr::any(certain.into_iter().flatten()),
        possible,
    }
}

/// The values of a list by their types; none where no value is of the type, which leaves the
/// question open.
struct Listed {
    texts: Option<Vec<String>>,
    numbers: Option<Vec<String>>,
    truths: Option<Vec<String>>,
}

impl Listed {
    fn of(scalars: &[Scalar]) -> Self {
        let mut listed = Self {
            texts: None,
            numbers: None,
            truths: None,
        };
        for scalar in scalars {
            match scalar {
                Scalar::Text(text) => listed.texts.get_or_insert_default().push(literal(text)),
                Scalar::Bool(truth) => listed
                    .truths
                    .get_or_insert_default()
                    .push(truth.to_string()),
                // A fraction is a number that no integer equals.
                Scalar::Integer(_) | Scalar::Float(_) => listed
                    .numbers
                    .get_or_insert_default()
                    .extend(integer(scalar).map(|integer| integer.to_string())),
            }
        }
        listed
    }
}

fn test_set(kind: &str, name: &str, values: &[String]) -> Expr {
    match values {
        [] => Expr::False,
        [one] => test(kind, name, &format!("== {one}")),
        several => Expr::test(format!(
            "{}.contains(context.{kind}[{}])",
            set(several),
            literal(name)
        )),
    }
}

fn range(name: &str, known: &Known, min: Option<&Scalar>, max: Option<&Scalar>) -> Option<Reach> {
    let mut bounds = Vec::new();
    if let Some(min) = min {
        bounds.push(test("number", name, &format!(">= {}", integer(min)?)));
    }
    if let Some(max) = max {
        bounds.push(test("number", name, &format!("<= {}", integer(max)?)));
    }
    Some(of_number(name, known, Expr::all(bounds)))
}

/// An integer, also one that is written as a float.
fn integer(scalar: &Scalar) -> Option<i64> {
    /// Beyond this, floats are not exact.
    const MOST: f64 = 9_007_199_254_740_992.0;
    match scalar {
        Scalar::Integer(integer) => Some(*integer),
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        Scalar::Float(float) if float.fract() == 0.0 && float.abs() < MOST => Some(*float as i64),
        Scalar::Float(_) | Scalar::Text(_) | Scalar::Bool(_) => None,
    }
}

fn exists(name: &str, known: &Known) -> Reach {
    let is_there = match known {
        Known::Text => Expr::True,
        Known::TextOrAbsent => has("text", name),
        Known::OrUnknown => Expr::any([has("text", name), has("number", name)]),
        Known::Argument(_) => Expr::any([
            Expr::test(format!("context.leaves.contains({})", literal(name))),
            Expr::test(format!("context.objects.contains({})", literal(name))),
        ]),
    };
    Reach {
        possible: match known {
            Known::Text | Known::TextOrAbsent => is_there.clone(),
            Known::OrUnknown | Known::Argument(_) => known.unanswered(name),
        },
        certain: is_there,
    }
}

/// A glob as a pattern of `like`, if it means the same: without wildcards, with `/**` at its end, or
/// on a tool's name, in which no `/` can stand that a `*` would stop at.
fn glob_pattern(fact: &FactPath, glob: &str) -> Option<String> {
    const SPECIAL: [char; 8] = ['?', '[', ']', '{', '}', '\\', '!', ','];
    if glob.contains(SPECIAL) {
        return None;
    }
    if *fact == FactPath::Tool && !glob.contains('/') {
        let parts: Vec<&str> = glob.split('*').collect();
        return Some(pattern(&parts));
    }
    let (plain, tail) = match glob.strip_suffix("/**") {
        Some(plain) if !plain.is_empty() => (format!("{plain}/"), &[""][..]),
        Some(_) | None => (glob.to_owned(), &[][..]),
    };
    let parts: Vec<&str> = std::iter::once(plain.as_str())
        .chain(tail.iter().copied())
        .collect();
    (!plain.contains('*')).then(|| pattern(&parts))
}

// ---- when ---------------------------------------------------------------------------------------

fn when_reach(when: &When) -> Result<Reach, String> {
    match when {
        When::And(parts) => parts
            .iter()
            .map(when_reach)
            .collect::<Result<_, _>>()
            .map(Reach::all),
        When::Or(parts) => {
            let parts: Vec<Reach> = parts.iter().map(when_reach).collect::<Result<_, _>>()?;
            Ok(Reach::all(parts.into_iter().map(Reach::not).collect()).not())
        }
        When::Not(part) => when_reach(part).map(Reach::not),
        When::Test(test) => test_reach(test)
            .map_err(|why| format!("{why}, in its `when` ({})", quote(&test.to_string()))),
    }
}

fn test_reach(test: &Test) -> Result<Reach, String> {
    match test {
        Test::Exists(fact) => Ok(exists(&fact.to_string(), &known(fact)?)),
        Test::In(Operand::Fact(fact), values) => Ok(one_of(
            &fact.to_string(),
            &known(fact)?,
            Values::as_slice(values),
        )),
        Test::Compare(Operand::Fact(fact), how, Operand::Value(value)) => {
            compare(fact, *how, value)
        }
        Test::Compare(Operand::Value(value), how, Operand::Fact(fact)) => flipped(*how)
            .ok_or_else(|| "Cedar's `like` takes no pattern from a request".to_owned())
            .and_then(|how| compare(fact, how, value)),
        Test::Compare(Operand::Fact(_), _, Operand::Fact(_)) => {
            Err("two facts are compared, whose types Cedar cannot ask for together".to_owned())
        }
        Test::Compare(Operand::Value(_), _, Operand::Value(_)) | Test::In(Operand::Value(_), _) => {
            Err("no fact is asked for".to_owned())
        }
    }
}

fn flipped(how: Comparison) -> Option<Comparison> {
    match how {
        Comparison::Equal | Comparison::NotEqual => Some(how),
        Comparison::Less => Some(Comparison::Greater),
        Comparison::AtMost => Some(Comparison::AtLeast),
        Comparison::Greater => Some(Comparison::Less),
        Comparison::AtLeast => Some(Comparison::AtMost),
        Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => None,
    }
}

fn compare(fact: &FactPath, how: Comparison, value: &Scalar) -> Result<Reach, String> {
    let name = fact.to_string();
    let known = known(fact)?;
    let one = std::slice::from_ref(value);
    let ordered = |sign: &str| {
        let bound = integer(value).ok_or_else(|| "a bound that is no 64-bit integer".to_owned())?;
        Ok(of_number(
            &name,
            &known,
            test("number", &name, &format!("{sign} {bound}")),
        ))
    };
    let searched = |before: &str, after: &str| {
        let text = value
            .as_text()
            .ok_or_else(|| "what is searched for is no text".to_owned())?;
        let parts: Vec<&str> = [before, text, after]
            .into_iter()
            .enumerate()
            .filter(|(at, part)| *at == 1 || *part == "*")
            .map(|(at, part)| if at == 1 { part } else { "" })
            .collect();
        Ok(like(&name, &known, &pattern(&parts)))
    };
    match how {
        Comparison::Equal => Ok(one_of(&name, &known, one)),
        Comparison::NotEqual => Ok(one_of(&name, &known, one).not()),
        Comparison::Less => ordered("<"),
        Comparison::AtMost => ordered("<="),
        Comparison::Greater => ordered(">"),
        Comparison::AtLeast => ordered(">="),
        Comparison::StartsWith => searched("", "*"),
        Comparison::EndsWith => searched("*", ""),
        Comparison::Contains if known.is_always_text() => searched("*", "*"),
        Comparison::Contains => {
            Err("the fact can be an array, whose elements Cedar cannot compare so".to_owned())
        }
    }
}

// ---- three truths in two ------------------------------------------------------------------------

impl Reach {
    /// A test on a number that is there or unknown.
    pub(super) fn number(name: &str, rest: &str) -> Self {
        of_number(name, &Known::OrUnknown, test("number", name, rest))
    }

    fn all(parts: Vec<Self>) -> Self {
        let (certain, possible): (Vec<Expr>, Vec<Expr>) = parts
            .into_iter()
            .map(|reach| (reach.certain, reach.possible))
            .unzip();
        Self {
            certain: Expr::all(certain),
            possible: Expr::all(possible),
        }
    }
}

impl Not for Reach {
    type Output = Self;

    fn not(self) -> Self {
        Self {
            certain: self.possible.negate(),
            possible: self.certain.negate(),
        }
    }
}
