//! The second reading: the same text through brush-parser, and whether both list the same
//! simple commands.
//!
//! brush-parser is somebody else's reading of the same manual; that is its use. It has no limits
//! of its own on depth or time and aborts or panics on a few inputs, so it only gets texts that
//! cannot hurt it (see [`refused`]); the others stay unconfirmed, which is opaque.

mod brush;
mod ours;

use super::ast::{HereBody, Script};
use super::cursor::{is_name, is_name_byte};

/// The longest text that gets a second reading: twice what any agent of the corpora wrote. Parts
/// of brush-parser take time with the square of the length.
const MAX_CONFIRMED_BYTES: usize = 4 * 1024;
/// Brackets in a text: a bound on nesting under any reading. 400 levels of substitutions take
/// brush-parser less than a megabyte of stack.
const MAX_OPENERS: usize = 400;
/// Compound commands in a text, for the same reason: 150 levels take it a megabyte.
const MAX_COMPOUNDS: usize = 64;
/// Opening brackets in a row, between blanks: brush-parser tries each in several ways, one inside
/// of the other, so time grows by a factor with each.
const MAX_OPENERS_IN_A_ROW: usize = 4;
/// `[` after a name: brush-parser reads what follows twice, one inside of the other, so time
/// doubles with each.
const MAX_SUBSCRIPTS: usize = 8;
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
    Agreement::Differ(format!(
        "{} commands here, {} there",
        mine.len(),
        theirs.len()
    ))
}

/// A single word of letters reads the same everywhere.
fn is_trivial(text: &str) -> bool {
    is_name(text)
}

/// Why brush-parser may not see this text.
fn refused(text: &str) -> Option<&'static str> {
    if text.len() > MAX_CONFIRMED_BYTES {
        Some("too long for the second reading")
    } else if text.contains('\0') {
        Some("NUL")
    } else if has_long_number(text) {
        Some("a long number")
    } else if may_nest(text) {
        Some("many brackets")
    } else {
        None
    }
}

/// Many digits directly before a redirection: the number of a file, which must fit into 32 bits.
fn has_long_number(text: &str) -> bool {
    let mut digits = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'<' | b'>' if digits > MAX_DIGITS => return true,
            // A line continuation may stand in a number.
            b'\\' | b'\n' => {}
            _ => digits = 0,
        }
    }
    false
}

/// Whether any reading could find deep nesting: counts brackets and keywords, quoted or not.
fn may_nest(text: &str) -> bool {
    let (mut openers, mut compounds, mut row) = (0_usize, 0_usize, 0_usize);
    let (mut subscripts, mut last) = (0_usize, b' ');
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => {
                openers += 1;
                row += 1;
                // `$(`, `<(` and `${` are collected as text, without recursion over commands.
                compounds += usize::from(byte != b'[' && !matches!(last, b'$' | b'<' | b'>'));
            }
            b'`' => openers += 1,
            b' ' | b'\t' | b'\n' | b'$' | b'"' => {}
            _ => row = 0,
        }
        if row > MAX_OPENERS_IN_A_ROW {
            return true;
        }
        subscripts += usize::from(byte == b'[' && is_name_byte(last));
        last = byte;
    }
    compounds += keywords(text);
    openers > MAX_OPENERS || compounds > MAX_COMPOUNDS || subscripts > MAX_SUBSCRIPTS
}

/// Words that start a compound command, wherever they stand.
fn keywords(text: &str) -> usize {
    const KEYWORDS: &[&str] = &[
        "case", "coproc", "for", "function", "if", "select", "until", "while",
    ];
    text.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| KEYWORDS.contains(word))
        .count()
}

/// One command as a number: its words, assignments and redirections in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digest {
    value: u64,
}

impl Digest {
    fn new() -> Self {
        Self {
            value: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn add(&mut self, key: u64) {
        self.value = (self.value.rotate_left(5) ^ key).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
