//! Automata that read a text byte by byte: regular expressions, globs, lists, and UTF-8 itself.
//!
//! Regular expressions are those of the deciding code, determinised step by step as they are
//! walked. A Unicode word boundary is walked over ASCII alone: what lies beyond is an error here,
//! never a silent "no".

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;

use super::Why;
use super::texts::AskKind;

/// What one automaton may take for its states in one walk.
const MAX_CACHE_BYTES: usize = 8 << 20;

/// An automaton, ready to be walked any number of times.
#[derive(Debug)]
pub(super) enum Automaton {
    Regex(Box<DFA>),
    /// Sorted texts; the bytes in them are told apart.
    List {
        texts: Vec<String>,
        classes: Box<[u8; 256]>,
    },
}

/// One walk through an automaton.
pub(super) enum Walk<'a> {
    Regex(&'a DFA, Box<Cache>),
    List(&'a [String], &'a [u8; 256]),
}

/// Where an automaton is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spot {
    /// Whatever follows, it will not hold.
    Never,
    /// Whatever follows, it will hold.
    Always,
    At(LazyStateID),
    /// The texts of the list that begin with what was read: from, to, and the bytes read.
    Within(usize, usize, usize),
}

impl Automaton {
    pub(super) fn of(kind: &AskKind) -> Result<Self, Why> {
        let exact = |pattern: &str| regex(pattern, syntax::Config::new().utf8(false));
        match kind {
            AskKind::OneOf(texts) => Ok(Self::list(texts)),
            AskKind::Prefix(text) => exact(&format!(r"\A(?-u:{})", escaped(text))),
            AskKind::Suffix(text) => exact(&format!(r"(?-u:{})\z", escaped(text))),
            AskKind::Contains(text) => exact(&format!("(?-u:{})", escaped(text))),
            AskKind::Glob(glob) => regex(
                glob.glob().regex(),
                syntax::Config::new().utf8(false).dot_matches_new_line(true),
            ),
            AskKind::Regex(pattern) => regex(pattern.as_str(), syntax::Config::new()),
            AskKind::Form(..) => Err(Why::Form),
            AskKind::AtMostBytes(_)
            | AskKind::Name
            | AskKind::Address(_)
            | AskKind::NoAddress
            | AskKind::Either(_) => Err(Why::Texts),
        }
    }

    fn list(texts: &[String]) -> Self {
        let mut classes = Box::new([0; 256]);
        for byte in texts.iter().flat_map(|text| text.bytes()) {
            if let Some(class) = classes.get_mut(usize::from(byte)) {
                // Zero is for bytes that no text has; UTF-8 has no byte 0xFF.
                *class = byte.wrapping_add(1);
            }
        }
        Self::List {
            texts: texts.to_vec(),
            classes,
        }
    }

    pub(super) fn walk(&self) -> Walk<'_> {
        match self {
            Self::Regex(dfa) => Walk::Regex(dfa, Box::new(dfa.create_cache())),
            Self::List { texts, classes } => Walk::List(texts, classes),
        }
    }
}

/// Every byte as `\xNN`, so that nothing in it is a sign of the pattern.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!(r"\x{byte:02X}")).collect()
}

fn regex(pattern: &str, syntax: syntax::Config) -> Result<Automaton, Why> {
    let config = DFA::config()
        .unicode_word_boundary(true)
        .cache_capacity(MAX_CACHE_BYTES)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(Some(0));
    let mut builder = DFA::builder();
    builder.configure(config).syntax(syntax);
    builder
        .build(pattern)
        .map(|dfa| Automaton::Regex(Box::new(dfa)))
        .map_err(|_| Why::Texts)
}

impl Walk<'_> {
    /// None when there is no room for the first state.
    pub(super) fn start(&mut self) -> Option<Spot> {
        match self {
            Self::Regex(dfa, cache) => {
                let start = dfa.start_state_forward(cache, &Input::new("")).ok()?;
                spot(start).ok()
            }
            Self::List(texts, _) => Some(Spot::Within(0, texts.len(), 0)),
        }
    }

    pub(super) fn next(&mut self, spot_now: Spot, byte: u8) -> Result<Spot, Why> {
        match (self, spot_now) {
            (_, Spot::Never | Spot::Always) => Ok(spot_now),
            (Self::Regex(dfa, cache), Spot::At(id)) => {
                spot(dfa.next_state(cache, id, byte).map_err(|_| Why::Texts)?)
            }
            (Self::List(texts, _), Spot::Within(from, to, read)) => {
                let list = texts.get(from..to).unwrap_or_default();
                let byte_at = |text: &String| text.as_bytes().get(read).copied();
                let first = from + list.partition_point(|text| byte_at(text) < Some(byte));
                let last = from + list.partition_point(|text| byte_at(text) <= Some(byte));
                Ok(match first < last {
                    true => Spot::Within(first, last, read + 1),
                    false => Spot::Never,
                })
            }
            (Self::Regex(..), Spot::Within(..)) | (Self::List(..), Spot::At(_)) => Err(Why::Texts),
        }
    }

    /// Whether the question holds of the text that ends here.
    pub(super) fn accepts(&mut self, spot_now: Spot) -> Result<bool, Why> {
        match (self, spot_now) {
            (_, Spot::Never) => Ok(false),
            (_, Spot::Always) => Ok(true),
            (Self::Regex(dfa, cache), Spot::At(id)) => {
                let end = dfa.next_eoi_state(cache, id).map_err(|_| Why::Texts)?;
                spot(end).map(|end| end == Spot::Always)
            }
            (Self::List(texts, _), Spot::Within(from, _, read)) => {
                Ok(texts.get(from).is_some_and(|text| text.len() == read))
            }
            (Self::Regex(..), Spot::Within(..)) | (Self::List(..), Spot::At(_)) => Err(Why::Texts),
        }
    }

    /// Bytes of one class are not told apart.
    pub(super) fn class(&self, byte: u8) -> u8 {
        match self {
            Self::Regex(dfa, _) => dfa.byte_classes().get(byte),
            Self::List(_, classes) => classes.get(usize::from(byte)).copied().unwrap_or_default(),
        }
    }
}

/// A match state is entered one byte late and says that there was a match, which nothing undoes.
fn spot(id: LazyStateID) -> Result<Spot, Why> {
    if id.is_match() {
        Ok(Spot::Always)
    } else if id.is_dead() {
        Ok(Spot::Never)
    } else if id.is_quit() || id.is_unknown() {
        Err(Why::WordBoundary)
    } else {
        Ok(Spot::At(id))
    }
}

/// The automaton of text in UTF-8, with or without control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf8 {
    Any,
    NoControl,
}

impl Utf8 {
    /// Between two characters.
    pub(super) const START: u8 = 0;

    /// States 1 to 3: so many bytes 80..BF are missing. 4 to 8: the first of them is bounded.
    pub(super) fn next(self, state: u8, byte: u8) -> Option<u8> {
        let plain = self == Self::Any;
        match (state, byte) {
            (0, 0x00..=0x1f | 0x7f) => plain.then_some(0),
            (0, 0x20..=0x7e) => Some(0),
            (0, 0xc2) => Some(if plain { 1 } else { 8 }),
            (0, 0xc3..=0xdf) => Some(1),
            (0, 0xe0) => Some(4),
            (0, 0xed) => Some(5),
            (0, 0xe1..=0xef) => Some(2),
            (0, 0xf0) => Some(6),
            (0, 0xf1..=0xf3) => Some(3),
            (0, 0xf4) => Some(7),
            (1..=3, 0x80..=0xbf) => Some(state - 1),
            (4, 0xa0..=0xbf) | (5, 0x80..=0x9f) => Some(1),
            (6, 0x90..=0xbf) | (7, 0x80..=0x8f) => Some(2),
            (8, 0xa0..=0xbf) => Some(0),
            (_, _) => None,
        }
    }

    /// Bytes of one class lead everywhere to the same state.
    pub(super) fn class(byte: u8) -> u8 {
        match byte {
            0x00..=0x1f | 0x7f => 0,
            0x20..=0x7e => 1,
            0x80..=0x8f => 2,
            0x90..=0x9f => 3,
            0xa0..=0xbf => 4,
            0xc0 | 0xc1 | 0xf5..=0xff => 5,
            0xc2 => 6,
            0xc3..=0xdf => 7,
            0xe0 => 8,
            0xed => 9,
            0xe1..=0xef => 10,
            0xf0 => 11,
            0xf1..=0xf3 => 12,
            0xf4 => 13,
        }
    }
}
