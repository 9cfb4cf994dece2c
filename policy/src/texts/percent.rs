//! Percent-encoding (`%41`), which hosts, paths and nested encodings all need to undo.
//!
//! It takes one pass and cannot fail: a `%` without two hexadecimal digits stands for itself.

/// The bytes that `text` stands for.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match escape(rest) {
            Some((byte, behind)) => {
                decoded.push(byte);
                rest = behind;
            }
            None => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    decoded
}

/// The byte of an escape at the start of `text`, and what follows it.
pub(super) fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, rest @ ..] => Some((hex_pair(*high, *low)?, rest)),
        _ => None,
    }
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
