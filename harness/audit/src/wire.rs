//! The records as they are written: every field, in key order, nothing else.
//!
//! These types mirror the bytes on disk. Unknown fields are refused and each
//! struct declares its fields in ascending order, which is the canonical order;
//! a test compares both. Changing one is changing the format: read
//! `docs/LEDGER.md` first.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A writer opened the ledger.
    Start,
    /// A writer closed the ledger in good order.
    Stop,
    /// A call was decided.
    Decision,
    /// A call that was allowed came to its end.
    Outcome,
    /// Something else worth remembering, under a topic.
    Note,
}

impl Kind {
    /// How many kinds there are; pinned, since a new one is a new format.
    pub(crate) const COUNT: usize = [
        Self::Start,
        Self::Stop,
        Self::Decision,
        Self::Outcome,
        Self::Note,
    ]
    .len();

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Note => "note",
        }
    }
}

/// What was decided. Only an allowed call has an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run.
    Allow,
    /// The call waits for somebody's approval.
    Hold,
    /// The call does not run.
    Deny,
}

/// The data of a record, by its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// See [`Start`].
    Start(Start),
    /// See [`Stop`].
    Stop(Stop),
    /// See [`Decision`].
    Decision(Decision),
    /// See [`Outcome`].
    Outcome(Outcome),
    /// See [`Note`].
    Note(Note),
}

/// A writer opened the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Process id of the writer, as its own namespace counts.
    pub pid: u32,
    /// Version of the program that writes.
    pub version: String,
}

/// A writer closed the ledger in good order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {}

/// A call was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The call's arguments (canonical JSON), kept as a body.
    pub arguments: BodyRef,
    /// The call.
    pub call_id: Id,
    /// The limits in force for the call.
    pub limits: Json,
    /// SHA-256 of the policy that decided.
    pub policy_digest: Digest,
    /// Which policy of the daemon's life it was, from 1. Records of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_generation: Option<u64>,
    /// Who asked.
    pub principal: String,
    /// The profile it runs in, when it runs.
    pub profile: Option<String>,
    /// Why, in the policy's words.
    pub reason: String,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// The runtime it runs on, when it runs.
    pub runtime: Option<String>,
    /// The session it belongs to.
    pub session: Option<String>,
    /// The tool that was called.
    pub tool: String,
    /// What was decided.
    pub verdict: Verdict,
}

/// A call came to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The call.
    pub call_id: Id,
    /// The number of the decision that allowed it.
    pub decision_seq: u64,
    /// What the engine, the kernel or the launch said of an ending that is not the guest's own.
    pub detail: Option<String>,
    /// How it ended; [`crate::INTERRUPTED`] when its writer died before it could say.
    pub ending: String,
    /// The guest's exit code, if it got that far.
    pub exit_code: Option<i32>,
    /// The files that were collected, each kept as a body.
    pub files: Vec<FileRef>,
    /// What was in force while it ran.
    pub receipt: Json,
    /// Standard error; null when the call was interrupted.
    pub stderr: Option<StreamRef>,
    /// Standard output; null when the call was interrupted.
    pub stdout: Option<StreamRef>,
    /// What it used.
    pub usage: Json,
}

/// Something else worth remembering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What is noted.
    pub detail: Json,
    /// A short name to search by.
    pub topic: String,
}

/// A body: its length and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRef {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub digest: Digest,
}

/// A file that was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// Path as the guest named it.
    pub path: String,
}

/// A stream that was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRef {
    /// Length in bytes of what was kept.
    pub bytes: u64,
    /// SHA-256 of what was kept.
    pub digest: Digest,
    /// Whether the guest wrote more than was kept.
    pub truncated: bool,
}

impl Data {
    /// Which kind this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Start(_) => Kind::Start,
            Self::Stop(_) => Kind::Stop,
            Self::Decision(_) => Kind::Decision,
            Self::Outcome(_) => Kind::Outcome,
            Self::Note(_) => Kind::Note,
        }
    }

    /// The call it is about, if it is about one.
    #[must_use]
    pub fn call_id(&self) -> Option<[u8; 16]> {
        match self {
            Self::Decision(decision) => Some(decision.call_id.0),
            Self::Outcome(outcome) => Some(outcome.call_id.0),
            Self::Start(_) | Self::Stop(_) | Self::Note(_) => None,
        }
    }

    /// The bodies it names, in the order in which they are stored.
    #[must_use]
    pub fn bodies(&self) -> Vec<BodyRef> {
        match self {
            Self::Decision(decision) => vec![decision.arguments],
            Self::Outcome(outcome) => outcome.bodies(),
            Self::Start(_) | Self::Stop(_) | Self::Note(_) => Vec::new(),
        }
    }

    /// Writes the data in canonical form.
    pub(crate) fn encode(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Start(start) => serde_json::to_string(start),
            Self::Stop(stop) => serde_json::to_string(stop),
            Self::Decision(decision) => serde_json::to_string(decision),
            Self::Outcome(outcome) => serde_json::to_string(outcome),
            Self::Note(note) => serde_json::to_string(note),
        }
    }

    /// The same, ready to be framed.
    pub(crate) fn encode_raw(&self) -> Result<Box<RawValue>, serde_json::Error> {
        RawValue::from_string(self.encode()?)
    }

    /// Reads the data of a record of this kind.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::Start => Self::Start(serde_json::from_str(text)?),
            Kind::Stop => Self::Stop(serde_json::from_str(text)?),
            Kind::Decision => Self::Decision(serde_json::from_str(text)?),
            Kind::Outcome => Self::Outcome(serde_json::from_str(text)?),
            Kind::Note => Self::Note(serde_json::from_str(text)?),
        })
    }
}

impl Outcome {
    fn bodies(&self) -> Vec<BodyRef> {
        let streams = [self.stdout, self.stderr].into_iter().flatten();
        let streams = streams.map(|stream| BodyRef {
            bytes: stream.bytes,
            digest: stream.digest,
        });
        let files = self.files.iter().map(|file| BodyRef {
            bytes: file.bytes,
            digest: file.digest,
        });
        streams.chain(files).collect()
    }
}

/// A call's or an instance's 16 bytes, written as a hyphenated lower-case UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Free-form JSON without floats, written with its keys sorted.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Value);

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(out)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let id = uuid::Uuid::from_bytes(self.0).hyphenated();
        out.serialize_str(id.encode_lower(&mut text))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Id;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a hyphenated UUID")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                let id = uuid::Uuid::try_parse(text).map_err(E::custom)?;
                Ok(Id(id.into_bytes()))
            }
        }
        input.deserialize_str(Text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut text = [0_u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        out.serialize_str(str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Digest;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("64 lower-case hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                unhex(text)
                    .map(Digest)
                    .ok_or_else(|| E::custom("not 64 lower-case hexadecimal digits"))
            }
        }
        input.deserialize_str(Text)
    }
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Reads 64 lower-case hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = hex_value(high)? << 4 | hex_value(low)?;
    }
    Some(bytes)
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        Sorted(&self.0).serialize(out)
    }
}

/// Sorts by itself: whether the JSON library keeps its maps sorted depends on
/// a feature that any crate of the build can switch.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => out.serialize_unit(),
            Value::Bool(value) => out.serialize_bool(*value),
            Value::String(text) => out.serialize_str(text),
            Value::Array(items) => out.collect_seq(items.iter().map(Sorted)),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => out.serialize_u64(value),
                (None, Some(value)) => out.serialize_i64(value),
                (None, None) => Err(serde::ser::Error::custom("a record holds no floats")),
            },
            Value::Object(map) => {
                let mut members: Vec<_> = map.iter().collect();
                members.sort_unstable_by(|left, right| left.0.cmp(right.0));
                out.collect_map(members.into_iter().map(|(key, value)| (key, Sorted(value))))
            }
        }
    }
}
