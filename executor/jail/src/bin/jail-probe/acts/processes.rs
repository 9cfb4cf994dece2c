//! Other processes: naming, signalling, tracing and reading them; making new ones.

use nix::errno::Errno;

use super::{Act, call, fails, works};
use crate::raw;

pub(super) fn acts() -> Vec<Act> {
    vec![
        works("kill-daemon", "signal the daemon", |place| {
            call(libc::SYS_kill, &[place.daemon as u64, 0])
        }),
        works("kill-all", "signal every process", |_| {
            call(libc::SYS_kill, &[u64::MAX, 0])
        }),
        works("tkill-daemon", "signal a thread of the daemon", |place| {
            call(libc::SYS_tkill, &[place.daemon as u64, 0])
        }),
        works("tgkill-daemon", "the same, named twice", |place| {
            let daemon = place.daemon as u64;
            call(libc::SYS_tgkill, &[daemon, daemon, 0])
        }),
        works(
            "sigqueue-daemon",
            "signal the daemon with a value",
            |place| {
                // si_code SI_QUEUE; everything else 0.
                let mut info = [0_i32; 32];
                if let Some(code) = info.get_mut(2) {
                    *code = libc::SI_QUEUE;
                }
                let info = info.as_ptr() as u64;
                call(libc::SYS_rt_sigqueueinfo, &[place.daemon as u64, 0, info])
            },
        ),
        works("pidfd-daemon", "get a descriptor of the daemon", |place| {
            call(libc::SYS_pidfd_open, &[place.daemon as u64, 0])
        }),
        works("pidfd-signal", "signal the daemon through one", |place| {
            let fd = raw::call(libc::SYS_pidfd_open, &[place.daemon as u64, 0]).unwrap_or(0);
            call(libc::SYS_pidfd_send_signal, &[fd as u64, 0, 0, 0])
        }),
        works("pidfd-getfd", "take a descriptor of the daemon", |place| {
            let fd = raw::call(libc::SYS_pidfd_open, &[place.daemon as u64, 0]).unwrap_or(0);
            call(libc::SYS_pidfd_getfd, &[fd as u64, 2, 0])
        }),
        works("signal-owner", "have signals sent to the daemon", |place| {
            call(
                libc::SYS_fcntl,
                &[0, libc::F_SETOWN as u64, place.daemon as u64],
            )
        }),
        works("ptrace-me", "be traced", |_| {
            call(libc::SYS_ptrace, &[0, 0, 0, 0])
        }),
        works("ptrace-daemon", "trace the daemon", |place| {
            // PTRACE_SEIZE does not stop it, and ends with this process.
            call(libc::SYS_ptrace, &[0x4206, place.daemon as u64, 0, 0])
        }),
        works("read-daemon", "read the daemon's memory", |place| {
            vm(libc::SYS_process_vm_readv, place.daemon, place.address, 0)
        }),
        fails(
            "write-daemon",
            "write the daemon's memory",
            &[Errno::EFAULT],
            "the byte is read-only, so that nothing changes",
            |place| vm(libc::SYS_process_vm_writev, place.daemon, place.address, 42),
        ),
        fails(
            "madvise-daemon",
            "advise on the daemon's memory",
            &[Errno::EPERM, Errno::EINVAL],
            "only root may, and the advice is none",
            |place| {
                let fd = raw::call(libc::SYS_pidfd_open, &[place.daemon as u64, 0]).unwrap_or(0);
                let part = [place.address & !4095, 4096];
                let part = part.as_ptr() as u64;
                call(
                    libc::SYS_process_madvise,
                    &[fd as u64, part, 1, libc::MADV_COLD as u64, 0],
                )
            },
        ),
        fails(
            "kcmp-daemon",
            "compare kernel objects with the daemon",
            &[Errno::ENOSYS],
            "the kernel is built without",
            |place| {
                let daemon = place.daemon as u64;
                call(libc::SYS_kcmp, &[daemon, daemon, 1, 0, 0])
            },
        ),
        works("priority-daemon", "read the daemon's priority", |place| {
            call(libc::SYS_getpriority, &[0, place.daemon as u64])
        }),
        works("affinity-daemon", "read the daemon's processors", |place| {
            let room = [0_u64; 128];
            call(
                libc::SYS_sched_getaffinity,
                &[place.daemon as u64, 1024, room.as_ptr() as u64],
            )
        }),
        works("limits-daemon", "read the daemon's limits", |place| {
            let room = [0_u64; 2];
            call(
                libc::SYS_prlimit64,
                &[place.daemon as u64, 7, 0, room.as_ptr() as u64],
            )
        }),
        works(
            "scheduler-daemon",
            "read the daemon's scheduling",
            |place| call(libc::SYS_sched_getscheduler, &[place.daemon as u64]),
        ),
        works("session-daemon", "read the daemon's session", |place| {
            call(libc::SYS_getsid, &[place.daemon as u64])
        }),
        works("fork", "start a process", |_| fork(libc::SIGCHLD as u64)),
        works("thread-bomb", "start a hundred threads at once", |_| {
            threads(100)
        }),
        works("thread", "start a thread", |_| {
            let thread = std::thread::Builder::new().spawn(|| ());
            let joined = thread.map(|thread| thread.join());
            joined.map(drop).map_err(|e| crate::daemon::errno(&e))
        }),
    ]
}

/// Starts a process that ends at once, and waits for it.
fn fork(flags: u64) -> Result<(), Errno> {
    match raw::call(libc::SYS_clone, &[flags, 0, 0, 0, 0])? {
        0 => raw::exit_now(0),
        child => call(libc::SYS_wait4, &[child as u64, 0, 0, 0]),
    }
}

/// Starts threads that all live until the last one is there.
fn threads(count: usize) -> Result<(), Errno> {
    let (goes, started): (Vec<_>, Vec<_>) = (0..count)
        .map(|_| {
            let (go, told) = std::sync::mpsc::channel::<()>();
            (
                go,
                std::thread::Builder::new().spawn(move || told.recv().is_ok()),
            )
        })
        .unzip();
    drop(goes);
    let all: Result<Vec<_>, _> = started.into_iter().collect();
    all.map(drop).map_err(|e| crate::daemon::errno(&e))
}

/// Moves one byte between here and another process.
fn vm(number: i64, pid: i32, address: u64, byte: u8) -> Result<(), Errno> {
    let here = [byte];
    let local = [here.as_ptr() as u64, 1];
    let remote = [address, 1];
    let (local, remote) = (local.as_ptr() as u64, remote.as_ptr() as u64);
    call(number, &[pid as u64, local, 1, remote, 1, 0])
}
