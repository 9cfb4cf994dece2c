//! The limits of one analysis: steps, depth, and sizes of what it yields.
//!
//! The number of steps depends on the length of the text alone, so an attacker can make an
//! analysis neither long nor lenient: a budget that is used up ends in an opaque fact. No clock.

/// The longest text that is read at all: a command line of the kernel's usual limit is 128 KiB,
/// and no agent writes a tenth of this.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Steps that every text has, so that short ones can nest.
const BASE_STEPS: u64 = 40_000;
/// Further steps for each byte: one for reading it, the rest for what is read twice
/// (back-ticks, `sh -c`, arithmetic that turns out to be a subshell). With this many the worst text
/// that we know takes 10 ms at its longest; what people write takes the steps that every text has.
const STEPS_PER_BYTE: u64 = 3;
/// Nesting of any kind. People write four levels; each costs some kilobytes of stack.
pub(super) const MAX_DEPTH: u32 = 40;
/// Words that one brace expansion may make.
pub(super) const MAX_BRACE_WORDS: usize = 512;
/// Opaque facts; with more of them the last says that the budget is used up.
pub(super) const MAX_OPAQUE: usize = 4_096;
/// Characters of the text that an opaque fact shows.
pub(super) const MAX_ABOUT_CHARS: usize = 60;
/// Directories in which a command may run before they are called unknown.
pub(super) const MAX_DIRECTORIES: usize = 4;

/// What is left of the steps.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
}

/// The steps are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Budget {
    pub(super) fn for_bytes(bytes: usize) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self {
            limit: BASE_STEPS.saturating_add(bytes.saturating_mul(STEPS_PER_BYTE)),
            used: 0,
        }
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.used = self.used.saturating_add(steps);
        if self.used > self.limit {
            return Err(Exhausted);
        }
        Ok(())
    }

    pub(super) fn used(&self) -> u64 {
        self.used.min(self.limit)
    }
}
