//! One rule, and the set of rules that a call is held against.
//!
//! [`Rule`] says what one rule thinks of a call; [`RuleSet`] finds the rules that match, by its
//! [`Index`]. Neither decides; neither can fail.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use serde_json::Value;
use smallvec::SmallVec;

use crate::call::ToolCall;
use crate::condition::{Clause, Truth};
use crate::context::{Context, Scene};
use crate::facts::{Facts, Kind, Kinds};
use crate::file::Mode;
use crate::index::{Candidate, Index};
use crate::profile::{Limits, Profile};
use crate::redact::Redaction;
use crate::source::Place;
use crate::verdict::Verdict;
use crate::when::When;

/// One rule of a policy. What a decision reads of a rule that takes effect comes first and lies
/// side by side: with thousands of rules, each further line of the cache is one that must be
/// fetched.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Rule {
    pub(crate) effect: Effect,
    pub(crate) mode: Mode,
    /// None for most rules.
    pub(crate) duties: Option<Box<Duties>>,
    pub(crate) id: Arc<str>,
    pub(crate) matches: Vec<Clause>,
    pub(crate) unless: Vec<Clause>,
    pub(crate) when: Option<When>,
    pub(crate) expires_us: Option<u64>,
    pub(crate) reason: Arc<str>,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) place: Place,
    pub(crate) tests: Vec<RuleTest>,
    /// Labels that the rule puts on the session where it takes effect.
    pub(crate) taint: Vec<Arc<str>>,
}

/// What a rule obliges to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Duties {
    /// What the rule lowers the limits to.
    pub(crate) ceiling: Limits,
    /// What is taken out of the output of a call that the rule allows or holds.
    pub(crate) redact: Redaction,
}

impl Duties {
    /// To nothing.
    pub(crate) const NONE: &'static Self = &Self {
        ceiling: Limits::UNBOUNDED,
        redact: Redaction::NONE,
    };
}

/// What a rule does to a call that it matches. Only an allow names a profile.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Allow(Arc<Profile>),
    Hold,
    Deny,
}

/// A case that a rule brings along.
#[derive(Debug, Clone)]
pub(crate) struct RuleTest {
    pub(crate) call: ToolCall,
    pub(crate) facts: Facts,
    pub(crate) context: Context,
    pub(crate) matches: Option<bool>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) place: Place,
}

impl RuleTest {
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene::new(&self.call, &self.facts, &self.context)
    }
}

impl Rule {
    /// The name, unique in its policy.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the rule says of a call that it matches.
    #[must_use]
    pub fn effect(&self) -> Verdict {
        match self.effect {
            Effect::Allow(_) => Verdict::Allow,
            Effect::Hold => Verdict::Hold,
            Effect::Deny => Verdict::Deny,
        }
    }

    /// The profile that an allow runs a call in.
    #[must_use]
    pub fn run(&self) -> Option<&Profile> {
        match &self.effect {
            Effect::Allow(profile) => Some(profile),
            Effect::Hold | Effect::Deny => None,
        }
    }

    /// Why the rule is there, for the caller.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who answers for the rule.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Labels of the rule's author.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The line of the file that the rule begins on, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.place.line()
    }

    /// Where the rule begins.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What the rule lowers the limits to.
    pub(crate) fn ceiling(&self) -> &Limits {
        &self.duties().ceiling
    }

    /// What is taken out of the output of a call that the rule allows or holds.
    pub(crate) fn redact(&self) -> &Redaction {
        &self.duties().redact
    }

    fn duties(&self) -> &Duties {
        self.duties.as_deref().unwrap_or(Duties::NONE)
    }

    /// Whether the rule's effect counts, or is only recorded.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When the rule expires, in microseconds since the beginning of 1970 in UTC.
    #[must_use]
    pub fn expires_us(&self) -> Option<u64> {
        self.expires_us
    }

    /// How many cases the rule brings along.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Whether the rule takes effect on a call. What is not known never helps the call: an allow
    /// must be certain and not expired, a hold or deny must only be possible and goes on when it
    /// has expired, because time alone must not loosen a policy.
    pub(crate) fn takes_effect(&self, scene: Scene<'_>) -> bool {
        match self.effect {
            Effect::Allow(_) => {
                self.truth(scene) == Truth::True
                    && self.lives(scene.context) == Truth::True
                    && self.covers_something(scene)
            }
            Effect::Hold | Effect::Deny => {
                self.truth(scene) != Truth::False && self.touches_every_kind(scene)
            }
        }
    }

    /// Whether an allow that takes effect covers this atom: it speaks of atoms of the kind, and
    /// all that it says of them is certain.
    pub(crate) fn covers(&self, scene: Scene<'_>, kind: Kind, atom: &Value) -> bool {
        self.kinds().has(kind) && self.atom_truth(scene, kind, atom) == Truth::True
    }

    /// What is known of all that the rule says of atoms of this kind, for one of them.
    pub(crate) fn atom_truth(&self, scene: Scene<'_>, kind: Kind, atom: &Value) -> Truth {
        let scene = scene.at(kind, atom);
        self.truth_of(scene, |clause| clause.fact.kind() == Some(kind))
    }

    /// The kinds of atoms that the rule speaks of.
    pub(crate) fn kinds(&self) -> Kinds {
        let clauses = self.matches.iter().chain(&self.unless);
        clauses.filter_map(|clause| clause.fact.kind()).collect()
    }

    fn covers_something(&self, scene: Scene<'_>) -> bool {
        let kinds = self.kinds();
        let covers_one = |kind| {
            let mut atoms = scene.facts.atoms(kind).iter();
            atoms.any(|atom| self.covers(scene, kind, atom))
        };
        kinds.is_empty() || kinds.iter().any(covers_one)
    }

    /// Whether for each kind that the rule speaks of there is an atom that may be meant.
    fn touches_every_kind(&self, scene: Scene<'_>) -> bool {
        self.kinds().iter().all(|kind| {
            let mut atoms = scene.facts.atoms(kind).iter();
            atoms.any(|atom| self.atom_truth(scene, kind, atom) != Truth::False)
        })
    }

    /// Whether the rule has not expired yet; unknown without a time.
    pub(crate) fn lives(&self, context: &Context) -> Truth {
        match (self.expires_us, context.now_us) {
            (None, _) => Truth::True,
            (Some(expires_us), Some(now_us)) => Truth::of(now_us < expires_us),
            (Some(_), None) => Truth::Unknown,
        }
    }

    /// What the rule says of the call as a whole: all of `match` hold, none of `unless`, and
    /// `when`.
    pub(crate) fn truth(&self, scene: Scene<'_>) -> Truth {
        let whole = self.truth_of(scene, |clause| clause.fact.kind().is_none());
        match (&self.when, whole) {
            (None, _) | (_, Truth::False) => whole,
            (Some(when), _) => whole.and(when.truth(scene)),
        }
    }

    /// All of `match` hold and none of `unless`, as far as they are `meant`.
    fn truth_of(&self, scene: Scene<'_>, meant: impl Fn(&Clause) -> bool) -> Truth {
        let matches = self.matches.iter().filter(|clause| meant(clause));
        let unless = self.unless.iter().filter(|clause| meant(clause));
        Truth::all(
            matches
                .map(|clause| clause.truth(scene))
                .chain(unless.map(|clause| clause.truth(scene).negate())),
        )
    }
}

impl Clause {
    /// What is known of the clause for a call; of a clause on atoms, for the atom that it holds for
    /// best.
    pub(crate) fn truth_in_call(&self, scene: Scene<'_>) -> Truth {
        let Some(kind) = self.fact.kind() else {
            return self.truth(scene);
        };
        let atoms = scene.facts.atoms(kind).iter();
        let truths = atoms.map(|atom| self.truth(scene.at(kind, atom)));
        truths.fold(Truth::False, |best, truth| {
            best.negate().and(truth.negate()).negate()
        })
    }

    pub(crate) fn truth(&self, scene: Scene<'_>) -> Truth {
        let fact = self.fact.find(scene);
        if self.fact.is_flags() {
            self.condition.truth_of_flags(fact)
        } else {
            self.condition.truth(fact)
        }
    }
}

/// Rules that take effect on one call: more than four of them is rare, so few calls allocate.
pub(crate) type Found = SmallVec<[Arc<Rule>; 4]>;

/// The rules that take effect on one call, by whether they count: the strictest first, then by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct TakingEffect {
    pub(crate) enforced: Found,
    pub(crate) shadow: Found,
}

impl TakingEffect {
    pub(crate) fn add(&mut self, rule: &Arc<Rule>) {
        match rule.mode {
            Mode::Enforce => self.enforced.push(Arc::clone(rule)),
            Mode::Shadow => self.shadow.push(Arc::clone(rule)),
        }
    }

    /// The same with one rule changed; with none in its place when that does not take effect.
    pub(crate) fn with(&self, rule: &Rule, changed: Option<&Arc<Rule>>) -> Self {
        let others = self.enforced.iter().chain(&self.shadow);
        let mut found = Self::default();
        others
            .filter(|other| other.id != rule.id)
            .chain(changed)
            .for_each(|rule| found.add(rule));
        found.sort();
        found
    }

    fn sort(&mut self) {
        self.enforced.sort_unstable_by(|a, b| strictest_first(a, b));
        self.shadow.sort_unstable_by(|a, b| strictest_first(a, b));
    }

    /// All together, as if the shadow rules counted.
    pub(crate) fn all(&self) -> Found {
        let mut all: Found = self.enforced.iter().chain(&self.shadow).cloned().collect();
        all.sort_unstable_by(|a, b| strictest_first(a, b));
        all
    }
}

/// The rules of a policy, as they are matched.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleSet {
    /// By id, so that nothing depends on the order in the file.
    rules: Vec<Arc<Rule>>,
    index: Index,
}

impl RuleSet {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let mut rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Self {
            index: Index::new(rules.iter().map(Arc::as_ref)),
            rules,
        }
    }

    /// The rules that take effect on a call.
    pub(crate) fn taking_effect(&self, scene: Scene<'_>) -> TakingEffect {
        let mut found = TakingEffect::default();
        let mut candidates: SmallVec<[Candidate; 16]> = SmallVec::new();
        self.index
            .candidates(scene.call, scene.facts, &mut |c| candidates.push(c));
        // Several atoms may lead to one rule; the certain ones of a rule come first.
        candidates.sort_unstable();
        candidates.dedup_by_key(|candidate| candidate.number());
        for candidate in candidates {
            let Some(rule) = self.rules.get(candidate.number()) else {
                continue;
            };
            if candidate.is_certain() || rule.takes_effect(scene) {
                found.add(rule);
            }
        }
        found.sort();
        found
    }

    /// All rules, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(Arc::as_ref)
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number).map(Arc::as_ref)
    }
}

fn strictest_first(a: &Rule, b: &Rule) -> Ordering {
    Reverse(a.effect())
        .cmp(&Reverse(b.effect()))
        .then_with(|| a.id.cmp(&b.id))
}
