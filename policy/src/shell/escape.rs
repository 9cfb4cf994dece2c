//! Escapes: `$'…'` and the back-slashes inside of back-ticks.
//!
//! Pure text to text; none where the result is no text that a Rust string can hold.

use super::ast::Quote;

/// The text of `$'source'`; none for bytes that are no UTF-8, or a NUL.
pub(super) fn ansi_c(source: &str) -> Option<String> {
    if !source.contains('\\') {
        return Some(source.to_owned());
    }
    let mut out = Vec::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            plain => push_char(&mut out, plain),
        }
    }
    if out.contains(&0) {
        return None;
    }
    String::from_utf8(out).ok()
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn escape(chars: &mut Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    let Some(c) = chars.next() else {
        out.push(b'\\');
        return Some(());
    };
    match c {
        'a' => out.push(7),
        'b' => out.push(8),
        'e' | 'E' => out.push(27),
        'f' => out.push(12),
        'n' => out.push(b'\n'),
        'r' => out.push(b'\r'),
        't' => out.push(b'\t'),
        'v' => out.push(11),
        '\\' | '\'' | '"' | '?' => push_char(out, c),
        '0'..='7' => out.push(octal(c, chars)),
        'x' if chars.peek() == Some(&'{') => return None,
        'x' => hexadecimal(chars, out),
        'u' => unicode(chars, 4, out)?,
        'U' => unicode(chars, 8, out)?,
        // Shells and versions differ about case and the second back-slash.
        'c' => return None,
        other => {
            out.push(b'\\');
            push_char(out, other);
        }
    }
    Some(())
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Up to three octal digits; bash keeps the low eight bits.
fn octal(first: char, chars: &mut Chars<'_>) -> u8 {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        match chars.peek().and_then(|c| c.to_digit(8)) {
            Some(digit) => {
                value = value * 8 + digit;
                chars.next();
            }
            None => break,
        }
    }
    u8::try_from(value & 0xff).unwrap_or(0)
}

fn hexadecimal(chars: &mut Chars<'_>, out: &mut Vec<u8>) {
    match digits(chars, 2) {
        Some(value) => out.push(u8::try_from(value & 0xff).unwrap_or(0)),
        None => out.extend_from_slice(b"\\x"),
    }
}

fn unicode(chars: &mut Chars<'_>, most: usize, out: &mut Vec<u8>) -> Option<()> {
    let value = digits(chars, most)?;
    push_char(out, char::from_u32(value)?);
    Some(())
}

fn digits(chars: &mut Chars<'_>, most: usize) -> Option<u32> {
    let mut value = None;
    for _ in 0..most {
        match chars.peek().and_then(|c| c.to_digit(16)) {
            Some(digit) => {
                value = Some(value.unwrap_or(0_u32).wrapping_mul(16).wrapping_add(digit));
                chars.next();
            }
            None => break,
        }
    }
    value
}

/// The text that bash reads from between two back-ticks.
pub(super) fn unescape_backticks(source: &str, quote: Quote) -> String {
    let mut out = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        let dropped = c == '\\'
            && match chars.peek() {
                Some('$' | '`' | '\\') => true,
                Some('"') => quote == Quote::Double,
                _ => false,
            };
        if dropped {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}
