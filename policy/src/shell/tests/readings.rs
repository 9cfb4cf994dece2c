//! What our reader accepts, in the forms that other readers get wrong.

use super::super::{OpaqueKind, Syntax, analyse};

/// Forms that bash accepts.
pub(super) const ACCEPTED: &[&str] = &[
    "",
    "#",
    "a;",
    "a&",
    "a\n\n b",
    "case x in (a|b) c;; d) ;; esac",
    "case x in esac",
    "case x in a) b ;& c) d ;;& *) e; esac",
    "if a; then b; elif c; then d; else e; fi > x",
    "for i; do a; done",
    "for i in; do a; done",
    "for i in a b\ndo a; done",
    "for ((;;)) { a; }",
    "f() (a)",
    "function f { a; } 2>x",
    "f ()\n{ a; }",
    "! ! a",
    "time",
    "time -p a | b",
    "a=(1 2\n3 [4]=5) b+=x c[1]=y cmd",
    "declare -a x=(1 2)",
    "((a=1)) && ((b))",
    "((a) | b)",
    "$((a))",
    "echo $((a)|b)",
    "[[ a && ( b || ! -f c ) ]]",
    "[[ $x =~ ^(a|b)+$ ]]",
    "[[ a < b ]]",
    "[[ a == @(b|c) ]]",
    "a 2>&1 >|b <>c &>d",
    "a {fd}>b",
    "a <<< b",
    "a <<E; b\nx\nE\nc",
    "a <<E <<F\nx\nE\ny\nF",
    "cat <<E",
    "echo }",
    "echo a#b",
    "a |& b",
    "coproc a { b; }",
    "select x in a; do b; done",
    "echo \"a`b \\\"c\\\"`d\"",
    "echo ${a//\\//\\}}",
    "while read a; do b; done < <(c)",
    "a\\\nb",
    "{ a; } | ( b )",
    "echo $(case x in a) b;; esac)",
    "echo $(# comment )\na)",
];

#[test]
fn accepts_what_bash_accepts() {
    for text in ACCEPTED {
        let facts = analyse(text);
        assert_eq!(
            facts.syntax,
            Syntax::Accepted,
            "{text:?}: {:?}",
            facts.opaque
        );
    }
}

/// Forms that bash rejects.
pub(super) const REJECTED: &[&str] = &[
    ";",
    "a;;",
    "a &&",
    "| a",
    "a | ",
    "(",
    ")",
    "a)",
    "{ a",
    "if a; then fi",
    "while a; done",
    "case x in a b) c;; esac",
    "'a",
    "\"a",
    "$(a",
    "`a",
    "${a",
    "a >",
    "[[ a",
    "f() a",
    "()",
    "a ( b",
    "for i in a do b; done",
    "then",
    "done",
    "&",
    "a & & b",
    "(( a )",
    "a | ! b",
    "do",
    "} a",
];

#[test]
fn rejects_what_bash_rejects() {
    for text in REJECTED {
        let facts = analyse(text);
        assert_eq!(facts.syntax, Syntax::Rejected, "{text:?}");
        assert!(facts.has_opaque(OpaqueKind::Rejected));
    }
}

#[test]
fn pipelines_name_their_members() {
    let facts = analyse("a | b | c; d");
    assert_eq!(facts.pipelines, vec![vec![0, 1, 2]]);
}

#[test]
fn plain_commands_are_not_opaque() {
    for text in [
        "ls -la /tmp | sort -k5 -n | head -n 3",
        "grep -rn 'x y' src && echo done > out.txt",
        "sudo apt-get install -y curl",
        "find . -name '*.rs' -newer x",
        "git log --oneline -5",
        "cd src && make test >log 2>&1 || cat log",
        "case x in a) ls;; esac",
    ] {
        let facts = analyse(text);
        let unexpected: Vec<_> = facts.opaque.iter().filter(|o| o.about != "make").collect();
        assert!(unexpected.is_empty(), "{text:?}: {unexpected:?}");
    }
}

#[test]
fn every_kind_of_opaque_has_its_own_name() {
    let mut names: Vec<_> = OpaqueKind::ALL.iter().map(|kind| kind.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), OpaqueKind::ALL.len());
}

/// Found by the fuzzer: words after a wrapper lost how much of them is known.
#[test]
fn what_is_literal_is_known_whole() {
    for text in [
        "env A=1 ls b",
        "sudo -u x cat c",
        "xargs grep d",
        "echo a b",
    ] {
        let facts = analyse(text);
        let arguments = facts.commands.iter().flat_map(|command| &command.arguments);
        for argument in arguments.filter(|argument| argument.is_literal()) {
            assert_eq!(argument.known_prefix_bytes, argument.text.len(), "{text}");
        }
    }
}
