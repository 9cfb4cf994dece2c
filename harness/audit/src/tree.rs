//! The Merkle tree of RFC 6962 over the leaves of the records.
//!
//! ```text
//!            root(7)                    frontier(7) = [a, b, c]
//!          ┌────┴────┐                  appending joins it with as many
//!          a         ┌┴┐                equal neighbours as 7 ends in ones;
//!       ┌──┴──┐      b c                every eighth height is a *node* that
//!      ┌┴┐   ┌┴┐    ┌┴┐                 is stored, so that no proof reads more
//!      0 1   2 3    4 5 6               than 255 hashes of one height
//! ```
//!
//! Pure calculation: it reads hashes through [`Hashes`] and touches no file.
//! Making and checking proofs share nothing but [`leaf_hash`] and
//! [`node_hash`]; the tests hold both against implementations of others. A
//! proof that does not fit is `false`, never a panic.

use sha2::{Digest as _, Sha256};

/// A SHA-256 of the tree.
pub type Hash = [u8; 32];

/// The root of the empty tree: SHA-256 of nothing (RFC 6962, section 2.1).
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Heights between two stored levels: C2SP's tiles have 256 hashes.
pub(crate) const TILE_HEIGHT: u32 = 8;

/// Hashes of a proof at most: two for each height of a tree of 2^64 leaves.
pub const MAX_PROOF_HASHES: usize = 128;

/// `SHA-256(00 ‖ entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    hasher.finalize().into()
}

/// `SHA-256(01 ‖ left ‖ right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// A stored node that an append completed: `level` counts in eights of heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) level: u32,
    pub(crate) n: u64,
    pub(crate) hash: Hash,
}

/// The right edge of a tree: the roots of its complete subtrees, largest first.
/// All that an append needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frontier {
    count: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// Puts an edge back together; `None` when it has not one hash for each bit of the count.
    pub(crate) fn from_parts(count: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && hashes.len() == count.count_ones() as usize;
        fits.then(|| Self {
            count,
            edge: hashes.to_vec(),
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The edge as it is stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.edge.concat()
    }

    /// Appends a leaf and tells `complete` of each stored node that is now whole.
    pub(crate) fn append(&mut self, leaf: Hash, mut complete: impl FnMut(Node)) {
        let mut hash = leaf;
        for height in 1..=self.count.trailing_ones() {
            // There is one hash for each bit of the count.
            let Some(left) = self.edge.pop() else { break };
            hash = node_hash(&left, &hash);
            if height % TILE_HEIGHT == 0 {
                complete(Node {
                    level: height / TILE_HEIGHT,
                    n: self.count >> height,
                    hash,
                });
            }
        }
        self.edge.push(hash);
        self.count += 1;
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Hash {
        fold_right(&self.edge)
    }
}

/// Joins the roots of complete subtrees, largest first, as RFC 6962 does.
fn fold_right(edge: &[Hash]) -> Hash {
    let mut hashes = edge.iter().rev();
    let Some(&last) = hashes.next() else {
        return EMPTY_ROOT;
    };
    hashes.fold(last, |right, left| node_hash(left, &right))
}

/// Where the hashes of a tree lie: leaves at level 0, stored nodes above.
pub(crate) trait Hashes {
    /// Why a hash cannot be read.
    type Error;

    /// The hashes `first..first + count` of a level, all of them.
    fn range(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// The root of the first `size` leaves.
pub(crate) fn root<H: Hashes>(hashes: &H, size: u64) -> Result<Hash, H::Error> {
    range_hash(hashes, 0, size)
}

/// The edge of the first `size` leaves.
pub(crate) fn frontier<H: Hashes>(hashes: &H, size: u64) -> Result<Frontier, H::Error> {
    let edge = edge(hashes, 0, size)?;
    Ok(Frontier { count: size, edge })
}

/// The audit path of leaf `index` in the tree of `size` (RFC 6962, section 2.1.1);
/// empty when the leaf is not in it.
pub(crate) fn inclusion<H: Hashes>(
    hashes: &H,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, H::Error> {
    let (mut from, mut to, mut path) = (0, size, Vec::new());
    if index >= size {
        return Ok(path);
    }
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range_hash(hashes, middle, to)?);
            to = middle;
        } else {
            path.push(range_hash(hashes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a beginning of that of `new`
/// (RFC 6962, section 2.1.2); empty when there is nothing to prove.
pub(crate) fn consistency<H: Hashes>(
    hashes: &H,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, H::Error> {
    let (mut from, mut to, mut path) = (0, new, Vec::new());
    if old == 0 || old >= new {
        return Ok(path);
    }
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range_hash(hashes, middle, to)?);
            to = middle;
        } else {
            path.push(range_hash(hashes, from, middle)?);
            from = middle;
        }
    }
    // A beginning that is one whole subtree of the old tree is known to who asks.
    if from != 0 {
        path.push(range_hash(hashes, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` leads from the leaf to the root (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn includes(root: &Hash, size: u64, index: u64, leaf: &Hash, path: &[Hash]) -> bool {
    if index >= size || path.len() > MAX_PROOF_HASHES {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the tree of `old` is a beginning of that of `new` (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn extends(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    match old {
        0 => return path.is_empty() && *old_root == EMPTY_ROOT,
        _ if old == new => return path.is_empty() && old_root == new_root,
        _ if old > new || path.len() > MAX_PROOF_HASHES => return false,
        _ => {}
    }
    let mut steps = path.iter();
    let first = match old.is_power_of_two() {
        true => Some(old_root),
        false => steps.next(),
    };
    let Some(&first) = first else { return false };
    let shift = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut before, mut after) = (first, first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node_hash(step, &before);
            after = node_hash(step, &after);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            after = node_hash(&after, step);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && before == *old_root && after == *new_root
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

/// The hash of the leaves `from..to`; `from` is a multiple of every complete subtree in it.
fn range_hash<H: Hashes>(hashes: &H, from: u64, to: u64) -> Result<Hash, H::Error> {
    Ok(fold_right(&edge(hashes, from, to)?))
}

/// The complete subtrees of `from..to`, largest first.
fn edge<H: Hashes>(hashes: &H, from: u64, to: u64) -> Result<Vec<Hash>, H::Error> {
    let length = to - from;
    let mut edge = Vec::with_capacity(length.count_ones() as usize);
    let mut at = from;
    for height in (0..u64::BITS).rev() {
        if length >> height & 1 == 1 {
            edge.push(subtree(hashes, height, at >> height)?);
            at += 1 << height;
        }
    }
    Ok(edge)
}

/// The root of the complete subtree `index` of a height, from the stored level below it.
fn subtree<H: Hashes>(hashes: &H, height: u32, index: u64) -> Result<Hash, H::Error> {
    let (level, rest) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    Ok(complete(hashes.range(level, index << rest, 1 << rest)?))
}

/// The root over a row of hashes, of which there is a power of two.
pub(crate) fn complete(mut row: Vec<Hash>) -> Hash {
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or(EMPTY_ROOT)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
