//! Compares policies as sets of calls: what differs between two, what one lets through.
//!
//! ```text
//!  two policies ──► Side: rules as goals, changed ones marked
//!                      │           one question for each kind of change and each changed rule
//!                      ▼
//!  Space, Region ──► Search ──► a call, confirmed by both policies ──► Change
//!                           ├─► nothing: a proof
//!                           └─► unsure ─────────────────────────────► Undecided
//! ```
//!
//! A difference can lie only where a changed rule takes effect, so the search begins there. What is
//! decided exactly: conditions of every kind on every fact of a call, of the time and of the
//! session, comparisons of one fact with values, what a call asks of its profile.
//!
//! What is read out of a call (commands, paths, hosts, …) is compared as if every combination of
//! facts could be read, with at most one atom of each kind. That is more than there is, so a proof
//! holds. The verdict on a call with several atoms of a kind is the strictest of those on its parts,
//! so where no call with one of each differs, none with several does; but where one differs, a
//! combination may differ in another way, and where allows in several profiles share the work, it
//! may differ by itself: both are reported. A witness must be a real call, so [`realise`] looks for one that is read as
//! the facts that were found; if it finds none, the change is not decided. Not decided are also
//! comparisons of two facts, Unicode word boundaries beyond ASCII, and what takes more steps than
//! the named budgets; these are reported and never guessed. Shadow rules change no verdict and are
//! left out. Reads no clock and does no I/O. Cannot fail.

mod addresses;
mod automaton;
mod can;
mod display;
mod domain;
mod goal;
mod meaning;
mod number;
mod realise;
mod search;
mod side;
mod space;
mod texts;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::rc::Rc;

use thiserror::Error;

use self::goal::{Goal, Goals};
use self::search::{MAX_REGIONS_IN_ALL, Question as Asked, Search, Target};
use self::side::{Ruled, Side, by_the_way, deeds, kinds};
use self::space::{Model, Space};
use self::texts::Found;
use crate::call::{CallId, ToolCall};
use crate::context::Context;
use crate::decide::{Decision, decide_at};
use crate::facts::Kind;
use crate::grant::Grant;
use crate::policy::Policy;
use crate::verdict::Verdict;

pub use self::can::{Answer, Question, QuestionError, Witness, can};

/// Pairs of allows that are held against each other: those of one changed rule among ten thousand,
/// twice.
const MAX_PAIRS: usize = 20_000;

/// How two policies differ.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    /// One call for each kind of change that there is.
    pub changes: Vec<Change>,
    /// What could not be decided; when it is empty, there is no other kind of change than those of
    /// `changes`.
    pub undecided: Vec<Undecided>,
}

/// A call on which two policies differ.
#[derive(Debug, Clone)]
pub struct Change {
    /// What the old policy says.
    pub from: Outcome,
    /// What the new policy says.
    pub to: Outcome,
    /// The call.
    pub call: ToolCall,
    /// The world in which they differ.
    pub context: Context,
    /// The ids of the old policy's rules that took effect.
    pub rules_old: Vec<String>,
    /// The ids of the new policy's rules that took effect.
    pub rules_new: Vec<String>,
}

/// What a policy says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// With an allow, what the call gets.
    pub grant: Option<Grant>,
    /// Why, as the caller is told.
    pub reason: String,
}

/// A kind of change that was neither found nor ruled out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undecided {
    /// The kind, such as `allow to deny`; empty for the whole question.
    pub kind: String,
    /// The rules whose calls were looked through, of either policy.
    pub rules: Vec<String>,
    /// What stood in the way.
    pub why: String,
}

impl Diff {
    /// Whether it is proved that there is no other kind of change.
    #[must_use]
    pub fn proved(&self) -> bool {
        self.undecided.is_empty()
    }

    /// Whether it is proved that the policies say the same of every call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.undecided.is_empty()
    }
}

/// Why something is not decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub(crate) enum Why {
    #[error("the texts that fit the conditions take too many steps to find")]
    Texts,
    #[error("a regular expression has a word boundary (`\\b`) that is not walked beyond ASCII")]
    WordBoundary,
    #[error("a condition is on the NFKC or skeleton of a text, whose originals are not counted")]
    Form,
    #[error("no text of the length that is asked for was found")]
    Length,
    #[error("no address was found among those that were tried")]
    Addresses,
    #[error("no moment was found within the days that are looked through")]
    Calendar,
    #[error("a `when` compares two facts, or a value with a part of it")]
    TwoFacts,
    #[error("the search takes too many steps")]
    Regions,
    #[error("a call that was found is larger than calls can be")]
    Call,
    #[error("a call may be read as facts that differ, but none was found that is")]
    Unconfirmed,
    #[error("the policies declare other tools, and calls are read by what their tool is")]
    Tools,
    #[error("the policies have other budgets, which are not compared")]
    Budgets,
    #[error(
        "rules put other labels on the session, or take other things out of the output; only verdicts, profiles and limits are compared"
    )]
    ByTheWay,
    #[error(
        "calls with several commands, paths or hosts may differ where no call with one does, because allows in several profiles cover them"
    )]
    SeveralAtoms,
    #[error(
        "calls with several commands, paths or hosts may show other kinds of change than those with one do"
    )]
    OtherKinds,
}

/// Finds how two policies differ: for each kind of change a call that shows it, confirmed by both
/// policies, or the proof that there is none, or that it could not be decided.
///
/// Kinds of change are those between two verdicts, between two profiles of an allowed call, and
/// between the limits that an allowed call gets in one profile. What a held call would get after
/// its approval is not compared.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Diff {
    let mut space = Space::new(&[old, new]);
    let (old_deeds, new_deeds) = (deeds(old), deeds(new));
    let kinds: BTreeSet<Kind> = kinds(old).union(&kinds(new)).copied().collect();
    let old = Side::new(&mut space, old, &new_deeds, &kinds);
    let new = Side::new(&mut space, new, &old_deeds, &kinds);
    let questions = questions(&mut space, &old, &new);
    let on_atoms = on_atoms(&mut space, &kinds);
    let whole = space.whole();
    let mut differ = Differ {
        search: Search {
            space: &space,
            whole,
            regions_left: MAX_REGIONS_IN_ALL,
        },
        diff: Diff {
            changes: Vec::new(),
            undecided: beside_rules(&old, &new),
        },
    };
    for (kind, seeds) in questions {
        differ.look(&kind, seeds, &old, &new);
    }
    differ.look_beyond(&on_atoms, [&old, &new]);
    differ.diff
}

/// What the search does not see: the parts of a policy that are no rules, what rules do beside
/// their verdicts, and calls with several atoms of one kind where that matters.
fn beside_rules(old: &Side<'_>, new: &Side<'_>) -> Vec<Undecided> {
    let (a, b) = (old.policy, new.policy);
    let mut undecided = Vec::new();
    let mut note = |differs: bool, why: Why| {
        undecided.extend(differs.then(|| Undecided {
            kind: String::new(),
            rules: Vec::new(),
            why: why.to_string(),
        }));
    };
    note(a.tools().meaning() != b.tools().meaning(), Why::Tools);
    note(a.budgets() != b.budgets(), Why::Budgets);
    note(by_the_way(a) != by_the_way(b), Why::ByTheWay);
    note(several_atoms_matter(old, new), Why::SeveralAtoms);
    undecided
}

/// What holds of a call with an atom that some rule speaks of.
fn on_atoms<'p>(space: &mut Space, kinds: &BTreeSet<Kind>) -> Vec<Rc<Goal<'p>>> {
    let mut goals = Goals { space };
    let present = kinds.iter().map(|kind| goals.present(*kind)).collect();
    let mut all = vec![Rc::new(Goal::Any(present))];
    all.extend(goals.always());
    all
}

/// Whether a call with two commands, say, can differ where no call with one does: only if each of
/// two profiles could cover one of them, and an allow changed.
fn several_atoms_matter(old: &Side<'_>, new: &Side<'_>) -> bool {
    let allows = || old.of(Verdict::Allow).chain(new.of(Verdict::Allow));
    let on_atoms = || allows().filter(|(_, allow)| !allow.covers.is_empty());
    let places: BTreeSet<u32> = on_atoms()
        .filter_map(|(_, allow)| allow.offer.map(|offer| offer.profile.rank()))
        .collect();
    places.len() > 1 && on_atoms().any(|(_, allow)| allow.changed)
}

/// One place to look for a kind of change.
struct Seed<'p> {
    start: Vec<Rc<Goal<'p>>>,
    targets: (Target, Target),
    rules: Vec<&'p str>,
}

/// All kinds of change, each with the places where it could be.
fn questions<'p>(
    space: &mut Space,
    old: &Side<'p>,
    new: &Side<'p>,
) -> Vec<(String, Vec<Seed<'p>>)> {
    use Target::{Allow, Deny, Hold};
    let mut questions = Vec::new();
    for (from, to) in [(Allow, Hold), (Allow, Deny), (Hold, Deny)] {
        let tightened = tightened(old, new, to);
        let seeds = tightened.map(|(start, rule)| Seed {
            start,
            targets: (from, to),
            rules: vec![rule],
        });
        questions.push((kind_of(from, to), seeds.collect()));
        let loosened = self::tightened(new, old, to).map(|(start, rule)| Seed {
            start,
            targets: (to, from),
            rules: vec![rule],
        });
        questions.push((kind_of(to, from), loosened.collect()));
    }
    questions.extend(other_places(old, new));
    questions.extend(other_limits(space, old, new));
    let always = Goals { space }.always();
    for seed in questions.iter_mut().flat_map(|(_, seeds)| seeds) {
        seed.start.extend(always.iter().cloned());
    }
    questions
}

fn kind_of(from: Target, to: Target) -> String {
    format!("{} to {}", verdict_of(from), verdict_of(to))
}

fn verdict_of(target: Target) -> Verdict {
    match target {
        Target::Allow | Target::Place(_) | Target::Offer(_) => Verdict::Allow,
        Target::Hold => Verdict::Hold,
        Target::Deny => Verdict::Deny,
    }
}

/// The changed rules by which the stricter policy can come to a stricter verdict: its own holds and
/// denies, and the allows that only the looser one has. A hold denies by the limits that it lowers.
fn tightened<'a, 'p>(
    loose: &'a Side<'p>,
    strict: &'a Side<'p>,
    to: Target,
) -> impl Iterator<Item = (Vec<Rc<Goal<'p>>>, &'p str)> {
    let denies = to == Target::Deny;
    let own = strict.rules.iter().filter(move |ruled| {
        ruled.changed
            && match ruled.rule.effect() {
                Verdict::Allow => false,
                Verdict::Hold => !denies || !ruled.within.is_empty(),
                Verdict::Deny => denies,
            }
    });
    let own = own.map(|ruled| (vec![Rc::clone(&ruled.enters)], ruled.rule.id()));
    let gone = loose.of(Verdict::Allow);
    let gone = gone.filter(move |(_, ruled)| denies && ruled.changed);
    let gone = gone.map(|(_, ruled)| (vec![ruled.carries()], ruled.rule.id()));
    own.chain(gone)
}

// ---- grants -------------------------------------------------------------------------------------

/// Changes of the profile that an allowed call runs in: some changed allow takes effect.
fn other_places<'p>(old: &Side<'p>, new: &Side<'p>) -> Vec<(String, Vec<Seed<'p>>)> {
    let mut by_kind = Vec::new();
    for (from, a) in old.places.iter().enumerate() {
        for (to, b) in new.places.iter().enumerate() {
            if a.profile.digest() == b.profile.digest() {
                continue;
            }
            let allows = old.of(Verdict::Allow).chain(new.of(Verdict::Allow));
            let seeds = allows
                .filter(|(_, allow)| allow.changed)
                .map(|(_, allow)| Seed {
                    start: vec![allow.carries()],
                    targets: (Target::Place(from), Target::Place(to)),
                    rules: vec![allow.rule.id()],
                });
            let kind = format!(
                "allow in {} to allow in {}",
                a.profile.name(),
                b.profile.name()
            );
            by_kind.push((kind, seeds.collect()));
        }
    }
    by_kind
}

/// Changes of the limits that an allowed call gets in one profile: two allows, one of them changed,
/// that give different ones.
fn other_limits<'p>(
    space: &mut Space,
    old: &Side<'p>,
    new: &Side<'p>,
) -> Vec<(String, Vec<Seed<'p>>)> {
    let mut by_kind: Vec<(String, Vec<Seed<'p>>)> = Vec::new();
    let pairs = old
        .of(Verdict::Allow)
        .flat_map(|a| new.of(Verdict::Allow).map(move |b| (a, b)));
    let pairs = pairs.filter(|((_, a), (_, b))| a.changed || b.changed);
    for ((at_old, a), (at_new, b)) in pairs {
        let Some((kind, starts)) = limits_between(space, a, b) else {
            continue;
        };
        let seeds = starts.into_iter().map(|start| Seed {
            start,
            targets: (Target::Offer(at_old), Target::Offer(at_new)),
            rules: vec![a.rule.id(), b.rule.id()],
        });
        match by_kind.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) => known.extend(seeds),
            None => by_kind.push((kind, seeds.collect())),
        }
    }
    by_kind
}

/// The kind of change from one allow to another, and where it shows; none where they give the same,
/// or another profile.
fn limits_between<'p>(
    space: &mut Space,
    a: &Ruled<'p>,
    b: &Ruled<'p>,
) -> Option<(String, Vec<Vec<Rc<Goal<'p>>>>)> {
    let (from, to) = (a.offer?, b.offer?);
    if from.profile.digest() != to.profile.digest() {
        return None;
    }
    let both = vec![a.carries(), b.carries()];
    let pairs = from.limits.entries().into_iter().zip(to.limits.entries());
    let differing = pairs.filter(|((_, from), (_, to))| from != to);
    let starts: Vec<_> = differing
        .map(|((limit, _), _)| {
            let mut start = both.clone();
            // A call that asks for a limit gets what it asks for.
            if matches!(limit, "wall_ms" | "memory_bytes" | "output_bytes") {
                start.push(Rc::new(Goals { space }.does_not_ask(limit)));
            }
            start
        })
        .collect();
    let kind = format!("limits of an allow in {}", from.profile.name());
    (!starts.is_empty()).then_some((kind, starts))
}

// ---- looking ------------------------------------------------------------------------------------

struct Differ<'a> {
    search: Search<'a>,
    diff: Diff,
}

impl Differ<'_> {
    /// Looks in one place after the other, until a call is found.
    fn look<'p>(&mut self, kind: &str, seeds: Vec<Seed<'p>>, old: &Side<'p>, new: &Side<'p>) {
        let mut undecided: BTreeSet<(Why, Vec<&str>)> = BTreeSet::new();
        for (at, seed) in seeds.into_iter().enumerate() {
            let asked = Asked {
                sides: vec![(old, seed.targets.0), (new, seed.targets.1)],
                start: seed.start,
            };
            let found = match at < MAX_PAIRS {
                true => self.search.run(&asked),
                false => Found::Unsure(Why::Regions),
            };
            let why = match found {
                Found::One(model) => match confirmed(old, new, seed.targets, &model) {
                    Some(change) => {
                        self.diff.changes.push(change);
                        return;
                    }
                    None => Why::Unconfirmed,
                },
                Found::Nothing => continue,
                Found::Unsure(why) => why,
            };
            undecided.insert((why, seed.rules));
            if at >= MAX_PAIRS {
                break;
            }
        }
        let undecided = undecided.into_iter().map(|(why, rules)| Undecided {
            kind: kind.to_owned(),
            rules: rules.into_iter().map(str::to_owned).collect(),
            why: why.to_string(),
        });
        self.diff.undecided.extend(undecided);
    }
}

impl Differ<'_> {
    /// The verdict on a call with several atoms is the strictest of those on its parts, so there is
    /// no change among such calls if there is none among calls with one. But if there is one, its
    /// combination with an unchanged part may be of another kind.
    fn look_beyond<'p>(&mut self, on_atoms: &[Rc<Goal<'p>>], sides: [&Side<'p>; 2]) {
        let changed = sides.into_iter().flat_map(|side| &side.rules);
        let mut changed = changed.filter(|ruled| ruled.changed);
        let meets_atoms = |ruled: &Ruled<'p>| {
            let mut start = on_atoms.to_vec();
            start.push(Rc::clone(&ruled.enters));
            let asked = Asked {
                sides: Vec::new(),
                start,
            };
            self.search.run(&asked) != Found::Nothing
        };
        if !self.diff.changes.is_empty() && changed.any(meets_atoms) {
            self.diff.undecided.push(Undecided {
                kind: String::new(),
                rules: Vec::new(),
                why: Why::OtherKinds.to_string(),
            });
        }
    }
}

/// The change that a model shows, if some real call is read as it and the policies really differ
/// on that call in this way.
fn confirmed(
    old: &Side<'_>,
    new: &Side<'_>,
    targets: (Target, Target),
    model: &Model,
) -> Option<Change> {
    realise::calls(model, old.policy)
        .into_iter()
        .find_map(|call| {
            let (from, rules_old) = outcome(&decided(old.policy, &model.context, &call));
            let (to, rules_new) = outcome(&decided(new.policy, &model.context, &call));
            let wanted =
                from.verdict == verdict_of(targets.0) && to.verdict == verdict_of(targets.1);
            let differ = from.verdict != to.verdict || !from.grants_as(&to);
            (wanted && differ).then(|| Change {
                from,
                to,
                call,
                context: model.context.clone(),
                rules_old,
                rules_new,
            })
        })
}

fn decided(policy: &Policy, context: &Context, call: &ToolCall) -> Decision {
    let nobody = CallId::from_bytes([0; 16]);
    decide_at(policy, context, nobody, call.clone())
}

fn outcome(decision: &Decision) -> (Outcome, Vec<String>) {
    let outcome = Outcome {
        verdict: decision.verdict(),
        grant: decision.grant().cloned(),
        reason: decision.reason().to_owned(),
    };
    let rules = decision.rules().iter().map(|hit| hit.id().to_owned());
    (outcome, rules.collect())
}

impl Outcome {
    /// Profiles are compared by their digests, so that a word in a `why` makes no difference.
    fn grants_as(&self, other: &Self) -> bool {
        match (&self.grant, &other.grant) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                a.profile().digest() == b.profile().digest()
                    && a.runtime() == b.runtime()
                    && a.limits() == b.limits()
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
