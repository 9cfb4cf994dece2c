//! The same rules in Cedar: a permit for an allow, a forbid for a deny or hold.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
};
use serde_json::json;

use crate::Outcome;
use crate::decide::Contender;
use crate::rules::{Call, Rule, TOOL};
use crate::sample::time;

/// Policies and requests, ready to be asked.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

impl Cedar {
    /// Parses the rules and makes the requests.
    pub fn new(rules: &[Rule], calls: &[Call]) -> Outcome<Self> {
        let mut policies = PolicySet::new();
        for (number, rule) in rules.iter().enumerate() {
            let id = PolicyId::new(format!("rule-{number}"));
            policies.add(Policy::parse(Some(id), text(rule))?)?;
        }
        Ok(Self {
            authorizer: Authorizer::new(),
            policies,
            entities: Entities::empty(),
            requests: calls.iter().map(request).collect::<Outcome<_>>()?,
        })
    }

    fn answer(&self, request: &Request) -> cedar_policy::Response {
        self.authorizer
            .is_authorized(request, &self.policies, &self.entities)
    }
}

impl Contender for Cedar {
    fn name(&self) -> &'static str {
        "cedar-policy"
    }

    fn runs_now(&mut self, call: usize) -> Outcome<bool> {
        let request = self.requests.get(call).ok_or("no such call")?;
        Ok(self.answer(request).decision() == Decision::Allow)
    }

    fn time(&mut self, call: usize) -> std::time::Duration {
        let request = self.requests.get(call);
        time(|| request.map(|request| self.answer(request)))
    }
}

fn request(call: &Call) -> Outcome<Request> {
    let uid = |kind: &str, name: &str| format!("{kind}::\"{name}\"").parse::<EntityUid>();
    let context = json!({"arguments": {"project": call.project, "path": call.path}});
    Ok(Request::new(
        uid("Principal", &call.principal)?,
        uid("Action", TOOL)?,
        uid("Sandbox", "wasm-offline")?,
        Context::from_json_value(context, None)?,
        None,
    )?)
}

fn text(rule: &Rule) -> String {
    let action = format!("action == Action::\"{TOOL}\"");
    match rule {
        Rule::Deny(id) => format!(
            "forbid(principal, {action}, resource) when {{ context.arguments.path like \"/srv/{id}/*\" }};"
        ),
        Rule::Hold(id) => format!(
            "forbid(principal, {action}, resource) when {{ [Principal::\"team-{id}\", Principal::\"lead-{id}\"].contains(principal) && context.arguments.project like \"secret-{id}*\" }};"
        ),
        Rule::Allow(id) => format!(
            "permit(principal, {action}, resource) when {{ context.arguments.project == \"project-{id}\" }};"
        ),
    }
}
