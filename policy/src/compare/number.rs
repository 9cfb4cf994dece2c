//! Sets of numbers: intervals with open and closed ends, compared exactly.
//!
//! A number in a call is an integer of 64 bits, signed or not, or a finite float. A set may hold
//! numbers that no call can write (the interval between two neighbouring floats), so whether it is
//! empty is asked of [`Numbers::pick`], which knows what can be written. Cannot fail.

use std::cmp::Ordering;

use crate::condition::Num;

/// A place between numbers: before or after one of them, or at an end of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    Lowest,
    Before(Num),
    After(Num),
    Highest,
}

impl Cut {
    /// Numbers of policies and calls are never NaN, so the order is total.
    fn order(self, other: Self) -> Ordering {
        let rank = |cut: Self| match cut {
            Self::Lowest => 0,
            Self::Before(_) | Self::After(_) => 1,
            Self::Highest => 2,
        };
        match (self, other) {
            (Self::Before(a) | Self::After(a), Self::Before(b) | Self::After(b)) => a
                .compare(b)
                .unwrap_or(Ordering::Equal)
                .then(self.is_after().cmp(&other.is_after())),
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }

    fn is_after(self) -> bool {
        matches!(self, Self::After(_))
    }

    fn max(self, other: Self) -> Self {
        if self.order(other).is_lt() {
            other
        } else {
            self
        }
    }

    fn min(self, other: Self) -> Self {
        if other.order(self).is_lt() {
            other
        } else {
            self
        }
    }
}

/// The numbers from one cut to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) low: Cut,
    pub(super) high: Cut,
}

/// Spans in their order, none of which touch.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers(Vec<Span>);

impl Numbers {
    pub(super) fn all() -> Self {
        Self(vec![Span {
            low: Cut::Lowest,
            high: Cut::Highest,
        }])
    }

    pub(super) fn between(min: Option<Num>, max: Option<Num>) -> Self {
        let span = Span {
            low: min.map_or(Cut::Lowest, Cut::Before),
            high: max.map_or(Cut::Highest, Cut::After),
        };
        Self::of(vec![span])
    }

    pub(super) fn of_cuts(low: Cut, high: Cut) -> Self {
        Self::of(vec![Span { low, high }])
    }

    pub(super) fn one_of(numbers: impl Iterator<Item = Num>) -> Self {
        let point = |number| Span {
            low: Cut::Before(number),
            high: Cut::After(number),
        };
        Self::of(numbers.map(point).collect())
    }

    /// Sorts, drops the empty and joins what touches.
    fn of(mut spans: Vec<Span>) -> Self {
        spans.retain(|span| span.low.order(span.high).is_lt());
        spans.sort_by(|a, b| a.low.order(b.low));
        let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.low.order(last.high).is_le() => {
                    last.high = last.high.max(span.high);
                }
                _ => joined.push(span),
            }
        }
        Self(joined)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, number: Num) -> bool {
        let before = Cut::Before(number);
        let after = Cut::After(number);
        let inside = |span: &Span| span.low.order(before).is_le() && after.order(span.high).is_le();
        self.0.iter().any(inside)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        let pairs = self
            .0
            .iter()
            .flat_map(|a| other.0.iter().map(move |b| (a, b)));
        let spans = pairs.map(|(a, b)| Span {
            low: a.low.max(b.low),
            high: a.high.min(b.high),
        });
        Self::of(spans.collect())
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        self.and(&other.complement())
    }

    fn complement(&self) -> Self {
        let mut low = Cut::Lowest;
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        for span in &self.0 {
            gaps.push(Span {
                low,
                high: span.low,
            });
            low = span.high;
        }
        gaps.push(Span {
            low,
            high: Cut::Highest,
        });
        Self::of(gaps)
    }

    /// A number that a call can write, the plainest that is easily found; none if there is none.
    pub(super) fn pick(&self, which: Which) -> Option<Num> {
        let mut candidates = self.0.iter().flat_map(|span| candidates(*span));
        let plain = [0, 1].map(Num::Int).into_iter();
        plain
            .chain(&mut candidates)
            .find(|number| which.can_write(*number) && self.contains(*number))
    }

    /// The integers of each span that lie within bounds, ends included.
    pub(super) fn whole(&self, low: i128, high: i128) -> impl Iterator<Item = (i128, i128)> {
        self.0.iter().filter_map(move |span| {
            let first = match span.low {
                Cut::Lowest => low,
                cut @ (Cut::Before(_) | Cut::After(_)) => first_integer(cut)?.max(low),
                Cut::Highest => return None,
            };
            let last = match span.high {
                Cut::Highest => high,
                cut @ (Cut::Before(_) | Cut::After(_)) => {
                    first_integer(cut)?.saturating_sub(1).min(high)
                }
                Cut::Lowest => return None,
            };
            (first <= last).then_some((first, last))
        })
    }
}

/// The numbers that a fact can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Any,
    Integers,
}

impl Which {
    fn can_write(self, number: Num) -> bool {
        match number {
            Num::Int(integer) => (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer),
            Num::Float(float) => self == Self::Any && float.is_finite(),
        }
    }
}

/// Every set of writable numbers within a span has its lowest integer or its lowest float here, so
/// that no span is taken for empty that is not; the ends at the other side read better.
fn candidates(span: Span) -> impl Iterator<Item = Num> {
    let integers = [first_integer(span.low), last_integer(span.high)];
    let floats = [first_float(span.low)];
    let at_zero = [i128::from(i64::MIN)];
    integers
        .into_iter()
        .flatten()
        .chain(at_zero)
        .map(Num::Int)
        .chain(floats.into_iter().flatten().map(Num::Float))
}

/// The lowest integer behind a cut.
fn first_integer(cut: Cut) -> Option<i128> {
    match cut {
        Cut::Lowest | Cut::Highest => None,
        Cut::Before(Num::Int(integer)) => Some(integer),
        Cut::After(Num::Int(integer)) => Some(integer.saturating_add(1)),
        Cut::Before(Num::Float(float)) => Some(as_integer(float.ceil())),
        Cut::After(Num::Float(float)) => Some(as_integer(float.floor()).saturating_add(1)),
    }
}

fn last_integer(cut: Cut) -> Option<i128> {
    first_integer(cut).map(|integer| integer.saturating_sub(1))
}

/// The lowest float behind a cut.
fn first_float(cut: Cut) -> Option<f64> {
    let (number, after) = match cut {
        Cut::Lowest => return Some(f64::MIN),
        Cut::Highest => return None,
        Cut::Before(number) => (number, false),
        Cut::After(number) => (number, true),
    };
    let near = match number {
        Num::Float(float) => float,
        #[expect(
            clippy::cast_precision_loss,
            reason = "the neighbours of the rounded value are tried as well"
        )]
        Num::Int(integer) => integer as f64,
    };
    let behind = |float: &f64| match Num::Float(*float).compare(number) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => !after,
        Some(Ordering::Less) | None => false,
    };
    [near.next_down(), near, near.next_up()]
        .into_iter()
        .find(behind)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a whole float; what is beyond i128 saturates and is beyond every integer of a call"
)]
fn as_integer(float: f64) -> i128 {
    float as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(n: i128) -> Num {
        Num::Int(n)
    }

    fn range(min: Num, max: Num) -> Numbers {
        Numbers::between(Some(min), Some(max))
    }

    #[test]
    fn sets_meet_and_part() {
        let set = range(int(0), int(10)).without(&range(int(3), int(4)));
        assert!(set.contains(Num::Float(2.5)) && !set.contains(int(3)));
        assert!(!set.contains(Num::Float(3.5)) && set.contains(Num::Float(4.5)));
        let back = set.without(&set);
        assert!(back.is_empty());
        assert!(Numbers::all().without(&Numbers::all()).is_empty());
    }

    #[test]
    fn picks_only_what_can_be_written() {
        let between = |low, high| Numbers::of_cuts(Cut::After(low), Cut::Before(high));
        assert_eq!(between(int(1), int(2)).pick(Which::Integers), None);
        assert!(between(int(1), int(2)).pick(Which::Any).is_some());
        // No float lies between two neighbours, and no integer.
        let half = 0.5_f64;
        let none = between(Num::Float(half), Num::Float(half.next_up()));
        assert_eq!(none.pick(Which::Any), None);
        // Between two floats above 2^53 there are integers only.
        let big = 2_f64.powi(60);
        let only_integers = between(Num::Float(big), Num::Float(big.next_up()));
        assert_eq!(only_integers.pick(Which::Any), Some(int((1 << 60) + 1)));
        // Above every integer of a call there are floats only.
        let above = Numbers::of_cuts(Cut::After(int(i128::from(u64::MAX))), Cut::Highest);
        assert!(matches!(above.pick(Which::Any), Some(Num::Float(_))));
        assert_eq!(above.pick(Which::Integers), None);
        let lowest = Numbers::of_cuts(Cut::Lowest, Cut::Before(Num::Float(-1e300)));
        assert!(matches!(lowest.pick(Which::Any), Some(Num::Float(_))));
    }

    #[test]
    fn whole_parts_have_both_ends() {
        let set = Numbers::between(Some(Num::Float(0.5)), Some(int(3)));
        assert_eq!(set.whole(0, 100).collect::<Vec<_>>(), [(1, 3)]);
        let open = Numbers::of_cuts(Cut::After(int(3)), Cut::Highest);
        assert_eq!(open.whole(0, 9).collect::<Vec<_>>(), [(4, 9)]);
    }
}
