//! Confines a process before it sees any guest input. But for one block in the worker, which loads native
//! code, the only crate with unsafe code.
//!
//! ```text
//!  daemon ──spawn──► worker                                   one thread until `seal`
//!    ▲ fd 0: control socket          │ enter(plan, pipe)
//!    │ pipe: the child's pid         ▼  become nobody, own namespaces, fork
//!    │                 ┌── keeper ── child = process 1 of its own namespace   → Inside
//!    │                 │             │   old root still there: load the module
//!    │  exit status ◄──┘             │ enter_root()  empty root, pivot, old root gone → Rooted
//!    │  128 + signal                 │ restrict()    rlimits, no capabilities, Landlock → Restricted
//!    │                               │   start helper threads, build the event loop
//!    │                               ▼ seal()        system-call allow-list, self-check → Report
//!    └── observe(pid).verify(plan) ─► the receipt: what /proc says, not what was asked
//! ```
//!
//! The threat is code that broke out of the WebAssembly engine and makes system calls of
//! its own choice. Two layers stand between it and anything of the host wherever two
//! exist; docs/JAIL.md lists which, and what remains.
//!
//! It never weakens a plan. A layer that cannot be had, or that reads back as not in
//! force, is a [`JailError`] that names it, and the process must end. It never reads what
//! comes over the control socket: the keeper only watches it for its end.

mod check;
mod error;
mod fence;
mod host;
mod keeper;
mod observe;
mod plan;
mod report;
mod seccomp;
mod sequence;
mod sys;

pub use error::JailError;
pub use host::{LayerState, State, host};
pub use keeper::KEEPER_FAILED;
pub use observe::{Missing, Mount, ObserveError, Observed, RlimitSeen, observe, own};
pub use plan::{Layer, Plan, PlanError, Role, SCRATCH, Tmpfs, WORKSPACE};
pub use report::{Checked, Report};
pub use seccomp::{Filter, List, ListError, text_of};
pub use sequence::{Inside, Restricted, Rooted, enter, foresee};
