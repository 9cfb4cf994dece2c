//! Sandbox profiles: what a call gets to run in, as reviewed data.
//!
//! A profile names a backend, the languages it has a runtime for, the most that a call may use,
//! and the layers that must be in force. Every limit and layer carries its reason. This module
//! reads profiles and holds them; it confines nothing. It fails with [`ProfileError`], which names
//! file, line and what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::digest::{Domain, digest};
use crate::file::{ReadFault, read_document};
use crate::grant::CODE_TOOL;
use crate::text::{is_name, line_of, quote, quote_all};

/// The version of the profile format that this crate reads.
const VERSION: i64 = 1;

/// A profile is a page of text; this bounds what a reader has to hold.
const MAX_PROFILE_BYTES: usize = 256 << 10;

/// Names of profiles, languages and runtimes become file names and stand in every ledger row.
const MAX_NAME_BYTES: usize = 64;

/// What a call runs in. Made only by [`Profiles::load`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: String,
    doc: String,
    rank: u32,
    backend: Backend,
    languages: BTreeMap<String, Arc<str>>,
    tools: BTreeMap<String, Arc<str>>,
    limits: Limits,
    limit_reasons: Vec<LimitReason>,
    layers: Layers,
    digest: [u8; 32],
}

/// All profiles of an installation, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profiles {
    by_name: BTreeMap<String, Arc<Profile>>,
}

/// What runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A WebAssembly instance inside a process that the kernel confines too.
    Wasm,
    /// A container with a kernel of its own.
    Container,
}

/// The most that one call may use. In a profile: the ceiling; in a [`crate::Grant`]: what holds
/// for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Limits {
    /// Wall-clock time from the start of the guest, in milliseconds.
    pub wall_ms: u64,
    /// The guest's memory, in bytes.
    pub memory_bytes: u64,
    /// Standard output and standard error, in bytes each.
    pub output_bytes: u64,
    /// All files of the workspace together, in and out, in bytes.
    pub file_bytes: u64,
    /// Files and directories in the workspace.
    pub file_count: u64,
    /// Standard input, in bytes.
    pub stdin_bytes: u64,
    /// The code of the call, in bytes.
    pub code_bytes: u64,
}

impl Limits {
    /// What lowers nothing.
    pub(crate) const UNBOUNDED: Self = Self {
        wall_ms: u64::MAX,
        memory_bytes: u64::MAX,
        output_bytes: u64::MAX,
        file_bytes: u64::MAX,
        file_count: u64::MAX,
        stdin_bytes: u64::MAX,
        code_bytes: u64::MAX,
    };

    /// The lower of each.
    pub(crate) fn lowered(&self, to: &Self) -> Self {
        Self {
            wall_ms: self.wall_ms.min(to.wall_ms),
            memory_bytes: self.memory_bytes.min(to.memory_bytes),
            output_bytes: self.output_bytes.min(to.output_bytes),
            file_bytes: self.file_bytes.min(to.file_bytes),
            file_count: self.file_count.min(to.file_count),
            stdin_bytes: self.stdin_bytes.min(to.stdin_bytes),
            code_bytes: self.code_bytes.min(to.code_bytes),
        }
    }

    /// All of them with their names.
    pub(crate) fn entries(&self) -> [(&'static str, u64); 7] {
        [
            ("wall_ms", self.wall_ms),
            ("memory_bytes", self.memory_bytes),
            ("output_bytes", self.output_bytes),
            ("file_bytes", self.file_bytes),
            ("file_count", self.file_count),
            ("stdin_bytes", self.stdin_bytes),
            ("code_bytes", self.code_bytes),
        ]
    }
}

/// One limit with the reason for its value, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitReason {
    /// The limit's name, as in [`Limits`].
    pub name: &'static str,
    /// The ceiling.
    pub max: u64,
    /// Why it is what it is.
    pub why: String,
}

/// The layers of confinement. One that is there must be in force, or the call does not run; there
/// is no "if possible".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Own user namespace: no identity of the host inside.
    pub user_namespace: Option<Layer>,
    /// Own mount namespace.
    pub mount_namespace: Option<Layer>,
    /// Own process namespace: no process of the host can be named.
    pub pid_namespace: Option<Layer>,
    /// Own network namespace with no interface in it.
    pub net_namespace: Option<Layer>,
    /// Own System V and POSIX message namespace.
    pub ipc_namespace: Option<Layer>,
    /// Own host name.
    pub uts_namespace: Option<Layer>,
    /// Own view of control groups.
    pub cgroup_namespace: Option<Layer>,
    /// A root directory on a private tmpfs with nothing of the host in it.
    pub empty_root: Option<Layer>,
    /// `no_new_privs`.
    pub no_new_privs: Option<Layer>,
    /// No capability in any set.
    pub no_capabilities: Option<Layer>,
    /// Resource limits of the process.
    pub rlimits: Option<Layer>,
    /// Landlock with every right that the kernel knows handled.
    pub landlock: Option<Landlock>,
    /// A system call allow-list.
    pub seccomp: Option<Seccomp>,
    /// A kernel of its own between the guest and the host: gVisor.
    pub gvisor: Option<Layer>,
    /// A root directory that cannot be written.
    pub read_only_root: Option<Layer>,
    /// One way out, through the proxy that asks the policy.
    pub egress_proxy: Option<EgressProxy>,
}

/// A layer that is on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Why the layer is asked for.
    pub why: String,
}

/// What is asked of the way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressProxy {
    /// Which TLS is looked into, beside that to the hosts of secrets.
    #[serde(default)]
    pub inspect: Inspect,
    /// Why the layer is asked for.
    pub why: String,
}

/// Which TLS the proxy looks into, with a certificate of the installation's own authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspect {
    /// None: a host is known by its server name, and no rule sees methods and paths.
    #[default]
    Nothing,
    /// All of it: every request is judged by method and path.
    Everything,
}

/// What is asked of Landlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landlock {
    /// The least ABI version of the running kernel.
    pub min_abi: u32,
    /// Why the layer is asked for.
    pub why: String,
}

/// What is asked of seccomp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seccomp {
    /// The name of the allow-list, a file `profiles/seccomp/NAME.toml`.
    pub list: String,
    /// Why the layer is asked for.
    pub why: String,
}

/// A profile file that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {fault}")]
pub struct ProfileError {
    file: String,
    line: usize,
    fault: ProfileFault,
}

/// What is wrong with a profile file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileFault {
    /// The reader's word on broken TOML, a wrong type, an unknown or a missing key.
    #[error("{0}; see docs/POLICY.md for the keys of a profile")]
    Toml(String),
    /// More text than a profile can need.
    #[error("a profile has at most {MAX_PROFILE_BYTES} bytes; this one is longer")]
    TooLong,
    /// A format that this program does not know.
    #[error("version {0} is not known here; this program reads version {VERSION}")]
    Version(String),
    /// A name that is none.
    #[error(
        "{} is not a name for a {what}; use 1 to {MAX_NAME_BYTES} of a-z 0-9 - _ . and begin with a letter",
        quote(found)
    )]
    Name {
        /// What the name is of.
        what: &'static str,
        /// The name.
        found: String,
    },
    /// Not a tool that can stand under `[tools]`.
    #[error(
        "{} cannot stand under `[tools]`; name a tool other than `{CODE_TOOL}`, which is there by its languages",
        quote(.0)
    )]
    Tool(String),
    /// The name inside differs from the file's.
    #[error(
        "the profile calls itself {}; name it as the file, {}",
        quote(name),
        quote(stem)
    )]
    OtherName {
        /// The name inside.
        name: String,
        /// The file's name without `.toml`.
        stem: String,
    },
    /// Two files of one name.
    #[error("profile {} is there twice; remove one", quote(.0))]
    Twice(String),
    /// Two profiles of one rank, so that neither is the one with less authority.
    #[error(
        "rank {rank} is also that of {}; give each profile its own",
        quote(other)
    )]
    SameRank {
        /// The rank.
        rank: u32,
        /// The other profile.
        other: String,
    },
    /// A limit or layer without its reason.
    #[error("`{0}` has no reason; say in `why` what it is for")]
    NoReason(String),
    /// A limit of nothing.
    #[error("`limits.{0}.max` is zero; a call needs some, leave the tool to a deny rule instead")]
    ZeroLimit(&'static str),
    /// A profile that runs nothing.
    #[error("the profile has no language; add one under `[languages]`")]
    NoLanguage,
    /// A profile that confines nothing.
    #[error("the profile asks for no layer; name what must be in force under `[layers]`")]
    NoLayer,
    /// Landlock has no version 0.
    #[error("`layers.landlock.min_abi` is zero; Landlock begins with 1")]
    ZeroAbi,
}

impl Profiles {
    /// Reads profiles from pairs of file name and text. The file of a profile `NAME` is
    /// `NAME.toml`.
    ///
    /// # Errors
    /// [`ProfileError`] for the first file that is refused.
    pub fn load<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ProfileError> {
        let mut profiles = Self::default();
        for (file, text) in files {
            let profile = read(file, text)?;
            profiles.add(profile).map_err(|fault| ProfileError {
                file: file.to_owned(),
                line: 1,
                fault,
            })?;
        }
        Ok(profiles)
    }

    /// The profile of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.by_name.get(name).map(Arc::as_ref)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.by_name.values().map(Arc::as_ref)
    }

    pub(crate) fn shared(&self, name: &str) -> Option<Arc<Profile>> {
        self.by_name.get(name).cloned()
    }

    /// The names, for messages.
    pub(crate) fn names(&self) -> String {
        quote_all(self.by_name.keys().map(String::as_str))
    }

    fn add(&mut self, profile: Profile) -> Result<(), ProfileFault> {
        if self.by_name.contains_key(&profile.name) {
            return Err(ProfileFault::Twice(profile.name));
        }
        if let Some(other) = self.iter().find(|p| p.rank == profile.rank) {
            return Err(ProfileFault::SameRank {
                rank: profile.rank,
                other: other.name.clone(),
            });
        }
        self.by_name.insert(profile.name.clone(), Arc::new(profile));
        Ok(())
    }
}

impl Profile {
    /// The name, that of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line on what it is for.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The order of authority: the lower, the less; no two profiles share one.
    #[must_use]
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// What runs the guest.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The runtime for a language.
    #[must_use]
    pub fn runtime(&self, language: &str) -> Option<&str> {
        self.languages.get(language).map(Arc::as_ref)
    }

    pub(crate) fn shared_runtime(&self, language: &str) -> Option<Arc<str>> {
        self.languages.get(language).cloned()
    }

    /// Languages with their runtimes, by language.
    pub fn languages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.languages
            .iter()
            .map(|(language, runtime)| (language.as_str(), runtime.as_ref()))
    }

    /// The most that a call may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same with the reasons, in the order of [`Limits`].
    #[must_use]
    pub fn limit_reasons(&self) -> &[LimitReason] {
        &self.limit_reasons
    }

    /// What must be in force.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// SHA-256 over what the profile means: everything but `doc` and `why`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The tools other than `execute_code` that the profile runs, each with its runtime.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tools
            .iter()
            .map(|(tool, runtime)| (tool.as_str(), runtime.as_ref()))
    }

    pub(crate) fn tool_runtime(&self, tool: &str) -> Option<Arc<str>> {
        self.tools.get(tool).cloned()
    }

    /// All tools that it runs, for messages.
    pub(crate) fn tool_names(&self) -> String {
        let code = (!self.languages.is_empty()).then_some(CODE_TOOL);
        quote_all(
            code.into_iter()
                .chain(self.tools.keys().map(String::as_str)),
        )
    }

    /// `tools` stands in it only where a profile has some, so that the digest of one without is
    /// what it was before they existed.
    fn meaning(&self) -> Value {
        let mut meaning = json!({
            "name": self.name,
            "rank": self.rank,
            "backend": self.backend,
            "languages": self.languages,
            "limits": self.limits,
            "layers": self.layers.required().iter().map(RequiredLayer::meaning).collect::<Vec<_>>(),
        });
        if let Value::Object(entries) = &mut meaning
            && !self.tools.is_empty()
        {
            entries.insert("tools".to_owned(), json!(self.tools));
        }
        meaning
    }
}

/// A layer that a profile asks for, in one shape for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequiredLayer<'a> {
    /// The layer's name, as in [`Layers`].
    pub name: &'static str,
    /// What is asked of it beyond being there, such as `min_abi 2`; empty for most.
    pub detail: String,
    /// Why it is asked for.
    pub why: &'a str,
}

impl RequiredLayer<'_> {
    fn meaning(&self) -> Value {
        json!([self.name, self.detail])
    }
}

impl Layers {
    /// The layers that are asked for, in the order in which they are put on.
    #[must_use]
    pub fn required(&self) -> Vec<RequiredLayer<'_>> {
        let plain = [
            ("user_namespace", &self.user_namespace),
            ("mount_namespace", &self.mount_namespace),
            ("pid_namespace", &self.pid_namespace),
            ("net_namespace", &self.net_namespace),
            ("ipc_namespace", &self.ipc_namespace),
            ("uts_namespace", &self.uts_namespace),
            ("cgroup_namespace", &self.cgroup_namespace),
            ("empty_root", &self.empty_root),
            ("rlimits", &self.rlimits),
            ("no_capabilities", &self.no_capabilities),
            ("no_new_privs", &self.no_new_privs),
            ("gvisor", &self.gvisor),
            ("read_only_root", &self.read_only_root),
        ];
        let mut required: Vec<RequiredLayer<'_>> = plain
            .into_iter()
            .filter_map(|(name, layer)| {
                layer
                    .as_ref()
                    .map(|layer| asked(name, String::new(), &layer.why))
            })
            .collect();
        required.extend(self.egress_proxy.as_ref().map(|proxy| {
            let detail = match proxy.inspect {
                Inspect::Nothing => String::new(),
                Inspect::Everything => "inspect everything".to_owned(),
            };
            asked("egress_proxy", detail, &proxy.why)
        }));
        required.extend(
            self.landlock
                .as_ref()
                .map(|l| asked("landlock", format!("min_abi {}", l.min_abi), &l.why)),
        );
        required.extend(
            self.seccomp
                .as_ref()
                .map(|s| asked("seccomp", format!("list {}", s.list), &s.why)),
        );
        required
    }
}

fn asked<'a>(name: &'static str, detail: String, why: &'a str) -> RequiredLayer<'a> {
    RequiredLayer { name, detail, why }
}

impl ProfileError {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &ProfileFault {
        &self.fault
    }
}

// ---- the file -----------------------------------------------------------------------------------

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    #[serde(rename = "version")]
    _version: i64,
    name: String,
    doc: String,
    rank: u32,
    backend: Backend,
    languages: BTreeMap<String, Arc<str>>,
    #[serde(default)]
    tools: BTreeMap<String, Arc<str>>,
    limits: LimitsFile,
    layers: Layers,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    wall_ms: LimitFile,
    memory_bytes: LimitFile,
    output_bytes: LimitFile,
    file_bytes: LimitFile,
    file_count: LimitFile,
    stdin_bytes: LimitFile,
    code_bytes: LimitFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFile {
    max: u64,
    why: String,
}

fn read(file: &str, text: &str) -> Result<Profile, ProfileError> {
    let fail = |line: usize, fault: ProfileFault| ProfileError {
        file: file.to_owned(),
        line,
        fault,
    };
    if text.len() > MAX_PROFILE_BYTES {
        return Err(fail(1, ProfileFault::TooLong));
    }
    let read: ProfileFile = read_document(text, VERSION).map_err(|fault| {
        let line = line_of(text, fault.span().start);
        match fault {
            ReadFault::Toml(error) => fail(line, ProfileFault::Toml(error.message().to_owned())),
            ReadFault::Version { found, .. } => fail(line, ProfileFault::Version(found)),
        }
    })?;
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.strip_suffix(".toml").unwrap_or(stem);
    convert(read, stem).map_err(|fault| fail(line_naming(text, &fault), fault))
}

fn convert(file: ProfileFile, stem: &str) -> Result<Profile, ProfileFault> {
    check_names(&file, stem)?;
    check_layers(&file.layers)?;
    let (limits, limit_reasons) = convert_limits(file.limits)?;
    let mut profile = Profile {
        name: file.name,
        doc: file.doc,
        rank: file.rank,
        backend: file.backend,
        languages: file.languages,
        tools: file.tools,
        limits,
        limit_reasons,
        layers: file.layers,
        digest: [0; 32],
    };
    profile.digest = digest(Domain::Profile, &profile.meaning());
    Ok(profile)
}

fn check_names(file: &ProfileFile, stem: &str) -> Result<(), ProfileFault> {
    check_name("profile", &file.name)?;
    if file.name != stem {
        return Err(ProfileFault::OtherName {
            name: file.name.clone(),
            stem: stem.to_owned(),
        });
    }
    if file.doc.trim().is_empty() {
        return Err(ProfileFault::NoReason("doc".to_owned()));
    }
    if file.languages.is_empty() {
        return Err(ProfileFault::NoLanguage);
    }
    for (language, runtime) in &file.languages {
        check_name("language", language)?;
        check_name("runtime", runtime)?;
    }
    for (tool, runtime) in &file.tools {
        check_tool(tool)?;
        check_name("runtime", runtime)?;
    }
    Ok(())
}

/// Code runs by its language, so `execute_code` has no runtime here.
fn check_tool(tool: &str) -> Result<(), ProfileFault> {
    if crate::call::is_tool_name(tool) && tool != CODE_TOOL {
        Ok(())
    } else {
        Err(ProfileFault::Tool(tool.to_owned()))
    }
}

fn check_layers(layers: &Layers) -> Result<(), ProfileFault> {
    let required = layers.required();
    if required.is_empty() {
        return Err(ProfileFault::NoLayer);
    }
    if let Some(layer) = required.iter().find(|layer| layer.why.trim().is_empty()) {
        return Err(ProfileFault::NoReason(format!("layers.{}", layer.name)));
    }
    if layers.landlock.as_ref().is_some_and(|l| l.min_abi == 0) {
        return Err(ProfileFault::ZeroAbi);
    }
    match &layers.seccomp {
        Some(seccomp) => check_name("seccomp list", &seccomp.list),
        None => Ok(()),
    }
}

fn convert_limits(file: LimitsFile) -> Result<(Limits, Vec<LimitReason>), ProfileFault> {
    let limits = Limits {
        wall_ms: file.wall_ms.max,
        memory_bytes: file.memory_bytes.max,
        output_bytes: file.output_bytes.max,
        file_bytes: file.file_bytes.max,
        file_count: file.file_count.max,
        stdin_bytes: file.stdin_bytes.max,
        code_bytes: file.code_bytes.max,
    };
    let reasons = vec![
        check_limit("wall_ms", file.wall_ms)?,
        check_limit("memory_bytes", file.memory_bytes)?,
        check_limit("output_bytes", file.output_bytes)?,
        check_limit("file_bytes", file.file_bytes)?,
        check_limit("file_count", file.file_count)?,
        check_limit("stdin_bytes", file.stdin_bytes)?,
        check_limit("code_bytes", file.code_bytes)?,
    ];
    Ok((limits, reasons))
}

fn check_limit(name: &'static str, file: LimitFile) -> Result<LimitReason, ProfileFault> {
    if file.max == 0 {
        return Err(ProfileFault::ZeroLimit(name));
    }
    if file.why.trim().is_empty() {
        return Err(ProfileFault::NoReason(format!("limits.{name}")));
    }
    Ok(LimitReason {
        name,
        max: file.max,
        why: file.why,
    })
}

fn check_name(what: &'static str, name: &str) -> Result<(), ProfileFault> {
    if is_name(name, MAX_NAME_BYTES) {
        Ok(())
    } else {
        Err(ProfileFault::Name {
            what,
            found: name.to_owned(),
        })
    }
}

/// The line that a fault is about: that of its key or table. The first line when the fault is
/// about the file as a whole.
fn line_naming(text: &str, fault: &ProfileFault) -> usize {
    let wanted = match fault {
        ProfileFault::NoReason(key) if key == "doc" => "doc".to_owned(),
        ProfileFault::NoReason(table) => format!("[{table}]"),
        ProfileFault::ZeroLimit(limit) => format!("[limits.{limit}]"),
        ProfileFault::ZeroAbi => "[layers.landlock]".to_owned(),
        ProfileFault::OtherName { .. } => "name".to_owned(),
        ProfileFault::NoLanguage => "[languages]".to_owned(),
        ProfileFault::NoLayer => "[layers]".to_owned(),
        ProfileFault::Name { found, .. } | ProfileFault::Tool(found) => {
            return text
                .lines()
                .position(|line| line.contains(found.as_str()))
                .map_or(1, |at| at + 1);
        }
        ProfileFault::Toml(_)
        | ProfileFault::TooLong
        | ProfileFault::Version(_)
        | ProfileFault::Twice(_)
        | ProfileFault::SameRank { .. } => return 1,
    };
    text.lines()
        .position(|line| line.trim_start().starts_with(&wanted))
        .map_or(1, |at| at + 1)
}
