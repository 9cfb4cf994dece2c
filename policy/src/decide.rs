//! The decision: the strictest rule wins, no rule is a deny, and only here is a permit made.
//!
//! [`decide`] is total: every policy and every call give a decision, and whatever goes wrong on
//! the way makes it a deny. It does no I/O and asks no clock. Three steps: find the rules that
//! take effect; take the strictest; if that leaves the call alive, resolve its authority.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use smallvec::SmallVec;

use crate::budget::{Budget, Remaining, hosts_of, spend};
use crate::call::{CallId, ToolCall};
use crate::context::{Context, Scene};
use crate::facts::Facts;
use crate::grant::{Grant, Offer, Offered, resolve};
use crate::policy::Policy;
use crate::profile::Limits;
use crate::redact::Redaction;
use crate::rule::{Effect, Rule, TakingEffect};
use crate::verdict::Verdict;

/// Decides on one call without a word about the world: rules that ask for the time or the session's
/// state get no answer, which never helps the call.
pub fn decide(policy: &Policy, call_id: CallId, call: ToolCall) -> Decision {
    decide_at(policy, &Context::default(), call_id, call)
}

/// Decides on one call in the world that `context` tells of.
pub fn decide_at(policy: &Policy, context: &Context, call_id: CallId, call: ToolCall) -> Decision {
    decide_inspected(policy, context, call_id, policy.inspect(call))
}

/// Decides on a call that was read before, with [`Policy::inspect`]. If that was for a policy that
/// reads calls otherwise, it is read again.
pub fn decide_inspected(
    policy: &Policy,
    context: &Context,
    call_id: CallId,
    inspection: Inspection,
) -> Decision {
    let Inspection { call, facts, .. } = inspection.for_policy(policy);
    let judgement = judge(policy, Scene::new(&call, &facts, context));
    Decision {
        call_id,
        call,
        facts,
        judgement,
        policy_digest: policy.digest(),
    }
}

/// A call, and what was read out of it.
#[derive(Debug, Clone)]
pub struct Inspection {
    call: ToolCall,
    facts: Facts,
    /// Of the policy that it was made for.
    policy_digest: [u8; 32],
}

impl Inspection {
    pub(crate) fn of(call: ToolCall, policy: &Policy) -> Self {
        Self {
            facts: Facts::of(&call, policy.tools(), policy.needs()),
            call,
            policy_digest: policy.digest(),
        }
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.call
    }

    /// What was read out of it, as far as the policy asks for it.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    fn for_policy(self, policy: &Policy) -> Self {
        if self.policy_digest == policy.digest() {
            self
        } else {
            Self::of(self.call, policy)
        }
    }
}

/// What was decided on one call, by which rules and why.
#[derive(Debug)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub struct Decision {
    call_id: CallId,
    call: ToolCall,
    facts: Facts,
    judgement: Judgement,
    policy_digest: [u8; 32],
}

/// The right to run one call once. Made only from a [`Decision`] that allows; not `Clone`, so that
/// one decision runs one call.
#[derive(Debug)]
#[must_use = "a permit that is dropped runs nothing"]
pub struct Permit {
    call_id: CallId,
    call: ToolCall,
    grant: Grant,
    policy_digest: [u8; 32],
}

/// A decision that gives no permit.
#[derive(Debug)]
#[must_use]
pub enum Refusal {
    /// The call waits for a person.
    Held(Decision),
    /// The call does not run.
    Denied(Decision),
}

/// A rule that took effect on a call, or a budget that the call went above.
#[derive(Debug, Clone)]
pub struct RuleHit(Hit);

#[derive(Debug, Clone)]
enum Hit {
    Rule(Arc<Rule>),
    Budget(Arc<Budget>),
}

impl Decision {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict()
    }

    /// The rules that took effect, the strictest first, then by id. A call can be denied without
    /// any.
    #[must_use]
    pub fn rules(&self) -> &[RuleHit] {
        &self.judgement.hits
    }

    /// The shadow rules that would have taken effect, in the same order. They changed nothing.
    #[must_use]
    pub fn shadow_rules(&self) -> &[RuleHit] {
        &self.judgement.shadow
    }

    /// The verdict if the shadow rules counted; none when no shadow rule would have taken effect.
    #[must_use]
    pub fn shadow_verdict(&self) -> Option<Verdict> {
        self.judgement.shadow_verdict
    }

    /// Why, for the caller.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.judgement.reason.as_str()
    }

    /// What the caller can do; empty when the call is allowed.
    #[must_use]
    pub fn next_steps(&self) -> &[String] {
        &self.judgement.next_steps
    }

    /// The id that the caller gave.
    #[must_use]
    pub fn call_id(&self) -> CallId {
        self.call_id
    }

    /// The call that was judged.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.call
    }

    /// The policy that decided.
    #[must_use]
    pub fn policy_digest(&self) -> [u8; 32] {
        self.policy_digest
    }

    /// What was read out of the call, as far as the policy asks for it.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The labels that the rules which took effect put on the call's session, each once. Whoever
    /// keeps the session's state adds them, whatever the verdict.
    #[must_use]
    pub fn taint(&self) -> Vec<&str> {
        let rules = self.judgement.hits.iter().filter_map(RuleHit::rule);
        let mut labels: Vec<&str> = rules
            .flat_map(|rule| rule.taint.iter().map(|label| &**label))
            .collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// What remains of each budget that applies, when this call is counted. Empty when the policy
    /// has none, and for those that the call goes above.
    #[must_use]
    pub fn remaining(&self) -> &[Remaining] {
        &self.judgement.remaining
    }

    /// The hosts that the call names, each once: what whoever counts budgets adds to those used.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = hosts_of(&self.facts).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// What an allowed call gets. None for a hold or deny.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match &self.judgement.ruling {
            Ruling::Allow(grant) => Some(grant),
            Ruling::Hold | Ruling::Deny => None,
        }
    }

    /// The permit of an allowed call.
    ///
    /// # Errors
    /// The decision itself, as a [`Refusal`], when it does not allow.
    #[expect(
        clippy::result_large_err,
        reason = "the refusal is the decision, which the caller held by value before"
    )]
    pub fn into_permit(self) -> Result<Permit, Refusal> {
        match self.judgement.ruling {
            Ruling::Allow(grant) => Ok(Permit {
                call_id: self.call_id,
                call: self.call,
                grant,
                policy_digest: self.policy_digest,
            }),
            Ruling::Hold => Err(Refusal::Held(self)),
            Ruling::Deny => Err(Refusal::Denied(self)),
        }
    }
}

impl Permit {
    /// The id of the call.
    #[must_use]
    pub fn call_id(&self) -> CallId {
        self.call_id
    }

    /// The call as it was judged, which is the one to run.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.call
    }

    /// What the call gets.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The policy that decided.
    #[must_use]
    pub fn policy_digest(&self) -> [u8; 32] {
        self.policy_digest
    }
}

impl Refusal {
    /// The decision behind it, with everything that it can tell.
    pub fn decision(&self) -> &Decision {
        match self {
            Self::Held(decision) | Self::Denied(decision) => decision,
        }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.decision().verdict()
    }

    /// See [`Decision::rules`].
    #[must_use]
    pub fn rules(&self) -> &[RuleHit] {
        self.decision().rules()
    }

    /// See [`Decision::reason`].
    #[must_use]
    pub fn reason(&self) -> &str {
        self.decision().reason()
    }

    /// See [`Decision::next_steps`].
    #[must_use]
    pub fn next_steps(&self) -> &[String] {
        self.decision().next_steps()
    }

    /// See [`Decision::call_id`].
    #[must_use]
    pub fn call_id(&self) -> CallId {
        self.decision().call_id()
    }

    /// See [`Decision::call`].
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        self.decision().call()
    }

    /// See [`Decision::policy_digest`].
    #[must_use]
    pub fn policy_digest(&self) -> [u8; 32] {
        self.decision().policy_digest()
    }
}

impl RuleHit {
    /// The id of the rule or budget.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.0 {
            Hit::Rule(rule) => rule.id(),
            Hit::Budget(budget) => budget.id(),
        }
    }

    /// What it says of the call.
    #[must_use]
    pub fn effect(&self) -> Verdict {
        match &self.0 {
            Hit::Rule(rule) => rule.effect(),
            Hit::Budget(budget) => budget.effect,
        }
    }

    /// Why, in its words.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.0 {
            Hit::Rule(rule) => rule.reason(),
            Hit::Budget(budget) => budget.reason(),
        }
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        match &self.0 {
            Hit::Rule(rule) => rule.owner(),
            Hit::Budget(budget) => budget.owner(),
        }
    }

    fn rule(&self) -> Option<&Rule> {
        match &self.0 {
            Hit::Rule(rule) => Some(rule),
            Hit::Budget(_) => None,
        }
    }
}

impl Serialize for RuleHit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("RuleHit", 3)?;
        out.serialize_field("id", self.id())?;
        out.serialize_field("effect", &self.effect())?;
        out.serialize_field("reason", self.reason())?;
        out.end()
    }
}

// ---- judging ------------------------------------------------------------------------------------

/// A decision without the call that it is about: what tests and explanations ask for.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) hits: SmallVec<[RuleHit; 4]>,
    pub(crate) shadow: SmallVec<[RuleHit; 4]>,
    pub(crate) shadow_verdict: Option<Verdict>,
    pub(crate) remaining: Vec<Remaining>,
    pub(crate) ruling: Ruling,
    pub(crate) reason: Reason,
    pub(crate) next_steps: Vec<String>,
}

/// Why, in the words of a rule or in ours. A rule's stay where they are.
#[derive(Debug, Clone)]
pub(crate) enum Reason {
    OfRule(Arc<Rule>),
    Words(Arc<str>),
}

impl Reason {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::OfRule(rule) => rule.reason(),
            Self::Words(words) => words,
        }
    }
}

/// The verdict, and with an allow what it grants.
#[derive(Debug)]
pub(crate) enum Ruling {
    Allow(Grant),
    Hold,
    Deny,
}

impl Judgement {
    pub(crate) fn verdict(&self) -> Verdict {
        self.ruling.verdict()
    }
}

impl Ruling {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Allow(_) => Verdict::Allow,
            Self::Hold => Verdict::Hold,
            Self::Deny => Verdict::Deny,
        }
    }
}

pub(crate) fn judge(policy: &Policy, scene: Scene<'_>) -> Judgement {
    judge_by(policy, policy.rule_set().taking_effect(scene), scene)
}

/// The judgement when exactly these rules of a policy take effect.
pub(crate) fn judge_by(policy: &Policy, rules: TakingEffect, scene: Scene<'_>) -> Judgement {
    let ruled = match misfit(policy, scene.call) {
        Some(misfit) => misfit,
        None => rule_on(&rules.enforced, scene),
    };
    let counted = (!rules.shadow.is_empty()).then(|| match misfit(policy, scene.call) {
        Some(misfit) => misfit.ruling,
        None => rule_on(&rules.all(), scene).ruling,
    });
    let hit = |rule| RuleHit(Hit::Rule(rule));
    let judgement = Judgement {
        hits: rules.enforced.into_iter().map(hit).collect(),
        shadow: rules.shadow.into_iter().map(hit).collect(),
        shadow_verdict: counted.map(|counted| counted.verdict()),
        remaining: Vec::new(),
        ruling: ruled.ruling,
        reason: ruled.reason,
        next_steps: ruled.next_steps,
    };
    within_budgets(policy, scene, judgement)
}

/// A verdict with its reason.
struct Ruled {
    ruling: Ruling,
    reason: Reason,
    next_steps: Vec<String>,
}

impl Ruled {
    fn deny(reason: &str, next_step: String) -> Self {
        Self {
            ruling: Ruling::Deny,
            reason: Reason::Words(reason.into()),
            next_steps: vec![next_step],
        }
    }
}

/// Arguments that are not as the tool's schema has them are not judged further.
fn misfit(policy: &Policy, call: &ToolCall) -> Option<Ruled> {
    let misfit = policy.tools().get(call.tool())?.misfit(call.arguments())?;
    Some(Ruled::deny(
        &format!("the arguments do not fit the schema of the tool: {misfit}"),
        "send arguments as the tool's schema has them".to_owned(),
    ))
}

/// A hold only delays what an allow grants, so a held call must resolve as well: otherwise adding
/// a hold rule would turn the deny of an uncovered call into something looser.
fn rule_on(rules: &[Arc<Rule>], scene: Scene<'_>) -> Ruled {
    let strictest = rules.first();
    if let Some(rule) = strictest.filter(|rule| rule.effect() == Verdict::Deny) {
        return Ruled {
            ruling: Ruling::Deny,
            reason: Reason::OfRule(Arc::clone(rule)),
            next_steps: vec![format!(
                "send another call: rule `{}` denies this one whatever else allows it",
                rule.id()
            )],
        };
    }
    match (resolve(offers(rules), scene), strictest) {
        (Err(shortfall), _) => Ruled::deny(&shortfall.to_string(), shortfall.next_step()),
        (Ok(grant), Some(rule)) => ruled_by(rule, grant.with_redaction(redaction(rules))),
        // No rule offers no profile, so this is the case above; a deny all the same.
        (Ok(_), None) => Ruled::deny("no rule matches this call", String::new()),
    }
}

fn ruled_by(rule: &Arc<Rule>, grant: Grant) -> Ruled {
    let (ruling, next_steps) = match rule.effect() {
        Verdict::Allow => (Ruling::Allow(grant), Vec::new()),
        Verdict::Hold => (
            Ruling::Hold,
            vec!["wait until a person has approved the call".to_owned()],
        ),
        Verdict::Deny => (Ruling::Deny, Vec::new()),
    };
    Ruled {
        ruling,
        reason: Reason::OfRule(Arc::clone(rule)),
        next_steps,
    }
}

/// What the allows among the rules offer, each lowered by its own obligations and by those of every
/// hold.
fn offers(rules: &[Arc<Rule>]) -> Offered<'_> {
    let held = rules
        .iter()
        .filter(|rule| rule.effect() == Verdict::Hold)
        .fold(Limits::UNBOUNDED, |all, hold| all.lowered(hold.ceiling()));
    let offers = rules.iter().filter_map(|rule| match &rule.effect {
        Effect::Allow(profile) => Some(Offer {
            rule,
            profile,
            limits: profile.limits().lowered(rule.ceiling()).lowered(&held),
        }),
        Effect::Hold | Effect::Deny => None,
    });
    offers.collect()
}

/// What any rule that takes effect has taken out of the output.
fn redaction(rules: &[Arc<Rule>]) -> Redaction {
    let mut redaction = Redaction::default();
    rules.iter().for_each(|rule| redaction.join(rule.redact()));
    redaction
}

/// The same judgement, or a stricter one where the call goes above a budget.
fn within_budgets(policy: &Policy, scene: Scene<'_>, mut judgement: Judgement) -> Judgement {
    if policy.budgets().is_empty() || judgement.verdict() == Verdict::Deny {
        return judgement;
    }
    let spending = spend(
        policy.budgets(),
        &scene.context.budgets,
        scene.call,
        scene.facts,
    );
    judgement.remaining = spending.remaining;
    if let Some(budget) = spending.unknown.first() {
        judgement.ruling = Ruling::Deny;
        let words = format!("what was used of the budget `{}` is not known", budget.id());
        judgement.reason = Reason::Words(words.into());
        judgement.next_steps = vec!["send the call through a daemon, which counts".to_owned()];
    }
    for budget in spending.unknown.iter().chain(&spending.exceeded) {
        judgement
            .hits
            .push(RuleHit(Hit::Budget(Arc::clone(budget))));
    }
    judgement.hits.sort_by_key(|hit| Reverse(hit.effect()));
    let strictest = spending.exceeded.iter().max_by_key(|budget| budget.effect);
    match strictest {
        Some(budget) if budget.effect > judgement.verdict() => above(judgement, budget),
        Some(_) | None => judgement,
    }
}

fn above(judgement: Judgement, budget: &Budget) -> Judgement {
    let (ruling, step) = match budget.effect {
        Verdict::Hold => (
            Ruling::Hold,
            "wait until a person has approved the call".to_owned(),
        ),
        Verdict::Allow | Verdict::Deny => (
            Ruling::Deny,
            format!(
                "the budget `{}` of this {} is used up",
                budget.id(),
                budget.per()
            ),
        ),
    };
    Judgement {
        ruling,
        reason: Reason::Words(Arc::clone(&budget.reason)),
        next_steps: vec![step],
        ..judgement
    }
}
