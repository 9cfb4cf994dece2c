//! The container backend: for what WebAssembly cannot run. Docker makes the containers, gVisor
//! runs them unless a profile says otherwise.
//!
//! ```text
//!  daemon                     Docker                     container
//!  ┌──────────────────┐  unix socket   ┌──────────────────────────────────┐
//!  │ Containers ─ Pool┼──────────────► │ lazaret-init (process 1)         │
//!  │     │            │  make, look,   │   Ready ► waits ► Start ► program│
//!  │  compare, or     │◄─ start ──────►│   frames over stdin and stdout   │
//!  │  end it          │                │   /workspace, /tmp: in memory    │
//!  └──────────────────┘                │   no network, no host path       │
//!                                      └──────────────────────────────────┘
//! ```
//!
//! A container takes one call and is thrown away. It never sees Docker's socket, a file of the
//! host or the daemon's environment. What cannot be made as the profile asks is not made: the
//! call ends as a failed launch that names what is missing, and nothing runs elsewhere instead.

mod build;
mod cgroup;
mod docker;
mod error;
mod frames;
mod image;
mod life;
mod live;
mod manifest;
mod plan;
mod pool;
mod seccomp;
mod verify;

pub use build::{BuildError, build_image};
pub use cgroup::CgroupLimits;
pub use docker::DOCKER_SOCKET;
pub use error::ContainerError;
pub use image::{ImageError, ImageLock, ImageState, ImageStore};
pub use manifest::{Debian, DebianPackage, ImageManifest, Language, image_manifests};
pub use plan::{ContainerPlan, GUEST_ID, OciRuntime, PlanError, plan};
pub use pool::{ContainerHost, Containers, DockerAbout};
pub use seccomp::Seccomp;
pub use verify::ContainerSettings;

/// One printable line of bounded length, of what somebody else said.
pub(crate) fn line(text: &str) -> String {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    first
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(1_024)
        .collect()
}
