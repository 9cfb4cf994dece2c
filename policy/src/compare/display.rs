//! Differences and answers as text for people: one block a change.

use std::fmt;

use serde_json::Value;

use super::{Answer, Change, Diff, Outcome, Undecided, Witness};
use crate::call::ToolCall;
use crate::context::Context;
use crate::json::canonical;
use crate::moment::moment_text;
use crate::text::quote_all;
use crate::verdict::Verdict;

/// The characters of one text of a call that are shown; the whole call is in the [`Change`].
const MAX_SHOWN_CHARS: usize = 200;

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.changes.iter();
        blocks
            .clone()
            .try_for_each(|change| writeln!(f, "{change}"))?;
        self.undecided
            .iter()
            .try_for_each(|undecided| writeln!(f, "{undecided}"))?;
        match (self.changes.is_empty(), self.proved()) {
            (true, true) => writeln!(f, "no difference: both policies say the same of every call"),
            (false, true) => writeln!(f, "no other kind of change: proved"),
            (_, false) => writeln!(f, "whether there are other changes is not decided"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} -> {}", self.from, self.to)?;
        write_limits(f, &self.from, &self.to)?;
        write_call(f, &self.call, &self.context)?;
        write_side(f, "old", &self.rules_old, &self.from)?;
        write_side(f, "new", &self.rules_new, &self.to)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.grant {
            Some(grant) => write!(f, "{} in {}", self.verdict, grant.profile().name()),
            None => write!(f, "{}", self.verdict),
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not decided")?;
        if !self.kind.is_empty() {
            write!(f, ": {}", self.kind)?;
        }
        if !self.rules.is_empty() {
            let rules = self.rules.iter().map(String::as_str);
            write!(f, ", by {}", quote_all(rules))?;
        }
        writeln!(f, "\n  {}", self.why)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes(witness) => write!(f, "{witness}"),
            Self::No => writeln!(f, "no: proved for every call"),
            Self::Undecided(undecided) => undecided
                .iter()
                .try_for_each(|undecided| write!(f, "{undecided}")),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome.verdict {
            Verdict::Allow => writeln!(f, "yes: {}", self.outcome)?,
            Verdict::Hold => writeln!(f, "yes, if a person approves: {}", self.outcome)?,
            Verdict::Deny => writeln!(f, "no: {}", self.outcome)?,
        }
        write_call(f, &self.call, &self.context)?;
        write_side(f, "by", &self.rules, &self.outcome)
    }
}

fn write_side(
    f: &mut fmt::Formatter<'_>,
    side: &str,
    rules: &[String],
    outcome: &Outcome,
) -> fmt::Result {
    let rules = quote_all(rules.iter().map(String::as_str));
    writeln!(f, "  {side}:  {rules}: {}", outcome.reason)
}

/// The limits that an allowed call gets otherwise.
fn write_limits(f: &mut fmt::Formatter<'_>, from: &Outcome, to: &Outcome) -> fmt::Result {
    let (Some(from), Some(to)) = (&from.grant, &to.grant) else {
        return Ok(());
    };
    let pairs = from
        .limits()
        .entries()
        .into_iter()
        .zip(to.limits().entries());
    let mut differing = pairs.filter(|((_, from), (_, to))| from != to);
    differing.try_for_each(|((name, from), (_, to))| writeln!(f, "  {name}: {from} -> {to}"))
}

fn write_call(f: &mut fmt::Formatter<'_>, call: &ToolCall, context: &Context) -> fmt::Result {
    let mut shown = serde_json::Map::new();
    shown.insert("tool".to_owned(), call.tool().into());
    shown.insert("arguments".to_owned(), cut(call.arguments()));
    shown.insert("principal".to_owned(), call.principal().into());
    if let Some(session) = call.session() {
        shown.insert("session".to_owned(), session.into());
    }
    let text = canonical(&Value::Object(shown));
    writeln!(f, "  call: {}", String::from_utf8_lossy(&text))?;
    if let Some(now_us) = context.now_us {
        writeln!(f, "  at:   {}", moment_text(now_us))?;
    }
    if let Some(state) = &context.session {
        let started = moment_text(state.started_us);
        writeln!(f, "  session: {} calls, since {started}", state.calls)?;
    }
    Ok(())
}

/// As deep as a call can be, which is bounded.
fn cut(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().nth(MAX_SHOWN_CHARS).is_some() => {
            let begin: String = text.chars().take(MAX_SHOWN_CHARS).collect();
            format!("{begin}… ({} bytes)", text.len()).into()
        }
        Value::Array(items) => items.iter().map(cut).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), cut(value)));
            Value::Object(entries.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
