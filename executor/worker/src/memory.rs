//! The linear memory of guests: one reservation for a worker's whole life, mapped
//! from the runtime's image, and put back to it after every call.
//!
//! ```text
//!  0            image            minimum          limit        4 GiB   + guard
//!  ├─────────────┬────────────────┬────────────────┬─────────────┬───────┤
//!  │ private map │ zeroes         │ grown by guest │  nothing    │nothing│
//!  │ of the file │ (anonymous)    │ (anonymous)    │  mapped     │mapped │
//!  └─────────────┴────────────────┴────────────────┴─────────────┴───────┘
//! ```
//!
//! The engine's own pool forgets a guest's pages by giving them back to the kernel,
//! and every next guest pays for them with faults, half a microsecond each. Here the
//! kernel is asked which pages are no longer the file's (`PAGEMAP_SCAN`), and these
//! are overwritten with what they should be. The question is "is it anything but the
//! file's own page", whether in memory or swapped out: a page cannot be missed by
//! having been written out. What cannot be asked (an older kernel), or is too much to
//! overwrite, is given back to the kernel, which is right on any kernel.
//!
//! It fails by ending the worker: a memory that is not known to be clean is never
//! handed out again.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc;
use wasmtime::{Error, LinearMemory, MemoryCreator, MemoryType};

/// Address space behind one memory: what 32 bits reach, so that the engine checks
/// no bounds.
pub(crate) const RESERVATION_BYTES: usize = 4 << 30;

/// Unmapped behind it: constant offsets of loads reach beyond 32 bits.
pub(crate) const GUARD_BYTES: usize = 32 << 20;

/// Pages are overwritten up to this many; beyond it the kernel is faster, and a
/// worker after a large call does not keep what it took.
const KEPT_PAGES: usize = 1_024;

/// Regions that one question to the kernel answers with.
const REGIONS: usize = 256;

/// Every machine that this runs on has this page size; the engine checks it.
const PAGE_BYTES: usize = 4_096;

/// The pages of a runtime's memory as it was frozen, in a sealed file.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) file: File,
    /// Where in the file; a multiple of the page size.
    pub(crate) offset: u64,
    /// How long; a multiple of the page size.
    pub(crate) bytes: usize,
}

/// Hands the one memory to one instance after the other.
pub(crate) struct Slots(Arc<Shared>);

struct Shared {
    image: Option<Image>,
    /// The kernel's table of this process's pages, opened while it could be.
    pagemap: Option<File>,
    free: Mutex<Option<Reservation>>,
}

impl Slots {
    /// Slots over `image`, or over nothing but zeroes.
    pub(crate) fn new(image: Option<Image>, pagemap: Option<File>) -> Self {
        Self(Arc::new(Shared {
            image,
            pagemap,
            free: Mutex::default(),
        }))
    }
}

/// An address range that is this process's alone, and what is mapped in it.
struct Reservation {
    base: *mut u8,
    bytes: usize,
    /// Bytes from the base that can be read and written.
    open_bytes: usize,
    /// A second view of the image, never written: what pages are put back to.
    pristine: *const u8,
}

#[expect(
    unsafe_code,
    reason = "the pointers are of mappings that nothing else knows"
)]
// SAFETY: a reservation is used by the instance that holds it and by nobody else; its
// mappings belong to the process, not to a thread.
unsafe impl Send for Reservation {}
#[expect(
    unsafe_code,
    reason = "the pointers are of mappings that nothing else knows"
)]
// SAFETY: as above; shared references only read the addresses.
unsafe impl Sync for Reservation {}

/// The memory of one live instance.
struct Slot {
    /// There until the drop.
    reservation: Option<Reservation>,
    base: *mut u8,
    bytes: usize,
    home: Arc<Shared>,
}

#[expect(
    unsafe_code,
    reason = "the pointer is that of the slot's own reservation"
)]
// SAFETY: see `Reservation`.
unsafe impl Send for Slot {}
#[expect(
    unsafe_code,
    reason = "the pointer is that of the slot's own reservation"
)]
// SAFETY: see `Reservation`.
unsafe impl Sync for Slot {}

#[expect(
    unsafe_code,
    reason = "the engine trusts what is said here of the memory"
)]
// SAFETY: a slot lies in a reservation of the asked size with the asked guard behind it,
// never moves, and holds the image and zeroes when it is handed out.
unsafe impl MemoryCreator for Slots {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved.is_none_or(|bytes| bytes > RESERVATION_BYTES) || guard > GUARD_BYTES {
            return Err("the engine asks for another layout than it was set up with".into());
        }
        let slot = self.0.take(minimum).map_err(|error| error.to_string())?;
        Ok(Box::new(slot))
    }
}

impl Shared {
    fn take(self: &Arc<Self>, minimum: usize) -> io::Result<Slot> {
        let kept = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut reservation = match kept {
            Some(reservation) => reservation,
            None => Reservation::new(self.image.as_ref())?,
        };
        reservation.open_to(minimum)?;
        Ok(Slot {
            base: reservation.base,
            reservation: Some(reservation),
            bytes: minimum,
            home: Arc::clone(self),
        })
    }

    /// Overwrite what a guest changed, and keep the reservation for the next.
    fn give_back(&self, mut reservation: Reservation) -> io::Result<()> {
        let image_bytes = self.image.as_ref().map_or(0, |image| image.bytes);
        self.put_back(&mut reservation, image_bytes)?;
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) = Some(reservation);
        Ok(())
    }

    fn put_back(&self, reservation: &mut Reservation, image_bytes: usize) -> io::Result<()> {
        let Some(pagemap) = &self.pagemap else {
            return reservation.forget(0, reservation.open_bytes);
        };
        let mut found = [Region::default(); REGIONS];
        let mut at = 0;
        let mut pages = 0;
        while at < reservation.open_bytes {
            let scan = scan(
                pagemap,
                reservation.base,
                at,
                reservation.open_bytes,
                &mut found,
            )?;
            for region in found.get(..scan.regions).unwrap_or_default() {
                let (from, to) = reservation.place(region);
                pages += (to - from) / PAGE_BYTES;
                if pages > KEPT_PAGES {
                    return reservation.forget(0, reservation.open_bytes);
                }
                reservation.restore(from, to, image_bytes);
            }
            at = scan.reached;
        }
        Ok(())
    }
}

impl Reservation {
    fn new(image: Option<&Image>) -> io::Result<Self> {
        let bytes = RESERVATION_BYTES + GUARD_BYTES;
        let base = map(ptr::null_mut(), bytes, libc::PROT_NONE, Source::Nothing)?;
        let mut this = Self {
            base,
            bytes,
            open_bytes: 0,
            pristine: ptr::null(),
        };
        if let Some(image) = image {
            let both = libc::PROT_READ | libc::PROT_WRITE;
            map(base, image.bytes, both, Source::File(image))?;
            this.pristine = map(
                ptr::null_mut(),
                image.bytes,
                libc::PROT_READ,
                Source::File(image),
            )?;
            this.open_bytes = image.bytes;
        }
        Ok(this)
    }

    /// Make exactly the first `bytes` usable; what lies behind traps.
    fn open_to(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.open_bytes {
            self.protect(self.open_bytes, bytes, libc::PROT_READ | libc::PROT_WRITE)?;
        } else if bytes < self.open_bytes {
            self.protect(bytes, self.open_bytes, libc::PROT_NONE)?;
        }
        self.open_bytes = bytes;
        Ok(())
    }

    /// Both ends of a region as offsets into this reservation, inside of what is open.
    fn place(&self, region: &Region) -> (usize, usize) {
        let base = self.base as u64;
        let offset = |address: u64| {
            usize::try_from(address.saturating_sub(base))
                .unwrap_or(usize::MAX)
                .min(self.open_bytes)
        };
        let from = offset(region.start);
        (from, offset(region.end).max(from))
    }

    /// Write what belongs there: the image's bytes, zeroes behind it.
    fn restore(&mut self, from: usize, to: usize, image_bytes: usize) {
        let middle = image_bytes.clamp(from, to);
        #[expect(unsafe_code, reason = "writes into the reservation's own mapping")]
        // SAFETY: from <= middle <= to <= open_bytes, which is mapped for writing; below
        // `image_bytes` the pristine view is as long; the two mappings do not overlap; no
        // instance uses the reservation now.
        unsafe {
            ptr::copy_nonoverlapping(self.pristine.add(from), self.base.add(from), middle - from);
            ptr::write_bytes(self.base.add(middle), 0, to - middle);
        }
    }

    /// Give pages back to the kernel: the next touch finds the file's or a zero page.
    fn forget(&mut self, from: usize, to: usize) -> io::Result<()> {
        #[expect(unsafe_code, reason = "a system call on the reservation's own mapping")]
        // SAFETY: the range lies in the reservation, and no instance uses it now.
        let done =
            unsafe { libc::madvise(self.base.add(from).cast(), to - from, libc::MADV_DONTNEED) };
        checked(done)
    }

    fn protect(&self, from: usize, to: usize, protection: i32) -> io::Result<()> {
        if to > RESERVATION_BYTES {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        #[expect(unsafe_code, reason = "a system call on the reservation's own mapping")]
        // SAFETY: the range lies in the reservation; what is closed holds no live data of
        // the engine, which knows the memory's size.
        let done = unsafe { libc::mprotect(self.base.add(from).cast(), to - from, protection) };
        checked(done)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "gives back the reservation's own mapping")]
        // SAFETY: nothing refers to it any more. The pristine view stays: it is the file's.
        let _gone = unsafe { libc::munmap(self.base.cast(), self.bytes) };
    }
}

#[expect(
    unsafe_code,
    reason = "the engine trusts what is said here of the memory"
)]
// SAFETY: the base never moves; `bytes` of it are readable and writable; growing opens more.
unsafe impl LinearMemory for Slot {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        RESERVATION_BYTES
    }

    fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        match &mut self.reservation {
            Some(reservation) => reservation.open_to(bytes)?,
            None => return Err(Error::msg("the memory is gone")),
        }
        self.bytes = bytes;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(reservation) = self.reservation.take() else {
            return;
        };
        // A reservation that could not be put back is dropped whole: the next instance
        // gets a new one.
        if let Err(error) = self.home.give_back(reservation) {
            eprintln!("lazaret-worker: a guest's memory could not be put back: {error}");
        }
    }
}

/// What a mapping shows.
enum Source<'a> {
    Nothing,
    File(&'a Image),
}

/// A private mapping; at `at` if that is not null, over what was there.
fn map(at: *mut u8, bytes: usize, protection: i32, source: Source<'_>) -> io::Result<*mut u8> {
    let fixed = if at.is_null() { 0 } else { libc::MAP_FIXED };
    let (kind, file, offset) = match source {
        Source::Nothing => (libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1, 0),
        Source::File(image) => (0, image.file.as_raw_fd(), image.offset),
    };
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let flags = libc::MAP_PRIVATE | kind | fixed;
    #[expect(unsafe_code, reason = "mapping memory is a system call")]
    // SAFETY: a fixed address is that of a reservation of ours, at its start and within
    // its length; otherwise the kernel chooses a free one.
    let base = unsafe { libc::mmap(at.cast(), bytes, protection, flags, file, offset) };
    match base == libc::MAP_FAILED {
        true => Err(io::Error::last_os_error()),
        false => Ok(base.cast()),
    }
}

fn checked(done: i32) -> io::Result<()> {
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `struct page_region` of linux/fs.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of linux/fs.h.
#[repr(C)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

const _: () = assert!(
    size_of::<ScanArguments>() == 96,
    "the kernel knows the layout by its size; see linux/fs.h"
);

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 0xC060_6610;
/// The page is the file's own.
const PAGE_IS_FILE: u64 = 1 << 2;
/// The page is in memory.
const PAGE_IS_PRESENT: u64 = 1 << 3;
/// The page was written out to swap.
const PAGE_IS_SWAPPED: u64 = 1 << 4;

/// What a question to the kernel brought.
struct Scan {
    regions: usize,
    /// Offset up to which it looked.
    reached: usize,
}

/// The pages between two offsets that exist, in memory or in swap, and are not the
/// file's own.
fn scan(
    pagemap: &File,
    base: *mut u8,
    from: usize,
    to: usize,
    found: &mut [Region; REGIONS],
) -> io::Result<Scan> {
    let base = base as u64;
    let mut arguments = ScanArguments {
        size: size_of::<ScanArguments>() as u64,
        flags: 0,
        start: base + from as u64,
        end: base + to as u64,
        walk_end: 0,
        vec: found.as_mut_ptr() as u64,
        vec_len: REGIONS as u64,
        max_pages: 0,
        category_inverted: PAGE_IS_FILE,
        category_mask: PAGE_IS_FILE,
        category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        return_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
    };
    #[expect(unsafe_code, reason = "the system call that this file is about")]
    // SAFETY: the arguments have the kernel's layout, and `vec` has room for `vec_len`.
    let regions = unsafe {
        libc::ioctl(
            pagemap.as_raw_fd(),
            PAGEMAP_SCAN,
            ptr::from_mut(&mut arguments),
        )
    };
    let regions = usize::try_from(regions).map_err(|_| io::Error::last_os_error())?;
    let reached = usize::try_from(arguments.walk_end.saturating_sub(base)).unwrap_or(to);
    // A full vector ends the walk early; without progress there would be no end.
    match reached > from || regions > 0 {
        true => Ok(Scan {
            regions,
            reached: reached.max(from + PAGE_BYTES),
        }),
        false => Err(io::Error::other(
            "the kernel's table of pages does not advance",
        )),
    }
}

/// The kernel's table of this process's pages, if this kernel answers questions on it.
pub(crate) fn pagemap() -> Option<File> {
    let file = File::open("/proc/self/pagemap").ok()?;
    let mut found = [Region::default(); REGIONS];
    let here = ptr::from_mut(&mut found) as usize / PAGE_BYTES * PAGE_BYTES;
    let answer = scan(&file, here as *mut u8, 0, PAGE_BYTES, &mut found);
    answer.is_ok().then_some(file)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;

    use super::*;

    const IMAGE_PAGES: usize = 64;
    const MINIMUM: usize = 128 * PAGE_BYTES;
    /// More pages than are overwritten one by one.
    const GROWN: usize = 2 * KEPT_PAGES * PAGE_BYTES;

    fn shared(pagemap: Option<File>) -> (Arc<Shared>, Vec<u8>) {
        let pages: Vec<u8> = (0..IMAGE_PAGES * PAGE_BYTES)
            .map(|at| (at / 7) as u8)
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&pages).unwrap();
        let image = Some(Image {
            file,
            offset: 0,
            bytes: pages.len(),
        });
        let slots = Slots::new(image, pagemap);
        let whole = [pages, vec![0; MINIMUM - IMAGE_PAGES * PAGE_BYTES]].concat();
        (slots.0, whole)
    }

    fn bytes(slot: &mut Slot) -> &mut [u8] {
        #[expect(unsafe_code, reason = "a test looks at the memory as a guest does")]
        // SAFETY: the slot is alive, and nobody else uses its memory.
        unsafe {
            std::slice::from_raw_parts_mut(slot.as_ptr(), slot.byte_size())
        }
    }

    /// What a guest leaves: some pages, many pages, the last byte, and grown memory.
    fn soil(slot: &mut Slot, stride: usize) {
        slot.grow_to(GROWN).unwrap();
        bytes(slot)
            .iter_mut()
            .step_by(stride)
            .for_each(|byte| *byte ^= 0xA5);
    }

    fn every_next_guest_finds_the_image(pagemap: Option<File>) {
        let (shared, whole) = shared(pagemap);
        for stride in [1, 4_096, 70_000, 13, usize::MAX] {
            let mut slot = shared.take(MINIMUM).unwrap();
            assert!(bytes(&mut slot) == whole, "before a stride of {stride}");
            soil(&mut slot, stride);
            assert!(bytes(&mut slot) != whole, "control: it was soiled");
            drop(slot);
            let mut next = shared.take(MINIMUM).unwrap();
            next.grow_to(GROWN).unwrap();
            let (known, grown) = bytes(&mut next).split_at(MINIMUM);
            assert!(known == whole, "after a stride of {stride}");
            assert!(grown.iter().all(|byte| *byte == 0), "{stride}");
        }
    }

    #[test]
    fn what_a_guest_wrote_is_put_back() {
        let pagemap = pagemap();
        assert!(
            pagemap.is_some(),
            "Linux 6.7 or newer is needed to test this"
        );
        every_next_guest_finds_the_image(pagemap);
    }

    #[test]
    fn on_an_older_kernel_it_is_given_back() {
        every_next_guest_finds_the_image(None);
    }
}
