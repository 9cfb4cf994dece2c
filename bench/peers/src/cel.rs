//! The same rules in CEL: one compiled expression a rule, asked one after the other, as its users
//! do who have many rules.

use std::collections::BTreeMap;

use cel::{Context, Program, Value};

use crate::Outcome;
use crate::decide::Contender;
use crate::rules::{Call, Rule, TOOL};
use crate::sample::time;

/// Programs and contexts, ready to be asked.
pub struct Cel {
    programs: Vec<(Effect, Program)>,
    contexts: Vec<Context<'static, 'static>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Refuse,
    Allow,
}

impl Cel {
    /// Compiles the rules and makes the contexts.
    pub fn new(rules: &[Rule], calls: &[Call]) -> Outcome<Self> {
        Ok(Self {
            programs: rules.iter().map(program).collect::<Outcome<_>>()?,
            contexts: calls.iter().map(context).collect::<Outcome<_>>()?,
        })
    }

    fn answer(&self, context: &Context<'_, '_>) -> bool {
        let (mut refused, mut allowed) = (false, false);
        for (effect, program) in &self.programs {
            if program.execute(context) == Ok(Value::Bool(true)) {
                refused |= *effect == Effect::Refuse;
                allowed |= *effect == Effect::Allow;
            }
        }
        allowed && !refused
    }
}

impl Contender for Cel {
    fn name(&self) -> &'static str {
        "cel"
    }

    fn runs_now(&mut self, call: usize) -> Outcome<bool> {
        Ok(self.answer(self.contexts.get(call).ok_or("no such call")?))
    }

    fn time(&mut self, call: usize) -> std::time::Duration {
        let context = self.contexts.get(call);
        time(|| context.map(|context| self.answer(context)))
    }
}

fn context(call: &Call) -> Outcome<Context<'static, 'static>> {
    let mut context = Context::default();
    let arguments = BTreeMap::from([("project", &call.project), ("path", &call.path)]);
    let put = |error: cel::SerializationError| error.to_string();
    context
        .add_variable("tool", TOOL)
        .map_err(|e| format!("{e:?}"))?;
    context
        .add_variable("principal", call.principal.as_str())
        .map_err(|e| format!("{e:?}"))?;
    context.add_variable_from_value("arguments", cel::to_value(arguments).map_err(put)?);
    Ok(context)
}

fn program(rule: &Rule) -> Outcome<(Effect, Program)> {
    let (effect, condition) = match rule {
        Rule::Deny(id) => (
            Effect::Refuse,
            format!("arguments.path.startsWith(\"/srv/{id}/\")"),
        ),
        Rule::Hold(id) => (
            Effect::Refuse,
            format!(
                "principal in [\"team-{id}\", \"lead-{id}\"] && arguments.project.startsWith(\"secret-{id}\")"
            ),
        ),
        Rule::Allow(id) => (
            Effect::Allow,
            format!("arguments.project == \"project-{id}\""),
        ),
    };
    Ok((
        effect,
        Program::compile(&format!("tool == \"{TOOL}\" && {condition}"))?,
    ))
}
