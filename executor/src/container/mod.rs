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
//!  └──────────────────┘                │   no network, no host path; or   │
//!                                      │   one: a door, a socket of ours  │
//!                                      └──────────────────────────────────┘
//! ```
//!
//! A container takes one call and is thrown away. It never sees Docker's socket, a file of the
//! host or the daemon's environment. Where its profile has a way out, that is one mounted socket
//! ([`Door`]). What cannot be made as the profile asks is not made: the
//! call ends as a failed launch that names what is missing, and nothing runs elsewhere instead.

mod build;
mod cgroup;
mod docker;
mod door;
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

pub use container_init::{EGRESS_AUTHORITIES, EGRESS_SOCKET};

pub use build::{BuildError, build_image};
pub use cgroup::CgroupLimits;
pub use docker::DOCKER_SOCKET;
pub use door::{Closing, Door, DoorPlan, Doors};
pub use error::ContainerError;
pub use image::{ImageError, ImageLock, ImageState, ImageStore};
pub use life::Life;
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
