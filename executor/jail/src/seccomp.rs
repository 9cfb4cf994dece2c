//! The lists of system calls: read, checked for redundancy, compiled and installed.
//!
//! A list is data (`profiles/seccomp/ROLE.toml`, built into the program): what is allowed,
//! what is answered with an error, and why. Everything else ends the process. A list
//! with a rule that changes nothing, or with one that has no reason, does not load.
//!
//! One classic BPF program knows one answer beside its default, so a list becomes one
//! program for each errno and, last, the allow-list itself. The kernel runs them all and
//! the strictest answer wins.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, TargetArch};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::plan::Role;

/// The programs of one role, ready to install, in the order of installation.
#[derive(Clone, Debug)]
pub struct Filter {
    role: Role,
    programs: Vec<BpfProgram>,
    digest: [u8; 32],
}

impl Filter {
    /// Compiles the list of `role` for this machine.
    ///
    /// # Errors
    /// A list that does not parse, is redundant, or names a call that this machine lacks.
    pub fn of(role: Role) -> Result<Self, ListError> {
        Self::compile(role, &List::parse(text_of(role))?)
    }

    /// The list that this was compiled from.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How many filters `/proc/PID/status` will show more than before.
    #[must_use]
    pub fn count(&self) -> usize {
        self.programs.len()
    }

    /// The same without compiling the list again.
    pub(crate) fn count_of(role: Role) -> Result<usize, ListError> {
        let list = List::parse(text_of(role))?;
        Ok(list.refusals()?.len() + 1)
    }

    /// SHA-256 over the programs as the kernel gets them, each behind its length in
    /// instructions (u64, little endian).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Installs the programs on every thread. Cannot be undone.
    pub(crate) fn install(&self) -> Result<(), seccompiler::Error> {
        self.programs
            .iter()
            .try_for_each(|program| seccompiler::apply_filter_all_threads(program))
    }

    fn compile(role: Role, list: &List) -> Result<Self, ListError> {
        let refused = list.refusals()?;
        let mut programs = Vec::with_capacity(refused.len() + 1);
        for (errno, rules) in &refused {
            let action = serde_json::json!({ "errno": errno });
            programs.push(program("allow".into(), action, rules)?);
        }
        programs.push(program(
            "kill_process".into(),
            "allow".into(),
            &list.passed()?,
        )?);
        let digest = digest(&programs);
        Ok(Self {
            role,
            programs,
            digest,
        })
    }
}

/// The text of the list of `role`, as it lies in the repository.
#[must_use]
pub fn text_of(role: Role) -> &'static str {
    match role {
        Role::Worker => include_str!("../../../profiles/seccomp/worker.toml"),
        Role::Compile => include_str!("../../../profiles/seccomp/compile.toml"),
    }
}

/// A list that was read and holds no rule in vain.
#[derive(Clone, Debug)]
pub struct List(file::List);

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// Anything but a list in which every rule has a reason and none is redundant.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let list: file::List =
            toml::from_str(text).map_err(|source| ListError::Syntax(Box::new(source)))?;
        if list.version != VERSION {
            return Err(ListError::Version(list.version));
        }
        let list = Self(list);
        list.check()?;
        Ok(list)
    }

    /// The calls that are allowed, with or without conditions, sorted.
    #[must_use]
    pub fn allowed(&self) -> Vec<&str> {
        let mut calls: Vec<_> = self.0.allow.iter().map(|rule| rule.call.as_str()).collect();
        calls.sort_unstable();
        calls.dedup();
        calls
    }

    fn check(&self) -> Result<(), ListError> {
        let allow = self.0.allow.iter().map(|r| (&r.call, &r.args, &r.why));
        let refuse = self.0.refuse.iter().map(|r| (&r.call, &r.args, &r.why));
        let mut seen: Vec<(&str, Vec<Vec<Condition>>)> = Vec::new();
        for (call, args, why) in allow.chain(refuse) {
            if why.trim().is_empty() {
                return Err(ListError::NoReason(call.clone()));
            }
            let ways = ways(call, args)?;
            if let Some(how) = redundancy(&seen, call, &ways) {
                return Err(ListError::Redundant {
                    call: call.clone(),
                    how,
                });
            }
            seen.push((call, ways));
        }
        Ok(())
    }

    /// What the allow-list lets through: also what another program answers with an error.
    fn passed(&self) -> Result<Vec<serde_json::Value>, ListError> {
        let allow = self.0.allow.iter().map(|r| (&r.call, &r.args));
        let refuse = self.0.refuse.iter().map(|r| (&r.call, &r.args));
        let mut rules = Vec::new();
        for (call, args) in allow.chain(refuse) {
            rules.extend(rules_of(call, args)?);
        }
        Ok(rules)
    }

    fn refusals(&self) -> Result<BTreeMap<i32, Vec<serde_json::Value>>, ListError> {
        let mut by_errno: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for rule in &self.0.refuse {
            let rules = rules_of(&rule.call, &rule.args)?;
            by_errno
                .entry(rule.errno.number())
                .or_default()
                .extend(rules);
        }
        Ok(by_errno)
    }
}

/// The form of list files that this program reads.
const VERSION: u32 = 1;

/// Why a list does not load.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not TOML, an unknown key, a wrong type.
    #[error("{}", one_line(.0))]
    Syntax(Box<toml::de::Error>),
    /// Made for another program.
    #[error("version {0} is not 1; use the list that came with this program")]
    Version(u32),
    /// A rule without a sentence.
    #[error("the rule for `{0}` says no `why`; say which code needs it")]
    NoReason(String),
    /// A rule that changes nothing.
    #[error("the rule for `{call}` is redundant: {how}; remove it")]
    Redundant {
        /// The call.
        call: String,
        /// What covers it.
        how: String,
    },
    /// A condition that cannot be read.
    #[error("the rule for `{call}`: {wrong}; see docs/JAIL.md, section \"adding a call\"")]
    Condition {
        /// The call.
        call: String,
        /// What is wrong.
        wrong: String,
    },
    /// The list does not compile: an unknown call, or too long.
    #[error("{0}; use the name of the call as in syscalls(2)")]
    Compile(String),
}

fn one_line(error: &toml::de::Error) -> String {
    error
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// One comparison of an argument, in the form that programs are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    index: u8,
    wide: Width,
    mask: Option<u64>,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Dword,
    Qword,
}

impl Condition {
    fn json(&self) -> serde_json::Value {
        let width = match self.wide {
            Width::Dword => "dword",
            Width::Qword => "qword",
        };
        let op = match self.mask {
            None => serde_json::json!("eq"),
            Some(mask) => serde_json::json!({ "masked_eq": mask }),
        };
        serde_json::json!({ "index": self.index, "type": width, "op": op, "val": self.value })
    }
}

/// The alternatives of a rule: each is a set of conditions that must all hold. A rule
/// without conditions is one alternative without conditions.
fn ways(call: &str, args: &[file::Arg]) -> Result<Vec<Vec<Condition>>, ListError> {
    let mut ways = vec![Vec::new()];
    for arg in args {
        let choices = choices(arg).map_err(|wrong| ListError::Condition {
            call: call.to_owned(),
            wrong,
        })?;
        ways = ways
            .iter()
            .flat_map(|way| {
                choices
                    .iter()
                    .map(|choice| [way.as_slice(), std::slice::from_ref(choice)].concat())
            })
            .collect();
    }
    Ok(ways)
}

fn choices(arg: &file::Arg) -> Result<Vec<Condition>, String> {
    let wide = match arg.width {
        32 => Width::Dword,
        64 => Width::Qword,
        other => return Err(format!("width {other} is neither 32 nor 64")),
    };
    let mask = arg.mask.as_ref().map(file::Number::value).transpose()?;
    let values = match (&arg.equals, &arg.any_of) {
        (Some(one), None) => std::slice::from_ref(one),
        (None, Some(many)) if !many.is_empty() => many.as_slice(),
        (Some(_), Some(_)) | (None, Some(_) | None) => {
            return Err("an argument needs `equals` or a filled `any_of`, one of them".into());
        }
    };
    values
        .iter()
        .map(|number| {
            Ok(Condition {
                index: arg.index,
                wide,
                mask,
                value: number.value()?,
            })
        })
        .collect()
}

/// What earlier rule makes one of `ways` superfluous: the same call under the same or fewer
/// conditions. (A wider rule after a narrower one is found from the other side.)
fn redundancy(
    seen: &[(&str, Vec<Vec<Condition>>)],
    call: &str,
    ways: &[Vec<Condition>],
) -> Option<String> {
    let covers = |a: &Vec<Condition>, b: &Vec<Condition>| a.iter().all(|one| b.contains(one));
    for (index, way) in ways.iter().enumerate() {
        if ways.iter().skip(index + 1).any(|other| other == way) {
            return Some("it names one value twice".into());
        }
    }
    seen.iter()
        .filter(|(earlier, _)| *earlier == call)
        .flat_map(|(_, earlier)| earlier)
        .find(|old| ways.iter().any(|new| covers(old, new) || covers(new, old)))
        .map(|old| match old.len() {
            0 => "another rule has the call without conditions".into(),
            _ => "another rule has the same conditions, or they include one another".into(),
        })
}

fn rules_of(call: &str, args: &[file::Arg]) -> Result<Vec<serde_json::Value>, ListError> {
    let rule = |way: &Vec<Condition>| match way.as_slice() {
        [] => serde_json::json!({ "syscall": call }),
        conditions => serde_json::json!({
            "syscall": call,
            "args": conditions.iter().map(Condition::json).collect::<Vec<_>>(),
        }),
    };
    Ok(ways(call, args)?.iter().map(rule).collect())
}

/// Compiles through seccompiler's JSON front end, which knows the numbers of each machine.
/// Its programs end the process on any other architecture, so i386 calls on x86-64 die.
fn program(
    otherwise: serde_json::Value,
    matched: serde_json::Value,
    rules: &[serde_json::Value],
) -> Result<BpfProgram, ListError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|error| ListError::Compile(error.to_string()))?;
    let json = serde_json::json!({
        NAME: { "mismatch_action": otherwise, "match_action": matched, "filter": rules }
    });
    seccompiler::compile_from_json(json.to_string().as_bytes(), arch)
        .map_err(|error| ListError::Compile(error.to_string()))?
        .remove(NAME)
        .ok_or_else(|| ListError::Compile("the compiler made no program".into()))
}

/// The name of the one filter in what the compiler gets.
const NAME: &str = "list";

fn digest(programs: &[BpfProgram]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for program in programs {
        hash.update((program.len() as u64).to_le_bytes());
        for step in program {
            hash.update(step.code.to_le_bytes());
            hash.update([step.jt, step.jf]);
            hash.update(step.k.to_le_bytes());
        }
    }
    hash.finalize().into()
}

/// The files as they are written.
mod file {
    use serde::Deserialize;

    #[derive(Clone, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct List {
        pub(super) version: u32,
        pub(super) allow: Vec<Allow>,
        #[serde(default)]
        pub(super) refuse: Vec<Refuse>,
    }

    #[derive(Clone, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Allow {
        pub(super) call: String,
        #[serde(default)]
        pub(super) args: Vec<Arg>,
        pub(super) why: String,
    }

    #[derive(Clone, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Refuse {
        pub(super) call: String,
        #[serde(default)]
        pub(super) args: Vec<Arg>,
        pub(super) errno: super::Errno,
        pub(super) why: String,
    }

    #[derive(Clone, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Arg {
        pub(super) index: u8,
        pub(super) width: u8,
        pub(super) mask: Option<Number>,
        pub(super) equals: Option<Number>,
        pub(super) any_of: Option<Vec<Number>>,
    }

    /// An integer, or the name of one as in the kernel's headers.
    #[derive(Clone, Debug, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Number {
        Value(u64),
        Name(String),
    }

    impl Number {
        pub(super) fn value(&self) -> Result<u64, String> {
            match self {
                Self::Value(value) => Ok(*value),
                Self::Name(name) => super::named(name)
                    .ok_or_else(|| format!("`{name}` is no constant of this program's table")),
            }
        }
    }
}

/// The errors that a list may answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Errno {
    #[serde(rename = "EPERM")]
    Perm,
    #[serde(rename = "ENOENT")]
    NoEnt,
    #[serde(rename = "ENOTTY")]
    NoTty,
    #[serde(rename = "ENOSYS")]
    NoSys,
}

impl Errno {
    const fn number(self) -> i32 {
        match self {
            Self::Perm => libc::EPERM,
            Self::NoEnt => libc::ENOENT,
            Self::NoTty => libc::ENOTTY,
            Self::NoSys => libc::ENOSYS,
        }
    }
}

/// The constants that a list may call by name.
fn named(name: &str) -> Option<u64> {
    CONSTANTS
        .iter()
        .find(|(known, _)| *known == name)
        .and_then(|(_, value)| u64::try_from(*value).ok())
}

/// `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h; the struct has twelve 8-byte fields.
const PAGEMAP_SCAN: i64 = 0xc060_6610;

/// What glibc passes to clone for a thread: memory, files, signals and thread group shared.
const CLONE_PTHREAD: i64 = 0x003d_0f00;

const CONSTANTS: [(&str, i64); 26] = [
    ("CLONE_PTHREAD", CLONE_PTHREAD),
    ("FIONBIO", 0x5421),
    ("F_DUPFD_CLOEXEC", libc::F_DUPFD_CLOEXEC as i64),
    ("F_GETFD", libc::F_GETFD as i64),
    ("F_GETFL", libc::F_GETFL as i64),
    ("F_SETFD", libc::F_SETFD as i64),
    ("F_SETFL", libc::F_SETFL as i64),
    ("MADV_DONTNEED", libc::MADV_DONTNEED as i64),
    ("MADV_FREE", libc::MADV_FREE as i64),
    ("MADV_HUGEPAGE", libc::MADV_HUGEPAGE as i64),
    ("MADV_NOHUGEPAGE", libc::MADV_NOHUGEPAGE as i64),
    ("MADV_POPULATE_READ", libc::MADV_POPULATE_READ as i64),
    ("MADV_POPULATE_WRITE", libc::MADV_POPULATE_WRITE as i64),
    ("MADV_WILLNEED", libc::MADV_WILLNEED as i64),
    ("MAP_GROWSDOWN", libc::MAP_GROWSDOWN as i64),
    ("MAP_HUGETLB", libc::MAP_HUGETLB as i64),
    ("MAP_PRIVATE", libc::MAP_PRIVATE as i64),
    ("MAP_TYPE", libc::MAP_TYPE as i64),
    ("PAGEMAP_SCAN", PAGEMAP_SCAN),
    ("PROT_EXEC", libc::PROT_EXEC as i64),
    ("PR_SET_NAME", libc::PR_SET_NAME as i64),
    ("RUSAGE_SELF", libc::RUSAGE_SELF as i64),
    ("RUSAGE_THREAD", libc::RUSAGE_THREAD as i64),
    ("SIGABRT", libc::SIGABRT as i64),
    ("TCGETS", libc::TCGETS as i64),
    ("TIOCGWINSZ", libc::TIOCGWINSZ as i64),
];

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
