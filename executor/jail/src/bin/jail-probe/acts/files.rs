//! Files of the host: by every kind of path, by links, by handles, through /proc.

use nix::errno::Errno;

use super::{Act, HERE, ONLY_ROOT, ROOT, call, fails, open, path, pointer, throwaway, works};

const READ: i32 = libc::O_RDONLY;

pub(super) fn acts() -> Vec<Act> {
    vec![
        works("open-passwd", "read /etc/passwd", |_| reach("/etc/passwd")),
        works("open-root", "list the host's root", |_| {
            // Inside there is a root too: something of the host must be in it.
            open("/", READ | libc::O_DIRECTORY)?;
            reach("/etc")
        }),
        works("list-own-root", "list whatever the root is", |_| {
            open("/", READ | libc::O_DIRECTORY).map(drop)
        }),
        works("open-canary", "read a file of the host in /tmp", |place| {
            open(&place.canary, READ).map(drop)
        }),
        works("write-canary", "write to a file of the host", |place| {
            open(&place.canary, libc::O_WRONLY).map(drop)
        }),
        works(
            "stat-canary",
            "see that a file of the host exists",
            |place| {
                let canary = path(&place.canary)?;
                let room = [0_u8; 256];
                let flags = libc::AT_SYMLINK_NOFOLLOW as u64;
                call(
                    libc::SYS_newfstatat,
                    &[HERE, pointer(&canary), room.as_ptr() as u64, flags],
                )
            },
        ),
        works("unlink-canary", "remove a file of the host", |place| {
            call(
                libc::SYS_unlinkat,
                &[HERE, pointer(&path(&place.canary)?), 0],
            )
        }),
        works(
            "rename-canary",
            "move a file of the host into the workspace",
            |place| {
                let to = path(place.workspace.join("stolen"))?;
                let canary = path(&place.canary)?;
                call(
                    libc::SYS_renameat2,
                    &[HERE, pointer(&canary), HERE, pointer(&to), 0],
                )
            },
        ),
        works(
            "link-canary",
            "link a file of the host into the workspace",
            |place| {
                let to = path(place.workspace.join("linked"))?;
                let canary = path(&place.canary)?;
                call(
                    libc::SYS_linkat,
                    &[HERE, pointer(&canary), HERE, pointer(&to), 0],
                )
            },
        ),
        works(
            "symlink-canary",
            "follow a link to a file of the host",
            |place| {
                let link = place.workspace.join("link");
                let to = path(&link)?;
                call(
                    libc::SYS_symlinkat,
                    &[pointer(&path(&place.canary)?), HERE, pointer(&to)],
                )?;
                open(link, READ).map(drop)
            },
        ),
        works(
            "dot-dot",
            "climb from the workspace to /etc/passwd",
            |place| reach(place.workspace.join("../../../../../../../../etc/passwd")),
        ),
        works("dot-dot-openat2", "the same with openat2", |place| {
            let name = path(place.workspace.join("../../../../../../../../etc/passwd"))?;
            let how = [0_u64; 3];
            call(
                libc::SYS_openat2,
                &[HERE, pointer(&name), how.as_ptr() as u64, 24],
            )
        }),
        works("proc-self-root", "go through /proc/self/root", |_| {
            reach("/proc/self/root/etc/passwd")
        }),
        fails(
            "proc-1-root",
            "go through /proc/1/root",
            ROOT,
            ONLY_ROOT,
            |_| reach("/proc/1/root/etc/passwd"),
        ),
        works(
            "proc-self-mem",
            "open the process's own memory as a file",
            |_| open("/proc/self/mem", libc::O_RDWR).map(drop),
        ),
        works("proc-self-fd", "reopen a descriptor by its link", |_| {
            open("/proc/self/fd/0", READ)
                .map(drop)
                .or_else(|errno| match errno {
                    // A socket cannot be opened, but the link was there to be followed.
                    Errno::ENXIO => Ok(()),
                    other => Err(other),
                })
        }),
        works("proc-daemon", "read the daemon's status", |place| {
            reach(format!("/proc/{}/status", place.daemon))
        }),
        works(
            "proc-daemon-environ",
            "read the daemon's environment",
            |place| reach(format!("/proc/{}/environ", place.daemon)),
        ),
        works("own-program", "read the program that runs", |_| {
            reach("/proc/self/exe")
        }),
        works("sys", "list /sys", |_| {
            open("/sys", READ | libc::O_DIRECTORY).and_then(|_| reach("/sys/kernel"))
        }),
        works("dev-null", "open a device", |_| reach("/dev/null")),
        works("dev-shm", "list shared memory", |_| reach("/dev/shm")),
        works("docker-socket", "look for a control socket in /run", |_| {
            reach("/run")
        }),
        fails(
            "make-in-root",
            "make a directory in /",
            ROOT,
            ONLY_ROOT,
            |place| {
                let name = format!("/jail-probe-{}", place.daemon);
                let name = path(name)?;
                call(libc::SYS_mkdirat, &[HERE, pointer(&name), 0o700])?;
                call(
                    libc::SYS_unlinkat,
                    &[HERE, pointer(&name), libc::AT_REMOVEDIR as u64],
                )
            },
        ),
        works(
            "memory-file-system",
            "make a file outside both directories",
            |place| {
                let name = place.canary.with_extension("more");
                // /tmp is one of the two inside, so it is beside them that counts there.
                let name = match place.workspace.starts_with("/workspace") {
                    true => std::path::PathBuf::from("/more"),
                    false => name,
                };
                open(&name, libc::O_CREAT | libc::O_WRONLY)?;
                call(libc::SYS_unlinkat, &[HERE, pointer(&path(name)?), 0])
            },
        ),
        fails(
            "device-node",
            "make a device in the workspace",
            ROOT,
            ONLY_ROOT,
            |place| {
                let name = path(place.workspace.join("null"))?;
                call(
                    libc::SYS_mknodat,
                    &[HERE, pointer(&name), (libc::S_IFCHR | 0o600).into(), 0x103],
                )
            },
        ),
        works("pipe-node", "make a named pipe in the workspace", |place| {
            let name = path(place.workspace.join("pipe"))?;
            call(
                libc::SYS_mknodat,
                &[HERE, pointer(&name), (libc::S_IFIFO | 0o600).into(), 0],
            )
        }),
        works("set-user-id-file", "make a file set-user-id", |place| {
            let name = place.workspace.join("suid");
            let fd = open(name, libc::O_CREAT | libc::O_RDWR)?;
            call(libc::SYS_fchmod, &[fd, 0o4755])
        }),
        works("name-to-handle", "turn a path into a handle", |place| {
            let name = path(&place.workspace)?;
            let (mut handle, mut mount) = ([0_u32; 34], 0_i32);
            if let Some(room) = handle.first_mut() {
                *room = 128;
            }
            let (handle, mount) = (handle.as_mut_ptr() as u64, &raw mut mount as u64);
            call(
                libc::SYS_name_to_handle_at,
                &[HERE, pointer(&name), handle, mount, 0],
            )
        }),
        fails(
            "open-by-handle",
            "open a made-up handle",
            &[Errno::EPERM, Errno::ESTALE, Errno::EOPNOTSUPP],
            "the handle is none, and only root may",
            |place| {
                let directory = open(&place.workspace, READ).unwrap_or(HERE);
                let handle = [8_u32, 1, 2, 3];
                call(
                    libc::SYS_open_by_handle_at,
                    &[directory, handle.as_ptr() as u64, 0],
                )
            },
        ),
        throwaway("chroot", "change the root", |place| {
            call(libc::SYS_chroot, &[pointer(&path(&place.workspace)?)])
        }),
        works(
            "extended-attribute",
            "set an extended attribute on a name",
            |place| {
                let file = place.workspace.join("attribute");
                open(&file, libc::O_CREAT | libc::O_RDWR)?;
                let (name, key) = (path(file)?, c"user.probe");
                let value = [1_u8];
                call(
                    libc::SYS_setxattr,
                    &[
                        pointer(&name),
                        key.as_ptr() as u64,
                        value.as_ptr() as u64,
                        1,
                        0,
                    ],
                )
            },
        ),
        works(
            "file-lease",
            "ask for a signal when a file is opened",
            |place| {
                let fd = open(
                    place.workspace.join("lease"),
                    libc::O_CREAT | libc::O_RDONLY,
                )?;
                call(
                    libc::SYS_fcntl,
                    &[fd, libc::F_SETLEASE as u64, libc::F_WRLCK as u64],
                )
            },
        ),
        works("inotify", "watch the file system", |_| {
            call(libc::SYS_inotify_init1, &[0])
        }),
        works("fanotify", "watch the file system by handles", |_| {
            // FAN_CLASS_NOTIF | FAN_REPORT_FID: allowed to everybody since Linux 5.13.
            call(libc::SYS_fanotify_init, &[0x200, 0])
        }),
    ]
}

/// Opens a path for its existence alone, links followed.
fn reach(name: impl AsRef<std::path::Path>) -> Result<(), Errno> {
    open(name, READ).map(drop)
}
