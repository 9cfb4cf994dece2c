//! `cargo xtask bench`: what Lazaret costs beside others.
//!
//! Each command has a module of its own but `call`, which is here: how long `print(1)`
//! takes through the daemon, beside everything else that this machine can run it with.
//!
//! All contenders run in one session and in turn, so that a noisy minute falls
//! on all of them; compare the ratios, not the milliseconds. The daemon's
//! ledger lies on the same disk as the build, durable as always. A contender
//! that the machine lacks is named, not passed over.

mod call;
pub(crate) mod containers;
mod contender;
pub(crate) mod decide;
mod docker;
pub(crate) mod egress;
pub(crate) mod ledger;
pub(crate) mod load;
mod memory;
pub(crate) mod reload;
mod sample;

use std::path::Path;
use std::time::Duration;

use crate::bench::contender::{Contender, Language};
use crate::bench::docker::Docker;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::setup;
use crate::workspace::Workspace;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    load_time: Duration,
    clients: usize,
    rounds: u32,
    docker: StartDocker,
    lazaret: Include,
}

/// Whether we may start a dockerd of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartDocker {
    IfNoneRuns,
    Never,
}

/// Whether Lazaret itself takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Include {
    Yes,
    No,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            load_time: Duration::from_secs(60),
            clients: 50,
            rounds: 200,
            docker: StartDocker::Never,
            lazaret: Include::Yes,
        }
    }
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--seconds" => options.load_time = Duration::from_secs(number(word, words.next())?),
                "--clients" => options.clients = number(word, words.next())?,
                "--rounds" => options.rounds = number(word, words.next())?,
                "--docker" => options.docker = StartDocker::IfNoneRuns,
                "--peers-only" => options.lazaret = Include::No,
                other => {
                    return Err(Failure::Usage(format!(
                        "`bench call` has no option `{other}`; see `cargo xtask --help`"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(option: &str, word: Option<&str>) -> Result<N, Failure> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| Failure::Usage(format!("`{option}` wants a number after it")))
}

/// Measures and prints; an error of any contender or client fails the command.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let daemon = match options.lazaret {
        Include::Yes => Some(start_daemon(workspace)?),
        Include::No => None,
    };
    let docker = match options.docker {
        StartDocker::IfNoneRuns => Docker::running_or_started(workspace)?,
        StartDocker::Never => Docker::running(),
    };
    if let Some(docker) = &docker {
        docker.ensure_image(workspace)?;
    }
    let lazaret = daemon.iter().flat_map(|daemon| {
        Language::ALL.map(|language| Contender::lazaret(daemon.client(), language))
    });
    let contenders = lazaret
        .chain(contender::natives()?)
        .chain(contender::node())
        .chain(contender::bubblewrap()?)
        .chain(docker.iter().flat_map(Docker::contenders))
        .collect();
    call::compare(contenders, options.rounds)?;
    if let Some(docker) = docker {
        docker.stop()?;
    }
    match daemon {
        Some(daemon) => load_and_stop(daemon, options),
        None => Ok(()),
    }
}

fn start_daemon(workspace: &Workspace) -> Result<Daemon, Failure> {
    setup::prepare(workspace)?;
    start_daemon_in(workspace, &workspace.scratch("bench")?)
}

/// A daemon with a state of its own below `folder`.
fn start_daemon_in(workspace: &Workspace, folder: &Path) -> Result<Daemon, Failure> {
    let state = folder.join(format!("lazaret-bench-{}", std::process::id()));
    std::fs::create_dir_all(&state).map_err(Failure::file(&state))?;
    Daemon::start(workspace, &state, &[])
}

fn stop_daemon(daemon: Daemon) -> Result<(), Failure> {
    let state = daemon.state().to_owned();
    daemon.stop()?;
    std::fs::remove_dir_all(&state).map_err(Failure::file(&state))
}

fn load_and_stop(daemon: Daemon, options: &Options) -> Result<(), Failure> {
    let finding = if options.load_time.is_zero() {
        Ok(())
    } else {
        load::flat(&daemon, options.clients, options.load_time)
    };
    stop_daemon(daemon)?;
    finding
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn options_are_read() {
        let options = Options::parse(&["--seconds", "5", "--docker"]).unwrap();
        assert_eq!(options.load_time, Duration::from_secs(5));
        assert_eq!(options.docker, StartDocker::IfNoneRuns);
        assert_eq!(options.clients, Options::default().clients);
    }

    #[test]
    fn an_option_without_its_number_is_refused() {
        assert!(Options::parse(&["--clients"]).is_err());
        assert!(Options::parse(&["--clients", "-1"]).is_err());
    }
}
