//! What expressions mean, and where they are refused.

use super::*;
use crate::call::ToolCall;
use crate::context::{Context, SessionState};
use crate::facts::Facts;
use serde_json::json;

struct OneList;

impl Names for OneList {
    fn fact(&mut self, name: &str) -> Result<Arc<FactPath>, FactError> {
        FactPath::parse(name).map(Arc::new)
    }

    fn list(&self, name: &str) -> Result<Vec<Scalar>, ConditionError> {
        match name {
            "team" => Ok(vec![Scalar::Text("ann".into()), Scalar::Integer(1)]),
            _ => Err(ConditionError::UnknownList {
                asked: name.to_owned(),
                have: "`team`".to_owned(),
            }),
        }
    }
}

fn parse(text: &str) -> Result<When, WhenError> {
    When::parse(text, &mut OneList)
}

fn truth(text: &str) -> Truth {
    let call = ToolCall::new(
        "execute_code",
        json!({"n": 5, "x": "abc", "list": ["a", 1], "null": null, "yes": true, "my key": "k", "same": "ann"}),
        "ann",
        Some("s"),
    )
    .unwrap();
    let context = Context {
        now_us: Some(1_792_413_005_000_000),
        session: Some(SessionState {
            calls: 3,
            ..SessionState::default()
        }),
        ..Context::default()
    };
    let facts = Facts::default();
    let scene = Scene::new(&call, &facts, &context);
    parse(text).unwrap().truth(scene)
}

#[test]
fn every_comparison_has_its_truths() {
    let cases = [
        ("tool == 'execute_code'", Truth::True),
        ("tool != \"execute_code\"", Truth::False),
        ("principal == arguments.same", Truth::True),
        ("arguments.n == 5.0", Truth::True),
        ("arguments.n < 5", Truth::False),
        ("arguments.n <= 5", Truth::True),
        ("4 < arguments.n", Truth::True),
        ("arguments.n > 4.5", Truth::True),
        ("arguments.n >= 6", Truth::False),
        ("arguments.x contains 'b'", Truth::True),
        ("arguments.x starts_with 'b'", Truth::False),
        ("arguments.x ends_with 'bc'", Truth::True),
        ("arguments.list contains 'a'", Truth::True),
        ("arguments.list contains 1", Truth::True),
        ("arguments.list contains 'z'", Truth::Unknown),
        ("arguments.yes == true", Truth::True),
        ("arguments.\"my key\" == 'k'", Truth::True),
        ("principal in lists.team", Truth::True),
        ("arguments.n in [1, 5, 'x']", Truth::True),
        ("arguments.n not in [1, 'x']", Truth::True),
        ("arguments.yes in ['a']", Truth::Unknown),
        ("exists arguments.null", Truth::True),
        ("exists arguments.gone", Truth::False),
        ("exists arguments.n.deep", Truth::Unknown),
        ("arguments.gone == 1", Truth::False),
        ("arguments.gone != 1", Truth::True),
        ("arguments.gone < 1", Truth::False),
        ("arguments.gone in [1]", Truth::False),
        ("arguments.x < 5", Truth::Unknown),
        ("arguments.x == 5", Truth::Unknown),
        ("arguments.null == 5", Truth::Unknown),
        ("arguments.x < 'b'", Truth::Unknown),
        ("arguments.n contains 5", Truth::Unknown),
        ("session.calls == 3", Truth::True),
        ("time.unix_s < @2027-01-01", Truth::True),
        ("time.unix_s < @2026-10-19T12:30:05Z", Truth::False),
        ("time.weekday in ['saturday', 'sunday']", Truth::False),
        ("time.hour >= 9 and time.hour < 17", Truth::True),
    ];
    for (text, expected) in cases {
        assert_eq!(truth(text), expected, "{text}");
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    assert_eq!(
        truth("tool == 'x' and tool == 'x' or principal == 'ann'"),
        Truth::True
    );
    assert_eq!(
        truth("principal == 'ann' or tool == 'x' and tool == 'x'"),
        Truth::True
    );
    assert_eq!(
        truth("(principal == 'ann' or tool == 'x') and tool == 'x'"),
        Truth::False
    );
    assert_eq!(truth("not tool == 'x' and principal == 'ann'"), Truth::True);
    assert_eq!(
        truth("not (principal == 'ann' or tool == 'x')"),
        Truth::False
    );
    assert_eq!(truth("arguments.x == 5 or principal == 'ann'"), Truth::True);
    assert_eq!(
        truth("arguments.x == 5 and principal == 'bob'"),
        Truth::False
    );
    assert_eq!(truth("not arguments.x == 5"), Truth::Unknown);
}

#[test]
fn what_is_written_reads_back() {
    for text in [
        "tool == 'a' or (principal == 'b' and not exists session)",
        "not (not (arguments.\"a b\".c in ['\\'', \"\\\\\", 1, true]))",
        "time.unix_s >= @2026-01-01 and session.calls not in [1]",
    ] {
        let once = parse(text).unwrap();
        assert_eq!(parse(&once.to_string()).unwrap(), once, "{once}");
    }
}

#[test]
fn errors_say_where_and_what_belongs_there() {
    let cases = [
        ("", 0..0, "the expression ends where a fact belongs"),
        ("tool ==", 7..7, "ends where a fact belongs"),
        ("tool 'x'", 5..8, "where a comparison"),
        (
            "tool == 'x' tool",
            12..16,
            "found `tool` where `and`, `or` or the end belongs",
        ),
        ("(tool == 'x'", 12..12, "where `)` belongs"),
        ("toool == 'x'", 0..5, "`toool` is not a fact"),
        ("tool == 'x", 8..10, "has no end"),
        ("tool == 'a\\n'", 8..11, "backslash"),
        ("1 == 1", 0..6, "both sides are values"),
        ("1 in [1]", 0..8, "both sides are values"),
        ("tool in team", 8..12, "where a list"),
        ("tool in lists.x", 8..15, "there is no list `x`"),
        ("tool in []", 9..10, "where a value belongs"),
        ("arguments.n == 1x", 15..17, "`1x` is not a number"),
        ("time.unix_s < @tomorrow", 14..23, "is not a moment"),
        ("tool = 'x'", 5..6, "`=` begins nothing"),
        ("tool == ${x}", 8..9, "begins nothing"),
    ];
    for (text, span, message) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.span, span, "{text}: {error}");
    }
}

#[test]
fn depth_and_size_end_in_an_error() {
    let nested = |n: usize| format!("{}tool == 'x'{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(MAX_WHEN_DEPTH)).is_ok());
    for text in [
        nested(MAX_WHEN_DEPTH + 1),
        "(".repeat(MAX_WHEN_BYTES),
        "not ".repeat(MAX_WHEN_BYTES / 4),
    ] {
        assert_eq!(parse(&text).unwrap_err().fault, WhenFault::TooDeep);
    }
    let long = format!("tool == '{}'", "x".repeat(MAX_WHEN_BYTES));
    assert_eq!(parse(&long).unwrap_err().fault, WhenFault::TooLong);
    let wide = vec!["tool == 'x'"; 200].join(" or ");
    assert!(parse(&wide).is_ok());
}
