//! What the compiler says of a file that must not compile.
//!
//! The file is compiled against the very libraries that the tests were linked with, so that it
//! costs a second and not another build of every dependency. A comment `//~ TEXT` names an error
//! that must begin on its line, by its code or a part of its message; another error, or one that
//! stays away, is a fault of the case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What stands before the error that is expected on a line.
const MARK: &str = "//~ ";

/// The libraries that the cases are written against.
#[derive(Debug)]
pub struct Libraries {
    files: BTreeMap<String, PathBuf>,
    scratch: PathBuf,
}

/// An error, on the line where it begins.
type Said = (usize, String);

impl Libraries {
    /// Finds what cargo has built of `names` with the tests; a name has one such library.
    ///
    /// # Panics
    /// When cargo cannot say, or there is none or more than one of a name.
    #[must_use]
    pub fn find(names: &[&str], scratch: &Path) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["test", "--workspace", "--no-run", "--quiet"])
            .args(["--message-format", "json"])
            .output()
            .expect("cargo runs, as it did to build this test");
        assert!(
            output.status.success(),
            "cargo cannot name the libraries; run `cargo test --workspace --no-run` and see: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let built: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let files = names
            .iter()
            .map(|name| ((*name).to_owned(), library(name, &built)))
            .collect();
        Self {
            files,
            scratch: scratch.to_owned(),
        }
    }

    /// What is wrong with a case: an empty list when it is refused as it says.
    ///
    /// # Panics
    /// When the file cannot be read or the compiler cannot be started.
    #[must_use]
    pub fn faults(&self, case: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(case).expect("the case can be read");
        let expected = expected(&text);
        let name = case.display();
        if expected.is_empty() {
            return vec![format!("{name}: no line has a `{MARK}`")];
        }
        let said = self.errors(case);
        let unwanted = said
            .iter()
            .filter(|error| !expected.iter().any(|want| fits(want, error)))
            .map(|(line, message)| format!("{name}:{line}: `{message}` was not expected"));
        let missing = expected
            .iter()
            .filter(|want| !said.iter().any(|error| fits(want, error)))
            .map(|(line, message)| format!("{name}:{line}: `{message}` was not said"));
        unwanted.chain(missing).collect()
    }

    fn errors(&self, case: &Path) -> Vec<Said> {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args(["--edition", "2024", "--crate-type", "lib"])
            .args(["--emit", "metadata", "--error-format", "json"])
            .arg("--out-dir")
            .arg(&self.scratch)
            .arg(case);
        for (name, file) in &self.files {
            let folder = file.parent().unwrap_or(Path::new("."));
            rustc
                .arg("--extern")
                .arg(format!("{name}={}", file.display()))
                .arg("-L")
                .arg(format!("dependency={}", folder.display()));
        }
        let output = rustc.output().expect("rustc runs, as it did for this test");
        let text = String::from_utf8_lossy(&output.stderr);
        text.lines()
            .filter_map(|line| error(&serde_json::from_str(line).ok()?))
            .collect()
    }
}

/// The one library of a name among cargo's messages.
fn library(name: &str, built: &[Value]) -> PathBuf {
    let is_of_name = |message: &&Value| {
        message["reason"] == "compiler-artifact"
            && message["target"]["name"] == name
            && message["target"]["kind"] == serde_json::json!(["lib"])
            && message["profile"]["test"] == false
    };
    let files: Vec<PathBuf> = built
        .iter()
        .filter(is_of_name)
        .filter_map(|message| message["filenames"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .filter(|file| file.extension().is_some_and(|end| end == "rlib"))
        .collect();
    match files.as_slice() {
        [one] => one.clone(),
        [] | [_, ..] => panic!("one library `{name}` is wanted, cargo has built {files:?}"),
    }
}

fn expected(text: &str) -> Vec<Said> {
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.split_once(MARK)?.1.trim().to_owned())))
        .collect()
}

fn fits(want: &Said, error: &Said) -> bool {
    want.0 == error.0 && error.1.contains(&want.1)
}

/// An error with a place; a summary of errors has none.
fn error(message: &Value) -> Option<Said> {
    let spans = message["spans"].as_array()?;
    let place = spans.iter().find(|span| span["is_primary"] == true)?;
    let line = usize::try_from(place["line_start"].as_u64()?).ok()?;
    let text = message["message"].as_str()?;
    let text = match message["code"]["code"].as_str() {
        Some(code) => format!("{code}: {text}"),
        None => text.to_owned(),
    };
    (message["level"] == "error").then_some((line, text))
}
