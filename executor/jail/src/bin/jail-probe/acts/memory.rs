//! Executable memory: without it, code that broke out can only reuse what is there.

use nix::errno::Errno;

use super::{Act, EXECUTED, call, fails, open, path, pointer, works};
use crate::raw::{self, PAGE, map_anonymous};

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const RX: i32 = libc::PROT_READ | libc::PROT_EXEC;
const RWX: i32 = RW | libc::PROT_EXEC;

pub(super) fn acts() -> Vec<Act> {
    vec![
        works("mmap-exec", "map executable memory", |_| {
            map_anonymous(RX).map(drop)
        }),
        works("mmap-write-exec", "map writable executable memory", |_| {
            map_anonymous(RWX).map(drop)
        }),
        works(
            "mprotect-exec",
            "write code, then make it executable",
            |_| protect(map_anonymous(RW)?, RX),
        ),
        works(
            "mprotect-own-code",
            "make the program's own code writable",
            |_| protect(acts as *const () as u64 & !(PAGE - 1), RWX),
        ),
        fails(
            "pkey-mprotect-exec",
            "the same by way of a protection key",
            &[Errno::EINVAL, Errno::ENOSYS],
            "the machine has no protection keys",
            |_| {
                let page = map_anonymous(RW)?;
                call(libc::SYS_pkey_mprotect, &[page, PAGE, RX as u64, u64::MAX])
            },
        ),
        works(
            "mmap-file-exec",
            "map a file of the workspace executable",
            |place| {
                let fd = filled(&place.workspace)?;
                let flags = libc::MAP_PRIVATE as u64;
                call(libc::SYS_mmap, &[0, PAGE, RX as u64, flags, fd, 0])
            },
        ),
        works("memfd", "make a file that has no name", |_| {
            memfd().map(drop)
        }),
        works(
            "memfd-twice",
            "map a nameless file writable and executable",
            |_| {
                let fd = memfd()?;
                call(
                    libc::SYS_mmap,
                    &[0, PAGE, RX as u64, libc::MAP_SHARED as u64, fd, 0],
                )
            },
        ),
        fails(
            "memfd-secret",
            "make memory that the kernel does not map",
            &[Errno::ENOSYS],
            "it is off by default",
            |_| call(libc::SYS_memfd_secret, &[0]),
        ),
        works("shmat-exec", "attach shared memory executable", |_| {
            let id = raw::call(libc::SYS_shmget, &[0, PAGE, 0o700 | libc::IPC_CREAT as u64]);
            let attached = call(
                libc::SYS_shmat,
                &[id.unwrap_or(0) as u64, 0, libc::SHM_EXEC as u64],
            );
            let removed = id.and_then(|id| call(libc::SYS_shmctl, &[id as u64, 0, 0]));
            attached.and(removed)
        }),
        works(
            "read-implies-exec",
            "make every readable page executable",
            |_| {
                call(libc::SYS_personality, &[0x0040_0000])?;
                map_anonymous(libc::PROT_READ).map(drop)
            },
        ),
        works("remap-file-pages", "rearrange a mapping", |_| {
            let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64;
            let page = raw::call(libc::SYS_mmap, &[0, PAGE, RW as u64, flags, u64::MAX, 0])?;
            call(libc::SYS_remap_file_pages, &[page as u64, PAGE, 0, 0, 0])
        }),
        works("exec", "execute the probe", |_| execute("/proc/self/exe")),
        works("exec-shell", "execute a shell", |_| execute_shell()),
        works(
            "exec-workspace",
            "execute a program put into the workspace",
            |place| {
                let name = place.workspace.join("program");
                let copied = copy_program(&name);
                let executed = execute(&name);
                copied.and(executed)
            },
        ),
        works("exec-memfd", "execute a program that has no name", |_| {
            let fd = memfd().and_then(|fd| copy_to(fd).map(|()| fd)).unwrap_or(0);
            let (empty, word) = (c"".as_ptr() as u64, path(EXECUTED)?);
            let argv = [pointer(&word), pointer(&word), 0];
            let flags = libc::AT_EMPTY_PATH as u64;
            call(
                libc::SYS_execveat,
                &[fd, empty, argv.as_ptr() as u64, 0, flags],
            )
        }),
        works("uselib", "load a library by the oldest way", |_| {
            // Gone from new kernels, which says ENOSYS; that a call is unknown is no gate.
            call(libc::SYS_uselib, &[pointer(&path("/etc/passwd")?)]).or_else(|errno| match errno {
                Errno::ENOSYS | Errno::ENOEXEC | Errno::EACCES => Ok(()),
                other => Err(other),
            })
        }),
    ]
}

fn protect(page: u64, protection: i32) -> Result<(), Errno> {
    call(libc::SYS_mprotect, &[page, PAGE, protection as u64])
}

fn memfd() -> Result<u64, Errno> {
    let fd = raw::call(libc::SYS_memfd_create, &[c"probe".as_ptr() as u64, 0])? as u64;
    call(libc::SYS_ftruncate, &[fd, PAGE])?;
    Ok(fd)
}

/// A file with one page in it.
fn filled(workspace: &std::path::Path) -> Result<u64, Errno> {
    let fd = open(workspace.join("page"), libc::O_CREAT | libc::O_RDWR)?;
    call(libc::SYS_ftruncate, &[fd, PAGE])?;
    Ok(fd)
}

fn execute(program: impl AsRef<std::path::Path>) -> Result<(), Errno> {
    let (program, word) = (path(program)?, path(EXECUTED)?);
    let argv = [pointer(&program), pointer(&word), 0];
    call(
        libc::SYS_execve,
        &[pointer(&program), argv.as_ptr() as u64, 0],
    )
}

fn execute_shell() -> Result<(), Errno> {
    let (shell, option, script) = (path("/bin/sh")?, path("-c")?, path("exit 77")?);
    let argv = [pointer(&shell), pointer(&option), pointer(&script), 0];
    call(
        libc::SYS_execve,
        &[pointer(&shell), argv.as_ptr() as u64, 0],
    )
}

/// Copies the probe to `name`, ready to execute and closed again.
fn copy_program(name: &std::path::Path) -> Result<(), Errno> {
    let fd = open(name, libc::O_CREAT | libc::O_WRONLY)?;
    let copied = copy_to(fd);
    call(libc::SYS_close, &[fd])?;
    copied
}

fn copy_to(fd: u64) -> Result<(), Errno> {
    let program = open("/proc/self/exe", libc::O_RDONLY)?;
    call(libc::SYS_lseek, &[fd, 0, 0])?;
    // sendfile would do, but a plain copy uses calls that the list has.
    let room = vec![0_u8; 1 << 20];
    loop {
        let args = [program, room.as_ptr() as u64, room.len() as u64];
        let got = raw::call(libc::SYS_read, &args)? as u64;
        if got == 0 {
            return Ok(());
        }
        call(libc::SYS_write, &[fd, room.as_ptr() as u64, got])?;
    }
}
