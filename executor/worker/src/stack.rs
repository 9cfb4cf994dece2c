//! The native stacks of guests: made once, and used again by the next guest.
//!
//! The engine would map one for every call, and pay a fault for every page of it. A
//! guest cannot look at its native stack, so what a former one left there reaches
//! nobody.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc;
use wasmtime::{Error, StackCreator, StackMemory};

/// Below every stack: running over its end traps.
const GUARD_BYTES: usize = 64 << 10;

/// Hands the one stack to one guest after the other.
#[derive(Default)]
pub(crate) struct Stacks(Arc<Mutex<Option<Mapping>>>);

/// A stack and its guard, mapped for the life of the worker.
struct Mapping {
    base: usize,
    bytes: usize,
}

/// A stack in use.
struct Stack {
    mapping: Option<Mapping>,
    usable: Range<usize>,
    home: Arc<Mutex<Option<Mapping>>>,
}

#[expect(
    unsafe_code,
    reason = "the engine trusts what is said here of the stack"
)]
// SAFETY: a stack is page aligned, as long as was asked, has a guard below it that cannot
// be touched, and is used by one guest at a time.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>, Error> {
        if zeroed {
            return Err(Error::msg("stacks are not zeroed here"));
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mapping = match kept.filter(|kept| kept.bytes == size + GUARD_BYTES) {
            Some(mapping) => mapping,
            None => Mapping::new(size + GUARD_BYTES)?,
        };
        Ok(Box::new(Stack {
            usable: mapping.base + GUARD_BYTES..mapping.base + mapping.bytes,
            mapping: Some(mapping),
            home: Arc::clone(&self.0),
        }))
    }
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        #[expect(unsafe_code, reason = "mapping memory is a system call")]
        // SAFETY: the kernel chooses a free place.
        let base = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let this = Self {
            base: base as usize,
            bytes,
        };
        let open = libc::PROT_READ | libc::PROT_WRITE;
        #[expect(
            unsafe_code,
            reason = "opens all but the guard of the mapping just made"
        )]
        // SAFETY: the range lies in the mapping above.
        let done = unsafe {
            let stack = base.cast::<u8>().add(GUARD_BYTES).cast();
            libc::mprotect(stack, bytes - GUARD_BYTES, open)
        };
        match done {
            0 => Ok(this),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "gives back the mapping")]
        // SAFETY: it is this value's own, and no guest runs on it any more.
        let _gone = unsafe { libc::munmap(self.base as *mut libc::c_void, self.bytes) };
    }
}

#[expect(
    unsafe_code,
    reason = "the engine trusts what is said here of the stack"
)]
// SAFETY: see `StackCreator` above; the ranges are those of the mapping.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.usable.end as *mut u8
    }

    fn range(&self) -> Range<usize> {
        self.usable.clone()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        (self.usable.start - GUARD_BYTES) as *mut u8..self.usable.start as *mut u8
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.mapping.take();
    }
}
