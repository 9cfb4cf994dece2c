//! Everything that can stop a command, each as one line that says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is not one of ours.
    Usage(String),
    /// The machine lacks something that we do not install by ourselves.
    Missing { what: String, remedy: String },
    /// A program that we started did not start or ended badly.
    Command { line: String, ending: String },
    /// A file or directory could not be used.
    File { path: PathBuf, source: io::Error },
    /// A program or the daemon answered something we cannot read.
    Answer { from: String, what: String },
    /// A check looked and found something wrong; the details are printed already.
    Check(String),
}

impl Failure {
    /// A failure to use `path`, for `map_err`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// An answer of `from` that is not what its interface promises.
    pub(crate) fn answer(from: &str, what: impl Into<String>) -> Self {
        Self::Answer {
            from: from.to_owned(),
            what: what.into(),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Missing { .. }
            | Self::Command { .. }
            | Self::File { .. }
            | Self::Answer { .. }
            | Self::Check(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Check(text) => write!(to, "{text}"),
            Self::Missing { what, remedy } => write!(to, "{what} is missing: {remedy}"),
            Self::Command { line, ending } => write!(to, "`{line}` {ending}"),
            Self::File { path, source } => write!(to, "`{}`: {source}", path.display()),
            Self::Answer { from, what } => write!(to, "{from} answered {what}"),
        }
    }
}

impl std::error::Error for Failure {}
