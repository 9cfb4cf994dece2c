//! The tree held against two implementations of others, and against RFC 6962's own vectors.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests over sizes that are theirs"
)]

use std::cell::RefCell;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use tlog_tiles::tlog;

use super::*;

/// A tree of ours in memory, kept as the ledger keeps it: leaves and stored nodes.
#[derive(Default)]
struct Kept {
    frontier: Frontier,
    levels: RefCell<Vec<Vec<Hash>>>,
}

impl Kept {
    fn of(size: u64) -> Self {
        let mut kept = Self::default();
        (0..size).for_each(|n| kept.push(&entry(n)));
        kept
    }

    fn push(&mut self, entry: &[u8]) {
        let levels = self.levels.get_mut();
        levels.resize(9, Vec::new());
        let leaf = leaf_hash(entry);
        levels[0].push(leaf);
        self.frontier.append(leaf, |node| {
            let level = &mut levels[node.level as usize];
            assert_eq!(node.n as usize, level.len(), "nodes come in order");
            level.push(node.hash);
        });
    }
}

impl Hashes for Kept {
    type Error = Infallible;

    fn range(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, Infallible> {
        assert!(count <= 128, "no proof reads more of one height");
        let (first, count) = (first as usize, count as usize);
        Ok(self.levels.borrow()[level as usize][first..first + count].to_vec())
    }
}

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn theirs(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|n| tree.push(entry(n)));
    tree
}

fn hashes(path: &[Hash]) -> Vec<tlog::Hash> {
    path.iter().copied().map(tlog::Hash).collect()
}

/// Inclusion of `index` in `size`, by three implementations.
fn check_inclusion(kept: &Kept, size: u64, root: &Hash, index: u64) {
    let path = inclusion(kept, index, size).unwrap();
    let leaf = leaf_hash(&entry(index));
    assert!(includes(root, size, index, &leaf, &path), "{index}/{size}");
    let (theirs, root) = (hashes(&path), tlog::Hash(*root));
    tlog::check_record(&theirs, size, root, index, tlog::Hash(leaf)).unwrap();
    let digests: Vec<_> = path.iter().map(|hash| (*hash).into()).collect();
    let proof = InclusionProof::<Sha256>::from_digests(digests.iter());
    let root = RootHash::<Sha256>::new(root.0.into(), size);
    root.verify_inclusion(&entry(index), index, &proof).unwrap();
}

/// Consistency of `old` with `new`, by three implementations.
fn check_consistency(kept: &Kept, old: u64, new: u64) {
    let path = consistency(kept, old, new).unwrap();
    let (before, after) = (root(kept, old).unwrap(), root(kept, new).unwrap());
    assert!(extends(old, &before, new, &after, &path), "{old}..{new}");
    let theirs = hashes(&path);
    tlog::check_tree(&theirs, new, tlog::Hash(after), old, tlog::Hash(before)).unwrap();
    let digests: Vec<_> = path.iter().map(|hash| (*hash).into()).collect();
    let proof = ConsistencyProof::<Sha256>::from_digests(digests.iter());
    let old_root = RootHash::<Sha256>::new(before.into(), old);
    let new_root = RootHash::<Sha256>::new(after.into(), new);
    new_root.verify_consistency(&old_root, &proof).unwrap();
}

/// The eight entries and roots that Certificate Transparency's implementations share.
const VECTORS: [(&[u8], &str); 8] = [
    (
        b"",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        b"\x00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        b"\x10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        b"\x20\x21",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        b"\x30\x31",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        b"@ABC",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        b"PQRSTUVW",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        b"`abcdefghijklmno",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

#[test]
fn the_vectors_of_certificate_transparency_hold() {
    assert_eq!(Frontier::default().root(), EMPTY_ROOT);
    let mut kept = Kept::default();
    for (entry, root) in VECTORS {
        kept.push(entry);
        assert_eq!(crate::Digest(kept.frontier.root()).to_string(), root);
    }
}

#[test]
fn every_size_to_a_thousand_is_proved_to_others() {
    let kept = Kept::of(1000);
    let mut growing = Kept::default();
    for size in 0..=1000 {
        let own = root(&kept, size).unwrap();
        assert_eq!(own, growing.frontier.root(), "{size}");
        assert_eq!(frontier(&kept, size).unwrap(), growing.frontier);
        assert_eq!(own[..], theirs(size).root().as_bytes()[..], "{size}");
        let indices: Vec<u64> = match size {
            0..=70 => (0..size).collect(),
            _ => vec![0, 1, size / 3, size / 2, size - 2, size - 1],
        };
        for index in indices {
            check_inclusion(&kept, size, &own, index);
            check_consistency(&kept, index + 1, size);
        }
        assert!(extends(0, &EMPTY_ROOT, size, &own, &[]));
        growing.push(&entry(size));
    }
}

#[test]
fn a_larger_tree_is_proved_to_others() {
    let kept = Kept::of(70_000);
    let own = kept.frontier.root();
    for index in [0, 255, 256, 65_535, 65_536, 65_537, 69_999, 33_333] {
        check_inclusion(&kept, 70_000, &own, index);
        check_consistency(&kept, index + 1, 70_000);
    }
}

proptest! {
    #[test]
    fn any_two_sizes_are_proved(sizes in prop::collection::vec(1_u64..3000, 2..6), at in any::<prop::sample::Index>()) {
        let kept = Kept::of(3000);
        for pair in sizes.windows(2) {
            let (old, new) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            check_consistency(&kept, old, new);
            let index = at.index(new as usize) as u64;
            check_inclusion(&kept, new, &root(&kept, new).unwrap(), index);
        }
    }

    #[test]
    fn a_changed_proof_proves_nothing(size in 2_u64..300, at in any::<prop::sample::Index>(), bit in 0_usize..256, strike in any::<prop::sample::Index>()) {
        let kept = Kept::of(size);
        let own = kept.frontier.root();
        let index = at.index(size as usize) as u64;
        let leaf = leaf_hash(&entry(index));
        let mut path = inclusion(&kept, index, size).unwrap();
        let struck = strike.index(path.len());
        path[struck][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!includes(&own, size, index, &leaf, &path));
        path[struck][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(includes(&own, size, index, &leaf, &path));
        let longer = [path.as_slice(), &[[0; 32]]].concat();
        prop_assert!(!includes(&own, size, index, &leaf, &longer));
        prop_assert!(!includes(&own, size, index, &leaf, &path[1..]));
        let other = (index + 1) % size;
        prop_assert!(!includes(&own, size, other, &leaf, &path));
        let old = index + 1;
        let before = root(&kept, old).unwrap();
        let mut steps = consistency(&kept, old, size).unwrap();
        prop_assert!(extends(old, &before, size, &own, &steps));
        if let Some(struck) = steps.first_mut() {
            struck[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!extends(old, &before, size, &own, &steps));
        }
    }

    #[test]
    fn any_proof_is_judged_without_a_panic(old in any::<u64>(), new in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..140)) {
        prop_assert!(!includes(&[7; 32], new, old, &[8; 32], &path));
        prop_assert!(!extends(old, &[7; 32], new, &[8; 32], &path));
    }
}
