//! Anchors: the newest checkpoint, kept where who can write the ledger cannot.
//!
//! A ledger that was cut or put back is a perfect shorter ledger; only what
//! lies elsewhere knows that there was more. An anchor is a file (on another
//! disk, host or mount), a ref of a git repository, or a line of the system's
//! journal. It only ever moves forward: a checkpoint over fewer records than
//! the one that is anchored is refused, and that is a finding.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use crate::checkpoint::Checkpoint;
use crate::note::MAX_NOTE_BYTES;

/// Where the ref lies when none is named.
const REFERENCE: &str = "refs/lazaret/ledger";

/// The journal's socket for messages with fields.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Where a checkpoint is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// A file, which is replaced.
    File(PathBuf),
    /// A ref, which gets one commit more.
    Git {
        /// The repository.
        repository: PathBuf,
        /// The ref.
        reference: String,
    },
    /// The journal, which gets one message more.
    Journal,
}

/// Why a checkpoint is not anchored.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The place has no form that is known.
    #[error("`{0}` is no anchor; write file:PATH, git:REPOSITORY, git:REPOSITORY#REF or journal:")]
    Form(String),
    /// The place cannot be used.
    #[error("`{place}`: {detail}")]
    Place {
        /// Which.
        place: String,
        /// Why.
        detail: String,
    },
    /// The anchor is ahead of the ledger.
    #[error(
        "`{place}` has a checkpoint over {anchored} records, and the ledger's is over {own}: the ledger was cut or put back"
    )]
    Ahead {
        /// Which.
        place: String,
        /// Records under the anchor.
        anchored: u64,
        /// Records under the ledger's newest checkpoint.
        own: u64,
    },
    /// The anchor is another ledger's.
    #[error("`{place}` is the anchor of `{origin}`; name another place")]
    Other {
        /// Which.
        place: String,
        /// Whose.
        origin: String,
    },
}

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let form = || AnchorError::Form(text.to_owned());
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("git", place)) if !place.is_empty() => {
                let (repository, reference) = place.split_once('#').unwrap_or((place, REFERENCE));
                match reference.starts_with("refs/") {
                    true => Ok(Self::Git {
                        repository: repository.into(),
                        reference: reference.to_owned(),
                    }),
                    false => Err(form()),
                }
            }
            Some(("journal", "")) => Ok(Self::Journal),
            Some(_) | None => Err(form()),
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Git {
                repository,
                reference,
            } => write!(out, "git:{}#{reference}", repository.display()),
            Self::Journal => write!(out, "journal:"),
        }
    }
}

impl Anchor {
    /// The checkpoint that is kept there; the journal is not read.
    ///
    /// # Errors
    /// When the place cannot be read or what lies there is no checkpoint.
    pub fn get(&self) -> Result<Option<Checkpoint>, AnchorError> {
        let text = match self {
            Self::File(path) => read(path).map_err(|error| self.failed(&error.to_string()))?,
            Self::Git {
                repository,
                reference,
            } => {
                // Whether the repository is one is said by its own word.
                git(repository, &["rev-parse", "--git-dir"], "").map_err(|e| self.failed(&e))?;
                let blob = format!("{reference}:checkpoint");
                git(repository, &["show", &blob], "").ok()
            }
            Self::Journal => None,
        };
        let parsed = text.map(|text| Checkpoint::parse(&text)).transpose();
        parsed.map_err(|error| self.failed(&error.to_string()))
    }

    /// Keeps a checkpoint there.
    ///
    /// # Errors
    /// When the place has a later one, one of another ledger, or cannot be written.
    pub fn put(&self, checkpoint: &Checkpoint) -> Result<(), AnchorError> {
        if let Some(kept) = self.get()? {
            self.check(&kept, checkpoint)?;
            if kept.size() == checkpoint.size() {
                return Ok(());
            }
        }
        let note = checkpoint.note().to_string();
        let written = match self {
            Self::File(path) => replace(path, &note).map_err(|error| error.to_string()),
            Self::Git {
                repository,
                reference,
            } => commit(repository, reference, &note, checkpoint.size()),
            Self::Journal => tell_journal(&note, checkpoint.size()).map_err(|e| e.to_string()),
        };
        written.map_err(|detail| self.failed(&detail))
    }

    fn check(&self, kept: &Checkpoint, new: &Checkpoint) -> Result<(), AnchorError> {
        let place = self.to_string();
        if kept.origin() != new.origin() {
            let origin = kept.origin().to_owned();
            return Err(AnchorError::Other { place, origin });
        }
        let is_same = kept.size() == new.size() && kept.root() == new.root();
        match is_same || kept.size() < new.size() {
            true => Ok(()),
            false => Err(AnchorError::Ahead {
                place,
                anchored: kept.size(),
                own: new.size(),
            }),
        }
    }

    fn failed(&self, detail: &str) -> AnchorError {
        AnchorError::Place {
            place: self.to_string(),
            detail: detail.trim().replace('\n', "; "),
        }
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    use std::io::Read as _;
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(MAX_NOTE_BYTES as u64 + 1)
        .read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Under another name first, so that there is always a whole checkpoint.
fn replace(path: &Path, note: &str) -> io::Result<()> {
    let mut unborn = path.as_os_str().to_owned();
    unborn.push(".new");
    let unborn = PathBuf::from(unborn);
    let mut file = fs::File::create(&unborn)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unborn, path)
}

fn commit(repository: &Path, reference: &str, note: &str, size: u64) -> Result<(), String> {
    let parent = git(repository, &["rev-parse", "--verify", "-q", reference], "").ok();
    let blob = git(repository, &["hash-object", "-w", "--stdin"], note)?;
    let tree = git(
        repository,
        &["mktree"],
        &format!("100644 blob {blob}\tcheckpoint\n"),
    )?;
    let message = format!("{size} records");
    let mut words = vec!["commit-tree", tree.as_str(), "-m", &message];
    if let Some(parent) = &parent {
        words.extend(["-p", parent.as_str()]);
    }
    let commit = git(repository, &words, "")?;
    // Fails when somebody moved it in between.
    let zero = "0".repeat(commit.len());
    let old = parent.as_deref().unwrap_or(&zero);
    git(repository, &["update-ref", reference, &commit, old], "").map(drop)
}

fn git(repository: &Path, words: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(words)
        .envs([
            ("GIT_AUTHOR_NAME", "lazaret"),
            ("GIT_COMMITTER_NAME", "lazaret"),
        ])
        .envs([
            ("GIT_AUTHOR_EMAIL", "lazaret@localhost"),
            ("GIT_COMMITTER_EMAIL", "lazaret@localhost"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // What git does not read it does not need.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        // A checkpoint keeps its line feed; everything else is one word.
        true if words.first() == Some(&"show") => Ok(text(&output.stdout)),
        true => Ok(text(&output.stdout).trim().to_owned()),
        false => Err(text(&output.stderr)),
    }
}

/// A message in the journal's own form: a field with line feeds is preceded by its length.
fn tell_journal(note: &str, size: u64) -> io::Result<()> {
    let mut message = Vec::new();
    message.extend_from_slice(b"MESSAGE\n");
    message.extend_from_slice(&(note.len() as u64).to_le_bytes());
    message.extend_from_slice(note.as_bytes());
    let rest = format!("\nPRIORITY=5\nSYSLOG_IDENTIFIER=lazaret-ledger\nLAZARET_RECORDS={size}\n");
    message.extend_from_slice(rest.as_bytes());
    UnixDatagram::unbound()?
        .send_to(&message, JOURNAL)
        .map(drop)
}
