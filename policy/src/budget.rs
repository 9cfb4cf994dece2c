//! Budgets: how much a session, a turn or a principal may use in all, and what remains.
//!
//! A budget is a ceiling and what happens above it. What was used so far is handed in; counting is
//! the caller's. A budget that applies and whose use is not known denies the call, because what is
//! not known never helps a call. Cannot fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::ToolCall;
use crate::facts::{Facts, Kind};
use crate::verdict::Verdict;

/// The most that a budget can set for hosts: whoever counts has to remember each of them.
pub const MAX_HOSTS: u64 = 4_096;

/// A ceiling over several calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub(crate) id: Arc<str>,
    pub(crate) per: Per,
    pub(crate) most: Most,
    /// Hold or deny, never allow.
    pub(crate) effect: Verdict,
    pub(crate) reason: Arc<str>,
    pub(crate) owner: Option<String>,
}

/// What a budget counts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// One turn of a model, in one session. A call without a session has none.
    Turn,
    /// One session. A call without a session has none.
    Session,
    /// All calls of one principal.
    Principal,
}

/// The ceilings of a budget; at least one is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Most {
    /// Calls, this one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Processor time of the calls before, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Bytes of output of the calls before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Distinct hosts named, those of this call included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<u64>,
}

/// What was used of a budget before a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Calls.
    pub calls: u64,
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes of output.
    pub output_bytes: u64,
    /// The hosts named.
    pub hosts: BTreeSet<String>,
}

/// What remains of a budget after a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// The budget's id.
    pub budget: String,
    /// What it counts over.
    pub per: Per,
    /// What remains of each of its ceilings.
    #[serde(flatten)]
    pub left: Most,
}

impl Budget {
    /// The name, unique in its policy.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it counts over.
    #[must_use]
    pub fn per(&self) -> Per {
        self.per
    }

    /// The ceilings.
    #[must_use]
    pub fn most(&self) -> Most {
        self.most
    }

    /// Why it is there, for the caller.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether the budget counts this call.
    #[must_use]
    pub fn applies(&self, call: &ToolCall) -> bool {
        match self.per {
            Per::Turn | Per::Session => call.session().is_some(),
            Per::Principal => true,
        }
    }

    /// What would remain after the call; none when the call goes above a ceiling.
    pub(crate) fn left(&self, used: &Used, facts: &Facts) -> Option<Most> {
        let below = |most: Option<u64>, used: u64| match most {
            None => Some(None),
            Some(most) => most.checked_sub(used).map(Some),
        };
        // What is counted afterwards must not be used up before.
        let started = |most: Option<u64>, used: u64| match most {
            Some(most) if used >= most => None,
            _ => below(most, used),
        };
        Some(Most {
            calls: below(self.most.calls, used.calls.saturating_add(1))?,
            cpu_ms: started(self.most.cpu_ms, used.cpu_ms)?,
            output_bytes: started(self.most.output_bytes, used.output_bytes)?,
            hosts: match self.most.hosts {
                None => None,
                Some(_) => below(self.most.hosts, hosts_after(used, facts))?,
            },
        })
    }

    pub(crate) fn meaning(&self) -> Value {
        json!({
            "id": *self.id, "per": self.per, "most": self.most, "effect": self.effect,
            "reason": *self.reason, "owner": self.owner,
        })
    }
}

fn hosts_after(used: &Used, facts: &Facts) -> u64 {
    let new: BTreeSet<&str> = hosts_of(facts)
        .filter(|host| !used.hosts.contains(*host))
        .collect();
    let count = used.hosts.len().saturating_add(new.len());
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The hosts that a call names; one that is not known counts as a host of its own.
pub(crate) fn hosts_of(facts: &Facts) -> impl Iterator<Item = &str> {
    let names = facts.atoms(Kind::Host).iter();
    names.map(|host| host.get("name").and_then(Value::as_str).unwrap_or("?"))
}

/// The first budget that a call goes above, by id, and what remains of all that apply.
pub(crate) fn spend(
    budgets: &[Arc<Budget>],
    used: &BTreeMap<String, Used>,
    call: &ToolCall,
    facts: &Facts,
) -> Spending {
    let mut spending = Spending::default();
    for budget in budgets.iter().filter(|budget| budget.applies(call)) {
        match used.get(budget.id()) {
            None => spending.unknown.push(Arc::clone(budget)),
            Some(used) => match budget.left(used, facts) {
                None => spending.exceeded.push(Arc::clone(budget)),
                Some(left) => spending.remaining.push(Remaining {
                    budget: budget.id().to_owned(),
                    per: budget.per,
                    left,
                }),
            },
        }
    }
    spending
}

/// What a call does to the budgets.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    pub(crate) unknown: Vec<Arc<Budget>>,
    pub(crate) exceeded: Vec<Arc<Budget>>,
    pub(crate) remaining: Vec<Remaining>,
}

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turn => "turn",
            Self::Session => "session",
            Self::Principal => "principal",
        })
    }
}
