//! Notes of ours read by another implementation, and the other way round; and damaged ones.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use signed_note::{Note as Theirs, StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::key::{KeyFile, KeyPaths, Signer as _};

/// The key, text and signature that C2SP's specification of signed notes shows, and that Go's
/// implementation tests with.
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE: &str = "If you think cryptography is the answer to your problem,\n\
then you don't know what your problem is.\n\
\n\
\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key() -> (tempfile::TempDir, KeyPaths, KeyFile) {
    let directory = tempfile::tempdir().unwrap();
    let paths = KeyPaths::of(&directory.path().join("ledger.db"));
    let key = KeyFile::open_or_make(&paths).unwrap();
    (directory, paths, key)
}

fn their_list(key: &str) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())])
}

#[test]
fn the_published_example_is_read() {
    let key = PublicKey::parse(EXAMPLE_KEY).unwrap();
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    let note = Note::parse(EXAMPLE).unwrap();
    assert!(note.is_signed_by(&key));
    assert_eq!(note.to_string(), EXAMPLE);
    let other = EXAMPLE.replace("answer", "cause");
    assert!(!Note::parse(&other).unwrap().is_signed_by(&key));
}

#[test]
fn a_checkpoint_of_ours_is_read_by_others() {
    let (_directory, paths, key) = key();
    let checkpoint = Checkpoint::issue(&key, 7, [9; 32]).unwrap();
    let text = checkpoint.note().to_string();
    let public = std::fs::read_to_string(&paths.public).unwrap();
    let theirs = Theirs::from_bytes(text.as_bytes()).unwrap();
    let (verified, unverified) = theirs.verify(&their_list(public.trim())).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let head = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!(head.origin(), key.public().name());
    assert_eq!((head.size(), head.hash().0), (7, [9; 32]));
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
}

#[test]
fn our_key_file_signs_in_their_hands() {
    let (_directory, paths, key) = key();
    let private = std::fs::read_to_string(&paths.private).unwrap();
    let signer = StandardSigner::new(private.trim()).unwrap();
    let mut note = Theirs::new(b"a text\n", &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let text = String::from_utf8(note.to_bytes()).unwrap();
    assert!(Note::parse(&text).unwrap().is_signed_by(key.public()));
}

#[test]
fn the_key_is_secret_kept_and_refused_when_others_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, paths, key) = key();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&paths.private), 0o600);
    assert_eq!(mode(paths.private.parent().unwrap()), 0o700);
    let again = KeyFile::open(&paths).unwrap();
    assert_eq!(again.public(), key.public());
    std::fs::set_permissions(&paths.private, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        KeyFile::open(&paths),
        Err(crate::KeyError::Open { mode: 0o640, .. })
    ));
}

#[test]
fn a_checkpoint_has_one_spelling() {
    let (_directory, _paths, key) = key();
    let text = Checkpoint::issue(&key, 70, [9; 32])
        .unwrap()
        .note()
        .to_string();
    for (from, to) in [
        ("\n70\n", "\n070\n"),
        ("\n70\n", "\n+70\n"),
        ("\n70\n", "\n70\nextra\n"),
        ("\n70\n", "\n\n"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert!(Checkpoint::parse(&other).is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_another_note_or_none(at in any::<prop::sample::Index>(), flip in 1_u8..128) {
        let key = PublicKey::parse(EXAMPLE_KEY).unwrap();
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let at = at.index(bytes.len());
        *bytes.get_mut(at).unwrap() ^= flip;
        let note = String::from_utf8(bytes).ok().and_then(|text| Note::parse(&text).ok());
        prop_assert!(!note.is_some_and(|note| note.is_signed_by(&key)));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}\n\n(\u{2014} \\PC{0,20} [A-Za-z0-9+/=]{0,20}\n){0,3}") {
        drop(Note::parse(&text));
        drop(PublicKey::parse(&text));
    }
}
