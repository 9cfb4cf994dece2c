//! `cargo xtask fuzz SECONDS [TARGET…]`: every fuzz target for so many seconds. `cargo xtask fuzz
//! controls`: every fault that `fuzz/src/fault.rs` can seed, which the target must find.
//!
//! The targets lie in `fuzz/`, a workspace of its own. They are built by cargo-fuzz with the usual
//! compiler and without a sanitizer: the policy crate has no unsafe code, so a sanitizer would
//! only take time, while overflow checks and debug assertions stay on. What libFuzzer learns stays
//! in the target directory; `fuzz/corpus` has a few seeds that nobody but a person changes. A
//! finding fails the command and lies in `fuzz/artifacts`. In CI the target that needs another
//! engine is left out: it takes as long to compile as all others together, and runs with
//! `cargo xtask fuzz`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::failure::Failure;
use crate::shell;
use crate::stages::{Finding, Strictness};
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// The version that `fuzz/` was written for.
const VERSION: &str = "0.13.2";
/// How long each target runs in CI.
const CI_SECONDS: u64 = 8;
/// The target whose comparison takes long to compile, and the feature that it needs.
const HEAVY: &str = "cedar";

/// How long a target may look for a fault that was seeded; most are found within a second.
const CONTROL_SECONDS: u64 = 60;
/// How a target is told which fault to seed.
const FAULT: &str = "LAZARET_SEEDED_FAULT";
/// One input may take so long: a thousand times what the slowest should.
const INPUT_SECONDS: u64 = 10;
/// Memory of a target; inputs are small, so more is a finding.
const MEMORY_MB: u64 = 4096;
/// Lines of a finding that are shown.
const SHOWN_LINES: usize = 12;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Every seeded fault.
    Controls,
    /// Targets, for so many seconds each.
    Targets { seconds: u64, targets: Targets },
}

/// Which targets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    All,
    /// All but the one that takes long to compile.
    Light,
    Named(Vec<String>),
}

impl Plan {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let usage =
            || Failure::Usage("`fuzz` wants a number of seconds after it, or `controls`".into());
        let (first, rest) = words.split_first().ok_or_else(usage)?;
        if *first == "controls" && rest.is_empty() {
            return Ok(Self::Controls);
        }
        let targets = rest.iter().map(|&target| target.into()).collect();
        Ok(Self::Targets {
            seconds: first.parse().ok().filter(|s| *s > 0).ok_or_else(usage)?,
            targets: match rest {
                [] => Targets::All,
                [..] => Targets::Named(targets),
            },
        })
    }
}

/// Runs what was asked for; cargo-fuzz must be there.
pub(crate) fn run(workspace: &Workspace, plan: &Plan) -> Result<(), Failure> {
    match Fuzzer::find(workspace, Strictness::of_environment())? {
        Some(fuzzer) => fuzzer.perform(plan),
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
    let targets = Targets::Light;
    fuzzer.run(CI_SECONDS, &targets)?;
    // The seeded faults take minutes on a busy machine: `cargo xtask fuzz controls`.
    Ok(Finding::Done)
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

    fn perform(&self, plan: &Plan) -> Result<(), Failure> {
        match plan {
            Plan::Controls => self.run_controls(),
            Plan::Targets { seconds, targets } => self.run(*seconds, targets),
        }
    }

    fn run(&self, seconds: u64, targets: &Targets) -> Result<(), Failure> {
        self.build(targets)?;
        let runs = at_once(self.chosen(targets)?, |target| self.fuzz(target, seconds))?;
        report(&runs)
    }

    fn chosen(&self, targets: &Targets) -> Result<Vec<String>, Failure> {
        let mut all = self.all_targets()?;
        match targets {
            Targets::All => Ok(all),
            Targets::Light => {
                all.retain(|target| target != HEAVY);
                Ok(all)
            }
            Targets::Named(named) => match named.iter().find(|target| !all.contains(target)) {
                None => Ok(named.clone()),
                Some(unknown) => Err(Failure::Usage(format!(
                    "no target `{unknown}`; there are {}",
                    all.join(", ")
                ))),
            },
        }
    }

    /// Every target that has a fault to find must find it.
    fn run_controls(&self) -> Result<(), Failure> {
        let controls = self.all_controls()?;
        let mut targets: Vec<String> = controls.iter().map(|c| c.target.clone()).collect();
        targets.sort();
        targets.dedup();
        self.build(&Targets::Named(targets))?;
        let runs = at_once(controls, |control| self.seed(control))?;
        report_controls(&runs)
    }

    /// As the table in the source has them.
    fn all_controls(&self) -> Result<Vec<Control>, Failure> {
        let file = self.project.join("src/fault.rs");
        let text = std::fs::read_to_string(&file).map_err(Failure::file(&file))?;
        let controls: Vec<Control> = text.lines().filter_map(Control::of_line).collect();
        match controls.is_empty() {
            true => Err(Failure::Check(format!(
                "{} lists no fault; keep the table `ALL` one fault a line",
                file.display()
            ))),
            false => Ok(controls),
        }
    }

    /// Learns into a folder of its own; what the target learnt without a fault is only read.
    fn seed(&self, control: Control) -> Result<(Control, Run), Failure> {
        println!("{}: {}", control.target, control.fault);
        let work = self.scratch.join("controls").join(&control.fault);
        if work.exists() {
            std::fs::remove_dir_all(&work).map_err(Failure::file(&work))?;
        }
        let mut program = self.program(&control.target, &folder(work)?, CONTROL_SECONDS);
        program
            .arg(folder(self.scratch.join("corpus").join(&control.target))?)
            .env(FAULT, &control.fault);
        let run = finish(control.target.clone(), program)?;
        Ok((control, run))
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
    fn build(&self, targets: &Targets) -> Result<(), Failure> {
        let heavy = self.chosen(targets)?.iter().any(|target| target == HEAVY);
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
        match targets {
            Targets::All | Targets::Light => build(None),
            Targets::Named(named) => named.iter().try_for_each(|target| build(Some(target))),
        }
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
        let mut program = self.program(&target, &artifacts, seconds);
        // The first folder is the one that it learns into.
        program.arg(learnt);
        program.arg(folder(self.project.join("corpus").join(&target))?);
        finish(target, program)
    }

    /// A target, about to run, with what it finds left in `artifacts`.
    fn program(&self, target: &str, artifacts: &Path, seconds: u64) -> Command {
        let built = self.scratch.join("build").join(triple()).join("release");
        let mut program = Command::new(built.join(target));
        program
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-verbosity=0"])
            .stdin(Stdio::null());
        program
    }
}

/// Does everything, as many things at once as there are cores, and gives the results in order.
fn at_once<T: Send, R: Send>(
    all: Vec<T>,
    act: impl Fn(T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(all.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        std::iter::from_fn(next)
            .map(|(at, one)| act(one).map(|done| (at, done)))
            .collect::<Result<Vec<_>, _>>()
    };
    let shares = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|why| std::panic::resume_unwind(why))
        });
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut done: Vec<_> = shares.into_iter().flatten().collect();
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, one)| one).collect())
}

fn finish(target: String, mut program: Command) -> Result<Run, Failure> {
    let file = PathBuf::from(program.get_program());
    let output = program.output().map_err(Failure::file(&file))?;
    Ok(Run::of(target, &output))
}

/// A fault, and the target that must find it.
#[derive(Debug, PartialEq, Eq)]
struct Control {
    fault: String,
    target: String,
}

impl Control {
    /// `("fault", "target", Fault::Its),`
    fn of_line(line: &str) -> Option<Self> {
        let mut parts = line.trim().strip_prefix("(\"")?.split('"');
        let (fault, _, target) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?.contains("Fault::").then(|| Self {
            fault: fault.to_owned(),
            target: target.to_owned(),
        })
    }
}

fn report_controls(runs: &[(Control, Run)]) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("seeded fault", Align::Left),
        ("target", Align::Left),
        ("executions", Align::Right),
        ("found", Align::Left),
    ]);
    for (control, run) in runs {
        table.row([
            control.fault.clone(),
            control.target.clone(),
            number(run.executions),
            (if run.finding.is_some() { "yes" } else { "NO" }).to_owned(),
        ]);
    }
    print!("{table}");
    let missed = runs.iter().filter(|(_, run)| run.finding.is_none());
    let missed: Vec<&str> = missed.map(|(control, _)| control.fault.as_str()).collect();
    match missed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Check(format!(
            "no oracle found {}; it must see more of what it judges",
            missed.join(", ")
        ))),
    }
}

fn number(n: Option<u64>) -> String {
    n.map_or_else(|| "-".to_owned(), |n| n.to_string())
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
        let named = |targets: &[&str]| Plan::Targets {
            seconds: 20,
            targets: match targets {
                [] => Targets::All,
                [..] => Targets::Named(targets.iter().map(|&t| t.into()).collect()),
            },
        };
        assert_eq!(
            Plan::parse(&["20", "shell", "when"]).unwrap(),
            named(&["shell", "when"])
        );
        assert_eq!(Plan::parse(&["20"]).unwrap(), named(&[]));
        assert_eq!(Plan::parse(&["controls"]).unwrap(), Plan::Controls);
        for words in [&[][..], &["0"], &["shell"], &["-1"], &["controls", "20"]] {
            assert!(
                matches!(Plan::parse(words), Err(Failure::Usage(_))),
                "{words:?}"
            );
        }
    }

    #[test]
    fn controls_are_read_off_their_table() {
        let line = r#"    ("lose-rule", "engine", Fault::LoseRule),"#;
        let control = Control::of_line(line).unwrap();
        assert_eq!((&*control.fault, &*control.target), ("lose-rule", "engine"));
        assert_eq!(Control::of_line("pub const ALL: &[(&str)] = &["), None);
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
