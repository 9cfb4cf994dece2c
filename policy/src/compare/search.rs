//! Looks for a call of which one policy, or two, say what is wanted.
//!
//! The search keeps a stack of regions that together hold every such call. From one it takes a
//! model and lets the policies judge it. If they say what is wanted, the model is the answer. If
//! not, something must be otherwise in every answer that the region holds (a deny stays out, some
//! allow takes effect, …): the region is split into those parts in which it is, one for each way.
//! The model is in none of them, so the search ends, and a search that ends without an answer is a
//! proof. Whatever cannot be told on the way makes it unsure instead.

use std::rc::Rc;

use super::Why;
use super::goal::{Goal, suggestions};
use super::meaning::Meaning;
use super::side::{Ruled, Side};
use super::space::{Model, Region, Space};
use super::texts::Found;
use crate::decide::{Judgement, Ruling, judge};
use crate::profile::Profile;
use crate::verdict::Verdict;

/// Regions looked into for one question. One rule among a thousand takes some dozen.
const MAX_REGIONS: usize = 3_000;

/// Regions looked into for all questions of one comparison: a few seconds.
pub(super) const MAX_REGIONS_IN_ALL: usize = 60_000;

/// Violated goals of which the one with the fewest ways is chosen.
const MAX_COMPARED: usize = 8;

/// Guesses in a row for questions about two facts.
const MAX_GUESSES: usize = 2;

/// What one policy should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Allow,
    /// Allow, in this of the policy's places.
    Place(usize),
    /// Allow, with what this rule offers.
    Offer(usize),
    Hold,
    Deny,
}

/// One question to the search.
pub(super) struct Question<'a, 'p> {
    /// Each policy with what it should say.
    pub(super) sides: Vec<(&'a Side<'p>, Target)>,
    /// What must hold of the call.
    pub(super) start: Vec<Rc<Goal<'p>>>,
}

/// A region, and goals that it could not be cut to.
#[derive(Clone)]
struct Node<'p> {
    region: Region,
    pending: Vec<Rc<Goal<'p>>>,
    guesses: usize,
}

/// Answers questions within a budget.
pub(super) struct Search<'a> {
    pub(super) space: &'a Space,
    pub(super) whole: Region,
    pub(super) regions_left: usize,
}

impl Search<'_> {
    /// A call of which every side says what it should.
    pub(super) fn run(&mut self, question: &Question<'_, '_>) -> Found<Model> {
        let start = Node {
            region: self.whole.clone(),
            pending: Vec::new(),
            guesses: 0,
        };
        let mut start = Some(start);
        for goal in &question.start {
            start = start.and_then(|node| assume(node, goal));
        }
        let mut stack: Vec<Node<'_>> = start.into_iter().collect();
        let mut unsure = None;
        for _ in 0..MAX_REGIONS {
            let Some(node) = stack.pop() else {
                return unsure.map_or(Found::Nothing, Found::Unsure);
            };
            let Some(left) = self.regions_left.checked_sub(1) else {
                return Found::Unsure(Why::Regions);
            };
            self.regions_left = left;
            match self.step(question, &node) {
                Step::Found(model) => return Found::One(*model),
                Step::Unsure(why) => unsure = Some(why),
                Step::Split(parts, why) => {
                    unsure = why.or(unsure);
                    stack.extend(parts.into_iter().rev());
                }
            }
        }
        Found::Unsure(Why::Regions)
    }

    fn step<'p>(&self, question: &Question<'_, 'p>, node: &Node<'p>) -> Step<'p> {
        let model = match self.space.model(&node.region) {
            Found::One(model) => model,
            Found::Nothing => return Step::Split(Vec::new(), None),
            Found::Unsure(why) => return Step::Unsure(why),
        };
        let violated = self.violated(question, node, &model);
        let (tests, goals): (Vec<_>, Vec<_>) = violated
            .into_iter()
            .partition(|goal| matches!(**goal, Goal::Test(..)));
        if goals.is_empty() && tests.is_empty() {
            return match reached(question, &model) {
                true => Step::Found(Box::new(model)),
                false => Step::Unsure(Why::Unconfirmed),
            };
        }
        // Before all else: a way that only adds a question about two facts leads nowhere.
        if !tests.is_empty() {
            return self.guess(node, &tests, &model);
        }
        let splits = goals.iter().take(MAX_COMPARED).map(|goal| ways(node, goal));
        let fewest = splits.min_by_key(Vec::len);
        Step::Split(fewest.unwrap_or_default(), None)
    }

    /// Goals that hold in every answer of the region, and not in the model; none if the model is
    /// an answer.
    fn violated<'p>(
        &self,
        question: &Question<'_, 'p>,
        node: &Node<'p>,
        model: &Model,
    ) -> Vec<Rc<Goal<'p>>> {
        let pending = node.pending.iter();
        let mut violated: Vec<Rc<Goal<'p>>> = pending
            .filter(|goal| !goal.holds(self.space, model.scene()))
            .cloned()
            .collect();
        for (at, (side, target)) in question.sides.iter().enumerate() {
            let mut others = question.sides.iter().enumerate();
            let other = others.find(|(other, _)| *other != at);
            let asked = Asked {
                space: self.space,
                side,
                target: *target,
                other: other.map(|(_, (_, target))| *target),
                judgement: judge(side.policy, model.scene()),
                model,
            };
            // What holds of the model already would not take the search further.
            let goals = asked.violated().into_iter();
            violated.extend(goals.filter(|goal| !asked.holds(goal)).map(Rc::new));
        }
        violated
    }

    /// Parts in which a question about two facts may be answered as wanted. They are not all of
    /// the region, so the search is no proof any more.
    fn guess<'p>(&self, node: &Node<'p>, tests: &[Rc<Goal<'p>>], model: &Model) -> Step<'p> {
        let mut parts = Vec::new();
        for goal in tests.iter().take(1).filter(|_| node.guesses < MAX_GUESSES) {
            let Goal::Test(test, _) = &**goal else {
                continue;
            };
            for (id, value, want) in suggestions(self.space, test, model.scene()) {
                let meaning = Meaning::of_scalars(std::slice::from_ref(&value));
                if want.takes(meaning.truth(self.space.fact(id, model.scene()))) {
                    continue; // The model has it already.
                }
                parts.extend(node.region.cut(id, &meaning, want).map(|region| Node {
                    region,
                    pending: node.pending.clone(),
                    guesses: node.guesses + 1,
                }));
            }
        }
        Step::Split(parts, Some(Why::TwoFacts))
    }
}

/// The profile that a call is to be allowed in.
fn wanted_place<'p>(side: &Side<'p>, target: Target) -> Option<&'p Profile> {
    match target {
        Target::Place(place) => side.places.get(place).map(|place| place.profile),
        Target::Offer(rule) => {
            let offer = side.rules.get(rule).and_then(|ruled| ruled.offer);
            offer.map(|offer| offer.profile)
        }
        Target::Allow | Target::Hold | Target::Deny => None,
    }
}

/// Whether every side says what it should of a model.
fn reached(question: &Question<'_, '_>, model: &Model) -> bool {
    question.sides.iter().all(|(side, target)| {
        let said = judge(side.policy, model.scene());
        match (target, &said.ruling) {
            (Target::Deny, Ruling::Deny)
            | (Target::Hold, Ruling::Hold)
            | (Target::Allow, Ruling::Allow(_)) => true,
            (Target::Place(_) | Target::Offer(_), Ruling::Allow(grant)) => {
                let wanted = wanted_place(side, *target);
                wanted.is_some_and(|profile| profile.rank() == grant.profile().rank())
            }
            (_, Ruling::Deny | Ruling::Hold | Ruling::Allow(_)) => false,
        }
    })
}

enum Step<'p> {
    Found(Box<Model>),
    Unsure(Why),
    /// The parts that hold all answers; with a reason, if they may not be all.
    Split(Vec<Node<'p>>, Option<Why>),
}

/// The node with a goal holding; none when nothing is left.
fn assume<'p>(node: Node<'p>, goal: &Rc<Goal<'p>>) -> Option<Node<'p>> {
    match &**goal {
        Goal::All(goals) => goals.iter().try_fold(node, assume),
        Goal::Fact(id, meaning, want) => Some(Node {
            region: node.region.cut(*id, meaning, *want)?,
            ..node
        }),
        Goal::Any(goals) => match goals.as_slice() {
            [] => None,
            [only] => assume(node, only),
            _ => Some(with_pending(node, goal)),
        },
        Goal::Test(..) => Some(with_pending(node, goal)),
    }
}

fn with_pending<'p>(mut node: Node<'p>, goal: &Rc<Goal<'p>>) -> Node<'p> {
    node.pending.push(Rc::clone(goal));
    node
}

/// One part for each way in which a goal can hold. Parts overlap as little as is cheap: a way that
/// is one question about one fact is answered otherwise in the parts after it.
fn ways<'p>(node: &Node<'p>, goal: &Rc<Goal<'p>>) -> Vec<Node<'p>> {
    let mut rest = node.clone();
    rest.pending.retain(|other| !Rc::ptr_eq(other, goal));
    let Goal::Any(goals) = &**goal else {
        return assume(rest, goal).into_iter().collect();
    };
    let mut parts = Vec::new();
    for way in goals {
        parts.extend(assume(rest.clone(), way));
        if let Goal::Fact(..) = &**way {
            match assume(rest, &Rc::new(way.opposite())) {
                Some(others) => rest = others,
                None => break,
            }
        }
    }
    parts
}

// ---- what is wrong with a judgement -------------------------------------------------------------

/// What one policy said of a model, beside what it should say.
struct Asked<'a, 'p> {
    space: &'a Space,
    side: &'a Side<'p>,
    target: Target,
    other: Option<Target>,
    judgement: Judgement,
    model: &'a Model,
}

impl<'p> Asked<'_, 'p> {
    fn violated(&self) -> Vec<Goal<'p>> {
        match self.target {
            Target::Deny => self.not_denied(),
            Target::Allow | Target::Place(_) | Target::Offer(_) => {
                let strict = self.stay_out(Verdict::Deny);
                let strict = strict.chain(self.stay_out(Verdict::Hold));
                let strict: Vec<Goal<'p>> = strict.collect();
                match strict.is_empty() {
                    true => self.not_granted(),
                    false => strict,
                }
            }
            Target::Hold => {
                let strict: Vec<Goal<'p>> = self.stay_out(Verdict::Deny).collect();
                match strict.is_empty() {
                    true => self.not_held(),
                    false => strict,
                }
            }
        }
    }

    fn holds(&self, goal: &Goal<'p>) -> bool {
        goal.holds(self.space, self.model.scene())
    }

    fn hits(&self, effect: Verdict) -> impl Iterator<Item = &Ruled<'p>> {
        self.side.hits(&self.judgement, effect)
    }

    /// Each rule of this effect that took effect must not.
    fn stay_out(&self, effect: Verdict) -> impl Iterator<Item = Goal<'p>> {
        self.hits(effect).map(|ruled| (*ruled.stays_out).clone())
    }

    /// The call is allowed or held: for each profile that carries it, a deny takes effect, or the
    /// profile does not carry it, or a hold lowers the limits below what it asks.
    fn not_denied(&self) -> Vec<Goal<'p>> {
        match self.judgement.ruling {
            Ruling::Deny => return Vec::new(),
            Ruling::Allow(_) | Ruling::Hold => {}
        }
        // A deny of both policies does not tell them apart.
        let denies = self.side.of(Verdict::Deny);
        let denies = denies.filter(|(_, deny)| deny.changed || self.other.is_none());
        let mut strict: Vec<_> = denies.map(|(_, deny)| Rc::clone(&deny.enters)).collect();
        for (_, hold) in self.side.of(Verdict::Hold) {
            strict.extend(hold.within.iter().map(|(_, within)| {
                let exceeds = Rc::new(within.opposite());
                Rc::new(Goal::All(vec![Rc::clone(&hold.enters), exceeds]))
            }));
        }
        let carrying = self
            .side
            .places
            .iter()
            .filter(|place| self.holds(&place.carries));
        let ways = carrying.map(|place| {
            let mut ways = strict.clone();
            ways.push(Rc::clone(&place.fails));
            Goal::Any(flat(ways))
        });
        ways.collect()
    }

    /// Nothing stricter takes effect.
    fn not_granted(&self) -> Vec<Goal<'p>> {
        let wanted = wanted_place(self.side, self.target);
        match (&self.judgement.ruling, wanted) {
            (Ruling::Hold | Ruling::Deny, None) => vec![self.carried()],
            (Ruling::Hold | Ruling::Deny, Some(wanted)) => self.carried_by(wanted),
            (Ruling::Allow(_), None) => Vec::new(),
            (Ruling::Allow(grant), Some(wanted)) if grant.profile().rank() < wanted.rank() => {
                let lower = self.side.place(grant.profile());
                lower
                    .map(|place| (*place.fails).clone())
                    .into_iter()
                    .collect()
            }
            (Ruling::Allow(grant), Some(wanted)) if grant.profile().rank() > wanted.rank() => {
                self.carried_by(wanted)
            }
            (Ruling::Allow(_), Some(_)) => self.lower_offers(),
        }
    }

    /// Each offer in the profile that is taken before the wanted one must not be there, if no atom
    /// decides which allows count. Where one does, the grants are compared as they are.
    fn lower_offers(&self) -> Vec<Goal<'p>> {
        let Target::Offer(wanted) = self.target else {
            return Vec::new();
        };
        if self.model.facts.to_cover().next().is_some() {
            return Vec::new();
        }
        let wanted = self.side.rules.get(wanted).and_then(|ruled| ruled.offer);
        let order = wanted.map(|offer| offer.order());
        let lower = self.hits(Verdict::Allow).filter(|allow| {
            let offer = allow.offer.map(|offer| offer.order());
            let same_place = offer.map(|(rank, _)| rank) == order.map(|(rank, _)| rank);
            same_place && offer < order && self.holds(&allow.suffices)
        });
        let ways = lower.map(|allow| {
            let mut ways = vec![Rc::new(allow.carries().opposite())];
            ways.extend(self.side.to_cover.iter().cloned());
            Goal::Any(flat(ways))
        });
        ways.collect()
    }

    /// Some profile carries the call.
    fn carried(&self) -> Goal<'p> {
        let places = self.side.places.iter();
        Goal::Any(places.map(|place| Rc::clone(&place.carries)).collect())
    }

    fn carried_by(&self, profile: &Profile) -> Vec<Goal<'p>> {
        let place = self.side.place(profile);
        place
            .map(|place| (*place.carries).clone())
            .into_iter()
            .collect()
    }

    /// No deny takes effect, and yet the call is not held.
    fn not_held(&self) -> Vec<Goal<'p>> {
        let mut violated = Vec::new();
        if self.hits(Verdict::Hold).next().is_none() {
            violated.push(self.some_hold());
        }
        if matches!(self.judgement.ruling, Ruling::Deny) {
            violated.extend(self.not_carried());
        }
        violated
    }

    /// A hold of both policies does not help where the other is to allow.
    fn some_hold(&self) -> Goal<'p> {
        let other_allows = match self.other {
            Some(Target::Allow | Target::Place(_) | Target::Offer(_)) => true,
            Some(Target::Hold | Target::Deny) | None => false,
        };
        let holds = self.side.of(Verdict::Hold);
        let holds = holds.filter(|(_, hold)| hold.changed || !other_allows);
        Goal::Any(holds.map(|(_, hold)| Rc::clone(&hold.enters)).collect())
    }

    /// Nothing denies the call, and yet it is not carried: by no profile of itself, or because the
    /// holds lower the limits below what it asks.
    fn not_carried(&self) -> Vec<Goal<'p>> {
        let carried = self.carried();
        if !self.holds(&carried) {
            return vec![carried];
        }
        let holds = self.hits(Verdict::Hold).filter(|hold| {
            let mut within = hold.within.iter();
            within.any(|(_, within)| !self.holds(within))
        });
        let ways = holds.map(|hold| {
            let within = hold.within.iter().map(|(_, within)| Rc::clone(within));
            let within = Rc::new(Goal::All(within.collect()));
            Goal::Any(flat(vec![Rc::clone(&hold.stays_out), within]))
        });
        ways.collect()
    }
}

/// Alternatives of alternatives as one list.
fn flat<'p>(goals: Vec<Rc<Goal<'p>>>) -> Vec<Rc<Goal<'p>>> {
    let each = goals.into_iter().flat_map(|goal| match &*goal {
        Goal::Any(goals) => goals.clone(),
        Goal::All(_) | Goal::Fact(..) | Goal::Test(..) => vec![goal],
    });
    each.collect()
}
