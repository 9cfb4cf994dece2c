//! The decision: the strictest rule wins, no rule is a deny, and only here is a permit made.
//!
//! [`decide`] is total: every policy and every call give a decision, and whatever goes wrong on
//! the way makes it a deny. It does no I/O and asks no clock. Three steps: find the rules that
//! take effect; take the strictest; if that leaves the call alive, resolve its authority.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use smallvec::SmallVec;

use crate::call::{CallId, ToolCall};
use crate::context::{Context, Scene};
use crate::grant::{Grant, Offer, Offered, resolve};
use crate::policy::Policy;
use crate::profile::Limits;
use crate::rule::{Effect, Rule, TakingEffect};
use crate::verdict::Verdict;

/// Decides on one call without a word about the world: rules that ask for the time or the session's
/// state get no answer, which never helps the call.
pub fn decide(policy: &Policy, call_id: CallId, call: ToolCall) -> Decision {
    decide_at(policy, &Context::default(), call_id, call)
}

/// Decides on one call in the world that `context` tells of.
pub fn decide_at(policy: &Policy, context: &Context, call_id: CallId, call: ToolCall) -> Decision {
    let judgement = judge(
        policy,
        Scene {
            call: &call,
            context,
        },
    );
    Decision {
        call_id,
        call,
        judgement,
        policy_digest: policy.digest(),
    }
}

/// What was decided on one call, by which rules and why.
#[derive(Debug)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub struct Decision {
    call_id: CallId,
    call: ToolCall,
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

/// A rule that took effect on a call.
#[derive(Debug, Clone)]
pub struct RuleHit(Arc<Rule>);

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
        &self.judgement.reason
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
    /// The rule's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// What the rule says of the call.
    #[must_use]
    pub fn effect(&self) -> Verdict {
        self.0.effect()
    }

    /// Why, in the rule's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.0.reason()
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
    pub(crate) ruling: Ruling,
    pub(crate) reason: Arc<str>,
    pub(crate) next_steps: Vec<String>,
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
    judge_by(policy.rule_set().taking_effect(scene), scene.call)
}

/// The judgement when exactly these rules take effect.
pub(crate) fn judge_by(rules: TakingEffect, call: &ToolCall) -> Judgement {
    let (ruling, reason, next_steps) = rule_on(&rules.enforced, call);
    let counted = (!rules.shadow.is_empty()).then(|| rule_on(&rules.all(), call).0);
    Judgement {
        hits: rules.enforced.into_iter().map(RuleHit).collect(),
        shadow: rules.shadow.into_iter().map(RuleHit).collect(),
        shadow_verdict: counted.map(|ruling| ruling.verdict()),
        ruling,
        reason,
        next_steps,
    }
}

/// A hold only delays what an allow grants, so a held call must resolve as well: otherwise adding
/// a hold rule would turn the deny of an uncovered call into something looser.
fn rule_on(rules: &[Arc<Rule>], call: &ToolCall) -> (Ruling, Arc<str>, Vec<String>) {
    let strictest = rules.first();
    if let Some(rule) = strictest.filter(|rule| rule.effect() == Verdict::Deny) {
        let step = format!(
            "send another call: rule `{}` denies this one whatever else allows it",
            rule.id()
        );
        return (Ruling::Deny, Arc::clone(&rule.reason), vec![step]);
    }
    let offered = offers(rules);
    match (resolve(offered, call), strictest) {
        (Err(shortfall), _) => (
            Ruling::Deny,
            shortfall.to_string().into(),
            vec![shortfall.next_step()],
        ),
        (Ok(grant), Some(rule)) => match rule.effect() {
            Verdict::Allow => (Ruling::Allow(grant), Arc::clone(&rule.reason), Vec::new()),
            Verdict::Hold => (
                Ruling::Hold,
                Arc::clone(&rule.reason),
                vec!["wait until a person has approved the call".to_owned()],
            ),
            Verdict::Deny => (Ruling::Deny, Arc::clone(&rule.reason), Vec::new()),
        },
        // No rule offers no profile, so this is the case above; a deny all the same.
        (Ok(_), None) => (Ruling::Deny, "no rule matches this call".into(), Vec::new()),
    }
}

/// What the allows among the rules offer, each lowered by its own obligations and by those of every
/// hold.
fn offers(rules: &[Arc<Rule>]) -> Offered<'_> {
    let held = rules
        .iter()
        .filter(|rule| rule.effect() == Verdict::Hold)
        .fold(Limits::UNBOUNDED, |all, hold| all.lowered(&hold.ceiling));
    let offers = rules.iter().filter_map(|rule| match &rule.effect {
        Effect::Allow(profile) => Some(Offer {
            profile,
            limits: profile.limits().lowered(&rule.ceiling).lowered(&held),
        }),
        Effect::Hold | Effect::Deny => None,
    });
    offers.collect()
}
