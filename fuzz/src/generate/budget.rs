//! Budgets, and what was used of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arbitrary::{Result, Unstructured};
use policy::Used;

use super::several;

/// A ceiling over several calls.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Stands in the budget's id.
    pub number: usize,
    /// `turn`, `session` or `principal`.
    pub per: &'static str,
    /// `hold` or `deny`.
    pub effect: &'static str,
    /// Most calls, this one included.
    pub calls: Option<u64>,
    /// Most distinct hosts, those of this call included.
    pub hosts: Option<u64>,
    /// Most processor time of the calls before.
    pub cpu_ms: u64,
}

impl Budget {
    /// Its id.
    pub fn id(&self) -> String {
        format!("b{}", self.number)
    }
}

/// None, most of the time.
pub fn budgets(u: &mut Unstructured<'_>) -> Result<Vec<Budget>> {
    let mut budgets = several(u, 0, 2, budget)?;
    for (number, budget) in budgets.iter_mut().enumerate() {
        budget.number = number;
    }
    Ok(budgets)
}

fn budget(u: &mut Unstructured<'_>) -> Result<Budget> {
    let small = |u: &mut Unstructured<'_>| u.choose(&[None, Some(1_u64), Some(2)]).copied();
    Ok(Budget {
        number: 0,
        per: u.choose(&["turn", "session", "principal"])?,
        effect: u.choose(&["hold", "deny"])?,
        calls: small(u)?,
        hosts: small(u)?,
        cpu_ms: *u.choose(&[1, 2])?,
    })
}

/// What was used of each, by its id; now and then of one it is not known.
pub fn used(u: &mut Unstructured<'_>, budgets: &[Budget]) -> Result<BTreeMap<String, Used>> {
    let mut all = BTreeMap::new();
    for budget in budgets {
        if !u.ratio(1, 8)? {
            all.insert(budget.id(), used_of_one(u)?);
        }
    }
    Ok(all)
}

fn used_of_one(u: &mut Unstructured<'_>) -> Result<Used> {
    let hosts = several(u, 0, 2, |u| {
        Ok((*u.choose(&["10.1.2.3", "192.168.1.1", "example.com"])?).to_owned())
    })?;
    Ok(Used {
        calls: u.int_in_range(0..=2)?,
        cpu_ms: u.int_in_range(0..=2)?,
        hosts: BTreeSet::from_iter(hosts),
        ..Used::default()
    })
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.map(|most| format!(", calls = {most}"));
        let hosts = self.hosts.map(|most| format!(", hosts = {most}"));
        writeln!(
            f,
            "[[budget]]\nid = \"{}\"\nper = \"{}\"\neffect = \"{}\"\nmost = {{ cpu_ms = {}{}{} }}\nreason = \"reason\"",
            self.id(),
            self.per,
            self.effect,
            self.cpu_ms,
            calls.unwrap_or_default(),
            hosts.unwrap_or_default(),
        )
    }
}
