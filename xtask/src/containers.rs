//! Docker, gVisor and the image that the tests of containers need.
//!
//! Installs and starts them only on Debian and only as root. A daemon.json that is there keeps
//! everything that it says; `runsc` is added to it. Says what is missing anywhere else.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::setup;
use crate::shell;
use crate::stages::Finding;
use crate::workspace::Workspace;

/// Debian's names.
const PACKAGES: [&str; 3] = ["docker.io", "runsc", "mmdebstrap"];

/// What they bring.
const PROGRAMS: [&str; 4] = ["docker", "dockerd", "runsc", "mmdebstrap"];

const CONFIGURATION: &str = "/etc/docker/daemon.json";

const PID_FILE: &str = "/var/run/docker.pid";

/// gVisor without KVM, without a network, and with Unix sockets of the host that are mounted.
const RUNSC_ARGUMENTS: [&str; 3] = ["--platform=ptrace", "--network=none", "--host-uds=open"];

/// dockerd loads its images before it answers.
const START_PATIENCE: Duration = Duration::from_secs(60);
const START_STEP: Duration = Duration::from_millis(200);

/// The runtime that the tests use.
const RUNTIME: &str = "shell";

/// Docker with runc and runsc, and the image; skipped with a reason where that cannot be had.
pub(crate) fn stage(workspace: &Workspace) -> Result<Finding, Failure> {
    if let Err(why) = docker() {
        return Ok(Finding::Skipped(why.to_string()));
    }
    image(workspace).map(|()| Finding::Done)
}

/// A dockerd that answers and knows `runsc`.
pub(crate) fn docker() -> Result<(), Failure> {
    if has_runsc() {
        return Ok(());
    }
    if shell::find("apt-get").is_none() || !shell::are_we_root() {
        return Err(missing());
    }
    if !PROGRAMS
        .iter()
        .all(|program| shell::find(program).is_some())
    {
        setup::install(&PACKAGES)?;
    }
    configure(Path::new(CONFIGURATION))?;
    match answers() {
        true => reload()?,
        false => start()?,
    }
    wait()
}

/// The image of the tests, built unless the one that is there is right.
pub(crate) fn image(workspace: &Workspace) -> Result<(), Failure> {
    let lazaret = workspace.bin("lazaret");
    if shell::holds(Command::new(&lazaret).args(["runtime", "verify", RUNTIME])) {
        return Ok(());
    }
    shell::run(Command::new(&lazaret).args(["runtime", "build", RUNTIME]))
}

fn answers() -> bool {
    shell::holds(Command::new("docker").arg("ps"))
}

fn has_runsc() -> bool {
    let info = Command::new("docker")
        .args(["info", "--format", "{{json .Runtimes}}"])
        .stderr(Stdio::null())
        .output();
    info.is_ok_and(|info| {
        info.status.success() && String::from_utf8_lossy(&info.stdout).contains("\"runsc\"")
    })
}

/// Adds `runsc` to what the file says.
fn configure(file: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file).unwrap_or_else(|_absent| "{}".into());
    let mut configuration: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::answer(CONFIGURATION, error.to_string()))?;
    let runsc = shell::find("runsc").ok_or_else(missing)?;
    if let Some(runtimes) = configuration
        .as_object_mut()
        .map(|map| map.entry("runtimes").or_insert_with(|| json!({})))
        .and_then(Value::as_object_mut)
        && !runtimes.contains_key("runsc")
    {
        runtimes.insert(
            "runsc".into(),
            json!({"path": runsc, "runtimeArgs": RUNSC_ARGUMENTS}),
        );
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    fs::write(file, format!("{configuration:#}\n")).map_err(Failure::file(file))
}

/// Starts dockerd, which stays when we are gone.
fn start() -> Result<(), Failure> {
    let log = std::env::temp_dir().join("lazaret-dockerd.log");
    let to = fs::File::create(&log).map_err(Failure::file(&log))?;
    Command::new("dockerd")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(to)
        .process_group(0)
        .spawn()
        .map(drop)
        .map_err(Failure::file(Path::new("dockerd")))
}

/// A dockerd that runs reads its runtimes again on this signal.
fn reload() -> Result<(), Failure> {
    let file = Path::new(PID_FILE);
    let pid = fs::read_to_string(file).map_err(Failure::file(file))?;
    shell::run(Command::new("kill").args(["-HUP", pid.trim()]))
}

fn wait() -> Result<(), Failure> {
    let started = Instant::now();
    while started.elapsed() < START_PATIENCE {
        if has_runsc() {
            return Ok(());
        }
        std::thread::sleep(START_STEP);
    }
    Err(missing())
}

fn missing() -> Failure {
    Failure::Missing {
        what: "docker with runc and runsc".into(),
        remedy: "install docker.io and runsc and start dockerd as docs/CONTAINERS.md says".into(),
    }
}
