//! What one fact can be: a set for each kind of value.
//!
//! A domain is cut by one wanted answer at a time. Whether anything is left is told by
//! [`Domain::pick`], which names an element; what it found is kept, because most domains stay as
//! they are from one region to the next.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::Why;
use super::meaning::{Meaning, OfArrays, OfNumbers, OfTexts, Want};
use super::number::{Numbers, Which};
use super::texts::{Found, Texts};
use crate::condition::MAX_SEARCHED_BYTES;
use crate::json::MAX_BYTES;

/// A set of kinds of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const ABSENT: Self = Self(1);
    pub(super) const TEXT: Self = Self(1 << 1);
    pub(super) const NUMBER: Self = Self(1 << 2);
    pub(super) const YES: Self = Self(1 << 3);
    pub(super) const NO: Self = Self(1 << 4);
    pub(super) const NULL: Self = Self(1 << 5);
    pub(super) const ARRAY: Self = Self(1 << 6);
    pub(super) const OBJECT: Self = Self(1 << 7);
    pub(super) const LONG_TEXT: Self = Self(1 << 8);
    pub(super) const BLOCKED: Self = Self(1 << 9);
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self((1 << 10) - 1);
    /// What stands in a call.
    pub(super) const VALUES: Self = Self::ALL.without(Self::ABSENT).without(Self::BLOCKED);
    /// Values below which nothing stands.
    pub(super) const LEAVES: Self = Self::VALUES.without(Self::OBJECT);

    /// One by one, the plainest first.
    const IN_ORDER: [Self; 10] = [
        Self::ABSENT,
        Self::TEXT,
        Self::NUMBER,
        Self::YES,
        Self::NO,
        Self::NULL,
        Self::ARRAY,
        Self::OBJECT,
        Self::LONG_TEXT,
        Self::BLOCKED,
    ];

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A fact as a witness has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Picked {
    Absent,
    Blocked,
    Value(Value),
}

/// What one fact can be.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    kinds: Kinds,
    /// The kinds that make a plain witness: those of which conditions are known to hold.
    liked: Kinds,
    numbers: Numbers,
    which: Which,
    texts: Texts,
    long_texts: Texts,
    /// None: any array.
    items: Option<Rc<Items>>,
    /// What was found among some kinds.
    found: RefCell<Vec<(Kinds, Found<Picked>)>>,
}

/// What the elements of an array can be.
#[derive(Debug, Clone)]
struct Items {
    /// Of each; none when there can be no element.
    each: Option<Rc<Domain>>,
    /// For each of these there is one, within `each`.
    some: Vec<Rc<Domain>>,
}

impl Domain {
    pub(super) fn of(kinds: Kinds) -> Self {
        Self {
            kinds,
            liked: Kinds::ALL,
            numbers: Numbers::all(),
            which: Which::Any,
            texts: Texts::all(0, MAX_SEARCHED_BYTES),
            long_texts: Texts::all(MAX_SEARCHED_BYTES + 1, MAX_BYTES),
            items: None,
            found: RefCell::default(),
        }
    }

    /// The integers from `low` to `high` among its numbers.
    pub(super) fn integers(kinds: Kinds, low: i128, high: i128) -> Self {
        use crate::condition::Num::Int;
        Self {
            numbers: Numbers::between(Some(Int(low)), Some(Int(high))),
            which: Which::Integers,
            ..Self::of(kinds)
        }
    }

    /// Lists of texts, some of which are not known.
    pub(super) fn lists(kinds: Kinds) -> Self {
        let each = Self::of(Kinds::TEXT.or(Kinds::LONG_TEXT).or(Kinds::NULL));
        Self {
            items: Some(Rc::new(Items {
                each: Some(Rc::new(each)),
                some: Vec::new(),
            })),
            ..Self::of(kinds.or(Kinds::ARRAY))
        }
    }

    pub(super) fn kinds(&self) -> Kinds {
        self.kinds
    }

    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.kinds.has(Kinds::TEXT) && self.texts.contains(text)
    }

    /// The part where a question has a wanted answer; none if nothing is left for certain.
    pub(super) fn cut(&self, meaning: &Meaning, want: Want) -> Option<Self> {
        let mut cut = Self {
            found: RefCell::default(),
            ..self.clone()
        };
        if want == Want::NotFalse {
            cut.liked = cut.liked.and(meaning.kinds_known_to_hold());
        }
        cut.cut_plain(meaning, want);
        cut.cut_numbers(&meaning.number, want);
        let drop_text = cut_texts(&mut cut.texts, &meaning.text, want);
        let drop_long = cut_texts(&mut cut.long_texts, &meaning.long_text, want);
        cut.drop_if(drop_text, Kinds::TEXT);
        cut.drop_if(drop_long, Kinds::LONG_TEXT);
        if cut.kinds.has(Kinds::ARRAY) {
            cut.cut_arrays(&meaning.array, want);
        }
        (!cut.kinds.is_empty()).then_some(cut)
    }

    fn drop_if(&mut self, drop: bool, kind: Kinds) {
        if drop {
            self.kinds = self.kinds.without(kind);
        }
    }

    fn cut_plain(&mut self, meaning: &Meaning, want: Want) {
        for (kind, truth) in [
            (Kinds::ABSENT, meaning.absent),
            (Kinds::BLOCKED, meaning.blocked),
            (Kinds::NULL, meaning.null),
            (Kinds::OBJECT, meaning.object),
            (Kinds::YES, meaning.yes),
            (Kinds::NO, meaning.no),
        ] {
            self.drop_if(!want.takes(truth), kind);
        }
    }

    fn cut_numbers(&mut self, meaning: &OfNumbers, want: Want) {
        match meaning {
            OfNumbers::Always(truth) => self.drop_if(!want.takes(*truth), Kinds::NUMBER),
            OfNumbers::In(numbers) => {
                self.numbers = match want.holds() {
                    true => self.numbers.and(numbers),
                    false => self.numbers.without(numbers),
                };
                self.drop_if(self.numbers.is_empty(), Kinds::NUMBER);
            }
        }
    }

    fn cut_arrays(&mut self, meaning: &OfArrays, want: Want) {
        let items = self.items.clone().unwrap_or_else(|| {
            Rc::new(Items {
                each: Some(Rc::new(Self::of(Kinds::VALUES))),
                some: Vec::new(),
            })
        });
        // `any` holds if one element makes it so, `all` fails if one does.
        let cut = match (meaning, want) {
            (OfArrays::Always(truth), _) => {
                self.drop_if(!want.takes(*truth), Kinds::ARRAY);
                return;
            }
            (OfArrays::Any(inner), Want::True | Want::NotFalse)
            | (OfArrays::All(inner), Want::False | Want::NotTrue) => items.with_some(inner, want),
            (OfArrays::Any(inner), Want::False | Want::NotTrue)
            | (OfArrays::All(inner), Want::True | Want::NotFalse) => items.with_each(inner, want),
        };
        match cut {
            Some(items) => self.items = Some(Rc::new(items)),
            None => self.drop_if(true, Kinds::ARRAY),
        }
    }

    // ---- picking --------------------------------------------------------------------------------

    /// A fact of one of these kinds.
    pub(super) fn pick(&self, kinds: Kinds) -> Found<Picked> {
        let kinds = kinds.and(self.kinds);
        let known = self.found.borrow();
        if let Some((_, found)) = known.iter().find(|(known, _)| *known == kinds) {
            return found.clone();
        }
        drop(known);
        let found = self.pick_new(kinds);
        self.found.borrow_mut().push((kinds, found.clone()));
        found
    }

    fn pick_new(&self, kinds: Kinds) -> Found<Picked> {
        let mut unsure = None;
        let of = |kinds: Kinds| {
            Kinds::IN_ORDER
                .into_iter()
                .filter(move |kind| kinds.has(*kind))
        };
        let (liked, others) = (kinds.and(self.liked), kinds.without(self.liked));
        for kind in of(liked).chain(of(others)) {
            match self.pick_kind(kind) {
                Found::One(picked) => return Found::One(picked),
                Found::Nothing => {}
                Found::Unsure(why) => unsure = Some(why),
            }
        }
        unsure.map_or(Found::Nothing, Found::Unsure)
    }

    fn pick_kind(&self, kind: Kinds) -> Found<Picked> {
        let value = |value: Value| Found::One(Picked::Value(value));
        match kind {
            Kinds::ABSENT => Found::One(Picked::Absent),
            Kinds::BLOCKED => Found::One(Picked::Blocked),
            Kinds::TEXT => self.texts.find().map(|text| Picked::Value(text.into())),
            Kinds::LONG_TEXT => self
                .long_texts
                .find()
                .map(|text| Picked::Value(text.into())),
            Kinds::NUMBER => match self.numbers.pick(self.which) {
                Some(number) => value(number.to_value()),
                None => Found::Nothing,
            },
            Kinds::YES => value(Value::Bool(true)),
            Kinds::NO => value(Value::Bool(false)),
            Kinds::NULL => value(Value::Null),
            Kinds::OBJECT => value(Value::Object(Map::new())),
            Kinds::ARRAY => match &self.items {
                None => value(Value::Array(Vec::new())),
                Some(items) => items.pick(),
            },
            _ => Found::Unsure(Why::Texts),
        }
    }
}

/// Whether nothing is left for certain.
fn cut_texts(texts: &mut Texts, meaning: &OfTexts, want: Want) -> bool {
    match meaning {
        OfTexts::Always(truth) => !want.takes(*truth),
        OfTexts::Ask(ask) => {
            *texts = texts.and(ask, want.holds());
            false
        }
        OfTexts::Between(certain, possible) => {
            let ask = match want {
                Want::True | Want::NotTrue => certain,
                Want::False | Want::NotFalse => possible,
            };
            *texts = texts.and(ask, want.holds());
            false
        }
    }
}

impl Items {
    /// One more element there is.
    fn with_some(&self, inner: &Meaning, want: Want) -> Option<Self> {
        let one = self.each.as_ref()?.cut(inner, want)?;
        let mut items = self.clone();
        items.some.push(Rc::new(one));
        Some(items)
    }

    /// One more thing said of each.
    fn with_each(&self, inner: &Meaning, want: Want) -> Option<Self> {
        let cut = |domain: &Rc<Domain>| domain.cut(inner, want).map(Rc::new);
        Some(Self {
            each: self.each.as_ref().and_then(cut),
            some: self.some.iter().map(cut).collect::<Option<_>>()?,
        })
    }

    fn pick(&self) -> Found<Picked> {
        let mut values = Vec::with_capacity(self.some.len());
        for one in &self.some {
            match one.pick(Kinds::VALUES) {
                Found::One(Picked::Value(value)) => values.push(value),
                Found::One(Picked::Absent | Picked::Blocked) | Found::Nothing => {
                    return Found::Nothing;
                }
                Found::Unsure(why) => return Found::Unsure(why),
            }
        }
        Found::One(Picked::Value(Value::Array(values)))
    }
}

impl<T> Found<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::One(found) => Found::One(change(found)),
            Self::Nothing => Found::Nothing,
            Self::Unsure(why) => Found::Unsure(why),
        }
    }
}
