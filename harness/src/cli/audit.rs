//! `lazaret audit`: what ran, whether the ledger still says so, and proof of it for others.

mod change;
mod export;
mod find;
mod proof;
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Data, Field, Reader, Record};
use clap::Subcommand;
use executor::runtime::hex::hex;
use harness::config::Written;
use serde_json::{Value, json};

use super::show::{self, Tone};
use super::{Failure, Places};

/// Read, prove, export and verify the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the last records
    Tail(find::TailArgs),
    /// Show one record with what it refers to
    Show {
        /// Number of the record
        number: u64,
        #[command(flatten)]
        places: Places,
    },
    /// Show the records that answer to what is asked
    Search(find::SearchArgs),
    /// Count what the ledger holds
    Stats(stats::StatsArgs),
    /// Check the whole ledger: every record, every body, the tree, the signatures
    Verify(proof::VerifyArgs),
    /// Print the proof of one record, for who has the public key alone
    Prove(proof::ProveArgs),
    /// Print the public key that checkpoints are signed with
    Key {
        #[command(flatten)]
        places: Places,
    },
    /// Print the newest checkpoint
    Checkpoint {
        #[command(flatten)]
        places: Places,
    },
    /// Keep a checkpoint that witnesses have cosigned
    Cosign(proof::CosignArgs),
    /// Keep the newest checkpoint where who can write the ledger cannot
    Anchor(proof::AnchorArgs),
    /// Write the ledger for other tools
    Export(export::ExportArgs),
    /// Erase fields and bodies of one record; every proof still holds
    Redact(change::RedactArgs),
    /// Erase the bodies of old records; every proof still holds
    Retain(change::RetainArgs),
}

pub(crate) fn audit(command: &AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Tail(args) => find::tail(args),
        AuditCommand::Show { number, places } => show_record(*number, places),
        AuditCommand::Search(args) => find::search(args),
        AuditCommand::Stats(args) => stats::stats(args),
        AuditCommand::Verify(args) => proof::verify(args),
        AuditCommand::Prove(args) => proof::prove(args),
        AuditCommand::Key { places } => proof::key(places),
        AuditCommand::Checkpoint { places } => proof::checkpoint(places),
        AuditCommand::Cosign(args) => proof::cosign(args),
        AuditCommand::Anchor(args) => proof::anchor(args),
        AuditCommand::Export(args) => export::export(args),
        AuditCommand::Redact(args) => change::redact(args),
        AuditCommand::Retain(args) => change::retain(args),
    }
}

fn ledger(places: &Places) -> Result<PathBuf, Failure> {
    Ok(places.config(Written::default())?.ledger_path())
}

/// What stands for an erased field.
const ERASED: &str = "(erased)";

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
            kept(&decision.principal),
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
        Data::Erasure(erasure) => format!("erasure   by {}: {}", erasure.by, erasure.reason),
    };
    format!("{seq:>8}  {time}  {what}")
}

fn kept(field: &Field<String>) -> &str {
    field.kept().map_or(ERASED, String::as_str)
}

fn print(record: &Record, json: bool) {
    match json {
        true => show::line(record.json()),
        false => show::line(&one_line(record)),
    }
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
    let mut bodies = serde_json::Map::new();
    for named in record.data().bodies() {
        let body = match reader.body(number, &named)? {
            Some(bytes) => shown(&bytes),
            None => json!(ERASED),
        };
        bodies.insert(named.name, body);
    }
    let document = json!({
        "record": serde_json::from_str::<Value>(record.json())?,
        "leaf": hex(&record.hash()),
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
