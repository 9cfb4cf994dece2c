//! What a decision may know of the world beyond its call: the time and the session's state.
//!
//! Handed in by the caller, because this crate reads no clock and keeps no state. What is not
//! handed in is not known, and what is not known never helps a call. Cannot fail.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::budget::Used;
use crate::call::ToolCall;
use crate::condition::Num;
use crate::fact::Fact;
use crate::facts::{Facts, Kind};
use crate::text::is_name;

/// Labels stand in every state of a session.
const MAX_LABEL_BYTES: usize = 64;

/// The world at the moment of a decision. The default knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Microseconds since the beginning of 1970 in UTC.
    pub now_us: Option<u64>,
    /// The state of the call's session.
    pub session: Option<SessionState>,
    /// What was used of each budget that applies, by the budget's id. One that is missing here is
    /// not known, and then the call is denied.
    pub budgets: BTreeMap<String, Used>,
}

/// What a session has done before this call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionState {
    /// Calls that were decided before this one.
    pub calls: u64,
    /// Calls that were decided before this one in the same turn of the model.
    pub turn_calls: u64,
    /// When the session began, in microseconds since the beginning of 1970 in UTC.
    pub started_us: u64,
    /// The labels that earlier calls put on the session, by name.
    pub labels: BTreeMap<String, Label>,
}

/// A label on a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// How often it was put there.
    pub count: u64,
    /// When it was put there last, in microseconds since the beginning of 1970 in UTC.
    pub at_us: u64,
}

/// One call in one world: what rules are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) call: &'a ToolCall,
    pub(crate) facts: &'a Facts,
    pub(crate) context: &'a Context,
    /// The atom that is asked about, when one is.
    pub(crate) atom: Option<(Kind, &'a Value)>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(call: &'a ToolCall, facts: &'a Facts, context: &'a Context) -> Self {
        Self {
            call,
            facts,
            context,
            atom: None,
        }
    }

    /// The same scene, with an eye on one atom.
    pub(crate) fn at(self, kind: Kind, atom: &'a Value) -> Self {
        Self {
            atom: Some((kind, atom)),
            ..self
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SessionPart {
    Calls,
    TurnCalls,
    AgeSeconds,
    /// How often a label was put on the session.
    LabelCount(String),
    /// How long ago it was put there last.
    LabelAgeSeconds(String),
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
    /// `session.calls` and its like; `session.label.NAME.count`, `session.label.NAME.age_s`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "session.calls" => return Some(Self::Calls),
            "session.turn_calls" => return Some(Self::TurnCalls),
            "session.age_s" => return Some(Self::AgeSeconds),
            _ => {}
        }
        let (name, part) = text.strip_prefix("session.label.")?.split_once('.')?;
        match part {
            _ if !is_label(name) => None,
            "count" => Some(Self::LabelCount(name.to_owned())),
            "age_s" => Some(Self::LabelAgeSeconds(name.to_owned())),
            _ => None,
        }
    }

    /// Absent without a session and for a label that was never put there, blocked when the state is
    /// not known.
    pub(crate) fn find(&self, scene: Scene<'_>) -> Fact<'static> {
        match (scene.call.session(), &scene.context.session) {
            (None, _) => Fact::Absent,
            (Some(_), None) => Fact::Blocked,
            (Some(_), Some(state)) => self.read(state, scene.context.now_us),
        }
    }

    fn read(&self, state: &SessionState, now_us: Option<u64>) -> Fact<'static> {
        let number = |n: u64| Fact::Number(Num::Int(i128::from(n)));
        let since = |then_us: u64| {
            now_us.map_or(Fact::Blocked, |now_us| {
                number(now_us.saturating_sub(then_us) / 1_000_000)
            })
        };
        match self {
            Self::Calls => number(state.calls),
            Self::TurnCalls => number(state.turn_calls),
            Self::AgeSeconds => since(state.started_us),
            Self::LabelCount(name) => {
                let label = state.labels.get(name);
                label.map_or(Fact::Absent, |label| number(label.count))
            }
            Self::LabelAgeSeconds(name) => {
                let label = state.labels.get(name);
                label.map_or(Fact::Absent, |label| since(label.at_us))
            }
        }
    }
}

impl fmt::Display for SessionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls => f.write_str("session.calls"),
            Self::TurnCalls => f.write_str("session.turn_calls"),
            Self::AgeSeconds => f.write_str("session.age_s"),
            Self::LabelCount(name) => write!(f, "session.label.{name}.count"),
            Self::LabelAgeSeconds(name) => write!(f, "session.label.{name}.age_s"),
        }
    }
}

/// A name without dots, because it stands inside of a path.
pub(crate) fn is_label(text: &str) -> bool {
    is_name(text, MAX_LABEL_BYTES) && !text.contains('.')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(now_us: u64) -> Context {
        Context {
            now_us: Some(now_us),
            ..Context::default()
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
            labels: BTreeMap::from([(
                "seen".to_owned(),
                Label {
                    count: 2,
                    at_us: 7_000_000,
                },
            )]),
            ..SessionState::default()
        };
        let known = Context {
            now_us: Some(9_999_999),
            session: Some(state),
            ..Context::default()
        };
        let facts = Facts::default();
        let find = |part: SessionPart, call, context| part.find(Scene::new(call, &facts, context));
        let label = |text: &str| SessionPart::parse(text).unwrap();
        assert_eq!(
            find(label("session.label.seen.count"), &with, &known),
            Fact::Number(Num::Int(2))
        );
        assert_eq!(
            find(label("session.label.seen.age_s"), &with, &known),
            Fact::Number(Num::Int(2))
        );
        assert_eq!(
            find(label("session.label.other.age_s"), &with, &known),
            Fact::Absent
        );
        assert_eq!(SessionPart::parse("session.label.a.b.count"), None);
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
