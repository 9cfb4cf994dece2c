//! `cargo xtask bench containers`: a call in a container beside `docker run` and `docker exec` of
//! the same image, in one run and in turn; then the egress proxy as [`egress`] measures it.
//!
//! Warm is a call that finds a container waiting: before each there is time, not counted, to make one.
//! Cold is the same call with a memory limit of its own, for which nothing is made ahead. Which of
//! both a call was is read off its receipt; a call that was not what it should be fails the
//! command.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Answer, Client, Ran};
use crate::bench::egress;
use crate::bench::sample::{Sample, milliseconds};
use crate::containers;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::setup;
use crate::shell;
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// The image that all contenders run.
const IMAGE: &str = "lazaret/shell";

/// What all of them run, and what it prints.
const TEXT: &str = "echo 1";
const PRINTED: &str = "1\n";

/// A container is made ahead within a second or so; a busy machine gets this long.
const AHEAD: Duration = Duration::from_secs(30);
const AHEAD_STEP: Duration = Duration::from_millis(1_500);

/// A memory limit that no profile has: such calls find nothing made ahead.
const COLD_MEMORY_BYTES: u64 = 500 << 20;

/// What a warm call may cost of a `docker run`.
const MOST_RATIO: f64 = 0.25;

/// The profiles with their OCI runtimes.
const PROFILES: [(&str, &str); 2] = [("docker-trusted", "runc"), ("container-offline", "runsc")];

/// Commands in both profiles, by name.
const POLICY: &str = r#"
version = 1
name = "bench"
doc = "commands in both container profiles"
[[rule]]
id = "gvisor"
effect = "allow"
run = "container-offline"
match = { tool = "run_command", "command.name" = { exists = true } }
reason = "measured"
[[rule]]
id = "trusted"
effect = "allow"
run = "docker-trusted"
match = { tool = "run_command", "command.name" = { exists = true } }
reason = "measured"
"#;

/// How many rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    rounds: u32,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        match words {
            [] => Ok(Self { rounds: 20 }),
            [word @ "--rounds", rest @ ..] => Ok(Self {
                rounds: super::number(word, rest.first().copied())?,
            }),
            [other, ..] => Err(Failure::Usage(format!(
                "`bench containers` has no option `{other}`; see `cargo xtask --help`"
            ))),
        }
    }
}

/// One way to run it.
struct Contender {
    name: String,
    profile: &'static str,
    way: Way,
    sample: Sample,
}

enum Way {
    Warm(Client),
    Cold(Client),
    Run(Vec<String>),
    Exec(Vec<String>),
}

/// Measures and prints; fails when warm calls cost more than a quarter of `docker run`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    containers::docker()?;
    containers::image(workspace)?;
    let state = workspace.scratch("bench-containers")?;
    let policy = state.join("policy.toml");
    std::fs::write(&policy, POLICY).map_err(Failure::file(&policy))?;
    let file = policy.to_string_lossy().into_owned();
    let environment = [
        ("LAZARET_POLICY", file.as_str()),
        ("LAZARET_CONTAINERS", "required"),
    ];
    let daemon = Daemon::start(workspace, &state, &environment)?;
    let held = hold()?;
    let mut contenders = contenders(&daemon, &held);
    let measured = measure(&mut contenders, options.rounds);
    let released = release(&held);
    daemon.stop()?;
    measured.and(released)?;
    println!("\n{}", table(&contenders));
    judge(&contenders)?;
    egress::run(workspace)
}

fn measure(contenders: &mut [Contender], rounds: u32) -> Result<(), Failure> {
    // The first of each fills the caches and the shelf, and does not count.
    for contender in contenders.iter_mut() {
        contender.once()?;
    }
    for _ in 0..rounds {
        for contender in contenders.iter_mut() {
            let took = contender.once()?;
            contender.sample.add(took);
        }
    }
    Ok(())
}

/// A container for each runtime into which `docker exec` goes.
fn hold() -> Result<Vec<(&'static str, String)>, Failure> {
    let start = |(_, runtime): (&'static str, &'static str)| {
        let mut docker = Command::new("docker");
        docker.args(["run", "--detach", "--network", "none", "--runtime", runtime]);
        docker.args(["--entrypoint", "sleep", IMAGE, "infinity"]);
        Ok((runtime, shell::read(&mut docker)?.trim().to_owned()))
    };
    PROFILES.into_iter().map(start).collect()
}

fn release(held: &[(&'static str, String)]) -> Result<(), Failure> {
    held.iter().try_for_each(|(_, id)| {
        shell::read(Command::new("docker").args(["rm", "--force", id])).map(drop)
    })
}

fn contenders(daemon: &Daemon, held: &[(&'static str, String)]) -> Vec<Contender> {
    let words = |line: &[&str]| {
        line.iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<String>>()
    };
    let mut contenders = Vec::new();
    for (profile, runtime) in PROFILES {
        let mut put = |name: &str, way| {
            contenders.push(Contender {
                name: format!("{name}, {runtime}"),
                profile,
                way,
                sample: Sample::default(),
            });
        };
        put("lazaret, warm", Way::Warm(daemon.client().another()));
        put("lazaret, cold", Way::Cold(daemon.client().another()));
        put(
            "docker run",
            Way::Run(words(&[
                "run",
                "--rm",
                "--network",
                "none",
                "--runtime",
                runtime,
                "--entrypoint",
                "bash",
                IMAGE,
                "-c",
                TEXT,
            ])),
        );
        if let Some((_, id)) = held.iter().find(|(held, _)| *held == runtime) {
            put(
                "docker exec",
                Way::Exec(words(&["exec", id, "bash", "-c", TEXT])),
            );
        }
    }
    contenders
}

impl Contender {
    /// Runs it once and gives its time.
    fn once(&self) -> Result<Duration, Failure> {
        match &self.way {
            Way::Warm(client) => warm(client, self.profile),
            Way::Cold(client) => {
                let limits = json!({"memory_bytes": COLD_MEMORY_BYTES});
                let request = json!({"language": "bash", "code": TEXT, "profile": self.profile, "limits": limits});
                call(client, &request, Some(false))
            }
            Way::Run(line) | Way::Exec(line) => docker(line),
        }
    }
}

/// A call that found a container waiting. One that did not has had one made ahead for the next, and
/// is made again after a while.
fn warm(client: &Client, profile: &str) -> Result<Duration, Failure> {
    let request = json!({"language": "bash", "code": TEXT, "profile": profile});
    let until = Instant::now() + AHEAD;
    std::thread::sleep(AHEAD_STEP);
    loop {
        match call(client, &request, Some(true)) {
            Err(_cold) if Instant::now() < until => std::thread::sleep(AHEAD_STEP),
            measured => return measured,
        }
    }
}

fn call(client: &Client, request: &Value, warm: Option<bool>) -> Result<Duration, Failure> {
    let started = Instant::now();
    let answer = client.execute(request)?;
    let took = started.elapsed();
    match answer {
        Answer::Ran(ran) if ran.stdout == PRINTED && is(&ran, warm) => Ok(took),
        Answer::Ran(ran) => Err(Failure::answer(
            "the daemon",
            format!(
                "{}, warm {}: `{}`",
                ran.ending.word(),
                ran.receipt.get("warm").unwrap_or(&Value::Null),
                ran.stderr.trim()
            ),
        )),
        Answer::Refused(refused) => Err(Failure::answer("the daemon", refused.detail)),
    }
}

fn is(ran: &Ran, warm: Option<bool>) -> bool {
    warm.is_none_or(|warm| ran.receipt.get("warm") == Some(&Value::Bool(warm)))
}

fn docker(line: &[String]) -> Result<Duration, Failure> {
    let started = Instant::now();
    let printed = shell::read(Command::new(Path::new("docker")).args(line))?;
    match printed == PRINTED {
        true => Ok(started.elapsed()),
        false => Err(Failure::answer("docker", format!("`{}`", printed.trim()))),
    }
}

fn table(contenders: &[Contender]) -> Table {
    let mut table = Table::new(&[
        ("`echo 1` in bash by", Align::Left),
        ("runs", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("to docker run", Align::Right),
    ]);
    for one in contenders {
        let ratio =
            ratio(contenders, one).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        table.row([
            one.name.clone(),
            one.sample.len().to_string(),
            milliseconds(one.sample.quantile(500)),
            milliseconds(one.sample.quantile(990)),
            ratio,
        ]);
    }
    table
}

/// Its median to that of `docker run` with the same runtime.
fn ratio(contenders: &[Contender], one: &Contender) -> Option<f64> {
    let base = contenders
        .iter()
        .find(|other| matches!(other.way, Way::Run(_)) && other.profile == one.profile)?;
    let (median, base) = (one.sample.quantile(500)?, base.sample.quantile(500)?);
    Some(median.as_secs_f64() / base.as_secs_f64())
}

fn judge(contenders: &[Contender]) -> Result<(), Failure> {
    for one in contenders
        .iter()
        .filter(|one| matches!(one.way, Way::Warm(_)))
    {
        if let Some(ratio) = ratio(contenders, one).filter(|ratio| *ratio > MOST_RATIO) {
            return Err(Failure::Check(format!(
                "{} takes {ratio:.3} of docker run; at most {MOST_RATIO} is wanted",
                one.name
            )));
        }
    }
    Ok(())
}
