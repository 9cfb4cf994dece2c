//! The control: an act in a child of its own, outside the jail.

use std::fs::File;
use std::io::{Read as _, Write as _};

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, getegid, geteuid, pipe};

use crate::acts::{Act, Control, EXECUTED_STATUS};
use crate::daemon::Bait;
use crate::raw;
use crate::wire::{Outcome, Place};

/// No act waits for anything; one that hangs must end.
pub(crate) const ACT_MAX_S: u32 = 10;

/// Does the act in a child and tells how it ended.
pub(crate) fn outcome(act: Act) -> Result<Outcome, String> {
    let workspace = std::env::temp_dir().join(format!("jail-probe-{}", std::process::id()));
    std::fs::create_dir_all(&workspace).map_err(|e| e.to_string())?;
    let bait = Bait::lay()?;
    let place = Place {
        workspace: workspace.clone(),
        ..bait.place.clone()
    };
    let outcome = in_child(&act, &place);
    std::fs::remove_dir_all(&workspace).map_err(|e| e.to_string())?;
    outcome
}

fn in_child(act: &Act, place: &Place) -> Result<Outcome, String> {
    let (reads, writes) = pipe().map_err(|e| e.to_string())?;
    match raw::fork().map_err(|e| e.to_string())? {
        ForkResult::Child => {
            drop(reads);
            alarm::set(ACT_MAX_S);
            let errno = match stage(act).and_then(|()| (act.run)(place)) {
                Ok(()) => 0,
                Err(errno) => errno as i32,
            };
            let told = File::from(writes).write_all(&errno.to_le_bytes());
            raw::exit_now(i32::from(told.is_err()))
        }
        ForkResult::Parent { child } => {
            drop(writes);
            let mut errno = [0; 4];
            let told = File::from(reads).read_exact(&mut errno);
            match (waitpid(child, None).map_err(|e| e.to_string())?, told) {
                (WaitStatus::Exited(_, 0), Ok(())) => match i32::from_le_bytes(errno) {
                    0 => Ok(Outcome::Ok),
                    errno => Ok(Outcome::Refused(errno)),
                },
                (WaitStatus::Exited(_, status), _) if status == i32::from(EXECUTED_STATUS) => {
                    Ok(Outcome::Ok)
                }
                (WaitStatus::Signaled(_, signal, _), _) => Ok(Outcome::Killed(signal as i32)),
                (other, _) => Err(format!("`{}` ended with {other:?}", act.name)),
            }
        }
    }
}

/// Some acts would change the host: they get namespaces that are thrown away.
fn stage(act: &Act) -> Result<(), nix::Error> {
    match act.control {
        Control::Works | Control::Fails(..) => Ok(()),
        Control::Throwaway => {
            let (uid, gid) = (geteuid(), getegid());
            let all = CloneFlags::CLONE_NEWUSER
                | CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWNET;
            unshare(all)?;
            let write = |path: &str, text: String| {
                std::fs::write(path, text)
                    .map_err(|e| nix::Error::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
            };
            write("/proc/self/setgroups", "deny".into())?;
            write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            write("/proc/self/gid_map", format!("0 {gid} 1"))
        }
    }
}
