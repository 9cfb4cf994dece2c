//! C2SP signed notes and their Ed25519 signatures: <https://c2sp.org/signed-note>.
//!
//! A note is a text and lines that sign it. A witness signs with a time
//! (<https://c2sp.org/tlog-cosignature>). Parsing is strict and bounded; a
//! signature counts only under a key that the caller gives. Signing goes
//! through [`crate::Signer`], so this file never sees a private key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// A note is some lines; a checkpoint with a hundred cosignatures has 20 KiB.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// Signatures of one note, ours and those of witnesses.
pub const MAX_SIGNATURES: usize = 100;

/// C2SP's number for a plain Ed25519 signature.
pub(crate) const ALG_ED25519: u8 = 1;

/// C2SP's number for an Ed25519 cosignature with a time.
const ALG_COSIGNATURE: u8 = 4;

/// What stands before a signature: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Why a text is no note, or a key is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It does not have a note's form.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// A key does not have the form `NAME+ID+KEY`.
    #[error("`{0}` is not a public key of the form NAME+ID+KEY")]
    Key(String),
}

/// A text with the lines that sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One line that signs a note. Whether it does is for [`PublicKey::signs`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

impl Note {
    pub(crate) fn new(text: String, signature: Signature) -> Self {
        let signatures = vec![signature];
        Self { text, signatures }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Form("it is too long"));
        }
        if text.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::Form("it holds control characters"));
        }
        let parts = text.rsplit_once("\n\n");
        let (body, lines) = parts.ok_or(NoteError::Form("it has no signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Form("it does not end in a line feed"))?;
        let signatures: Vec<_> = lines
            .split('\n')
            .take(MAX_SIGNATURES + 1)
            .map(Signature::parse)
            .collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Form("it has too many signatures"));
        }
        let text = format!("{body}\n");
        Ok(Self { text, signatures })
    }

    /// What is signed, with its last line feed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines that sign it.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signature_of(key).is_some()
    }

    pub(crate) fn signature_of(&self, key: &PublicKey) -> Option<&Signature> {
        let mut signatures = self.signatures.iter();
        signatures.find(|signature| key.signs(&self.text, signature))
    }

    /// Adds a line that is not there yet; whether there was room.
    pub(crate) fn add(&mut self, signature: Signature) -> bool {
        if self.signatures.contains(&signature) {
            return true;
        }
        let room = self.signatures.len() < MAX_SIGNATURES;
        if room {
            self.signatures.push(signature);
        }
        room
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(out, "{signature}"))
    }
}

impl Signature {
    pub(crate) fn new(key: &PublicKey, bytes: &[u8]) -> Self {
        Self {
            name: key.name.clone(),
            id: key.id,
            bytes: bytes.to_vec(),
        }
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        let form = || NoteError::Form("a signature is not `— NAME BASE64`");
        let (name, base64) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(form)?;
        let bytes = BASE64.decode(base64).map_err(|_| form())?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or_else(form)?;
        if !is_name(name) || bytes.is_empty() {
            return Err(form());
        }
        Ok(Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            bytes: bytes.to_vec(),
        })
    }

    /// Who claims to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When a witness says it signed, in seconds since 1970; `None` for a plain signature.
    #[must_use]
    pub fn cosigned_at(&self) -> Option<u64> {
        let (time, rest) = self.bytes.split_first_chunk::<8>()?;
        (rest.len() == 64).then(|| u64::from_be_bytes(*time))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(out, "{DASH}{} {}", self.name, BASE64.encode(bytes))
    }
}

/// A public key with its name, written `NAME+ID+KEY` as C2SP does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    /// A log's key: it signs the text.
    Plain,
    /// A witness's key: it signs the text and a time.
    Cosigner,
}

impl KeyKind {
    fn algorithm(self) -> u8 {
        match self {
            Self::Plain => ALG_ED25519,
            Self::Cosigner => ALG_COSIGNATURE,
        }
    }
}

impl PublicKey {
    /// A log's key.
    ///
    /// # Errors
    /// When the name is none, or the bytes are no key.
    pub fn new(name: &str, bytes: &[u8; 32]) -> Result<Self, NoteError> {
        Self::of(name, KeyKind::Plain, bytes).ok_or_else(|| NoteError::Key(name.to_owned()))
    }

    fn of(name: &str, kind: KeyKind, bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes)
            .ok()
            .filter(|_| is_name(name))?;
        let id = key_id(name, kind.algorithm(), bytes);
        Some(Self {
            name: name.to_owned(),
            id,
            kind,
            key,
        })
    }

    /// Reads `NAME+ID+KEY`, as it stands in a public key file.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.trim();
        Self::read(text).ok_or_else(|| NoteError::Key(text.chars().take(200).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let id = (id.len() == 8)
            .then(|| u32::from_str_radix(id, 16).ok())
            .flatten()?;
        let bytes = BASE64.decode(key).ok()?;
        let (&algorithm, bytes) = bytes.split_first()?;
        let kind = [KeyKind::Plain, KeyKind::Cosigner]
            .into_iter()
            .find(|kind| kind.algorithm() == algorithm)?;
        Self::of(name, kind, bytes.try_into().ok()?).filter(|key| key.id == id)
    }

    /// Its name: the origin of a log, or a witness.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Whether this line signs this text with this key.
    #[must_use]
    pub fn signs(&self, text: &str, signature: &Signature) -> bool {
        if signature.name != self.name || signature.id != self.id {
            return false;
        }
        match self.kind {
            KeyKind::Plain => self.verifies(text, &signature.bytes),
            KeyKind::Cosigner => match signature.bytes.split_first_chunk::<8>() {
                Some((time, bytes)) => {
                    let time = u64::from_be_bytes(*time);
                    self.verifies(&format!("cosignature/v1\ntime {time}\n{text}"), bytes)
                }
                None => false,
            },
        }
    }

    fn verifies(&self, text: &str, bytes: &[u8]) -> bool {
        let signature = Ed25519::from_slice(bytes);
        signature.is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.algorithm()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(
            out,
            "{}+{:08x}+{}",
            self.name,
            self.id,
            BASE64.encode(bytes)
        )
    }
}

/// The first four bytes of `SHA-256(NAME ‖ 0A ‖ algorithm ‖ key)`.
fn key_id(name: &str, algorithm: u8, key: &[u8]) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', algorithm]);
    hasher.update(key);
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

/// A name holds neither spaces nor a plus.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
