//! Rights of the process itself: ids, capabilities, limits, and loosening its own jail.

use nix::errno::Errno;

use super::{Act, ONLY_ROOT, ROOT, call, fails, path, pointer, throwaway, works};
use crate::raw;

pub(super) fn acts() -> Vec<Act> {
    vec![
        fails("setuid-root", "become root", ROOT, ONLY_ROOT, |_| {
            call(libc::SYS_setuid, &[0])
        }),
        fails(
            "setgid-root",
            "become the group root",
            ROOT,
            ONLY_ROOT,
            |_| call(libc::SYS_setgid, &[0]),
        ),
        fails("setresuid", "become another user", ROOT, ONLY_ROOT, |_| {
            call(libc::SYS_setresuid, &[1, 1, 1])
        }),
        fails("setgroups", "join a group", ROOT, ONLY_ROOT, |_| {
            let groups = [0_u32];
            call(libc::SYS_setgroups, &[1, groups.as_ptr() as u64])
        }),
        works("setfsuid", "change the user for files", |_| {
            call(libc::SYS_setfsuid, &[1])
        }),
        throwaway("capset", "take a capability", |_| {
            // Version 3; CAP_SYS_ADMIN (21), effective, permitted, inheritable.
            let header = [0x2008_0522_u32, 0];
            let sets = [1_u32 << 21, 1 << 21, 0, 0, 0, 0];
            call(
                libc::SYS_capset,
                &[header.as_ptr() as u64, sets.as_ptr() as u64],
            )
        }),
        throwaway("sethostname", "rename the host", |_| {
            call(libc::SYS_sethostname, &[c"probe".as_ptr() as u64, 5])
        }),
        throwaway("setdomainname", "rename the domain", |_| {
            call(libc::SYS_setdomainname, &[c"probe".as_ptr() as u64, 5])
        }),
        works("dumpable", "become readable to others again", |_| {
            prctl(libc::PR_SET_DUMPABLE, 1)
        }),
        works("outlive-keeper", "stop dying with the keeper", |_| {
            prctl(libc::PR_SET_PDEATHSIG, 0)
        }),
        works("ambient", "look at the ambient set", |_| {
            prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64)
        }),
        works("rename-thread", "change the process's name", |_| {
            prctl(libc::PR_SET_NAME, c"kworker".as_ptr() as u64)
        }),
        fails(
            "memory-map-fields",
            "change the borders of the memory map",
            &[Errno::EPERM, Errno::EINVAL],
            "the size is wrong, so that nothing changes",
            |_| prctl(libc::PR_SET_MM, 14),
        ),
        works("more-filters", "ask about further filters", |_| {
            // SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_KILL_PROCESS
            let action = 0x8000_0000_u32;
            call(libc::SYS_seccomp, &[2, 0, &raw const action as u64])
        }),
        works("more-landlock", "ask about further rules", |_| {
            call(libc::SYS_landlock_create_ruleset, &[0, 0, 1])
        }),
        works("raise-limit", "set a resource limit", |_| {
            let mut limit = [0_u64; 2];
            let room = limit.as_mut_ptr() as u64;
            call(libc::SYS_prlimit64, &[0, 7, 0, room])?;
            // The hard limit, raised to itself.
            call(libc::SYS_prlimit64, &[0, 7, room, 0])
        }),
        fails(
            "realtime",
            "run before everybody else",
            ROOT,
            ONLY_ROOT,
            |_| {
                let priority = 1_i32;
                call(
                    libc::SYS_sched_setscheduler,
                    &[0, 1, &raw const priority as u64],
                )
            },
        ),
        works("nice", "lower the priority", |_| {
            call(libc::SYS_setpriority, &[0, 0, 1])
        }),
        works("umask", "change the mask for new files", |_| {
            call(libc::SYS_umask, &[0o077])
        }),
        works("new-session", "ask for the session", |_| {
            call(libc::SYS_getsid, &[0])
        }),
        works("change-directory", "change the working directory", |_| {
            call(libc::SYS_chdir, &[pointer(&path("/")?)])
        }),
        works("timer", "make a timer that signals", |_| {
            let id = 0_u64;
            call(libc::SYS_timer_create, &[1, 0, &raw const id as u64])
        }),
        works("alarm", "set an alarm", |_| call(libc::SYS_alarm, &[60])),
        works("epoll", "make a new event loop", |_| {
            call(libc::SYS_epoll_create1, &[0])
        }),
        works("eventfd", "make a new event counter", |_| {
            call(libc::SYS_eventfd2, &[0, 0])
        }),
        works("signalfd", "read signals from a descriptor", |_| {
            let none = 0_u64;
            call(
                libc::SYS_signalfd4,
                &[u64::MAX, &raw const none as u64, 8, 0],
            )
        }),
        works("pipe", "make a pipe", |_| {
            let room = [0_i32; 2];
            call(libc::SYS_pipe2, &[room.as_ptr() as u64, 0])
        }),
        works("terminal-input", "push input into a terminal", |_| {
            // TIOCSTI; outside, a terminal is made for it.
            let terminal = super::open("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY).unwrap_or(2);
            let byte = b'x';
            call(libc::SYS_ioctl, &[terminal, 0x5412, &raw const byte as u64]).or_else(|errno| {
                match errno {
                    // A kernel may forbid it to ordinary users; it was a terminal that said so.
                    Errno::EPERM | Errno::EIO => Ok(()),
                    other => Err(other),
                }
            })
        }),
    ]
}

fn prctl(option: i32, second: u64) -> Result<(), Errno> {
    raw::call(libc::SYS_prctl, &[option as u64, second, 0, 0, 0]).map(drop)
}
