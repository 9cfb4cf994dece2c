//! The public corpora that the whole appliance is measured on.
//!
//! They are data of other projects and no part of this one: they lie beside the
//! repository, or where `LAZARET_CORPORA` says. A test that lacks them skips
//! and says so on standard error; with `CI=true` it fails instead, so that a
//! green run of the pipeline never means "nothing was tested".

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One program of a corpus.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique in its corpus.
    pub id: String,
    /// `python` or `shell`.
    pub language: String,
    /// `attack` or `benign`.
    pub label: String,
    /// The corpus' own name of the kind of harm.
    #[serde(default)]
    pub category: String,
    /// The program.
    pub code: String,
    /// What the authors saw when it ran without protection.
    #[serde(default)]
    pub expected_if_unprotected: String,
    /// What it does, in words.
    #[serde(default)]
    pub summary: String,
}

/// Where the corpora lie.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("LAZARET_CORPORA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora"),
        PathBuf::from,
    )
}

/// Whether a missing precondition must fail the test instead of skipping it.
#[must_use]
pub fn must_not_skip() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Says that a test does not run, and why.
///
/// # Panics
/// With `CI=true`: there nothing may be skipped.
pub fn skip(why: &str) {
    assert!(!must_not_skip(), "cannot be skipped with CI=true: {why}");
    // Not `eprintln!`: the test harness would swallow it.
    writeln!(std::io::stderr(), "SKIPPED: {why}").ok();
}

/// The cases of `name`.jsonl, or `None` after [`skip`] when the file is absent.
///
/// # Panics
/// If the file is there but not readable, or absent with `CI=true`.
#[must_use]
pub fn load(name: &str) -> Option<Vec<Case>> {
    let path = folder().join(format!("{name}.jsonl"));
    if !path.is_file() {
        skip(&format!(
            "{} is not there; set LAZARET_CORPORA to the folder that holds it",
            path.display()
        ));
        return None;
    }
    let text = std::fs::read_to_string(&path).expect("read a corpus");
    let cases = text.lines().enumerate().map(|(number, line)| {
        serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1))
    });
    Some(cases.collect())
}
