//! A tool call as a request to Cedar, with its facts flat and by type.
//!
//! Fails for a call that Cedar's values cannot hold: then nothing can be said of it there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use thiserror::Error;

use crate::call::ToolCall;
use crate::condition::{MAX_SEARCHED_BYTES, Num};
use crate::context::{Context, TimePart};
use crate::fact::{Fact, FactPath};
use crate::policy::Policy;
use crate::text::quote;

/// A request to Cedar: who does what to what, and the facts.
#[derive(Debug, Clone, PartialEq)]
pub struct CedarRequest {
    /// `Lazaret::Principal::"NAME"`.
    pub principal: String,
    /// `Lazaret::Action::"call"`.
    pub action: String,
    /// `Lazaret::Tool::"NAME"`.
    pub resource: String,
    /// The facts, as the export asks for them.
    pub context: Value,
}

/// Why a call is no request to Cedar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// A number that Cedar does not have.
    #[error("{} is no 64-bit integer, and Cedar has no other numbers", quote(.0))]
    Number(String),
    /// Arguments that are denied before any rule is asked.
    #[error("the arguments do not fit the schema of the tool, which denies the call: {0}")]
    Schema(String),
    /// Text that is not searched here, and would be there.
    #[error("{} is over {MAX_SEARCHED_BYTES} bytes, which are not searched", quote(.0))]
    Long(String),
}

/// How many atoms of the call an allow would have to cover. No rule asks for it by this name.
pub(super) const ATOMS: &str = "atoms";

/// The facts of a call, by type and name.
#[derive(Default)]
struct Facts {
    text: BTreeMap<String, String>,
    number: BTreeMap<String, i64>,
    truth: BTreeMap<String, bool>,
    leaves: BTreeSet<String>,
    objects: BTreeSet<String>,
}

/// Writes a call as a request to the export of a policy, in the world that `context` tells of.
///
/// # Errors
/// [`RequestError`] when a value of the call has no equal in Cedar.
pub fn request(
    policy: &Policy,
    call: &ToolCall,
    context: &Context,
) -> Result<CedarRequest, RequestError> {
    let tool = policy.tools().get(call.tool());
    if let Some(misfit) = tool.and_then(|tool| tool.misfit(call.arguments())) {
        return Err(RequestError::Schema(misfit));
    }
    let mut facts = Facts::default();
    let atoms = policy.facts(call).to_cover().count();
    facts
        .number
        .insert(ATOMS.to_owned(), i64::try_from(atoms).unwrap_or(i64::MAX));
    facts.add("tool", Fact::Text(call.tool()))?;
    facts.add("principal", Fact::Text(call.principal()))?;
    facts.add("session", call.session().map_or(Fact::Absent, Fact::Text))?;
    for (name, part) in TimePart::ALL {
        facts.add(name, part.find(context))?;
    }
    facts.arguments(call.arguments(), &mut Vec::new())?;
    let entity = |kind: &str, name: &str| format!("Lazaret::{kind}::{}", super::literal(name));
    Ok(CedarRequest {
        principal: entity("Principal", call.principal()),
        action: entity("Action", "call"),
        resource: entity("Tool", call.tool()),
        context: json!({
            "text": facts.text,
            "number": facts.number,
            "truth": facts.truth,
            "leaves": facts.leaves,
            "objects": facts.objects,
        }),
    })
}

impl Facts {
    /// Every value of the arguments under the name of its fact. As deep as a call can be, which is
    /// bounded.
    fn arguments(&mut self, value: &Value, keys: &mut Vec<String>) -> Result<(), RequestError> {
        let name = FactPath::Arguments(keys.clone()).to_string();
        let Value::Object(map) = value else {
            return self.add(&name, Fact::of_value(value));
        };
        self.objects.insert(name);
        for (key, inner) in map {
            keys.push(key.clone());
            self.arguments(inner, keys)?;
            keys.pop();
        }
        Ok(())
    }

    fn add(&mut self, name: &str, fact: Fact<'_>) -> Result<(), RequestError> {
        let name = name.to_owned();
        match fact {
            Fact::Absent | Fact::Blocked => return Ok(()),
            Fact::Text(text) if text.len() > MAX_SEARCHED_BYTES => {
                return Err(RequestError::Long(name));
            }
            Fact::Text(text) => drop(self.text.insert(name.clone(), text.to_owned())),
            Fact::Bool(truth) => drop(self.truth.insert(name.clone(), truth)),
            Fact::Number(number) => {
                let Some(integer) = integer(number) else {
                    return Err(RequestError::Number(name));
                };
                self.number.insert(name.clone(), integer);
            }
            Fact::Other(_) => {}
        }
        self.leaves.insert(name);
        Ok(())
    }
}

fn integer(number: Num) -> Option<i64> {
    match number {
        Num::Int(integer) => i64::try_from(integer).ok(),
        Num::Float(_) => None,
    }
}
