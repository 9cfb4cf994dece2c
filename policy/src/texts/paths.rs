//! Paths, lexically normal, with what they hide.
//!
//! `/proc/1/root/etc//./passwd` and `/etc/passwd` are the same file; rules should see the second.
//! Nothing is looked up: where a path leads through a link that only the kernel knows
//! (`/proc/self/cwd`, an open file), [`Path::known`] is false and the rest stays as written. A `..`
//! behind an ordinary link is resolved as if there were none, so it is named a disguise.
//!
//! The result is normal: [`normal`] of it gives the same value. Reading takes one pass.

use super::{percent, unicode};

/// What a path hides, or leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathDisguise {
    /// Steps up with `..`.
    DotDot,
    /// Goes through a process's root directory.
    ProcRoot,
    /// Goes through a process's working directory or program.
    ProcCwd,
    /// Is an open file of a process.
    OpenFile,
    /// Begins in a home directory.
    Home,
    /// Stands for several paths.
    Glob,
    /// Has a NUL byte, at which the kernel stops reading.
    Nul,
    /// Has control characters.
    Control,
    /// Has invisible or bidirectional characters.
    Hidden,
    /// Is not in Unicode's normal form, or looks like another path.
    NonNormal,
    /// Has a part that begins or ends in white space.
    TrailingSpace,
    /// Is a well-known name in other case, which is the same file on some file systems.
    Case,
    /// Has back-slashes, which are slashes elsewhere.
    BackSlash,
    /// Has percent-encoded dots or slashes.
    PercentEncoded,
    /// Was a `file:` URL.
    FileUrl,
}

impl PathDisguise {
    /// The name in facts and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DotDot => "dot-dot",
            Self::ProcRoot => "proc-root",
            Self::ProcCwd => "proc-cwd",
            Self::OpenFile => "open-file",
            Self::Home => "home",
            Self::Glob => "glob",
            Self::Nul => "nul",
            Self::Control => "control",
            Self::Hidden => "hidden",
            Self::NonNormal => "non-normal",
            Self::TrailingSpace => "trailing-space",
            Self::Case => "case",
            Self::BackSlash => "back-slash",
            Self::PercentEncoded => "percent-encoded",
            Self::FileUrl => "file-url",
        }
    }
}

/// A path, normal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Absolute, or from a home (`~/…`, `~user/…`), or relative if no directory was known.
    pub value: String,
    /// What it hides, sorted, each once.
    pub disguise: Vec<PathDisguise>,
    /// It climbs above the directory it starts from, or above the root.
    pub escapes: bool,
    /// The value says where the path leads, links of the file system aside. If not, it leads to
    /// some place that is known only at run time.
    pub known: bool,
}

/// The normal form of `path`, which a process in `directory` names.
///
/// `directory` may be absolute or begin with `~`; without it a relative path stays relative.
pub fn normal(path: &str, directory: Option<&str>) -> Path {
    let (text, mut disguise) = bare(path);
    disguise.extend(marks(&text));
    let directory = bare(directory.unwrap_or_default()).0;
    let mut walk = Walk::default();
    if is_relative(&text) {
        walk.begin(&directory);
        // What the directory itself hides is not this path's doing.
        walk.disguise.clear();
        walk.escapes = false;
        walk.floor = walk.parts.len();
        walk.follow(&text);
    } else {
        walk.begin(&text);
    }
    disguise.extend(walk.disguise.iter());
    disguise.sort_unstable();
    disguise.dedup();
    Path {
        value: walk.value(),
        disguise,
        escapes: walk.escapes,
        known: walk.fixed == 0,
    }
}

fn is_relative(text: &str) -> bool {
    !text.starts_with(['/', '~'])
}

/// The path that the kernel gets: without the form of a URL, up to the first NUL.
fn bare(path: &str) -> (String, Vec<PathDisguise>) {
    let mut disguise = Vec::new();
    let mut text = match file_url(path) {
        Some(decoded) => {
            disguise.push(PathDisguise::FileUrl);
            decoded
        }
        None => path.to_owned(),
    };
    if let Some(end) = text.find('\0') {
        disguise.push(PathDisguise::Nul);
        text.truncate(end);
    }
    (text, disguise)
}

/// The path of `file:/path` and `file://host/path`.
fn file_url(path: &str) -> Option<String> {
    let (scheme, rest) = path.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") || !rest.starts_with('/') {
        return None;
    }
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => rest,
    };
    let decoded = percent::decode(path.as_bytes());
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

/// What can be told without following the path.
fn marks(text: &str) -> Vec<PathDisguise> {
    let mut marks = Vec::new();
    let mut mark = |found: bool, disguise| marks.extend(found.then_some(disguise));
    let bytes = text.as_bytes();
    mark(is_glob(bytes), PathDisguise::Glob);
    mark(bytes.contains(&b'\\'), PathDisguise::BackSlash);
    mark(hides_steps(text), PathDisguise::PercentEncoded);
    mark(text.chars().any(char::is_control), PathDisguise::Control);
    mark(text.split('/').any(is_spaced), PathDisguise::TrailingSpace);
    mark(is_known_in_other_case(text), PathDisguise::Case);
    let differences = unicode::differences(text);
    mark(differences.hidden, PathDisguise::Hidden);
    mark(
        differences.nfkc || (differences.reading && !differences.hidden),
        PathDisguise::NonNormal,
    );
    marks
}

fn is_glob(bytes: &[u8]) -> bool {
    let braces = bytes.contains(&b'{') && bytes.contains(&b'}');
    braces || bytes.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

fn is_spaced(part: &str) -> bool {
    part.starts_with(char::is_whitespace) || part.ends_with(char::is_whitespace)
}

fn hides_steps(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        let escape = text.as_bytes().get(at..).and_then(percent::escape);
        matches!(escape, Some((b'.' | b'/' | b'\\' | b'%' | 0, _)))
    })
}

/// Names that rules are written about: anywhere in a path.
const WELL_KNOWN: [&str; 14] = [
    ".git",
    ".ssh",
    ".env",
    ".aws",
    ".gnupg",
    ".kube",
    ".docker",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".bashrc",
    ".profile",
    ".config",
    ".gitconfig",
];

/// Names that rules are written about: at the root.
const AT_ROOT: [&str; 10] = [
    "etc", "proc", "sys", "dev", "root", "boot", "home", "usr", "var", "run",
];

fn is_known_in_other_case(text: &str) -> bool {
    let other = |part: &str, names: &[&str]| {
        let of_name = |name: &&str| name.eq_ignore_ascii_case(part);
        names.iter().any(of_name) && part.bytes().any(|b| b.is_ascii_uppercase())
    };
    let mut parts = text.split('/').filter(|part| !part.is_empty());
    let first = parts.clone().next().filter(|_| text.starts_with('/'));
    first.is_some_and(|first| other(first, &AT_ROOT)) || parts.any(|p| other(p, &WELL_KNOWN))
}

/// The way that a path goes.
#[derive(Default)]
struct Walk<'a> {
    start: Start<'a>,
    parts: Vec<&'a str>,
    /// How many of the parts lead to a place that is not known: `..` goes not back over them.
    fixed: usize,
    /// How many of the parts belong to the directory that the path starts from.
    floor: usize,
    escapes: bool,
    disguise: Vec<PathDisguise>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Start<'a> {
    /// Some directory that is not known.
    #[default]
    Nowhere,
    Root,
    /// `~` or `~user`.
    Home(&'a str),
}

impl<'a> Walk<'a> {
    fn begin(&mut self, text: &'a str) {
        if text.starts_with('~') {
            let (home, rest) = text.split_once('/').unwrap_or((text, ""));
            self.start = Start::Home(home);
            self.disguise.push(PathDisguise::Home);
            self.follow(rest);
            return;
        }
        if text.starts_with('/') {
            self.start = Start::Root;
        }
        self.follow(text);
    }

    fn follow(&mut self, text: &'a str) {
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => self.up(part),
                _ => self.down(part),
            }
        }
    }

    fn up(&mut self, part: &'a str) {
        self.disguise.push(PathDisguise::DotDot);
        if self.parts.len() > self.fixed && self.parts.last() != Some(&"..") {
            self.parts.pop();
            self.escapes |= self.parts.len() < self.floor;
            self.floor = self.floor.min(self.parts.len());
            return;
        }
        self.escapes = true;
        // Above the root is the root; above all else is a place that is not known.
        if self.start != Start::Root || self.fixed > 0 {
            self.parts.push(part);
        }
    }

    fn down(&mut self, part: &'a str) {
        self.parts.push(part);
        if self.start != Start::Root || self.fixed > 0 {
            return;
        }
        match kernel_link(&self.parts) {
            Some(PathDisguise::ProcRoot) => {
                self.disguise.push(PathDisguise::ProcRoot);
                self.parts.clear();
                self.floor = 0;
            }
            Some(link) => {
                self.disguise.push(link);
                self.fixed = self.parts.len();
            }
            None => {}
        }
    }

    fn value(&self) -> String {
        let joined = self.parts.join("/");
        match self.start {
            Start::Root => format!("/{joined}"),
            Start::Home(home) if joined.is_empty() => home.to_owned(),
            Start::Home(home) => format!("{home}/{joined}"),
            Start::Nowhere if joined.is_empty() => ".".to_owned(),
            // What would be read otherwise if it stood at the beginning stays behind a dot.
            Start::Nowhere if joined.starts_with('~') || file_url(&joined).is_some() => {
                format!("./{joined}")
            }
            Start::Nowhere => joined,
        }
    }
}

/// What an absolute path of these parts is a link to, in the kernel's own file systems.
fn kernel_link(parts: &[&str]) -> Option<PathDisguise> {
    let of_process = match parts {
        ["dev", "fd", _] => return Some(PathDisguise::OpenFile),
        ["proc", process, "task", thread, rest @ ..]
            if is_process(process) && is_process(thread) =>
        {
            rest
        }
        ["proc", process, rest @ ..] if is_process(process) => rest,
        _ => return None,
    };
    match of_process {
        ["root"] => Some(PathDisguise::ProcRoot),
        ["cwd" | "exe"] => Some(PathDisguise::ProcCwd),
        ["fd" | "map_files", _] => Some(PathDisguise::OpenFile),
        _ => None,
    }
}

/// A process's directory below `/proc`, also where its number is a pattern or not known.
fn is_process(name: &str) -> bool {
    let number = |b: u8| b.is_ascii_digit() || is_glob(&[b]) || b == b'$';
    matches!(name, "self" | "thread-self")
        || name.bytes().all(number)
        || name.starts_with(['$', '['])
}

/// A word that is likely meant as a path: it has a slash, or is a dot file or a file with an
/// ending. A guess, for words of which nothing else is known; URLs and options are none.
pub fn looks_like_path(word: &str) -> bool {
    if word.is_empty() || word.starts_with('-') || word.contains(char::is_control) {
        return false;
    }
    if file_url(word).is_some() {
        return true;
    }
    if word.contains("://") {
        return false;
    }
    word.contains('/') || word.starts_with('~') || is_file_name(word)
}

/// How long a file's ending can be for [`looks_like_path`].
const MAX_ENDING_BYTES: usize = 8;

fn is_file_name(word: &str) -> bool {
    if matches!(word, "." | "..") {
        return true;
    }
    let Some((stem, ending)) = word.rsplit_once('.') else {
        return false;
    };
    let named = ending
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && ending.bytes().any(|b| b.is_ascii_alphabetic());
    let usual = |c: char| c.is_alphanumeric() || "._-+@~*?[]{}".contains(c);
    let dot_file = stem.is_empty() && !ending.is_empty();
    let short = ending.len() <= MAX_ENDING_BYTES || dot_file;
    named && short && stem.chars().all(usual)
}

#[cfg(test)]
mod tests;
