//! One answer to whatever is put before the verifier: a ledger, an export or a
//! proof; and the one line that says what holds.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{
    Held, Proved, Trust, Verified, verify_export, verify_extension, verify_proof, verify_with,
};
use crate::bundle::{FIRST_LINE, FIRST_WORD, MAX_PROOF_BYTES};
use crate::fault::Fault;
use crate::wire::{Digest, Id};

/// How an SQLite file begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Enough to tell what a file is.
const LOOK_BYTES: u64 = 64;

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// A whole ledger.
    Ledger(Box<Verified>),
    /// An export.
    Export(Held),
    /// One record.
    Proof(Box<Proved>),
    /// One ledger is a beginning of another.
    Extension {
        /// Records of the older one.
        old: u64,
        /// Records of the newer one.
        new: u64,
    },
}

/// Verifies what lies there, by what it is: a ledger's file, an export, or a proof.
///
/// # Errors
/// The first [`Fault`]; [`Fault::Unreadable`] when there was nothing to judge.
pub fn judge(path: &Path, trust: &Trust) -> Result<Holds, Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::Unreadable(format!("`{}` cannot be read: {error}", path.display()))
    };
    if path.is_dir() {
        return match path.join("checkpoint").is_file() {
            true => verify_export(path, trust).map(Holds::Export),
            false => Err(Fault::Unreadable(format!(
                "`{}` is a directory and no export; name a ledger",
                path.display()
            ))),
        };
    }
    let mut begin = Vec::new();
    if let Ok(file) = File::open(path) {
        file.take(LOOK_BYTES)
            .read_to_end(&mut begin)
            .map_err(unreadable)?;
    }
    let is_proof = begin.starts_with(FIRST_LINE.as_bytes());
    if !is_proof && !begin.starts_with(FIRST_WORD.as_bytes()) {
        return match begin.starts_with(b"{\"export\":") && !begin.starts_with(SQLITE) {
            true => verify_export(path, trust).map(Holds::Export),
            // What it is not is the ledger's to say.
            false => verify_with(path, trust).map(|holds| Holds::Ledger(Box::new(holds))),
        };
    }
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_PROOF_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let key = trust.key.as_ref();
    let key = key.ok_or_else(|| Fault::Proof("there is no key to check it by; give one".into()))?;
    if is_proof {
        return verify_proof(&text, key).map(|proved| Holds::Proof(Box::new(proved)));
    }
    let old = trust.anchors.first();
    let old = old.ok_or_else(|| {
        Fault::Proof("there is no older checkpoint to compare with; give it as an anchor".into())
    })?;
    verify_extension(&text, old, key).map(|(old, new)| Holds::Extension { old, new })
}

impl fmt::Display for Holds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(verified) => ledger(verified, out),
            Self::Export(held) => write!(
                out,
                "holds: an export of {} records of {}, {} bodies, signed",
                held.records, held.origin, held.bodies
            ),
            Self::Proof(proved) => {
                write!(
                    out,
                    "holds: record {} ({}) is one of the {} records of {}",
                    proved.seq,
                    proved.kind.as_str(),
                    proved.size,
                    proved.origin
                )?;
                for field in &proved.shown {
                    write!(out, "; {} {}", field.name, field.value)?;
                }
                match proved.hidden.as_slice() {
                    [] => Ok(()),
                    hidden => write!(out, "; not shown: {}", hidden.join(", ")),
                }
            }
            Self::Extension { old, new } => {
                write!(out, "holds: the {new} records begin with the {old}")
            }
        }
    }
}

fn ledger(verified: &Verified, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        out,
        "holds: {} records, {} bodies, {} erased, {} open calls, ",
        verified.records,
        verified.bodies,
        verified.erased,
        verified.open_calls.len()
    )?;
    match (verified.checkpoint, &verified.signed_by) {
        (None, _) => write!(out, "no checkpoint, ")?,
        (Some(size), Some(name)) => write!(out, "signed to {size} by {name}, ")?,
        (Some(size), None) => write!(
            out,
            "checkpoint at {size} (no key: signatures not checked), "
        )?,
    }
    for (witness, size) in &verified.witnessed {
        write!(out, "cosigned to {size} by {witness}, ")?;
    }
    if let Some(size) = verified.anchored {
        write!(out, "anchored to {size}, ")?;
    }
    match verified.marked {
        Some(count) => write!(out, "mark at {count}, ")?,
        None => write!(out, "no mark beside it, ")?,
    }
    write!(out, "root {}", Digest(verified.root))
}

impl Holds {
    /// The same as a document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Ledger(verified) => ledger_json(verified),
            Self::Export(held) => json!({
                "holds": true, "what": "export", "records": held.records,
                "bodies": held.bodies, "origin": held.origin,
            }),
            Self::Proof(proved) => {
                let shown = proved.shown.iter().map(|field| {
                    let value: Value = serde_json::from_str(&field.value).unwrap_or(Value::Null);
                    (field.name.clone(), value)
                });
                json!({
                    "holds": true, "what": "proof", "record": proved.seq,
                    "kind": proved.kind.as_str(), "time_us": proved.time_us,
                    "instance": proved.instance.to_string(), "records": proved.size,
                    "origin": proved.origin, "hidden": proved.hidden,
                    "shown": shown.collect::<serde_json::Map<_, _>>(),
                })
            }
            Self::Extension { old, new } => {
                json!({ "holds": true, "what": "extension", "old": old, "new": new })
            }
        }
    }
}

fn ledger_json(verified: &Verified) -> Value {
    let open = verified.open_calls.iter();
    let open: Vec<_> = open
        .map(|call| json!({ "seq": call.seq, "call_id": Id(call.call_id).to_string() }))
        .collect();
    let witnessed = verified.witnessed.iter();
    let witnessed: Vec<_> = witnessed
        .map(|(name, size)| json!({ "witness": name, "records": size }))
        .collect();
    json!({
        "holds": true,
        "what": "ledger",
        "records": verified.records,
        "bodies": verified.bodies,
        "erased": verified.erased,
        "root": Digest(verified.root).to_string(),
        "checkpoint": verified.checkpoint,
        "signed_by": verified.signed_by,
        "witnessed": witnessed,
        "anchored": verified.anchored,
        "marked": verified.marked,
        "open_calls": open,
    })
}
