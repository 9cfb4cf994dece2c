//! What a decision may know of the world beyond its call: the time and the session's state.
//!
//! Handed in by the caller, because this crate reads no clock and keeps no state. What is not
//! handed in is not known, and what is not known never helps a call. Cannot fail.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::call::ToolCall;
use crate::condition::Num;
use crate::fact::Fact;

/// The world at the moment of a decision. The default knows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// Microseconds since the beginning of 1970 in UTC.
    pub now_us: Option<u64>,
    /// The state of the call's session.
    pub session: Option<SessionState>,
}

/// What a session has done before this call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Calls that were decided before this one.
    pub calls: u64,
    /// When the session began, in microseconds since the beginning of 1970 in UTC.
    pub started_us: u64,
}

/// One call in one world: what rules are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) call: &'a ToolCall,
    pub(crate) context: &'a Context,
}

/// A part of the time of the decision, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TimePart {
    UnixSeconds,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Weekday,
}

/// A part of the session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SessionPart {
    Calls,
    AgeSeconds,
}

impl TimePart {
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("time.unix_s", Self::UnixSeconds),
        ("time.year", Self::Year),
        ("time.month", Self::Month),
        ("time.day", Self::Day),
        ("time.hour", Self::Hour),
        ("time.minute", Self::Minute),
        ("time.weekday", Self::Weekday),
    ];

    /// Blocked when the time is not known, or beyond the calendar.
    pub(crate) fn find(self, context: &Context) -> Fact<'static> {
        self.read(context).unwrap_or(Fact::Blocked)
    }

    fn read(self, context: &Context) -> Option<Fact<'static>> {
        let now = Timestamp::from_microsecond(i64::try_from(context.now_us?).ok()?).ok()?;
        let utc = TimeZone::UTC.to_datetime(now);
        let number = |n: i64| Some(Fact::Number(Num::Int(i128::from(n))));
        match self {
            Self::UnixSeconds => number(now.as_second()),
            Self::Year => number(utc.year().into()),
            Self::Month => number(utc.month().into()),
            Self::Day => number(utc.day().into()),
            Self::Hour => number(utc.hour().into()),
            Self::Minute => number(utc.minute().into()),
            Self::Weekday => Some(Fact::Text(weekday(utc.weekday()))),
        }
    }
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

impl SessionPart {
    pub(crate) const ALL: [(&'static str, Self); 2] = [
        ("session.calls", Self::Calls),
        ("session.age_s", Self::AgeSeconds),
    ];

    /// Absent without a session, blocked when its state is not known.
    pub(crate) fn find(self, scene: Scene<'_>) -> Fact<'static> {
        match scene.call.session() {
            None => Fact::Absent,
            Some(_) => self.read(scene.context).unwrap_or(Fact::Blocked),
        }
    }

    fn read(self, context: &Context) -> Option<Fact<'static>> {
        let state = context.session?;
        let number = match self {
            Self::Calls => state.calls,
            Self::AgeSeconds => context.now_us?.saturating_sub(state.started_us) / 1_000_000,
        };
        Some(Fact::Number(Num::Int(i128::from(number))))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(now_us: u64) -> Context {
        Context {
            now_us: Some(now_us),
            session: None,
        }
    }

    #[test]
    fn reads_the_calendar() {
        // date -u -d @1792413005: Mon Oct 19 12:30:05 UTC 2026
        let context = at(1_792_413_005_999_999);
        let parts =
            TimePart::ALL.map(|(_, part)| part.find(&context).to_value().unwrap().to_string());
        assert_eq!(
            parts,
            ["1792413005", "2026", "10", "19", "12", "30", "\"monday\""]
        );
    }

    #[test]
    fn what_is_not_known_is_blocked() {
        for context in [Context::default(), at(u64::MAX)] {
            for (_, part) in TimePart::ALL {
                assert_eq!(part.find(&context), Fact::Blocked);
            }
        }
    }

    #[test]
    fn a_session_has_a_state_if_it_is_handed_in() {
        let call = |session| ToolCall::new("t", serde_json::json!({}), "p", session).unwrap();
        let (with, without) = (call(Some("s")), call(None));
        let state = SessionState {
            calls: 3,
            started_us: 5_000_000,
        };
        let known = Context {
            now_us: Some(9_999_999),
            session: Some(state),
        };
        let find = |part: SessionPart, call, context| part.find(Scene { call, context });
        let number = |n| Fact::Number(Num::Int(n));
        assert_eq!(find(SessionPart::Calls, &with, &known), number(3));
        assert_eq!(find(SessionPart::AgeSeconds, &with, &known), number(4));
        assert_eq!(find(SessionPart::Calls, &without, &known), Fact::Absent);
        assert_eq!(
            find(SessionPart::Calls, &with, &Context::default()),
            Fact::Blocked
        );
    }
}
