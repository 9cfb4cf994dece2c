//! `lazaret policy export`: a policy in another engine's language, as far as that goes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use policy::cedar;

use super::super::{Failure, Places};

/// The export allows what the policy does not.
const STATUS_WEAKER: u8 = 3;

/// Export a policy.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Write Cedar's language; the only one that there is
    #[arg(long, required = true)]
    cedar: bool,
    /// Exit with 0 even if a hold or deny had to be left out
    #[arg(long)]
    partial: bool,
    /// Policy file
    file: PathBuf,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let policy = super::load(Some(args.file.clone()), &args.places)?;
    let export = cedar::export(&policy);
    std::io::stdout().write_all(export.text.as_bytes())?;
    for left_out in &export.left_out {
        eprintln!("lazaret: left out: {left_out}");
    }
    if !export.is_weaker() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("lazaret: the export is WEAKER than the policy: it lacks rules that hold or deny");
    Ok(match args.partial {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(STATUS_WEAKER),
    })
}
