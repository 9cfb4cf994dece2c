//! The acts: each tries one way out, or one thing that must work inside.
//!
//! An act's control says how it goes outside the jail on an ordinary host, so that a
//! refusal inside means something. It makes its calls raw, and where a step that leads up
//! to the forbidden call fails, it makes the call nevertheless.

mod files;
mod kernel;
mod limits;
mod memory;
mod namespaces;
mod privileges;
mod processes;
mod sockets;
mod works;

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;

use crate::raw;
use crate::wire::Place;

/// One act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) control: Control,
    pub(crate) run: fn(&Place) -> Result<(), Errno>,
}

/// How an act goes outside the jail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// It works.
    Works,
    /// It works in a user, mount, network and host-name namespace that is thrown away.
    Throwaway,
    /// It may fail so on some hosts or for ordinary users, for the reason given.
    Fails(&'static [Errno], &'static str),
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => write!(f, "works"),
            Self::Throwaway => write!(f, "throwaway"),
            Self::Fails(errnos, why) => write!(f, "fails {errnos:?} {why}"),
        }
    }
}

/// What `main` is called with by an act that executes the probe itself.
pub(crate) const EXECUTED: &str = "executed";
/// And the status it then ends with.
pub(crate) const EXECUTED_STATUS: u8 = 77;

/// Every act, in the order of the groups.
pub(crate) fn all() -> Vec<Act> {
    [
        files::acts(),
        sockets::acts(),
        namespaces::acts(),
        memory::acts(),
        processes::acts(),
        privileges::acts(),
        kernel::acts(),
        limits::acts(),
        works::acts(),
    ]
    .concat()
}

fn works(name: &'static str, what: &'static str, run: fn(&Place) -> Result<(), Errno>) -> Act {
    Act {
        name,
        what,
        control: Control::Works,
        run,
    }
}

fn throwaway(name: &'static str, what: &'static str, run: fn(&Place) -> Result<(), Errno>) -> Act {
    Act {
        name,
        what,
        control: Control::Throwaway,
        run,
    }
}

fn fails(
    name: &'static str,
    what: &'static str,
    errnos: &'static [Errno],
    why: &'static str,
    run: fn(&Place) -> Result<(), Errno>,
) -> Act {
    Act {
        name,
        what,
        control: Control::Fails(errnos, why),
        run,
    }
}

/// Why an act fails for an ordinary user.
const ONLY_ROOT: &str = "only root may";
/// The errors of that.
const ROOT: &[Errno] = &[Errno::EPERM, Errno::EACCES];

/// A system call whose result does not matter.
fn call(number: i64, arguments: &[u64]) -> Result<(), Errno> {
    raw::call(number, arguments).map(drop)
}

/// A path as a system call takes it.
fn path(path: impl AsRef<Path>) -> Result<CString, Errno> {
    CString::new(path.as_ref().as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

fn pointer(text: &CString) -> u64 {
    text.as_ptr() as u64
}

/// `AT_FDCWD` as an argument.
const HERE: u64 = libc::AT_FDCWD as u64;

/// Opens a path and answers with the descriptor.
fn open(name: impl AsRef<Path>, flags: i32) -> Result<u64, Errno> {
    let name = path(name)?;
    let fd = raw::call(
        libc::SYS_openat,
        &[HERE, pointer(&name), flags as u64, 0o700],
    )?;
    Ok(fd as u64)
}
