//! What the policy language says beyond `match` and `unless`, one promise a test.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use policy::{
    CallId, Context, Decision, Policy, SessionState, Truth, Verdict, decide_at, explain_at,
};
use serde_json::{Value, json};
use support::{call, judge, load, profiles};

const ALLOW: &str = "[[rule]]\nid = \"allow\"\neffect = \"allow\"\nrun = \"wide\"\nmatch = { tool = \"execute_code\" }\nreason = \"r\"\n";

fn python(extra: Value) -> Value {
    let mut arguments = json!({"language": "python", "code": "1"});
    arguments
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    json!({"tool": "execute_code", "session": "s", "arguments": arguments})
}

fn judge_at(policy: &Policy, context: Context, json: &Value) -> Decision {
    decide_at(policy, &context, CallId::from_bytes([7; 16]), call(json))
}

fn at(now_us: u64) -> Context {
    Context {
        now_us: Some(now_us),
        ..Context::default()
    }
}

fn rule(id: &str, effect: &str, more: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nreason = \"r\"\n{more}\n")
}

fn refused(rules: &str) -> String {
    load(rules).unwrap_err().to_string()
}

// ---- mode ---------------------------------------------------------------------------------------

#[test]
fn a_shadow_rule_is_recorded_and_changes_nothing() {
    let deny = rule(
        "deny",
        "deny",
        "mode = \"shadow\"\nmatch = { tool = \"execute_code\" }",
    );
    let policy = load(&format!("{ALLOW}{deny}")).unwrap();
    let decision = judge(&policy, &python(json!({})));
    assert_eq!(decision.verdict(), Verdict::Allow);
    assert_eq!(decision.rules().len(), 1);
    assert_eq!(decision.shadow_rules()[0].id(), "deny");
    assert_eq!(decision.shadow_verdict(), Some(Verdict::Deny));
    let other = judge(&policy, &json!({"tool": "x", "arguments": {}}));
    assert_eq!(
        (other.shadow_rules().len(), other.shadow_verdict()),
        (0, None)
    );
}

#[test]
fn a_shadow_allow_allows_nothing() {
    let policy = load(&ALLOW.replace("reason", "mode = \"shadow\"\nreason")).unwrap();
    let decision = judge(&policy, &python(json!({})));
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert_eq!(decision.shadow_verdict(), Some(Verdict::Allow));
}

#[test]
fn a_shadow_rule_is_tested_by_what_it_matches() {
    let test = "[[rule.test]]\ncall = { tool = \"execute_code\", arguments = { language = \"python\" } }\nmatches = true\nverdict = \"allow\"\n";
    let deny = rule(
        "deny",
        "deny",
        "mode = \"shadow\"\nmatch = { tool = \"execute_code\" }",
    );
    assert!(load(&format!("{ALLOW}{deny}{test}")).is_ok());
}

// ---- expires ------------------------------------------------------------------------------------

const DAY_US: u64 = 86_400_000_000;

#[test]
fn an_expired_allow_no_longer_matches() {
    let policy = load(&ALLOW.replace("reason", "expires = 2026-01-02\nreason")).unwrap();
    let expires_us = policy.rules().next().unwrap().expires_us().unwrap();
    assert_eq!(expires_us, 20_455 * DAY_US);
    let verdict = |context| judge_at(&policy, context, &python(json!({}))).verdict();
    assert_eq!(verdict(at(expires_us - 1)), Verdict::Allow);
    assert_eq!(verdict(at(expires_us)), Verdict::Deny);
    assert_eq!(
        verdict(Context::default()),
        Verdict::Deny,
        "without a time it may have expired"
    );
    assert_eq!(policy.expired(expires_us - 1), []);
    let warning = policy.expired(expires_us)[0].to_string();
    assert_eq!(
        warning,
        "3: rule `allow`: expired at 2026-01-02T00:00:00Z and no longer allows anything; renew or remove it"
    );
}

/// Time alone never loosens a policy.
#[test]
fn an_expired_deny_stays_in_force() {
    let deny = rule(
        "deny",
        "deny",
        "expires = 2026-01-02T00:00:00Z\nmatch = { tool = \"execute_code\" }",
    );
    let policy = load(&format!("{ALLOW}{deny}")).unwrap();
    for context in [at(0), at(u64::MAX), Context::default()] {
        assert_eq!(
            judge_at(&policy, context, &python(json!({}))).verdict(),
            Verdict::Deny
        );
    }
    assert!(
        policy.expired(u64::MAX)[0]
            .to_string()
            .contains("a deny stays in force until it is removed")
    );
}

#[test]
fn a_moment_without_an_offset_is_refused() {
    for moment in ["2026-01-02T00:00:00", "00:00:00"] {
        let message = refused(&ALLOW.replace("reason", &format!("expires = {moment}\nreason")));
        assert!(
            message.starts_with("t.toml:8: rule `allow`: `expires`: ")
                && message.contains("is not a moment"),
            "{message}"
        );
    }
}

#[test]
fn tests_take_place_before_anything_expires_or_when_they_say() {
    let test = |now: &str, verdict: &str| {
        format!(
            "{}[[rule.test]]\n{now}\ncall = {{ tool = \"execute_code\", arguments = {{ language = \"python\" }} }}\nverdict = \"{verdict}\"\n",
            ALLOW.replace("reason", "expires = 2026-01-02\nreason")
        )
    };
    assert!(load(&test("", "allow")).is_ok());
    assert!(load(&test("now = 2026-01-01T23:59:59Z", "allow")).is_ok());
    assert!(load(&test("now = 2026-01-02", "deny")).is_ok());
    assert!(load(&test("now = 2026-01-02", "allow")).is_err());
    assert!(refused(&test("now = 10:00:00", "allow")).contains("`now`"));
}

// ---- when ---------------------------------------------------------------------------------------

#[test]
fn when_is_one_more_condition() {
    let allow = ALLOW.replace(
        "reason",
        "when = 'principal in [\"ann\", \"bob\"] or session.calls < 2'\nreason",
    );
    let policy = load(&allow).unwrap();
    let verdict = |principal: &str, context| {
        let mut call = python(json!({}));
        call["principal"] = json!(principal);
        judge_at(&policy, context, &call).verdict()
    };
    let after = |calls| Context {
        now_us: None,
        session: Some(SessionState {
            calls,
            ..SessionState::default()
        }),
        ..Context::default()
    };
    assert_eq!(verdict("ann", Context::default()), Verdict::Allow);
    assert_eq!(verdict("eve", after(1)), Verdict::Allow);
    assert_eq!(verdict("eve", after(2)), Verdict::Deny);
    assert_eq!(
        verdict("eve", Context::default()),
        Verdict::Deny,
        "not known never helps"
    );
}

#[test]
fn tests_set_the_time_and_the_state() {
    let freeze = rule(
        "freeze",
        "deny",
        "when = 'time.weekday == \"friday\" and session.calls >= 10 and session.age_s >= 60'\nmatch = { tool = \"execute_code\" }",
    );
    let test = |more: &str, matches: bool| {
        format!(
            "[[rule.test]]\n{more}\ncall = {{ tool = \"execute_code\", session = \"s\" }}\nmatches = {matches}\n"
        )
    };
    let tests = [
        test("now = 2026-11-20\nstate = { calls = 10, age_s = 60 }", true),
        test(
            "now = 2026-11-20\nstate = { calls = 10, age_s = 59 }",
            false,
        ),
        test("now = 2026-11-20\nstate = { age_s = 60 }", false),
        test(
            "now = 2026-11-21\nstate = { calls = 10, age_s = 60 }",
            false,
        ),
    ];
    load(&format!("{freeze}{}", tests.concat())).unwrap();
}

#[test]
fn an_error_in_when_has_its_place() {
    let message =
        |when: &str| load(&ALLOW.replace("reason", &format!("when = {when}\nreason"))).unwrap_err();
    let error = message("'tool == \"x\" adn principal == \"y\"'");
    assert_eq!(
        error.problems()[0].report(),
        "error: rule `allow`: `when`: found `adn` where `and`, `or` or the end belongs\n  --> t.toml:8:21\n   |\n 8 | when = 'tool == \"x\" adn principal == \"y\"'\n   |                     ^^^\n"
    );
    let lines = message("'''\ntool == \"x\" and\n  toool == \"y\"\n'''");
    assert!(lines.to_string().starts_with("t.toml:10: "), "{lines}");
    assert_eq!(lines.problems()[0].place().column(), 3);
}

#[test]
fn an_explanation_shows_every_question_of_when() {
    let policy = load(&ALLOW.replace(
        "reason",
        "expires = 2026-01-02\nwhen = 'time.hour < 12 and principal == \"ann\"'\nreason",
    ))
    .unwrap();
    let explanation = explain_at(&policy, &at(20_455 * DAY_US), &call(&python(json!({}))));
    let nearest = explanation.nearest.as_ref().unwrap();
    assert_eq!((nearest.differs.len(), nearest.expired), (0, Truth::True));
    let page = explanation.to_string();
    assert!(
        page.ends_with("nearest allow: allow, kept back by\n    when time.hour < 12 and principal == 'ann': no\n      time.hour < 12: yes\n      principal == 'ann': no\n  expired\n"),
        "{page}"
    );
}

// ---- lists and files ----------------------------------------------------------------------------

const LISTS: &str = "[lists]\nsecurity = [\"ann\", \"bob\"]\n";

#[test]
fn a_list_stands_for_its_values() {
    let listed = rule(
        "deny",
        "deny",
        "match = { principal = { list = \"security\" } }",
    );
    let written = rule("deny", "deny", "match = { principal = [\"ann\", \"bob\"] }");
    let policy = load(&format!("{LISTS}{ALLOW}{listed}")).unwrap();
    assert_eq!(
        policy.digest(),
        load(&format!("{ALLOW}{written}")).unwrap().digest()
    );
    let mut call = python(json!({}));
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Allow);
    call["principal"] = json!("bob");
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Deny);
    let words = explain_at(&policy, &Context::default(), &support::call(&call)).to_string();
    assert!(
        words.contains("principal is in the list `security`: yes"),
        "{words}"
    );
    let element = rule(
        "deny",
        "deny",
        "match = { \"arguments.to\" = { any = { list = \"security\" } } }",
    );
    let policy = load(&format!("{LISTS}{ALLOW}{element}")).unwrap();
    assert_eq!(
        judge(&policy, &python(json!({"to": ["eve", "ann"]}))).verdict(),
        Verdict::Deny
    );
}

#[test]
fn lists_that_are_none_are_refused() {
    let unknown = rule("deny", "deny", "match = { principal = { list = \"x\" } }");
    assert_eq!(
        refused(&format!("{LISTS}{unknown}")),
        "t.toml:9: rule `deny`: condition on `principal`: there is no list `x`; there are `security`"
    );
    assert_eq!(
        refused("[lists]\na = []\n"),
        "t.toml:4: list `a`: an empty list holds for nothing; name at least one value"
    );
    assert!(refused("[lists]\n\"A b\" = [1]\n").contains("is not a name"));
}

fn load_files(files: &[(&str, &str)]) -> Result<Policy, policy::LoadError> {
    let texts: BTreeMap<&str, String> = files
        .iter()
        .map(|(name, text)| (*name, format!("version = 1\nname = \"t\"\n{text}")))
        .collect();
    Policy::load_with(
        "first.toml",
        &texts["first.toml"],
        &profiles(),
        &mut |name| {
            texts
                .get(name)
                .cloned()
                .ok_or_else(|| "no such file".to_owned())
        },
    )
}

#[test]
fn included_files_are_one_policy() {
    let deny = rule(
        "deny",
        "deny",
        "match = { principal = { list = \"security\" } }",
    );
    let files = [
        (
            "first.toml",
            format!("include = [\"lists.toml\", \"rules/deny.toml\"]\n{ALLOW}"),
        ),
        ("lists.toml", LISTS.to_owned()),
        (
            "rules/deny.toml",
            format!("include = [\"lists.toml\", \"first.toml\"]\n{deny}"),
        ),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let policy = load_files(&files).unwrap();
    assert_eq!(
        policy
            .rules()
            .map(|rule| rule.place().to_string())
            .collect::<Vec<_>>(),
        ["first.toml:4:1", "rules/deny.toml:4:1"]
    );
    assert_eq!(
        policy.digest(),
        load(&format!("{LISTS}{ALLOW}{deny}")).unwrap().digest()
    );
}

#[test]
fn a_fault_names_the_file_that_it_stands_in() {
    let message = |first: &str, other: &str| {
        load_files(&[("first.toml", first), ("a.toml", other)])
            .unwrap_err()
            .to_string()
    };
    let include = "include = [\"a.toml\"]\n";
    assert!(
        message(include, &ALLOW.replace("wide", "x"))
            .starts_with("a.toml:6: rule `allow`: there is no profile `x`")
    );
    assert_eq!(
        message(&format!("{include}{ALLOW}"), ALLOW),
        "a.toml:4: rule `allow`: the id is also that of the rule on line 5 of `first.toml`; choose another"
    );
    assert_eq!(
        message(&format!("{include}{LISTS}"), LISTS),
        "a.toml:4: the list `security` is also in `first.toml`; choose another name"
    );
    assert!(message(include, "x = 1").starts_with("a.toml:3: unknown field `x`"));
    assert_eq!(
        message("include = [\"b.toml\"]", ""),
        "first.toml:3: `b.toml` cannot be included: no such file; correct the name or add the file"
    );
    assert!(message("include = [\"../a.toml\"]", "").contains("without `..`"));
    assert!(refused("include = [\"a.toml\"]").contains("loaded from one text"));
}

#[test]
fn files_are_bounded() {
    let endless = |name: &str| {
        let next: usize = name.trim_end_matches(".toml").parse::<usize>().unwrap() + 1;
        Ok(format!(
            "version = 1\nname = \"t\"\ninclude = [\"{next}.toml\"]"
        ))
    };
    let first = "version = 1\nname = \"t\"\ninclude = [\"1.toml\"]";
    let error =
        Policy::load_with("first.toml", first, &profiles(), &mut |name| endless(name)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("63.toml:3: a policy includes at most 64 files"),
        "{error}"
    );
}

// ---- obligations --------------------------------------------------------------------------------

#[test]
fn obligations_lower_the_limits_of_their_rule() {
    let allow = ALLOW.replace(
        "reason",
        "obligations.limits = { wall_ms = 100, file_count = 1 }\nreason",
    );
    let policy = load(&allow).unwrap();
    let limits = *judge(&policy, &python(json!({}))).grant().unwrap().limits();
    assert_eq!(
        (limits.wall_ms, limits.file_count, limits.output_bytes),
        (100, 1, 1_048_576)
    );
    let decision = judge(&policy, &python(json!({"limits": {"wall_ms": 101}})));
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert!(
        decision.reason().contains("gives at most 100"),
        "{}",
        decision.reason()
    );
    let both = load(&format!(
        "{allow}{}",
        ALLOW.replace("\"allow\"\neffect", "\"more\"\neffect")
    ))
    .unwrap();
    let wall_ms = |asked: Value| {
        judge(&both, &python(asked))
            .grant()
            .unwrap()
            .limits()
            .wall_ms
    };
    assert_eq!(wall_ms(json!({})), 100, "the offer with less is taken");
    assert_eq!(
        wall_ms(json!({"limits": {"wall_ms": 5_000}})),
        5_000,
        "unless the call does not fit"
    );
}

#[test]
fn obligations_of_a_hold_lower_every_offer() {
    let hold = rule(
        "hold",
        "hold",
        "obligations.limits = { code_bytes = 3 }\nmatch = { tool = \"execute_code\" }",
    );
    let policy = load(&format!("{ALLOW}{hold}")).unwrap();
    assert_eq!(
        judge(&policy, &python(json!({"code": "123"}))).verdict(),
        Verdict::Hold
    );
    assert_eq!(
        judge(&policy, &python(json!({"code": "1234"}))).verdict(),
        Verdict::Deny
    );
}

#[test]
fn obligations_that_oblige_to_nothing_are_refused() {
    let allow = |limits: &str| {
        refused(&ALLOW.replace("reason", &format!("obligations.limits = {limits}\nreason")))
    };
    assert!(allow("{}").contains("names no limit"));
    assert!(allow("{ wall_ms = 0 }").contains("`obligations.limits.wall_ms` is zero"));
    assert!(
        allow("{ wall_ms = 60001 }").contains("is 60001, and profile `wide` gives at most 60000")
    );
    assert!(allow("{ redact = 1 }").contains("unknown field `redact`"));
    let deny = rule(
        "d",
        "deny",
        "obligations.limits = { wall_ms = 1 }\nmatch = { tool = \"x\" }",
    );
    assert!(refused(&deny).contains("a deny runs nothing"));
}

// ---- digests ------------------------------------------------------------------------------------

#[test]
fn the_digest_covers_every_word_that_changes_a_verdict() {
    let digest = |more: &str| {
        load(&ALLOW.replace("reason", &format!("{more}\nreason")))
            .unwrap()
            .digest()
    };
    let all = [
        digest(""),
        digest("mode = \"shadow\""),
        digest("expires = 2026-01-02"),
        digest("when = 'tool == \"x\"'"),
        digest("when = 'tool == \"y\"'"),
        digest("obligations.limits.wall_ms = 5"),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(digest("mode = \"enforce\""), digest(""));
    assert_eq!(
        digest("when = '(tool == \"x\")'"),
        digest("when = \"tool=='x'\"")
    );
}

// ---- forms --------------------------------------------------------------------------------------

#[test]
fn a_form_is_asked_instead_of_the_text() {
    let denied = |condition: &str, text: &str| {
        let deny = rule(
            "d",
            "deny",
            &format!("match = {{ \"arguments.a\" = {condition} }}"),
        );
        let policy = load(&format!("{ALLOW}{deny}")).unwrap();
        judge(&policy, &python(json!({"a": text}))).verdict() == Verdict::Deny
    };
    // Full-width letters, a ligature, a Cyrillic letter, a letter that is two in its skeleton.
    for (condition, text, wanted) in [
        (r#"{ prefix = "sudo" }"#, "\u{ff53}udo rm", false),
        (r#"{ nfkc = { prefix = "sudo" } }"#, "\u{ff53}udo rm", true),
        (r#"{ nfkc = { regex = "^sudo" } }"#, "\u{ff53}udo rm", true),
        (r#"{ nfkc = { glob = "s* rm" } }"#, "\u{ff53}udo rm", true),
        (r#"{ nfkc = "file" }"#, "\u{fb01}le", true),
        (r#"{ nfkc = "\u{fb01}le" }"#, "file", true),
        (r#"{ nfkc = { contains = "rm" } }"#, "\u{440}m", false),
        (r#"{ contains = "admin" }"#, "\u{430}dmin", false),
        (
            r#"{ skeleton = { contains = "admin" } }"#,
            "\u{430}dmin",
            true,
        ),
        (r#"{ skeleton = ["root", "admin"] }"#, "\u{430}dmin", true),
        (r#"{ skeleton = ["root", "admin"] }"#, "admin", true),
        (
            r#"{ skeleton = { suffix = "admin" } }"#,
            "administrator",
            false,
        ),
    ] {
        let condition = condition.replace("\\u{fb01}", "\u{fb01}");
        assert_eq!(denied(&condition, text), wanted, "{condition} {text}");
    }
}

#[test]
fn a_form_of_what_is_no_text_is_unknown_and_of_no_text_condition_refused() {
    let policy = load(&format!(
        "{ALLOW}{}",
        rule(
            "d",
            "deny",
            "match = { \"arguments.a\" = { nfkc = \"x\" } }"
        )
    ))
    .unwrap();
    for (value, wanted) in [(json!(5), Verdict::Deny), (json!("y"), Verdict::Allow)] {
        assert_eq!(
            judge(&policy, &python(json!({"a": value}))).verdict(),
            wanted
        );
    }
    for condition in [
        "{ nfkc = 5 }",
        "{ nfkc = { min = 1 } }",
        "{ nfkc = { exists = true } }",
        "{ nfkc = { skeleton = \"x\" } }",
        "{ skeleton = { regex = \"m\" } }",
        "{ skeleton = { any = \"m\" } }",
    ] {
        let error = refused(&rule(
            "d",
            "deny",
            &format!("match = {{ \"arguments.a\" = {condition} }}"),
        ));
        assert!(
            error.contains("is a form of a text"),
            "{condition}: {error}"
        );
    }
    let list = "match = { \"arguments.a\" = { any = { skeleton = \"x\" } } }";
    assert!(load(&rule("d", "deny", list)).is_ok());
}
