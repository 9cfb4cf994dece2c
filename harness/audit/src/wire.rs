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

use crate::commit::Salt;

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
    /// Fields or bodies of earlier records were erased.
    Erasure,
}

impl Kind {
    /// How many kinds there are; pinned, since a new one is a new format.
    pub(crate) const COUNT: usize = [
        Self::Start,
        Self::Stop,
        Self::Decision,
        Self::Outcome,
        Self::Note,
        Self::Erasure,
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
            Self::Erasure => "erasure",
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

impl Verdict {
    /// Whether the call may run, and so has an outcome.
    pub(crate) fn is_allow(self) -> bool {
        match self {
            Self::Allow => true,
            Self::Hold | Self::Deny => false,
        }
    }
}

/// A field that can be erased from its record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// It is there.
    Kept(T),
    /// It was erased; its commitment stays in the record, and an erasure says so.
    #[default]
    Erased,
}

impl<T> Field<T> {
    /// The value, unless it was erased.
    pub fn kept(&self) -> Option<&T> {
        match self {
            Self::Kept(value) => Some(value),
            Self::Erased => None,
        }
    }

    fn is_erased(&self) -> bool {
        self.kept().is_none()
    }
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
    /// See [`Erasure`].
    Erasure(Erasure),
}

/// A writer opened the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The public key that its checkpoints verify with.
    pub key: String,
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
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub arguments: Field<BodyRef>,
    /// The call.
    pub call_id: Id,
    /// The limits in force for the call.
    pub limits: Json,
    /// SHA-256 of the policy that decided.
    pub policy_digest: Digest,
    /// Which policy of the daemon's life it was, from 1.
    pub policy_generation: u64,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub principal: Field<String>,
    /// The profile it runs in, when it runs.
    pub profile: Option<String>,
    /// Why, in the policy's words.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub reason: Field<String>,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// The runtime it runs on, when it runs.
    pub runtime: Option<String>,
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub session: Field<Option<String>>,
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
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub detail: Field<Option<String>>,
    /// How it ended; [`crate::INTERRUPTED`] when its writer died before it could say.
    pub ending: String,
    /// The guest's exit code, if it got that far.
    pub exit_code: Option<i32>,
    /// The files that were collected, each kept as a body.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub files: Field<Vec<FileRef>>,
    /// What was in force while it ran.
    pub receipt: Json,
    /// What makes the call repeatable, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Standard error; null when the call was interrupted.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub stderr: Field<Option<StreamRef>>,
    /// Standard output; null when the call was interrupted.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub stdout: Field<Option<StreamRef>>,
    /// What it used.
    pub usage: Json,
}

/// What makes a call repeatable: with the same of each, a guest gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Where the guest's clock began, in microseconds since 1970; null when it was the host's.
    pub clock_start_us: Option<u64>,
    /// The seed of the guest's randomness; null when it was the host's.
    pub entropy_seed: Option<Digest>,
    /// SHA-256 of everything that the guest was given.
    pub inputs_digest: Digest,
    /// Whether clock and randomness were fixed: `deterministic` or `host`.
    pub mode: String,
    /// SHA-256 of the module that ran.
    pub module_digest: Digest,
}

/// Something else worth remembering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What is noted.
    #[serde(default, skip_serializing_if = "Field::is_erased")]
    pub detail: Field<Json>,
    /// A short name to search by.
    pub topic: String,
}

/// Fields or bodies of earlier records were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Who wanted it, or which rule of retention.
    pub by: String,
    /// What was erased.
    pub items: Vec<Erased>,
    /// Why, in the words of who wanted it.
    pub reason: String,
}

/// What was erased from a run of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// Names of bodies; one that is `*` means all.
    pub bodies: Vec<String>,
    /// Names of fields.
    pub fields: Vec<String>,
    /// The first record.
    pub first: u64,
    /// The last record.
    pub last: u64,
}

impl Erased {
    /// Whether it covers this body of this record.
    #[must_use]
    pub fn has_body(&self, seq: u64, name: &str) -> bool {
        self.has(seq) && self.bodies.iter().any(|body| body == "*" || body == name)
    }

    /// Whether it covers this field of this record.
    #[must_use]
    pub fn has_field(&self, seq: u64, name: &str) -> bool {
        self.has(seq) && self.fields.iter().any(|field| field == name)
    }

    fn has(&self, seq: u64) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

/// A body with its name and its place in its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `arguments`, `stdout`, `stderr`, or `files/N` from 0.
    pub name: String,
    /// Its place among the bodies of its record.
    pub slot: u64,
    /// Its length and digest.
    pub body: BodyRef,
}

impl Named {
    fn new(name: impl Into<String>, slot: u64, body: BodyRef) -> Self {
        let name = name.into();
        Self { name, slot, body }
    }
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
            Self::Erasure(_) => Kind::Erasure,
        }
    }

    /// The call it is about, if it is about one.
    #[must_use]
    pub fn call_id(&self) -> Option<[u8; 16]> {
        match self {
            Self::Decision(decision) => Some(decision.call_id.0),
            Self::Outcome(outcome) => Some(outcome.call_id.0),
            Self::Start(_) | Self::Stop(_) | Self::Note(_) | Self::Erasure(_) => None,
        }
    }

    /// The bodies it names, in the order in which they are stored.
    #[must_use]
    pub fn bodies(&self) -> Vec<Named> {
        match self {
            Self::Decision(decision) => decision
                .arguments
                .kept()
                .map(|body| vec![Named::new("arguments", 0, *body)])
                .unwrap_or_default(),
            Self::Outcome(outcome) => outcome.bodies(),
            Self::Start(_) | Self::Stop(_) | Self::Note(_) | Self::Erasure(_) => Vec::new(),
        }
    }

    /// The fields that were erased, in order. The others of a record can hold nothing of a
    /// caller's: they are numbers, digests and our own words.
    #[must_use]
    pub fn erased(&self) -> Vec<&'static str> {
        self.erasable()
            .into_iter()
            .filter_map(|(name, is_erased)| is_erased.then_some(name))
            .collect()
    }

    /// The fields that can be erased, in order, and whether they are.
    pub(crate) fn erasable(&self) -> Vec<(&'static str, bool)> {
        match self {
            Self::Decision(decision) => vec![
                ("arguments", decision.arguments.is_erased()),
                ("principal", decision.principal.is_erased()),
                ("reason", decision.reason.is_erased()),
                ("session", decision.session.is_erased()),
            ],
            Self::Outcome(outcome) => vec![
                ("detail", outcome.detail.is_erased()),
                ("files", outcome.files.is_erased()),
                ("stderr", outcome.stderr.is_erased()),
                ("stdout", outcome.stdout.is_erased()),
            ],
            Self::Note(note) => vec![("detail", note.detail.is_erased())],
            Self::Start(_) | Self::Stop(_) | Self::Erasure(_) => Vec::new(),
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
            Self::Erasure(erasure) => serde_json::to_string(erasure),
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
            Kind::Erasure => Self::Erasure(serde_json::from_str(text)?),
        })
    }
}

impl Outcome {
    /// Standard output is body 0, standard error 1, files from 2: a place stays when others go.
    fn bodies(&self) -> Vec<Named> {
        let streams = [("stdout", &self.stdout), ("stderr", &self.stderr)];
        let streams = (0..).zip(streams).filter_map(|(slot, (name, stream))| {
            let stream = stream.kept()?.as_ref()?;
            Some(Named::new(name, slot, stream.body()))
        });
        let files = self.files.kept().into_iter().flatten();
        let files = (0..)
            .zip(files)
            .map(|(at, file): (u64, _)| Named::new(format!("files/{at}"), at + 2, file.body()));
        streams.chain(files).collect()
    }
}

impl StreamRef {
    fn body(&self) -> BodyRef {
        BodyRef {
            bytes: self.bytes,
            digest: self.digest,
        }
    }
}

impl FileRef {
    fn body(&self) -> BodyRef {
        BodyRef {
            bytes: self.bytes,
            digest: self.digest,
        }
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
        out.write_str(str::from_utf8(&self.hex()).map_err(|_| fmt::Error)?)
    }
}

impl Digest {
    /// Its digits.
    pub(crate) fn hex(&self) -> [u8; 64] {
        let mut text = [0; 64];
        write_hex(&self.0, &mut text);
        text
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept(value) => value.serialize(out),
            // Left out by whoever holds it.
            Self::Erased => Err(serde::ser::Error::custom("an erased field has no value")),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        T::deserialize(input).map(Self::Kept)
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
        out.serialize_str(str::from_utf8(&self.hex()).map_err(serde::ser::Error::custom)?)
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

/// Lower-case hexadecimal digits, two for each byte.
fn write_hex(bytes: &[u8], text: &mut [u8]) {
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
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

/// Reads lower-case hexadecimal digits, two for each byte.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = hex_value(high)? << 4 | hex_value(low)?;
    }
    Some(bytes)
}

/// The salt of a field or of all fields of a record, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SaltText(pub(crate) Salt);

impl fmt::Display for SaltText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        write_hex(&self.0, &mut text);
        out.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for SaltText {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SaltText {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(input)?;
        unhex(text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not 32 lower-case hexadecimal digits"))
    }
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
