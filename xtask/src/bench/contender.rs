//! The ways to run `print(1)`: each does it once and checks that `1` came out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::api::Client;
use crate::failure::Failure;
use crate::shell;

pub(super) const CODE: &str = "print(1)";
const JAVASCRIPT_CODE: &str = "console.log(1)";
const PRINTED: &str = "1\n";
/// What the daemon's answer must hold, as it stands in JSON.
const ANSWERED: &str = r#""stdout":"1\n""#;
/// The distribution's own interpreter, where there is one: the same as in the
/// image, and no wrapper of a version manager.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// One way to run it.
pub(super) struct Contender {
    pub(super) name: String,
    /// Takes part in every so many rounds: what takes a second would otherwise
    /// be all that is measured.
    pub(super) every: u32,
    way: Way,
}

enum Way {
    Http { client: Client, body: Vec<u8> },
    Process(Vec<String>),
}

impl Contender {
    /// Through the daemon, over a connection that is kept.
    pub(super) fn lazaret(client: &Client, language: Language) -> Self {
        Self {
            name: format!("lazaret, {}, HTTP API, ledger durable", language.name()),
            every: 1,
            way: Way::Http {
                client: client.another(),
                body: request_body(language),
            },
        }
    }

    pub(super) fn process(name: &str, every: u32, line: &[&str]) -> Self {
        Self {
            name: name.into(),
            every,
            way: Way::Process(line.iter().map(|&word| word.into()).collect()),
        }
    }

    /// Runs it once.
    pub(super) fn once(&self) -> Result<(), Failure> {
        match &self.way {
            Way::Http { client, body } => call(client, body),
            Way::Process(line) => self.spawn(line),
        }
    }

    fn spawn(&self, line: &[String]) -> Result<(), Failure> {
        let Some((program, arguments)) = line.split_first() else {
            return Err(Failure::answer(&self.name, "nothing: no command line"));
        };
        let printed = shell::read(Command::new(program).args(arguments).stdin(Stdio::null()))?;
        if printed == PRINTED {
            return Ok(());
        }
        Err(Failure::answer(&self.name, format!("`{}`", printed.trim())))
    }
}

/// What a call is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    JavaScript,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Python => CODE,
            Self::JavaScript => JAVASCRIPT_CODE,
        }
    }
}

/// A program that prints 1.
pub(super) fn request_body(language: Language) -> Vec<u8> {
    json!({"language": language.name().to_lowercase(), "code": language.code()})
        .to_string()
        .into_bytes()
}

/// One call over HTTP, checked without reading the answer as JSON: the client
/// must not cost more than what it measures.
pub(super) fn call(client: &Client, body: &[u8]) -> Result<(), Failure> {
    let (status, answer) = client.post(body)?;
    let answer = String::from_utf8_lossy(&answer);
    if status == 200 && answer.contains(ANSWERED) {
        return Ok(());
    }
    Err(Failure::answer(
        "the daemon",
        format!("status {status}: {answer}"),
    ))
}

/// python3 as everybody starts it, and with all that can be left out left out.
/// The first is what the ratios are taken to.
pub(super) fn natives() -> Result<Vec<Contender>, Failure> {
    let python = interpreter()?;
    let python = python.to_string_lossy();
    Ok(vec![
        Contender::process("python3 -c", 1, &[&python, "-c", CODE]),
        Contender::process("python3 -I -S -c", 1, &[&python, "-I", "-S", "-c", CODE]),
    ])
}

/// node as everybody starts it, where it is.
pub(super) fn node() -> Option<Contender> {
    if shell::find("node").is_none() {
        println!("node: left out, it is not there");
        return None;
    }
    let line = ["node", "-e", JAVASCRIPT_CODE];
    Some(Contender::process("node -e", 1, &line))
}

/// bubblewrap with every namespace unshared and only /usr to see.
pub(super) fn bubblewrap() -> Result<Option<Contender>, Failure> {
    let python = interpreter()?;
    if shell::find("bwrap").is_none() || !python.starts_with("/usr") {
        println!("bubblewrap: left out, `bwrap` or {SYSTEM_PYTHON} is not there");
        return Ok(None);
    }
    let line = "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --clearenv \
                --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
                --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp --chdir /tmp --";
    let python = python.to_string_lossy();
    let words: Vec<&str> = line
        .split_whitespace()
        .chain([python.as_ref(), "-c", CODE])
        .collect();
    let contender = Contender::process("bubblewrap, python3 -c", 1, &words);
    contender.once()?;
    Ok(Some(contender))
}

fn interpreter() -> Result<PathBuf, Failure> {
    if Path::new(SYSTEM_PYTHON).exists() {
        return Ok(SYSTEM_PYTHON.into());
    }
    let own =
        shell::read(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))?;
    Ok(own.trim().into())
}
