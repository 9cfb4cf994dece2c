//! `lazaret policy fmt`: policy files in the one way of writing them.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use harness::config::read_text;
use policy::{MAX_POLICY_BYTES, fmt};

use super::super::{Failure, STATUS_FAILED, STATUS_NO, show, write};

/// Format policy files.
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Change nothing; name the files that are written otherwise, and exit with 1
    #[arg(long)]
    check: bool,
    /// Policy files; - reads standard input and writes standard output
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// How a file was found. The worst of several is the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Good,
    Otherwise,
    Unreadable,
}

pub(crate) fn format(args: &FmtArgs) -> ExitCode {
    let found = args.files.iter().map(|file| {
        one(file, args.check).unwrap_or_else(|error| {
            eprintln!("lazaret: {}: {error}", file.display());
            Found::Unreadable
        })
    });
    match found.max() {
        None | Some(Found::Good) => ExitCode::SUCCESS,
        Some(Found::Otherwise) => ExitCode::from(STATUS_NO),
        Some(Found::Unreadable) => ExitCode::from(STATUS_FAILED),
    }
}

fn one(file: &Path, check: bool) -> Result<Found, Failure> {
    let piped = file == Path::new("-");
    let text = match piped {
        true => standard_input()?,
        false => read_text(file)?,
    };
    let formatted = fmt(&text)?;
    if piped && !check {
        std::io::stdout().write_all(formatted.as_bytes())?;
        return Ok(Found::Good);
    }
    if formatted == text {
        return Ok(Found::Good);
    }
    if check {
        show::line(&format!("{}: not formatted", file.display()));
        return Ok(Found::Otherwise);
    }
    write::replace(file, formatted.as_bytes())?;
    show::line(&format!("{}: formatted", file.display()));
    Ok(Found::Good)
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let most = MAX_POLICY_BYTES as u64 + 1;
    std::io::stdin().take(most).read_to_string(&mut text)?;
    Ok(text)
}
