//! More than a call may have: bytes, files, descriptors, memory.

use nix::errno::Errno;

use super::{Act, call, open, path, pointer, works};
use crate::raw;
use crate::wire::Place;

/// The strict plan allows 16 MiB, 256 files, 64 descriptors, 1 GiB.
const FILES: u64 = 64;
const FILE_BYTES: usize = 1 << 20;
const NAMES: u64 = 300;
const DESCRIPTORS: u64 = 100;
const MEMORY_BYTES: u64 = 2 << 30;

pub(super) fn acts() -> Vec<Act> {
    vec![
        works("fill-workspace", "write 64 MiB in 64 files", fill),
        works("fill-names", "make 300 empty files", |place| {
            (0..NAMES).try_for_each(|number| {
                let name = place.workspace.join(format!("name-{number}"));
                let fd = open(name, libc::O_CREAT | libc::O_WRONLY)?;
                call(libc::SYS_close, &[fd])
            })
        }),
        works("fill-links", "make 300 links", |place| {
            (0..NAMES).try_for_each(|number| {
                let name = path(place.workspace.join(format!("soft-{number}")))?;
                let to = path("anywhere")?;
                let here = libc::AT_FDCWD as u64;
                call(libc::SYS_symlinkat, &[pointer(&to), here, pointer(&name)])
            })
        }),
        works("large-file", "make one file of 64 MiB", |place| {
            let fd = open(
                place.workspace.join("large"),
                libc::O_CREAT | libc::O_WRONLY,
            )?;
            call(libc::SYS_ftruncate, &[fd, FILES * FILE_BYTES as u64])
        }),
        works("many-descriptors", "have a hundred descriptors", |_| {
            (0..DESCRIPTORS).try_for_each(|_| call(libc::SYS_dup, &[0]))
        }),
        works("much-memory", "map 2 GiB to write to", |_| {
            map_much(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
        }),
        works(
            "much-shared-memory",
            "the same shared, which no limit counts",
            |_| map_much(libc::MAP_SHARED | libc::MAP_ANONYMOUS),
        ),
        works(
            "much-stack-memory",
            "the same as a stack, which no limit counts",
            |_| map_much(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN),
        ),
        works(
            "much-memory-later",
            "reserve 2 GiB, then make it writable",
            |_| {
                let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
                let none = libc::PROT_NONE as u64;
                let place =
                    raw::call(libc::SYS_mmap, &[0, MEMORY_BYTES, none, flags, u64::MAX, 0])?;
                let rw = (libc::PROT_READ | libc::PROT_WRITE) as u64;
                call(libc::SYS_mprotect, &[place as u64, MEMORY_BYTES, rw])
            },
        ),
    ]
}

/// Maps memory to write to, and writes to none of it.
fn map_much(flags: i32) -> Result<(), Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (flags | libc::MAP_NORESERVE) as u64;
    call(
        libc::SYS_mmap,
        &[0, MEMORY_BYTES, protection, flags, u64::MAX, 0],
    )
}

fn fill(place: &Place) -> Result<(), Errno> {
    let bytes = vec![1_u8; FILE_BYTES];
    for number in 0..FILES {
        let name = place.workspace.join(format!("file-{number}"));
        let fd = open(name, libc::O_CREAT | libc::O_WRONLY)?;
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            let wrote = raw::call(
                libc::SYS_write,
                &[fd, left.as_ptr() as u64, left.len() as u64],
            )?;
            left = usize::try_from(wrote)
                .ok()
                .and_then(|w| left.get(w..))
                .unwrap_or_default();
        }
        call(libc::SYS_close, &[fd])?;
    }
    Ok(())
}
