//! Turns the profiles that matching rules offer, and what a call asks for, into authority.
//!
//! Backends get a [`Grant`] and never look at rules. Nothing asked for is ever cut down to fit:
//! what does not fit is a [`Shortfall`], and the decision made from it is a deny.

use std::sync::Arc;

use serde_json::{Map, Value};
use smallvec::SmallVec;
use thiserror::Error;

use crate::call::ToolCall;
use crate::context::Scene;
use crate::facts::{Kind, words};
use crate::profile::{Limits, Profile};
use crate::redact::Redaction;
use crate::rule::Rule;
use crate::text::{quote, quote_all};

/// The tool that runs code. Its arguments `language`, `profile` and `limits` are read here.
pub const CODE_TOOL: &str = "execute_code";

/// Resolved authority for one call: where it runs, with what, and how much it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    profile: Arc<Profile>,
    runtime: Arc<str>,
    limits: Limits,
    redaction: Redaction,
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

    /// What is taken out of the output before anybody sees it.
    #[must_use]
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    pub(crate) fn with_redaction(self, redaction: Redaction) -> Self {
        Self { redaction, ..self }
    }
}

/// Why allow rules that match cannot be turned into authority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Shortfall {
    #[error("no allow rule covers this call")]
    NoProfile,
    #[error("no allow rule covers the {kind} {}", quote(what))]
    Uncovered { kind: Kind, what: String },
    #[error(
        "profile {} does not run the tool {}; it runs {have}",
        quote(profile),
        quote(tool)
    )]
    NoBackend {
        profile: String,
        tool: String,
        have: String,
    },
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
    /// How far a call came with a profile before it did not fit.
    fn closeness(&self) -> u8 {
        match self {
            Self::NoProfile
            | Self::Uncovered { .. }
            | Self::NoBackend { .. }
            | Self::WrongType { .. }
            | Self::ProfileNotOffered { .. }
            | Self::UnknownLimit { .. }
            | Self::NotALimit { .. } => 0,
            Self::NoLanguage { .. } | Self::UnknownLanguage { .. } => 1,
            Self::AboveLimit { .. } => 2,
            Self::CodeTooLong { .. } => 3,
        }
    }

    /// What the caller can do about it.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::NoProfile => "add an allow rule that covers the call; `lazaret policy explain` shows which one comes nearest".to_owned(),
            Self::Uncovered { kind: Kind::Opaque, .. } => "write what is meant without anything that only the run time knows; `lazaret policy explain` shows what the call was read as".to_owned(),
            Self::Uncovered { kind, .. } => format!("leave this {kind} out; `lazaret policy explain` shows which rule comes nearest"),
            Self::NoBackend { have, .. } => format!("use a tool of {have}"),
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

/// What one matching allow rule offers: a profile, and its limits as far as the rule lowers them.
#[derive(Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) profile: &'a Arc<Profile>,
    pub(crate) limits: Limits,
}

/// Rarely more than four.
pub(crate) type Offered<'a> = SmallVec<[Offer<'a>; 4]>;

/// Chooses the profile with least authority that the call fits into and whose allows cover all of
/// it: by the rank of the profile, then by the limits of the rules in their order. One more offer
/// can only help: a profile that does not fit is passed over while there is another.
pub(crate) fn resolve(mut offered: Offered<'_>, scene: Scene<'_>) -> Result<Grant, Shortfall> {
    if offered.is_empty() {
        return Err(Shortfall::NoProfile);
    }
    offered.sort_unstable_by_key(|offer| (offer.profile.rank(), offer.limits));
    let wanted = Wanted::of(scene.call)?;
    let mut closest = None;
    for offers in offered.chunk_by(|a, b| a.profile.rank() == b.profile.rank()) {
        match wanted.covered(offers, scene) {
            None => {}
            Some(Ok(grant)) => return Ok(grant),
            Some(Err(shortfall)) => closest = Some(closer(closest, shortfall)),
        }
    }
    Err(closest.unwrap_or_else(|| wanted.not_offered(&offered)))
}

/// What a call asks of the place that it runs in.
struct Wanted<'a> {
    tool: &'a str,
    profile: Option<&'a str>,
    language: Option<&'a str>,
    wall_ms: Option<u64>,
    memory_bytes: Option<u64>,
    output_bytes: Option<u64>,
    code_bytes: u64,
}

impl<'a> Wanted<'a> {
    fn of(call: &'a ToolCall) -> Result<Self, Shortfall> {
        let Value::Object(arguments) = call.arguments() else {
            return Err(wrong_type("arguments", call.arguments(), "an object"));
        };
        let mut wanted = Self {
            tool: call.tool(),
            profile: text(arguments, "profile")?,
            language: text(arguments, "language")?,
            wall_ms: None,
            memory_bytes: None,
            output_bytes: None,
            code_bytes: text(arguments, "code")?.map_or(0, bytes),
        };
        match arguments.get("limits") {
            None => {}
            Some(Value::Object(limits)) => wanted.ask(limits)?,
            Some(other) => return Err(wrong_type("limits", other, "an object")),
        }
        Ok(wanted)
    }

    fn ask(&mut self, limits: &Map<String, Value>) -> Result<(), Shortfall> {
        for (key, value) in limits {
            match key.as_str() {
                "wall_ms" => self.wall_ms = Some(limit("wall_ms", value)?),
                "memory_bytes" => self.memory_bytes = Some(limit("memory_bytes", value)?),
                "output_bytes" => self.output_bytes = Some(limit("output_bytes", value)?),
                _ => return Err(Shortfall::UnknownLimit { key: key.clone() }),
            }
        }
        Ok(())
    }

    fn names(&self, profile: &Profile) -> bool {
        self.profile.is_none_or(|name| name == profile.name())
    }

    fn not_offered(&self, offered: &[Offer<'_>]) -> Shortfall {
        let mut names: Vec<&str> = offered.iter().map(|offer| offer.profile.name()).collect();
        names.dedup();
        Shortfall::ProfileNotOffered {
            asked: self.profile.unwrap_or_default().to_owned(),
            have: quote_all(names),
        }
    }

    /// What the offers of one profile, the one with the lowest limits first, make of the call. None
    /// when the call asks for another profile.
    fn covered(&self, offers: &[Offer<'_>], scene: Scene<'_>) -> Option<Result<Grant, Shortfall>> {
        let first = offers.first().filter(|offer| self.names(offer.profile))?;
        let mut to_cover = scene.facts.to_cover().peekable();
        if to_cover.peek().is_none() {
            return Some(self.first_fit(offers.iter()));
        }
        if let Err(shortfall) = self.runtime(first.profile) {
            return Some(Err(shortfall));
        }
        let mut limits = first.profile.limits().to_owned();
        for (kind, atom) in to_cover {
            let covering = offers
                .iter()
                .filter(|offer| offer.rule.covers(scene, kind, atom));
            match self.cover(covering, kind, atom) {
                Ok(granted) => limits = limits.lowered(&granted),
                Err(shortfall) => return Some(Err(shortfall)),
            }
        }
        Some(self.fit(first.profile, &limits))
    }

    /// The limits of the first offer that covers an atom and that the call fits into.
    fn cover<'o>(
        &self,
        mut covering: impl Iterator<Item = &'o Offer<'o>>,
        kind: Kind,
        atom: &Value,
    ) -> Result<Limits, Shortfall> {
        let Some(first) = covering.next() else {
            return Err(Shortfall::Uncovered {
                kind,
                what: words(kind, atom),
            });
        };
        self.first_fit([first].into_iter().chain(covering))
            .map(|grant| grant.limits)
    }

    fn first_fit<'o>(
        &self,
        offers: impl Iterator<Item = &'o Offer<'o>>,
    ) -> Result<Grant, Shortfall> {
        let mut closest = None;
        for offer in offers {
            match self.fit(offer.profile, &offer.limits) {
                Ok(grant) => return Ok(grant),
                Err(shortfall) => closest = Some(closer(closest, shortfall)),
            }
        }
        Err(closest.unwrap_or(Shortfall::NoProfile))
    }

    fn fit(&self, profile: &Arc<Profile>, most: &Limits) -> Result<Grant, Shortfall> {
        let fit = |key, asked, max| fit_limit(key, asked, max, profile);
        let grant = Grant {
            runtime: self.runtime(profile)?,
            limits: Limits {
                wall_ms: fit("wall_ms", self.wall_ms, most.wall_ms)?,
                memory_bytes: fit("memory_bytes", self.memory_bytes, most.memory_bytes)?,
                output_bytes: fit("output_bytes", self.output_bytes, most.output_bytes)?,
                ..*most
            },
            profile: Arc::clone(profile),
            redaction: Redaction::default(),
        };
        if self.code_bytes > most.code_bytes {
            return Err(Shortfall::CodeTooLong {
                bytes: self.code_bytes,
                max: most.code_bytes,
                profile: profile.name().to_owned(),
            });
        }
        Ok(grant)
    }

    /// The runtime that the profile has for the tool; for code, the one of its language.
    fn runtime(&self, profile: &Profile) -> Result<Arc<str>, Shortfall> {
        if self.tool != CODE_TOOL {
            return profile
                .tool_runtime(self.tool)
                .ok_or_else(|| Shortfall::NoBackend {
                    profile: profile.name().to_owned(),
                    tool: self.tool.to_owned(),
                    have: profile.tool_names(),
                });
        }
        let have = || quote_all(profile.languages().map(|(language, _)| language));
        let language = self
            .language
            .ok_or_else(|| Shortfall::NoLanguage { have: have() })?;
        profile
            .shared_runtime(language)
            .ok_or_else(|| Shortfall::UnknownLanguage {
                profile: profile.name().to_owned(),
                language: language.to_owned(),
                have: have(),
            })
    }
}

/// The one to tell the caller of: the profile that was passed over last. Of two equally close, the
/// later one, which gives more.
fn closer(first: Option<Shortfall>, second: Shortfall) -> Shortfall {
    match first {
        Some(first) if first.closeness() > second.closeness() => first,
        Some(_) | None => second,
    }
}

fn bytes(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn limit(key: &'static str, value: &Value) -> Result<u64, Shortfall> {
    value
        .as_i64()
        .and_then(|integer| u64::try_from(integer).ok())
        .filter(|integer| *integer > 0)
        .ok_or_else(|| Shortfall::NotALimit {
            key,
            found: shown(value),
        })
}

fn fit_limit(
    key: &'static str,
    asked: Option<u64>,
    max: u64,
    profile: &Profile,
) -> Result<u64, Shortfall> {
    match asked {
        Some(asked) if asked > max => Err(Shortfall::AboveLimit {
            key,
            asked,
            max,
            profile: profile.name().to_owned(),
        }),
        Some(asked) => Ok(asked),
        None => Ok(max),
    }
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
