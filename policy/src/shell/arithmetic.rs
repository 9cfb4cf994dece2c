//! What bash's arithmetic does besides counting.
//!
//! A variable in arithmetic is evaluated again: if its value is `a[$(cmd)]`, the command runs. So
//! every expression that reads a variable is opaque; one of numbers and operators is not.

use super::cursor::{is_name_byte, is_name_start};

/// Whether the text is a plain integer, or nothing.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether evaluating the text looks into variables.
pub(super) fn reads_variables(text: &str) -> bool {
    text.contains(['$', '`', '[', '\'', '"', '\\']) || names(text).next().is_some()
}

/// The variables' names in the text.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii() || !u8::try_from(c).is_ok_and(is_name_byte))
        .filter(|word| word.bytes().next().is_some_and(is_name_start))
}
