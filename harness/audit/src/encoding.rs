//! The bytes of a record and the chain over them.
//!
//! One record has one encoding: UTF-8 JSON without spaces, keys in ascending
//! byte order, integers only, strings escaped in the shortest form. Reading is
//! strict in the plainest way: what was decoded is encoded again and must give
//! the same bytes. Anything else (other key order, a repeated key, a float, a
//! needless escape) is an error, never a second spelling of the same record.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::wire::{Data, Id, Kind};

/// The format in which records are written, and the `v` that each of them carries.
pub const RECORD_VERSION: u64 = 2;

/// The first format. Records of it are read as they are, beside later ones.
const FIRST_VERSION: u64 = 1;

/// Stands before everything that goes into a record's hash, so that a digest
/// made for another purpose can never pass for one of ours. It is that of the
/// chain, which runs through records of all formats; a record's own format is
/// part of its bytes.
const RECORD_TAG: &[u8; 25] = b"lazaret-ledger-record-v1\0";

/// The hash before the first record: SHA-256 of `lazaret-ledger-genesis-v1`.
pub const GENESIS: [u8; 32] = [
    0xca, 0xbd, 0xea, 0x03, 0xe0, 0x41, 0x97, 0xb5, 0xd2, 0xbc, 0x83, 0xca, 0xeb, 0x1a, 0xb3, 0xdb,
    0xb7, 0x59, 0xb2, 0x14, 0xf9, 0xea, 0xc2, 0x25, 0x29, 0xe3, 0x75, 0x06, 0xf0, 0x8a, 0x8b, 0x0b,
];

// Ledgers outlive programs. Whoever changes one of these changes the format.
const _: () = {
    assert!(
        RECORD_VERSION == 2
            && FIRST_VERSION == 1
            && RECORD_TAG.len() == 25
            && matches!(RECORD_TAG, b"lazaret-ledger-record-v1\0"),
        "the record format is pinned: read docs/LEDGER.md, `Changing the format`, before changing it"
    );
    assert!(
        matches!(GENESIS, [0xca, 0xbd, 0xea, 0x03, .., 0x8b, 0x0b]),
        "the genesis hash is pinned: read docs/LEDGER.md, `Changing the format`, before changing it"
    );
    assert!(
        Kind::COUNT == 5,
        "a new kind of record is a new format: read docs/LEDGER.md, `Changing the format`"
    );
};

/// `SHA-256(tag ‖ hash of the record before ‖ length as 8 bytes, big endian ‖ record)`.
pub(crate) fn chain(previous: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(RECORD_TAG);
    hasher.update(previous);
    hasher.update((record.len() as u64).to_be_bytes());
    hasher.update(record);
    hasher.finalize().into()
}

/// SHA-256 of a body: the name it is kept under.
pub(crate) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// What each record carries besides its data. The fields stand in key order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
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

/// Frames data that is already encoded.
pub(crate) fn frame(place: Place, kind: Kind, data: &RawValue) -> Result<Vec<u8>, DecodeError> {
    let frame = Frame {
        data,
        instance: Id(place.instance),
        kind,
        seq: place.seq,
        time_us: place.time_us,
        v: RECORD_VERSION,
    };
    serde_json::to_vec(&frame).map_err(DecodeError::json)
}

/// A record as it was decoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("not a record: {0}")]
    Json(String),
    #[error("not in canonical form")]
    NotCanonical,
    #[error("record format {0}; this program reads formats {FIRST_VERSION} to {RECORD_VERSION}")]
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
    if !is_known(frame.v) {
        return Err(DecodeError::Version(frame.v));
    }
    let data = Data::parse(frame.kind, frame.data.get()).map_err(DecodeError::json)?;
    if !fits(&data, frame.v) {
        return Err(DecodeError::NotCanonical);
    }
    let again = data.encode().map_err(DecodeError::json)?;
    if again.as_bytes() != frame.data.get().as_bytes() {
        return Err(DecodeError::NotCanonical);
    }
    if serde_json::to_vec(&frame).map_err(DecodeError::json)? != bytes {
        return Err(DecodeError::NotCanonical);
    }
    let place = Place {
        seq: frame.seq,
        time_us: frame.time_us,
        instance: frame.instance.0,
    };
    Ok(Decoded { place, data })
}

fn is_known(version: u64) -> bool {
    (FIRST_VERSION..=RECORD_VERSION).contains(&version)
}

/// Whether the data has the fields of this format: a decision bears the generation of its policy
/// since format 2.
fn fits(data: &Data, version: u64) -> bool {
    match data {
        Data::Decision(decision) => {
            decision.policy_generation.is_some() == (version > FIRST_VERSION)
        }
        Data::Start(_) | Data::Stop(_) | Data::Outcome(_) | Data::Note(_) => true,
    }
}

/// Tells a record of a later format from bytes that are none.
fn foreign(bytes: &[u8], error: serde_json::Error) -> DecodeError {
    match serde_json::from_slice::<Peek>(bytes) {
        Ok(Peek { v }) if !is_known(v) => DecodeError::Version(v),
        Ok(_) | Err(_) => DecodeError::json(error),
    }
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
