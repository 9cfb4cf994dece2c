//! The readings over the shared corpora, against CPython's own verdict on the syntax. Nothing is
//! executed: CPython is asked to compile, not to run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::super::{CodeFacts, Syntax, python};
use crate::corpora::{Case, cases};

const FILES: &[(&str, usize)] = &[("humaneval", 164), ("redcode-exec-python", 390)];

/// Compiles each line's program, without running it, and prints whether that went well.
const COMPILE: &str = "\
import json, sys, warnings
warnings.simplefilter('ignore')
for line in sys.stdin:
    try:
        compile(json.loads(line), '<case>', 'exec', dont_inherit=True)
        print('yes')
    except (SyntaxError, ValueError):
        print('no')
";

/// What CPython says of each program; none without a python3.
fn cpython_accepts(cases: &[Case]) -> Option<Vec<bool>> {
    let mut child = Command::new("python3")
        .args(["-I", "-c", COMPILE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().unwrap();
    let mut lines = String::new();
    for case in cases {
        lines.push_str(&serde_json::to_string(&case.code).unwrap());
        lines.push('\n');
    }
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line == "yes").collect())
}

/// Accepted exactly where CPython compiles the program.
#[test]
fn agrees_with_cpython() {
    for (file, number) in FILES {
        let Some(cases) = cases(file) else { return };
        assert_eq!(cases.len(), *number);
        let Some(accepted) = cpython_accepts(&cases) else {
            eprintln!("SKIPPED: no python3 to compare with");
            return;
        };
        assert_eq!(accepted.len(), cases.len());
        let mut differ = Vec::new();
        for (case, accepted) in cases.iter().zip(&accepted) {
            let syntax = python(&case.code).syntax;
            if (syntax == Syntax::Accepted) != *accepted {
                differ.push(format!("{} {syntax:?}", case.id));
            }
        }
        let yes = accepted.iter().filter(|yes| **yes).count();
        eprintln!("{file}: {} programs, CPython accepts {yes}", cases.len());
        assert!(differ.is_empty(), "{differ:#?}");
    }
}

fn mentioned(facts: &CodeFacts) -> BTreeSet<&str> {
    facts.calls.iter().map(|call| call.name.as_str()).collect()
}

/// What the programs of each category call: a table for whoever writes rules.
#[test]
fn shows_what_the_categories_call() {
    for (file, _) in FILES {
        let mut table: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut bytes, mut micros, mut shells) = (0, 0, 0);
        for case in cases(file).unwrap_or_default() {
            let start = Instant::now();
            let facts = python(&case.code);
            micros += start.elapsed().as_micros();
            bytes += case.code.len();
            shells += usize::from(!facts.shell.is_empty());
            assert!(facts.complete, "{}", case.id);
            let row = table.entry(case.category.clone()).or_default();
            for name in mentioned(&facts) {
                if name.contains('.') || matches!(name, "open" | "eval" | "exec") {
                    *row.entry(name.to_owned()).or_default() += 1;
                }
            }
            let found: BTreeSet<&str> = facts.dynamic.iter().map(|d| d.kind.as_str()).collect();
            found
                .iter()
                .for_each(|kind| *kinds.entry(kind).or_default() += 1);
        }
        eprintln!(
            "{file}: {bytes} bytes in {micros} µs; {shells} with commands; dynamic {kinds:?}"
        );
        for (category, row) in table {
            let mut row: Vec<(String, usize)> = row.into_iter().collect();
            row.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
            let shown: Vec<String> = (row.iter().take(9))
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            eprintln!("  {category:>3}  {}", shown.join(", "));
        }
    }
}
