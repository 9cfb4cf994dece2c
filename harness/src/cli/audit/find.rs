//! `lazaret audit tail` and `search`: records as lines, or as JSON Lines.

use std::process::ExitCode;
use std::time::Duration;

use audit::{Query, Reader, Verdict};
use clap::{Args, ValueEnum};

use super::super::{Failure, Places, units};
use super::{ledger, print};

/// How often a follower looks for new records.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// Records that a follower reads at once.
const FOLLOW_PAGE: usize = 1_000;

/// Show the last records.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
    /// Go on with those that are written, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn tail(args: &TailArgs) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(&args.places)?)?;
    let mut last = reader.count()?;
    for record in reader.tail(args.lines)? {
        print(&record, args.json);
        last = record.seq();
    }
    while args.follow {
        for record in reader.after(last, FOLLOW_PAGE)? {
            print(&record, args.json);
            last = record.seq();
        }
        std::thread::sleep(FOLLOW_EVERY);
    }
    Ok(ExitCode::SUCCESS)
}

/// A verdict as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TypedVerdict {
    Allow,
    Hold,
    Deny,
}

impl From<TypedVerdict> for Verdict {
    fn from(typed: TypedVerdict) -> Self {
        match typed {
            TypedVerdict::Allow => Self::Allow,
            TypedVerdict::Hold => Self::Hold,
            TypedVerdict::Deny => Self::Deny,
        }
    }
}

/// Show the records that answer to what is asked.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Written since then: 2026-11-01, 2026-11-01T08:00:00Z, or 12h and 30d back from now
    #[arg(long, value_name = "TIME", value_parser = units::since)]
    since: Option<u64>,
    /// Written before then
    #[arg(long, value_name = "TIME", value_parser = units::since)]
    until: Option<u64>,
    /// Calls made for this principal
    #[arg(long)]
    principal: Option<String>,
    /// Calls of this session
    #[arg(long)]
    session: Option<String>,
    /// Calls of this tool
    #[arg(long)]
    tool: Option<String>,
    /// Calls that were decided so
    #[arg(long, value_enum)]
    verdict: Option<TypedVerdict>,
    /// Calls that this rule matched
    #[arg(long)]
    rule: Option<String>,
    /// Calls that ended so, as timed_out
    #[arg(long)]
    ending: Option<String>,
    /// Records with this text in them, or in their arguments, output or files
    #[arg(long)]
    text: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 1_000)]
    lines: usize,
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn search(args: &SearchArgs) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(&args.places)?)?;
    let query = Query {
        since_us: args.since,
        until_us: args.until,
        principal: args.principal.clone(),
        session: args.session.clone(),
        tool: args.tool.clone(),
        verdict: args.verdict.map(Verdict::from),
        rule: args.rule.clone(),
        ending: args.ending.clone(),
        text: args.text.clone(),
    };
    let (mut after, mut left) = (Some(0), args.lines);
    while let Some(from) = after.filter(|_| left > 0) {
        let page = reader.search(&query, from, left)?;
        left -= page.records.len().min(left);
        for record in &page.records {
            print(record, args.json);
        }
        after = page.next;
    }
    Ok(ExitCode::SUCCESS)
}
