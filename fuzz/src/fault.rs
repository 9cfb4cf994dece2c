//! Faults to seed: each is a way in which an engine or a reading could be wrong, and makes the
//! oracles see an engine that is. A run that does not find one shows an oracle that cannot fail.
//!
//! Chosen by the environment (`LAZARET_SEEDED_FAULT=forget-unless`), so that the very programs
//! that fuzz are held to it. Without one nothing is changed. `cargo xtask fuzz controls` runs all.

use std::borrow::Cow;
use std::sync::OnceLock;

use policy::shell::ShellFacts;

use crate::generate::Case;
use crate::generate::rules::Rule;
use crate::generate::when::When;

/// Where the name of a fault stands.
pub const VARIABLE: &str = "LAZARET_SEEDED_FAULT";

/// A way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Exceptions do not count.
    ForgetUnless,
    /// `when` does not count.
    ForgetWhen,
    /// An allow goes on when it has expired.
    ForgetExpiry,
    /// Shadow rules count.
    CountShadow,
    /// A rule is not found, as by an index that lost it.
    LoseRule,
    /// A hold does not hold.
    AllowHeld,
    /// `--rec` is not taken for `--recursive`.
    ForgetShortFlags,
    /// Every address lies in every range of its family.
    WidenRanges,
    /// Nothing was used of any budget.
    ForgetBudgets,
    /// `or` means `and`.
    OrIsAnd,
    /// The last command of a shell text is not seen.
    MissCommand,
}

/// Every fault with its name and the target that must find it. `xtask` reads this table.
pub const ALL: &[(&str, &str, Fault)] = &[
    ("forget-unless", "engine", Fault::ForgetUnless),
    ("forget-when", "engine", Fault::ForgetWhen),
    ("forget-expiry", "engine", Fault::ForgetExpiry),
    ("count-shadow", "engine", Fault::CountShadow),
    ("lose-rule", "engine", Fault::LoseRule),
    ("allow-held", "engine", Fault::AllowHeld),
    ("forget-short-flags", "engine", Fault::ForgetShortFlags),
    ("widen-ranges", "engine", Fault::WidenRanges),
    ("forget-budgets", "engine", Fault::ForgetBudgets),
    ("or-is-and", "when", Fault::OrIsAnd),
    ("miss-command", "shell", Fault::MissCommand),
];

/// The fault of this run, if one is seeded.
fn seeded() -> Option<Fault> {
    static SEEDED: OnceLock<Option<Fault>> = OnceLock::new();
    *SEEDED.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let known = ALL.iter().find(|(known, ..)| *known == name);
        let (.., fault) = known.unwrap_or_else(|| panic!("no fault is called `{name}`"));
        Some(*fault)
    })
}

/// The case as the engine gets it.
pub(crate) fn case(case: &Case) -> Cow<'_, Case> {
    match seeded() {
        None => Cow::Borrowed(case),
        Some(fault) => Cow::Owned(wrong(case, fault)),
    }
}

fn wrong(case: &Case, fault: Fault) -> Case {
    let mut wrong = case.clone();
    match fault {
        Fault::LoseRule => drop(wrong.rules.pop()),
        Fault::ForgetBudgets => {
            for used in wrong.context.budgets.values_mut() {
                *used = policy::Used::default();
            }
        }
        Fault::ForgetShortFlags => {
            for call in &mut wrong.calls {
                let text = call.to_string().replace("--rec ", "--zzz ");
                *call = text.parse().expect("JSON stays JSON");
            }
        }
        Fault::ForgetUnless
        | Fault::ForgetWhen
        | Fault::ForgetExpiry
        | Fault::CountShadow
        | Fault::AllowHeld
        | Fault::WidenRanges
        | Fault::OrIsAnd
        | Fault::MissCommand => wrong.rules.iter_mut().for_each(|rule| spoil(rule, fault)),
    }
    wrong
}

fn spoil(rule: &mut Rule, fault: Fault) {
    match fault {
        Fault::ForgetUnless => rule.unless.clear(),
        Fault::ForgetWhen => rule.when = None,
        Fault::ForgetExpiry => rule.expires_s = None,
        Fault::CountShadow => rule.shadow = false,
        Fault::AllowHeld if rule.effect == "hold" => rule.effect = "allow",
        Fault::WidenRanges => rule.widen_ranges(),
        Fault::AllowHeld
        | Fault::LoseRule
        | Fault::ForgetBudgets
        | Fault::ForgetShortFlags
        | Fault::OrIsAnd
        | Fault::MissCommand => {}
    }
}

/// The expression as the engine gets it.
pub(crate) fn when(when: &When) -> When {
    match seeded() {
        Some(Fault::OrIsAnd) => or_is_and(when),
        Some(_) | None => when.clone(),
    }
}

fn or_is_and(when: &When) -> When {
    let all = |parts: &[When]| parts.iter().map(or_is_and).collect();
    match when {
        When::Or(parts) | When::And(parts) => When::And(all(parts)),
        When::Not(part) => When::Not(Box::new(or_is_and(part))),
        When::Exists(_) | When::Compare(..) | When::In(..) => when.clone(),
    }
}

/// A shell text, read.
pub(crate) fn analyse(text: &str) -> ShellFacts {
    let mut facts = policy::shell::analyse(text);
    if seeded() == Some(Fault::MissCommand) {
        facts.commands.pop();
        let left = facts.commands.len();
        facts.pipelines.clear();
        facts.code.retain(|code| code.command < left);
        facts
            .opaque
            .retain(|opaque| opaque.command.is_none_or(|command| command < left));
    }
    facts
}
