//! Formatting: the meaning stays, the comments stay, and doing it again changes nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use policy::{Policy, Profiles, fmt, shipped};
use proptest::prelude::*;

/// None for a policy that needs profiles or files that are not here.
fn digest_of(text: &str) -> Option<[u8; 32]> {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let policy = Policy::load("t.toml", text, &profiles).ok();
    policy.map(|policy| policy.digest())
}

fn digest(text: &str) -> [u8; 32] {
    digest_of(text).unwrap()
}

/// Every comment of a text without `#` in its values.
fn comments(text: &str) -> Vec<String> {
    let comments = text.lines().filter_map(|line| line.split_once('#'));
    let mut comments: Vec<String> = comments
        .map(|(_, comment)| comment.trim().to_owned())
        .collect();
    comments.sort();
    comments
}

#[test]
fn shipped_packs_and_the_examples_of_the_language_keep_their_meaning() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/POLICY.md")).unwrap();
    let examples = page.split("```toml policy\n").skip(1);
    let examples = examples.map(|rest| rest.split("```").next().unwrap().to_owned());
    let packs = shipped::PACKS.iter().map(|pack| pack.text.to_owned());
    let mut count = 0;
    for text in packs.chain(examples) {
        let formatted = fmt(&text).unwrap();
        let before = digest_of(&text);
        assert_eq!(digest_of(&formatted), before, "{text}");
        assert_eq!(comments(&formatted), comments(&text));
        assert_eq!(fmt(&formatted).unwrap(), formatted);
        count += usize::from(before.is_some());
    }
    assert!(count > 4, "{count}");
}

/// A policy, each line with random margins, in random order within its table.
fn any_policy() -> impl Strategy<Value = String> {
    (
        prop::collection::vec(
            (any_rule(), "[ \t]{0,3}", "(# [a-z ]{0,9}\n|\n){0,3}"),
            0..4,
        ),
        any::<bool>(),
    )
        .prop_map(|(rules, list_last)| {
            let list = "[lists]\nteam = [ 'a',\n  'b', # two\n]\n";
            let head = "version=1\nname='t' # the name\n";
            let rules: Vec<String> = rules
                .into_iter()
                .enumerate()
                .map(|(at, (rule, margin, before))| {
                    let rule = rule.replace("ID", &format!("r{at}"));
                    let lines: Vec<String> =
                        rule.lines().map(|line| format!("{margin}{line}")).collect();
                    format!("{before}{}\n", lines.join("\n"))
                })
                .collect();
            let rules = rules.concat();
            if list_last {
                format!("{head}{rules}{list}")
            } else {
                format!("{head}{list}{rules}")
            }
        })
}

fn any_rule() -> impl Strategy<Value = String> {
    let clause = prop_oneof![
        Just("match = { tool='t', \"arguments.x\" = [1,2] }"),
        Just("match.tool   = \"t\" # dotted\nmatch.'arguments.\"a b\"'={ prefix = '''x''' }"),
        Just("match = {principal = {list = 'team'}}"),
    ];
    let optional = prop::sample::subsequence(
        vec![
            "owner = \"o\"",
            "tags = ['x' ,  \"y\"]",
            "mode = \"shadow\" # for now",
            "when = \"\"\"\nprincipal == 'a'\n  or session.calls > 3\"\"\"",
            "unless = {\"arguments.y\"={exists=true}}",
            "# before it\nexpires = 2026-12-31",
            "obligations = { limits = { wall_ms = 1_000 } }",
        ],
        0..=7,
    )
    .prop_shuffle();
    let test = prop_oneof![
        Just(""),
        Just("\n[[rule.test]]\nmatches=false\n# a call\ncall={arguments={}, tool='none'}"),
    ];
    let effect = prop_oneof![
        Just("effect = \"hold\""),
        Just("effect=\"allow\"\nrun =  'wasm-offline'"),
    ];
    (clause, optional, test, effect).prop_map(|(clause, optional, test, effect)| {
        format!(
            "[[rule]] # a rule\n{effect}\n{}\n{clause}\nid = 'ID'\nreason = \"r\"{test}",
            optional.join("\n")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_meaning_and_the_comments_stay(text in any_policy()) {
        let formatted = fmt(&text).unwrap();
        prop_assert_eq!(digest(&formatted), digest(&text));
        prop_assert_eq!(comments(&formatted), comments(&text));
        prop_assert_eq!(&fmt(&formatted).unwrap(), &formatted);
        prop_assert!(!formatted.contains("\n\n\n"));
    }

    #[test]
    fn any_text_is_formatted_or_refused(text in "[a-z0-9=\\[\\]{}.,#\"' \n]{0,60}") {
        if let Ok(formatted) = fmt(&text) {
            prop_assert_eq!(&fmt(&formatted).unwrap(), &formatted);
        }
    }
}
