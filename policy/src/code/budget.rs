//! The limits of one reading, each with its reason.
//!
//! All depend on the length of the text alone. A limit that is reached shows in the facts.

/// The longest text that is read. Longer programs stay unfinished.
pub const MAX_TEXT_BYTES: usize = 128 * 1024;
/// Nesting of brackets, blocks and chains of prefixes. CPython stops at 200 brackets and 100
/// blocks; programs of the corpora have fewer than 20.
pub(super) const MAX_DEPTH: usize = 200;
/// Opening marks in JavaScript where it is not certain what is a string and what is code: oxc's
/// parser tries some of them twice, so hidden nesting takes time with its square, this much half
/// a second. Without doubt about strings, [`MAX_DEPTH`] bounds it.
pub(super) const MAX_UNCERTAIN_OPENERS: usize = 800;
/// Steps that every text has.
const BASE_STEPS: u64 = 20_000;
/// Further steps for each byte: programs of the corpora take fewer than one. A step takes up to
/// 0.1 µs.
const STEPS_PER_BYTE: u64 = 1;
/// Marks and words of a text, which bound what a parser makes of it: 64 KiB of what people write
/// have 20,000, and the parsers take 0.1 µs for each.
pub(super) const MAX_TOKENS: usize = 40_000;
/// Operands of a sum that are passed over in the time of a step.
pub(super) const PARTS_PER_STEP: usize = 4;
/// Levels of one expression that are followed for its value.
pub(super) const MAX_VALUE_DEPTH: usize = 24;
/// `<` in a text that is read as TypeScript: where it may open a list of types, oxc's parser reads
/// what follows twice, so time grows with the square. This many take it 20 ms.
pub(super) const MAX_ANGLES: usize = 256;
/// Things that one name may stand for.
pub(super) const MAX_MEANINGS: usize = 6;
/// Rounds in which aliases of aliases are followed.
pub(super) const MAX_ALIAS_ROUNDS: usize = 4;
/// Bytes of a dotted name.
pub(super) const MAX_NAME_BYTES: usize = 200;
/// Bytes of a text that is put together from literals.
pub(super) const MAX_LITERAL_BYTES: usize = 4 * 1024;
/// Arguments of one call, and elements of one literal list.
pub(super) const MAX_ARGUMENTS: usize = 64;
/// Bytes of an argument in the facts.
pub(super) const MAX_ARGUMENT_BYTES: usize = 256;
/// Entries of each list of the facts: no program of the corpora has a tenth.
pub(super) const MAX_ENTRIES: usize = 2_048;
/// Characters that a dynamic fact shows.
pub(super) const MAX_ABOUT_CHARS: usize = 80;

/// What is left of the steps.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
}

impl Budget {
    pub(super) fn for_bytes(bytes: usize) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self {
            limit: BASE_STEPS.saturating_add(bytes.saturating_mul(STEPS_PER_BYTE)),
            used: 0,
        }
    }

    /// Takes a step; false if none is left.
    pub(super) fn step(&mut self) -> bool {
        self.used = self.used.saturating_add(1);
        !self.is_used_up()
    }

    /// Takes a step for each value that was made.
    pub(super) fn values(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.used = self.used.saturating_add(count);
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.used > self.limit
    }

    pub(super) fn used(&self) -> u64 {
        self.used.min(self.limit)
    }
}
