//! Nothing that is typed makes the analysis long, deep or lenient.

use super::super::{MAX_TEXT_BYTES, OpaqueKind, Syntax, analyse};

/// Openings that nest, and what closes them.
const NESTS: &[(&str, &str)] = &[
    ("$(", ")"),
    ("(", ")"),
    ("{ ", "; }"),
    ("\"$(", ")\""),
    ("`", "`"),
    ("\\`", "\\`"),
    ("$((", "))"),
    ("$[", "]"),
    ("${a:-", "}"),
    ("\"${a:-", "}\""),
    ("a[", "]"),
    ("a=(", ")"),
    ("<(", ")"),
    ("if a; then ", "; fi"),
    ("while a; do ", "; done"),
    ("case a in a) ", ";; esac"),
    ("f() { ", "; }"),
    ("function f ", ""),
    ("coproc ", ""),
    ("! ", ""),
    ("time ", ""),
    ("[[ ( ", " ) ]]"),
    ("( ", " )"),
    ("{a,", "}"),
    ("sudo ", ""),
    ("env ", ""),
    ("eval ", ""),
    ("xargs ", ""),
    ("bash -c ", ""),
    ("find -exec ", " ;"),
    ("nice ", ""),
    ("((", "))"),
    ("<<a ", ""),
    ("$'", "'"),
    ("a | ", "a"),
    ("a && ", "a"),
    ("[[ a =~ (", ") ]]"),
    ("[[ a == @(", ") ]]"),
    ("cat <<E\n$(", ")\nE\n"),
];

/// A thread with as little stack as the smallest that a program of ours uses.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    const STACK_BYTES: usize = 1024 * 1024;
    std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn nesting_ends_in_an_answer() {
    on_a_small_stack(|| {
        for (open, close) in NESTS {
            for depth in [1, 2, 3, 5, 8, 13, 21, 30, 39, 40, 41, 60, 100, 1_000, 5_000] {
                let closed = format!("{}a{}", open.repeat(depth), close.repeat(depth));
                let _ = analyse(&closed);
                let _ = analyse(&open.repeat(depth));
            }
        }
    });
}

#[test]
fn deep_nesting_is_opaque() {
    for open in [
        "$(",
        "{ ",
        "if a; then ",
        "\"${a:-",
        "<(",
        "sudo ",
        "bash -c ",
    ] {
        let facts = analyse(&open.repeat(200));
        assert!(facts.is_opaque(), "{open}");
    }
}

#[test]
fn steps_depend_on_the_length_alone() {
    for (open, _) in NESTS {
        let text: String = open.chars().cycle().take(MAX_TEXT_BYTES / 2).collect();
        let facts = analyse(&text);
        assert!(facts.steps <= 40_000 + 8 * text.len() as u64, "{open}");
    }
}

#[test]
fn a_used_up_budget_is_opaque() {
    let facts = analyse(&"$(a) ".repeat(MAX_TEXT_BYTES / 5));
    assert!(facts.has_opaque(OpaqueKind::Budget));
    assert_eq!(facts.syntax, Syntax::Unfinished);
}

#[test]
fn a_long_text_is_opaque() {
    let facts = analyse(&"a".repeat(MAX_TEXT_BYTES + 1));
    assert!(facts.has_opaque(OpaqueKind::TooLong));
}

/// brush-parser panics on these when it gets them.
#[test]
fn what_hurts_the_second_reading_is_kept_from_it() {
    for text in [
        "a 99999999999>f",
        "a 999999999999999999999999<f",
        "echo ~+99999999999999999999",
        "echo ~99999999999999999999/",
        "echo ${99999999999999999999}",
        "echo {1..99999999999999999999}",
        "echo \"$(echo 99999999999>f)\"",
        "echo 9999\\\n9999999999>f",
    ] {
        let _ = analyse(text);
    }
}
