//! Characters that hide or imitate: zero-width and other invisible ones, bidirectional controls,
//! control characters, full-width and other compatibility forms, mixed scripts, look-alikes.
//!
//! Ordinary text of one script is no finding, nor are emoji, Chinese punctuation, or accents. A
//! *name* (of a command, host or path) can be held to a stricter measure: [`differences`] says
//! whether it is the same text raw, in NFKC and as a skeleton.
//!
//! Text in ASCII is read in one pass over its bytes. The lists of findings are bounded, the counts
//! are not, so nothing is missed in silence.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

mod classes;
mod words;

pub(super) use classes::{is_bidi, is_control, is_full_width, is_hidden};
use classes::{is_ordinary_sign, joins_ordinarily, selects_ordinarily};
pub(super) use words::{mixed_script, reads_as_ascii};

/// How many findings of one kind are listed with place and example. More are only counted: a
/// record needs an example, not a copy of the text.
pub const MAX_LISTED: usize = 8;

/// How many characters of a word an example shows.
const MAX_EXAMPLE_CHARS: usize = 24;

/// How often [`skeleton`] is applied to its own result before that counts as its fixed point; the
/// tables need two rounds at most.
const MAX_SKELETON_ROUNDS: usize = 4;

/// What a character or word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnicodeKind {
    /// Is there and cannot be seen: zero-width, tags, stray variation selectors, fillers.
    Hidden,
    /// Turns the direction in which the text is shown.
    Bidi,
    /// A control character other than tab, line feed and carriage return.
    Control,
    /// A word whose letters are from scripts that do not go together.
    MixedScript,
    /// A word or sign of another script that looks as if it were ASCII.
    Confusable,
    /// A full-width form of an ASCII character.
    FullWidth,
    /// Another form of ASCII characters, which NFKC undoes (`𝐫𝐦`, `ﬁ`).
    Compatibility,
}

impl UnicodeKind {
    /// Every kind, in the order in which results list them.
    pub const ALL: [Self; 7] = [
        Self::Hidden,
        Self::Bidi,
        Self::Control,
        Self::MixedScript,
        Self::Confusable,
        Self::FullWidth,
        Self::Compatibility,
    ];

    /// The name in facts and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Bidi => "bidi",
            Self::Control => "control",
            Self::MixedScript => "mixed-script",
            Self::Confusable => "confusable",
            Self::FullWidth => "full-width",
            Self::Compatibility => "compatibility",
        }
    }
}

/// One place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnicodeFinding {
    /// What it does.
    pub kind: UnicodeKind,
    /// Where it begins, counted in characters.
    pub at: usize,
    /// The character or word, in ASCII, everything else as `\u{…}`.
    pub example: String,
}

/// What [`unicode`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnicodeFindings {
    /// At most [`MAX_LISTED`] of each kind, in the text's order.
    pub found: Vec<UnicodeFinding>,
    counts: [usize; UnicodeKind::ALL.len()],
}

impl UnicodeFindings {
    /// How often `kind` occurs, listed or not.
    pub fn count(&self, kind: UnicodeKind) -> usize {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The kinds that occur.
    pub fn kinds(&self) -> impl Iterator<Item = UnicodeKind> + '_ {
        UnicodeKind::ALL
            .into_iter()
            .filter(|kind| self.count(*kind) > 0)
    }

    fn add(&mut self, kind: UnicodeKind, at: usize, example: &str) {
        let Some(count) = self.counts.get_mut(kind as usize) else {
            return;
        };
        *count += 1;
        if *count <= MAX_LISTED {
            self.found.push(UnicodeFinding {
                kind,
                at,
                example: escaped(example),
            });
        }
    }
}

fn escaped(example: &str) -> String {
    let shown = example.chars().take(MAX_EXAMPLE_CHARS);
    shown.flat_map(char::escape_default).collect()
}

/// Finds what hides or imitates in `text`.
pub fn unicode(text: &str) -> UnicodeFindings {
    let mut findings = UnicodeFindings::default();
    if text.is_ascii() {
        if text.bytes().any(|byte| is_control(char::from(byte))) {
            find_in_characters(text, &mut findings);
        }
        return findings;
    }
    find_in_characters(text, &mut findings);
    words::find(text, &mut findings);
    findings.found.sort_by_key(|finding| finding.at);
    findings
}

/// A character with what stands around it.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    before: Option<char>,
    /// The one before `before`, for emoji with a modifier.
    earlier: Option<char>,
    this: char,
    after: Option<char>,
    /// The text has Chinese, Japanese or Korean letters.
    cjk: bool,
}

fn find_in_characters(text: &str, findings: &mut UnicodeFindings) {
    let cjk = !text.is_ascii() && text.chars().any(words::is_cjk);
    let mut characters = text.chars().peekable();
    let mut tags = classes::FlagTags::default();
    let (mut earlier, mut before, mut at) = (None, None, 0);
    while let Some(this) = characters.next() {
        let place = Place {
            at,
            before,
            earlier,
            this,
            after: characters.peek().copied(),
            cjk,
        };
        let of_flag = !this.is_ascii() && tags.takes(this, || characters.clone());
        if let Some(kind) = kind_of(&place).filter(|_| !of_flag) {
            findings.add(kind, place.at, this.encode_utf8(&mut [0; 4]));
        }
        (earlier, before, at) = (before, Some(this), at + 1);
    }
}

fn kind_of(place: &Place) -> Option<UnicodeKind> {
    let this = place.this;
    if is_control(this) {
        return Some(UnicodeKind::Control);
    }
    if this.is_ascii() {
        return None;
    }
    if is_bidi(this) {
        return (!classes::marks_ordinarily(place)).then_some(UnicodeKind::Bidi);
    }
    if is_hidden(this) {
        let ordinary = joins_ordinarily(place) || selects_ordinarily(place);
        return (!ordinary).then_some(UnicodeKind::Hidden);
    }
    if is_full_width(this) {
        return (!classes::is_full_width_ordinarily(place)).then_some(UnicodeKind::FullWidth);
    }
    if is_ordinary_sign(place) {
        return None;
    }
    if is_other_form_of_ascii(this) {
        return Some(UnicodeKind::Compatibility);
    }
    (words::imitates_syntax(this) && !place.cjk).then_some(UnicodeKind::Confusable)
}

/// NFKC makes ASCII of it.
fn is_other_form_of_ascii(this: char) -> bool {
    let this = std::iter::once(this);
    is_nfkc_quick(this.clone()) != IsNormalized::Yes && this.nfkc().all(|c| c.is_ascii())
}

/// The text in Unicode's compatibility normal form (NFKC).
pub fn nfkc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// The text's skeleton as in UTS 39: two texts that look the same have the same skeleton.
///
/// It is for comparing, not for reading: also ASCII changes (`m` becomes `rn`, `0` becomes `O`).
pub fn skeleton(text: &str) -> String {
    let mut skeleton: String = unicode_security::skeleton(text).collect();
    for _ in 1..MAX_SKELETON_ROUNDS {
        let again: String = unicode_security::skeleton(&skeleton).collect();
        if again == skeleton {
            break;
        }
        skeleton = again;
    }
    skeleton
}

/// The text as somebody reads it who takes every look-alike for ASCII: NFKC, without invisible
/// characters, each look-alike replaced. ASCII stays as it is.
pub fn ascii_reading(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut reading = String::with_capacity(text.len());
    for this in text.nfkc() {
        if is_hidden(this) || is_bidi(this) {
            continue;
        }
        match words::ascii_prototype(this) {
            Some(prototype) => reading.push_str(&prototype),
            None => reading.push(this),
        }
    }
    Cow::Owned(reading)
}

/// In what a name is not the same text for the machine and for a reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differences {
    /// NFKC makes another text of it.
    pub nfkc: bool,
    /// A reader sees another text: see [`ascii_reading`].
    pub reading: bool,
    /// It has invisible or bidirectional characters.
    pub hidden: bool,
}

impl Differences {
    /// There is a difference.
    pub fn any(self) -> bool {
        self.nfkc || self.reading || self.hidden
    }
}

/// In what `name` differs from what it seems. For names of commands, hosts and paths, where also
/// an ordinary word of another script is worth a fact if it can be taken for ASCII.
pub fn differences(name: &str) -> Differences {
    if name.is_ascii() {
        return Differences::default();
    }
    Differences {
        nfkc: nfkc(name) != name,
        reading: ascii_reading(name) != nfkc(name),
        hidden: name.chars().any(|c| is_hidden(c) || is_bidi(c)),
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail by panicking")]
mod tests;
