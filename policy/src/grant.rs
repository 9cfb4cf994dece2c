//! Turns the profiles that matching rules offer, and what a call asks for, into authority.
//!
//! Backends get a [`Grant`] and never look at rules. Nothing asked for is ever cut down to fit:
//! what does not fit is a [`Shortfall`], and the decision made from it is a deny.

use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::call::ToolCall;
use crate::profile::{Limits, Profile};
use crate::text::{quote, quote_all};

/// The tool that runs code. Its arguments `language`, `profile` and `limits` are read here.
pub const CODE_TOOL: &str = "execute_code";

/// Resolved authority for one call: where it runs, with what, and how much it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    profile: Arc<Profile>,
    runtime: String,
    limits: Limits,
}

impl Grant {
    /// The sandbox profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The guest runtime, such as `python`.
    #[must_use]
    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// The limits in force for this call: the profile's, lowered where the call asked for less.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Why allow rules that match cannot be turned into authority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Shortfall {
    #[error("no allow rule covers this call")]
    NoProfile,
    #[error("no sandbox can run the tool {}", quote(tool))]
    NoBackend { tool: String },
    #[error("`{key}` is {found}, not {wanted}")]
    WrongType {
        key: &'static str,
        found: &'static str,
        wanted: &'static str,
    },
    #[error("the call names no `language`")]
    NoLanguage { have: String },
    #[error(
        "profile {} has no runtime for the language {}; it has {have}",
        quote(profile),
        quote(language)
    )]
    UnknownLanguage {
        profile: String,
        language: String,
        have: String,
    },
    #[error(
        "profile {} is not one that the matching rules run this call in; they name {have}",
        quote(asked)
    )]
    ProfileNotOffered { asked: String, have: String },
    #[error("{} is not a limit that a call can ask for", quote(key))]
    UnknownLimit { key: String },
    #[error("`limits.{key}` is {found}, not a positive integer up to {}", i64::MAX)]
    NotALimit { key: &'static str, found: String },
    #[error(
        "`limits.{key}` asks for {asked}, and profile {} gives at most {max}",
        quote(profile)
    )]
    AboveLimit {
        key: &'static str,
        asked: u64,
        max: u64,
        profile: String,
    },
    #[error(
        "`code` has {bytes} bytes, and profile {} takes at most {max}",
        quote(profile)
    )]
    CodeTooLong {
        bytes: u64,
        max: u64,
        profile: String,
    },
}

impl Shortfall {
    /// What the caller can do about it.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::NoProfile => "add an allow rule that covers the call; `lazaret policy explain` shows which one comes nearest".to_owned(),
            Self::NoBackend { .. } => format!("use the tool `{CODE_TOOL}`"),
            Self::WrongType { key, wanted, .. } => format!("send `{key}` as {wanted}"),
            Self::NoLanguage { have } => format!("set `language` to one of {have}"),
            Self::UnknownLanguage { have, .. } => format!("use one of {have}"),
            Self::ProfileNotOffered { have, .. } => format!("ask for {have}, or leave `profile` out"),
            Self::UnknownLimit { .. } => "ask for `wall_ms`, `memory_bytes` or `output_bytes`".to_owned(),
            Self::NotALimit { key, .. } => format!("send `limits.{key}` as a positive integer, or leave it out"),
            Self::AboveLimit { key, max, .. } => format!("ask for at most {max} in `limits.{key}`, or leave it out"),
            Self::CodeTooLong { max, .. } => format!("send at most {max} bytes of code, and the rest as a file"),
        }
    }
}

/// Chooses among the profiles that matching allow rules offer, and fits the call into it.
pub(crate) fn resolve(offered: &[&Arc<Profile>], call: &ToolCall) -> Result<Grant, Shortfall> {
    if offered.is_empty() {
        return Err(Shortfall::NoProfile);
    }
    if call.tool() != CODE_TOOL {
        return Err(Shortfall::NoBackend {
            tool: call.tool().to_owned(),
        });
    }
    let Value::Object(arguments) = call.arguments() else {
        return Err(wrong_type("arguments", call.arguments(), "an object"));
    };
    let profile = choose_profile(offered, text(arguments, "profile")?)?;
    let grant = Grant {
        runtime: choose_runtime(profile, text(arguments, "language")?)?,
        limits: fit_limits(profile, arguments.get("limits"))?,
        profile: Arc::clone(profile),
    };
    check_code(profile, text(arguments, "code")?)?;
    Ok(grant)
}

fn choose_profile<'a>(
    offered: &[&'a Arc<Profile>],
    asked: Option<&str>,
) -> Result<&'a Arc<Profile>, Shortfall> {
    let mut by_rank = offered.to_vec();
    by_rank.sort_by_key(|profile| profile.rank());
    by_rank.dedup_by_key(|profile| profile.rank());
    let chosen = match asked {
        None => by_rank.first(),
        Some(name) => by_rank.iter().find(|profile| profile.name() == name),
    };
    chosen.copied().ok_or_else(|| Shortfall::ProfileNotOffered {
        asked: asked.unwrap_or_default().to_owned(),
        have: quote_all(by_rank.iter().map(|profile| profile.name())),
    })
}

fn choose_runtime(profile: &Profile, language: Option<&str>) -> Result<String, Shortfall> {
    let have = || quote_all(profile.languages().map(|(language, _)| language));
    let language = language.ok_or_else(|| Shortfall::NoLanguage { have: have() })?;
    profile
        .runtime(language)
        .map(str::to_owned)
        .ok_or_else(|| Shortfall::UnknownLanguage {
            profile: profile.name().to_owned(),
            language: language.to_owned(),
            have: have(),
        })
}

fn fit_limits(profile: &Profile, asked: Option<&Value>) -> Result<Limits, Shortfall> {
    let mut limits = *profile.limits();
    let Some(asked) = asked else {
        return Ok(limits);
    };
    let Value::Object(asked) = asked else {
        return Err(wrong_type("limits", asked, "an object"));
    };
    for (key, value) in asked {
        let (name, limit) = match key.as_str() {
            "wall_ms" => ("wall_ms", &mut limits.wall_ms),
            "memory_bytes" => ("memory_bytes", &mut limits.memory_bytes),
            "output_bytes" => ("output_bytes", &mut limits.output_bytes),
            _ => return Err(Shortfall::UnknownLimit { key: key.clone() }),
        };
        *limit = fit_limit(name, value, *limit, profile)?;
    }
    Ok(limits)
}

fn fit_limit(
    key: &'static str,
    value: &Value,
    max: u64,
    profile: &Profile,
) -> Result<u64, Shortfall> {
    let asked = value
        .as_i64()
        .and_then(|integer| u64::try_from(integer).ok())
        .filter(|integer| *integer > 0)
        .ok_or_else(|| Shortfall::NotALimit {
            key,
            found: shown(value),
        })?;
    if asked > max {
        return Err(Shortfall::AboveLimit {
            key,
            asked,
            max,
            profile: profile.name().to_owned(),
        });
    }
    Ok(asked)
}

fn check_code(profile: &Profile, code: Option<&str>) -> Result<(), Shortfall> {
    let max = profile.limits().code_bytes;
    let bytes = code.map_or(0, |code| u64::try_from(code.len()).unwrap_or(u64::MAX));
    if bytes > max {
        return Err(Shortfall::CodeTooLong {
            bytes,
            max,
            profile: profile.name().to_owned(),
        });
    }
    Ok(())
}

fn text<'a>(
    arguments: &'a Map<String, Value>,
    key: &'static str,
) -> Result<Option<&'a str>, Shortfall> {
    match arguments.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(key, other, "a string")),
    }
}

fn wrong_type(key: &'static str, found: &Value, wanted: &'static str) -> Shortfall {
    Shortfall::WrongType {
        key,
        found: kind(found),
        wanted,
    }
}

/// A number as itself, anything else by its kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        other => kind(other).to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
