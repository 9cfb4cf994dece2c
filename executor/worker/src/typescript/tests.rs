//! What becomes of TypeScript: texts side by side, and that nothing moves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::to_javascript;

/// Each text with what is left of it.
const ERASED: &[(&str, &str)] = &[
    ("let x: number = 1", "let x         = 1"),
    ("let x!: string;", "let x         ;"),
    (
        "function f(a?: string, b = 2): void {}",
        "function f(a         , b = 2)       {}",
    ),
    (
        "function f(this: Window, a: T) {}",
        "function f(              a   ) {}",
    ),
    (
        "const f = <T,>(x: T): T => x;",
        "const f =     (x   )    => x;",
    ),
    (
        "f<string>(a!, b as any, <T>c)",
        "f        (a , b       ,    c)",
    ),
    (
        "let m = new Map<string, number[]>()",
        "let m = new Map                  ()",
    ),
    (
        "let o = { a: 1 } satisfies T;",
        "let o = { a: 1 }            ;",
    ),
    ("type A = string;", ";               "),
    ("interface B { c: D }", ";                   "),
    ("export type A = 1", ";                "),
    ("import type { A } from 'a'", ";                         "),
    (
        "import { type A, b } from 'a'",
        "import {         b } from 'a'",
    ),
    ("export { type A, b }", "export {         b }"),
    ("declare const x: number;", ";                       "),
    ("declare module 'a' { }", ";                     "),
    (
        "namespace N { export type A = 1 }",
        ";                                ",
    ),
    (
        "abstract class A<T> extends B<T> implements C, D {}",
        "         class A    extends B                    {}",
    ),
    (
        "class A { private readonly x: number = 1; }",
        "class A {                  x         = 1; }",
    ),
    (
        "class A { static x?: number }",
        "class A { static x          }",
    ),
    (
        "class A { abstract f(): void; g() {} }",
        "class A { ;                   g() {} }",
    ),
    (
        "class A { [key: string]: any }",
        "class A { ;                  }",
    ),
    (
        "class A { declare x: number; y = 1 }",
        "class A { ;                  y = 1 }",
    ),
    (
        "class A { f?(a: T): void {} }",
        "class A { f (a   )       {} }",
    ),
    (
        "function f(a: string): void;\nfunction f(a: any) {}",
        ";                           \nfunction f(a     ) {}",
    ),
    (
        "try {} catch (e: unknown) {}",
        "try {} catch (e         ) {}",
    ),
    ("let x = y as const", "let x = y         "),
    (
        "for (const x of y as T[]) {}",
        "for (const x of y       ) {}",
    ),
    ("let x: 'é😀' = 1", "let x        = 1"),
    (
        "enum E { A, B = 5, C }",
        "var E = ((E) => ([ E[E[\"A\"] = 0] = \"A\", typeof (E[\"B\"] = 5) === \"string\" || (E[E[\"B\"]] = \"B\"), E[E[\"C\"] = 6] = \"C\" ], E))(E || {});",
    ),
    (
        "enum E { A = 'a' }",
        "var E = ((E) => ([ E[\"A\"] = 'a' ], E))(E || {});",
    ),
    (
        "enum E { A = 1, B = A << 1 }",
        "var E = ((E) => ([ typeof (E[\"A\"] = 1) === \"string\" || (E[E[\"A\"]] = \"A\"), typeof (E[\"B\"] = E.A << 1) === \"string\" || (E[E[\"B\"]] = \"B\") ], E))(E || {});",
    ),
    (
        "class A { constructor(private x: number, y: T) {} }",
        "class A { constructor(        x        , y   ) { this.x = x;} }",
    ),
    (
        "class A extends B { constructor(readonly x: T) { super(); f() } }",
        "class A extends B { constructor(         x   ) { super();; this.x = x; f() } }",
    ),
];

/// Texts that JavaScript would read on into the next line.
const CLOSED: &[(&str, &str)] = &[
    (
        "let a = 1\ntype B = string\n(c as any).d()",
        "let a = 1\n;              \n(c       ).d()",
    ),
    (
        "let a = b as any\n;[1].map(f)",
        "let a = b       \n;[1].map(f)",
    ),
    ("let a: any\n(b)", "let a    ;\n(b)"),
    ("a = b as any\n[1].map(f)", "a = b      ;\n[1].map(f)"),
];

#[test]
fn types_become_blanks() {
    for (text, wanted) in ERASED.iter().chain(CLOSED) {
        assert_eq!(to_javascript(text).as_deref(), Ok(*wanted), "{text}");
    }
}

#[test]
fn an_arrow_stays_with_its_brackets() {
    let text = "let f = (a): {\n  b: c\n} => a";
    assert_eq!(
        to_javascript(text).unwrap(),
        "let f = (a    \n      \n) => a"
    );
}

#[test]
fn lines_stay_where_they_are() {
    for (text, _) in ERASED.iter().chain(CLOSED) {
        let breaks = |text: &str| text.matches('\n').count();
        assert_eq!(
            breaks(&to_javascript(text).unwrap()),
            breaks(text),
            "{text}"
        );
    }
}

#[test]
fn javascript_stays_as_it_is() {
    let text = "#!/usr/bin/env node\n'use strict';\nclass A { #x = 1; static { a?.b ?? c } }\nlet re = /[<>]/g, t = `a${b < c}`;\n";
    assert_eq!(to_javascript(text).unwrap(), text);
}

#[test]
fn what_cannot_be_erased_is_refused_with_its_place() {
    for (text, line, said) in [
        (
            "let a = 1;\nnamespace N { export const b = 1 }",
            2,
            "namespace with values",
        ),
        ("\n\n@d class A {}", 3, "decorator"),
        ("import a = require('a')", 1, "`import =`"),
        ("export = 1", 1, "`export =`"),
        ("class A { accessor x = 1 }", 1, "accessor"),
        ("enum E { A = 'a', B }", 1, "must have a value"),
    ] {
        let Err(refused) = to_javascript(text) else {
            panic!("`{text}` was taken");
        };
        let report = refused.report(text, "main.ts");
        assert!(report.starts_with(&format!("main.ts:{line}\n")), "{report}");
        assert!(report.contains(said), "{report}");
    }
}

#[test]
fn an_error_of_syntax_shows_its_line() {
    let text = "let a: number = 1;\nlet b: = 2;\n";
    let report = to_javascript(text).unwrap_err().report(text, "main.ts");
    assert!(
        report.starts_with("main.ts:2\nlet b: = 2;\n       ^\n"),
        "{report}"
    );
}

#[test]
fn nesting_without_end_is_refused_or_read() {
    for text in [
        "(".repeat(100_000),
        "[".repeat(16_000),
        "a<".repeat(500),
        "!".repeat(16_000),
        "{".repeat(16_000),
    ] {
        assert!(to_javascript(&text).is_err());
    }
    let sum = vec!["1"; 8_000].join("+");
    assert_eq!(to_javascript(&sum).as_deref(), Ok(sum.as_str()));
}
