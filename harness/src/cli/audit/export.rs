//! `lazaret audit export`: the ledger for other tools.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Bodies, Exported, Reader, Record, cef, export_jsonl, export_tiles, ocsf, otlp};
use clap::{Args, ValueEnum};

use super::super::{Failure, Places, show};
use super::ledger;

/// Records that are read at once.
const PAGE: usize = 1_000;

/// What an export looks like.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Records and the checkpoint that signs them, one a line; `lazaret-verify` reads it
    Jsonl,
    /// A directory as C2SP's tlog-tiles: hashes and leaves, without any field's value
    Tiles,
    /// Calls as OCSF events, one a line
    Ocsf,
    /// Records as lines of the Common Event Format, as syslog takes them (RFC 5424)
    Cef,
    /// Records as OTLP logs in JSON, one a line, as a collector's file receivers read them
    Otlp,
}

/// Write the ledger for other tools.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What it looks like
    #[arg(value_enum)]
    form: Form,
    /// File, or directory for tiles [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// With arguments, output and files
    #[arg(long)]
    bodies: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(&args.places)?)?;
    let exported = match args.form {
        Form::Jsonl => lines(args, &reader)?,
        Form::Ocsf => events(args, &reader, &|record| {
            ocsf(record).map(|event| event.to_string())
        })?,
        Form::Otlp => events(args, &reader, &|record| Some(otlp(record).to_string()))?,
        Form::Cef => events(args, &reader, &|record| Some(syslog(record)))?,
        Form::Tiles => {
            let directory = args.out.as_deref();
            let directory = directory.ok_or("tiles need a directory; name it with --out")?;
            export_tiles(&reader, directory)?
        }
    };
    if exported.unsigned > 0 {
        eprintln!(
            "lazaret: {} newer records are not under a checkpoint yet, and not in it",
            exported.unsigned
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(args: &ExportArgs, reader: &Reader) -> Result<Exported, Failure> {
    let bodies = match args.bodies {
        true => Bodies::With,
        false => Bodies::Without,
    };
    let mut out = output(args)?;
    Ok(export_jsonl(reader, bodies, &mut *out)?)
}

/// One line for each record that has one; also for records that are not under a checkpoint yet,
/// since nothing of these forms is proved.
fn events(
    args: &ExportArgs,
    reader: &Reader,
    line: &dyn Fn(&Record) -> Option<String>,
) -> Result<Exported, Failure> {
    let mut out = output(args)?;
    let mut last = 0;
    loop {
        let page = reader.after(last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = end.seq();
        for text in page.iter().filter_map(line) {
            writeln!(out, "{text}")?;
        }
    }
    out.flush()?;
    Ok(Exported {
        records: last,
        unsigned: 0,
    })
}

/// Facility 13 (log audit), severity 6 (informational).
const PRIORITY: u8 = 13 * 8 + 6;

fn syslog(record: &Record) -> String {
    let time = show::time(record.time_us());
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let host = if host.is_empty() { "-" } else { &host };
    format!(
        "<{PRIORITY}>1 {time} {host} lazaret - ledger - {}",
        cef(record)
    )
}

fn output(args: &ExportArgs) -> Result<Box<dyn Write>, Failure> {
    Ok(match &args.out {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => {
            let file = File::create(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
    })
}
