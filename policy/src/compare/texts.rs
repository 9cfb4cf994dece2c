//! Sets of texts: what several conditions, each wanted or not, leave of all texts.
//!
//! [`Texts::find`] names a text of the set, or shows that there is none, or gives up and says why.
//! Lists are walked; else a few plausible texts are tried, and then the product of the automata of
//! the conditions is walked breadth first, beginning with few conditions and adding one whenever
//! the text found breaks it. Every found text is held against all conditions. Steps are bounded by
//! [`MAX_STATES`] and [`MAX_STEPS`] each time.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use globset::GlobMatcher;
use regex::Regex;

use super::Why;
use super::addresses::{self, Addresses};
use super::automaton::{Automaton, Spot, Utf8, Walk};
use crate::call::MAX_NAME_BYTES;
use crate::condition::{Condition, Truth};
use crate::fact::Fact;
use crate::form::Form;

/// States of one product: conditions that a person wrote have a few hundred.
const MAX_STATES: usize = 20_000;

/// Steps from state to state in one product.
const MAX_STEPS: usize = 500_000;

/// Shorter texts than this are counted byte by byte on the way; longer ones are filled up.
const MAX_COUNTED_BYTES: usize = 8;

/// Rounds of adding a broken condition.
const MAX_ROUNDS: usize = 64;

/// A question about a text that is true or false of each.
#[derive(Debug)]
pub(super) struct Ask {
    kind: AskKind,
    automaton: OnceCell<Result<Automaton, Why>>,
}

#[derive(Debug)]
pub(super) enum AskKind {
    /// Sorted.
    OneOf(Vec<String>),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Glob(Box<GlobMatcher>),
    Regex(Regex),
    /// Of a form of the text.
    Form(Form, Box<Condition>),
    AtMostBytes(u64),
    /// The name of a principal or session.
    Name,
    /// An address in one of these ranges.
    Address(Addresses),
    /// No address at all.
    NoAddress,
    /// One of these holds.
    Either(Vec<Rc<Ask>>),
}

impl Ask {
    pub(super) fn new(kind: AskKind) -> Rc<Self> {
        Rc::new(Self {
            kind,
            automaton: OnceCell::new(),
        })
    }

    pub(super) fn one_of(texts: impl Iterator<Item = String>) -> Rc<Self> {
        let mut texts: Vec<String> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        Self::new(AskKind::OneOf(texts))
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        match &self.kind {
            AskKind::OneOf(texts) => texts.binary_search_by(|t| t.as_str().cmp(text)).is_ok(),
            AskKind::Prefix(part) => text.starts_with(part),
            AskKind::Suffix(part) => text.ends_with(part),
            AskKind::Contains(part) => text.contains(part),
            AskKind::Glob(glob) => glob.is_match(text),
            AskKind::Regex(regex) => regex.is_match(text),
            AskKind::Form(form, inner) => inner.truth(Fact::Text(&form.of(text))) == Truth::True,
            AskKind::AtMostBytes(most) => u64::try_from(text.len()).is_ok_and(|n| n <= *most),
            AskKind::Name => {
                (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
            }
            AskKind::Address(ranges) => addresses::read(text).is_some_and(|a| ranges.contains(a)),
            AskKind::NoAddress => addresses::read(text).is_none(),
            AskKind::Either(asks) => asks.iter().any(|ask| ask.holds(text)),
        }
    }

    /// None for questions that are answered by counting.
    fn automaton(&self) -> Option<&Result<Automaton, Why>> {
        match &self.kind {
            AskKind::AtMostBytes(_)
            | AskKind::Name
            | AskKind::Address(_)
            | AskKind::NoAddress
            | AskKind::Either(_) => None,
            AskKind::OneOf(_)
            | AskKind::Prefix(_)
            | AskKind::Suffix(_)
            | AskKind::Contains(_)
            | AskKind::Glob(_)
            | AskKind::Form(..)
            | AskKind::Regex(_) => Some(self.automaton.get_or_init(|| Automaton::of(&self.kind))),
        }
    }
}

/// A set of texts: those of a length for which each question has its wanted answer.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    asks: Vec<(Rc<Ask>, bool)>,
    min_bytes: usize,
    max_bytes: usize,
}

/// What was found of a set.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found<T> {
    /// An element.
    One(T),
    /// It is empty.
    Nothing,
    /// It cannot be told.
    Unsure(Why),
}

impl Texts {
    pub(super) fn all(min_bytes: usize, max_bytes: usize) -> Self {
        Self {
            asks: Vec::new(),
            min_bytes,
            max_bytes,
        }
    }

    /// The part where a question has an answer.
    #[must_use]
    pub(super) fn and(&self, ask: &Rc<Ask>, wanted: bool) -> Self {
        let mut texts = self.clone();
        match (&ask.kind, wanted) {
            (AskKind::AtMostBytes(most), true) => {
                let most = usize::try_from(*most).unwrap_or(usize::MAX);
                texts.max_bytes = texts.max_bytes.min(most);
            }
            (AskKind::AtMostBytes(most), false) => {
                let least = usize::try_from(most.saturating_add(1)).unwrap_or(usize::MAX);
                texts.min_bytes = texts.min_bytes.max(least);
            }
            (AskKind::Name, true) => {
                texts.min_bytes = texts.min_bytes.max(1);
                texts.max_bytes = texts.max_bytes.min(MAX_NAME_BYTES);
                texts.asks.push((Rc::clone(ask), true));
            }
            (AskKind::Either(asks), false) => {
                return asks.iter().fold(texts, |texts, ask| texts.and(ask, false));
            }
            (_, _) => texts.asks.push((Rc::clone(ask), wanted)),
        }
        texts
    }

    /// The same set as several, where one of several questions must hold.
    fn parts(&self) -> Option<Vec<Self>> {
        let at = self
            .asks
            .iter()
            .position(|(ask, wanted)| *wanted && matches!(ask.kind, AskKind::Either(_)))?;
        let mut rest = self.clone();
        let (ask, _) = rest.asks.remove(at);
        match &ask.kind {
            AskKind::Either(asks) => Some(asks.iter().map(|ask| rest.and(ask, true)).collect()),
            _ => None,
        }
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        (self.min_bytes..=self.max_bytes).contains(&text.len())
            && self
                .asks
                .iter()
                .all(|(ask, wanted)| ask.holds(text) == *wanted)
    }

    /// A text of the set.
    pub(super) fn find(&self) -> Found<String> {
        if self.min_bytes > self.max_bytes {
            return Found::Nothing;
        }
        if let Some(parts) = self.parts() {
            return first_found(parts.iter().map(Self::find));
        }
        if let Some(list) = self.shortest_list() {
            let fits = list.iter().find(|text| self.contains(text));
            return fits.map_or(Found::Nothing, |text| Found::One(text.clone()));
        }
        if let Some(found) = self.find_address() {
            return found;
        }
        match self.guess() {
            Some(text) => Found::One(text),
            None => self.walk(),
        }
    }

    fn wanted(&self) -> impl Iterator<Item = &AskKind> {
        let wanted = self.asks.iter().filter(|(_, wanted)| *wanted);
        wanted.map(|(ask, _)| &ask.kind)
    }

    fn shortest_list(&self) -> Option<&[String]> {
        let lists = self.wanted().filter_map(|kind| match kind {
            AskKind::OneOf(texts) => Some(texts.as_slice()),
            _ => None,
        });
        lists.min_by_key(|list| list.len())
    }

    /// For a set of addresses: it is empty if its ranges are, else some addresses are tried. An
    /// address can be written in several ways, so a failure proves nothing.
    fn find_address(&self) -> Option<Found<String>> {
        let wanted = |(ask, wanted): &(Rc<Ask>, bool)| match (&ask.kind, wanted) {
            (AskKind::Address(_), true) | (AskKind::NoAddress, false) => true,
            (_, _) => false,
        };
        if !self.asks.iter().any(wanted) {
            return None;
        }
        let asks = self.asks.iter();
        let ranges = asks.fold(Addresses::all(), |ranges, (ask, wanted)| {
            match (&ask.kind, wanted) {
                (AskKind::Address(other), true) => ranges.and(other),
                (AskKind::Address(other), false) => ranges.without(other),
                (_, _) => ranges,
            }
        });
        if ranges.is_empty() {
            return Some(Found::Nothing);
        }
        let fits = ranges.some().into_iter().find(|text| self.contains(text));
        Some(fits.map_or(Found::Unsure(Why::Addresses), Found::One))
    }

    /// Texts made of what the conditions ask for.
    fn guess(&self) -> Option<String> {
        let longest = |pick: fn(&AskKind) -> Option<&str>| {
            let parts = self.wanted().filter_map(pick);
            parts.max_by_key(|part| part.len()).unwrap_or_default()
        };
        let prefix = longest(|kind| match kind {
            AskKind::Prefix(text) => Some(text.as_str()),
            _ => None,
        });
        let suffix = longest(|kind| match kind {
            AskKind::Suffix(text) => Some(text.as_str()),
            _ => None,
        });
        let within: String = self
            .wanted()
            .filter_map(|kind| match kind {
                AskKind::Contains(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let fillers = ["", "a", "b", "0", "x/y"];
        let missing = |text: &str| self.min_bytes.saturating_sub(text.len());
        fillers.iter().find_map(|filler| {
            let plain = format!("{prefix}{filler}{within}{suffix}");
            let fill = filler.chars().next().unwrap_or('a').to_string();
            let filled = match missing(&plain) {
                0 => plain,
                bytes => format!(
                    "{prefix}{}{within}{suffix}",
                    fill.repeat(bytes + filler.len())
                ),
            };
            Some(filled).filter(|text| self.contains(text))
        })
    }

    // ---- automata -------------------------------------------------------------------------------

    /// First with the wanted conditions, then with each that a found text breaks.
    fn walk(&self) -> Found<String> {
        let mut chosen: Vec<usize> = (0..self.asks.len())
            .filter(|at| self.asks.get(*at).is_some_and(|(_, wanted)| *wanted))
            .collect();
        for _ in 0..MAX_ROUNDS {
            let text = match self.walk_some(&chosen) {
                Found::One(text) => text,
                Found::Nothing => return Found::Nothing,
                Found::Unsure(why) => return Found::Unsure(why),
            };
            if let Some(text) = self.filled(&text) {
                return Found::One(text);
            }
            match self.broken(&text, &chosen) {
                Some(at) => chosen.push(at),
                None => return Found::Unsure(Why::Length),
            }
        }
        Found::Unsure(Why::Texts)
    }

    /// The text itself, or with filling at its ends up to the least length.
    fn filled(&self, text: &str) -> Option<String> {
        let missing = self.min_bytes.saturating_sub(text.len());
        let fillings = ["\n", " ", "a", "0", "#"];
        let filled = fillings.iter().flat_map(|fill| {
            let fill = fill.repeat(missing);
            [format!("{text}{fill}"), format!("{fill}{text}")]
        });
        match missing {
            0 => Some(text.to_owned()).filter(|text| self.contains(text)),
            _ => filled.into_iter().find(|text| self.contains(text)),
        }
    }

    fn broken(&self, text: &str, chosen: &[usize]) -> Option<usize> {
        let mut others = (0..self.asks.len()).filter(|at| !chosen.contains(at));
        others.find(|at| {
            let ask = self.asks.get(*at);
            ask.is_some_and(|(ask, wanted)| ask.automaton().is_some() && ask.holds(text) != *wanted)
        })
    }

    fn walk_some(&self, chosen: &[usize]) -> Found<String> {
        let mut automata = Vec::with_capacity(chosen.len());
        for (ask, wanted) in chosen.iter().filter_map(|at| self.asks.get(*at)) {
            match ask.automaton() {
                Some(Ok(automaton)) => automata.push((automaton, *wanted)),
                Some(Err(why)) => return Found::Unsure(why.clone()),
                None => {}
            }
        }
        let names = self.wanted().any(|kind| matches!(kind, AskKind::Name));
        Product {
            walks: automata
                .into_iter()
                .map(|(automaton, wanted)| (automaton.walk(), wanted))
                .collect(),
            utf8: if names { Utf8::NoControl } else { Utf8::Any },
            min_bytes: self.min_bytes.min(MAX_COUNTED_BYTES),
            max_bytes: self.max_bytes,
        }
        .shortest()
    }
}

/// The first that was found; nothing only if there is nothing anywhere.
fn first_found(parts: impl Iterator<Item = Found<String>>) -> Found<String> {
    let mut unsure = None;
    for found in parts {
        match found {
            Found::One(text) => return Found::One(text),
            Found::Nothing => {}
            Found::Unsure(why) => unsure = Some(why),
        }
    }
    unsure.map_or(Found::Nothing, Found::Unsure)
}

/// Several automata that read the same text.
struct Product<'a> {
    walks: Vec<(Walk<'a>, bool)>,
    utf8: Utf8,
    min_bytes: usize,
    max_bytes: usize,
}

/// Where all automata are after some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    spots: Vec<Spot>,
    utf8: u8,
    /// Up to the least length.
    bytes: usize,
}

/// How a state was reached first.
struct Step {
    state: State,
    from: usize,
    byte: u8,
    bytes: usize,
}

impl Product<'_> {
    /// Breadth first, so that the text is short and a walk without end is none.
    fn shortest(mut self) -> Found<String> {
        let bytes = self.representatives();
        let Some(start) = self.start() else {
            return Found::Unsure(Why::Texts);
        };
        let mut seen: HashMap<State, ()> = HashMap::from([(start.clone(), ())]);
        let mut steps = vec![Step {
            state: start,
            from: 0,
            byte: 0,
            bytes: 0,
        }];
        let mut at = 0;
        let mut taken = 0;
        let mut unsure = None;
        while let Some(step) = steps.get(at) {
            let (state, length) = (step.state.clone(), step.bytes);
            match self.accepts(&state) {
                Ok(true) => return text_of(&steps, at),
                Ok(false) => {}
                Err(why) => unsure = Some(why),
            }
            if length < self.max_bytes {
                for byte in &bytes {
                    taken += 1;
                    match self.next(&state, *byte) {
                        Ok(Some(next)) if seen.insert(next.clone(), ()).is_none() => {
                            steps.push(Step {
                                state: next,
                                from: at,
                                byte: *byte,
                                bytes: length + 1,
                            });
                        }
                        Ok(_) => {}
                        Err(why) => unsure = Some(why),
                    }
                }
            }
            if steps.len() > MAX_STATES || taken > MAX_STEPS {
                return Found::Unsure(Why::Texts);
            }
            at += 1;
        }
        unsure.map_or(Found::Nothing, Found::Unsure)
    }

    fn start(&mut self) -> Option<State> {
        let spots = self.walks.iter_mut().map(|(walk, _)| walk.start());
        Some(State {
            spots: spots.collect::<Option<_>>()?,
            utf8: Utf8::START,
            bytes: 0,
        })
    }

    fn accepts(&mut self, state: &State) -> Result<bool, Why> {
        if state.utf8 != Utf8::START || state.bytes < self.min_bytes {
            return Ok(false);
        }
        for ((walk, wanted), spot) in self.walks.iter_mut().zip(&state.spots) {
            if walk.accepts(*spot)? != *wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// None where no text can end well any more.
    fn next(&mut self, state: &State, byte: u8) -> Result<Option<State>, Why> {
        let Some(utf8) = self.utf8.next(state.utf8, byte) else {
            return Ok(None);
        };
        let mut spots = Vec::with_capacity(state.spots.len());
        for ((walk, wanted), spot) in self.walks.iter_mut().zip(&state.spots) {
            let next = walk.next(*spot, byte)?;
            let lost = if *wanted { Spot::Never } else { Spot::Always };
            if next == lost {
                return Ok(None);
            }
            spots.push(next);
        }
        Ok(Some(State {
            spots,
            utf8,
            bytes: (state.bytes + 1).min(self.min_bytes),
        }))
    }

    /// One byte of each class that no automaton tells apart, those that read well first.
    fn representatives(&self) -> Vec<u8> {
        let mut seen = HashMap::new();
        let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
        bytes.sort_by_key(|byte| niceness(*byte));
        bytes.retain(|byte| {
            let mut class: Vec<u8> = self
                .walks
                .iter()
                .map(|(walk, _)| walk.class(*byte))
                .collect();
            class.push(Utf8::class(*byte));
            seen.insert(class, ()).is_none()
        });
        bytes
    }
}

fn niceness(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'/' | b'.' | b'-' | b'_' => 3,
        b'!'..=b'~' => 4,
        b' ' => 5,
        b'\n' | b'\t' => 6,
        _ => 7,
    }
}

/// The bytes on the way to a step; the automaton of UTF-8 was among the readers, so they are text.
fn text_of(steps: &[Step], mut at: usize) -> Found<String> {
    let mut bytes = Vec::new();
    while let Some(step) = steps.get(at).filter(|_| at > 0) {
        bytes.push(step.byte);
        at = step.from;
    }
    bytes.reverse();
    String::from_utf8(bytes).map_or(Found::Unsure(Why::Texts), Found::One)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn regex(text: &str) -> Rc<Ask> {
        Ask::new(AskKind::Regex(Regex::new(text).unwrap()))
    }

    fn glob(text: &str) -> Rc<Ask> {
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(true)
            .build()
            .unwrap();
        Ask::new(AskKind::Glob(Box::new(glob.compile_matcher())))
    }

    fn find(asks: &[(Rc<Ask>, bool)]) -> Found<String> {
        let all = Texts::all(0, 1 << 20);
        let texts = asks
            .iter()
            .fold(all, |texts, (ask, wanted)| texts.and(ask, *wanted));
        let found = texts.find();
        if let Found::One(text) = &found {
            assert!(texts.contains(text));
        }
        found
    }

    fn is_empty(asks: &[(Rc<Ask>, bool)]) -> bool {
        match find(asks) {
            Found::One(_) => false,
            other => {
                assert_eq!(other, Found::Nothing);
                true
            }
        }
    }

    fn text(kind: fn(String) -> AskKind, text: &str) -> Rc<Ask> {
        Ask::new(kind(text.to_owned()))
    }

    #[test]
    fn prefixes_and_suffixes_meet() {
        let pre = |t| text(AskKind::Prefix, t);
        let suf = |t| text(AskKind::Suffix, t);
        assert!(!is_empty(&[(pre("ab"), true), (suf("bc"), true)]));
        assert!(is_empty(&[(pre("ab"), true), (pre("a"), false)]));
        assert!(is_empty(&[(pre("ab"), true), (pre("ac"), true)]));
        assert!(!is_empty(&[(pre("a"), true), (pre("ab"), false)]));
    }

    #[test]
    fn regexes_are_compared_as_sets() {
        let email = regex(r"^[a-z]+@[a-z]+\.(com|org)$");
        let wider = regex(r"^[a-z0-9]+@[a-z.]+$");
        assert!(is_empty(&[(email.clone(), true), (wider.clone(), false)]));
        assert!(!is_empty(&[(wider, true), (email, false)]));
        assert!(is_empty(&[
            (regex("(?i)abc"), true),
            (regex("[aA][bB][cC]"), false)
        ]));
        assert!(!is_empty(&[
            (regex("^.$"), true),
            (regex("^[ -~]$"), false)
        ]));
    }

    #[test]
    fn globs_are_compared_as_sets() {
        let csv = glob("/data/*.csv");
        let pre = text(AskKind::Prefix, "/data/");
        assert!(is_empty(&[(csv.clone(), true), (pre.clone(), false)]));
        assert!(!is_empty(&[(pre, true), (csv.clone(), false)]));
        assert!(is_empty(&[(csv.clone(), true), (glob("/data/**"), false)]));
        assert!(is_empty(&[(csv, true), (regex("^/data/.*/"), true)]));
    }

    #[test]
    fn lists_are_cut_out_of_automata() {
        let digit = regex("^[0-9]$");
        let all = Ask::one_of((0..10).map(|n| n.to_string()));
        let most = Ask::one_of((0..9).map(|n| n.to_string()));
        assert!(is_empty(&[(digit.clone(), true), (all, false)]));
        assert_eq!(
            find(&[(digit, true), (most, false)]),
            Found::One("9".to_owned())
        );
    }

    #[test]
    fn word_boundaries_are_searched_in_ascii_and_proved_nowhere() {
        let word = regex(r"\brm\b");
        assert!(!is_empty(&[(word.clone(), true)]));
        let plain = text(AskKind::Contains, "rm");
        assert!(matches!(
            find(&[(word, true), (plain, false)]),
            Found::Unsure(_)
        ));
    }

    #[test]
    fn names_are_short_and_without_control() {
        let name = Ask::new(AskKind::Name);
        assert!(is_empty(&[
            (name.clone(), true),
            (regex("^[[:cntrl:]]"), true)
        ]));
        assert!(is_empty(&[
            (name.clone(), true),
            (regex(r"^\p{Cc}+$"), true)
        ]));
        assert!(is_empty(&[(name.clone(), true), (regex("^$"), true)]));
        assert!(!is_empty(&[(name, true), (regex("^[^a-z]"), true)]));
    }

    #[test]
    fn lengths_count_in_bytes() {
        let most = |n| Ask::new(AskKind::AtMostBytes(n));
        let five = regex("^.{5}$");
        assert!(is_empty(&[(five.clone(), true), (most(4), true)]));
        assert!(!is_empty(&[(five, true), (most(5), false)]));
        let long = text(AskKind::Contains, "x");
        let found = find(&[(long, true), (most(100_000), false)]);
        assert!(matches!(found, Found::One(text) if text.len() > 100_000));
    }

    #[test]
    fn what_explodes_is_given_up() {
        let wide = regex("(a|b)*a(a|b){18}$");
        let other = regex("^(a|b)*b(a|b){17}(a|b)?x$");
        assert!(matches!(
            find(&[(wide, false), (other, true), (regex("^[ab]+$"), true)]),
            Found::Nothing | Found::Unsure(_)
        ));
    }
}
