//! Which layers this host has, found by trying each in a child that is thrown away.
//!
//! A kernel option, a boot parameter, a container's seccomp profile and an AppArmor rule
//! can each take a layer away; only the attempt knows. Nothing of the calling process
//! changes. A layer whose trial does not end in time counts as absent.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, alarm, geteuid, pipe};
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::{During, JailError};
use crate::fence::Fence;
use crate::plan::{Layer, Plan, Role};
use crate::seccomp::Filter;
use crate::sequence::{
    NAMESPACES, become_nobody, build_root, own_user_namespace, set_rlimits, shed_capabilities,
};
use crate::sys;

/// A layer and whether this host has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerState {
    /// The layer.
    pub layer: Layer,
    /// There or not.
    pub state: State,
    /// What to do where it is absent.
    pub remedy: String,
}

/// Whether a layer can be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can; with what there is to say of it.
    Present(String),
    /// It cannot; why.
    Absent(String),
}

/// Tries every layer, each in a child of its own. Takes some tens of milliseconds.
#[must_use]
pub fn host() -> Vec<LayerState> {
    Layer::ALL
        .into_iter()
        .map(|layer| LayerState {
            layer,
            state: state(layer),
            remedy: layer.remedy().to_owned(),
        })
        .collect()
}

/// A trial takes about a millisecond; one that hangs must not hang `doctor`.
const TRIAL_MAX_S: u32 = 5;

/// More than one line of an error needs.
const ANSWER_MAX_BYTES: u64 = 4096;

/// What a child says when its layer is there; anything else is why it is not.
const PRESENT: &str = "present";

fn state(layer: Layer) -> State {
    match try_in_child(layer) {
        Ok(answer) if answer == PRESENT => State::Present(detail(layer)),
        Ok(answer) if answer.is_empty() => State::Absent("the trial was killed".into()),
        Ok(answer) => State::Absent(answer),
        Err(error) => State::Absent(format!("no trial could be made: {error}")),
    }
}

fn detail(layer: Layer) -> String {
    match layer {
        Layer::Landlock => {
            sys::landlock_abi().map_or_else(|e| e.to_string(), |abi| format!("ABI {abi}"))
        }
        Layer::UserNamespace if geteuid().is_root() => {
            format!("started as root, runs as {}", Plan::NOBODY)
        }
        Layer::UserNamespace => format!("runs as user {}", geteuid()),
        Layer::Seccomp => "installed and refused a call".into(),
        Layer::MountNamespace
        | Layer::PidNamespace
        | Layer::NetNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::CgroupNamespace
        | Layer::EmptyRoot
        | Layer::NoNewPrivs
        | Layer::NoCapabilities
        | Layer::Rlimits => "tried in a child".into(),
    }
}

fn try_in_child(layer: Layer) -> io::Result<String> {
    let (reads, writes) = pipe()?;
    // The caller may have threads. The child makes system calls and allocates, which the
    // C library permits after fork; the alarm is for one that does not.
    match sys::fork()? {
        ForkResult::Child => {
            alarm::set(TRIAL_MAX_S);
            let answer = trial(layer).map_or_else(|e| reason(layer, &e), |()| PRESENT.into());
            let told = File::from(writes).write_all(answer.as_bytes());
            sys::exit_now(i32::from(told.is_err()))
        }
        ForkResult::Parent { child } => {
            drop(writes);
            let mut answer = String::new();
            let read = File::from(reads)
                .take(ANSWER_MAX_BYTES)
                .read_to_string(&mut answer);
            waitpid(child, None)?;
            read?;
            Ok(answer)
        }
    }
}

/// Why the layer is absent, without the remedy, which has its own place.
fn reason(layer: Layer, error: &JailError) -> String {
    match error {
        JailError::Refused {
            layer: refused,
            step,
            source,
        } if *refused == layer => format!("{step}: {source}"),
        JailError::Refused {
            layer: refused,
            step,
            source,
        } => format!("it rests on `{refused}`, which is absent: {step}: {source}"),
        JailError::Plan(_)
        | JailError::List(_)
        | JailError::Threads(_)
        | JailError::LandlockTooOld { .. }
        | JailError::NotInForce { .. }
        | JailError::Step { .. }
        | JailError::KeeperGone => error.to_string(),
    }
}

/// The layer by itself, on top of what it rests on.
fn trial(layer: Layer) -> Result<(), JailError> {
    let plan = Plan::strict(Role::Worker);
    let (uid, gid) = become_nobody(&plan, geteuid().is_root())?;
    match layer {
        Layer::NoNewPrivs => prctl::set_no_new_privs().layer(layer, "prctl"),
        Layer::Rlimits => set_rlimits(&plan),
        Layer::Landlock => try_landlock(&plan),
        Layer::Seccomp => try_seccomp(&plan),
        Layer::UserNamespace => own_user_namespace(uid, gid),
        Layer::NoCapabilities => {
            own_user_namespace(uid, gid)?;
            shed_capabilities()
        }
        Layer::EmptyRoot => {
            own_user_namespace(uid, gid)?;
            unshare(CloneFlags::CLONE_NEWNS).layer(Layer::MountNamespace, "unshare")?;
            build_root(&plan)
        }
        Layer::MountNamespace
        | Layer::PidNamespace
        | Layer::NetNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::CgroupNamespace => {
            own_user_namespace(uid, gid)?;
            let mut wanted = NAMESPACES.into_iter().filter(|(own, _)| *own == layer);
            wanted.try_for_each(|(_, flag)| unshare(flag).layer(layer, "unshare"))
        }
    }
}

fn try_landlock(plan: &Plan) -> Result<(), JailError> {
    let Some(fence) = Fence::for_plan(plan)? else {
        return Ok(());
    };
    fence.raise_around_nothing()?;
    match File::open("/") {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => Err(JailError::NotInForce {
            layer: Layer::Landlock,
            found: format!("listing / gave {other:?}"),
        }),
    }
}

fn try_seccomp(plan: &Plan) -> Result<(), JailError> {
    prctl::set_no_new_privs().layer(Layer::NoNewPrivs, "prctl")?;
    Filter::of(plan.role)?
        .install()
        .map_err(io::Error::other)
        .layer(Layer::Seccomp, "installing the list")?;
    check::after_seal().map(drop)
}
