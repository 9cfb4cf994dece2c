//! What the lint says, and that it says only what is so.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{Doubt, Verdict};
use support::load;

fn rule(id: &str, effect: &str, more: &str) -> String {
    let run = if effect == "allow" {
        "run = \"wide\"\n"
    } else {
        ""
    };
    format!("[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\n{run}reason = \"r\"\n{more}\n")
}

fn doubts(rules: &str) -> Vec<(String, Doubt)> {
    let policy = load(rules).unwrap();
    let warnings = policy.warnings().iter();
    let doubts = warnings.map(|w| (w.rule().unwrap().to_owned(), w.what().clone()));
    doubts
        .filter(|(_, doubt)| *doubt != Doubt::NoTests)
        .collect()
}

fn shadowed(rules: &str) -> Vec<(String, String)> {
    let found = doubts(rules)
        .into_iter()
        .filter_map(|(id, doubt)| match doubt {
            Doubt::Shadowed { by, .. } => Some((id, by)),
            _ => None,
        });
    found.collect()
}

fn pair(a: (&str, &str), b: (&str, &str)) -> Vec<(String, String)> {
    shadowed(&format!("{}{}", rule("a", a.0, a.1), rule("b", b.0, b.1)))
}

fn one(rule: &str, by: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), by.to_owned())]
}

#[test]
fn a_rule_that_changes_nothing_is_named_with_the_one_that_covers_it() {
    let narrow = "match = { tool = \"x\", \"arguments.p\" = { prefix = \"/etc/ssh\" } }";
    let wide = "match = { \"arguments.p\" = { prefix = \"/etc\" } }";
    assert_eq!(pair(("deny", narrow), ("deny", wide)), one("a", "b"));
    assert_eq!(pair(("hold", narrow), ("deny", wide)), one("a", "b"));
    assert_eq!(pair(("allow", narrow), ("allow", wide)), one("a", "b"));
    assert_eq!(
        pair(("deny", wide), ("deny", wide)),
        one("b", "a"),
        "of two equals the later"
    );
    assert_eq!(pair(("deny", wide), ("hold", narrow)), one("b", "a"));
    for (a, b) in [
        ("hold", "deny"),
        ("hold", "allow"),
        ("deny", "allow"),
        ("allow", "deny"),
    ] {
        assert_eq!(pair((a, wide), (b, narrow)), [], "{a} {b}");
    }
}

#[test]
fn conditions_that_follow() {
    let follows = [
        ("\"x\"", "[\"x\", \"y\"]"),
        ("\"abc\"", "{ prefix = \"ab\" }"),
        ("[\"abc\", \"xbc\"]", "{ suffix = \"bc\" }"),
        ("{ prefix = \"abc\" }", "{ contains = \"bc\" }"),
        ("{ suffix = \"abc\" }", "{ suffix = \"bc\" }"),
        ("{ min = 2, max = 3 }", "{ min = 1 }"),
        ("{ regex = \"a\" }", "{ exists = true }"),
    ];
    for (narrow, wide) in follows {
        let on = |condition: &str| format!("match = {{ \"arguments.k\" = {condition} }}");
        let (narrow, wide) = (on(narrow), on(wide));
        for effect in ["allow", "deny"] {
            assert_eq!(
                pair((effect, &narrow), (effect, &wide)),
                one("a", "b"),
                "{effect} {narrow} {wide}"
            );
            assert_eq!(
                pair((effect, &wide), (effect, &narrow)),
                [("b".to_owned(), "a".to_owned())],
                "{effect} {narrow} {wide}"
            );
        }
    }
}

/// A list of texts has no answer to the number 5, so a deny on it takes effect there. A deny that
/// lists 5 as well has an answer to 6, and does not.
#[test]
fn what_is_unknown_is_not_forgotten() {
    let on = |condition: &str| format!("match = {{ \"arguments.k\" = {condition} }}");
    let pairs = |effect: &str| pair((effect, &on("\"x\"")), (effect, &on("[\"x\", 5]")));
    assert_eq!(pairs("deny"), one("b", "a"));
    assert_eq!(pairs("allow"), one("a", "b"));
    let long = pair(
        ("deny", &on("{ regex = \"^x$\" }")),
        ("deny", &on("{ contains = \"x\" }")),
    );
    assert_eq!(long, []);
}

#[test]
fn more_words_on_the_wide_rule_are_no_cover() {
    let narrow = "match = { tool = \"x\", principal = \"ann\" }";
    let wide = |more: &str| format!("match = {{ tool = \"x\" }}\n{more}");
    assert_eq!(pair(("allow", narrow), ("allow", &wide(""))), one("a", "b"));
    for more in [
        "when = 'exists session'",
        "mode = \"shadow\"",
        "expires = 2026-01-01",
        "unless = { session = { exists = true } }",
        "obligations.limits.wall_ms = 5",
    ] {
        assert_eq!(
            pair(("allow", narrow), ("allow", &wide(more))),
            [],
            "{more}"
        );
    }
    let both = format!("{narrow}\nwhen = 'exists session'");
    assert_eq!(
        pair(("deny", &both), ("deny", &wide("when = 'exists session'"))),
        one("a", "b")
    );
}

#[test]
fn a_rule_that_excludes_itself_is_dead() {
    let dead = |effect: &str, more: &str| {
        let found = doubts(&rule("a", effect, more));
        found
            .iter()
            .any(|(_, doubt)| matches!(doubt, Doubt::ExcludesItself { .. }))
    };
    let tool = "match = { tool = \"x\" }\nunless = { tool = { prefix = \"x\" } }";
    let argument =
        "match = { \"arguments.k\" = \"x\" }\nunless = { \"arguments.k\" = [\"x\", \"y\"] }";
    assert!(dead("allow", tool) && dead("deny", tool) && dead("allow", argument));
    assert!(!dead("deny", argument), "it takes effect on a number");
    assert!(!dead(
        "allow",
        "match = { tool = [\"x\", \"y\"] }\nunless = { tool = \"x\" }"
    ));
}

#[test]
fn searching_the_text_of_a_program_is_said() {
    let said = |more: &str| doubts(&rule("a", "deny", more)).len();
    assert_eq!(
        said("match = { \"arguments.command\" = { contains = \"rm -rf\" } }"),
        1
    );
    assert_eq!(
        said("match = { tool = \"x\" }\nunless = { \"arguments.code\" = { regex = \"^#\" } }"),
        1
    );
    assert_eq!(
        said("match = { \"arguments.path\" = { prefix = \"/etc\" } }"),
        0
    );
    assert_eq!(said("match = { \"arguments.command\" = \"ls\" }"), 0);
}

#[test]
fn a_warning_shows_its_line() {
    let policy = load(&rule("a", "deny", "match = { tool = \"x\" }")).unwrap();
    assert_eq!(
        policy.warnings()[0].report(),
        "warning: rule `a`: no test; add a `[[rule.test]]` with a call that it is for\n  --> t.toml:3:1\n   |\n 3 | [[rule]]\n   | ^^^^^^^^\n"
    );
    assert_eq!(policy.rules().next().unwrap().effect(), Verdict::Deny);
}

#[test]
fn a_test_on_which_rules_differ_has_to_say_what_is_meant() {
    let test = |verdict: &str| {
        format!(
            "match = {{ tool = \"execute_code\" }}\n[[rule.test]]\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\", code = \"1\" }} }}\nmatches = true\n{verdict}"
        )
    };
    let deny = rule(
        "d",
        "deny",
        "match = { \"arguments.code\" = [\"1\", \"2\"] }",
    );
    let overlaps = |allow: &str| -> Vec<Doubt> {
        let found = doubts(&format!("{}{deny}", rule("a", "allow", allow)));
        let overlapping = found.into_iter().map(|(_, doubt)| doubt);
        overlapping
            .filter(|doubt| matches!(doubt, Doubt::Overlaps { .. }))
            .collect()
    };
    let said = Doubt::Overlaps {
        test: 1,
        with: "d".to_owned(),
        effect: Verdict::Deny,
    };
    assert!(said.to_string().contains("test 1 the deny `d`"));
    assert_eq!(overlaps(&test("")), [said]);
    assert_eq!(overlaps(&test("verdict = \"deny\"\n")), []);
    let other = test("").replace("code = \"1\"", "code = \"3\"");
    assert_eq!(overlaps(&other), []);
}
