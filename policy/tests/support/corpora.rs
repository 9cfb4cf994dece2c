//! The shared corpora, for tests and examples: `../shared/corpora` where it is, or the folder that
//! `LAZARET_CORPORA` names. What is not there is said, and with `CI=true` it must be there.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests; each user takes a part"
)]

use std::path::PathBuf;

use serde_json::Value;

/// One case of a corpus; a field that it does not have is empty.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) language: String,
    pub(crate) code: String,
}

/// The cases of a corpus by its name, or none if it is not on this machine.
pub(crate) fn cases(name: &str) -> Option<Vec<Case>> {
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let folder = std::env::var_os("LAZARET_CORPORA").map_or(usual, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no corpus {name}: set LAZARET_CORPORA"
        );
        eprintln!("SKIPPED: no corpus {name}; set LAZARET_CORPORA");
        return None;
    };
    Some(text.lines().map(Case::of_line).collect())
}

impl Case {
    fn of_line(line: &str) -> Self {
        let case: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| {
            let text = case.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        Self {
            id: field("id"),
            category: field("category"),
            language: field("language"),
            code: field("code"),
        }
    }
}
