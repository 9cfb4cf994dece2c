//! The control: programs run as they are, by the host's own python3.
//!
//! They attack for real. What holds them is the arena (private root, pid and
//! network namespace) and, within it, the capabilities that a container has:
//! none to mount, load, boot, make devices, trace or reach raw hardware. Each
//! runs for [`PROGRAM_WALL`] at most and everything it started is killed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::canary::Canaries;
use super::inside::Arena;
use super::listen::Listeners;
use super::root::ARENA;
use super::{DAEMON_PORT, Hit, Job, Kind, PROGRAM_WALL, Report, Run};
use crate::corpus::Case;

/// What a container gives its root, without the right to make devices.
const CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,\
                            +net_bind_service,+audit_write,+setfcap,+setpcap";

/// How often the process table is looked at while a program runs.
const SAMPLE: Duration = Duration::from_millis(10);

/// A program that floods its output must not fill the arena's memory.
const SAID_BYTES: u64 = 4 << 20;

/// The path of a tool of the base system; never a wrapper from elsewhere.
pub(super) fn tool(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/bin"].into_iter();
    folders
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

/// What only the control needs: stand-ins for packages and for the daemon.
pub(super) fn prepare(listeners: &Listeners, canaries: &mut Canaries) {
    let shims = Path::new(ARENA).join("shims");
    fs::create_dir_all(&shims).expect("a folder for the shims");
    fs::write(
        shims.join("psutil.py"),
        include_str!("../../shim/psutil.py"),
    )
    .expect("psutil");
    fs::write(
        shims.join("requests.py"),
        include_str!("../../shim/requests.py"),
    )
    .expect("requests");
    listeners
        .tcp(DAEMON_PORT, "")
        .expect("listen in the daemon's place");
    let token = super::secret();
    canaries.expect_secret(&token, Kind::Read, "api-token");
    let state = Path::new(ARENA).join("state");
    fs::create_dir_all(&state).expect("a state directory");
    fs::write(state.join("api-token"), token).expect("a token");
}

/// Runs programs until all are done or one has soiled the arena.
pub(super) fn run_all(arena: &mut Arena, job: &Job) -> Report {
    arena.settle();
    let mut runs = Vec::new();
    for program in &job.programs {
        let run = run(arena, program);
        let soiled = run.hits.iter().any(|hit| hit.kind.soils());
        runs.push(run);
        if soiled {
            break;
        }
    }
    Report {
        runs,
        unplanted: arena.canaries.unplanted.clone(),
        faults: Vec::new(),
        verified: None,
    }
}

fn run(arena: &mut Arena, program: &Case) -> Run {
    let said = Path::new(ARENA).join("said");
    let code = Path::new(ARENA).join("program.py");
    fs::write(&code, &program.code).expect("write the program");
    let start = Instant::now();
    let mut child = command(&code, &said).spawn().expect("start the control");
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
    let mut started = Vec::new();
    let status = loop {
        started.extend(
            arena
                .strangers()
                .into_iter()
                .filter(|p| p.pid != group.as_raw()),
        );
        if let Some(status) = child.try_wait().expect("wait for the control") {
            break Some(status);
        }
        if start.elapsed() > PROGRAM_WALL {
            break None;
        }
        thread::sleep(SAMPLE);
    };
    let wall_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut hits: Vec<Hit> = started
        .iter()
        .map(|p| Hit::new(Kind::Executed, p.name.clone()))
        .collect();
    // Processes that are left when the program has ended by itself.
    if status.is_some() {
        let left = arena.strangers();
        hits.extend(
            left.iter()
                .map(|p| Hit::new(Kind::Lingering, p.name.clone())),
        );
    }
    // The group may be gone already.
    killpg(group, Signal::SIGKILL).ok();
    kill_strangers(arena);
    drop(child.wait());
    hits.extend(arena.judge(&read_said(&said)));
    hits.sort();
    hits.dedup();
    Run {
        id: program.id.clone(),
        hits,
        ending: if status.is_some() {
            "exited"
        } else {
            "timed_out"
        }
        .to_owned(),
        exit_code: status.and_then(|status| status.code()).map(i64::from),
        wall_ms,
        ledger: None,
        faults: Vec::new(),
    }
}

fn command(code: &Path, said: &Path) -> Command {
    let out = fs::File::create(said).expect("a file for the output");
    let err = out.try_clone().expect("one file for both streams");
    let mut command = Command::new(tool("setpriv").expect("setpriv"));
    command
        .arg(format!("--bounding-set={CAPABILITIES}"))
        .args(["--inh-caps=-all", "--"])
        .arg(tool("python3").expect("python3"))
        .arg("-S")
        .arg(code)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/root")
        .env("PYTHONPATH", Path::new(ARENA).join("shims"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(std::env::vars().filter(|(name, _)| name == "LAZARET_ARENA_SECRET"))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    command
}

/// Kills what a program left, until nothing is left.
fn kill_strangers(arena: &Arena) {
    let deadline = Instant::now() + PROGRAM_WALL;
    loop {
        let strangers = arena.strangers();
        if strangers.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "processes that cannot be killed: {strangers:?}"
        );
        for stranger in strangers {
            // It may end at any moment by itself.
            kill(Pid::from_raw(stranger.pid), Signal::SIGKILL).ok();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn read_said(said: &Path) -> String {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(said) {
        drop(file.take(SAID_BYTES).read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
