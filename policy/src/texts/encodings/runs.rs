//! Where in a text an encoding may stand: runs of characters of its alphabet that are long and
//! varied enough. One pass over the bytes; each byte is in at most one run of each kind.

use super::EncodingKind;
use crate::texts::percent;

/// The shortest base64 that is looked at: nine bytes, such as a short command. Shorter ones are
/// too often words.
const MIN_BASE64: usize = 12;

/// The shortest run of hexadecimal digits: eight bytes.
const MIN_HEX: usize = 16;

/// The fewest escapes like `\x41` or `0x41` in a row.
const MIN_ESCAPES: usize = 3;

/// From this length on a line may be one of several, as tools wrap base64 (usually at 64 or 76).
const MIN_WRAPPED_LINE: usize = 40;

/// A part of a text that may be encoded.
pub(super) struct Run<'a> {
    /// How, if it is encoded.
    pub(super) kind: EncodingKind,
    /// Its first byte in the text.
    pub(super) at: usize,
    /// The part itself, line breaks included.
    pub(super) text: &'a str,
}

/// Every part of `text` that may be encoded.
pub(super) fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    letters(text, &mut runs);
    if text.contains('%') {
        percents(text, &mut runs);
    }
    if text.contains("\\x") || text.contains("0x") || text.contains("\\X") {
        escapes(text, &mut runs);
    }
    runs
}

/// Runs of base64's alphabets, and what of them may be hexadecimal or base64.
fn letters<'a>(text: &'a str, runs: &mut Vec<Run<'a>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if !is_letter(*byte) {
            at += 1;
            continue;
        }
        let end = end_of_letters(bytes, at);
        if let Some(run) = text.get(at..end) {
            judge(run, at, runs);
        }
        at = end.max(at + 1);
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Where the run ends: behind its padding, over the ends of long lines.
fn end_of_letters(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut line) = (start, start);
    loop {
        while bytes.get(at).copied().is_some_and(is_letter) {
            at += 1;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let gap = match rest {
            [b'\r', b'\n', next, ..] if is_letter(*next) => 2,
            [b'\n', next, ..] if is_letter(*next) => 1,
            _ => 0,
        };
        if gap == 0 || at - line < MIN_WRAPPED_LINE {
            break;
        }
        at += gap;
        line = at;
    }
    let padding = bytes.get(at..).unwrap_or_default();
    at + padding.iter().take(2).take_while(|b| **b == b'=').count()
}

fn judge<'a>(run: &'a str, at: usize, runs: &mut Vec<Run<'a>>) {
    if run.len() < MIN_BASE64 {
        return;
    }
    let variety = Variety::of(run);
    if let Some(digits) = hex_part(run)
        && variety.only_hex
    {
        let at = at + (run.len() - digits.len());
        runs.push(Run {
            kind: EncodingKind::Hex,
            at,
            text: digits,
        });
    } else if variety.upper && variety.lower {
        runs.push(Run {
            kind: EncodingKind::Base64,
            at,
            text: run,
        });
    }
}

/// The hexadecimal digits of a run, of which there must be an even number.
fn hex_part(run: &str) -> Option<&str> {
    let digits = run.strip_prefix("0x").unwrap_or(run);
    (digits.len() >= MIN_HEX && digits.len().is_multiple_of(2)).then_some(digits)
}

struct Variety {
    upper: bool,
    lower: bool,
    /// Hexadecimal digits, line ends and a leading `0x` only.
    only_hex: bool,
}

impl Variety {
    fn of(run: &str) -> Self {
        let bytes = || run.bytes();
        let digits = run.strip_prefix("0x").unwrap_or(run);
        Self {
            upper: bytes().any(|b| b.is_ascii_uppercase()),
            lower: bytes().any(|b| b.is_ascii_lowercase()),
            only_hex: digits.bytes().all(|b| b.is_ascii_hexdigit()),
        }
    }
}

/// Words with percent escapes that are not formats (`%20s`) or dates.
fn percents<'a>(text: &'a str, runs: &mut Vec<Run<'a>>) {
    let mut at = 0;
    for word in text.split_inclusive(ends_word) {
        let bare = word.strip_suffix(ends_word).unwrap_or(word);
        if bare.contains('%') && has_escape(bare.as_bytes()) {
            runs.push(Run {
                kind: EncodingKind::Percent,
                at,
                text: bare,
            });
        }
        at += word.len();
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "'\"`<>|;(){}".contains(c)
}

fn has_escape(word: &[u8]) -> bool {
    let starts = (0..word.len()).filter(|at| word.get(*at) == Some(&b'%'));
    starts
        .filter_map(|at| word.get(at..))
        .any(|rest| percent::escape(rest).is_some_and(|(_, behind)| !is_format(rest, behind)))
}

/// `%20s` pads a string, `%02d` a number: two digits and a letter behind which no word goes on.
fn is_format(rest: &[u8], behind: &[u8]) -> bool {
    let digits = rest.iter().skip(1).take(2).all(u8::is_ascii_digit);
    let conversion = matches!(
        behind.first(),
        Some(b's' | b'd' | b'i' | b'f' | b'u' | b'x' | b'X' | b'c' | b'g' | b'o' | b'.' | b'l')
    );
    let ends = !behind.get(1).is_some_and(u8::is_ascii_alphabetic);
    digits && conversion && ends
}

/// Rows of `\x41` or `0x41`, with commas and spaces between the latter.
fn escapes<'a>(text: &'a str, runs: &mut Vec<Run<'a>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let (end, count) = end_of_escapes(bytes, at);
        if count >= MIN_ESCAPES
            && let Some(run) = text.get(at..end)
        {
            runs.push(Run {
                kind: EncodingKind::HexEscape,
                at,
                text: run,
            });
        }
        at = end.max(at + 1);
    }
}

fn end_of_escapes(bytes: &[u8], start: usize) -> (usize, usize) {
    let (mut at, mut end, mut count) = (start, start, 0);
    while let [b'\\' | b'0', b'x' | b'X', high, low, ..] = bytes.get(at..).unwrap_or_default() {
        if percent::hex_pair(*high, *low).is_none() {
            break;
        }
        at += 4;
        end = at;
        count += 1;
        let rest = bytes.get(at..).unwrap_or_default();
        // Two at most: a comma and a space.
        at += rest
            .iter()
            .take(2)
            .take_while(|b| matches!(b, b',' | b' '))
            .count();
    }
    (end, count)
}
