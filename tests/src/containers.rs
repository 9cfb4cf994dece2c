//! What the tests of containers need of the host: a Docker that answers, its runtimes, the image.
//!
//! Docker's own command line is the outside view: it counts and inspects what the daemon made.
//! A test that lacks something skips and says so, and fails with `CI=true`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::program;
use crate::corpus;
use crate::daemon::{Answer, Client, Daemon, Options};

/// The profiles that the tests run in: gVisor, and the host's kernel.
pub const PROFILES: [&str; 2] = ["container-offline", "docker-trusted"];

/// The runtime that both use.
pub const RUNTIME: &str = "shell";

/// By this label the daemon's containers are told from others.
const LABEL: &str = "lazaret.installation";

/// A policy under which a call runs in the container profile that it names.
const POLICY: &str = r#"
version = 1
name = "containers"
doc = "both container profiles, by name"

[[rule]]
id = "python"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code", "arguments.language" = { exists = true } }
reason = "as shipped"

[[rule]]
id = "gvisor"
effect = "allow"
run = "container-offline"
match = { tool = "execute_code", "arguments.profile" = "container-offline" }
reason = "in gVisor"

[[rule]]
id = "trusted"
effect = "allow"
run = "docker-trusted"
match = { tool = "execute_code", "arguments.profile" = "docker-trusted" }
reason = "on the host's kernel"

[[rule]]
id = "gvisor-commands"
effect = "allow"
run = "container-offline"
reason = "in gVisor"

[rule.match]
tool = "run_command"
"command.name" = { exists = true }
"redirect.target" = { exists = true }
"assignment.name" = { exists = true }
"opaque.kind" = { exists = true }
"host.name" = { exists = true }
"path.value" = { exists = true }

[[rule]]
id = "trusted-commands"
effect = "allow"
run = "docker-trusted"
reason = "on the host's kernel"

[rule.match]
tool = "run_command"
"command.name" = { exists = true }
"redirect.target" = { exists = true }
"assignment.name" = { exists = true }
"opaque.kind" = { exists = true }
"host.name" = { exists = true }
"path.value" = { exists = true }
"#;

/// Whether containers can be made here; says why not.
///
/// # Panics
/// With `CI=true`, if they cannot.
#[must_use]
pub fn can_run() -> bool {
    match missing() {
        None => true,
        Some(why) => {
            corpus::skip(&why);
            false
        }
    }
}

fn missing() -> Option<String> {
    let runtimes = docker(&["info", "--format", "{{json .Runtimes}}"]);
    let runtimes = match runtimes {
        Ok(runtimes) => runtimes,
        Err(why) => return Some(format!("no docker answers: {why}")),
    };
    if let Some(runtime) = ["\"runc\"", "\"runsc\""]
        .iter()
        .find(|one| !runtimes.contains(**one))
    {
        return Some(format!("docker has no runtime {runtime}"));
    }
    let verify = Command::new(program("lazaret"))
        .args(["runtime", "verify", RUNTIME])
        .output();
    match verify {
        Ok(done) if done.status.success() => None,
        Ok(done) => Some(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// What docker's command line prints.
///
/// # Errors
/// What it complains of.
pub fn docker(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let done = done.map_err(|error| error.to_string())?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}

/// The ids of the containers that the daemon with this state directory made, running or not.
///
/// # Panics
/// If docker does not say.
#[must_use]
pub fn containers_of(state: &Path) -> Vec<String> {
    let id = std::fs::read_to_string(state.join("installation-id")).unwrap_or_default();
    if id.trim().is_empty() {
        return Vec::new();
    }
    let filter = format!("label={LABEL}={}", id.trim());
    let listed = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
    listed
        .expect("docker ps")
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The digest of the image that the profiles run.
///
/// # Panics
/// If it is not built.
#[must_use]
pub fn image() -> String {
    docker(&[
        "image",
        "inspect",
        "--format",
        "{{.Id}}",
        &format!("lazaret/{RUNTIME}"),
    ])
    .expect("the image")
    .trim()
    .to_owned()
}

/// A daemon that needs containers, with both profiles open to calls.
#[must_use]
pub fn daemon(state: &Path) -> Daemon {
    Daemon::start_with(options(state))
}

/// How such a daemon is started.
///
/// # Panics
/// If the policy cannot be written.
#[must_use]
pub fn options(state: &Path) -> Options {
    let file = state.join("containers.toml");
    std::fs::write(&file, POLICY).expect("write the policy");
    let mut options = Options::default().state(state).policy(&file);
    options
        .environment
        .push(("LAZARET_CONTAINERS".to_owned(), "required".to_owned()));
    options
}

/// Runs a shell text.
#[must_use]
pub fn bash(client: &Client, profile: &str, text: &str) -> Answer {
    client.execute(&json!({"language": "bash", "code": text, "profile": profile}))
}

/// Runs Python code.
#[must_use]
pub fn python(client: &Client, profile: &str, code: &str) -> Answer {
    client.execute(&json!({"language": "python", "code": code, "profile": profile}))
}

/// Runs code with more asked for.
#[must_use]
pub fn with(client: &Client, profile: &str, language: &str, code: &str, more: Value) -> Answer {
    let mut request = json!({"language": language, "code": code, "profile": profile});
    if let (Value::Object(request), Value::Object(more)) = (&mut request, more) {
        request.extend(more);
    }
    client.execute(&request)
}

/// Waits until something holds, for at most twenty seconds.
///
/// # Panics
/// When it does not.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}
