//! From an entry to what the writer needs, on the caller's thread.
//!
//! Everything that costs time or can be refused without looking at the ledger
//! happens here: checks, hashes (about 0.6 ms for a MiB), encoding, the
//! commitments to fields. The writer only frames, hashes one leaf and stores.
//! Nothing here touches the disk.

use serde_json::Value;

use crate::commit;
use crate::encoding::{self, Sealed};
use crate::entry::{
    DecisionEntry, FileEntry, INTERRUPTED, MAX_BODY_BYTES, MAX_FILES, MAX_JSON_DEPTH,
    MAX_RECORD_BYTES, NoteEntry, OutcomeEntry, Refusal,
};
use crate::wire::{
    BodyRef, Data, Decision, Digest, Erasure, Field, FileRef, Id, Json, Note, Outcome, StreamRef,
    Verdict,
};

/// What frames add around the data: names, braces, two UUIDs' worth of digits; and, once fields
/// are erased, a commitment or a salt for each.
const FRAME_BYTES: usize = 2048;

/// An ending is a word on the wire, not a message.
const MAX_ENDING_BYTES: usize = 32;

/// An entry, checked and encoded.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) sealed: Sealed,
    pub(crate) bodies: Vec<Body>,
    pub(crate) call: Call,
}

/// What a record says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    None,
    Decided([u8; 16], Verdict),
    Ended {
        call_id: [u8; 16],
        decision_seq: u64,
    },
}

impl Call {
    /// What a record that is there has done to it.
    pub(crate) fn of(data: &Data) -> Self {
        match data {
            Data::Decision(decision) => Self::Decided(decision.call_id.0, decision.verdict),
            Data::Outcome(outcome) => Self::Ended {
                call_id: outcome.call_id.0,
                decision_seq: outcome.decision_seq,
            },
            Data::Start(_) | Data::Stop(_) | Data::Note(_) | Data::Erasure(_) => Self::None,
        }
    }

    /// The call, if it is about one.
    pub(crate) fn id(self) -> Option<[u8; 16]> {
        match self {
            Self::None => None,
            Self::Decided(call_id, _) | Self::Ended { call_id, .. } => Some(call_id),
        }
    }
}

/// A body and its place in its record. An empty one is not stored.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) slot: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Prepared {
    /// How much of the disk it will want, roughly.
    pub(crate) fn weight(&self) -> usize {
        let bodies: usize = self.bodies.iter().map(|body| body.bytes.len()).sum();
        bodies + self.sealed.data.get().len()
    }
}

/// Checks and encodes a decision.
pub(crate) fn decision(entry: DecisionEntry) -> Result<(Prepared, Verdict), Refusal> {
    let verdict = verdict(entry.verdict)?;
    let (arguments, body) = body("arguments", 0, entry.arguments)?;
    let data = Data::Decision(Decision {
        arguments: Field::Kept(arguments),
        call_id: Id(entry.call_id),
        limits: json("limits", entry.limits)?,
        policy_digest: Digest(entry.policy_digest),
        policy_generation: entry.policy_generation,
        principal: Field::Kept(entry.principal),
        profile: entry.profile,
        reason: Field::Kept(entry.reason),
        rules: entry.rules,
        runtime: entry.runtime,
        session: Field::Kept(entry.session),
        tool: entry.tool,
        verdict,
    });
    let bodies = body.into_iter().collect();
    let prepared = encode(&data, bodies, Call::Decided(entry.call_id, verdict))?;
    Ok((prepared, verdict))
}

/// Checks and encodes an outcome.
pub(crate) fn outcome(entry: OutcomeEntry) -> Result<Prepared, Refusal> {
    let ending = ending(entry.ending)?;
    if entry.files.len() > MAX_FILES {
        return Err(Refusal::Files(entry.files.len()));
    }
    let (stdout, stdout_body) = body("stdout", 0, entry.stdout)?;
    let (stderr, stderr_body) = body("stderr", 1, entry.stderr)?;
    let mut bodies: Vec<Body> = stdout_body.into_iter().chain(stderr_body).collect();
    let files = files(entry.files, &mut bodies)?;
    let data = Data::Outcome(Outcome {
        call_id: Id(entry.call_id),
        decision_seq: entry.decision_seq,
        ending,
        detail: Field::Kept(entry.detail),
        exit_code: entry.exit_code,
        files: Field::Kept(files),
        receipt: json("receipt", entry.receipt)?,
        repeat: entry.repeat,
        stderr: Field::Kept(Some(stream(stderr, entry.truncated_stderr))),
        stdout: Field::Kept(Some(stream(stdout, entry.truncated_stdout))),
        usage: json("usage", entry.usage)?,
    });
    let call = Call::Ended {
        call_id: entry.call_id,
        decision_seq: entry.decision_seq,
    };
    encode(&data, bodies, call)
}

/// Checks and encodes a note.
pub(crate) fn note(entry: NoteEntry) -> Result<Prepared, Refusal> {
    let detail = Field::Kept(json("detail", entry.detail)?);
    let topic = entry.topic;
    encode(&Data::Note(Note { detail, topic }), Vec::new(), Call::None)
}

/// An erasure, which is written with what it erases.
pub(crate) fn erasure(erasure: Erasure) -> Result<Prepared, Refusal> {
    encode(&Data::Erasure(erasure), Vec::new(), Call::None)
}

/// The outcome of a call that nobody can end any more: its writer died, or could not record it.
pub(crate) fn interrupted(
    call_id: [u8; 16],
    decision_seq: u64,
    detail: Option<String>,
) -> Result<Prepared, Refusal> {
    let data = Data::Outcome(Outcome {
        call_id: Id(call_id),
        decision_seq,
        ending: INTERRUPTED.to_owned(),
        detail: Field::Kept(detail),
        exit_code: None,
        files: Field::Kept(Vec::new()),
        receipt: Json::default(),
        repeat: None,
        stderr: Field::Kept(None),
        stdout: Field::Kept(None),
        usage: Json::default(),
    });
    encode(
        &data,
        Vec::new(),
        Call::Ended {
            call_id,
            decision_seq,
        },
    )
}

/// Encodes data of our own making, or data whose parts were checked.
pub(crate) fn encode(data: &Data, bodies: Vec<Body>, call: Call) -> Result<Prepared, Refusal> {
    let salt = commit::new_salt().map_err(|error| Refusal::Random(error.to_string()))?;
    // Floats and depth were refused field by field, so this can only be a float we missed.
    let sealed = Sealed::new(data, salt).map_err(|_| Refusal::Float {
        field: data.kind().as_str(),
    })?;
    let length = sealed.data.get().len() + FRAME_BYTES;
    if length > MAX_RECORD_BYTES {
        return Err(Refusal::Record(length));
    }
    Ok(Prepared {
        sealed,
        bodies,
        call,
    })
}

fn verdict(text: String) -> Result<Verdict, Refusal> {
    match text.as_str() {
        "allow" => Ok(Verdict::Allow),
        "hold" => Ok(Verdict::Hold),
        "deny" => Ok(Verdict::Deny),
        _ => Err(Refusal::Verdict(text)),
    }
}

fn ending(text: String) -> Result<String, Refusal> {
    let is_word = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if text.is_empty() || text.len() > MAX_ENDING_BYTES || !is_word || text == INTERRUPTED {
        return Err(Refusal::Ending(text));
    }
    Ok(text)
}

fn body(
    field: &'static str,
    slot: u64,
    bytes: Vec<u8>,
) -> Result<(BodyRef, Option<Body>), Refusal> {
    if bytes.len() > MAX_BODY_BYTES {
        return Err(Refusal::Body {
            field,
            bytes: bytes.len(),
        });
    }
    let reference = BodyRef {
        bytes: bytes.len() as u64,
        digest: Digest(encoding::digest(&bytes)),
    };
    let kept = (!bytes.is_empty()).then_some(Body { slot, bytes });
    Ok((reference, kept))
}

fn stream(kept: BodyRef, truncated: bool) -> StreamRef {
    StreamRef {
        bytes: kept.bytes,
        digest: kept.digest,
        truncated,
    }
}

fn files(entries: Vec<FileEntry>, bodies: &mut Vec<Body>) -> Result<Vec<FileRef>, Refusal> {
    let mut files = Vec::with_capacity(entries.len());
    for (slot, entry) in (2..).zip(entries) {
        let (reference, kept) = body("files", slot, entry.content)?;
        bodies.extend(kept);
        files.push(FileRef {
            bytes: reference.bytes,
            digest: reference.digest,
            path: entry.path,
        });
    }
    Ok(files)
}

fn json(field: &'static str, value: Value) -> Result<Json, Refusal> {
    check(field, &value, MAX_JSON_DEPTH)?;
    Ok(Json(value))
}

fn check(field: &'static str, value: &Value, depth: usize) -> Result<(), Refusal> {
    let inner = depth.checked_sub(1).ok_or(Refusal::Depth { field })?;
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(()),
        Value::Number(_) => Err(Refusal::Float { field }),
        Value::Array(items) => items.iter().try_for_each(|item| check(field, item, inner)),
        Value::Object(map) => map.values().try_for_each(|item| check(field, item, inner)),
    }
}
