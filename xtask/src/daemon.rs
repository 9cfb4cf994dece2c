//! A daemon of our own for the time of one command, on a port that the kernel
//! picks and in a state directory that nobody else uses.
//!
//! Fails with the end of the daemon's own log. Dropped without `stop`, it is
//! killed, so no command leaves one behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::api::Client;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// How long a daemon may take to listen: it opens a ledger and starts workers.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a daemon may take to finish or cancel what runs: the longest wall
/// limit and some.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const STOP_STEP: Duration = Duration::from_millis(20);
/// As much of the log as a person wants to see.
const LOG_LINES: usize = 12;
const READY: &str = "listening on ";

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    state: PathBuf,
    client: Client,
}

impl Daemon {
    /// Starts `lazaret serve` on `state`, with `environment` added to ours, and
    /// waits until it says that it listens.
    pub(crate) fn start(
        workspace: &Workspace,
        state: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let log = log_file(state);
        let stderr = std::fs::File::create(&log).map_err(Failure::file(&log))?;
        let mut child = Command::new(workspace.bin("lazaret"))
            .args(["serve", "--listen", "127.0.0.1:0", "--state"])
            .arg(state)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(Failure::file(&workspace.bin("lazaret")))?;
        let url = child.stdout.take().and_then(wait_until_ready);
        let Some(url) = url else {
            reap(&mut child);
            return Err(did_not_start(state));
        };
        match read_token(state) {
            Ok(token) => Ok(Self {
                child,
                state: state.to_owned(),
                client: Client::new(&url, &token),
            }),
            Err(failure) => {
                reap(&mut child);
                Err(failure)
            }
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.state.join("ledger.db")
    }

    /// Asks it to stop and waits; an exit code other than 0 fails.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        terminate(self.child.id())?;
        let deadline = Instant::now().checked_add(STOP_PATIENCE);
        while deadline.is_some_and(|deadline| Instant::now() < deadline) {
            match self.child.try_wait().map_err(Failure::file(&self.state))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended(&format!("ended with {status}"))),
                None => std::thread::sleep(STOP_STEP),
            }
        }
        Err(self.ended("did not stop on SIGTERM"))
    }

    fn ended(&self, ending: &str) -> Failure {
        Failure::Command {
            line: "lazaret serve".into(),
            ending: format!("{ending}\n{}", log_end(&self.state)),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        reap(&mut self.child);
    }
}

/// Sends SIGTERM, through the program of that name: unsafe code is not for us.
pub(crate) fn terminate(process_id: u32) -> Result<(), Failure> {
    shell::run(Command::new("sh").args(["-c", &format!("kill -TERM {process_id}")]))
}

/// The address in the daemon's first line; nothing if it ended before or says
/// nothing in time. What comes after is read and dropped, so that the daemon
/// never waits for us.
fn wait_until_ready(stdout: ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        drop(stdout.read_line(&mut line));
        drop(sender.send(line));
        std::io::copy(&mut stdout, &mut std::io::sink())
    });
    let line = receiver.recv_timeout(START_PATIENCE).ok()?;
    line.trim().strip_prefix(READY).map(str::to_owned)
}

fn read_token(state: &Path) -> Result<String, Failure> {
    let file = state.join("api-token");
    let token = std::fs::read_to_string(&file).map_err(Failure::file(&file))?;
    Ok(token.trim().to_owned())
}

fn did_not_start(state: &Path) -> Failure {
    Failure::Command {
        line: "lazaret serve".into(),
        ending: format!("did not start\n{}", log_end(state)),
    }
}

fn log_file(state: &Path) -> PathBuf {
    state.join("daemon.log")
}

fn log_end(state: &Path) -> String {
    let log = std::fs::read_to_string(log_file(state)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(LOG_LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Kills and waits; errors mean that it is gone already.
fn reap(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}
