//! The condition language: what it reads it can write again, and it means what a plain reading of
//! the manual says.

use policy::{Context, Policy, ToolCall, Truth, explain_at};
use serde_json::Value;

use super::{called, hits, judge, load};
use crate::fault;
use crate::generate::rules::quoted;
use crate::generate::when::{Operand, When};

/// Any text as a `when`.
pub fn reads_what_it_writes(text: &str) {
    let Ok(policy) = load(&file(text)) else {
        return;
    };
    let written = &asked(&policy, &Context::default(), &probe()).text;
    let again = load(&file(written)).expect("what is written is read");
    assert_eq!(policy.digest(), again.digest(), "{text}\n{written}");
    assert_eq!(*written, asked(&again, &Context::default(), &probe()).text);
}

/// An expression, a world and a call.
pub fn means_what_it_says(when: &When, context: &Context, json: &Value) {
    let text = fault::when(when).to_string();
    let policy = load(&file(&text)).unwrap_or_else(|error| panic!("refused: {error}\n{text}"));
    let call = called(json);
    let found = asked(&policy, context, &call).truth;
    let wanted = truth(when, context, json);
    assert_eq!(found, named(wanted), "{text}\n{json}\n{context:?}");
    let decision = judge(&policy, context, &call);
    let allows = hits(&decision).contains(&"allow".to_owned());
    let denies = hits(&decision).contains(&"deny".to_owned());
    assert_eq!(
        (allows, denies),
        (wanted == Some(true), wanted != Some(false))
    );
}

/// An allow takes effect if the expression is certain, a deny if it is possible.
fn file(when: &str) -> String {
    let when = quoted(when);
    let rule = |effect: &str, run: &str| {
        format!(
            "[[rule]]\nid = \"{effect}\"\neffect = \"{effect}\"\n{run}reason = \"r\"\nmatch = {{ tool = {{ glob = \"*\" }} }}\nwhen = {when}\n"
        )
    };
    let (allow, deny) = (rule("allow", "run = \"wide\"\n"), rule("deny", ""));
    format!("version = 1\nname = \"when\"\n[lists]\nteam = [\"a\", 1]\n{allow}{deny}")
}

fn probe() -> ToolCall {
    called(&serde_json::json!({"tool": "a", "arguments": {"a": "b"}}))
}

fn asked(policy: &Policy, context: &Context, call: &ToolCall) -> policy::WhenExplanation {
    let mut rules = explain_at(policy, context, call).rules;
    rules.swap_remove(0).when.expect("both rules have a `when`")
}

fn named(truth: Option<bool>) -> Truth {
    match truth {
        Some(true) => Truth::True,
        Some(false) => Truth::False,
        None => Truth::Unknown,
    }
}

// ---- the meaning, in the words of docs/POLICY.md ------------------------------------------------

/// A fact or a value. None: nobody can tell.
type Found = Option<Option<Value>>;
const ABSENT: Found = Some(None);

/// What an expression comes to in a world. None: it cannot be told.
pub(super) fn truth(when: &When, context: &Context, call: &Value) -> Option<bool> {
    match when {
        When::Or(parts) => some(parts.iter().map(|part| truth(part, context, call))),
        When::And(parts) => {
            let not = parts
                .iter()
                .map(|part| truth(part, context, call).map(|t| !t));
            some(not).map(|t| !t)
        }
        When::Not(part) => truth(part, context, call).map(|t| !t),
        When::Exists(fact) => find(fact, context, call).map(|fact| fact.is_some()),
        When::Compare(left, word, right) => {
            let side = |operand: &Operand| match operand {
                Operand::Fact(fact) => find(fact, context, call),
                Operand::Value(value) => Some(Some(value.clone())),
            };
            compare(&side(left), word, &side(right))
        }
        When::In(fact, values) => {
            let fact = find(fact, context, call);
            let same = values
                .iter()
                .map(|value| equal_one(&fact, value))
                .collect::<Vec<_>>();
            // A value of another type has no say while there is one of the fact's.
            let said: Vec<_> = same.iter().flatten().collect();
            (!said.is_empty()).then(|| said.contains(&&true))
        }
    }
}

fn equal_one(fact: &Found, value: &Value) -> Option<bool> {
    compare(fact, "==", &Some(Some(value.clone())))
}

/// True if one is, unknown if one may be.
fn some(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    truths.fold(Some(false), |all, one| match (all, one) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (None, _) | (_, None) => None,
        (Some(false), Some(false)) => Some(false),
    })
}

fn compare(left: &Found, word: &str, right: &Found) -> Option<bool> {
    if word == "!=" {
        return compare(left, "==", right).map(|t| !t);
    }
    let (Some(left), Some(right)) = (left.as_ref()?, right.as_ref()?) else {
        return Some(false);
    };
    match (left, right) {
        (Value::String(left), Value::String(right)) => match word {
            "==" => Some(left == right),
            "contains" => Some(left.contains(right)),
            "starts_with" => Some(left.starts_with(right)),
            "ends_with" => Some(left.ends_with(right)),
            _ => None,
        },
        (Value::Number(left), Value::Number(right)) => {
            let order = left.as_f64()?.partial_cmp(&right.as_f64()?)?;
            match word {
                "==" => Some(order.is_eq()),
                "<" => Some(order.is_lt()),
                "<=" => Some(order.is_le()),
                ">" => Some(order.is_gt()),
                ">=" => Some(order.is_ge()),
                _ => None,
            }
        }
        (Value::Bool(left), Value::Bool(right)) if word == "==" => Some(left == right),
        (Value::Array(items), right) if word == "contains" => {
            let right = Some(Some(right.clone()));
            some(
                items
                    .iter()
                    .map(|item| compare(&Some(Some(item.clone())), "==", &right)),
            )
        }
        _ => None,
    }
}

fn find(fact: &str, context: &Context, call: &Value) -> Found {
    match fact.split_once('.') {
        Some(("time", part)) => Some(Some(of_the_time(part, context)?)),
        Some(("session", part)) if call.get("session").is_some() => {
            Some(Some(of_the_session(part, context)?))
        }
        Some(("session", _)) => ABSENT,
        Some((_, keys)) => below(call.get("arguments")?, keys),
        None => Some(call.get(fact).cloned()),
    }
}

fn below(arguments: &Value, keys: &str) -> Found {
    let mut value = arguments;
    for key in keys.split('.') {
        match value.as_object()?.get(key.trim_matches('"')) {
            Some(next) => value = next,
            None => return ABSENT,
        }
    }
    Some(Some(value.clone()))
}

fn of_the_session(part: &str, context: &Context) -> Option<Value> {
    let state = context.session.as_ref()?;
    Some(match part {
        "calls" => state.calls.into(),
        "age_s" => (context.now_us?.saturating_sub(state.started_us) / 1_000_000).into(),
        part => unreachable!("session.{part}"),
    })
}

/// Of moments that a calendar has; the time beyond is not known.
fn of_the_time(part: &str, context: &Context) -> Option<Value> {
    const DAYS: [&str; 7] = [
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
    ];
    let seconds = context.now_us.filter(|now| *now < u64::MAX)? / 1_000_000;
    Some(match part {
        "unix_s" => seconds.into(),
        "hour" => (seconds / 3_600 % 24).into(),
        "minute" => (seconds / 60 % 60).into(),
        "weekday" => DAYS[(seconds / 86_400 % 7) as usize].into(),
        part => unreachable!("time.{part}"),
    })
}
