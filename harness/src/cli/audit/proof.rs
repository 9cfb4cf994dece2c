//! `lazaret audit verify`, `prove`, `key`, `checkpoint`, `cosign` and `anchor`: what holds, and
//! how somebody else can know it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{Anchor, Checkpoint, KeyPaths, PublicKey, Reader, Trust, judge};
use clap::Args;
use harness::config::read_text;

use super::super::show::{self, Tone};
use super::super::{Failure, Places, STATUS_NO};
use super::ledger;

/// Check the whole ledger.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A ledger, an export or a proof [default: the ledger of the state directory]
    file: Option<PathBuf>,
    /// The public key, or a file that holds it [default: the one beside the ledger]
    #[arg(long)]
    key: Option<String>,
    /// A witness's public key, or a file that holds it: it must have cosigned
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
    /// A checkpoint that was kept elsewhere: a file of it, file:PATH or git:REPOSITORY
    #[arg(long, value_name = "PLACE")]
    anchor: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => ledger(&args.places)?,
    };
    match judge(&path, &trust(args, &path)?) {
        Ok(holds) if args.json => show::line(&holds.to_json().to_string()),
        Ok(holds) => {
            let told = holds.to_string();
            let rest = told.strip_prefix("holds").unwrap_or(&told);
            let good = show::tone(Tone::Good, "holds");
            show::line(&format!("{}: {good}{rest}", path.display()));
        }
        Err(fault) if fault.is_unreadable() => {
            return Err(format!("{}: {fault}", path.display()).into());
        }
        Err(fault) => {
            eprintln!("lazaret: {}: {fault}", path.display());
            return Ok(ExitCode::from(STATUS_NO));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn trust(args: &VerifyArgs, ledger: &Path) -> Result<Trust, Failure> {
    let key = match &args.key {
        Some(key) => Some(public_key(key)?),
        None => Trust::beside(ledger)?.key,
    };
    let witnesses = args.witness.iter().map(|key| public_key(key));
    let anchors = args
        .anchor
        .iter()
        .map(|place| anchored(place, key.as_ref()));
    Ok(Trust {
        witnesses: witnesses.collect::<Result<_, _>>()?,
        anchors: anchors.collect::<Result<_, _>>()?,
        key,
    })
}

/// A key as it was typed, or in the file of that name.
fn public_key(typed: &str) -> Result<PublicKey, Failure> {
    let path = Path::new(typed);
    let text = match path.is_file() {
        true => read_text(path)?,
        false => typed.to_owned(),
    };
    Ok(PublicKey::parse(&text)?)
}

fn anchored(place: &str, key: Option<&PublicKey>) -> Result<Checkpoint, Failure> {
    let path = Path::new(place);
    let checkpoint = match path.is_file() {
        true => Some(Checkpoint::parse(&read_text(path)?)?),
        false => place.parse::<Anchor>()?.get()?,
    };
    let checkpoint = checkpoint.ok_or_else(|| format!("there is no checkpoint at `{place}`"))?;
    match key {
        Some(key) if !checkpoint.is_signed_by(key) => Err(format!(
            "the checkpoint at `{place}` is not signed by `{}`",
            key.name()
        )
        .into()),
        Some(_) | None => Ok(checkpoint),
    }
}

/// Print the proof of one record.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// Number of the record
    #[arg(required_unless_present = "since_checkpoint")]
    number: Option<u64>,
    /// Show this field only; may be repeated [default: all that are there]
    #[arg(long, value_name = "FIELD")]
    show: Vec<String>,
    /// Instead: that the ledger of so many records is a beginning of this one, as witnesses take it
    #[arg(long, value_name = "RECORDS", conflicts_with_all = ["number", "show"])]
    since_checkpoint: Option<u64>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn prove(args: &ProveArgs) -> Result<ExitCode, Failure> {
    let reader = Reader::open(&ledger(&args.places)?)?;
    let proof = match (args.number, args.since_checkpoint) {
        (Some(number), _) => reader.prove(number, &args.show)?,
        (None, old) => reader.prove_extension(old.unwrap_or_default())?,
    };
    show::line(proof.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn key(places: &Places) -> Result<ExitCode, Failure> {
    let path = KeyPaths::of(&ledger(places)?).public;
    show::line(read_text(&path)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn checkpoint(places: &Places) -> Result<ExitCode, Failure> {
    let note = newest(places)?.note().to_string();
    show::line(note.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

fn newest(places: &Places) -> Result<Checkpoint, Failure> {
    let checkpoint = Reader::open(&ledger(places)?)?.checkpoint()?;
    Ok(checkpoint.ok_or("the ledger has no checkpoint yet; it signs one after some seconds")?)
}

/// Keep a checkpoint that witnesses have cosigned.
#[derive(Debug, Args)]
pub(crate) struct CosignArgs {
    /// The checkpoint with their signatures
    file: PathBuf,
    /// A witness's public key, or a file that holds it
    #[arg(long, value_name = "KEY", required = true)]
    witness: Vec<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn cosign(args: &CosignArgs) -> Result<ExitCode, Failure> {
    let keys = args.witness.iter().map(|key| public_key(key));
    let keys: Vec<PublicKey> = keys.collect::<Result<_, _>>()?;
    let text = read_text(&args.file)?;
    let size = audit::cosign(&ledger(&args.places)?, &text, &keys)?;
    let names: Vec<&str> = keys.iter().map(PublicKey::name).collect();
    show::line(&format!(
        "the checkpoint over {size} records is cosigned by {}",
        names.join(", ")
    ));
    Ok(ExitCode::SUCCESS)
}

/// Keep the newest checkpoint elsewhere.
#[derive(Debug, Args)]
pub(crate) struct AnchorArgs {
    /// file:PATH, git:REPOSITORY, git:REPOSITORY#REF or journal:
    #[arg(required = true)]
    places_to: Vec<Anchor>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn anchor(args: &AnchorArgs) -> Result<ExitCode, Failure> {
    let checkpoint = newest(&args.places)?;
    for anchor in &args.places_to {
        anchor.put(&checkpoint)?;
        show::line(&format!("{anchor}: {} records", checkpoint.size()));
    }
    Ok(ExitCode::SUCCESS)
}
