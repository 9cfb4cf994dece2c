//! Why a container was not made, not believed, or not heard of any more.

use std::io;

/// What went wrong on the way to a container that may be given a program.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No Docker where one was looked for.
    #[error(
        "no Docker answers at `{socket}`: {said}; start dockerd, or name its socket with LAZARET_DOCKER_SOCKET"
    )]
    Docker {
        /// The socket.
        socket: String,
        /// What was said, in one line.
        said: String,
    },
    /// Docker refused or broke off one step.
    #[error("docker, {step}: {said}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// What Docker said, in one line.
        said: String,
    },
    /// This process cannot leave its sign of life.
    #[error("`{path}`: {source}; make the state directory writable for the daemon")]
    Life {
        /// The folder of the lock files.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Docker has no such OCI runtime.
    #[error(
        "docker has no runtime `{0}`; install it and name it in daemon.json (docs/CONTAINERS.md has the lines)"
    )]
    NoOciRuntime(&'static str),
    /// gVisor keeps its guests from the socket of the way out.
    #[error(
        "docker's runtime `runsc` lets no socket of the host through; add `--host-uds=open` to its `runtimeArgs` in daemon.json"
    )]
    NoHostSockets,
    /// Nobody opens doors.
    #[error("the profile has a way out, and nothing here opens one; run it in the daemon")]
    NoDoors,
    /// The way out cannot be opened.
    #[error("the way out of the container cannot be opened: {0}")]
    Door(String),
    /// Docker has not what the lock file names.
    #[error(
        "docker does not have the image of runtime `{0}` any more; run `lazaret runtime build {0}`"
    )]
    NoImage(String),
    /// The image is not what was built.
    #[error(transparent)]
    Image(#[from] super::image::ImageError),
    /// The profile is no plan for a container.
    #[error(transparent)]
    Plan(#[from] super::plan::PlanError),
    /// Less is in force than the profile asks for.
    #[error("the container is weaker than its profile: {0}; nothing was run in it")]
    Weaker(String),
    /// The first process did not answer as it should.
    #[error("the container's first process {0}")]
    Init(String),
}

impl ContainerError {
    /// What Docker said to one step.
    pub(crate) fn step(step: &'static str) -> impl Fn(bollard::errors::Error) -> Self {
        move |error| Self::Step {
            step,
            said: said(&error),
        }
    }

    pub(crate) fn io(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Step {
            step,
            said: error.to_string(),
        }
    }
}

/// One printable line of what Docker said.
pub(crate) fn said(error: &bollard::errors::Error) -> String {
    let text = match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        other => last_cause(other),
    };
    super::line(&text)
}

/// The last cause of an error: what the kernel said, where the others only say that something
/// went wrong.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}
