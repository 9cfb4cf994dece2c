//! The readers of programs.

use policy::code::{javascript, python};

/// Both end, and say the same of the same text.
pub fn hold(text: &str) {
    for read in [python, javascript] {
        let facts = read(text);
        assert_eq!(facts, read(text));
        assert!(facts.calls.iter().all(|call| !call.name.is_empty()));
    }
}
