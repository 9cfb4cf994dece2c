//! What each condition is true, false and unknown of.

use super::*;
use serde_json::{Value, json};

fn condition(toml: &str) -> Result<Condition, ConditionError> {
    #[derive(serde::Deserialize)]
    struct Holder {
        c: ConditionFile,
    }
    let holder: Holder = toml::from_str(&format!("c = {toml}")).unwrap();
    Condition::compile(&holder.c)
}

fn truth(toml: &str, value: &Value) -> Truth {
    condition(toml).unwrap().truth(Fact::of_value(value))
}

#[test]
fn each_condition_has_all_three_truths() {
    let cases = [
        ("\"a\"", json!("a"), json!("b"), json!(1)),
        ("{ equals = \"a\" }", json!("a"), json!("A"), json!(true)),
        ("[\"a\", 1]", json!(1.0), json!("b"), json!(true)),
        ("5", json!(5), json!(6), json!("5")),
        ("true", json!(true), json!(false), json!("true")),
        ("{ any_of = [1.5, 2] }", json!(1.5), json!(1), json!(null)),
        (
            "{ prefix = \"ab\" }",
            json!("abc"),
            json!("cab"),
            json!(["ab"]),
        ),
        ("{ suffix = \"ab\" }", json!("cab"), json!("abc"), json!({})),
        ("{ contains = \"b\" }", json!("abc"), json!("ac"), json!(1)),
        (
            "{ glob = \"/a/*.csv\" }",
            json!("/a/b.csv"),
            json!("/a/b/c.csv"),
            json!(1),
        ),
        (
            "{ glob = \"/a/**\" }",
            json!("/a/b/c.csv"),
            json!("/b"),
            json!(1),
        ),
        ("{ regex = \"^a+$\" }", json!("aaa"), json!("aab"), json!(1)),
        ("{ min = 1 }", json!(1), json!(0.5), json!("1")),
        ("{ max = 9 }", json!(9.0), json!(9.5), json!([])),
        ("{ min = -1, max = 1 }", json!(0), json!(2), json!(null)),
    ];
    for (toml, yes, no, unknown) in cases {
        assert_eq!(truth(toml, &yes), Truth::True, "{toml} {yes}");
        assert_eq!(truth(toml, &no), Truth::False, "{toml} {no}");
        assert_eq!(truth(toml, &unknown), Truth::Unknown, "{toml} {unknown}");
        let compiled = condition(toml).unwrap();
        assert_eq!(compiled.truth(Fact::Absent), Truth::False, "{toml}");
        assert_eq!(compiled.truth(Fact::Blocked), Truth::Unknown, "{toml}");
    }
}

#[test]
fn elements_of_arrays() {
    let any = "{ any = { prefix = \"/etc/\" } }";
    let all = "{ all = [\"-l\", \"-a\"] }";
    let cases = [
        (any, json!(["/tmp/x", "/etc/x"]), Truth::True),
        (any, json!(["/tmp/x"]), Truth::False),
        (any, json!([]), Truth::False),
        (any, json!(["/tmp/x", 5]), Truth::Unknown),
        (any, json!([5, "/etc/x"]), Truth::True),
        (any, json!("/etc/x"), Truth::Unknown),
        (any, json!({"a": "/etc/x"}), Truth::Unknown),
        (all, json!(["-l", "-a"]), Truth::True),
        (all, json!(["-l", "-x"]), Truth::False),
        (all, json!([]), Truth::True),
        (all, json!(["-l", null]), Truth::Unknown),
        (all, json!(["-x", null]), Truth::False),
        ("{ all = { any = 1 } }", json!([[1, 2], [1]]), Truth::True),
        ("{ all = { any = 1 } }", json!([[1, 2], [2]]), Truth::False),
    ];
    for (toml, value, expected) in cases {
        assert_eq!(truth(toml, &value), expected, "{toml} {value}");
    }
    let any = condition(any).unwrap();
    assert_eq!(any.truth(Fact::Absent), Truth::False);
    assert_eq!(any.truth(Fact::Blocked), Truth::Unknown);
    assert_eq!(
        condition("{ any = { any = { exists = true } } }").unwrap_err(),
        ConditionError::ElementExists
    );
}

#[test]
fn a_long_list_holds_as_a_short_one_does() {
    let words: Vec<String> = (0..5_000).map(|n| format!("\"w{n}\"")).collect();
    let list = format!("[{}, 7, true]", words.join(", "));
    let long = condition(&list).unwrap();
    for (value, expected) in [
        (json!("w0"), Truth::True),
        (json!("w4999"), Truth::True),
        (json!("w5000"), Truth::False),
        (json!(7.0), Truth::True),
        (json!(8), Truth::False),
        (json!(false), Truth::False),
        (json!(null), Truth::Unknown),
    ] {
        assert_eq!(long.truth(Fact::of_value(&value)), expected, "{value}");
    }
}

#[test]
fn exists_sees_null_as_there() {
    let there = condition("{ exists = true }").unwrap();
    let gone = condition("{ exists = false }").unwrap();
    for value in [json!(null), json!(0), json!(""), json!([])] {
        assert_eq!(there.truth(Fact::of_value(&value)), Truth::True);
        assert_eq!(gone.truth(Fact::of_value(&value)), Truth::False);
    }
    assert_eq!(there.truth(Fact::Absent), Truth::False);
    assert_eq!(gone.truth(Fact::Absent), Truth::True);
    assert_eq!(gone.truth(Fact::Blocked), Truth::Unknown);
}

#[test]
fn numbers_compare_exactly_across_types() {
    assert_eq!(
        truth("9007199254740993", &json!(9_007_199_254_740_992.0)),
        Truth::False
    );
    assert_eq!(truth("{ max = 1e300 }", &json!(u64::MAX)), Truth::True);
    assert_eq!(truth("{ min = -1e300 }", &json!(i64::MIN)), Truth::True);
    assert_eq!(truth("{ min = 0.5 }", &json!(0)), Truth::False);
    assert_eq!(truth("{ max = -0.5 }", &json!(0)), Truth::False);
    assert_eq!(truth("0", &json!(-0.0)), Truth::True);
}

#[test]
fn text_over_the_bound_is_unknown() {
    let long = json!("a".repeat(MAX_SEARCHED_BYTES + 1));
    for toml in [
        "{ prefix = \"b\" }",
        "{ contains = \"b\" }",
        "{ regex = \"b\" }",
        "{ glob = \"b\" }",
        "{ suffix = \"b\" }",
    ] {
        assert_eq!(truth(toml, &long), Truth::Unknown, "{toml}");
    }
    assert_eq!(
        truth("\"b\"", &long),
        Truth::False,
        "equality needs no search"
    );
}

#[test]
fn conditions_that_say_nothing_are_refused() {
    for toml in [
        "{ prefix = \"\" }",
        "{ suffix = \"\" }",
        "{ contains = \"\" }",
        "{ glob = \"\" }",
        "{ regex = \"\" }",
    ] {
        assert!(
            matches!(condition(toml), Err(ConditionError::Empty(_))),
            "{toml}"
        );
    }
    assert_eq!(condition("[]").unwrap_err(), ConditionError::EmptyList);
    assert!(matches!(
        condition("{ min = 2, max = 1 }"),
        Err(ConditionError::EmptyRange { .. })
    ));
    assert!(matches!(
        condition("{ min = \"a\" }"),
        Err(ConditionError::NotANumber(_))
    ));
    assert!(matches!(
        condition("{ regex = \"(\" }"),
        Err(ConditionError::Regex { .. })
    ));
    assert!(matches!(
        condition("{ regex = \"(?=a)\" }"),
        Err(ConditionError::Regex { .. })
    ));
    assert!(matches!(
        condition("{ regex = \"((a{1000}){1000}){1000}\" }"),
        Err(ConditionError::Regex { .. })
    ));
    assert!(matches!(
        condition("{ glob = \"[\" }"),
        Err(ConditionError::Glob { .. })
    ));
}

#[test]
fn kleene() {
    let all = [Truth::False, Truth::Unknown, Truth::True];
    for a in all {
        for b in all {
            let rank = |t: Truth| all.iter().position(|x| *x == t);
            assert_eq!(rank(a.and(b)), rank(a).min(rank(b)));
        }
        assert_eq!(a.negate().negate(), a);
    }
}
