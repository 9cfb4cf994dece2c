//! What can go wrong on the way into the jail, each step by its own name.

use std::io;

use crate::plan::{Layer, PlanError};
use crate::seccomp::ListError;

/// Why a process is not confined. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The plan itself.
    #[error("the plan cannot be carried out: {0}")]
    Plan(#[from] PlanError),
    /// A list of system calls that is not one.
    #[error("the list of system calls cannot be used: {0}")]
    List(#[from] ListError),
    /// The process has started threads already: they would stay outside.
    #[error("{0} threads are running; enter the jail before the first thread is started")]
    Threads(usize),
    /// The kernel refused a step of a layer.
    #[error("layer `{layer}` cannot be had: {step}: {source}; {}", layer.remedy())]
    Refused {
        /// The layer.
        layer: Layer,
        /// The step that failed.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel's Landlock is too old for the plan.
    #[error(
        "layer `landlock` cannot be had: the plan wants ABI {wanted}, the kernel has {has}; {}",
        Layer::Landlock.remedy()
    )]
    LandlockTooOld {
        /// The oldest ABI that the plan accepts.
        wanted: u32,
        /// What the kernel has; 0 for none.
        has: u32,
    },
    /// The kernel took the step, and reading it back shows otherwise.
    #[error("layer `{layer}` is not in force: {found}; do not run anything on this host")]
    NotInForce {
        /// The layer.
        layer: Layer,
        /// What was read back.
        found: String,
    },
    /// A step that is no layer.
    #[error("{step}: {source}; see docs/JAIL.md, section \"when it does not start\"")]
    Step {
        /// The step that failed.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The keeper died before the process was ready.
    #[error("the keeper is gone; start a new worker")]
    KeeperGone,
}

impl JailError {
    /// The layer that is missing, if one is.
    #[must_use]
    pub fn layer(&self) -> Option<Layer> {
        match self {
            Self::Plan(PlanError::Without(layer))
            | Self::Refused { layer, .. }
            | Self::NotInForce { layer, .. } => Some(*layer),
            Self::LandlockTooOld { .. } => Some(Layer::Landlock),
            Self::List(_) => Some(Layer::Seccomp),
            Self::Plan(
                PlanError::UnknownLayer(_)
                | PlanError::UnknownRole(_)
                | PlanError::Number { .. }
                | PlanError::Root,
            )
            | Self::Threads(_)
            | Self::Step { .. }
            | Self::KeeperGone => None,
        }
    }
}

/// Names the layer and the step that a failed call belongs to.
pub(crate) trait During<T> {
    /// The failure is the layer's.
    fn layer(self, layer: Layer, step: &'static str) -> Result<T, JailError>;
    /// The failure is no layer's.
    fn step(self, step: &'static str) -> Result<T, JailError>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn layer(self, layer: Layer, step: &'static str) -> Result<T, JailError> {
        self.map_err(|source| JailError::Refused {
            layer,
            step,
            source: source.into(),
        })
    }

    fn step(self, step: &'static str) -> Result<T, JailError> {
        self.map_err(|source| JailError::Step {
            step,
            source: source.into(),
        })
    }
}
