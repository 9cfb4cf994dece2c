//! What must hold of a call, as a tree of questions about facts: that a rule takes effect or does
//! not, that a call fits into a profile or does not.
//!
//! Every goal has an exact opposite. A question that compares two facts cannot be put to a region;
//! it stays a goal and is asked of each model. Cannot fail.

use std::rc::Rc;

use super::meaning::{Meaning, Want, negates};
use super::space::{FactId, Key, Space, argument};
use crate::condition::{Clause, Num};
use crate::context::Scene;
use crate::fact::FactPath;
use crate::facts::Kind;
use crate::file::Scalar;
use crate::grant::CODE_TOOL;
use crate::profile::{Limits, Profile};
use crate::rule::{Effect, Rule};
use crate::tool::{COMMAND_TOOL, REQUEST_TOOL, Role};
use crate::when::{Operand, Test, When};

/// Something that must hold.
#[derive(Debug, Clone)]
pub(super) enum Goal<'p> {
    All(Vec<Rc<Goal<'p>>>),
    Any(Vec<Rc<Goal<'p>>>),
    /// A question about one fact.
    Fact(FactId, Rc<Meaning>, Want),
    /// A question about two facts.
    Test(&'p Test, Want),
}

impl<'p> Goal<'p> {
    pub(super) fn opposite(&self) -> Self {
        let each = |goals: &[Rc<Self>]| goals.iter().map(|goal| Rc::new(goal.opposite())).collect();
        match self {
            Self::All(goals) => Self::Any(each(goals)),
            Self::Any(goals) => Self::All(each(goals)),
            Self::Fact(id, meaning, want) => Self::Fact(*id, Rc::clone(meaning), want.otherwise()),
            Self::Test(test, want) => Self::Test(test, want.otherwise()),
        }
    }

    /// Whether it holds of one call.
    pub(super) fn holds(&self, space: &Space, scene: Scene<'_>) -> bool {
        match self {
            Self::All(goals) => goals.iter().all(|goal| goal.holds(space, scene)),
            Self::Any(goals) => goals.iter().any(|goal| goal.holds(space, scene)),
            Self::Fact(id, meaning, want) => want.takes(meaning.truth(space.fact(*id, scene))),
            Self::Test(test, want) => want.takes(test.truth(scene)),
        }
    }
}

/// Makes goals of rules, and the facts for them.
pub(super) struct Goals<'s> {
    pub(super) space: &'s mut Space,
}

impl Goals<'_> {
    /// That a rule takes effect: what it says of the call as a whole, and for a hold or deny that
    /// there is an atom of each kind that it speaks of, for an allow that it covers one.
    pub(super) fn takes_effect<'p>(&mut self, rule: &'p Rule) -> Goal<'p> {
        let want = wanted(rule);
        let mut goals = self.clauses(rule, None, want);
        goals.extend(rule.when.iter().map(|when| Rc::new(self.when(when, want))));
        if let (Effect::Allow(_), Some(expires_us)) = (&rule.effect, rule.expires_us()) {
            let id = self.space.id(&Key::Now);
            let meaning = Rc::new(Meaning::of_before(expires_us));
            goals.push(Rc::new(Goal::Fact(id, meaning, Want::True)));
        }
        let touched: Vec<_> = self
            .touched(rule)
            .into_iter()
            .map(|(_, goal)| goal)
            .collect();
        match rule.effect {
            Effect::Allow(_) if touched.is_empty() => {}
            Effect::Allow(_) => goals.push(Rc::new(Goal::Any(touched))),
            Effect::Hold | Effect::Deny => goals.extend(touched),
        }
        Goal::All(goals)
    }

    /// For each kind that a rule speaks of: that there is an atom that it means.
    pub(super) fn touched<'p>(&mut self, rule: &'p Rule) -> Vec<(Kind, Rc<Goal<'p>>)> {
        let kinds: Vec<Kind> = rule.kinds().iter().collect();
        let goals = kinds.into_iter().map(|kind| {
            let mut goals = vec![self.present(kind)];
            goals.extend(self.clauses(rule, Some(kind), wanted(rule)));
            (kind, Rc::new(Goal::All(goals)))
        });
        goals.collect()
    }

    fn clauses<'p>(&mut self, rule: &Rule, kind: Option<Kind>, want: Want) -> Vec<Rc<Goal<'p>>> {
        let meant = |clause: &&Clause| clause.fact.kind() == kind;
        let matches = rule
            .matches
            .iter()
            .filter(meant)
            .map(|clause| (clause, want));
        let unless = rule.unless.iter().filter(meant);
        let all = matches.chain(unless.map(|clause| (clause, want.negated())));
        all.map(|(clause, want)| Rc::new(self.clause(clause, want)))
            .collect()
    }

    /// That there is an atom of a kind.
    pub(super) fn present<'p>(&mut self, kind: Kind) -> Rc<Goal<'p>> {
        let id = self.space.id(&Key::Atom(kind));
        Rc::new(Goal::Fact(
            id,
            Rc::new(Meaning::of_presence(true)),
            Want::True,
        ))
    }

    /// That there is an atom of a kind that an allow must cover.
    pub(super) fn must_be_covered<'p>(&mut self, kind: Kind) -> Goal<'p> {
        let mut goals = vec![self.present(kind)];
        let field = match kind {
            Kind::Assignment => Some(("influence", "code", Want::True)),
            Kind::Command => Some(("kind", "function", Want::NotTrue)),
            Kind::Redirect
            | Kind::Opaque
            | Kind::Host
            | Kind::Path
            | Kind::Snippet
            | Kind::Secret
            | Kind::Unicode
            | Kind::Encoding => None,
        };
        if let Some((name, text, want)) = field
            && let Some(field) = kind.fields().iter().find(|field| field.name == name)
        {
            let id = self.space.id(&Key::Fact(FactPath::Atom(kind, field)));
            goals.push(Rc::new(Goal::Fact(
                id,
                Rc::new(Meaning::of_text(text)),
                want,
            )));
        }
        Goal::All(goals)
    }

    pub(super) fn clause<'p>(&mut self, clause: &Clause, want: Want) -> Goal<'p> {
        let id = self.space.id(&Key::Fact((*clause.fact).clone()));
        let meaning = match clause.fact.is_flags() {
            true => Meaning::of_flags(&clause.condition),
            false => Meaning::of_condition(&clause.condition),
        };
        Goal::Fact(id, Rc::new(meaning), want)
    }

    /// As deep as a `when`, which is bounded.
    fn when<'p>(&mut self, when: &'p When, want: Want) -> Goal<'p> {
        let mut each = |parts: &'p [When]| -> Vec<Rc<Goal<'p>>> {
            let goals = parts.iter().map(|part| Rc::new(self.when(part, want)));
            goals.collect()
        };
        match (when, want) {
            (When::And(parts), Want::True | Want::NotFalse)
            | (When::Or(parts), Want::False | Want::NotTrue) => Goal::All(each(parts)),
            (When::And(parts), Want::False | Want::NotTrue)
            | (When::Or(parts), Want::True | Want::NotFalse) => Goal::Any(each(parts)),
            (When::Not(part), _) => self.when(part, want.negated()),
            (When::Test(test), _) => self.test(test, want),
        }
    }

    fn test<'p>(&mut self, test: &'p Test, want: Want) -> Goal<'p> {
        let known = match test {
            Test::Exists(path) => Some((path, Meaning::of_presence(true), false)),
            Test::In(Operand::Fact(path), values) => {
                Some((path, Meaning::of_values(values), false))
            }
            Test::Compare(Operand::Fact(path), how, Operand::Value(value)) => {
                Some((path, Meaning::of_comparison(*how, value), negates(*how)))
            }
            Test::Compare(Operand::Value(value), how, Operand::Fact(path)) => {
                Meaning::of_flipped(value, *how).map(|meaning| (path, meaning, negates(*how)))
            }
            Test::In(Operand::Value(_), _)
            | Test::Compare(Operand::Fact(_), _, Operand::Fact(_))
            | Test::Compare(Operand::Value(_), _, Operand::Value(_)) => None,
        };
        let facts = match test {
            Test::Compare(left, _, right) => [left, right].map(Operand::path),
            Test::Exists(_) | Test::In(_, _) => [None, None],
        };
        // Known to the space, so that a model can have them.
        for path in facts.into_iter().flatten() {
            self.space.id(&Key::Fact(path.clone()));
        }
        match known {
            Some((path, meaning, negates)) => {
                let id = self.space.id(&Key::Fact((**path).clone()));
                let want = if negates { want.negated() } else { want };
                Goal::Fact(id, Rc::new(meaning), want)
            }
            None => Goal::Test(test, want),
        }
    }

    /// That a profile can run the call, and is not another than the call asks for.
    pub(super) fn runs<'p>(&mut self, profile: &Profile) -> Vec<Rc<Goal<'p>>> {
        let scalars = |texts: Vec<&str>| -> Vec<Scalar> {
            texts
                .into_iter()
                .map(|text| Scalar::Text(text.to_owned()))
                .collect()
        };
        let languages = scalars(profile.languages().map(|(language, _)| language).collect());
        let tools = scalars(profile.tools().map(|(tool, _)| tool).collect());
        let code = Goal::All(vec![
            self.tool(Meaning::of_text(CODE_TOOL), Want::True),
            self.argument(&["language"], Meaning::of_scalars(&languages)),
        ]);
        let other = Goal::All(vec![
            self.tool(Meaning::of_text(CODE_TOOL), Want::NotTrue),
            self.tool(Meaning::of_scalars(&tools), Want::True),
        ]);
        vec![
            self.argument(&["profile"], Meaning::of_absent_or(profile.name())),
            Rc::new(Goal::Any(vec![Rc::new(code), Rc::new(other)])),
        ]
    }

    /// What holds of every call that is not denied from the start: the tools whose schema asks for
    /// a text have it, and shell commands and paths stand only in arguments that are such.
    pub(super) fn always<'p>(&mut self) -> Vec<Rc<Goal<'p>>> {
        let mut goals = self.schemas();
        // Code that is no text is denied, so what is opaque comes from the other roles.
        let read_by: [(Kind, &[Role]); 5] = [
            (Kind::Command, &[Role::Shell]),
            (Kind::Redirect, &[Role::Shell]),
            (Kind::Assignment, &[Role::Shell]),
            (Kind::Path, &[Role::Path]),
            (Kind::Opaque, &[Role::Shell, Role::Path, Role::Url]),
        ];
        for (kind, roles) in read_by {
            if self.space.find(&Key::Atom(kind)).is_some() {
                let tools = self.space.tools_with(roles);
                let tools: Vec<Scalar> = tools.into_iter().map(Scalar::Text).collect();
                goals.push(Rc::new(Goal::Any(vec![
                    Rc::new(self.present(kind).opposite()),
                    self.tool(Meaning::of_scalars(&tools), Want::True),
                ])));
            }
        }
        goals
    }

    fn schemas<'p>(&mut self) -> Vec<Rc<Goal<'p>>> {
        let asked = [
            (COMMAND_TOOL, "command"),
            ("read_file", "path"),
            ("write_file", "path"),
            ("list_files", "path"),
            (REQUEST_TOOL, "url"),
        ];
        let goals = asked.into_iter().map(|(tool, argument)| {
            Rc::new(Goal::Any(vec![
                self.tool(Meaning::of_text(tool), Want::NotTrue),
                self.argument(&[argument], Meaning::of_any_text()),
            ]))
        });
        goals.collect()
    }

    fn tool<'p>(&mut self, meaning: Meaning, want: Want) -> Rc<Goal<'p>> {
        let id = self.space.id(&Key::Fact(FactPath::Tool));
        Rc::new(Goal::Fact(id, Rc::new(meaning), want))
    }

    /// That a call stays within limits, for each of them that a call can reach.
    pub(super) fn asks_at_most<'p>(
        &mut self,
        limits: &Limits,
    ) -> Vec<(&'static str, Rc<Goal<'p>>)> {
        let asked = [
            ("wall_ms", limits.wall_ms),
            ("memory_bytes", limits.memory_bytes),
            ("output_bytes", limits.output_bytes),
        ];
        let mut goals: Vec<_> = asked
            .into_iter()
            .filter(|(_, most)| *most != u64::MAX)
            .map(|(name, most)| {
                let meaning = Meaning::of_absent_or_at_most(most);
                (name, self.argument(&["limits", name], meaning))
            })
            .collect();
        if limits.code_bytes != u64::MAX {
            let meaning = Meaning::of_absent_or_short(limits.code_bytes);
            goals.push(("code_bytes", self.argument(&["code"], meaning)));
        }
        goals
    }

    /// That a call does not ask for a limit.
    pub(super) fn does_not_ask<'p>(&mut self, limit: &str) -> Goal<'p> {
        let id = self.space.id(&argument(&["limits", limit]));
        Goal::Fact(id, Rc::new(Meaning::of_presence(false)), Want::True)
    }

    fn argument<'p>(&mut self, keys: &[&str], meaning: Meaning) -> Rc<Goal<'p>> {
        let id = self.space.id(&argument(keys));
        Rc::new(Goal::Fact(id, Rc::new(meaning), Want::True))
    }
}

fn wanted(rule: &Rule) -> Want {
    match rule.effect {
        Effect::Allow(_) => Want::True,
        Effect::Hold | Effect::Deny => Want::NotFalse,
    }
}

impl Operand {
    pub(super) fn path(&self) -> Option<&FactPath> {
        match self {
            Self::Fact(path) => Some(path),
            Self::Value(_) => None,
        }
    }
}

/// What a question about two facts suggests for one of them when it is not answered as wanted: the
/// other's value, or anything but its own.
pub(super) fn suggestions(
    space: &Space,
    test: &Test,
    scene: Scene<'_>,
) -> Vec<(FactId, Scalar, Want)> {
    let Test::Compare(Operand::Fact(left), _, Operand::Fact(right)) = test else {
        return Vec::new();
    };
    let (left, right) = (Key::Fact((**left).clone()), Key::Fact((**right).clone()));
    let (Some(left), Some(right)) = (space.find(&left), space.find(&right)) else {
        return Vec::new();
    };
    let value = |id| scalar_of(space, id, scene);
    let some = [value(left), value(right)];
    let texts = ["a", "python", CODE_TOOL].map(|text| Scalar::Text(text.to_owned()));
    let numbers = [0, 1, 2].map(Scalar::Integer);
    let values = some.into_iter().flatten().chain(texts).chain(numbers);
    let pairs = values.flat_map(|value| {
        [
            (left, value.clone(), Want::True),
            (right, value.clone(), Want::True),
            (left, value.clone(), Want::NotTrue),
            (right, value, Want::NotTrue),
        ]
    });
    pairs.collect()
}

fn scalar_of(space: &Space, id: FactId, scene: Scene<'_>) -> Option<Scalar> {
    use crate::fact::Fact;
    match space.fact(id, scene) {
        Fact::Text(text) => Some(Scalar::Text(text.to_owned())),
        Fact::Bool(truth) => Some(Scalar::Bool(truth)),
        Fact::Number(Num::Int(integer)) => i64::try_from(integer).ok().map(Scalar::Integer),
        Fact::Number(Num::Float(float)) => Some(Scalar::Float(float)),
        Fact::Other(_) | Fact::Absent | Fact::Blocked => None,
    }
}
