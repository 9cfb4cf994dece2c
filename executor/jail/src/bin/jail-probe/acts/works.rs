//! What a worker needs and the jail must not break. These work inside as outside.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::sys::uio::pread;
use nix::unistd::{UnlinkatFlags, fsync, ftruncate, linkat, symlinkat, unlinkat, write};

use super::{Act, call, works};
use crate::raw;
use crate::wire::Place;

/// The prefix of the acts that must work inside.
const MUST: &str = "must work: ";

pub(super) fn acts() -> Vec<Act> {
    let must = |name, what, run| {
        debug_assert!(str::starts_with(what, MUST));
        works(name, what, run)
    };
    vec![
        must("nothing", "must work: doing nothing", |_| Ok(())),
        must(
            "files",
            "must work: files in the workspace and in /tmp",
            use_files,
        ),
        must("trap", "must work: surviving a fault by a handler", |_| {
            raw::survive_a_trap()
        }),
        must("sleep", "must work: sleeping and telling the time", |_| {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(2));
            match start.elapsed() >= Duration::from_millis(2) {
                true => Ok(()),
                false => Err(Errno::ETIME),
            }
        }),
        must("memory", "must work: taking and returning memory", |_| {
            let blocks: Vec<Vec<u8>> = (0..64).map(|_| vec![1; 1 << 18]).collect();
            match blocks
                .iter()
                .all(|block| block.iter().all(|byte| *byte == 1))
            {
                true => Ok(()),
                false => Err(Errno::ENOMEM),
            }
        }),
        must("random", "must work: random bytes", |_| {
            let room = [0_u8; 16];
            call(libc::SYS_getrandom, &[room.as_ptr() as u64, 16, 0])
        }),
        must("usage", "must work: processor time", |_| {
            let room = [0_u64; 18];
            call(libc::SYS_getrusage, &[0, room.as_ptr() as u64])
        }),
    ]
}

/// By the calls that cap-std makes, which all name a directory.
fn use_files(place: &Place) -> nix::Result<()> {
    let temporary = match place.workspace.starts_with(jail::WORKSPACE) {
        true => Path::new(jail::SCRATCH),
        false => place.workspace.as_path(),
    };
    for directory in [place.workspace.as_path(), temporary] {
        let top = nix::fcntl::open(directory, OFlag::O_DIRECTORY, Mode::empty())?;
        use_directory(&top)?;
    }
    Ok(())
}

fn use_directory(top: &OwnedFd) -> nix::Result<()> {
    mkdirat(top, "a", Mode::S_IRWXU)?;
    mkdirat(top, "b", Mode::S_IRWXU)?;
    let new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR;
    let file = openat(top, "a/one", new, Mode::S_IRWXU)?;
    write(&file, b"text")?;
    fsync(&file)?;
    ftruncate(&file, 2)?;
    linkat(top, "a/one", top, "b/hard", AtFlags::empty())?;
    symlinkat("one", top, "a/soft")?;
    renameat(top, "a/one", top, "b/two")?;
    let mut text = [0; 8];
    let got = pread(&file, &mut text, 0)?;
    let size = fstatat(top, "b/two", AtFlags::AT_SYMLINK_NOFOLLOW)?.st_size;
    for name in ["a/soft", "b/hard", "b/two"] {
        unlinkat(top, name, UnlinkatFlags::NoRemoveDir)?;
    }
    for name in ["a", "b"] {
        unlinkat(top, name, UnlinkatFlags::RemoveDir)?;
    }
    match (got, size, text.starts_with(b"te\0")) {
        (2, 2, true) => Ok(()),
        _ => Err(Errno::EIO),
    }
}
