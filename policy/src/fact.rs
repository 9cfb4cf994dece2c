//! Facts of a call, and the paths by which rules name them.
//!
//! Facts are a call's parts (`tool`, `principal`, `session` and everything under `arguments`), what
//! was read out of them (atoms and readings, see [`crate::facts`]), the time, and the session's
//! state. Looking up a fact never fails: it is there, or absent, or its way is blocked, because it
//! leads through something that is no object or nobody handed it in.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::condition::Num;
use crate::context::{Scene, SessionPart, TimePart};
use crate::facts::{Field, FieldType, Kind, Reading};
use crate::text::{quote, quote_all};

/// Keys in a path: as deep as a call's arguments can be.
const MAX_SEGMENTS: usize = crate::json::MAX_DEPTH;

/// The name of a fact, as in `arguments.language`. Keys with other characters than `A-Za-z0-9_-`
/// stand in double quotes: `arguments."a.b"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactPath {
    Tool,
    Principal,
    Session,
    /// The keys below `arguments`; none for the whole.
    Arguments(Vec<String>),
    Time(TimePart),
    SessionState(SessionPart),
    /// A field of one atom of a kind.
    Atom(Kind, &'static Field),
    /// A fact about the call as a whole that was read out of its arguments.
    Reading(Reading, &'static Field),
}

/// What a path finds in a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fact<'a> {
    Text(&'a str),
    Number(Num),
    Bool(bool),
    /// Null, an array or an object: nothing that a condition compares with.
    Other(&'a Value),
    /// The call has no such fact.
    Absent,
    /// The question has no answer: a key on the way stands on something that is no object, or
    /// nobody handed in the time or the session's state.
    Blocked,
}

/// Why a text is not the name of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactError {
    /// The first word is no root of facts.
    #[error("{} is not a fact; facts are `tool`, `principal`, `session`, `arguments`, `arguments.KEY…`, `time.…`, `session.…`, `command.…`, `redirect.…`, `assignment.…`, `opaque.…`, `host.…`, `path.…`, `snippet.…`, `secret.…`, `unicode.…`, `encoding.…`, `shell.…`, `code.…` and `input.…`", quote(.0))]
    UnknownRoot(String),
    /// A root without a field of this name.
    #[error("{} is not a fact; `{root}` has {have}", quote(asked))]
    UnknownField {
        /// The whole path.
        asked: String,
        /// Its first word.
        root: &'static str,
        /// The fields there are.
        have: String,
    },
    /// A fact of one atom, where only facts of the whole call can stand.
    #[error(
        "{} is a fact of one {kind}; write it in `match` or `unless`",
        quote(fact)
    )]
    OfAtom {
        /// The fact.
        fact: String,
        /// Its kind.
        kind: Kind,
    },
    /// Not `KEY.KEY."other key"`.
    #[error("{} is not a path of keys; write `arguments.key` and put keys with other characters in double quotes", quote(.0))]
    Syntax(String),
    /// More keys than a call can nest.
    #[error("{} has more than {MAX_SEGMENTS} keys; no call is that deep", quote(.0))]
    TooLong(String),
}

impl FactPath {
    pub(crate) fn parse(text: &str) -> Result<Self, FactError> {
        let (root, rest) = match text.split_once('.') {
            Some((root, rest)) => (root, Some(rest)),
            None => (text, None),
        };
        match (root, rest) {
            ("tool", None) => Ok(Self::Tool),
            ("principal", None) => Ok(Self::Principal),
            ("session", None) => Ok(Self::Session),
            ("arguments", None) => Ok(Self::Arguments(Vec::new())),
            ("arguments", Some(rest)) => segments(rest)
                .ok_or_else(|| FactError::Syntax(text.to_owned()))
                .and_then(|keys| {
                    if keys.len() > MAX_SEGMENTS {
                        Err(FactError::TooLong(text.to_owned()))
                    } else {
                        Ok(Self::Arguments(keys))
                    }
                }),
            (root, Some(field)) => match of_world(text) {
                Some(path) => Ok(path),
                None => of_facts(text, root, field),
            },
            (_, None) => Err(FactError::UnknownRoot(text.to_owned())),
        }
    }

    pub(crate) fn find<'a>(&self, scene: Scene<'a>) -> Fact<'a> {
        match self {
            Self::Tool => Fact::Text(scene.call.tool()),
            Self::Principal => Fact::Text(scene.call.principal()),
            Self::Session => scene.call.session().map_or(Fact::Absent, Fact::Text),
            Self::Arguments(keys) => find_below(scene.call.arguments(), keys),
            Self::Time(part) => part.find(scene.context),
            Self::SessionState(part) => part.find(scene),
            Self::Atom(kind, field) => match scene.atom {
                Some((found, atom)) if found == *kind => of_field(atom.get(field.name)),
                Some(_) | None => Fact::Blocked,
            },
            Self::Reading(reading, field) => of_field(scene.facts.reading(*reading, field.name)),
        }
    }

    /// The kind of atom that the fact is part of.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Atom(kind, _) => Some(*kind),
            Self::Tool
            | Self::Principal
            | Self::Session
            | Self::Arguments(_)
            | Self::Time(_)
            | Self::SessionState(_)
            | Self::Reading(..) => None,
        }
    }

    /// The options of a command, which may be written shorter than they are.
    pub(crate) fn is_flags(&self) -> bool {
        matches!(self, Self::Atom(Kind::Command, field) if field.name == "flags")
    }

    /// How many commands a shell text has.
    pub(crate) fn counts_commands(&self) -> bool {
        matches!(self, Self::Reading(Reading::Shell, field) if field.name == "commands")
    }

    /// Arguments whose text is a program.
    pub(crate) fn is_program_text(&self) -> bool {
        match self {
            Self::Arguments(keys) => {
                matches!(keys.as_slice(), [key] if key == "code" || key == "command")
            }
            Self::Tool
            | Self::Principal
            | Self::Session
            | Self::Time(_)
            | Self::SessionState(_)
            | Self::Atom(..)
            | Self::Reading(..) => false,
        }
    }

    /// Facts that are an array wherever they are known.
    pub(crate) fn is_array(&self) -> bool {
        self.field()
            .is_some_and(|field| field.kind == FieldType::Array)
    }

    fn field(&self) -> Option<&'static Field> {
        match self {
            Self::Atom(_, field) | Self::Reading(_, field) => Some(field),
            Self::Tool
            | Self::Principal
            | Self::Session
            | Self::Arguments(_)
            | Self::Time(_)
            | Self::SessionState(_) => None,
        }
    }

    /// Facts that can hold an array.
    pub(crate) fn may_be_array(&self) -> bool {
        match self {
            Self::Arguments(_) => true,
            Self::Atom(_, field) | Self::Reading(_, field) => field.kind == FieldType::Array,
            Self::Tool
            | Self::Principal
            | Self::Session
            | Self::Time(_)
            | Self::SessionState(_) => false,
        }
    }

    /// Facts that are text in every call, so that a number can never equal them.
    pub(crate) fn is_always_text(&self) -> bool {
        match self {
            Self::Tool | Self::Principal | Self::Session | Self::Time(TimePart::Weekday) => true,
            Self::Arguments(_) | Self::Time(_) | Self::SessionState(_) => false,
            // Or not known, which is no text.
            Self::Atom(..) | Self::Reading(..) => false,
        }
    }

    /// Facts that are text wherever they are known.
    pub(crate) fn is_never_number(&self) -> bool {
        self.is_always_text()
            || self
                .field()
                .is_some_and(|field| field.kind != FieldType::Number)
    }

    /// Facts that are a number wherever they are there.
    pub(crate) fn is_always_number(&self) -> bool {
        match self {
            Self::Time(TimePart::Weekday)
            | Self::Tool
            | Self::Principal
            | Self::Session
            | Self::Arguments(_) => false,
            Self::Time(_) | Self::SessionState(_) => true,
            Self::Atom(_, field) | Self::Reading(_, field) => field.kind == FieldType::Number,
        }
    }

    /// Facts that every call has.
    pub(crate) fn is_always_there(&self) -> bool {
        match self {
            Self::Tool | Self::Principal | Self::Time(_) => true,
            Self::Arguments(keys) => keys.is_empty(),
            Self::Session | Self::SessionState(_) => false,
            // `exists` on a field that every atom has says "any atom".
            Self::Atom(..) | Self::Reading(..) => false,
        }
    }
}

impl fmt::Display for FactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool => f.write_str("tool"),
            Self::Principal => f.write_str("principal"),
            Self::Session => f.write_str("session"),
            Self::Time(part) => f.write_str(name_in(&TimePart::ALL, part)),
            Self::SessionState(part) => write!(f, "{part}"),
            Self::Atom(kind, field) => write!(f, "{kind}.{}", field.name),
            Self::Reading(reading, field) => write!(f, "{}.{}", reading.as_str(), field.name),
            Self::Arguments(keys) => {
                f.write_str("arguments")?;
                keys.iter().try_for_each(|key| match is_bare(key) {
                    true => write!(f, ".{key}"),
                    false => write!(f, ".\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")),
                })
            }
        }
    }
}

impl<'a> Fact<'a> {
    pub(crate) fn of_value(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Number(number) => Num::of_json(number).map_or(Self::Other(value), Self::Number),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Other(value),
        }
    }

    /// The fact as a JSON value, if there is one.
    pub(crate) fn to_value(self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text)),
            Self::Number(number) => Some(number.to_value()),
            Self::Bool(truth) => Some(Value::from(truth)),
            Self::Other(value) => Some(value.clone()),
            Self::Absent | Self::Blocked => None,
        }
    }
}

fn of_world(text: &str) -> Option<FactPath> {
    let named = |(name, _): &&(&str, _)| *name == text;
    let time = TimePart::ALL.iter().find(named);
    time.map(|(_, part)| FactPath::Time(*part))
        .or_else(|| SessionPart::parse(text).map(FactPath::SessionState))
}

fn of_facts(text: &str, root: &str, name: &str) -> Result<FactPath, FactError> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == root);
    let reading = Reading::ALL
        .into_iter()
        .find(|reading| reading.as_str() == root);
    let (root, fields) = match (kind, reading) {
        (Some(kind), _) => (kind.as_str(), kind.fields()),
        (None, Some(reading)) => (reading.as_str(), reading.fields()),
        (None, None) => return Err(FactError::UnknownRoot(text.to_owned())),
    };
    let field = fields.iter().find(|field| field.name == name);
    let path = field.and_then(|field| {
        let atom = kind.map(|kind| FactPath::Atom(kind, field));
        atom.or_else(|| reading.map(|reading| FactPath::Reading(reading, field)))
    });
    path.ok_or_else(|| FactError::UnknownField {
        asked: text.to_owned(),
        root,
        have: quote_all(fields.iter().map(|field| field.name)),
    })
}

/// A field of an atom or reading: what stands there, or nothing.
pub(crate) fn of_field(value: Option<&Value>) -> Fact<'_> {
    value.map_or(Fact::Absent, Fact::of_value)
}

fn name_in<T: PartialEq>(all: &[(&'static str, T)], wanted: &T) -> &'static str {
    let found = all.iter().find(|(_, part)| part == wanted);
    found.map_or("", |(name, _)| name)
}

fn find_below<'a>(root: &'a Value, keys: &[String]) -> Fact<'a> {
    let mut value = root;
    for key in keys {
        let Value::Object(map) = value else {
            return Fact::Blocked;
        };
        match map.get(key) {
            Some(next) => value = next,
            None => return Fact::Absent,
        }
    }
    Fact::of_value(value)
}

fn is_bare(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// None when the text is not `key.key."other key"`.
fn segments(text: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut rest = text;
    loop {
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_key(quoted)?,
            None => bare_key(rest)?,
        };
        keys.push(key);
        if after.is_empty() {
            return Some(keys);
        }
        rest = after.strip_prefix('.')?;
    }
}

fn bare_key(text: &str) -> Option<(String, &str)> {
    let end = text.find('.').unwrap_or(text.len());
    let (key, after) = text.split_at_checked(end)?;
    is_bare(key).then(|| (key.to_owned(), after))
}

/// After the opening quote; `\"` and `\\` are the only escapes.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((key, chars.as_str())),
            '\\' => match chars.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            plain => key.push(plain),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::call::ToolCall;
    use crate::context::Context;
    use crate::facts::Facts;
    use serde_json::json;

    #[test]
    fn paths_read_and_write() {
        for text in [
            "tool",
            "principal",
            "session",
            "arguments",
            "time.hour",
            "session.calls",
            "arguments.a",
            "arguments.a.b-c._d",
            r#"arguments."a.b".c"#,
            r#"arguments."\"\\""#,
            r#"arguments."""#,
        ] {
            assert_eq!(FactPath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn paths_refused() {
        for text in [
            "",
            "argument.a",
            "tool.a",
            "Tool",
            "session.",
            "session.call",
            "time",
            "command",
            "shells.syntax",
        ] {
            assert!(
                matches!(FactPath::parse(text), Err(FactError::UnknownRoot(_))),
                "{text}"
            );
        }
        for text in [
            "arguments.",
            "arguments..a",
            "arguments.a.",
            "arguments.a b",
            r#"arguments."a"#,
            r#"arguments."a"b"#,
            r#"arguments."\n""#,
            "arguments.a[0]",
        ] {
            assert!(
                matches!(FactPath::parse(text), Err(FactError::Syntax(_))),
                "{text}"
            );
        }
        let long = format!("arguments{}", ".a".repeat(MAX_SEGMENTS + 1));
        assert!(matches!(FactPath::parse(&long), Err(FactError::TooLong(_))));
    }

    #[test]
    fn finds_absent_and_blocked() {
        let call = ToolCall::new(
            "t",
            json!({"a": {"b": "x"}, "a.b": 1, "n": null}),
            "p",
            None,
        )
        .unwrap();
        let context = Context::default();
        let facts = Facts::default();
        let scene = Scene::new(&call, &facts, &context);
        let find = |path: &str| FactPath::parse(path).unwrap().find(scene);
        assert_eq!(find("arguments.a.b"), Fact::Text("x"));
        assert!(matches!(find(r#"arguments."a.b""#), Fact::Number(_)));
        assert_eq!(find("arguments.c"), Fact::Absent);
        assert_eq!(find("arguments.c.d"), Fact::Absent);
        assert_eq!(find("arguments.a.b.c"), Fact::Blocked);
        assert_eq!(find("arguments.n"), Fact::Other(&Value::Null));
        assert_eq!(find("session"), Fact::Absent);
    }
}
