//! The arguments of `execute_code` as a program: what is run, what it reads, what
//! is wanted back.
//!
//! The same reading serves twice: the gateway uses it to refuse bad input, and
//! the backend reads the arguments of the permit itself with it, so that what
//! runs is what was judged.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policy::{Limits, ToolCall};
use serde::Deserialize;

/// Longest path of a file, in bytes: well below the kernel's 4,096.
const MAX_PATH_BYTES: usize = 1_024;

/// Longest name within a path, as most file systems have it.
const MAX_NAME_BYTES: usize = 255;

/// Directories above a file.
const MAX_PATH_DEPTH: usize = 16;

/// Arguments of a program, far above what a command line carries.
const MAX_ARGS: usize = 1_024;

/// All arguments together, in bytes.
const MAX_ARGS_BYTES: usize = 128 << 10;

/// Patterns of files that are wanted back.
const MAX_PATTERNS: usize = 64;

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1_024;

/// A file in the workspace fills whole pages: that is what a file system in memory is
/// made of, and how a call's files are counted.
const PAGE_BYTES: u64 = 4 << 10;

/// A program and everything that it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Language of the code.
    pub language: String,
    /// Source text.
    pub code: String,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// All of standard input.
    pub stdin: Vec<u8>,
    /// Files in the workspace.
    pub files: Vec<FileIn>,
    /// Patterns of files that are wanted back.
    pub collect: Vec<String>,
    /// Where it starts, if not in the workspace.
    pub directory: Option<String>,
}

/// A file that a program finds in its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIn {
    /// Path relative to the workspace.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
}

/// Why arguments are no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Not the shape of the arguments.
    #[error("{0}; see docs/API.md for the fields")]
    Shape(String),
    /// A path that leaves the workspace or could be read in two ways.
    #[error("the path `{path}` {why}; give a plain path relative to the workspace")]
    Path {
        /// The path, made printable.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two files under one path.
    #[error("the file `{0}` is given twice; give it once")]
    Twice(String),
    /// Both or neither of two fields that exclude each other.
    #[error("{0}")]
    Either(&'static str),
    /// Not Base64.
    #[error("`{0}` is not Base64 with padding")]
    Base64(String),
    /// A NUL byte where a C string will be made.
    #[error("`{0}` contains a NUL byte; leave it out")]
    Nul(&'static str),
    /// More than is taken.
    #[error("`{field}` has {found}, at most {most} are taken")]
    TooMany {
        /// The field.
        field: &'static str,
        /// How much there was.
        found: u64,
        /// How much is taken.
        most: u64,
    },
    /// A pattern that is no glob.
    #[error("the pattern `{pattern}` is no glob: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The reader's word.
        why: String,
    },
}

/// The language of a command's text.
const COMMAND_LANGUAGE: &str = "bash";

/// Where a command that names no place, or a relative one, starts.
const COMMAND_ROOT: &str = "/workspace";

/// The arguments of `run_command` as they stand on the wire.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCommand<'a> {
    command: &'a str,
    directory: Option<&'a str>,
    #[serde(default)]
    args: Vec<String>,
    stdin: Option<&'a str>,
    stdin_base64: Option<&'a str>,
    #[serde(default)]
    files: Vec<WireFile<'a>>,
    #[serde(default)]
    collect: Vec<String>,
    /// Judged by `policy`, which reads it itself.
    #[serde(default, rename = "profile")]
    _profile: Option<&'a str>,
    /// Judged by `policy`, which reads it itself.
    #[serde(default, rename = "limits")]
    _limits: Option<WireLimits>,
}

/// The arguments as they stand on the wire.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireProgram<'a> {
    language: &'a str,
    code: &'a str,
    #[serde(default)]
    args: Vec<String>,
    stdin: Option<&'a str>,
    stdin_base64: Option<&'a str>,
    #[serde(default)]
    files: Vec<WireFile<'a>>,
    #[serde(default)]
    collect: Vec<String>,
    /// Judged by `policy`, which reads it itself.
    #[serde(default, rename = "profile")]
    _profile: Option<&'a str>,
    /// Judged by `policy`, which reads it itself.
    #[serde(default, rename = "limits")]
    _limits: Option<WireLimits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile<'a> {
    path: &'a str,
    content: Option<&'a str>,
    content_base64: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLimits {
    #[serde(default, rename = "wall_ms")]
    _wall_ms: Option<u64>,
    #[serde(default, rename = "memory_bytes")]
    _memory_bytes: Option<u64>,
    #[serde(default, rename = "output_bytes")]
    _output_bytes: Option<u64>,
}

impl Program {
    /// Whether the arguments of `tool` are a program.
    #[must_use]
    pub fn is_tool(tool: &str) -> bool {
        [policy::CODE_TOOL, policy::COMMAND_TOOL].contains(&tool)
    }

    /// Read the arguments of a call: of `run_command` as a shell text, of every other tool as
    /// code.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn read(call: &ToolCall) -> Result<Self, ProgramError> {
        match call.tool() == policy::COMMAND_TOOL {
            true => Self::read_command(call),
            false => Self::read_code(call),
        }
    }

    fn read_command(call: &ToolCall) -> Result<Self, ProgramError> {
        let wire: WireCommand<'_> =
            serde_path_to_error::deserialize(call.arguments()).map_err(|error| shape(&error))?;
        no_nul("command", wire.command)?;
        check_args(&wire.args)?;
        check_patterns(&wire.collect)?;
        Ok(Self {
            language: COMMAND_LANGUAGE.to_owned(),
            code: wire.command.to_owned(),
            args: wire.args,
            stdin: stdin(wire.stdin, wire.stdin_base64)?,
            files: files(wire.files)?,
            collect: wire.collect,
            directory: wire.directory.map(directory).transpose()?,
        })
    }

    fn read_code(call: &ToolCall) -> Result<Self, ProgramError> {
        let wire: WireProgram<'_> =
            serde_path_to_error::deserialize(call.arguments()).map_err(|error| shape(&error))?;
        no_nul("code", wire.code)?;
        check_args(&wire.args)?;
        check_patterns(&wire.collect)?;
        Ok(Self {
            language: wire.language.to_owned(),
            code: wire.code.to_owned(),
            stdin: stdin(wire.stdin, wire.stdin_base64)?,
            files: files(wire.files)?,
            args: wire.args,
            collect: wire.collect,
            directory: None,
        })
    }

    /// Hold the program against the limits of its grant.
    ///
    /// # Errors
    /// The first limit that it is over.
    pub fn fits(&self, limits: &Limits) -> Result<(), ProgramError> {
        let pages = self
            .files
            .iter()
            .map(|file| (file.content.len() as u64).next_multiple_of(PAGE_BYTES));
        let file_bytes = pages.sum();
        at_most("code", self.code.len() as u64, limits.code_bytes)?;
        at_most("stdin", self.stdin.len() as u64, limits.stdin_bytes)?;
        at_most(
            "files",
            self.files.len() as u64 + self.directories(),
            limits.file_count,
        )?;
        at_most("files", file_bytes, limits.file_bytes)
    }
}

impl Program {
    /// Directories that the files need; they count as files do.
    fn directories(&self) -> u64 {
        let dirs: BTreeSet<&str> = self
            .files
            .iter()
            .flat_map(|file| {
                file.path
                    .match_indices('/')
                    .map(|(at, _)| file.path.split_at(at).0)
            })
            .collect();
        dirs.len() as u64
    }
}

/// Check that a path names one place below the workspace and nothing else.
///
/// # Errors
/// What is wrong with it.
pub fn check_path(path: &str) -> Result<(), ProgramError> {
    let wrong = |why| ProgramError::Path {
        path: short(path),
        why,
    };
    if path.is_empty() || path.len() > MAX_PATH_BYTES {
        return Err(wrong("is empty or longer than 1,024 bytes"));
    }
    if path.contains('\0') || path.chars().any(char::is_control) {
        return Err(wrong("contains a control character"));
    }
    if path.starts_with('/') {
        return Err(wrong("is absolute"));
    }
    for name in path.split('/') {
        match name {
            "" | "." => return Err(wrong("has an empty component or `.`")),
            ".." => return Err(wrong("goes up with `..`")),
            long if long.len() > MAX_NAME_BYTES => {
                return Err(wrong("has a name of more than 255 bytes"));
            }
            _plain => {}
        }
    }
    match path.split('/').count() > MAX_PATH_DEPTH {
        true => Err(wrong("is more than 16 levels deep")),
        false => Ok(()),
    }
}

/// The reader's word, with the place that it is about.
fn shape(error: &serde_path_to_error::Error<serde_json::Error>) -> ProgramError {
    let (path, said) = (error.path().to_string(), error.inner().to_string());
    ProgramError::Shape(match path.as_str() {
        "." => said,
        path => format!("`{}`: {said}", short(path)),
    })
}

/// What is shown of a client's text in a message.
const MAX_SHOWN_CHARS: usize = 80;

/// A client's text in a message: printable, and one short line.
fn short(text: &str) -> String {
    let shown: String = text.escape_debug().take(MAX_SHOWN_CHARS).collect();
    match text.escape_debug().nth(MAX_SHOWN_CHARS) {
        None => shown,
        Some(_) => shown + "…",
    }
}

/// A place inside the sandbox, where its own file system decides what it is.
fn directory(path: &str) -> Result<String, ProgramError> {
    no_nul("directory", path)?;
    at_most("directory", path.len() as u64, MAX_PATH_BYTES as u64)?;
    Ok(match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{COMMAND_ROOT}/{path}"),
    })
}

fn files(wire: Vec<WireFile<'_>>) -> Result<Vec<FileIn>, ProgramError> {
    let mut files = Vec::with_capacity(wire.len());
    for file in wire {
        check_path(file.path)?;
        let content = match (file.content, file.content_base64) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(text)) => decode("content_base64", text)?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(ProgramError::Either(
                    "a file has either `content` or `content_base64`",
                ));
            }
        };
        files.push(FileIn {
            path: file.path.to_owned(),
            content,
        });
    }
    unique(&files)?;
    Ok(files)
}

/// No path twice, and none that is a directory of another.
fn unique(files: &[FileIn]) -> Result<(), ProgramError> {
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable_by(|a, b| a.split('/').cmp(b.split('/')));
    for pair in paths.windows(2) {
        if let [above, below] = pair
            && (above == below
                || below
                    .strip_prefix(above)
                    .is_some_and(|rest| rest.starts_with('/')))
        {
            return Err(ProgramError::Twice(short(above)));
        }
    }
    Ok(())
}

fn stdin(text: Option<&str>, base64: Option<&str>) -> Result<Vec<u8>, ProgramError> {
    match (text, base64) {
        (None, None) => Ok(Vec::new()),
        (Some(text), None) => Ok(text.as_bytes().to_vec()),
        (None, Some(base64)) => decode("stdin_base64", base64),
        (Some(_), Some(_)) => Err(ProgramError::Either(
            "standard input is either `stdin` or `stdin_base64`",
        )),
    }
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, ProgramError> {
    BASE64
        .decode(text)
        .map_err(|_| ProgramError::Base64(field.to_owned()))
}

fn check_args(args: &[String]) -> Result<(), ProgramError> {
    at_most("args", args.len() as u64, MAX_ARGS as u64)?;
    let bytes: usize = args.iter().map(String::len).sum();
    at_most("args", bytes as u64, MAX_ARGS_BYTES as u64)?;
    args.iter().try_for_each(|arg| no_nul("args", arg))
}

fn check_patterns(patterns: &[String]) -> Result<(), ProgramError> {
    at_most("collect", patterns.len() as u64, MAX_PATTERNS as u64)?;
    for pattern in patterns {
        at_most("collect", pattern.len() as u64, MAX_PATTERN_BYTES as u64)?;
        globset::Glob::new(pattern).map_err(|error| ProgramError::Pattern {
            pattern: short(pattern),
            why: error.kind().to_string(),
        })?;
    }
    Ok(())
}

fn no_nul(field: &'static str, text: &str) -> Result<(), ProgramError> {
    match text.contains('\0') {
        true => Err(ProgramError::Nul(field)),
        false => Ok(()),
    }
}

fn at_most(field: &'static str, found: u64, most: u64) -> Result<(), ProgramError> {
    match found > most {
        true => Err(ProgramError::TooMany { field, found, most }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_path;

    #[test]
    fn paths_that_name_one_place_are_taken() {
        for path in [
            "a",
            "a.txt",
            "out/b.csv",
            "..a",
            "a..",
            "a/..b",
            "ä/ß",
            "a b",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_or_confuse_are_refused() {
        let long = "x".repeat(300);
        let deep = "a/".repeat(17) + "b";
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/../b",
            "a/..",
            ".",
            "./a",
            "a/.",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            &long,
            &deep,
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }
}
