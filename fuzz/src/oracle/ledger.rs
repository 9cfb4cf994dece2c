//! What must hold of the ledger's readers, whatever they are given: no panic, one spelling for
//! each record and note, and nothing that holds without the key.

use audit::{Checkpoint, PublicKey, Record, SignedNote, leaf_hash, verify_proof};

/// The key of a ledger that has no records: nothing that a fuzzer makes is signed by it.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// What is read as a record is written as it was read, and its leaf is the hash of its entry.
pub fn record(text: &str) {
    if let Ok(record) = Record::parse(text) {
        assert_eq!(record.json(), text);
        assert_eq!(leaf_hash(record.entry()), record.hash());
        assert!(record.data().bodies().len() <= text.len());
    }
}

/// What is read as a note is written as it was read, but for the Base64 of its signatures.
pub fn checkpoint(text: &str) {
    let Ok(note) = SignedNote::parse(text) else {
        assert!(Checkpoint::parse(text).is_err(), "a checkpoint is a note");
        return;
    };
    let again = SignedNote::parse(&note.to_string());
    assert_eq!(again.as_ref(), Ok(&note));
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        let line = format!("\n{}\n", checkpoint.size());
        assert!(text.contains(&line), "one spelling of a size");
    }
}

/// No proof holds by a key that signed none.
pub fn proof(text: &str) {
    if let Ok(key) = PublicKey::parse(KEY) {
        assert!(
            verify_proof(text, &key).is_err(),
            "a proof that nobody signed"
        );
    }
}
