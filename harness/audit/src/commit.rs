//! What a leaf says of a record's fields: one salted commitment for each.
//!
//! ```text
//! salt(name)       = first 16 bytes of SHA-256(02 ‖ record's salt ‖ name)
//! commitment(name) = SHA-256(03 ‖ salt(name) ‖ length of name (1 byte) ‖ name ‖ value)
//! fields           = SHA-256(04 ‖ for each name in order: length ‖ name ‖ commitment(name))
//! ```
//!
//! `value` is the field's canonical JSON. The first bytes keep these hashes
//! apart from each other and from the tree's (00, 01). Whoever knows one salt
//! can check one field and learns nothing of the others; of an erased field
//! its commitment stays, and its salt is gone with its value, so that nobody
//! can try values out. Pure calculation.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// 128 bits: nobody tries them out.
pub(crate) const SALT_BYTES: usize = 16;

/// What hides a value that could be guessed.
pub type Salt = [u8; SALT_BYTES];

/// The members of a record's data: names in ascending order, each with its JSON.
pub(crate) struct Members<'a>(pub(crate) Vec<(&'a str, &'a str)>);

/// A field as its leaf knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) name: String,
    pub(crate) commitment: [u8; 32],
}

/// A salt that nobody knows.
pub(crate) fn new_salt() -> Result<Salt, getrandom::Error> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(salt)
}

/// The salt of one field.
#[must_use]
pub fn field_salt(record: &Salt, name: &str) -> Salt {
    let mut hasher = Sha256::new();
    hasher.update([2]);
    hasher.update(record);
    hasher.update(name.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut salt = [0; SALT_BYTES];
    salt.copy_from_slice(
        digest
            .first_chunk::<SALT_BYTES>()
            .unwrap_or(&[0; SALT_BYTES]),
    );
    salt
}

/// The commitment to one field.
#[must_use]
pub fn commitment(salt: &Salt, name: &str, value: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([3]);
    hasher.update(salt);
    hasher.update([length(name)]);
    hasher.update(name.as_bytes());
    hasher.update(value.as_bytes());
    hasher.finalize().into()
}

/// What the leaf bears of all fields, which come in ascending order of their names.
#[must_use]
pub fn fields<'a>(commitments: impl Iterator<Item = (&'a str, &'a [u8; 32])>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([4]);
    for (name, commitment) in commitments {
        hasher.update([length(name)]);
        hasher.update(name.as_bytes());
        hasher.update(commitment);
    }
    hasher.finalize().into()
}

/// Names of fields are ours, and short; a longer one is no field's.
fn length(name: &str) -> u8 {
    u8::try_from(name.len()).unwrap_or(u8::MAX)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Members<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object with its keys in ascending order")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(&str, &str)> = Vec::with_capacity(16);
                while let Some((name, value)) = map.next_entry::<&str, &RawValue>()? {
                    if members.last().is_some_and(|(last, _)| *last >= name) {
                        return Err(A::Error::custom("keys are not in ascending order"));
                    }
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }
        input.deserialize_map(Walk)
    }
}
