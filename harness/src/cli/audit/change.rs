//! `lazaret audit redact` and `retain`: what goes from the ledger, with a record that says so.

use std::process::ExitCode;

use audit::{Ledger, Reader, Retention, Target, Wiped, Wish};
use clap::Args;

use super::super::show;
use super::super::{Failure, Places, STATUS_NO, units};
use super::ledger;

/// Erase fields and bodies of one record.
#[derive(Debug, Args)]
pub(crate) struct RedactArgs {
    /// Number of the record
    number: u64,
    /// A field, as `reason`; its bodies go with it. May be repeated
    #[arg(long, value_name = "NAME")]
    field: Vec<String>,
    /// A body, as `stdout`; its digest stays. May be repeated
    #[arg(long, value_name = "NAME")]
    body: Vec<String>,
    /// Why, for the record that says so
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    places: Places,
}

pub(super) fn redact(args: &RedactArgs) -> Result<ExitCode, Failure> {
    let target = Target::Record {
        seq: args.number,
        bodies: args.body.clone(),
        fields: args.field.clone(),
    };
    let wiped = erase(&args.places, target, &args.reason)?;
    tell(&format!("record {} is erased", args.number), wiped)
}

/// Erase the bodies of old records.
#[derive(Debug, Args)]
pub(crate) struct RetainArgs {
    /// Keep the bodies of records since then, as 30d
    #[arg(long, value_name = "TIME", value_parser = units::since)]
    since: Option<u64>,
    /// Keep at most so many bytes of bodies, as 10GiB; the oldest go first
    #[arg(long, value_name = "SIZE", value_parser = units::bytes, required_unless_present = "since")]
    size: Option<u64>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn retain(args: &RetainArgs) -> Result<ExitCode, Failure> {
    let retention = Retention {
        before_us: args.since,
        body_bytes: args.size,
    };
    let run = Reader::open(&ledger(&args.places)?)?.too_old(retention)?;
    let Some((first, last)) = run else {
        show::line("nothing is too old");
        return Ok(ExitCode::SUCCESS);
    };
    let target = Target::Bodies { first, last };
    let wiped = erase(&args.places, target, "retention")?;
    tell(
        &format!("the bodies of records {first} to {last} are erased"),
        wiped,
    )
}

fn erase(places: &Places, target: Target, reason: &str) -> Result<Wiped, Failure> {
    let path = ledger(places)?;
    // Opening would make a ledger where there is none.
    drop(Reader::open(&path)?);
    let ledger = Ledger::open(&path)?;
    let wiped = ledger.erase(Wish {
        by: format!("cli, uid {}", nix::unistd::getuid()),
        reason: reason.to_owned(),
        target,
    });
    // A refusal is not the ledger's end, which is written all the same.
    let closed = ledger.close();
    let wiped = wiped?;
    closed?;
    Ok(wiped)
}

fn tell(what: &str, wiped: Wiped) -> Result<ExitCode, Failure> {
    show::line(&format!("{what}; record {} says so", wiped.seq));
    if wiped.log_is_empty {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "lazaret: somebody reads the ledger, so its write-ahead log still has the old pages; run it again when nobody does"
    );
    Ok(ExitCode::from(STATUS_NO))
}
