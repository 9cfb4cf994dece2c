//! The policy crate, as any program uses it.

use std::fmt::Write as _;

use policy::{
    CallId, Context, Decision, Inspection, Policy, Profiles, ToolCall, Verdict, decide_inspected,
    shipped,
};
use serde_json::json;

use crate::Outcome;
use crate::decide::Contender;
use crate::rules::{Call, Rule, TOOL};
use crate::sample::time;

/// A policy and the calls with their facts, ready to be decided.
pub struct Ours {
    policy: Policy,
    calls: Vec<Inspection>,
}

impl Ours {
    /// Loads the rules and makes the calls.
    pub fn new(rules: &[Rule], calls: &[Call]) -> Outcome<Self> {
        let policy = load(&text(rules))?;
        let inspect = |call| Ok::<_, policy::CallError>(policy.inspect(tool_call(call)?));
        Ok(Self {
            calls: calls.iter().map(inspect).collect::<Result<_, _>>()?,
            policy,
        })
    }

    /// A call of its own, because a decision takes it.
    pub fn call(&self, call: usize) -> Outcome<Inspection> {
        Ok(self.calls.get(call).ok_or("no such call")?.clone())
    }

    /// What is measured.
    pub fn decide(&self, call: Inspection) -> Decision {
        let id = CallId::from_bytes([0; 16]);
        decide_inspected(&self.policy, &Context::default(), id, call)
    }
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        "lazaret"
    }

    fn runs_now(&mut self, call: usize) -> Outcome<bool> {
        Ok(self.decide(self.call(call)?).verdict() == Verdict::Allow)
    }

    fn time(&mut self, call: usize) -> std::time::Duration {
        let Some(call) = self.calls.get(call).cloned() else {
            return std::time::Duration::ZERO;
        };
        time(|| self.decide(call))
    }
}

/// A policy with the shipped profiles.
pub fn load(text: &str) -> Outcome<Policy> {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text)))?;
    Ok(Policy::load("bench.toml", text, &profiles)?)
}

/// A policy that judges commands one by one.
pub fn shell_policy() -> Outcome<Policy> {
    load(include_str!("shell.toml"))
}

fn tool_call(call: &Call) -> Result<ToolCall, policy::CallError> {
    let arguments = json!({
        "language": "python",
        "code": "print(1)",
        "project": call.project,
        "path": call.path,
    });
    ToolCall::new(TOOL, arguments, &call.principal, None)
}

/// The rules as a policy file, each with a test.
pub fn text(rules: &[Rule]) -> String {
    let mut text = "version = 1\nname = \"bench\"\n".to_owned();
    for rule in rules {
        let (id, effect, condition, project) = match rule {
            Rule::Deny(id) => (
                id,
                "deny",
                format!("\"arguments.path\" = {{ prefix = \"/srv/{id}/\" }}"),
                "project",
            ),
            Rule::Hold(id) => (
                id,
                "hold",
                format!(
                    "principal = [\"team-{id}\", \"lead-{id}\"], \"arguments.project\" = {{ prefix = \"secret-{id}\" }}"
                ),
                "secret",
            ),
            Rule::Allow(id) => (
                id,
                "allow\"\nrun = \"wasm-offline",
                format!("\"arguments.project\" = \"project-{id}\""),
                "project",
            ),
        };
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "[[rule]]\nid = \"rule-{id}\"\neffect = \"{effect}\"\nmatch = {{ tool = \"{TOOL}\", {condition} }}\nreason = \"reason {id}\"\n\
             [[rule.test]]\ncall = {{ tool = \"{TOOL}\", principal = \"team-{id}\", arguments = {{ language = \"python\", project = \"{project}-{id}\", path = \"/srv/{id}/a\" }} }}\nmatches = true\n",
        );
    }
    text
}
