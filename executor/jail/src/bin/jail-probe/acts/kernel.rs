//! The kernel's wide doors: interfaces with a history of holes, or over the whole machine.

use nix::errno::Errno;

use super::{Act, ONLY_ROOT, ROOT, call, fails, path, pointer, works};
use crate::raw;

/// Why a call fails although nothing forbids it.
const NOT_THERE: &str = "the kernel is built without, or only root may";
const ABSENT: &[Errno] = &[
    Errno::ENOSYS,
    Errno::EPERM,
    Errno::EACCES,
    Errno::EOPNOTSUPP,
];

pub(super) fn acts() -> Vec<Act> {
    vec![
        fails(
            "io-uring",
            "set up an io_uring",
            ABSENT,
            "an administrator may switch it off",
            |_| {
                let parameters = [0_u64; 15];
                call(libc::SYS_io_uring_setup, &[1, parameters.as_ptr() as u64])
            },
        ),
        fails(
            "io-uring-enter",
            "submit to one",
            &[Errno::EBADF, Errno::EOPNOTSUPP, Errno::EPERM, Errno::ENOSYS],
            "the descriptor is none",
            |_| call(libc::SYS_io_uring_enter, &[0, 0, 0, 0, 0, 0]),
        ),
        fails(
            "io-uring-register",
            "register with one",
            &[
                Errno::EBADF,
                Errno::EOPNOTSUPP,
                Errno::EINVAL,
                Errno::EPERM,
                Errno::ENOSYS,
            ],
            "the descriptor is none",
            |_| call(libc::SYS_io_uring_register, &[0, 0, 0, 0]),
        ),
        works("aio", "set up asynchronous input and output", |_| {
            let context = 0_u64;
            call(libc::SYS_io_setup, &[1, &raw const context as u64])
        }),
        fails(
            "bpf",
            "make a map for programs in the kernel",
            ABSENT,
            NOT_THERE,
            |_| {
                // BPF_MAP_CREATE of an array: key 4, value 4, one entry.
                let attributes = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
                call(libc::SYS_bpf, &[0, attributes.as_ptr() as u64, 48])
            },
        ),
        fails(
            "perf",
            "count events of the processor",
            ABSENT,
            NOT_THERE,
            |_| {
                // A software counter of this process: type 1, size 112, config 9 (dummy).
                let mut attributes = [0_u64; 14];
                attributes
                    .iter_mut()
                    .zip([1 | (112 << 32), 9])
                    .for_each(|(field, value)| *field = value);
                let attributes = attributes.as_ptr() as u64;
                call(
                    libc::SYS_perf_event_open,
                    &[attributes, 0, u64::MAX, u64::MAX, 0],
                )
            },
        ),
        fails(
            "userfaultfd",
            "handle page faults",
            ABSENT,
            NOT_THERE,
            |_| call(libc::SYS_userfaultfd, &[1]),
        ),
        fails(
            "add-key",
            "add a key to a keyring",
            ABSENT,
            NOT_THERE,
            |_| {
                let (kind, name, value) = (c"user", c"jail-probe", [1_u8]);
                // KEY_SPEC_PROCESS_KEYRING: goes with the process.
                let args = [
                    kind.as_ptr() as u64,
                    name.as_ptr() as u64,
                    value.as_ptr() as u64,
                    1,
                    -2_i64 as u64,
                ];
                call(libc::SYS_add_key, &args)
            },
        ),
        fails(
            "keyctl",
            "find the session's keyring",
            &[Errno::ENOSYS, Errno::EPERM, Errno::ENOKEY],
            NOT_THERE,
            |_| call(libc::SYS_keyctl, &[0, -3_i64 as u64, 0]),
        ),
        fails(
            "request-key",
            "ask for a key",
            &[Errno::ENOSYS, Errno::EPERM, Errno::ENOKEY],
            "nobody has such a key",
            |_| {
                let (kind, name) = (c"user", c"jail-probe-none");
                call(
                    libc::SYS_request_key,
                    &[kind.as_ptr() as u64, name.as_ptr() as u64, 0, 0],
                )
            },
        ),
        fails(
            "kexec",
            "load another kernel",
            &[Errno::EINVAL, Errno::EPERM, Errno::ENOSYS],
            "the flags are wrong, so that nothing loads",
            |_| call(libc::SYS_kexec_load, &[0, 0, 0, 0xffff]),
        ),
        fails(
            "init-module",
            "load a module",
            &[Errno::ENOEXEC, Errno::EFAULT, Errno::EPERM, Errno::ENOSYS],
            "the module is none",
            |_| call(libc::SYS_init_module, &[0, 0, c"".as_ptr() as u64]),
        ),
        fails(
            "finit-module",
            "load a module from a file",
            &[Errno::EBADF, Errno::EINVAL, Errno::EPERM, Errno::ENOSYS],
            "the descriptor is none",
            |_| call(libc::SYS_finit_module, &[u64::MAX, c"".as_ptr() as u64, 0]),
        ),
        fails(
            "delete-module",
            "remove a module",
            &[Errno::ENOENT, Errno::EPERM, Errno::ENOSYS],
            "there is no such module",
            |_| call(libc::SYS_delete_module, &[c"jail_probe".as_ptr() as u64, 0]),
        ),
        fails(
            "reboot",
            "restart the machine",
            &[Errno::EINVAL, Errno::EPERM],
            "the magic numbers are wrong, so that nothing restarts",
            |_| call(libc::SYS_reboot, &[0, 0, 0, 0]),
        ),
        fails(
            "swapon",
            "swap to a file",
            &[Errno::ENOENT, Errno::EPERM, Errno::ENOSYS],
            "there is no such file",
            |_| call(libc::SYS_swapon, &[pointer(&path("/jail-probe-none")?), 0]),
        ),
        fails(
            "swapoff",
            "stop swapping",
            &[Errno::ENOENT, Errno::EPERM, Errno::ENOSYS],
            "there is no such file",
            |_| call(libc::SYS_swapoff, &[pointer(&path("/jail-probe-none")?)]),
        ),
        fails(
            "acct",
            "account for processes",
            &[Errno::ENOENT, Errno::EPERM, Errno::ENOSYS],
            "there is no such file",
            |_| call(libc::SYS_acct, &[pointer(&path("/jail-probe-none")?)]),
        ),
        fails("quotactl", "flush quotas", ABSENT, NOT_THERE, |_| {
            // Q_SYNC for every file system.
            call(libc::SYS_quotactl, &[0x0080_0001 << 8, 0, 0, 0])
        }),
        works("adjtimex", "read how the clock is steered", |_| {
            let room = [0_u64; 64];
            call(libc::SYS_adjtimex, &[room.as_ptr() as u64])
        }),
        fails(
            "set-clock",
            "set the clock",
            &[Errno::EINVAL, Errno::EPERM],
            "the time is none, so that nothing changes",
            |_| {
                let never = [0_i64, -1];
                call(libc::SYS_clock_settime, &[0, never.as_ptr() as u64])
            },
        ),
        fails(
            "kernel-log",
            "read the kernel's log",
            ROOT,
            ONLY_ROOT,
            |_| call(libc::SYS_syslog, &[10, 0, 0]),
        ),
        works("machine-name", "read kernel and host name", |_| {
            let room = [0_u8; 512];
            call(libc::SYS_uname, &[room.as_ptr() as u64])
        }),
        works(
            "machine-load",
            "read memory and load of the machine",
            |_| {
                let room = [0_u64; 32];
                call(libc::SYS_sysinfo, &[room.as_ptr() as u64])
            },
        ),
        works("sync", "flush every file system", |_| {
            call(libc::SYS_sync, &[])
        }),
        works(
            "file-system-size",
            "read the size of the file system",
            |_| {
                let room = [0_u64; 32];
                call(
                    libc::SYS_statfs,
                    &[c"/".as_ptr() as u64, room.as_ptr() as u64],
                )
            },
        ),
        works("personality", "become a program of another system", |_| {
            call(libc::SYS_personality, &[3])
        }),
        fails(
            "message-queue",
            "open a message queue",
            ABSENT,
            NOT_THERE,
            |_| {
                let flags = (libc::O_CREAT | libc::O_RDWR) as u64;
                let name = c"jail-probe".as_ptr() as u64;
                call(libc::SYS_mq_open, &[name, flags, 0o600, 0])?;
                call(libc::SYS_mq_unlink, &[name])
            },
        ),
        works("shared-memory", "make shared memory", |_| {
            let id = raw::call(libc::SYS_shmget, &[0, 4096, 0o600 | libc::IPC_CREAT as u64])?;
            call(libc::SYS_shmctl, &[id as u64, 0, 0])
        }),
        works("semaphore", "make a semaphore", |_| {
            let id = raw::call(libc::SYS_semget, &[0, 1, 0o600 | libc::IPC_CREAT as u64])?;
            call(libc::SYS_semctl, &[id as u64, 0, 0])
        }),
        works("splice", "move pages between descriptors", |_| {
            let pipe = [0_i32; 2];
            call(libc::SYS_pipe2, &[pipe.as_ptr() as u64, 0]).or_else(|errno| {
                // Without a pipe the call itself is still to be refused.
                call(libc::SYS_vmsplice, &[0, 0, 0, 0]).and(Err(errno))
            })?;
            let bytes = [0_u8; 8];
            let part = [bytes.as_ptr() as u64, 8];
            let [_, writes] = pipe.map(|fd| fd as u64);
            call(libc::SYS_vmsplice, &[writes, part.as_ptr() as u64, 1, 0])
        }),
        works("membarrier", "look at memory barriers", |_| {
            call(libc::SYS_membarrier, &[0, 0, 0])
        }),
        fails(
            "move-pages",
            "look where a page lies",
            ABSENT,
            NOT_THERE,
            |_| call(libc::SYS_move_pages, &[0, 0, 0, 0, 0, 0]),
        ),
        works("lock-memory", "keep a page from being swapped", |_| {
            let page = raw::map_anonymous(libc::PROT_READ | libc::PROT_WRITE)?;
            call(libc::SYS_mlock, &[page, raw::PAGE])
        }),
        works("terminal-size", "ask a terminal for its size", |_| {
            let terminal = super::open("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY).unwrap_or(2);
            let room = [0_u16; 4];
            call(
                libc::SYS_ioctl,
                &[terminal, libc::TIOCGWINSZ, room.as_ptr() as u64],
            )
        }),
        machine(),
    ]
    .into_iter()
    .chain(foreign())
    .collect()
}

#[cfg(target_arch = "x86_64")]
fn machine() -> Act {
    fails(
        "port-access",
        "get at the machine's ports",
        ABSENT,
        NOT_THERE,
        |_| call(libc::SYS_iopl, &[3]),
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn machine() -> Act {
    works("port-access", "get at the machine's ports", |_| {
        Err(Errno::ENOSYS)
    })
}

/// Calls of other machines' programs, which a list by number could mistake.
#[cfg(target_arch = "x86_64")]
fn foreign() -> Vec<Act> {
    vec![
        works("i386-call", "make a call as a 32-bit program", |_| {
            raw::call_i386_getpid().map(drop)
        }),
        fails(
            "x32-call",
            "make a call as an x32 program",
            &[Errno::ENOSYS],
            "the kernel is built without",
            |_| call(0x4000_0000 | libc::SYS_getpid, &[]),
        ),
        fails(
            "segment-table",
            "read the segment table",
            ABSENT,
            NOT_THERE,
            |_| {
                let room = [0_u64; 16];
                call(libc::SYS_modify_ldt, &[0, room.as_ptr() as u64, 128])
            },
        ),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn foreign() -> Vec<Act> {
    Vec::new()
}
