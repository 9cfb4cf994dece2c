//! Namespaces and mounts: a new kernel surface, or the way back to the host's.

use nix::errno::Errno;

use super::{Act, HERE, ONLY_ROOT, call, fails, open, path, pointer, throwaway, works};
use crate::raw;
use crate::wire::Place;

/// Making or joining one needs a capability that an ordinary user has only after making
/// a user namespace first.
const ROOT: &[Errno] = &[Errno::EPERM];

macro_rules! each_namespace {
    ($(($unshare:literal, $clone:literal, $setns:literal, $file:literal, $flag:expr)),* $(,)?) => {
        vec![$(
            fails($unshare, "leave this namespace for a new one", ROOT, ONLY_ROOT,
                |_| call(libc::SYS_unshare, &[$flag])),
            fails($clone, "start a process in a new one", ROOT, ONLY_ROOT, |_| clone($flag)),
            fails($setns, "join one by its file", &[Errno::EPERM, Errno::EINVAL],
                "only root may, and nobody may join the user namespace that it is in",
                |_| join($file)),
        )*]
    };
}

pub(super) fn acts() -> Vec<Act> {
    let mut acts = each_namespace![
        (
            "unshare-user",
            "clone-user",
            "setns-user",
            "user",
            0x1000_0000
        ),
        (
            "unshare-mount",
            "clone-mount",
            "setns-mount",
            "mnt",
            0x0002_0000
        ),
        ("unshare-pid", "clone-pid", "setns-pid", "pid", 0x2000_0000),
        ("unshare-net", "clone-net", "setns-net", "net", 0x4000_0000),
        ("unshare-ipc", "clone-ipc", "setns-ipc", "ipc", 0x0800_0000),
        ("unshare-uts", "clone-uts", "setns-uts", "uts", 0x0400_0000),
        (
            "unshare-cgroup",
            "clone-cgroup",
            "setns-cgroup",
            "cgroup",
            0x0200_0000
        ),
    ];
    acts.extend([
        fails(
            "unshare-time",
            "leave the time namespace",
            ROOT,
            ONLY_ROOT,
            |_| call(libc::SYS_unshare, &[0x80]),
        ),
        works(
            "clone3",
            "start a process whose flags no filter sees",
            |_| clone3(),
        ),
        works(
            "setns-daemon",
            "join namespaces of the daemon by its process",
            |place| {
                let pidfd = raw::call(libc::SYS_pidfd_open, &[place.daemon as u64, 0]);
                let fd = pidfd.map_or(0, |fd| fd as u64);
                // CLONE_NEWUTS; the user namespace would be refused even to root.
                call(libc::SYS_setns, &[fd, 0x0400_0000]).or_else(|errno| match errno {
                    // An ordinary user may open the process and not join: it was named.
                    Errno::EPERM if pidfd.is_ok() => Ok(()),
                    other => Err(other),
                })
            },
        ),
        throwaway("mount-tmpfs", "mount a file system", |place| {
            let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
            call(libc::SYS_mount, &[kind, pointer(&on), kind, 0, 0])
        }),
        throwaway("mount-bind", "bind a directory elsewhere", |place| {
            let (on, from) = (path(&place.workspace)?, c"/".as_ptr() as u64);
            call(
                libc::SYS_mount,
                &[from, pointer(&on), 0, libc::MS_BIND | libc::MS_REC, 0],
            )
        }),
        throwaway("remount-writable", "make the root writable", |place| {
            let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
            // Outside, a mount of its own is remounted.
            let _inside_it_fails = call(libc::SYS_mount, &[kind, pointer(&on), kind, 1, 0]);
            let target = match place.workspace.starts_with(jail::WORKSPACE) {
                true => path("/")?,
                false => on,
            };
            call(
                libc::SYS_mount,
                &[0, pointer(&target), 0, libc::MS_REMOUNT | libc::MS_BIND, 0],
            )
        }),
        throwaway(
            "remount-exec",
            "allow execution in the workspace",
            |place| {
                let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
                let _inside_it_fails = call(libc::SYS_mount, &[kind, pointer(&on), kind, 8, 0]);
                call(
                    libc::SYS_mount,
                    &[0, pointer(&on), 0, libc::MS_REMOUNT | libc::MS_BIND, 0],
                )
            },
        ),
        throwaway("umount", "take a mount off", |place| {
            let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
            let _inside_it_fails = call(libc::SYS_mount, &[kind, pointer(&on), kind, 0, 0]);
            call(libc::SYS_umount2, &[pointer(&on), libc::MNT_DETACH as u64])
        }),
        throwaway("pivot-root", "change the root of all", pivot),
        throwaway("new-mount-interface", "make a mount without a path", |_| {
            call(libc::SYS_fsopen, &[c"tmpfs".as_ptr() as u64, 0])
        }),
        throwaway("open-tree", "copy a tree of mounts", |_| {
            // OPEN_TREE_CLONE | AT_RECURSIVE
            call(
                libc::SYS_open_tree,
                &[HERE, c"/".as_ptr() as u64, 1 | 0x8000],
            )
        }),
        throwaway("mount-setattr", "change flags of a mount", |place| {
            let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
            let _inside_it_fails = call(libc::SYS_mount, &[kind, pointer(&on), kind, 0, 0]);
            let read_only = [1_u64, 0, 0, 0];
            let attributes = read_only.as_ptr() as u64;
            call(
                libc::SYS_mount_setattr,
                &[HERE, pointer(&on), 0, attributes, 32],
            )
        }),
    ]);
    acts
}

/// Starts a process that ends at once.
fn clone(flag: u64) -> Result<(), Errno> {
    match raw::call(libc::SYS_clone, &[flag | libc::SIGCHLD as u64, 0, 0, 0, 0])? {
        0 => raw::exit_now(0),
        _ => Ok(()),
    }
}

fn clone3() -> Result<(), Errno> {
    let mut arguments = [0_u64; 8];
    if let Some(signal) = arguments.get_mut(4) {
        *signal = libc::SIGCHLD as u64;
    }
    match raw::call(libc::SYS_clone3, &[arguments.as_ptr() as u64, 64])? {
        0 => raw::exit_now(0),
        _ => Ok(()),
    }
}

/// Joins the namespace that the process is in; without its file, tries descriptor 0.
fn join(file: &str) -> Result<(), Errno> {
    let opened = open(format!("/proc/self/ns/{file}"), libc::O_RDONLY);
    let joined = call(libc::SYS_setns, &[opened.unwrap_or(0), 0]);
    opened.and(joined)
}

fn pivot(place: &Place) -> Result<(), Errno> {
    let (on, kind) = (path(&place.workspace)?, c"tmpfs".as_ptr() as u64);
    // In a namespace of its own; inside the workspace is a mount already.
    let _either = call(
        libc::SYS_mount,
        &[
            0,
            c"/".as_ptr() as u64,
            0,
            libc::MS_REC | libc::MS_PRIVATE,
            0,
        ],
    );
    let _either = call(libc::SYS_mount, &[kind, pointer(&on), kind, 0, 0]);
    let _either = call(libc::SYS_chdir, &[pointer(&on)]);
    let here = c".".as_ptr() as u64;
    call(libc::SYS_pivot_root, &[here, here])
}
