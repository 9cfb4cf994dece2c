//! One policy as the search sees it: its rules that count, each as goals.
//!
//! Shadow rules are left out, they change no verdict. Cannot fail.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Value, json};

use super::goal::{Goal, Goals};
use super::space::Space;
use crate::condition::Clause;
use crate::decide::{Judgement, RuleHit};
use crate::digest::hex;
use crate::file::Mode;
use crate::policy::Policy;
use crate::profile::{Limits, Profile};
use crate::rule::{Effect, Rule};
use crate::verdict::Verdict;

/// A policy, with the rules that it does not share with the other one marked.
pub(super) struct Side<'p> {
    pub(super) policy: &'p Policy,
    pub(super) rules: Vec<Ruled<'p>>,
    by_id: HashMap<&'p str, usize>,
}

/// A rule, as goals.
pub(super) struct Ruled<'p> {
    pub(super) rule: &'p Rule,
    /// The other policy has no rule that does the same.
    pub(super) changed: bool,
    pub(super) enters: Rc<Goal<'p>>,
    pub(super) stays_out: Rc<Goal<'p>>,
    /// Of an allow: that the call fits into its offer.
    pub(super) fits: Rc<Goal<'p>>,
    pub(super) misfits: Rc<Goal<'p>>,
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
    /// The lowest that fits is taken.
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
        rule.ceiling.entries().map(|(_, limit)| limit),
        clauses(&rule.matches),
        clauses(&rule.unless),
        rule.when.as_ref().map(ToString::to_string),
        expires_us,
    ])
    .to_string()
}

impl<'p> Side<'p> {
    pub(super) fn new(space: &mut Space, policy: &'p Policy, others: &BTreeSet<String>) -> Self {
        let mut goals = Goals { space };
        let rules: Vec<Ruled<'p>> = counting(policy)
            .map(|rule| Ruled::new(&mut goals, rule, !others.contains(&deed(rule))))
            .collect();
        Self {
            policy,
            by_id: rules
                .iter()
                .enumerate()
                .map(|(at, ruled)| (ruled.rule.id(), at))
                .collect(),
            rules,
        }
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
            limits: profile.limits().lowered(&rule.ceiling),
        });
        let fits = match offer {
            Some(offer) => goals.fits(offer.profile, &offer.limits),
            None => Goal::never(),
        };
        let within = match rule.effect {
            Effect::Hold => goals.asks_at_most(&rule.ceiling),
            Effect::Allow(_) | Effect::Deny => Vec::new(),
        };
        Self {
            rule,
            changed,
            stays_out: Rc::new(enters.opposite()),
            enters: Rc::new(enters),
            misfits: Rc::new(fits.opposite()),
            fits: Rc::new(fits),
            within,
            offer,
        }
    }
}
