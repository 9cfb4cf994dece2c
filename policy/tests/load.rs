//! What loads, what does not, and that the message says where, which rule and what to do.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{Doubt, Fault, Policy, Profiles, shipped};
use support::{load, profiles};

/// The first problem of a policy whose rules begin on line 3.
fn problem(rules: &str) -> String {
    load(rules).unwrap_err().to_string()
}

const OK: &str = r#"[[rule]]
id = "a"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code" }
reason = "r"
"#;

#[test]
fn everything_shipped_loads_without_a_warning() {
    let shipped_profiles =
        Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    for pack in shipped::PACKS {
        let policy = Policy::load(pack.file, pack.text, &shipped_profiles).unwrap();
        assert_eq!(policy.warnings(), [], "{}", pack.file);
        assert_eq!(format!("{}.toml", policy.name()), pack.file);
        for rule in policy.rules() {
            assert!(
                !rule.tags().is_empty() && rule.test_count() > 0,
                "{}",
                rule.id()
            );
        }
    }
}

#[test]
fn messages_name_file_line_rule_and_remedy() {
    let cases = [
        (
            OK.replace("tool = \"execute_code\"", "tol = \"x\""),
            "t.toml:7: rule `a`: `tol` is not a fact; facts are `tool`, `principal`, `session`, `arguments`, `arguments.KEY…`, `time.…`, `session.…`, `command.…`, `redirect.…`, `assignment.…`, `opaque.…`, `host.…`, `path.…`, `snippet.…`, `secret.…`, `unicode.…`, `encoding.…`, `shell.…`, `code.…` and `input.…`",
        ),
        (
            OK.replace("run = \"wasm-offline\"\n", ""),
            "t.toml:3: rule `a`: an allow names the profile it runs in; add `run = \"…\"`, there are `container-data`, `container-egress`, `container-node`, `container-offline`, `docker-trusted`, `wasm-offline`, `wide`",
        ),
        (
            OK.replace("wasm-offline", "host"),
            "t.toml:6: rule `a`: there is no profile `host`; there are `container-data`, `container-egress`, `container-node`, `container-offline`, `docker-trusted`, `wasm-offline`, `wide`",
        ),
        (
            OK.replace("\"allow\"", "\"deny\""),
            "t.toml:6: rule `a`: `run` belongs to an allow; a deny runs nothing, leave it out",
        ),
        (
            OK.replace("{ tool = \"execute_code\" }", "{}"),
            "t.toml:7: rule `a`: `match` is empty; a rule for every call says so with `tool = { glob = \"*\" }`",
        ),
        (
            OK.replace("\"r\"", "\" \""),
            "t.toml:8: rule `a`: `reason` is empty; say what the caller should know",
        ),
        (
            OK.replace("\"a\"", "\"A b\""),
            "t.toml:4: rule `A b`: `A b` is not a name; use 1 to 64 of a-z 0-9 - _ . and begin with a letter",
        ),
        (
            format!("{OK}{OK}"),
            "t.toml:10: rule `a`: the id is also that of the rule on line 4; choose another",
        ),
        (
            OK.replace("\"execute_code\"", "5"),
            "t.toml:7: rule `a`: condition on `tool`: the fact is always text; compare it with a string",
        ),
        (
            OK.replace("\"execute_code\"", "{ regex = \"(\" }"),
            "t.toml:7: rule `a`: condition on `tool`: `(` is not a regular expression (unclosed group); correct it, look-around and back-references do not exist here",
        ),
        (
            OK.replace("\"execute_code\"", "{ exists = true }"),
            "t.toml:7: rule `a`: condition on `tool`: every call has this fact; `exists` says nothing about it, leave it out",
        ),
        (
            format!("{OK}[[rule.test]]\ncall = {{ tool = \"x\" }}\n"),
            "t.toml:9: rule `a`, test 1: the test expects nothing; add `matches` or `verdict`",
        ),
        (
            format!("{OK}[[rule.test]]\nmatches = true\ncall = {{ tool = \"x y\" }}\n"),
            "t.toml:9: rule `a`, test 1: `x y` is not a tool name; use 1 to 128 of A-Z a-z 0-9 _ . -",
        ),
        (
            format!(
                "{OK}[[rule.test]]\nmatches = true\ncall = {{ tool = \"x\", arguments = {{ a = 1979-05-27 }} }}\n"
            ),
            "t.toml:9: rule `a`, test 1: `a date` does not exist in a tool call; write it as a string",
        ),
    ];
    for (rules, message) in cases {
        assert_eq!(problem(&rules), message);
    }
}

#[test]
fn keys_that_do_not_exist_are_refused() {
    let cases = [
        (
            "verison = 1\n".to_owned(),
            "unknown field `verison`, expected one of `version`, `name`, `doc`, `include`, `lists`, `tool`, `budget`, `rule`",
        ),
        (OK.replace("reason", "raeson"), "unknown field `raeson`"),
        (
            format!("{OK}[[rule.test]]\nmatch = true\ncall = {{ tool = \"x\" }}"),
            "unknown field `match`, expected one of `call`, `matches`, `verdict`, `now`, `state`",
        ),
        (
            format!("{OK}[[rule.test]]\nmatches = true\ncall = {{ tool = \"x\", args = {{}} }}"),
            "unknown field `args`",
        ),
        (
            OK.replace("\"execute_code\"", "{ startswith = \"a\" }"),
            "unknown condition `startswith`; use equals, any_of, prefix, suffix, contains, glob, regex, cidr, min, max, exists, any, all or list",
        ),
        (
            OK.replace(
                "{ tool = \"execute_code\" }",
                "{ arguments.language = \"python\" }",
            ),
            "put the path of a fact in quotes",
        ),
        (
            OK.replace("\"execute_code\"", "{ prefix = \"a\", suffix = \"b\" }"),
            "one table holds one condition",
        ),
        (
            OK.replace("\"execute_code\"", "{}"),
            "the condition is empty",
        ),
        (
            OK.replace("\"allow\"", "\"permit\""),
            "unknown variant `permit`, expected one of `allow`, `hold`, `deny`",
        ),
        (
            OK.replace("\"execute_code\"", "{ min = nan }"),
            "`nan` and `inf` compare with nothing",
        ),
        (OK.replace("reason = \"r\"", ""), "missing field `reason`"),
    ];
    for (rules, part) in cases {
        let message = problem(&rules);
        assert!(message.contains(part), "{message}");
        assert!(
            message.starts_with("t.toml:") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn toml_errors_name_their_line() {
    assert!(
        problem("x = = 1\n").starts_with("t.toml:3: "),
        "{}",
        problem("x = = 1\n")
    );
    assert!(problem(&OK.replace("reason", "raeson")).starts_with("t.toml:8: "));
    assert!(
        problem(&format!("{OK}id = \"b\"\n")).starts_with("t.toml:9: "),
        "keys twice are refused"
    );
}

#[test]
fn another_version_is_called_that() {
    let load = |text: &str| {
        Policy::load("t.toml", text, &profiles())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        load("# x\nversion = 2\nfuture = true\n"),
        "t.toml:2: version 2 is not known here; this program reads version 1"
    );
    assert_eq!(
        load("version = \"1\"\nname = \"x\"\n"),
        "t.toml:1: version \"1\" is not known here; this program reads version 1"
    );
    assert!(load("name = \"x\"\n").contains("missing field `version`"));
}

#[test]
fn failing_tests_say_what_was_expected_and_got() {
    let test = |expect: &str| {
        format!(
            "{OK}[[rule.test]]\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\" }} }}\n{expect}\n"
        )
    };
    assert!(load(&test("matches = true\nverdict = \"allow\"")).is_ok());
    assert_eq!(
        problem(&test("matches = false")),
        "t.toml:9: rule `a`, test 1: expected the rule not to match, got a match; correct the rule or the test"
    );
    assert_eq!(
        problem(&test("verdict = \"hold\"")),
        "t.toml:9: rule `a`, test 1: expected the verdict hold, got allow (r); correct the rule or the test"
    );
    let both = load(&test("matches = false\nverdict = \"deny\"")).unwrap_err();
    assert_eq!(both.problems().len(), 2);
    assert_eq!(
        (both.problems()[0].rule(), both.problems()[0].test()),
        (Some("a"), Some(1))
    );
    assert!(both.to_string().ends_with("(and 1 more)"));
}

#[test]
fn all_problems_are_gathered_in_the_order_of_the_file() {
    let rules = format!(
        "{}{}",
        OK.replace("wasm-offline", "x").replace("\"r\"", "\"\""),
        OK.replace("\"a\"", "\"b\"").replace("tool =", "tol =")
    );
    let error = load(&rules).unwrap_err();
    assert_eq!(
        error
            .problems()
            .iter()
            .map(|p| p.line())
            .collect::<Vec<_>>(),
        [6, 8, 13]
    );
    assert!(matches!(error.problems()[2].fault(), Fault::Fact(_)));
}

#[test]
fn nesting_ends_in_an_error() {
    for text in [
        format!("x = {}", "[".repeat(200_000)),
        format!("x = {}", "{a=".repeat(200_000)),
        format!("x{} = 1", ".a".repeat(200_000)),
        format!("[x{}]", ".a".repeat(200_000)),
    ] {
        assert!(Policy::load("t.toml", &text, &profiles()).is_err());
        assert!(Profiles::load([("t.toml", text.as_str())]).is_err());
    }
    assert!(
        Policy::load(
            "t.toml",
            &"#".repeat(policy::MAX_POLICY_BYTES + 1),
            &profiles()
        )
        .is_err()
    );
}

#[test]
fn warnings() {
    let doubts = |rules: &str| {
        load(rules)
            .unwrap()
            .warnings()
            .iter()
            .map(|w| w.what().clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(doubts(""), [Doubt::NoRules]);
    assert_eq!(doubts(OK), [Doubt::NoTests]);
    let tested = |matches: &str| {
        format!(
            "{}[[rule.test]]\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\" }} }}\nverdict = \"allow\"\n",
            OK.replace("{ tool = \"execute_code\" }", matches)
        )
    };
    assert_eq!(doubts(&tested("{ tool = \"execute_code\" }")), []);
    assert_eq!(
        doubts(&tested(
            "{ tool = [\"execute_code\", \"x\"], \"arguments.language\" = [\"python\", \"ruby\"] }"
        )),
        [Doubt::NoRuntime {
            languages: "`ruby`".into(),
            profile: "wasm-offline".into()
        }]
    );
    let never = OK.replace("\"execute_code\"", "\"run_command\"");
    assert_eq!(
        doubts(&never),
        [
            Doubt::NoTests,
            Doubt::NothingRuns {
                profile: "wasm-offline".into(),
                tools: "`run_command`".into()
            },
            Doubt::CoversNothing
        ]
    );
    let unmatched = format!("{OK}[[rule.test]]\ncall = {{ tool = \"x\" }}\nmatches = false\n");
    assert_eq!(doubts(&unmatched), [Doubt::NeverMatchedInTests]);
    assert_eq!(
        load(OK).unwrap().warnings()[0].to_string(),
        "3: rule `a`: no test; add a `[[rule.test]]` with a call that it is for"
    );
}

#[test]
fn an_allow_that_never_wins_is_proved_not_guessed() {
    let with_deny = |allow: &str, deny: &str| {
        let rules = format!(
            "{}[[rule]]\nid = \"d\"\neffect = \"deny\"\nreason = \"r\"\n{deny}\n",
            OK.replace("match = { tool = \"execute_code\" }", allow)
        );
        load(&rules)
            .unwrap()
            .warnings()
            .iter()
            .any(|w| matches!(w.what(), Doubt::AlwaysDenied { .. }))
    };
    let allow =
        "match = { tool = \"execute_code\", \"arguments.language\" = [\"python\", \"ruby\"] }";
    assert!(with_deny(
        allow,
        "match = { tool = { prefix = \"execute\" } }"
    ));
    assert!(with_deny(
        allow,
        "match = { \"arguments.language\" = [\"python\", \"ruby\", \"c\"] }"
    ));
    assert!(with_deny(
        allow,
        "match = { \"arguments.language\" = { exists = true } }"
    ));
    assert!(!with_deny(
        allow,
        "match = { \"arguments.language\" = \"python\" }"
    ));
    assert!(!with_deny(
        allow,
        "match = { \"arguments.code\" = { contains = \"x\" } }"
    ));
    assert!(!with_deny(
        allow,
        "match = { tool = \"execute_code\" }\nunless = { principal = \"ann\" }"
    ));
    let excepted = format!("{allow}\nunless = {{ principal = \"ann\" }}");
    assert!(with_deny(
        &excepted,
        "match = { tool = \"execute_code\" }\nunless = { principal = \"ann\" }"
    ));
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |rules: &str| load(rules).unwrap().digest();
    let b = OK.replace("\"a\"", "\"b\"");
    assert_eq!(
        digest(OK),
        digest(&format!(
            "# c\n{}",
            OK.replace("\"execute_code\"", "{ equals = \"execute_code\" }")
        ))
    );
    assert_eq!(digest(&format!("{OK}{b}")), digest(&format!("{b}{OK}")));
    assert_eq!(
        digest(OK),
        digest(&format!(
            "{OK}[[rule.test]]\ncall = {{ tool = \"x\" }}\nmatches = false\n"
        ))
    );
    for other in [
        OK.replace("\"r\"", "\"s\""),
        OK.replace("execute_code", "execute"),
        OK.replace("wasm-offline", "wide"),
        b,
        format!("{OK}unless = {{ tool = \"x\" }}\n"),
    ] {
        assert_ne!(digest(OK), digest(&other), "{other}");
    }
}

#[test]
fn the_digest_covers_the_profiles() {
    let text = format!("version = 1\nname = \"t\"\n{OK}");
    let shipped = shipped::PROFILES[0];
    let changed = shipped.text.replace("max = 10_000", "max = 10_001");
    let reworded = shipped
        .text
        .replace("bounds the inodes", "limits the inodes");
    let digest = |profile: &str| {
        Policy::load(
            "t.toml",
            &text,
            &Profiles::load([(shipped.file, profile)]).unwrap(),
        )
        .unwrap()
        .digest()
    };
    assert_ne!(digest(shipped.text), digest(&changed));
    assert_eq!(digest(shipped.text), digest(&reworded));
}

#[test]
fn a_budget_of_more_hosts_than_are_counted_is_refused() {
    let budget = |hosts: u64| {
        format!(
            "{OK}[[budget]]\nid = \"b\"\nper = \"session\"\nmost = {{ hosts = {hosts} }}\nreason = \"r\"\n"
        )
    };
    assert!(load(&budget(policy::MAX_HOSTS)).is_ok());
    let error = load(&budget(policy::MAX_HOSTS + 1)).unwrap_err();
    assert!(error.to_string().contains("4096"), "{error}");
}
