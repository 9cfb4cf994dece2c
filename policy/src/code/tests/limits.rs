//! Hostile texts: nesting to any depth, length, and anything at all.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{CodeFacts, MAX_TEXT_BYTES, Reason, Syntax, javascript, python};

/// What a text may take in these tests on a busy machine: ten times what is promised.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every way to nest in Python: what is repeated, and what ends it.
const PYTHON: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("[", "1", "]"),
    ("{", "1", "}"),
    ("f(", "1", ")"),
    ("a[", "1", "]"),
    ("{1:", "1", "}"),
    ("-", "1", ""),
    ("- ", "1", ""),
    ("~", "1", ""),
    ("not ", "1", ""),
    ("await ", "x", ""),
    ("lambda:", "1", ""),
    ("lambda x=", "1", ":1"),
    ("1 if 1 else ", "1", ""),
    ("", "1", " if 1 else 1"),
    ("x.", "y", ""),
    ("f", "", "()"),
    ("f", "", "[0]"),
    ("1+", "1", ""),
    ("1**", "1", ""),
    ("1<", "1", ""),
    ("1 and ", "1", ""),
    ("1 or not ", "1", ""),
    ("x=", "1", ""),
    ("(x:=", "1", ")"),
    ("*", "x", ""),
    ("yield ", "x", ""),
    ("yield from ", "x", ""),
    ("f'{", "x", "}'"),
    ("f\"{", "x", "}\""),
    ("f'{x:{", "x", "}}'"),
    ("'' ", "''", ""),
    ("if x:", "x", ""),
    ("with (", "x", ")"),
    ("[x for x in ", "y", "]"),
    ("match (", "x", ")"),
    ("case (", "x", ")"),
    ("case [", "x", "]"),
    ("@", "x", ""),
    ("@x\n", "def f(): pass", ""),
    ("for x in ", "x", ""),
    ("async ", "x", ""),
    ("else ", "x", ""),
    ("import a.", "b", ""),
    ("type X[", "T", "]"),
    ("def f(x:", "T", ")"),
    ("class A(", "T", ")"),
    ("\\\n", "x", ""),
    ("'(", "", ""),
    ("\"\"\"(", "x", ")"),
    ("x;", "", ""),
    ("if x: pass\nelif y:\n ", "x", ""),
    ("try:\n", "x", ""),
    ("(\n", "x", ")\n"),
];

/// Every way to nest in JavaScript and TypeScript.
const JAVASCRIPT: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("[", "1", "]"),
    ("{", "", "}"),
    ("({a:", "1", "})"),
    ("f(", "1", ")"),
    ("a[", "1", "]"),
    ("!", "1", ""),
    ("-", "1", ""),
    ("- ", "1", ""),
    ("~", "1", ""),
    ("typeof ", "1", ""),
    ("void ", "1", ""),
    ("delete ", "1", ""),
    ("await ", "1", ""),
    ("new ", "x", ""),
    ("x=>", "1", ""),
    ("async x=>", "1", ""),
    ("(x)=>", "1", ""),
    ("(x=", "1", ")=>1"),
    ("a?", "1", ":1"),
    ("a?b:", "1", ""),
    ("a?(b):", "1", ""),
    ("a?(b)=>(", "1", "):1"),
    ("(a?b:c)=>", "1", ""),
    ("a?(b?c:d)=>1:", "1", ""),
    ("a?(", "1", "):1"),
    ("a?(b,", "1", "):(c)"),
    ("x=", "1", ""),
    ("1+", "1", ""),
    ("1**", "1", ""),
    ("a&&", "1", ""),
    ("a??", "1", ""),
    ("a,", "1", ""),
    ("x.", "y", ""),
    ("x?.", "y", ""),
    ("f", "", "()"),
    ("f", "", "[0]"),
    ("f", "", "``"),
    ("`${", "1", "}`"),
    ("if(x)", ";", ""),
    ("if(x){", "", "}"),
    ("if(x);else ", ";", ""),
    ("while(x)", ";", ""),
    ("for(;;)", ";", ""),
    ("do ", ";", " while(x)"),
    ("with(x)", ";", ""),
    ("a:", ";", ""),
    ("try{", "", "}finally{}"),
    ("switch(x){case 1:", "", "}"),
    ("function f(){", "", "}"),
    ("(function(){", "", "})"),
    ("class A{m(){", "", "}}"),
    ("class A extends ", "B", "{}"),
    ("class A{[", "1", "]=1}"),
    ("class A{static{", "", "}}"),
    ("let[", "x", "]=1"),
    ("[", "x", "]=1"),
    ("({a:", "x", "}=1)"),
    ("<a>", "x", "</a>"),
    ("<a b={", "1", "}/>"),
    ("<a>{", "1", "}</a>"),
    ("<T>", "x", ""),
    ("<T,>(x)=>", "x", ""),
    ("let x:", "T", ""),
    ("type X=A<", "T", ">"),
    ("A<", "T", ">"),
    ("f<", "T", ">()"),
    ("f(a<", "b", ">(c))"),
    ("let x:(", "T", ")"),
    ("let x:[", "T", "]"),
    ("let x:{a:", "T", "}"),
    ("type X=keyof ", "T", ""),
    ("type X=T", "", "[]"),
    ("type X=A extends B?", "T", ":C"),
    ("type X=A extends B?C:", "T", ""),
    ("type X=()=>", "T", ""),
    ("type X=(a:", "T", ")=>U"),
    ("(a):b=>", "1", ""),
    ("a?(b):c=>", "1", ":1"),
    ("a?(b):c=>(", "1", "):1"),
    ("namespace A{", "", "}"),
    ("x as ", "T", ""),
    ("x!", "", "!"),
    ("@(", "x", ")class A{}"),
    ("@a ", "class A{}", ""),
    ("import(", "x", ")"),
    ("async(", "x", ")"),
    ("async(x=", "1", ")=>1"),
    ("yield ", "x", ""),
    ("/", "", "/"),
    ("/(", "", ")/"),
    ("/[", "", "]/"),
    ("x;", "", ""),
    ("'(", "", ""),
    ("<!--", "", ""),
    ("enum A{a=", "1", "}"),
];

fn check(read: fn(&str) -> CodeFacts, form: (&str, &str, &str), depth: usize) {
    let (open, middle, close) = form;
    let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
    for text in [text, open.repeat(depth)] {
        let start = Instant::now();
        let facts = read(&text);
        let took = start.elapsed();
        assert!(took < PATIENCE, "{form:?} {depth}: {took:?}");
        if text.len() > MAX_TEXT_BYTES {
            assert_eq!(
                facts.syntax,
                Syntax::Unfinished(Reason::TooLong),
                "{form:?}"
            );
        }
        assert!(facts.complete || facts.syntax != Syntax::Accepted || depth > 1_000);
    }
}

/// From shallow to 100,000 levels: an answer every time, on the 2 MB of a test's thread.
#[test]
fn python_nesting_of_every_kind_ends() {
    for form in PYTHON {
        for depth in [1, 10, 60, 150, 199, 300, 1_000, 10_000, 40_000, 100_000] {
            check(python, *form, depth);
        }
    }
}

/// The same for JavaScript.
#[test]
fn javascript_nesting_of_every_kind_ends() {
    for form in JAVASCRIPT {
        for depth in [
            1, 10, 25, 60, 99, 150, 199, 300, 1_000, 10_000, 40_000, 100_000,
        ] {
            check(javascript, *form, depth);
        }
    }
}

/// The guard takes the text for a template; the parser does not.
#[test]
fn javascript_nesting_behind_a_regular_expression_ends() {
    for form in JAVASCRIPT {
        for lead in ["x = {} / 1 /`/;\n", "a++ /`/ 1;\n", "if (x) /`/;\n"] {
            let units = (100_000 / form.0.len().max(1)).min(40_000);
            let text = format!("{lead}{}", form.0.repeat(units));
            let start = Instant::now();
            javascript(&text);
            assert!(start.elapsed() < PATIENCE, "{form:?} {lead}");
        }
    }
}

/// The same where the guard is misled about where a string ends: the stack is enough.
#[test]
fn python_nesting_behind_a_string_ends() {
    for form in PYTHON {
        // To the guard, the rest of the text is inside of a string of three quotes.
        for lead in [
            "f'{\"\"\"'''\"}'\n",
            "f\"{'''\"\"\"'''}{'\"\"\"'}\"\n",
            "'''\n",
        ] {
            let units = (100_000 / form.0.len().max(1)).min(40_000);
            let text = format!("{lead}{}", form.0.repeat(units));
            let start = Instant::now();
            python(&text);
            assert!(start.elapsed() < PATIENCE, "{form:?}");
        }
    }
}

#[test]
fn python_blocks_end() {
    for depth in [10_usize, 90, 300, 400] {
        let text: String = (0..depth).map(|n| " ".repeat(n) + "if x:\n").collect();
        let text = format!("{text}{}pass\n", " ".repeat(depth));
        let deep = python(&text).syntax == Syntax::Unfinished(Reason::TooDeep);
        assert_eq!(deep, depth >= 300, "{depth}");
    }
}

#[test]
fn long_texts_are_unfinished() {
    let text = "x\n".repeat(MAX_TEXT_BYTES);
    for facts in [python(&text), javascript(&text)] {
        assert_eq!(facts.syntax, Syntax::Unfinished(Reason::TooLong));
        assert!(!facts.complete && facts.is_dynamic());
    }
}

/// Full lists are incomplete, never silent.
#[test]
fn full_lists_say_so() {
    let text: String = (0..5_000).map(|n| format!("import m{n}\n")).collect();
    let facts = python(&text);
    assert!(!facts.complete && facts.imports.len() < 5_000);
    let few: String = (0..500).map(|n| format!("import m{n}\n")).collect();
    let facts = python(&few);
    assert!(facts.complete && facts.imports.len() == 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn reads_anything(text in "\\PC{0,200}") {
        for read in [python, javascript] {
            prop_assert_eq!(read(&text), read(&text));
        }
    }

    #[test]
    fn reads_pieces(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "import ", "os", " as ", "x", "=", "(", ")", "[", "]", "{", "}", "'", "\"", "\n",
            " ", ".", ",", "f'", "{x}", "eval", "getattr", "lambda", ":", "if ", "else ", "\\",
            "`", "${", "/", "=>", "require", "const ", "async ", "await ", "class ", "<", ">",
            "?", "\u{e9}", "\0", "\r", "\t", "#", "//", "/*", "*/", "import(", "function ",
        ]), 0..60)) {
        let text = parts.concat();
        for read in [python, javascript] {
            let facts = read(&text);
            prop_assert!(facts.complete || facts.syntax != Syntax::Accepted);
            prop_assert_eq!(facts, read(&text));
        }
    }
}

/// Found by the fuzzer: after an error a parser goes on with names that are empty.
#[test]
fn a_name_that_is_missing_is_not_known() {
    let odd = "exec: = x\r\0\0\0\0\0\0\0\0syst\0\0\0syst = ";
    for text in [odd, "exec: = x", "f(\n = x", "import\nx. ()"] {
        for read in [python, javascript] {
            let facts = read(text);
            assert!(
                facts.calls.iter().all(|call| !call.name.is_empty()),
                "{text:?}"
            );
        }
    }
}
