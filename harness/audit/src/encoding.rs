//! The bytes of a record, and of the leaf that stands for it in the tree.
//!
//! ```text
//! record  {"data":{…},"instance":"UUID","kind":"decision","salt":"…","seq":7,"time_us":…,"v":3}
//! leaf    {"fields":"…","instance":"UUID","kind":"decision","seq":7,"time_us":…,"v":3}
//! ```
//!
//! One record has one encoding: UTF-8 JSON without spaces, keys in ascending
//! byte order, integers only, strings escaped in the shortest form. Reading is
//! strict in the plainest way: what was decoded is encoded again and must give
//! the same bytes. Anything else (other key order, a repeated key, a float, a
//! needless escape) is an error, never a second spelling of the same record.
//!
//! The leaf commits to each field of `data` ([`crate::commit`]). When a field
//! is erased the record changes (`erased` has its commitment, `salts` the salts
//! of the others) and the leaf does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::commit::{self, Committed, Members, Salt};
use crate::tree::{self, Hash};
use crate::wire::{Data, Digest, Id, Kind, SaltText};

/// The format in which records are written, and the `v` that each of them carries.
pub const RECORD_VERSION: u64 = 3;

// Ledgers outlive programs. Whoever changes one of these changes the format.
const _: () = {
    assert!(
        RECORD_VERSION == 3,
        "the record format is pinned: read docs/LEDGER.md, `Changing the format`, before changing it"
    );
    assert!(
        Kind::COUNT == 6,
        "a new kind of record is a new format: read docs/LEDGER.md, `Changing the format`"
    );
};

/// SHA-256 of a body, as its record names it.
pub(crate) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// What each record carries besides its data. The fields stand in key order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", borrow)]
    erased: BTreeMap<&'a str, Digest>,
    instance: Id,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<SaltText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", borrow)]
    salts: BTreeMap<&'a str, SaltText>,
    seq: u64,
    time_us: u64,
    v: u64,
}

/// The leaf's own bytes. The fields stand in key order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    fields: Digest,
    instance: Id,
    kind: Kind,
    seq: u64,
    time_us: u64,
    v: u64,
}

/// Only the version, for records of a format that is not ours.
#[derive(Deserialize)]
struct Peek {
    v: u64,
}

/// The place of a record: everything that only the writer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) time_us: u64,
    pub(crate) instance: [u8; 16],
}

/// Data that is encoded and committed to, ready for its place.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) kind: Kind,
    pub(crate) data: Box<RawValue>,
    pub(crate) salt: Salt,
    fields: [u8; 32],
}

impl Sealed {
    /// Encodes data and commits to each of its fields.
    pub(crate) fn new(data: &Data, salt: Salt) -> Result<Self, DecodeError> {
        let raw = data.encode_raw().map_err(DecodeError::json)?;
        let members: Members<'_> = serde_json::from_str(raw.get()).map_err(DecodeError::json)?;
        let committed = committed(&members, |name| Some(commit::field_salt(&salt, name)))?;
        let fields = fields(&committed);
        Ok(Self {
            kind: data.kind(),
            data: raw,
            salt,
            fields,
        })
    }

    /// The record in its place, and the hash of its leaf.
    pub(crate) fn frame(&self, place: Place) -> Result<(Vec<u8>, Hash), DecodeError> {
        let frame = Frame {
            data: &self.data,
            erased: BTreeMap::new(),
            instance: Id(place.instance),
            kind: self.kind,
            salt: Some(SaltText(self.salt)),
            salts: BTreeMap::new(),
            seq: place.seq,
            time_us: place.time_us,
            v: RECORD_VERSION,
        };
        let record = serde_json::to_vec(&frame).map_err(DecodeError::json)?;
        let entry = entry(place, self.kind, self.fields)?;
        Ok((record, tree::leaf_hash(&entry)))
    }
}

/// A record as it was decoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) place: Place,
    pub(crate) data: Data,
    /// The bytes that its leaf is the hash of.
    pub(crate) entry: Vec<u8>,
    /// What the leaf says of each field, in order of their names.
    pub(crate) committed: Vec<Committed>,
}

impl Decoded {
    pub(crate) fn leaf(&self) -> Hash {
        tree::leaf_hash(&self.entry)
    }
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("not a record: {0}")]
    Json(String),
    #[error("not in canonical form")]
    NotCanonical,
    #[error("its salts and erased fields do not fit its data")]
    Salts,
    #[error("record format {0}; this program reads format {RECORD_VERSION}")]
    Version(u64),
}

impl DecodeError {
    fn json(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

/// Reads a record strictly; see the head of this file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let frame: Frame<'_> = serde_json::from_slice(bytes).map_err(|error| foreign(bytes, error))?;
    if frame.v != RECORD_VERSION {
        return Err(DecodeError::Version(frame.v));
    }
    let data = Data::parse(frame.kind, frame.data.get()).map_err(DecodeError::json)?;
    let again = data.encode().map_err(DecodeError::json)?;
    if again.as_bytes() != frame.data.get().as_bytes() {
        return Err(DecodeError::NotCanonical);
    }
    if serde_json::to_vec(&frame).map_err(DecodeError::json)? != bytes {
        return Err(DecodeError::NotCanonical);
    }
    let committed = all_committed(&frame, &data)?;
    let place = Place {
        seq: frame.seq,
        time_us: frame.time_us,
        instance: frame.instance.0,
    };
    let entry = entry(place, frame.kind, fields(&committed))?;
    Ok(Decoded {
        place,
        data,
        entry,
        committed,
    })
}

/// The record with fields taken out: their commitments stay, their salts go. The leaf is the same.
pub(crate) fn erase(bytes: &[u8], names: &[&str]) -> Result<Vec<u8>, DecodeError> {
    let decoded = decode(bytes)?;
    let frame: Frame<'_> = serde_json::from_slice(bytes).map_err(DecodeError::json)?;
    let members: Members<'_> = serde_json::from_str(frame.data.get()).map_err(DecodeError::json)?;
    let goes = |name: &str| names.contains(&name);
    let mut data = String::from("{");
    for (name, value) in members.0.iter().filter(|(name, _)| !goes(name)) {
        let comma = if data.len() > 1 { "," } else { "" };
        data.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    data.push('}');
    let data = RawValue::from_string(data).map_err(DecodeError::json)?;
    let kept = members.0.iter().map(|(name, _)| *name);
    let salts = kept
        .filter(|name| !goes(name))
        .map(|name| Some((name, SaltText(salt_of(&frame, name)?))));
    let erased = decoded.committed.iter();
    let erased = erased
        .filter(|field| goes(&field.name) || frame.erased.contains_key(field.name.as_str()))
        .map(|field| (field.name.as_str(), Digest(field.commitment)));
    let erased = Frame {
        data: &data,
        erased: erased.collect(),
        salt: None,
        salts: salts.collect::<Option<_>>().ok_or(DecodeError::Salts)?,
        ..frame
    };
    let record = serde_json::to_vec(&erased).map_err(DecodeError::json)?;
    match decode(&record)?.entry == decoded.entry {
        true => Ok(record),
        false => Err(DecodeError::Salts),
    }
}

/// The fields of a record that are there: name, salt and value.
pub(crate) fn shown(bytes: &[u8]) -> Result<Vec<(String, Salt, String)>, DecodeError> {
    let frame: Frame<'_> = serde_json::from_slice(bytes).map_err(DecodeError::json)?;
    let members: Members<'_> = serde_json::from_str(frame.data.get()).map_err(DecodeError::json)?;
    let fields = members.0.iter().map(|(name, value)| {
        let salt = salt_of(&frame, name).ok_or(DecodeError::Salts)?;
        Ok(((*name).to_owned(), salt, (*value).to_owned()))
    });
    fields.collect()
}

/// The place that a leaf names, and what it says of the fields.
pub(crate) fn read_entry(bytes: &[u8]) -> Result<(Place, Kind, [u8; 32]), DecodeError> {
    let leaf: Leaf = serde_json::from_slice(bytes).map_err(|error| foreign(bytes, error))?;
    if leaf.v != RECORD_VERSION {
        return Err(DecodeError::Version(leaf.v));
    }
    let place = Place {
        seq: leaf.seq,
        time_us: leaf.time_us,
        instance: leaf.instance.0,
    };
    match entry(place, leaf.kind, leaf.fields.0)? == bytes {
        true => Ok((place, leaf.kind, leaf.fields.0)),
        false => Err(DecodeError::NotCanonical),
    }
}

fn entry(place: Place, kind: Kind, fields: [u8; 32]) -> Result<Vec<u8>, DecodeError> {
    let leaf = Leaf {
        fields: Digest(fields),
        instance: Id(place.instance),
        kind,
        seq: place.seq,
        time_us: place.time_us,
        v: RECORD_VERSION,
    };
    serde_json::to_vec(&leaf).map_err(DecodeError::json)
}

fn fields(committed: &[Committed]) -> [u8; 32] {
    commit::fields(
        committed
            .iter()
            .map(|field| (field.name.as_str(), &field.commitment)),
    )
}

fn committed(
    members: &Members<'_>,
    salt: impl Fn(&str) -> Option<Salt>,
) -> Result<Vec<Committed>, DecodeError> {
    let fields = members.0.iter().map(|(name, value)| {
        let salt = salt(name).ok_or(DecodeError::Salts)?;
        Ok(Committed {
            name: (*name).to_owned(),
            commitment: commit::commitment(&salt, name, value),
        })
    });
    fields.collect()
}

/// Every field's commitment, those of erased ones included. One salt stands for all fields while
/// all are there; then each that is left has its own.
fn all_committed(frame: &Frame<'_>, data: &Data) -> Result<Vec<Committed>, DecodeError> {
    let members: Members<'_> = serde_json::from_str(frame.data.get()).map_err(DecodeError::json)?;
    let is_whole = frame.erased.is_empty();
    let salted = match frame.salt {
        Some(_) => is_whole && frame.salts.is_empty(),
        None => !is_whole && frame.salts.len() == members.0.len(),
    };
    let erased: Vec<&str> = frame.erased.keys().copied().collect();
    if !salted || erased != data.erased() {
        return Err(DecodeError::Salts);
    }
    let mut all = committed(&members, |name| salt_of(frame, name))?;
    if !is_whole {
        all.extend(frame.erased.iter().map(|(name, commitment)| Committed {
            name: (*name).to_owned(),
            commitment: commitment.0,
        }));
        all.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    }
    Ok(all)
}

fn salt_of(frame: &Frame<'_>, name: &str) -> Option<Salt> {
    match frame.salt {
        Some(salt) => Some(commit::field_salt(&salt.0, name)),
        None => frame.salts.get(name).map(|salt| salt.0),
    }
}

/// Tells a record of another format from bytes that are none.
fn foreign(bytes: &[u8], error: serde_json::Error) -> DecodeError {
    match serde_json::from_slice::<Peek>(bytes) {
        Ok(Peek { v }) if v != RECORD_VERSION => DecodeError::Version(v),
        Ok(_) | Err(_) => DecodeError::json(error),
    }
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
