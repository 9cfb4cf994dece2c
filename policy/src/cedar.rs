//! A policy as Cedar says it, as far as Cedar can.
//!
//! Our conditions have three truths, Cedar's policies two and errors that skip them. So every
//! condition is written twice over: an allow asks whether it *certainly* holds, a hold or deny
//! whether it *possibly* does, and no expression can fail: each looks first whether a fact is there
//! and of which type. For that, facts reach Cedar flat and sorted by type, as [`request`] writes
//! them:
//!
//! ```text
//! context.text["arguments.code"]     texts        context.leaves    every fact but objects, by name
//! context.number["arguments.n"]      integers     context.objects   objects, by name
//! context.truth["arguments.force"]   booleans
//! context.number["atoms"]            what an allow would have to cover of commands, paths and hosts
//! ```
//!
//! Atoms are not said: an allow that speaks of none covers none, so a `permit` wants a call without.
//!
//! What Cedar cannot say is left out and listed, never approximated: an allow that is left out makes
//! the export stricter, a hold or deny weaker. Profiles, limits and languages are no part of it: a
//! call that Cedar allows can still be denied because no sandbox fits it. Cannot fail.

mod conditions;
mod expression;
mod request;

use std::fmt::{self, Write as _};

use self::conditions::{Reach, rule_reach};
use self::expression::{Expr, literal};
use self::request::ATOMS;
pub use self::request::{CedarRequest, RequestError, request};
use crate::digest::hex;
use crate::file::Mode;
use crate::moment::moment_text;
use crate::policy::Policy;
use crate::rule::Rule;
use crate::text::quote;
use crate::verdict::Verdict;

/// A policy in Cedar's language, and what is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CedarExport {
    /// The policies, as one file of Cedar. What is left out stands in its comments.
    pub text: String,
    /// The rules that Cedar cannot say, by id.
    pub left_out: Vec<LeftOut>,
}

/// A rule or budget that is not in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id.
    pub rule: String,
    /// What it says of calls.
    pub effect: Verdict,
    /// Why Cedar cannot say it.
    pub why: String,
    /// Whether the export allows more for want of it.
    pub weakens: bool,
}

impl CedarExport {
    /// Whether some call that the policy holds or denies is allowed by the export.
    #[must_use]
    pub fn is_weaker(&self) -> bool {
        self.left_out.iter().any(|rule| rule.weakens)
    }
}

/// `ID (EFFECT): why`.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", quote(&self.rule), self.effect, self.why)
    }
}

/// Writes a policy in Cedar's language.
#[must_use]
pub fn export(policy: &Policy) -> CedarExport {
    let mut text = String::new();
    let mut left_out = Vec::new();
    for rule in policy.rules() {
        match said(rule) {
            Ok(condition) => write_rule(&mut text, rule, &condition),
            Err(why) => left_out.push(LeftOut {
                rule: rule.id().to_owned(),
                effect: rule.effect(),
                weakens: rule.effect() != Verdict::Allow && rule.mode() == Mode::Enforce,
                why,
            }),
        }
    }
    left_out.extend(policy.budgets().iter().map(|budget| LeftOut {
        rule: budget.id().to_owned(),
        effect: budget.effect,
        why: "a budget counts over several calls, and Cedar judges each by itself".to_owned(),
        weakens: true,
    }));
    CedarExport {
        text: format!("{}{text}", head(policy, &left_out)),
        left_out,
    }
}

/// When the rule takes effect, or why Cedar cannot say it.
fn said(rule: &Rule) -> Result<Expr, String> {
    if rule.mode() == Mode::Shadow {
        return Err("a shadow rule changes no verdict, and Cedar has none".to_owned());
    }
    let reach = rule_reach(rule)?;
    match rule.effect() {
        Verdict::Allow => Ok(Expr::all([reach.certain, alive(rule)?, uncovered()])),
        Verdict::Hold | Verdict::Deny => Ok(reach.possible),
    }
}

/// An allow that speaks of no atoms covers none.
fn uncovered() -> Expr {
    Expr::test(format!("context.number[{}] == 0", literal(ATOMS)))
}

/// Before the end of an allow that expires. Unknown without the time, so it then does not hold.
fn alive(rule: &Rule) -> Result<Expr, String> {
    let Some(us) = rule.expires_us() else {
        return Ok(Expr::True);
    };
    if us % 1_000_000 != 0 {
        return Err("it expires within a second, and the export counts whole ones".to_owned());
    }
    let before = i64::try_from(us / 1_000_000).unwrap_or(i64::MAX);
    Ok(Reach::number("time.unix_s", &format!("< {before}")).certain)
}

// ---- writing ------------------------------------------------------------------------------------

fn head(policy: &Policy, left_out: &[LeftOut]) -> String {
    let mut head = format!(
        "// Policy {}, sha256 {}, for Cedar 4.\n\
         // permit: allow. forbid: @effect tells a hold from a deny. No permit: deny.\n\
         // Facts reach the request by type and name: context.text, .number, .truth, .leaves, .objects.\n",
        policy.name(),
        hex(&policy.digest()),
    );
    let (weaker, other): (Vec<&LeftOut>, Vec<&LeftOut>) =
        left_out.iter().partition(|rule| rule.weakens);
    let mut list = |title: &str, rules: Vec<&LeftOut>| {
        if !rules.is_empty() {
            let _cannot_fail = writeln!(head, "//\n// {title}");
            for rule in rules {
                let _cannot_fail = writeln!(head, "//   {rule}");
            }
        }
    };
    list(
        "WEAKER THAN THE POLICY. These hold or deny, and are not in this file:",
        weaker,
    );
    list("Not in this file, without making it weaker:", other);
    head
}

fn write_rule(out: &mut String, rule: &Rule, condition: &Expr) {
    let word = match rule.effect() {
        Verdict::Allow => "permit",
        Verdict::Hold | Verdict::Deny => "forbid",
    };
    out.push('\n');
    for (name, value) in annotations(rule) {
        let _cannot_fail = writeln!(out, "@{name}({})", literal(&value));
    }
    let _cannot_fail = match condition {
        Expr::True => writeln!(out, "{word} (principal, action, resource);"),
        other => writeln!(
            out,
            "{word} (principal, action, resource)\nwhen {{\n  {}\n}};",
            other.lines()
        ),
    };
}

/// What Cedar keeps beside a policy and never looks at.
fn annotations(rule: &Rule) -> Vec<(&'static str, String)> {
    let text = |name, value: Option<String>| value.map(|value| (name, value));
    let limits: Vec<String> = rule
        .ceiling()
        .entries()
        .into_iter()
        .filter(|(_, limit)| *limit != u64::MAX)
        .map(|(name, limit)| format!("{name}={limit}"))
        .collect();
    let all = [
        Some(("id", rule.id().to_owned())),
        Some(("effect", rule.effect().as_str().to_owned())),
        text("run", rule.run().map(|run| run.name().to_owned())),
        Some(("reason", rule.reason().to_owned())),
        text("owner", rule.owner().map(str::to_owned)),
        (!rule.tags().is_empty()).then(|| ("tags", rule.tags().join(","))),
        (!rule.taint.is_empty()).then(|| ("taint", rule.taint.join(","))),
        text("expires", rule.expires_us().map(moment_text)),
        (!limits.is_empty()).then(|| ("limits", limits.join(","))),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
#[path = "cedar/tests.rs"]
mod tests;
