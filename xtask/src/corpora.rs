//! The public corpora, where they are there: test data, never part of the
//! project.
//!
//! Looked for in `$LAZARET_CORPORA` if that is set, else in `shared/corpora`
//! inside and beside the project. A corpus that is not there is reported, not an
//! error; one that cannot be read is.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::workspace::Workspace;

/// One program of a corpus.
pub(crate) struct Program {
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) code: String,
}

/// The folder of the corpora, if there is one.
pub(crate) fn folder(workspace: &Workspace) -> Option<PathBuf> {
    if let Some(asked) = std::env::var_os("LAZARET_CORPORA") {
        return Some(asked.into());
    }
    let inside = Some(workspace.root().join("shared/corpora"));
    let beside = workspace
        .root()
        .parent()
        .map(|parent| parent.join("shared/corpora"));
    inside
        .into_iter()
        .chain(beside)
        .find(|folder| folder.is_dir())
}

/// Reads one corpus; nothing if the file is not there.
pub(crate) fn read(file: &Path) -> Result<Option<Vec<Program>>, Failure> {
    if !file.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file).map_err(Failure::file(file))?;
    text.lines()
        .enumerate()
        .map(|(index, line)| program(line).ok_or_else(|| unreadable(file, index)))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn program(line: &str) -> Option<Program> {
    let case: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| case.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Program {
        id: text("id")?,
        category: text("category").unwrap_or_default(),
        code: text("code")?,
    })
}

fn unreadable(file: &Path, index: usize) -> Failure {
    Failure::Check(format!(
        "`{}` line {}: not a case with `id` and `code`",
        file.display(),
        index.saturating_add(1)
    ))
}
