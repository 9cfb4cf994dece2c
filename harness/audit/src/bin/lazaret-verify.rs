//! `lazaret-verify FILE [--json]`: does this ledger hold?
//!
//! Needs the file and nothing else: no daemon, no network, no configuration.
//! Never writes. Prints one line; exits with 0 when the ledger holds, 1 at the
//! first fault, 2 when there was nothing to judge.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Digest, Fault, Id, Verified};
use serde_json::json;

const USAGE: &str = "usage: lazaret-verify FILE [--json]

Verifies a Lazaret ledger: every record, every body, the chain and its end.
Exits with 0 when it holds, 1 at the first fault, 2 when it cannot be read.";

/// How the answer is printed.
enum Style {
    Line,
    Json,
}

/// What was typed.
enum Request {
    Verify(PathBuf, Style),
    Help,
    Version,
    Wrong,
}

fn main() -> ExitCode {
    let (path, style) = match parse(std::env::args_os().skip(1)) {
        Request::Verify(path, style) => (path, style),
        Request::Help => return say(USAGE, 0),
        Request::Version => return say(concat!("lazaret-verify ", env!("CARGO_PKG_VERSION")), 0),
        Request::Wrong => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match (audit::verify(&path), style) {
        (Ok(verified), Style::Line) => say(&line(&verified), 0),
        (Ok(verified), Style::Json) => say(&holds(&verified).to_string(), 0),
        (Err(fault), Style::Line) => say(&format!("FAULT {fault}"), code(&fault)),
        (Err(fault), Style::Json) => say(&fails(&fault).to_string(), code(&fault)),
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Request {
    let mut path = None;
    let mut style = Style::Line;
    for argument in arguments {
        match argument.to_str() {
            Some("--json") => style = Style::Json,
            Some("--help" | "-h") => return Request::Help,
            Some("--version" | "-V") => return Request::Version,
            Some(text) if text.starts_with('-') => return Request::Wrong,
            Some(_) | None if path.is_some() => return Request::Wrong,
            Some(_) | None => path = Some(PathBuf::from(argument)),
        }
    }
    path.map_or(Request::Wrong, |path| Request::Verify(path, style))
}

fn say(line: &str, code: u8) -> ExitCode {
    // A reader that went away does not change the verdict.
    drop(writeln!(std::io::stdout(), "{line}"));
    ExitCode::from(code)
}

fn code(fault: &Fault) -> u8 {
    if fault.is_unreadable() { 2 } else { 1 }
}

fn line(verified: &Verified) -> String {
    let mark = match verified.marked {
        Some(count) => format!("mark at {count}"),
        None => "no mark beside it".to_owned(),
    };
    format!(
        "holds: {} records, {} bodies, {} open calls, {mark}, head {}",
        verified.records,
        verified.bodies,
        verified.open_calls.len(),
        Digest(verified.head_hash),
    )
}

fn holds(verified: &Verified) -> serde_json::Value {
    let open: Vec<_> = verified
        .open_calls
        .iter()
        .map(|call| json!({"seq": call.seq, "call_id": Id(call.call_id).to_string()}))
        .collect();
    json!({
        "holds": true,
        "records": verified.records,
        "bodies": verified.bodies,
        "head": Digest(verified.head_hash).to_string(),
        "marked": verified.marked,
        "open_calls": open,
    })
}

fn fails(fault: &Fault) -> serde_json::Value {
    json!({
        "holds": false,
        "judged": !fault.is_unreadable(),
        "record": fault.record(),
        "fault": fault.to_string(),
    })
}
