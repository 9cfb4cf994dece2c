//! Asks whether one policy lets some call of a kind through.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::goal::Goals;
use super::meaning::Want;
use super::search::{MAX_REGIONS_IN_ALL, Question as Asked, Search, Target};
use super::side::{Side, deeds, kinds};
use super::space::{Model, Space};
use super::texts::Found;
use super::{Outcome, Undecided, Why, decided, outcome, realise, verdict_of};
use crate::call::ToolCall;
use crate::condition::{Clause, ConditionError, Truth};
use crate::context::{Context, Scene};
use crate::fact::{FactError, FactPath};
use crate::facts::Kind;
use crate::file::{ClausesFile, ConditionFile};
use crate::policy::Policy;

/// Calls that are asked about: conditions that all hold for certain. Those on one kind of atom
/// speak of one atom, as in a rule.
#[derive(Debug, Clone, Default)]
pub struct Question {
    clauses: Vec<Clause>,
    or_held: bool,
}

/// Why something is not a question.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// Not TOML, or not conditions.
    #[error("{0}; write conditions as in the `match` of a rule, one a line: \"FACT\" = CONDITION")]
    Toml(String),
    /// Not a fact.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// Not a condition on this fact.
    #[error("`{fact}`: {error}")]
    Condition {
        /// The fact.
        fact: String,
        /// What is wrong.
        error: ConditionError,
    },
}

/// Whether a policy lets such a call through.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It does: this one, confirmed by the policy.
    Yes(Box<Witness>),
    /// It is proved that it does not.
    No,
    /// Not decided.
    Undecided(Vec<Undecided>),
}

/// A call that a policy lets through.
#[derive(Debug, Clone)]
pub struct Witness {
    /// What the policy says.
    pub outcome: Outcome,
    /// The call.
    pub call: ToolCall,
    /// The world in which it says so.
    pub context: Context,
    /// The ids of the rules that took effect.
    pub rules: Vec<String>,
}

impl Question {
    /// Reads conditions as the `match` of a rule has them, one a line, such as
    /// `"arguments.path" = { prefix = "/etc/" }`. No conditions ask about all calls.
    ///
    /// # Errors
    /// [`QuestionError`] for broken TOML, unknown facts, conditions that mean nothing, and named
    /// lists, because there is no file that names them.
    pub fn read(text: &str) -> Result<Self, QuestionError> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Clauses(ClausesFile);
        let Clauses(written) = toml::from_str(text)
            .map_err(|error| QuestionError::Toml(error.message().to_owned()))?;
        let mut question = Self::default();
        for (path, condition) in written {
            question.clauses.push(clause(&path, &condition)?);
        }
        Ok(question)
    }

    /// Whether a call is one that is asked about: of each kind of atom that the question speaks of
    /// there is one that it means.
    fn fits(&self, scene: Scene<'_>) -> bool {
        let of = |kind: Option<Kind>| {
            let clauses = self.clauses.iter();
            clauses.filter(move |clause| clause.fact.kind() == kind)
        };
        let atom_fits = |kind: Kind, atom| {
            let scene = scene.at(kind, atom);
            of(Some(kind)).all(|clause| clause.truth(scene) == Truth::True)
        };
        let mut kinds = Kind::ALL
            .into_iter()
            .filter(|kind| of(Some(*kind)).next().is_some());
        of(None).all(|clause| clause.truth(scene) == Truth::True)
            && kinds.all(|kind| {
                let mut atoms = scene.facts.atoms(kind).iter();
                atoms.any(|atom| atom_fits(kind, atom))
            })
    }

    /// Asks about calls that may be held as well, not only about those that are allowed.
    #[must_use]
    pub fn or_held(mut self) -> Self {
        self.or_held = true;
        self
    }
}

fn clause(path: &str, condition: &Spanned<ConditionFile>) -> Result<Clause, QuestionError> {
    let fact = Arc::new(FactPath::parse(path)?);
    let source = condition.get_ref().clone();
    Clause::compile(fact, source.clone(), source).map_err(|error| QuestionError::Condition {
        fact: path.to_owned(),
        error,
    })
}

/// Whether a policy allows some call of a kind, or holds it if the question says so.
///
/// ```
/// use policy::compare::{Answer, Question, can};
/// use policy::{Policy, Profiles, shipped};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text)))?;
/// let policy = Policy::load(shipped::CONTAIN.file, shipped::CONTAIN.text, &profiles)?;
/// let python = Question::read(r#""arguments.language" = "python""#)?;
/// assert!(matches!(can(&policy, &python), Answer::Yes(_)));
/// let cobol = Question::read("tool = 'execute_code'\n\"arguments.language\" = 'cobol'")?;
/// assert!(matches!(can(&policy, &cobol), Answer::No));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn can(policy: &Policy, question: &Question) -> Answer {
    let mut space = Space::new(&[policy]);
    let asked = question
        .clauses
        .iter()
        .filter_map(|clause| clause.fact.kind());
    let asked: BTreeSet<Kind> = asked.collect();
    let kinds = kinds(policy).union(&asked).copied().collect();
    let side = Side::new(&mut space, policy, &deeds(policy), &kinds);
    let mut goals = Goals { space: &mut space };
    let mut start: Vec<_> = asked.into_iter().map(|kind| goals.present(kind)).collect();
    start.extend(goals.always());
    let clauses = question.clauses.iter();
    start.extend(clauses.map(|clause| Rc::new(goals.clause(clause, Want::True))));
    let whole = space.whole();
    let mut search = Search {
        space: &space,
        whole,
        regions_left: MAX_REGIONS_IN_ALL,
    };
    let mut undecided = Vec::new();
    let held = question.or_held.then_some(Target::Hold);
    for target in [Some(Target::Allow), held].into_iter().flatten() {
        let asked = Asked {
            sides: vec![(&side, target)],
            start: start.clone(),
        };
        let why = match search.run(&asked) {
            Found::One(model) => match confirmed(policy, question, target, &model) {
                Some(witness) => return Answer::Yes(Box::new(witness)),
                None => Why::Unconfirmed,
            },
            Found::Nothing => continue,
            Found::Unsure(why) => why,
        };
        undecided.push(Undecided {
            kind: String::new(),
            rules: Vec::new(),
            why: why.to_string(),
        });
    }
    match undecided.is_empty() {
        true => Answer::No,
        false => Answer::Undecided(undecided),
    }
}

/// A real call that is read as the model, fits the question and gets this verdict.
fn confirmed(
    policy: &Policy,
    question: &Question,
    target: Target,
    model: &Model,
) -> Option<Witness> {
    realise::calls(model, policy).into_iter().find_map(|call| {
        let (outcome, rules) = outcome(&decided(policy, &model.context, &call));
        let facts = policy.facts(&call);
        let fits = question.fits(Scene::new(&call, &facts, &model.context));
        (fits && outcome.verdict == verdict_of(target)).then(|| Witness {
            outcome,
            call,
            context: model.context.clone(),
            rules,
        })
    })
}
