//! Docker with runc and runsc (gVisor), for comparison.
//!
//! Uses the dockerd that answers; with `--docker` and as root it starts one of
//! its own, with its own data, socket and no network, and stops it afterwards.
//! The image is a Debian with python3, made once by mmdebstrap and kept in the
//! build's scratch space; a running dockerd of somebody else gets it imported
//! under our name and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::contender::{CODE, Contender};
use crate::daemon::terminate;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

const IMAGE: &str = "lazaret-bench-python";
/// The suite and the packages of the image.
const SUITE: &str = "bookworm";
const PACKAGES: &str = "python3-minimal";
/// A container takes a tenth to a whole second.
const EVERY: u32 = 10;
const START_PATIENCE: Duration = Duration::from_secs(30);
const START_STEP: Duration = Duration::from_millis(100);

/// A dockerd that answers.
pub(super) struct Docker {
    /// Where it listens; nothing where docker's own default holds.
    socket: Option<String>,
    started: Option<Started>,
}

/// A dockerd that we started.
struct Started {
    child: Child,
    run_dir: PathBuf,
}

impl Docker {
    /// The dockerd that is running, if there is one.
    pub(super) fn running() -> Option<Self> {
        let docker = Self {
            socket: None,
            started: None,
        };
        if docker.answers() {
            return Some(docker);
        }
        println!("docker: left out, no dockerd answers (`--docker` starts one)");
        None
    }

    /// The dockerd that is running, or one of our own; nothing, and said, where
    /// its programs are not installed.
    pub(super) fn running_or_started(workspace: &Workspace) -> Result<Option<Self>, Failure> {
        let found = Self {
            socket: None,
            started: None,
        };
        if found.answers() {
            return Ok(Some(found));
        }
        for program in ["docker", "dockerd", "mmdebstrap"] {
            if shell::find(program).is_none() {
                println!("docker: left out, `{program}` is not installed");
                return Ok(None);
            }
        }
        if !shell::are_we_root() {
            println!("docker: left out, only root can start dockerd");
            return Ok(None);
        }
        Self::start(workspace).map(Some)
    }

    /// Imports the image unless it is there.
    pub(super) fn ensure_image(&self, workspace: &Workspace) -> Result<(), Failure> {
        if shell::holds(self.docker().args(["image", "inspect", IMAGE])) {
            return Ok(());
        }
        let archive = image_archive(workspace)?;
        shell::read(self.docker().arg("import").arg(&archive).arg(IMAGE)).map(drop)
    }

    /// One contender for each of runc and runsc that this dockerd can run.
    pub(super) fn contenders(&self) -> Vec<Contender> {
        ["runc", "runsc"]
            .into_iter()
            .map(|runtime| self.contender(runtime))
            .filter(|contender| match contender.once() {
                Ok(()) => true,
                Err(failure) => {
                    println!("{}: left out, {failure}", contender.name);
                    false
                }
            })
            .collect()
    }

    /// Stops what we started.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        let Some(mut started) = self.started.take() else {
            return Ok(());
        };
        terminate(started.child.id())?;
        started
            .child
            .wait()
            .map_err(Failure::file(&started.run_dir))?;
        std::fs::remove_dir_all(&started.run_dir).map_err(Failure::file(&started.run_dir))
    }

    fn start(workspace: &Workspace) -> Result<Self, Failure> {
        // A socket's path is short: not below the build directory.
        let run_dir = std::env::temp_dir().join(format!("lazaret-bench-{}", std::process::id()));
        std::fs::create_dir_all(&run_dir).map_err(Failure::file(&run_dir))?;
        let socket = format!("unix://{}", run_dir.join("docker.sock").display());
        let config = write_config(workspace, &run_dir, &socket)?;
        let log_file = run_dir.join("dockerd.log");
        let log = std::fs::File::create(&log_file).map_err(Failure::file(&log_file))?;
        let child = Command::new("dockerd")
            .arg("--config-file")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Failure::file(Path::new("dockerd")))?;
        let mut docker = Self {
            socket: Some(socket),
            started: Some(Started { child, run_dir }),
        };
        docker.wait_until_it_answers(&log_file)?;
        Ok(docker)
    }

    fn wait_until_it_answers(&mut self, log_file: &Path) -> Result<(), Failure> {
        let started = Instant::now();
        while started.elapsed() < START_PATIENCE {
            if self.answers() {
                return Ok(());
            }
            std::thread::sleep(START_STEP);
        }
        let log = std::fs::read_to_string(log_file).unwrap_or_default();
        Err(Failure::Command {
            line: "dockerd".into(),
            ending: format!(
                "does not answer: {}",
                log.lines().last().unwrap_or_default()
            ),
        })
    }

    fn answers(&self) -> bool {
        shell::holds(self.docker().args(["info", "--format", "{{.ID}}"]))
            && shell::holds(self.docker().arg("ps"))
    }

    fn contender(&self, runtime: &str) -> Contender {
        let mut line = vec!["docker"];
        if let Some(socket) = &self.socket {
            line.extend(["--host", socket]);
        }
        line.extend(["run", "--rm", "--network", "none", "--runtime", runtime]);
        line.extend([IMAGE, "python3", "-c", CODE]);
        Contender::process(&format!("docker run, {runtime}, python3 -c"), EVERY, &line)
    }

    fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        if let Some(socket) = &self.socket {
            command.args(["--host", socket]);
        }
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(mut started) = self.started.take() {
            drop(terminate(started.child.id()));
            drop(started.child.wait());
        }
    }
}

/// All of dockerd's settings: nothing of the machine's own dockerd is touched.
fn write_config(workspace: &Workspace, run_dir: &Path, socket: &str) -> Result<PathBuf, Failure> {
    let runsc = shell::find("runsc").map(|path| {
        json!({"runsc": {"path": path, "runtimeArgs": ["--platform=ptrace", "--network=none"]}})
    });
    let config = json!({
        "data-root": workspace.scratch("docker")?,
        "exec-root": run_dir.join("exec"),
        "pidfile": run_dir.join("dockerd.pid"),
        "hosts": [socket],
        "bridge": "none",
        "iptables": false,
        "ip6tables": false,
        "runtimes": runsc.unwrap_or_else(|| json!({})),
    });
    let file = run_dir.join("daemon.json");
    std::fs::write(&file, config.to_string()).map_err(Failure::file(&file))?;
    Ok(file)
}

/// The image's files as an archive, made on the first call.
fn image_archive(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let archive = workspace
        .scratch("image")?
        .join(format!("{SUITE}-python.tar"));
    if archive.is_file() {
        return Ok(archive);
    }
    println!("making the image for docker, once");
    let unfinished = archive.with_extension("unfinished.tar");
    shell::run(
        Command::new("mmdebstrap")
            .args(["--quiet", "--variant=minbase", "--include", PACKAGES, SUITE])
            .arg(&unfinished),
    )?;
    std::fs::rename(&unfinished, &archive).map_err(Failure::file(&archive))?;
    Ok(archive)
}
