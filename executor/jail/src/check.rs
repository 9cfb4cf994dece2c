//! Forbidden acts that the process tries on itself, once it should be confined.
//!
//! Each act belongs to one layer and is tried while no later layer could refuse it in its
//! place. An act that succeeds, or fails in another way than it must, is an error: a
//! layer that was accepted by the kernel and does nothing is not in force.

use std::fs::{self, File};
use std::io;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::getrlimit;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, sethostname};

use crate::error::{During, JailError};
use crate::fence::Fence;
use crate::plan::{Layer, Plan};
use crate::report::Checked;
use crate::sequence::rlimits;
use crate::sys;

/// Everything but the list of system calls.
pub(crate) fn after_restrict(plan: &Plan, fence: Option<Fence>) -> Result<Vec<Checked>, JailError> {
    read_back(plan)?;
    let mut checked = vec![
        tried(
            Layer::EmptyRoot,
            "open /etc/passwd",
            Errno::ENOENT,
            File::open("/etc/passwd"),
        )?,
        tried(
            Layer::EmptyRoot,
            "open /proc/self/status",
            Errno::ENOENT,
            File::open("/proc/self/status"),
        )?,
        tried(
            Layer::EmptyRoot,
            "make /x",
            Errno::EROFS,
            fs::create_dir("/x"),
        )?,
        tried(
            Layer::NoCapabilities,
            "set the host name",
            Errno::EPERM,
            sethostname("x"),
        )?,
    ];
    if let Some(fence) = fence {
        checked.push(tried(
            Layer::Landlock,
            "list /",
            Errno::EACCES,
            File::open("/"),
        )?);
        if fence.handles_tcp() {
            let bound = std::net::TcpListener::bind(("127.0.0.1", 7));
            checked.push(tried(
                Layer::Landlock,
                "bind a TCP port",
                Errno::EACCES,
                bound,
            )?);
        }
    }
    Ok(checked)
}

/// The list of system calls: two calls that it answers with an error instead of the end.
pub(crate) fn after_seal() -> Result<Vec<Checked>, JailError> {
    let layer = Layer::Seccomp;
    Ok(vec![
        tried(
            layer,
            "make an internet socket",
            Errno::EPERM,
            sys::socket(libc::AF_INET),
        )?,
        tried(
            layer,
            "map executable memory",
            Errno::EPERM,
            sys::map_executable(),
        )?,
    ])
}

/// What the kernel says of each setting that has a getter.
fn read_back(plan: &Plan) -> Result<(), JailError> {
    if plan.has(Layer::PidNamespace) {
        in_force(
            Layer::PidNamespace,
            getpid().as_raw() == 1,
            "the process is not number 1",
        )?;
    }
    let privs = prctl::get_no_new_privs().layer(Layer::NoNewPrivs, "reading it back")?;
    in_force(Layer::NoNewPrivs, privs, "the flag is not set")?;
    let none = sys::has_no_capabilities().layer(Layer::NoCapabilities, "reading it back")?;
    in_force(Layer::NoCapabilities, none, "a capability is left")?;
    for (resource, limit) in rlimits(plan) {
        let (soft, hard) = getrlimit(resource).layer(Layer::Rlimits, "reading it back")?;
        in_force(
            Layer::Rlimits,
            soft <= limit && hard <= limit,
            "a limit is above the plan's",
        )?;
    }
    let plain = sys::personality().step("reading the personality back")?;
    settled(plain == 0, "making readable memory not executable")?;
    let dumpable = prctl::get_dumpable().step("reading dumpable back")?;
    settled(!dumpable, "making the process undumpable")?;
    let bound = prctl::get_pdeathsig().step("reading the keeper's bond back")?;
    settled(
        bound == Some(Signal::SIGKILL),
        "binding the process to its keeper",
    )
}

/// The same for what is no layer of its own.
fn settled(holds: bool, step: &'static str) -> Result<(), JailError> {
    match holds {
        true => Ok(()),
        false => Err(io::Error::other("it reads back otherwise")).step(step),
    }
}

fn in_force(layer: Layer, holds: bool, otherwise: &str) -> Result<(), JailError> {
    match holds {
        true => Ok(()),
        false => Err(JailError::NotInForce {
            layer,
            found: otherwise.to_owned(),
        }),
    }
}

/// Turns the act's result around: refused with `wanted` is what must be.
fn tried<T, E: Into<io::Error>>(
    layer: Layer,
    act: &str,
    wanted: Errno,
    result: Result<T, E>,
) -> Result<Checked, JailError> {
    let found = match result.map_err(Into::into) {
        Ok(_) => format!("`{act}` worked"),
        Err(error) if error.raw_os_error() == Some(wanted as i32) => {
            return Ok(Checked {
                layer,
                act: act.to_owned(),
                refused: format!("{wanted:?}"),
            });
        }
        Err(error) => format!("`{act}` failed with `{error}` instead of {wanted:?}"),
    };
    Err(JailError::NotInForce { layer, found })
}
