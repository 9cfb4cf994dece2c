//! `lazaret-verify FILE`: does this ledger, export or proof hold?
//!
//! Needs the file and a public key, and nothing else: no daemon, no network, no
//! configuration. Never writes. Prints one line; exits with 0 when it holds, 1
//! at the first fault, 2 when there was nothing to judge.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{Checkpoint, Fault, PublicKey, Trust, judge};
use serde_json::json;

const USAGE: &str =
    "usage: lazaret-verify FILE [--key KEY] [--witness KEY]... [--anchor FILE]... [--json]

Verifies what FILE is: a Lazaret ledger, an export of one (JSON Lines, or a
directory of tiles), the proof of one record, or the proof that one ledger is
a beginning of another (with --anchor for the older checkpoint).

  --key KEY      the ledger's public key, or a file that holds it
                 [default: keys/NAME.pub beside a ledger, which shows accidents only]
  --witness KEY  a witness that must have cosigned
  --anchor FILE  a checkpoint that was kept elsewhere: a ledger that was cut or
                 put back is found by it
  --json         print a document instead of a line

Exits with 0 when it holds, 1 at the first fault, 2 when it cannot be read.";

/// A key or a checkpoint is a short text.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// How the answer is printed.
#[derive(Clone, Copy)]
enum Style {
    Line,
    Json,
}

/// What was typed.
#[derive(Default)]
struct Typed {
    file: Option<PathBuf>,
    key: Option<String>,
    witnesses: Vec<String>,
    anchors: Vec<PathBuf>,
    json: bool,
}

/// What is asked for.
enum Request {
    Verify(Typed),
    Help,
    Version,
    Wrong,
}

fn main() -> ExitCode {
    let typed = match parse(std::env::args_os().skip(1)) {
        Request::Verify(typed) => typed,
        Request::Help => return say(USAGE, 0),
        Request::Version => return say(concat!("lazaret-verify ", env!("CARGO_PKG_VERSION")), 0),
        Request::Wrong => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let style = if typed.json { Style::Json } else { Style::Line };
    let Some(file) = &typed.file else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match trust(&typed, file).and_then(|trust| judge(file, &trust)) {
        Ok(holds) => match style {
            Style::Line => say(&holds.to_string(), 0),
            Style::Json => say(&holds.to_json().to_string(), 0),
        },
        Err(fault) => match style {
            Style::Line => say(&format!("FAULT {fault}"), code(&fault)),
            Style::Json => say(&fails(&fault).to_string(), code(&fault)),
        },
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Request {
    let mut typed = Typed::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--json") => typed.json = true,
            Some("--help" | "-h") => return Request::Help,
            Some("--version" | "-V") => return Request::Version,
            Some(option @ ("--key" | "--witness" | "--anchor")) => {
                let Some(value) = arguments.next() else {
                    return Request::Wrong;
                };
                match option {
                    "--anchor" => typed.anchors.push(PathBuf::from(value)),
                    "--witness" => typed.witnesses.push(value.to_string_lossy().into_owned()),
                    _ => typed.key = Some(value.to_string_lossy().into_owned()),
                }
            }
            Some(text) if text.starts_with('-') => return Request::Wrong,
            Some(_) | None if typed.file.is_some() => return Request::Wrong,
            Some(_) | None => typed.file = Some(PathBuf::from(argument)),
        }
    }
    Request::Verify(typed)
}

fn trust(typed: &Typed, file: &Path) -> Result<Trust, Fault> {
    let key = match &typed.key {
        Some(key) => Some(public_key(key)?),
        None => Trust::beside(file)?.key,
    };
    let witnesses = typed.witnesses.iter().map(|key| public_key(key));
    let anchors = typed.anchors.iter().map(|path| {
        let text = read(path)?;
        let anchor = Checkpoint::parse(&text).map_err(|error| wrong(path, &error.to_string()))?;
        match &key {
            Some(key) if !anchor.is_signed_by(key) => Err(wrong(
                path,
                &format!("it is not signed by `{}`", key.name()),
            )),
            Some(_) | None => Ok(anchor),
        }
    });
    Ok(Trust {
        witnesses: witnesses.collect::<Result<_, _>>()?,
        anchors: anchors.collect::<Result<_, _>>()?,
        key,
    })
}

/// A key as it was typed, or in the file of that name.
fn public_key(typed: &str) -> Result<PublicKey, Fault> {
    let path = Path::new(typed);
    let text = match path.is_file() {
        true => read(path)?,
        false => typed.to_owned(),
    };
    PublicKey::parse(&text).map_err(|error| Fault::Unreadable(error.to_string()))
}

fn read(path: &Path) -> Result<String, Fault> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MAX_TEXT_BYTES).read_to_string(&mut text));
    read.map_err(|error| wrong(path, &error.to_string()))?;
    Ok(text)
}

fn wrong(path: &Path, detail: &str) -> Fault {
    Fault::Unreadable(format!("`{}`: {detail}", path.display()))
}

fn say(line: &str, code: u8) -> ExitCode {
    // A reader that went away does not change the verdict.
    drop(writeln!(std::io::stdout(), "{line}"));
    ExitCode::from(code)
}

fn code(fault: &Fault) -> u8 {
    if fault.is_unreadable() { 2 } else { 1 }
}

fn fails(fault: &Fault) -> serde_json::Value {
    json!({
        "holds": false,
        "judged": !fault.is_unreadable(),
        "record": fault.record(),
        "fault": fault.to_string(),
    })
}
