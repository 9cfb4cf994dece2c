//! The same rules in Rego: sets of the rules that take effect, and one answer from them.

use std::fmt::Write as _;

use regorus::{Engine, Value};
use serde_json::json;

use crate::Outcome;
use crate::decide::Contender;
use crate::rules::{Call, Rule, TOOL};
use crate::sample::time;

/// Regorus takes no file over a megabyte.
const RULES_PER_FILE: usize = 1_000;
const ENTRY: &str = "data.bench.runs";
const ANSWER: &str = "package bench
default runs := false
runs if { count(deny) == 0; count(hold) == 0; count(allow) > 0 }
";

/// A prepared engine and inputs, ready to be asked.
pub struct Rego {
    engine: Engine,
    inputs: Vec<Value>,
}

impl Rego {
    /// Compiles the rules and makes the inputs.
    pub fn new(rules: &[Rule], calls: &[Call]) -> Outcome<Self> {
        let mut engine = Engine::new();
        engine.add_policy("bench.rego".to_owned(), ANSWER.to_owned())?;
        for (part, rules) in rules.chunks(RULES_PER_FILE).enumerate() {
            engine.add_policy(format!("rules-{part}.rego"), text(rules))?;
        }
        Ok(Self {
            engine,
            inputs: calls.iter().map(input).collect::<Outcome<_>>()?,
        })
    }
}

impl Contender for Rego {
    fn name(&self) -> &'static str {
        "regorus"
    }

    fn runs_now(&mut self, call: usize) -> Outcome<bool> {
        let input = self.inputs.get(call).ok_or("no such call")?.clone();
        self.engine.set_input(input);
        Ok(self.engine.eval_rule(ENTRY.to_owned())? == Value::from(true))
    }

    fn time(&mut self, call: usize) -> std::time::Duration {
        let (input, entry) = (self.inputs.get(call).cloned(), ENTRY.to_owned());
        time(|| {
            self.engine.set_input(input.unwrap_or(Value::Undefined));
            self.engine.eval_rule(entry)
        })
    }
}

fn input(call: &Call) -> Outcome<Value> {
    let input = json!({
        "tool": TOOL,
        "principal": call.principal,
        "arguments": {"project": call.project, "path": call.path},
    });
    Ok(Value::from_json_str(&input.to_string())?)
}

fn text(rules: &[Rule]) -> String {
    let mut text = "package bench\n".to_owned();
    for rule in rules {
        let (set, id, condition) = match rule {
            Rule::Deny(id) => (
                "deny",
                id,
                format!("startswith(input.arguments.path, \"/srv/{id}/\")"),
            ),
            Rule::Hold(id) => (
                "hold",
                id,
                format!(
                    "input.principal in {{\"team-{id}\", \"lead-{id}\"}}; startswith(input.arguments.project, \"secret-{id}\")"
                ),
            ),
            Rule::Allow(id) => (
                "allow",
                id,
                format!("input.arguments.project == \"project-{id}\""),
            ),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{set} contains \"rule-{id}\" if {{ input.tool == \"{TOOL}\"; {condition} }}"
        );
    }
    text
}
