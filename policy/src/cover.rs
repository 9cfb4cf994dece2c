//! Proofs that one rule takes effect wherever another does.
//!
//! Read off the conditions, so nothing is claimed that only looks so: false here means "not
//! proved", never "not so". Cannot fail.

use crate::condition::{Clause, Truth};
use crate::fact::Fact;
use crate::file::{ConditionFile, Mode, Scalar};
use crate::rule::{Effect, Rule};
use crate::verdict::Verdict;

/// What is asked of a proof: an allow takes effect when its conditions are true, a hold or deny as
/// soon as they are not false.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// From true to true.
    Certain,
    /// From true to not false.
    Loose,
    /// From not false to not false.
    Possible,
}

/// Whether `other` takes effect wherever `rule` does, and counts.
pub(crate) fn covers(other: &Rule, rule: &Rule) -> bool {
    let step = match (rule.effect(), other.effect()) {
        (Verdict::Allow, Verdict::Allow) => Step::Certain,
        (Verdict::Allow, Verdict::Hold | Verdict::Deny) => Step::Loose,
        (Verdict::Hold | Verdict::Deny, Verdict::Hold | Verdict::Deny) => Step::Possible,
        (Verdict::Hold | Verdict::Deny, Verdict::Allow) => return false,
    };
    let follows = |wanted: &Clause| {
        let given = rule
            .matches
            .iter()
            .filter(|given| given.fact == wanted.fact);
        given.into_iter().any(|given| implies(given, wanted, step))
    };
    let kinds_fit = match (rule.effect(), other.effect()) {
        // What an allow covers, the other must cover too, and nothing is covered in passing.
        (Verdict::Allow, Verdict::Allow) => other.kinds() == rule.kinds(),
        // An allow takes effect when it covers one atom of any of its kinds.
        (Verdict::Allow, Verdict::Hold | Verdict::Deny) => {
            other.kinds().is_empty() || (other.kinds() == rule.kinds() && rule.kinds().len() == 1)
        }
        (Verdict::Hold | Verdict::Deny, _) => true,
    };
    let excepted = |exception: &Clause| {
        let same = |clause: &&Clause| clause.fact == exception.fact;
        rule.unless
            .iter()
            .filter(same)
            .any(|clause| clause.source == exception.source)
    };
    kinds_fit
        && other.mode() == Mode::Enforce
        && other
            .when
            .as_ref()
            .is_none_or(|when| rule.when.as_ref() == Some(when))
        && lives_as_long(other, rule)
        && other.matches.iter().all(follows)
        && other.unless.iter().all(excepted)
}

/// Whether taking `rule` away would change no verdict and no grant because `other` is there.
pub(crate) fn replaces(other: &Rule, rule: &Rule) -> bool {
    let same_authority = match (&rule.effect, &other.effect) {
        (Effect::Allow(a), Effect::Allow(b)) => {
            a.rank() == b.rank() && rule.ceiling() == other.ceiling()
        }
        (Effect::Hold, Effect::Hold) => rule.ceiling() == other.ceiling(),
        (Effect::Hold | Effect::Deny, Effect::Deny) => true,
        (Effect::Allow(_), Effect::Hold | Effect::Deny)
        | (Effect::Hold, Effect::Allow(_))
        | (Effect::Deny, Effect::Allow(_) | Effect::Hold) => false,
    };
    same_authority && rule.mode() == Mode::Enforce && covers(other, rule)
}

/// Whether the rule can never take effect because an exception holds wherever its condition does.
pub(crate) fn excludes_itself(rule: &Rule) -> Option<&Clause> {
    rule.unless.iter().find(|exception| {
        let same = rule
            .matches
            .iter()
            .filter(|given| given.fact == exception.fact);
        // What is unknown still lets a hold or deny take effect, unless the fact is always text.
        let known = rule.effect() == Verdict::Allow || exception.fact.is_always_text();
        let alone = match exception.fact.kind() {
            Some(_) => rule.kinds().len() == 1,
            None => true,
        };
        known
            && alone
            && same
                .into_iter()
                .any(|given| implies(given, exception, Step::Certain))
    })
}

/// Only allows end by themselves.
fn lives_as_long(other: &Rule, rule: &Rule) -> bool {
    match (&other.effect, other.expires_us(), rule.expires_us()) {
        (Effect::Hold | Effect::Deny, _, _) | (_, None, _) => true,
        (Effect::Allow(_), Some(_), None) => false,
        (Effect::Allow(_), Some(other), Some(rule)) => rule <= other,
    }
}

fn implies(given: &Clause, wanted: &Clause, step: Step) -> bool {
    if given.source == wanted.source {
        return true;
    }
    match step {
        Step::Certain => from_true(given, wanted, |truth| truth == Truth::True),
        Step::Loose => from_true(given, wanted, |truth| truth != Truth::False),
        Step::Possible => {
            from_true(given, wanted, |truth| truth != Truth::False)
                && answers(&wanted.source).within(answers(&given.source))
        }
    }
}

/// Whether `wanted` has a truth that is `enough` for every fact that `given` is true of.
fn from_true(given: &Clause, wanted: &Clause, enough: fn(Truth) -> bool) -> bool {
    use ConditionFile::{Contains, Exists, Prefix, Range, Suffix};
    match (&given.source, &wanted.source) {
        (ConditionFile::AnyOf(scalars), _) => scalars
            .iter()
            .map(Scalar::to_value)
            .all(|value| enough(wanted.condition.truth(Fact::of_value(&value)))),
        (Exists(_), _) => false,
        (_, Exists(there)) => *there,
        (Prefix(given), Prefix(wanted)) => given.starts_with(wanted),
        (Suffix(given), Suffix(wanted)) => given.ends_with(wanted),
        (Prefix(given) | Suffix(given) | Contains(given), Contains(wanted)) => {
            given.contains(wanted)
        }
        (Range { min, max }, Range { .. }) => [min, max].into_iter().all(|bound| {
            let value = bound.as_ref().map(Scalar::to_value);
            value.is_some_and(|value| wanted.condition.truth(Fact::of_value(&value)) == Truth::True)
        }),
        (_, _) => false,
    }
}

/// The kinds of fact that a condition has an answer for; to others it is unknown.
#[derive(Clone, Copy, Default)]
struct Answers {
    text: bool,
    long_text: bool,
    number: bool,
    truth: bool,
    array: bool,
}

impl Answers {
    fn within(self, other: Self) -> bool {
        (!self.text || other.text)
            && (!self.long_text || other.long_text)
            && (!self.number || other.number)
            && (!self.truth || other.truth)
            && (!self.array || other.array)
    }
}

fn answers(source: &ConditionFile) -> Answers {
    let none = Answers::default();
    match source {
        ConditionFile::AnyOf(scalars) => scalars.iter().fold(none, |all, scalar| match scalar {
            Scalar::Text(_) => Answers {
                text: true,
                long_text: true,
                ..all
            },
            Scalar::Integer(_) | Scalar::Float(_) => Answers {
                number: true,
                ..all
            },
            Scalar::Bool(_) => Answers { truth: true, ..all },
        }),
        ConditionFile::Prefix(_)
        | ConditionFile::Suffix(_)
        | ConditionFile::Contains(_)
        | ConditionFile::Glob(_)
        | ConditionFile::Regex(_) => Answers { text: true, ..none },
        ConditionFile::Range { .. } => Answers {
            number: true,
            ..none
        },
        // Only what is an address: no kind of fact has an answer as a whole.
        ConditionFile::Cidr(_) => none,
        ConditionFile::Any(_) | ConditionFile::All(_) => Answers {
            array: true,
            ..none
        },
        // Has an answer to everything, and it is yes to all that is there; lists are written out.
        ConditionFile::Exists(_) | ConditionFile::List(_) => none,
    }
}
