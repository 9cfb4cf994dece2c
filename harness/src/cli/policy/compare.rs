//! `lazaret policy diff` and `can`: what differs between two policies, what one lets through.
//!
//! Both answer with a call that shows it, with a proof, or with what could not be decided.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use policy::compare::{Answer, Question, can, diff};

use super::super::{Failure, Places, STATUS_NO, show};

/// It is not decided.
const STATUS_UNKNOWN: u8 = 2;

/// Find how two policies differ.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The policy file before
    old: PathBuf,
    /// The policy file after
    new: PathBuf,
    #[command(flatten)]
    places: Places,
}

/// Ask whether a policy lets some call through.
#[derive(Debug, Args)]
pub(crate) struct CanArgs {
    /// Policy file
    file: PathBuf,
    /// Conditions on the call, as in the `match` of a rule: '"arguments.language" = "python"'
    conditions: Vec<String>,
    /// Calls that name an address of this network, such as 169.254.0.0/16
    #[arg(long, value_name = "CIDR")]
    reach: Option<String>,
    /// Count calls that a person may approve
    #[arg(long)]
    or_held: bool,
    #[command(flatten)]
    places: Places,
}

/// Status 0: proved to be the same. 1: they differ. 2: not decided.
pub(crate) fn compare(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let old = super::load(Some(args.old.clone()), &args.places)?;
    let new = super::load(Some(args.new.clone()), &args.places)?;
    let diff = diff(&old, &new);
    show::line(diff.to_string().trim_end());
    Ok(match (diff.changes.is_empty(), diff.proved()) {
        (false, _) => ExitCode::from(STATUS_NO),
        (true, false) => ExitCode::from(STATUS_UNKNOWN),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// Status 0: proved that it cannot. 1: it can. 2: not decided.
pub(crate) fn ask(args: &CanArgs) -> Result<ExitCode, Failure> {
    let policy = super::load(Some(args.file.clone()), &args.places)?;
    let reach = args.reach.iter().map(|network| {
        let network = serde_json::Value::from(network.as_str());
        format!("\"host.address\" = {{ cidr = {network} }}")
    });
    let conditions: Vec<String> = args.conditions.iter().cloned().chain(reach).collect();
    let question = Question::read(&conditions.join("\n"))?;
    let question = match args.or_held {
        true => question.or_held(),
        false => question,
    };
    let answer = can(&policy, &question);
    show::line(answer.to_string().trim_end());
    Ok(match answer {
        Answer::No => ExitCode::SUCCESS,
        Answer::Yes(_) => ExitCode::from(STATUS_NO),
        Answer::Undecided(_) => ExitCode::from(STATUS_UNKNOWN),
    })
}
