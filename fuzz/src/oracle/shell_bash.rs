//! Our reading of shell texts against bash's own `-n`, which checks the syntax and runs nothing.
//!
//! Slow: a process for each text. Needs a bash.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use policy::shell::{Syntax, analyse};

/// What bash's complaints can fill before we stop reading.
const MAX_SAID_BYTES: u64 = 1 << 16;

/// Any text: who accepts it, and if one does not, do we say so?
pub fn agrees_with_bash(text: &str) {
    // A command line ends at NUL, and aliases change the syntax of what follows them.
    if text.contains('\0') || text.len() > 4_096 {
        return;
    }
    let facts = analyse(text);
    let bash = accepted_by_bash(text);
    match facts.syntax {
        Syntax::Accepted => {
            assert!(
                bash || facts.is_opaque(),
                "only we accept, and know it all: {text:?}"
            );
        }
        Syntax::Rejected | Syntax::Unfinished => {
            assert!(facts.is_opaque(), "gave up without a word: {text:?}");
        }
    }
}

/// An error inside of `[[ ]]` leaves the status at 0, so what is said counts as well.
fn accepted_by_bash(text: &str) -> bool {
    let mut child = bash(text).spawn().expect("bash starts");
    let mut said = String::new();
    let stderr = child.stderr.take().expect("it is piped");
    let read = stderr.take(MAX_SAID_BYTES).read_to_string(&mut said);
    let status = child.wait().expect("bash ends");
    let only_warns = said.lines().all(|line| line.contains("warning:"));
    status.success() && (read.is_err() || only_warns)
}

fn bash(text: &str) -> Command {
    let mut command = Command::new(bash_path());
    command
        .args(["--norc", "--noprofile", "-n", "-c", "--", text])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/nonexistent")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn bash_path() -> &'static PathBuf {
    static BASH: OnceLock<PathBuf> = OnceLock::new();
    BASH.get_or_init(|| {
        let path = std::env::var_os("PATH").expect("a search path");
        let mut files = std::env::split_paths(&path).map(|folder| folder.join("bash"));
        files
            .find(|file| file.is_file())
            .expect("this target needs a bash")
    })
}
