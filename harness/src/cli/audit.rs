//! `lazaret audit`: what ran, and whether the ledger still says so.

use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Data, Reader, Record, verify};
use clap::Subcommand;
use executor::runtime::hex::hex;
use harness::config::Written;
use serde_json::{Value, json};

use super::show::{self, Tone};
use super::{Failure, Places, STATUS_NO};

/// Read and verify the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the last records
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        places: Places,
    },
    /// Show one record with what it refers to
    Show {
        /// Number of the record
        number: u64,
        #[command(flatten)]
        places: Places,
    },
    /// Check the whole ledger: chain, contents, bodies
    Verify {
        #[command(flatten)]
        places: Places,
    },
}

pub(crate) fn audit(command: &AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Tail {
            lines,
            json,
            places,
        } => {
            for record in Reader::open(&ledger(places)?)?.tail(*lines)? {
                match json {
                    true => show::line(record.json()),
                    false => show::line(&one_line(&record)),
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Show { number, places } => show_record(*number, places),
        AuditCommand::Verify { places } => check(places),
    }
}

fn ledger(places: &Places) -> Result<PathBuf, Failure> {
    Ok(places.config(Written::default())?.ledger_path())
}

fn one_line(record: &Record) -> String {
    let (seq, time) = (record.seq(), show::time(record.time_us()));
    let what = match record.data() {
        Data::Start(start) => format!(
            "start     lazaret {} as process {}",
            start.version, start.pid
        ),
        Data::Stop(_) => "stop".to_owned(),
        Data::Decision(decision) => format!(
            "decision  {} {} for {}{}  {}",
            verdict(decision.verdict),
            decision.tool,
            decision.principal,
            decision
                .profile
                .as_ref()
                .map(|one| format!(" in {one}"))
                .unwrap_or_default(),
            id(decision.call_id),
        ),
        Data::Outcome(outcome) => format!(
            "outcome   of {}: {}{}  {}",
            outcome.decision_seq,
            outcome.ending,
            outcome
                .exit_code
                .map(|code| format!(" {code}"))
                .unwrap_or_default(),
            id(outcome.call_id),
        ),
        Data::Note(note) => format!("note      {}", note.topic),
    };
    format!("{seq:>8}  {time}  {what}")
}

fn id(call: audit::Id) -> String {
    ::policy::CallId::from_bytes(call.0).to_string()
}

fn verdict(verdict: audit::Verdict) -> String {
    match verdict {
        audit::Verdict::Allow => show::tone(Tone::Good, "allow"),
        audit::Verdict::Hold => show::tone(Tone::Bad, "hold"),
        audit::Verdict::Deny => show::tone(Tone::Bad, "deny"),
    }
}

/// Bodies longer than this are cut for reading; the ledger has all of them.
const MAX_SHOWN_CHARS: usize = 4_000;

fn show_record(number: u64, places: &Places) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(places)?)?;
    let Some(record) = reader.get(number)? else {
        let count = reader.count()?;
        return Err(format!("there is no record {number}; the ledger has {count}").into());
    };
    let mut bodies = Vec::new();
    for reference in record.data().bodies() {
        let digest = hex(&reference.digest.0);
        let body = match reader.body(&reference.digest.0)? {
            Some(bytes) => shown(&bytes),
            None => Value::Null,
        };
        bodies.push(json!({ "sha256": digest, "body": body }));
    }
    let document = json!({
        "record": serde_json::from_str::<Value>(record.json())?,
        "hash": hex(&record.hash()),
        "bodies": bodies,
    });
    show::line(&serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

fn shown(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        None => json!(text),
        Some((cut, _)) => json!(format!(
            "{}… ({} bytes)",
            text.get(..cut).unwrap_or_default(),
            bytes.len()
        )),
    }
}

fn check(places: &Places) -> Result<ExitCode, Failure> {
    let path = ledger(places)?;
    match verify(&path) {
        Ok(verified) => {
            let good = show::tone(Tone::Good, "holds");
            let (records, open) = (verified.records, verified.open_calls.len());
            let head = hex(&verified.head_hash);
            show::line(&format!(
                "{}: {good}: {records} records, {open} open calls, head {head}",
                path.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) if fault.is_unreadable() => Err(format!("{}: {fault}", path.display()).into()),
        Err(fault) => {
            eprintln!("lazaret: {}: {fault}", path.display());
            Ok(ExitCode::from(STATUS_NO))
        }
    }
}
