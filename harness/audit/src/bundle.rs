//! The proof of one record, in C2SP's form: <https://c2sp.org/tlog-proof>.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra BASE64                 ours: the leaf, every field's commitment, the fields that are shown
//! index 6                      from 0, so record 7
//! BASE64 …                     the way from the leaf to the root
//!
//! CHECKPOINT                   a signed note
//! ```
//!
//! Any tool for C2SP's proofs checks that the leaf is in the signed tree; ours
//! also checks that the shown fields are the leaf's. Parsing is bounded and
//! strict.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::checkpoint::Checkpoint;
use crate::entry::MAX_RECORD_BYTES;
use crate::note::NoteError;
use crate::tree::{Hash, MAX_PROOF_HASHES};
use crate::wire::{Digest, SaltText};

/// The first line of a proof.
pub(crate) const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// What a proof that one tree extends another begins with.
pub(crate) const FIRST_WORD: &str = "old ";

/// A proof is longer than its record by Base64, a hundred hashes and a checkpoint.
pub const MAX_PROOF_BYTES: usize = 4 * MAX_RECORD_BYTES;

/// Why a text is no proof of a record.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It does not have a proof's form.
    #[error("not a proof: {0}")]
    Form(String),
    /// Its checkpoint is none.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl ProofError {
    fn form(text: impl Into<String>) -> Self {
        Self::Form(text.into())
    }
}

/// A proof as it is written.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) extra: Extra,
    pub(crate) index: u64,
    pub(crate) path: Vec<Hash>,
    pub(crate) checkpoint: Checkpoint,
}

/// What a proof says of its record; the fields stand in key order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extra {
    /// What the leaf commits to, by the names of the fields.
    pub(crate) commitments: BTreeMap<String, Digest>,
    /// The leaf's own bytes.
    pub(crate) leaf: Box<RawValue>,
    /// The fields that are shown.
    pub(crate) shown: BTreeMap<String, Opening>,
}

/// A field with what opens its commitment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    pub(crate) salt: SaltOwned,
    pub(crate) value: Box<RawValue>,
}

/// A salt in text that is not borrowed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SaltOwned(pub(crate) SaltText);

impl TryFrom<String> for SaltOwned {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let salt = crate::wire::unhex(&text).ok_or("not 32 lower-case hexadecimal digits")?;
        Ok(Self(SaltText(salt)))
    }
}

impl From<SaltOwned> for String {
    fn from(salt: SaltOwned) -> Self {
        salt.0.to_string()
    }
}

impl Clone for SaltOwned {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl Bundle {
    /// The proof as a text.
    pub(crate) fn write(&self) -> Result<String, serde_json::Error> {
        let extra = BASE64.encode(serde_json::to_vec(&self.extra)?);
        let mut text = format!("{FIRST_LINE}\nextra {extra}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&BASE64.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint.note().to_string());
        Ok(text)
    }

    /// Reads a proof.
    pub(crate) fn read(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::form("it is too long"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| ProofError::form("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::form(format!(
                "it does not begin with {FIRST_LINE}"
            )));
        }
        let mut line = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            line.ok_or_else(|| ProofError::form(format!("it has no line `{name}`")))
        };
        let extra = decode(line("extra ")?)?;
        let extra =
            serde_json::from_slice(&extra).map_err(|error| ProofError::form(error.to_string()))?;
        let number = line("index ")?;
        let index: u64 = number
            .parse()
            .map_err(|_| ProofError::form("its index is no number"))?;
        if index.to_string() != number {
            return Err(ProofError::form("its index is no number"));
        }
        let path: Vec<Hash> = lines
            .map(hash)
            .take(MAX_PROOF_HASHES + 1)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint: Checkpoint::parse(checkpoint)?,
        })
    }
}

/// The proof that one tree is a beginning of another, as C2SP's witnesses take it
/// (<https://c2sp.org/tlog-witness>): `old N`, hashes, an empty line, a checkpoint.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) old: u64,
    pub(crate) path: Vec<Hash>,
    pub(crate) checkpoint: Checkpoint,
}

impl Extension {
    pub(crate) fn write(&self) -> String {
        let mut text = format!("{FIRST_WORD}{}\n", self.old);
        for hash in &self.path {
            text.push_str(&BASE64.encode(hash));
            text.push('\n');
        }
        format!("{text}\n{}", self.checkpoint.note())
    }

    pub(crate) fn read(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::form("it is too long"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| ProofError::form("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        let number = lines.next().and_then(|line| line.strip_prefix(FIRST_WORD));
        let old = number.and_then(|number| number.parse().ok());
        let path = lines.map(hash).take(MAX_PROOF_HASHES + 1);
        Ok(Self {
            old: old.ok_or_else(|| ProofError::form("it has no line `old N`"))?,
            path: path.collect::<Result<_, _>>()?,
            checkpoint: Checkpoint::parse(checkpoint)?,
        })
    }
}

fn decode(base64: &str) -> Result<Vec<u8>, ProofError> {
    BASE64
        .decode(base64)
        .map_err(|_| ProofError::form("a line is no Base64"))
}

fn hash(line: &str) -> Result<Hash, ProofError> {
    decode(line)?
        .try_into()
        .map_err(|_| ProofError::form("a hash has not 32 bytes"))
}
