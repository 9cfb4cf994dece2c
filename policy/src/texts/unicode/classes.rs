//! Which characters hide, and where they are nevertheless ordinary: joiners inside of emoji and of
//! Indic words, selectors behind emoji, direction marks beside Hebrew and Arabic letters.
//!
//! Code points are from the Unicode Character Database (Default_Ignorable_Code_Point,
//! Bidi_Control) and, for emoji, whole blocks in place of the exact list: it only decides what is
//! ordinary behind one, so a block too much hides no text.

use unicode_script::{Script, UnicodeScript};

use super::{Place, words};

/// Takes part in no word and leaves no mark on the screen.
pub(in super::super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2065}'
        | '\u{206A}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Bidi_Control.
pub(in super::super) fn is_bidi(c: char) -> bool {
    matches!(c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// C0 without tab and line ends, delete, C1, and Unicode's two line ends that no shell knows.
pub(in super::super) fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A full-width form of an ASCII character.
pub(in super::super) fn is_full_width(c: char) -> bool {
    matches!(c, '\u{FF01}'..='\u{FF5E}' | '\u{3000}')
}

/// Punctuation in Chinese or Japanese text, and digits or letters right beside their signs.
pub(super) fn is_full_width_ordinarily(place: &Place) -> bool {
    let beside = |c: Option<char>| c.is_some_and(|c| words::is_cjk(c) || is_full_width(c));
    let letter = matches!(place.this, '\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}');
    place.cjk && (!letter || beside(place.before) || beside(place.after))
}

/// A joiner between emoji, or inside of a word whose script needs it.
pub(super) fn joins_ordinarily(place: &Place) -> bool {
    if !matches!(place.this, '\u{200C}' | '\u{200D}') {
        return false;
    }
    let base = match place.before {
        Some('\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}') => place.earlier,
        other => other,
    };
    let emoji = is_emoji(base) && is_emoji(place.after) && place.this == '\u{200D}';
    emoji || (needs_joiners(place.before) && needs_joiners(place.after))
}

fn needs_joiners(c: Option<char>) -> bool {
    let Some(c) = c else { return false };
    use Script::*;
    matches!(
        c.script(),
        Arabic
            | Syriac
            | Mongolian
            | Nko
            | Devanagari
            | Bengali
            | Gurmukhi
            | Gujarati
            | Oriya
            | Tamil
            | Telugu
            | Kannada
            | Malayalam
            | Sinhala
            | Khmer
            | Myanmar
            | Tibetan
    )
}

/// A selector behind a character that has variants.
pub(super) fn selects_ordinarily(place: &Place) -> bool {
    let keycap = matches!(place.before, Some('0'..='9' | '#' | '*'));
    match place.this {
        '\u{FE0F}' => is_emoji(place.before) || (keycap && place.after == Some('\u{20E3}')),
        '\u{FE0E}' => is_emoji(place.before),
        '\u{FE00}'..='\u{FE02}' | '\u{E0100}'..='\u{E01EF}' => {
            place.before.is_some_and(words::is_cjk)
        }
        '\u{180B}'..='\u{180D}' | '\u{180F}' => needs_joiners(place.before),
        '\u{2800}' => [place.before, place.after].into_iter().any(is_braille),
        _ => false,
    }
}

fn is_braille(c: Option<char>) -> bool {
    matches!(c, Some('\u{2801}'..='\u{28FF}'))
}

/// A sign that is shown as a picture, by block.
fn is_emoji(c: Option<char>) -> bool {
    matches!(
        c,
        Some(
            '\u{A9}'
            | '\u{AE}'
            | '\u{203C}'
            | '\u{2049}'
            | '\u{2122}'
            | '\u{2139}'
            | '\u{2190}'..='\u{21FF}'
            | '\u{2300}'..='\u{23FF}'
            | '\u{24C2}'
            | '\u{25A0}'..='\u{27BF}'
            | '\u{2934}'..='\u{2935}'
            | '\u{2B05}'..='\u{2B55}'
            | '\u{3030}'
            | '\u{303D}'
            | '\u{3297}'
            | '\u{3299}'
            | '\u{1F000}'..='\u{1FAFF}',
        )
    )
}

/// A direction mark beside a letter that is written from right to left.
pub(super) fn marks_ordinarily(place: &Place) -> bool {
    let mark = matches!(place.this, '\u{200E}' | '\u{200F}' | '\u{61C}');
    mark && [place.before, place.after]
        .into_iter()
        .any(is_right_to_left)
}

fn is_right_to_left(c: Option<char>) -> bool {
    use Script::*;
    c.is_some_and(|c| matches!(c.script(), Hebrew | Arabic | Syriac | Thaana | Nko | Adlam))
}

/// Compatibility forms that people write: fractions, powers, units, trade marks, an ellipsis. A
/// Roman numeral or the like is one unless it touches an ASCII letter.
pub(super) fn is_ordinary_sign(place: &Place) -> bool {
    let touches = [place.before, place.after]
        .into_iter()
        .any(|c| c.is_some_and(|c| c.is_ascii_alphanumeric()));
    match place.this {
        '\u{A0}'
        | '\u{A8}'
        | '\u{AA}'
        | '\u{AF}'
        | '\u{B2}'..='\u{BE}'
        | '\u{2010}'..='\u{201F}'
        | '\u{2026}'
        | '\u{202F}'
        | '\u{2030}'..='\u{203A}'
        | '\u{203C}'
        | '\u{2047}'..='\u{2049}'
        | '\u{2070}'..='\u{209C}'
        | '\u{20A8}'
        | '\u{2100}'..='\u{2109}'
        | '\u{2116}'
        | '\u{2120}'..='\u{2122}'
        | '\u{2150}'..='\u{215F}'
        | '\u{2212}'
        | '\u{2460}'..='\u{249B}'
        | '\u{3008}'..='\u{301B}'
        | '\u{3200}'..='\u{33FF}'
        | '\u{1F100}'..='\u{1F1FF}' => true,
        '\u{2160}'..='\u{217F}' => !touches,
        _ => false,
    }
}

/// The letters of the three flags that Unicode spells with tags: England, Scotland, Wales.
const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];

/// Lets the tags of a flag pass, and no others.
#[derive(Default)]
pub(super) struct FlagTags {
    /// How many tags of a flag are still to come.
    left: usize,
}

impl FlagTags {
    /// Whether `this` is a tag of a flag. `rest` is the text behind it.
    pub(super) fn takes<I: Iterator<Item = char>>(
        &mut self,
        this: char,
        rest: impl FnOnce() -> I,
    ) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        if this == '\u{1F3F4}' {
            let letters: String = rest().take(6).filter_map(untagged).collect();
            let known = FLAGS.iter().any(|flag| letters == format!("{flag}\u{7F}"));
            self.left = if known { 6 } else { 0 };
        }
        false
    }
}

fn untagged(c: char) -> Option<char> {
    match c {
        '\u{E0020}'..='\u{E007F}' => char::from_u32(u32::from(c) - 0xE0000),
        _ => None,
    }
}
