//! Small questions about text: how foreign text is shown in a message, where in a file something
//! stands, what is a name.
//!
//! A message never lets a control, bidirectional or invisible character of foreign text through,
//! so that a caller cannot write lines of its own into a log. Cannot fail.

/// The most characters of foreign text that a message shows: enough to recognise it, short
/// enough for a line in a log.
const MAX_SHOWN_CHARS: usize = 80;

/// `text` in back-ticks, escaped and cut to [`MAX_SHOWN_CHARS`] characters.
pub(crate) fn quote(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(MAX_SHOWN_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        format!("`{shown}…`")
    } else {
        format!("`{shown}`")
    }
}

/// Several names for a message: `` `a`, `b` ``, or `none`.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(quote).collect();
    if quoted.is_empty() {
        "none".to_owned()
    } else {
        quoted.join(", ")
    }
}

/// The line of a byte offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// A name that is safe in file names, paths and logs: a letter, then letters, digits, `-`, `_`
/// and `.`, all lower case.
pub(crate) fn is_name(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_would_break_a_line() {
        assert_eq!(quote("a\nb\u{202e}c"), "`a\\nb\\u{202e}c`");
    }

    #[test]
    fn cuts_long_text_at_a_character() {
        assert_eq!(quote(&"é".repeat(200)), format!("`{}…`", "é".repeat(80)));
    }

    #[test]
    fn names_nothing_when_there_is_nothing() {
        assert_eq!(quote_all([]), "none");
        assert_eq!(quote_all(["a", "b"]), "`a`, `b`");
    }
}
