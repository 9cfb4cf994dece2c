//! Characters that make a text read differently to people, filters and bash.
//!
//! One pass over the raw text, before anything is parsed. Finding something never stops the
//! analysis; it makes the text opaque.

use super::facts::OpaqueKind;

/// The kinds of suspicious characters in the text, each once, with an example.
pub(super) fn screen(text: &str) -> Vec<(OpaqueKind, String)> {
    let mut found: Vec<(OpaqueKind, String)> = Vec::new();
    if text.bytes().all(is_plain) {
        return found;
    }
    for c in text.chars() {
        let Some(kind) = kind_of(c) else { continue };
        if !found.iter().any(|(other, _)| *other == kind) {
            found.push((kind, format!("U+{:04X}", u32::from(c))));
        }
    }
    found
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b' '..=b'~')
}

fn kind_of(c: char) -> Option<OpaqueKind> {
    match c {
        '\0' => Some(OpaqueKind::Nul),
        '\r' => Some(OpaqueKind::CarriageReturn),
        '\t' | '\n' => None,
        '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => Some(OpaqueKind::Control),
        _ if c.is_ascii() => None,
        _ if is_hidden(c) => Some(OpaqueKind::Hidden),
        _ if is_lookalike(c) => Some(OpaqueKind::Lookalike),
        _ => None,
    }
}

/// Default-ignorable and bidirectional characters, tags, variation selectors.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Blanks and line ends that bash takes for letters, and forms that fold to ASCII. Letters of other
/// scripts are harmless in an argument; in a command's name they are found where names are read.
fn is_lookalike(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{2010}'..='\u{2027}'
                | '\u{2032}'..='\u{2037}'
                | '\u{2044}'
                | '\u{2212}'
                | '\u{2215}'..='\u{2216}'
                | '\u{2223}'
                | '\u{29f5}'
                | '\u{ff01}'..='\u{ff5e}'
                | '\u{1d400}'..='\u{1d7ff}'
        )
}
