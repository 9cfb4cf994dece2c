//! Turns the fuzzer's bytes into policies, calls and conditions.
//!
//! Everything draws on the same few words, so that rules share values and calls meet them; now and
//! then a word is any text. Never fails for lack of bytes: what is missing reads as zeros, which
//! choose the first of everything.

pub mod budget;
pub mod call;
pub mod rules;
pub mod text;
pub mod when;

use arbitrary::{Result, Unstructured};
use policy::Context;

/// The most calls for one policy.
const MAX_CALLS: u8 = 5;

/// A policy's rules and the calls to hold against them.
#[derive(Debug, Clone)]
pub struct Case {
    /// The rules.
    pub rules: Vec<rules::Rule>,
    /// Ceilings over several calls.
    pub budgets: Vec<budget::Budget>,
    /// The calls, as JSON.
    pub calls: Vec<serde_json::Value>,
    /// The world that they are made in.
    pub context: Context,
}

/// A policy and calls.
pub fn case(u: &mut Unstructured<'_>) -> Result<Case> {
    let rules = rules::rules(u)?;
    let count = u.int_in_range(1..=MAX_CALLS)?;
    let calls = (0..count).map(|_| call::call(u)).collect::<Result<_>>()?;
    let budgets = budget::budgets(u)?;
    let context = Context {
        budgets: budget::used(u, &budgets)?,
        ..when::context(u)?
    };
    Ok(Case {
        rules,
        budgets,
        calls,
        context,
    })
}

/// The same of what cedar can say.
pub fn plain_case(u: &mut Unstructured<'_>) -> Result<(Vec<rules::Rule>, Vec<serde_json::Value>)> {
    let count = u.int_in_range(0..=8)?;
    let rules = (0..count)
        .map(|number| rules::plain_rule(u, number))
        .collect::<Result<_>>()?;
    let calls = several(u, 1, usize::from(MAX_CALLS), call::plain_call)?;
    Ok((rules, calls))
}

/// Texts in policies and calls.
const WORDS: &[&str] = &[
    "a",
    "ab",
    "abc",
    "b",
    "é",
    "éa",
    "a/b",
    "a/b/c",
    "x",
    "python",
    "javascript",
    "e",
    "*",
    "?",
    "[",
    "\\",
    "'",
    "\"",
    "..",
    "\u{200b}",
    "\n",
    "10.1.2.3",
    "::ffff:10.1.2.3",
];

/// A text that is not empty: one of the few, or any.
fn word(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 8)? {
        let any: String = u.arbitrary::<&str>()?.chars().take(8).collect();
        if !any.is_empty() {
            return Ok(any);
        }
    }
    Ok((*u.choose(WORDS)?).to_owned())
}

/// Between `least` and `most` of something.
fn several<T>(
    u: &mut Unstructured<'_>,
    least: usize,
    most: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(least..=most)?;
    (0..count).map(|_| one(u)).collect()
}
