//! The time and the session of a witness: facts that depend on each other.
//!
//! There is a session or not, its state is known or not, the time is known or not or beyond the
//! calendar; in each of these cases every fact of the world is of one kind. Within a case the parts
//! of the time must be those of one moment, which is searched day by day within [`MAX_DAYS`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::Why;
use super::domain::{Kinds, Picked};
use super::number::Numbers;
use super::space::{FactId, Key, Region, Space};
use super::texts::Found;
use crate::context::{Context, Label, SessionPart, SessionState, TimePart};
use crate::fact::FactPath;

/// The last second that the calendar of the deciding code knows: 9999-12-30T22:00:00Z.
pub(super) const LAST_SECOND: i128 = 253_402_207_200;

/// The days of the week as facts write them, beginning with the first day of 1970.
pub(super) const WEEKDAYS: [&str; 7] = [
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
];

/// Days looked at for one moment: all of the calendar, month by month where a month does not fit.
const MAX_DAYS: usize = 4_000_000;

const SECOND_US: i128 = 1_000_000;
const MINUTE_US: i128 = 60 * SECOND_US;
const DAY_US: i128 = 24 * 60 * MINUTE_US;
const LAST_US: i128 = LAST_SECOND * SECOND_US;

/// The world around a call.
pub(super) struct World {
    pub(super) session: Option<String>,
    pub(super) context: Context,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Session {
    Absent,
    Known,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    InCalendar,
    Beyond,
    Unknown,
}

/// A world of the region.
pub(super) fn find(space: &Space, region: &Region) -> Found<World> {
    let facts = Facts::new(space, region);
    let mut unsure = None;
    for (session, time) in facts.cases() {
        match facts.find(session, time) {
            Found::One(world) => return Found::One(world),
            Found::Nothing => {}
            Found::Unsure(why) => unsure = Some(why),
        }
    }
    unsure.map_or(Found::Nothing, Found::Unsure)
}

struct Facts<'a> {
    region: &'a Region,
    session: Option<FactId>,
    parts: Vec<(SessionPart, FactId)>,
    now: Option<FactId>,
    times: Vec<(TimePart, FactId)>,
}

impl<'a> Facts<'a> {
    fn new(space: &Space, region: &'a Region) -> Self {
        let id = |path| space.find(&Key::Fact(path));
        let times = TimePart::ALL.iter();
        Self {
            region,
            session: id(FactPath::Session),
            parts: space.session_parts(),
            now: space.find(&Key::Now),
            times: times
                .filter_map(|(_, part)| Some((*part, id(FactPath::Time(*part))?)))
                .collect(),
        }
    }

    /// The usual first: no session, and the time known if a rule asks for it.
    fn cases(&self) -> Vec<(Session, Time)> {
        let asks_age = self.parts.iter().any(|(part, _)| is_age(part));
        let asks_time = self.now.is_some() || asks_age || !self.times.is_empty();
        let asks_state = !self.parts.is_empty();
        let times: &[Time] = match asks_time {
            true => &[Time::InCalendar, Time::Unknown, Time::Beyond],
            false => &[Time::Unknown],
        };
        let sessions: &[Session] = match asks_state {
            true => &[Session::Absent, Session::Known, Session::Unknown],
            false => &[Session::Absent, Session::Unknown],
        };
        let all = sessions
            .iter()
            .flat_map(|session| times.iter().map(move |time| (*session, *time)));
        all.collect()
    }

    /// Whether a fact that some rule names can be of a kind.
    fn can(&self, id: Option<FactId>, kind: Kinds) -> bool {
        id.is_none_or(|id| {
            let domain = self.region.domain(id);
            domain.is_some_and(|domain| domain.kinds().has(kind))
        })
    }

    fn find(&self, session: Session, time: Time) -> Found<World> {
        let Some(state) = self.state(session, time).filter(|_| self.times_fit(time)) else {
            return Found::Nothing;
        };
        let session_text = match self.session_text(session) {
            Found::One(text) => text,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        let now_us = match self.now_us(time, state.oldest_s) {
            Found::One(now_us) => now_us,
            Found::Nothing => return Found::Nothing,
            Found::Unsure(why) => return Found::Unsure(why),
        };
        Found::One(World {
            session: session_text,
            context: Context {
                now_us,
                session: (session == Session::Known).then(|| state.at(now_us.unwrap_or_default())),
                ..Context::default()
            },
        })
    }

    /// A state of the session in which each of its parts is as the region has it.
    fn state(&self, session: Session, time: Time) -> Option<State> {
        let mut state = State::default();
        for (part, id) in &self.parts {
            let kind = match (session, part, time) {
                (Session::Absent, _, _) => Kinds::ABSENT,
                (Session::Unknown, _, _) => Kinds::BLOCKED,
                (Session::Known, part, Time::Unknown) if is_age(part) => Kinds::BLOCKED,
                (Session::Known, _, _) => Kinds::NUMBER,
            };
            if let Some(name) = label(part).filter(|_| session == Session::Known) {
                // A label is there or not, with all that is known of it.
                if self.label_can(name, Kinds::ABSENT, Kinds::ABSENT) {
                    continue;
                }
                let age = if time == Time::Unknown {
                    Kinds::BLOCKED
                } else {
                    Kinds::NUMBER
                };
                if !self.label_can(name, Kinds::NUMBER, age) {
                    return None;
                }
                state.labels.entry(name.to_owned()).or_insert((1, 0));
            }
            if !self.can(Some(*id), kind) {
                return None;
            }
            if kind == Kinds::NUMBER {
                state.set(part, self.least(*id)?);
            }
        }
        Some(state)
    }

    /// Whether all parts of a label can be of these kinds.
    fn label_can(&self, name: &str, count: Kinds, age: Kinds) -> bool {
        let mut parts = self
            .parts
            .iter()
            .filter(|(part, _)| label(part) == Some(name));
        parts.all(|(part, id)| self.can(Some(*id), if is_age(part) { age } else { count }))
    }

    fn times_fit(&self, time: Time) -> bool {
        match time {
            // Their values are compared with a moment.
            Time::InCalendar => true,
            Time::Beyond | Time::Unknown => {
                let mut parts = self.times.iter();
                parts.all(|(_, id)| self.can(Some(*id), Kinds::BLOCKED))
            }
        }
    }

    fn session_text(&self, session: Session) -> Found<Option<String>> {
        let domain = self.session.and_then(|id| self.region.domain(id));
        let Some(domain) = domain else {
            return Found::Nothing;
        };
        let kind = match session {
            Session::Absent => Kinds::ABSENT,
            Session::Known | Session::Unknown => Kinds::TEXT,
        };
        match domain.pick(kind) {
            Found::One(Picked::Absent) => Found::One(None),
            Found::One(Picked::Value(Value::String(text))) => Found::One(Some(text)),
            Found::One(_) | Found::Nothing => Found::Nothing,
            Found::Unsure(why) => Found::Unsure(why),
        }
    }

    /// The least number that a fact can be.
    fn least(&self, id: FactId) -> Option<u64> {
        let numbers = self.region.domain(id)?.numbers();
        let (least, _) = numbers.whole(0, u64::MAX.into()).next()?;
        u64::try_from(least).ok()
    }

    /// A moment no earlier than `age_s`, or none where the time is not known.
    fn now_us(&self, time: Time, age_s: u64) -> Found<Option<u64>> {
        let all = Numbers::all();
        let now = self.now.and_then(|id| self.region.domain(id));
        let known = now.is_none_or(|now| now.kinds().has(Kinds::NUMBER));
        let numbers = now.map_or(&all, |now| now.numbers());
        let least_us = i128::from(age_s) * SECOND_US;
        match time {
            Time::Unknown if self.can(self.now, Kinds::BLOCKED) => Found::One(None),
            Time::InCalendar if known => self.moment(numbers, least_us),
            Time::Beyond if known => {
                let low = least_us.max(LAST_US + 1);
                let first = numbers.whole(low, u64::MAX.into()).next();
                let first = first.and_then(|(first, _)| u64::try_from(first).ok());
                first.map_or(Found::Nothing, |first| Found::One(Some(first)))
            }
            Time::Unknown | Time::InCalendar | Time::Beyond => Found::Nothing,
        }
    }

    fn moment(&self, now: &Numbers, least_us: i128) -> Found<Option<u64>> {
        let calendar = Calendar::new(self);
        let mut days = 0;
        let seconds: Vec<(i128, i128)> = match self.time(TimePart::UnixSeconds) {
            Some(numbers) => numbers.whole(0, LAST_SECOND).collect(),
            None if self
                .times
                .iter()
                .any(|(part, _)| *part == TimePart::UnixSeconds) =>
            {
                return Found::Nothing;
            }
            None => vec![(0, LAST_SECOND)],
        };
        if !calendar.is_possible() {
            return Found::Nothing;
        }
        for (from_us, to_us) in now.whole(least_us.max(0), LAST_US) {
            for (from_s, to_s) in &seconds {
                let from = from_us.max(from_s * SECOND_US);
                let to = to_us.min(to_s * SECOND_US + (SECOND_US - 1));
                match calendar.first(from, to, &mut days) {
                    Some(now_us) => {
                        return u64::try_from(now_us)
                            .map_or(Found::Nothing, |now_us| Found::One(Some(now_us)));
                    }
                    None if days > MAX_DAYS => return Found::Unsure(Why::Calendar),
                    None => {}
                }
            }
        }
        Found::Nothing
    }

    /// The numbers of a part of the time, if a rule names it and it can be known.
    fn time(&self, wanted: TimePart) -> Option<&Numbers> {
        let (_, id) = self.times.iter().find(|(part, _)| *part == wanted)?;
        let domain = self.region.domain(*id)?;
        domain.kinds().has(Kinds::NUMBER).then(|| domain.numbers())
    }

    fn part_can(&self, wanted: TimePart, kind: Kinds) -> bool {
        let mut parts = self.times.iter().filter(|(part, _)| *part == wanted);
        parts.all(|(_, id)| self.can(Some(*id), kind))
    }
}

/// What is known of a session.
#[derive(Default)]
struct State {
    calls: u64,
    turn_calls: u64,
    age_s: u64,
    /// How often, and how long ago.
    labels: BTreeMap<String, (u64, u64)>,
    /// The time cannot be before this.
    oldest_s: u64,
}

impl State {
    fn set(&mut self, part: &SessionPart, number: u64) {
        if is_age(part) {
            self.oldest_s = self.oldest_s.max(number);
        }
        match part {
            SessionPart::Calls => self.calls = number,
            SessionPart::TurnCalls => self.turn_calls = number,
            SessionPart::AgeSeconds => self.age_s = number,
            SessionPart::LabelCount(name) => {
                self.labels.entry(name.clone()).or_insert((1, 0)).0 = number;
            }
            SessionPart::LabelAgeSeconds(name) => {
                self.labels.entry(name.clone()).or_insert((1, 0)).1 = number;
            }
        }
    }

    fn at(&self, now_us: u64) -> SessionState {
        let before = |age_s: u64| now_us.saturating_sub(age_s.saturating_mul(1_000_000));
        let labels = self.labels.iter().map(|(name, (count, age_s))| {
            let label = Label {
                count: *count,
                at_us: before(*age_s),
            };
            (name.clone(), label)
        });
        SessionState {
            calls: self.calls,
            turn_calls: self.turn_calls,
            started_us: before(self.age_s),
            labels: labels.collect(),
        }
    }
}

fn is_age(part: &SessionPart) -> bool {
    match part {
        SessionPart::AgeSeconds | SessionPart::LabelAgeSeconds(_) => true,
        SessionPart::Calls | SessionPart::TurnCalls | SessionPart::LabelCount(_) => false,
    }
}

fn label(part: &SessionPart) -> Option<&str> {
    match part {
        SessionPart::LabelCount(name) | SessionPart::LabelAgeSeconds(name) => Some(name),
        SessionPart::Calls | SessionPart::TurnCalls | SessionPart::AgeSeconds => None,
    }
}

/// The values that each part of the time can have.
struct Calendar {
    years: Option<Numbers>,
    months: [bool; 13],
    days: [bool; 32],
    hours: [bool; 24],
    minutes: [bool; 60],
    weekdays: [bool; 7],
    possible: bool,
}

impl Calendar {
    fn new(facts: &Facts<'_>) -> Self {
        let numbers = [
            TimePart::UnixSeconds,
            TimePart::Year,
            TimePart::Month,
            TimePart::Day,
            TimePart::Hour,
            TimePart::Minute,
        ];
        let known = |part: &TimePart| facts.part_can(*part, Kinds::NUMBER);
        let weekdays = Self::weekdays(facts);
        Self {
            years: facts.time(TimePart::Year).cloned(),
            months: values(facts, TimePart::Month),
            days: values(facts, TimePart::Day),
            hours: values(facts, TimePart::Hour),
            minutes: values(facts, TimePart::Minute),
            possible: numbers.iter().all(known) && facts.part_can(TimePart::Weekday, Kinds::TEXT),
            weekdays,
        }
    }

    /// Asked of the domain one by one, because it is a set of texts.
    fn weekdays(facts: &Facts<'_>) -> [bool; 7] {
        let weekday = facts
            .times
            .iter()
            .find(|(part, _)| *part == TimePart::Weekday);
        let domain = weekday.and_then(|(_, id)| facts.region.domain(*id));
        WEEKDAYS.map(|day| domain.is_none_or(|domain| domain.has_text(day)))
    }

    fn is_possible(&self) -> bool {
        self.possible
    }

    /// The first fitting moment between two, both included.
    fn first(&self, from: i128, to: i128, days: &mut usize) -> Option<i128> {
        let mut day = from.div_euclid(DAY_US);
        while day * DAY_US <= to {
            *days += 1;
            if *days > MAX_DAYS {
                return None;
            }
            let (year, month, day_of_month) = civil(day);
            let year_fits = self
                .years
                .as_ref()
                .is_none_or(|years| years.contains(crate::condition::Num::Int(year)));
            if !year_fits {
                day = day_number(year + 1, 1);
            } else if !is_set(&self.months, month) {
                let december = month == 12;
                day = match december {
                    true => day_number(year + 1, 1),
                    false => day_number(year, month + 1),
                };
            } else {
                let fits =
                    is_set(&self.days, day_of_month) && is_set(&self.weekdays, day.rem_euclid(7));
                let found = fits.then(|| self.within(day, from, to)).flatten();
                if found.is_some() {
                    return found;
                }
                day += 1;
            }
        }
        None
    }

    fn within(&self, day: i128, from: i128, to: i128) -> Option<i128> {
        let minutes = (0..24 * 60_i128).filter(|minute| {
            is_set(&self.hours, minute / 60) && is_set(&self.minutes, minute % 60)
        });
        let mut moments = minutes.filter_map(|minute| {
            let begin = day * DAY_US + minute * MINUTE_US;
            let first = begin.max(from);
            (first <= to && first < begin + MINUTE_US).then_some(first)
        });
        moments.next()
    }
}

fn is_set(set: &[bool], at: i128) -> bool {
    let at = usize::try_from(at).ok();
    at.and_then(|at| set.get(at)).copied().unwrap_or(false)
}

fn values<const N: usize>(facts: &Facts<'_>, part: TimePart) -> [bool; N] {
    let numbers = facts.time(part);
    std::array::from_fn(|at| {
        let number = i128::try_from(at).map(crate::condition::Num::Int);
        numbers.is_none_or(|numbers| number.is_ok_and(|number| numbers.contains(number)))
    })
}

/// Year, month and day of a day counted from the beginning of 1970, which is not before it. Years
/// are counted from March, so that the day that is not in every year is the last of one.
fn civil(day: i128) -> (i128, i128, i128) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day_of_month)
}

/// The first day of a month, counted from the beginning of 1970.
fn day_number(year: i128, month: i128) -> i128 {
    let (year, shifted_month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * shifted_month + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn the_calendar_is_that_of_the_decision() {
        for day in (0..2_930_000)
            .step_by(97)
            .chain([0, 58, 59, 789, 11_016, 2_932_894])
        {
            let moment = Timestamp::from_second(day * 86_400).unwrap();
            let there = TimeZone::UTC.to_datetime(moment);
            let (year, month, day_of_month) = civil(day.into());
            assert_eq!(
                (year, month, day_of_month),
                (
                    there.year().into(),
                    there.month().into(),
                    there.day().into()
                ),
            );
            assert_eq!(day_number(year, month) + day_of_month - 1, day.into());
            let weekday = WEEKDAYS.get(usize::try_from(day % 7).unwrap()).unwrap();
            let said = format!("{:?}", there.weekday()).to_lowercase();
            assert_eq!(*weekday, said);
        }
    }

    #[test]
    fn the_last_second_is_that_of_the_decision() {
        let last = i64::try_from(LAST_SECOND).unwrap();
        assert_eq!(Timestamp::MAX.as_second(), last);
        assert!(Timestamp::from_microsecond(i64::try_from(LAST_US).unwrap()).is_ok());
        assert!(Timestamp::from_microsecond(i64::try_from(LAST_US + 1).unwrap()).is_err());
    }
}
