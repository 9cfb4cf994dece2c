//! One policy as the search sees it: its rules that count, each as goals.
//!
//! Shadow rules are left out, they change no verdict. Cannot fail.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Value, json};

use super::goal::{Goal, Goals};
use super::space::Space;
use crate::condition::Clause;
use crate::decide::{Judgement, RuleHit};
use crate::digest::hex;
use crate::facts::Kind;
use crate::file::Mode;
use crate::policy::Policy;
use crate::profile::{Limits, Profile};
use crate::rule::{Effect, Rule};
use crate::verdict::Verdict;

/// A policy, with the rules that it does not share with the other one marked.
pub(super) struct Side<'p> {
    pub(super) policy: &'p Policy,
    pub(super) rules: Vec<Ruled<'p>>,
    /// By rank, the one with least authority first.
    pub(super) places: Vec<Place<'p>>,
    /// For each kind of atom: that there is one that an allow must cover.
    pub(super) to_cover: Vec<Rc<Goal<'p>>>,
    by_id: HashMap<&'p str, usize>,
}

/// A profile that some allow runs calls in.
pub(super) struct Place<'p> {
    pub(super) profile: &'p Profile,
    /// That the call fits into it and its allows cover all of the call.
    pub(super) carries: Rc<Goal<'p>>,
    pub(super) fails: Rc<Goal<'p>>,
}

/// A rule, as goals.
pub(super) struct Ruled<'p> {
    pub(super) rule: &'p Rule,
    /// The other policy has no rule that does the same.
    pub(super) changed: bool,
    pub(super) enters: Rc<Goal<'p>>,
    pub(super) stays_out: Rc<Goal<'p>>,
    /// Of an allow: that the call asks for no more than it gives.
    pub(super) suffices: Rc<Goal<'p>>,
    /// Of an allow: for each kind of atom that it speaks of, that it covers the one there is.
    pub(super) covers: Vec<(Kind, Rc<Goal<'p>>)>,
    /// Of a hold with obligations: that the call stays within each.
    pub(super) within: Vec<(&'static str, Rc<Goal<'p>>)>,
    /// Of an allow.
    pub(super) offer: Option<Offer<'p>>,
}

/// What an allow gives by itself.
#[derive(Clone, Copy)]
pub(super) struct Offer<'p> {
    pub(super) profile: &'p Profile,
    pub(super) limits: Limits,
}

impl Offer<'_> {
    /// The lowest that suffices is taken.
    pub(super) fn order(&self) -> (u32, Limits) {
        (self.profile.rank(), self.limits)
    }
}

/// What rules do, without their names, reasons and tests; rules with one of these change nothing
/// by being there in both policies.
pub(super) fn deeds(policy: &Policy) -> BTreeSet<String> {
    counting(policy).map(deed).collect()
}

fn counting(policy: &Policy) -> impl Iterator<Item = &Rule> {
    policy.rules().filter(|rule| rule.mode() == Mode::Enforce)
}

fn deed(rule: &Rule) -> String {
    let clauses = |clauses: &[Clause]| -> Value {
        let entries = clauses
            .iter()
            .map(|clause| (clause.fact.to_string(), clause.source.meaning()));
        Value::Object(entries.collect())
    };
    let expires_us = match rule.effect {
        Effect::Allow(_) => rule.expires_us(),
        // They go on when they have expired.
        Effect::Hold | Effect::Deny => None,
    };
    json!([
        rule.effect(),
        rule.run().map(|profile| hex(&profile.digest())),
        rule.ceiling().entries().map(|(_, limit)| limit),
        clauses(&rule.matches),
        clauses(&rule.unless),
        rule.when.as_ref().map(ToString::to_string),
        expires_us,
    ])
    .to_string()
}

/// What rules do beside their verdicts, by what they do: labels and redaction.
pub(super) fn by_the_way(policy: &Policy) -> BTreeSet<String> {
    let rules = counting(policy).filter(|rule| !rule.taint.is_empty() || !rule.redact().is_empty());
    let texts = rules.map(|rule| {
        let mut labels: Vec<&str> = rule.taint.iter().map(|label| &**label).collect();
        labels.sort_unstable();
        format!("{} {labels:?} {:?}", deed(rule), rule.redact().meaning())
    });
    texts.collect()
}

/// The kinds of atoms that rules of a policy speak of.
pub(super) fn kinds(policy: &Policy) -> BTreeSet<Kind> {
    counting(policy)
        .flat_map(|rule| rule.kinds().iter().collect::<Vec<_>>())
        .collect()
}

impl<'p> Side<'p> {
    /// `kinds` are those that a rule of any of the policies speaks of.
    pub(super) fn new(
        space: &mut Space,
        policy: &'p Policy,
        others: &BTreeSet<String>,
        kinds: &BTreeSet<Kind>,
    ) -> Self {
        let mut goals = Goals { space };
        let rules: Vec<Ruled<'p>> = counting(policy)
            .map(|rule| Ruled::new(&mut goals, rule, !others.contains(&deed(rule))))
            .collect();
        let numbered = rules.iter().enumerate();
        let covered: Vec<Kind> = kinds
            .iter()
            .copied()
            .filter(|kind| kind.is_covered())
            .collect();
        let to_cover = covered
            .iter()
            .map(|kind| Rc::new(goals.must_be_covered(*kind)));
        let to_cover: Vec<_> = to_cover.collect();
        Self {
            policy,
            by_id: numbered.map(|(at, ruled)| (ruled.rule.id(), at)).collect(),
            places: places(&mut goals, &rules, &covered, &to_cover),
            to_cover,
            rules,
        }
    }

    /// The place that is this profile.
    pub(super) fn place(&self, profile: &Profile) -> Option<&Place<'p>> {
        let mut places = self.places.iter();
        places.find(|place| place.profile.rank() == profile.rank())
    }

    /// The rules with an effect.
    pub(super) fn of(&self, effect: Verdict) -> impl Iterator<Item = (usize, &Ruled<'p>)> {
        let all = self.rules.iter().enumerate();
        all.filter(move |(_, ruled)| ruled.rule.effect() == effect)
    }

    /// The rules with an effect that took effect.
    pub(super) fn hits<'s>(
        &'s self,
        judgement: &'s Judgement,
        effect: Verdict,
    ) -> impl Iterator<Item = &'s Ruled<'p>> {
        let hits = judgement
            .hits
            .iter()
            .filter(move |hit| hit.effect() == effect);
        hits.filter_map(|hit: &RuleHit| self.rules.get(*self.by_id.get(hit.id())?))
    }
}

impl<'p> Ruled<'p> {
    fn new(goals: &mut Goals<'_>, rule: &'p Rule, changed: bool) -> Self {
        let enters = goals.takes_effect(rule);
        let offer = rule.run().map(|profile| Offer {
            profile,
            limits: profile.limits().lowered(rule.ceiling()),
        });
        let asks = |goals: &mut Goals<'_>, limits: &Limits| goals.asks_at_most(limits);
        let suffices = offer.map_or_else(Vec::new, |offer| asks(goals, &offer.limits));
        let (covers, within) = match rule.effect {
            Effect::Allow(_) => (goals.touched(rule), Vec::new()),
            Effect::Hold => (Vec::new(), asks(goals, rule.ceiling())),
            Effect::Deny => (Vec::new(), Vec::new()),
        };
        Self {
            rule,
            changed,
            stays_out: Rc::new(enters.opposite()),
            enters: Rc::new(enters),
            suffices: Rc::new(Goal::All(
                suffices.into_iter().map(|(_, goal)| goal).collect(),
            )),
            covers,
            within,
            offer,
        }
    }

    /// That an allow takes effect and gives what the call asks for.
    pub(super) fn carries(&self) -> Rc<Goal<'p>> {
        let both = vec![Rc::clone(&self.enters), Rc::clone(&self.suffices)];
        Rc::new(Goal::All(both))
    }

    /// That it also covers the atom of a kind; none if it speaks of no such atoms.
    fn carries_atom(&self, kind: Kind) -> Option<Rc<Goal<'p>>> {
        let (_, covers) = self.covers.iter().find(|(covered, _)| *covered == kind)?;
        let all = vec![
            Rc::clone(&self.enters),
            Rc::clone(&self.suffices),
            Rc::clone(covers),
        ];
        Some(Rc::new(Goal::All(all)))
    }
}

/// As [`crate::grant::resolve`]: a profile carries a call if it runs it, and for each atom that
/// must be covered an allow in it does; without such atoms, if some allow in it takes effect.
fn places<'p>(
    goals: &mut Goals<'_>,
    rules: &[Ruled<'p>],
    covered: &[Kind],
    to_cover: &[Rc<Goal<'p>>],
) -> Vec<Place<'p>> {
    let mut by_rank: BTreeMap<u32, Vec<&Ruled<'p>>> = BTreeMap::new();
    for ruled in rules {
        if let Some(offer) = ruled.offer {
            by_rank.entry(offer.profile.rank()).or_default().push(ruled);
        }
    }
    let places = by_rank.into_values().filter_map(|allows| {
        let profile = allows.first()?.offer?.profile;
        let mut all = goals.runs(profile);
        let mut carried = to_cover.to_vec();
        carried.extend(allows.iter().map(|allow| allow.carries()));
        all.push(Rc::new(Goal::Any(carried)));
        for (kind, to_cover) in covered.iter().zip(to_cover) {
            let mut ways = vec![Rc::new(to_cover.opposite())];
            ways.extend(allows.iter().filter_map(|allow| allow.carries_atom(*kind)));
            all.push(Rc::new(Goal::Any(ways)));
        }
        let carries = Goal::All(all);
        Some(Place {
            profile,
            fails: Rc::new(carries.opposite()),
            carries: Rc::new(carries),
        })
    });
    places.collect()
}
