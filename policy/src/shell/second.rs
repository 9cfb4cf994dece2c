//! The second reading: the same text through brush-parser, and whether both list the same
//! simple commands.
//!
//! brush-parser is somebody else's reading of the same manual; that is its use. It has no limits
//! of its own on depth or time and aborts or panics on a few inputs, so it only gets texts that
//! cannot hurt it (see [`refused`]); the others stay unconfirmed, which is opaque.

mod brush;
mod ours;

use super::ast::{HereBody, Script};
use super::cursor::is_name;

/// The longest text that gets a second reading. Its cost grows with the length; twice this takes
/// longer than a decision may.
const MAX_CONFIRMED_BYTES: usize = 16 * 1024;
/// Brackets and compound commands in a text: a bound on nesting under any reading. Each level
/// takes brush-parser up to four kilobytes of stack.
const MAX_OPENERS: usize = 400;
/// Opening brackets in a row, between blanks: brush-parser tries each in several ways, one inside
/// of the other, so time grows by a factor with each.
const MAX_OPENERS_IN_A_ROW: usize = 4;
/// Digits that brush-parser reads as a number without looking whether it fits.
const MAX_DIGITS: usize = 8;
/// Bytes for all second readings of one analysis, as a multiple of the text's length: code in
/// substitutions is read again, once a level.
const CONFIRMED_PER_BYTE: usize = 4;
/// The same for short texts.
const CONFIRMED_BASE: usize = 4 * 1024;

/// What is left for second readings.
#[derive(Debug)]
pub(super) struct SecondBudget {
    bytes: usize,
}

impl SecondBudget {
    pub(super) fn for_bytes(bytes: usize) -> Self {
        Self {
            bytes: CONFIRMED_BASE.saturating_add(bytes.saturating_mul(CONFIRMED_PER_BYTE)),
        }
    }

    /// Whether a text of this length may still be read; takes it off.
    fn take(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes.saturating_add(1)) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }
}

/// What the second reading says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreement {
    Same,
    /// It lists other commands, or rejects the text.
    Differ(String),
    /// It was not made.
    NotRead(&'static str),
}

/// Compares both readings of a text.
pub(super) fn compare(
    text: &str,
    script: &Script,
    documents: &[HereBody],
    budget: &mut SecondBudget,
) -> Agreement {
    if is_trivial(text) {
        return Agreement::Same;
    }
    if let Some(reason) = refused(text) {
        return Agreement::NotRead(reason);
    }
    if !budget.take(text.len()) {
        return Agreement::NotRead("budget of the second reading");
    }
    let mut mine = ours::commands(script, documents);
    let mut theirs = match brush::commands(text, budget) {
        Ok(commands) => commands,
        Err(reason) => return Agreement::Differ(reason),
    };
    mine.sort_unstable();
    theirs.sort_unstable();
    if mine == theirs {
        return Agreement::Same;
    }
    Agreement::Differ(format!("{} commands here, {} there", mine.len(), theirs.len()))
}

/// A single word of letters reads the same everywhere.
fn is_trivial(text: &str) -> bool {
    is_name(text)
}

/// Why brush-parser may not see this text.
fn refused(text: &str) -> Option<&'static str> {
    if text.len() > MAX_CONFIRMED_BYTES {
        return Some("too long for the second reading");
    }
    if text.contains('\0') {
        return Some("NUL");
    }
    let (mut openers, mut row, mut digits) = (0_usize, 0_usize, 0_usize);
    for byte in text.bytes() {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        match byte {
            b'(' | b'{' | b'[' | b'`' => {
                openers += 1;
                row += usize::from(byte != b'`');
            }
            b' ' | b'\t' | b'\n' | b'$' | b'"' => {}
            _ => row = 0,
        }
        if row > MAX_OPENERS_IN_A_ROW {
            return Some("many opening brackets");
        }
        if digits > MAX_DIGITS && text.contains(['<', '>', '~']) {
            return Some("a long number");
        }
    }
    let keywords = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| matches!(*word, "if" | "while" | "until" | "for" | "case" | "select" | "function"))
        .count();
    (openers + keywords > MAX_OPENERS).then_some("much nesting")
}

/// One command as a number: its words, assignments and redirections in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digest {
    value: u64,
}

impl Digest {
    fn new() -> Self {
        Self { value: 0x9e37_79b9_7f4a_7c15 }
    }

    fn add(&mut self, key: u64) {
        self.value = (self.value.rotate_left(5) ^ key).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
