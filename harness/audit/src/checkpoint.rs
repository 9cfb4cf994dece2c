//! Signed tree heads in C2SP's form: <https://c2sp.org/tlog-checkpoint>.
//!
//! ```text
//! lazaret/UUID                         origin: the name of the key
//! 1024                                 records
//! BASE64                               root of the tree over them
//!
//! — lazaret/UUID BASE64                the ledger's signature, then witnesses'
//! ```
//!
//! Extension lines are refused: ours have none, and one that nobody reads is
//! one that nobody checks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::key::{KeyError, Signer};
use crate::note::{Note, NoteError, PublicKey, Signature};
use crate::tree::Hash;

/// A checkpoint and the lines that sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    note: Note,
}

impl Checkpoint {
    /// Signs the head of a tree.
    pub(crate) fn issue(signer: &dyn Signer, size: u64, root: Hash) -> Result<Self, KeyError> {
        let origin = signer.public().name().to_owned();
        let text = format!("{origin}\n{size}\n{}\n", BASE64.encode(root));
        let signature = Signature::new(signer.public(), &signer.sign(text.as_bytes())?);
        let note = Note::new(text, signature);
        Ok(Self {
            origin,
            size,
            root,
            note,
        })
    }

    /// Reads a checkpoint; whose it is says [`Self::is_signed_by`].
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::of(Note::parse(text)?)
    }

    fn of(note: Note) -> Result<Self, NoteError> {
        let lines: Vec<&str> = note.text().split('\n').collect();
        let &[origin, size, root, ""] = lines.as_slice() else {
            return Err(NoteError::Form(
                "a checkpoint has three lines: origin, size and root",
            ));
        };
        let form = || NoteError::Form("its size or its root is none");
        let number: u64 = size.parse().map_err(|_| form())?;
        let bytes = BASE64.decode(root).map_err(|_| form())?;
        let hash: Hash = bytes.try_into().map_err(|_| form())?;
        // One spelling: no sign, no leading zero.
        if number.to_string() != size || origin.is_empty() {
            return Err(form());
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root: hash,
            note,
        })
    }

    /// Whose log it is.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many records it covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The note it is.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    pub(crate) fn note_mut(&mut self) -> &mut Note {
        &mut self.note
    }

    /// Whether it is of the log of this key, and signed by it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.origin == key.name() && self.note.is_signed_by(key)
    }
}
