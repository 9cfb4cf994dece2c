//! `cargo xtask fuzz SECONDS [TARGET…]`: every fuzz target for so many seconds.
//!
//! The targets lie in `fuzz/`, a workspace of its own. They are built by cargo-fuzz with the usual
//! compiler and without a sanitizer: the policy crate has no unsafe code, so a sanitizer would
//! only take time, while overflow checks and debug assertions stay on. What libFuzzer learns stays
//! in the target directory; `fuzz/corpus` has a few seeds that nobody but a person changes. A
//! finding fails the command and lies in `fuzz/artifacts`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::failure::Failure;
use crate::shell;
use crate::stages::{Finding, Strictness};
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// The version that `fuzz/` was written for.
const VERSION: &str = "0.13.2";
/// How long each target runs in CI.
const CI_SECONDS: u64 = 20;
/// The target whose comparison takes long to compile, and the feature that it needs.
const HEAVY: &str = "cedar";
/// One input may take so long: a thousand times what the slowest should.
const INPUT_SECONDS: u64 = 10;
/// Memory of a target; inputs are small, so more is a finding.
const MEMORY_MB: u64 = 4096;
/// Lines of a finding that are shown.
const SHOWN_LINES: usize = 12;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    seconds: u64,
    /// None: all.
    targets: Vec<String>,
}

impl Plan {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let usage = || Failure::Usage("`fuzz` wants a number of seconds after it".into());
        let (seconds, targets) = words.split_first().ok_or_else(usage)?;
        Ok(Self {
            seconds: seconds.parse().ok().filter(|s| *s > 0).ok_or_else(usage)?,
            targets: targets.iter().map(|&target| target.into()).collect(),
        })
    }
}

/// Runs what was asked for; cargo-fuzz must be there.
pub(crate) fn run(workspace: &Workspace, plan: &Plan) -> Result<(), Failure> {
    match Fuzzer::find(workspace, Strictness::of_environment())? {
        Some(fuzzer) => fuzzer.run(plan),
        None => Err(Failure::Missing {
            what: "cargo-fuzz".into(),
            remedy: install_line(),
        }),
    }
}

/// The stage of `cargo xtask test`.
pub(crate) fn stage(workspace: &Workspace, strictness: Strictness) -> Result<Finding, Failure> {
    let Some(fuzzer) = Fuzzer::find(workspace, strictness)? else {
        return Ok(Finding::Skipped(format!(
            "cargo-fuzz is not installed (`{}`)",
            install_line()
        )));
    };
    let plan = Plan {
        seconds: CI_SECONDS,
        targets: Vec::new(),
    };
    fuzzer.run(&plan).map(|()| Finding::Done)
}

fn install_line() -> String {
    format!("cargo install cargo-fuzz --version {VERSION} --locked")
}

/// A cargo-fuzz, and where it works.
struct Fuzzer {
    /// The folder of cargo-fuzz, for the search path.
    tool: PathBuf,
    project: PathBuf,
    /// Where targets are built and what they learn is kept.
    scratch: PathBuf,
}

impl Fuzzer {
    /// The one that is there; under CI a pinned one is built.
    fn find(workspace: &Workspace, strictness: Strictness) -> Result<Option<Self>, Failure> {
        let own = workspace.scratch("tools")?;
        let built = own.join("bin/cargo-fuzz");
        let found = shell::find("cargo-fuzz").or_else(|| built.is_file().then(|| built.clone()));
        let tool = match (found, strictness) {
            (Some(tool), _) => tool,
            (None, Strictness::Lenient) => return Ok(None),
            (None, Strictness::Strict) => {
                install(workspace, &own)?;
                built
            }
        };
        Ok(Some(Self {
            tool: tool.parent().unwrap_or(&own).to_owned(),
            project: workspace.root().join("fuzz"),
            scratch: workspace.scratch("fuzz")?,
        }))
    }

    fn run(&self, plan: &Plan) -> Result<(), Failure> {
        let all = self.all_targets()?;
        if let Some(unknown) = plan.targets.iter().find(|target| !all.contains(target)) {
            let have = all.join(", ");
            return Err(Failure::Usage(format!(
                "no target `{unknown}`; there are {have}"
            )));
        }
        let targets = if plan.targets.is_empty() {
            all
        } else {
            plan.targets.clone()
        };
        self.build(plan, &targets)?;
        let runs = targets
            .into_iter()
            .map(|target| self.fuzz(target, plan.seconds))
            .collect::<Result<Vec<_>, _>>()?;
        report(&runs)
    }

    /// By the names of their files.
    fn all_targets(&self) -> Result<Vec<String>, Failure> {
        let folder = self.project.join("fuzz_targets");
        let entries = std::fs::read_dir(&folder).map_err(Failure::file(&folder))?;
        let names = entries.flatten().map(|entry| entry.path());
        let mut targets: Vec<String> = names
            .filter(|file| file.extension().is_some_and(|end| end == "rs"))
            .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
            .collect();
        targets.sort();
        Ok(targets)
    }

    /// All at once, or each that was asked for.
    fn build(&self, plan: &Plan, targets: &[String]) -> Result<(), Failure> {
        let heavy = targets.iter().any(|target| target == HEAVY);
        let build = |target: Option<&String>| {
            let mut cargo = shell::cargo(&self.project);
            cargo.env("PATH", self.search_path());
            cargo.args(["fuzz", "build", "--sanitizer", "none"]);
            cargo.args(["--target", &triple()]);
            cargo.arg("--target-dir").arg(self.scratch.join("build"));
            if heavy {
                cargo.args(["--features", HEAVY]);
            }
            cargo.args(target);
            shell::run(&mut cargo)
        };
        if plan.targets.is_empty() {
            return build(None);
        }
        targets.iter().try_for_each(|target| build(Some(target)))
    }

    fn search_path(&self) -> std::ffi::OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.tool.clone()).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).unwrap_or(path)
    }

    /// Learns into the scratch corpus; the seeds are only read.
    fn fuzz(&self, target: String, seconds: u64) -> Result<Run, Failure> {
        println!("{target}: {seconds} s");
        let learnt = folder(self.scratch.join("corpus").join(&target))?;
        let artifacts = folder(self.project.join("artifacts").join(&target))?;
        let seeds = folder(self.project.join("corpus").join(&target))?;
        let program = self
            .scratch
            .join("build")
            .join(triple())
            .join("release")
            .join(&target);
        let output = Command::new(&program)
            .arg(learnt)
            .arg(seeds)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-verbosity=0"])
            .stdin(Stdio::null())
            .output()
            .map_err(Failure::file(&program))?;
        Ok(Run::of(target, &output))
    }
}

fn folder(path: PathBuf) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(&path).map_err(Failure::file(&path))?;
    Ok(path)
}

/// Named, so that we know where cargo puts the programs.
fn triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn install(workspace: &Workspace, into: &Path) -> Result<(), Failure> {
    println!("building cargo-fuzz {VERSION} once, for CI");
    shell::run(
        shell::cargo(workspace.root())
            .args(["install", "--locked", "--quiet", "--debug", "--root"])
            .arg(into)
            .arg(format!("cargo-fuzz@{VERSION}")),
    )
}

/// How one target ended.
struct Run {
    target: String,
    executions: Option<u64>,
    per_second: Option<u64>,
    /// The last lines of a target that stopped, or nothing.
    finding: Option<String>,
}

impl Run {
    fn of(target: String, output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        Self {
            target,
            executions: statistic(&said, "stat::number_of_executed_units:"),
            per_second: statistic(&said, "stat::average_exec_per_sec:"),
            finding: (!output.status.success()).then(|| what_happened(&said)),
        }
    }
}

fn statistic(said: &str, name: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// From the panic on, without the fuzzer's own words before it.
fn what_happened(said: &str) -> String {
    let all: Vec<&str> = said.lines().collect();
    let first = all.iter().position(|line| line.contains("panicked at"));
    let from = first.unwrap_or_else(|| all.len().saturating_sub(SHOWN_LINES));
    let lines = all.into_iter().skip(from);
    let ours = lines.filter(|line| !line.starts_with("stat::") && !line.starts_with("INFO"));
    ours.take(SHOWN_LINES).collect::<Vec<_>>().join("\n")
}

fn report(runs: &[Run]) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("target", Align::Left),
        ("executions", Align::Right),
        ("per second", Align::Right),
        ("finding", Align::Left),
    ]);
    let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    for run in runs {
        let found = if run.finding.is_some() {
            "FOUND"
        } else {
            "none"
        };
        table.row([
            run.target.clone(),
            number(run.executions),
            number(run.per_second),
            found.to_owned(),
        ]);
    }
    print!("{table}");
    let findings: Vec<&Run> = runs.iter().filter(|run| run.finding.is_some()).collect();
    for run in &findings {
        println!(
            "\n{}: {}",
            run.target,
            run.finding.as_deref().unwrap_or_default()
        );
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "{} fuzz targets stopped; their inputs lie in fuzz/artifacts",
        findings.len()
    )))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn plans_are_read() {
        let plan = Plan::parse(&["20", "shell", "when"]).unwrap();
        assert_eq!((plan.seconds, plan.targets.len()), (20, 2));
        assert_eq!(Plan::parse(&["20"]).unwrap().targets.len(), 0);
        for words in [&[][..], &["0"], &["shell"], &["-1"]] {
            assert!(
                matches!(Plan::parse(words), Err(Failure::Usage(_))),
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_finding_is_told_from_its_panic_on() {
        let said = "INFO: seed\nnoise\npanicked at src/x.rs:1:1:\nleft: 1\nstat::new_units_added: 3\nSUMMARY";
        assert_eq!(
            what_happened(said),
            "panicked at src/x.rs:1:1:\nleft: 1\nSUMMARY"
        );
        assert_eq!(statistic(said, "stat::new_units_added:"), Some(3));
        assert_eq!(statistic(said, "stat::other:"), None);
    }
}
