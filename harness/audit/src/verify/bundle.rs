//! Does a proof hold? The leaf is in the signed tree, and the shown fields are the leaf's.

use std::collections::BTreeMap;

use crate::bundle::{Bundle, Extension};
use crate::checkpoint::Checkpoint;
use crate::commit;
use crate::encoding;
use crate::fault::Fault;
use crate::note::PublicKey;
use crate::tree;
use crate::wire::{Digest, Id, Kind};

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The record's number.
    pub seq: u64,
    /// What it is about.
    pub kind: Kind,
    /// When it was written, in microseconds since 1970 by the writer's clock.
    pub time_us: u64,
    /// The writer.
    pub instance: Id,
    /// The records of the tree that it is in.
    pub size: u64,
    /// Whose log it is.
    pub origin: String,
    /// The fields that are shown, each as JSON.
    pub shown: Vec<Shown>,
    /// The fields that are not shown.
    pub hidden: Vec<String>,
}

/// A field and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its value, as JSON.
    pub value: String,
}

/// Verifies a proof by the ledger's public key.
///
/// # Errors
/// [`Fault::Proof`] with what does not hold.
pub fn verify_proof(text: &str, key: &PublicKey) -> Result<Proved, Fault> {
    let bundle = Bundle::read(text).map_err(|error| fault(&error.to_string()))?;
    if !bundle.checkpoint.is_signed_by(key) {
        return Err(fault(&format!(
            "its checkpoint is not signed by `{}`",
            key.name()
        )));
    }
    let entry = bundle.extra.leaf.get().as_bytes();
    let (place, kind, fields) =
        encoding::read_entry(entry).map_err(|error| fault(&error.to_string()))?;
    if Some(place.seq) != bundle.index.checked_add(1) {
        return Err(fault("its leaf is that of another record"));
    }
    let (size, root) = (bundle.checkpoint.size(), bundle.checkpoint.root());
    let leaf = tree::leaf_hash(entry);
    if !tree::includes(&root, size, bundle.index, &leaf, &bundle.path) {
        return Err(fault("its leaf is not in the tree of its checkpoint"));
    }
    let commitments = &bundle.extra.commitments;
    let named = commitments
        .iter()
        .map(|(name, digest)| (name.as_str(), &digest.0));
    if commit::fields(named) != fields {
        return Err(fault("its commitments are not its leaf's"));
    }
    let shown = opened(&bundle, commitments)?;
    let hidden = commitments.keys();
    let is_hidden = |name: &&String| !bundle.extra.shown.contains_key(*name);
    Ok(Proved {
        seq: place.seq,
        kind,
        time_us: place.time_us,
        instance: Id(place.instance),
        size,
        origin: bundle.checkpoint.origin().to_owned(),
        shown,
        hidden: hidden.filter(is_hidden).cloned().collect(),
    })
}

/// Verifies that the ledger of an old checkpoint is a beginning of that of a newer one, by a proof
/// in the form that witnesses take.
///
/// # Errors
/// [`Fault::Proof`] with what does not hold.
pub fn verify_extension(
    text: &str,
    old: &Checkpoint,
    key: &PublicKey,
) -> Result<(u64, u64), Fault> {
    let extension = Extension::read(text).map_err(|error| fault(&error.to_string()))?;
    let new = &extension.checkpoint;
    if !old.is_signed_by(key) || !new.is_signed_by(key) {
        let detail = format!("a checkpoint is not signed by `{}`", key.name());
        return Err(fault(&detail));
    }
    if extension.old != old.size() {
        return Err(fault("it is about another old checkpoint"));
    }
    let (before, after) = (old.root(), new.root());
    match tree::extends(old.size(), &before, new.size(), &after, &extension.path) {
        true => Ok((old.size(), new.size())),
        false => Err(fault("the newer tree does not begin with the older one")),
    }
}

fn opened(bundle: &Bundle, commitments: &BTreeMap<String, Digest>) -> Result<Vec<Shown>, Fault> {
    let mut shown = Vec::new();
    for (name, opening) in &bundle.extra.shown {
        let value = opening.value.get();
        let commitment = commit::commitment(&opening.salt.0.0, name, value);
        if commitments.get(name) != Some(&Digest(commitment)) {
            return Err(fault(&format!("its field `{name}` is not its leaf's")));
        }
        shown.push(Shown {
            name: name.clone(),
            value: value.to_owned(),
        });
    }
    Ok(shown)
}

fn fault(detail: &str) -> Fault {
    Fault::Proof(detail.to_owned())
}
