//! Our reading against bash's own, over the shared corpora. Nothing is executed: bash is asked
//! for `-n` (syntax check) and `--pretty-print` (its parse, printed).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::{CommandKind, Origin, ShellFacts, Syntax, analyse};
use crate::corpora::{Case, cases};

const FILES: &[&str] = &["agent-commands", "tldr-commands", "redcode-exec-shell"];

/// Where bash is; asked for before `PATH` is taken away from it.
fn bash_path() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path);
    folders
        .find_map(|folder| Some(folder.join("bash")).filter(|file| file.is_file()))
        .unwrap()
}

/// A bash that reads no startup files and finds no programs.
fn bash(arguments: &[&str]) -> Command {
    let mut command = Command::new(bash_path());
    command
        .args(["--norc", "--noprofile"])
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/nonexistent")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn bash_accepts(code: &str) -> bool {
    let mut command = bash(&["-n", "-c", "--", code]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    // An error inside of `[[ ]]` leaves the status at 0.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success() && said.lines().all(|line| line.contains("warning:"))
}

/// Bash's own parse of the text, printed.
fn bash_prints(code: &str) -> Option<String> {
    let mut child = bash(&["--pretty-print", "/dev/stdin"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(code.as_bytes()).unwrap();
    input.write_all(b"\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What would run, in an order that printing does not change.
fn programs(facts: &ShellFacts) -> Vec<String> {
    let mut found: Vec<String> = facts
        .commands
        .iter()
        .map(|command| {
            let arguments: Vec<String> = command
                .arguments
                .iter()
                .map(|a| a.text.split_whitespace().collect())
                .collect();
            format!("{} {}", command.name, arguments.join("\u{1f}"))
        })
        .collect();
    found.sort();
    found
}

/// The names of commands in bash's printed parse, found without our parser: in this form every
/// command starts a line or follows an operator or a reserved word. None for forms in which words
/// stand in command position that are no commands.
fn printed_names(printed: &str) -> Option<Vec<String>> {
    const AFTER: &[&str] = &[
        "then", "do", "else", "elif", "if", "while", "until", "{", "!", "time", "-p",
    ];
    let odd = [
        "case ", "[[", "((", "<<", "coproc", "=(", "for ", "select ", "function", " () ", "\\\n",
    ];
    if odd.iter().any(|form| printed.contains(form)) {
        return None;
    }
    let mut names = Vec::new();
    let (mut start, mut assigned) = (true, false);
    for token in tokens(printed)? {
        match token.as_str() {
            "\n" | ";" | "|" | "&" | "&&" | "||" | "(" | "|&" => (start, assigned) = (true, false),
            ")" | "}" | "fi" | "done" => {}
            // After an assignment no word is reserved.
            word if start && AFTER.contains(&word) && assigned => return None,
            word if start && AFTER.contains(&word) => {}
            word if start && is_assignment(word) => assigned = true,
            word if start && word.contains(['<', '>']) => return None,
            // Bash prints `a[b c]` as it reads it: one word.
            word if start && word.len() > 1 && word.contains('[') => return None,
            word if start => {
                names.push(word.to_owned());
                start = false;
            }
            _ => {}
        }
    }
    Some(names)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim_end_matches('+').split('[').next().unwrap();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// Words and operators of printed text; quotes and substitutions stay inside of words.
fn tokens(printed: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = printed.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                word.push(c);
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
                word.push(c);
            }
            '"' | '`' => {
                word.push(c);
                loop {
                    match chars.next()? {
                        '\\' => {
                            word.push('\\');
                            word.push(chars.next()?);
                        }
                        '$' if c == '"' && chars.peek() == Some(&'(') => return None,
                        other => {
                            word.push(other);
                            if other == c {
                                break;
                            }
                        }
                    }
                }
            }
            '\\' => {
                word.push(c);
                word.push(chars.next()?);
            }
            '$' | '<' | '>' if chars.peek() == Some(&'(') => {
                // Substitutions are compared by the other test.
                return None;
            }
            ' ' | '\t' => push(&mut tokens, &mut word),
            '>' | '<' => word.push(c),
            '&' if word.ends_with(['>', '<']) => word.push(c),
            '\n' | ';' | '|' | '&' | '(' | ')' => {
                push(&mut tokens, &mut word);
                let mut operator = c.to_string();
                while matches!((c, chars.peek()), ('&', Some('&')) | ('|', Some('|'))) {
                    operator.extend(chars.next());
                    if operator.len() == 2 {
                        break;
                    }
                }
                tokens.push(operator);
            }
            _ => word.push(c),
        }
    }
    push(&mut tokens, &mut word);
    Some(tokens)
}

fn push(tokens: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        tokens.push(std::mem::take(word));
    }
}

/// The commands that stand in the text itself, not behind a wrapper.
fn written(facts: &ShellFacts) -> usize {
    facts
        .commands
        .iter()
        .filter(|c| matches!(c.origin, Origin::Text | Origin::Function) && c.parent.is_none())
        .count()
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Table {
    fn count(&mut self, row: &'static str) {
        *self.rows.entry(row).or_default() += 1;
    }

    fn check(&mut self, case: &Case) {
        self.count("cases");
        let facts = analyse(&case.code);
        let accepted = bash_accepts(&case.code);
        self.count(if accepted {
            "bash accepts"
        } else {
            "bash rejects"
        });
        match (accepted, facts.syntax) {
            (true, Syntax::Accepted) => self.count("both accept"),
            (false, Syntax::Rejected) => self.count("both reject"),
            (_, _) if facts.is_opaque() => self.differ(case, "syntax differs, opaque"),
            (_, _) => self.fail(case, "syntax differs"),
        }
        if accepted {
            self.check_programs(case, &facts);
        }
    }

    fn check_programs(&mut self, case: &Case, facts: &ShellFacts) {
        let Some(printed) = bash_prints(&case.code) else {
            return self.count("bash prints nothing");
        };
        // Bash prints a name that it would not read back.
        let printed = printed.replace("coproc COPROC ", "coproc ");
        if !bash_accepts(&printed) {
            return self.count("bash prints what it would not read back");
        }
        let again = analyse(&printed);
        if programs(facts) == programs(&again) {
            self.count("same programs as in bash's printed parse");
        } else if facts.has_opaque(super::super::OpaqueKind::Disagreement) || facts.is_opaque() {
            self.differ(case, "other programs in bash's printed parse, opaque");
        } else {
            self.fail(case, "other programs in bash's printed parse");
        }
        let Some(names) = printed_names(&printed) else {
            return self.count("names not compared (compound forms)");
        };
        if names.len() == written(facts) {
            self.count("same number of names by a plain scan of the printed parse");
        } else if facts.is_opaque() {
            self.differ(case, "other number of names, opaque");
        } else {
            self.fail(case, "other number of names");
        }
    }

    fn differ(&mut self, case: &Case, row: &'static str) {
        self.count(row);
        if std::env::var_os("LAZARET_SHOW").is_some() {
            eprintln!("{row}: {} {:?}", case.id, case.code);
        }
    }

    fn fail(&mut self, case: &Case, row: &'static str) {
        self.count(row);
        self.failures
            .push(format!("{row}: {} {:?}", case.id, case.code));
    }
}

/// Every disagreement with bash is opaque.
#[test]
fn agrees_with_bash() {
    for file in FILES {
        let mut table = Table::default();
        for case in cases(file).unwrap_or_default() {
            table.check(&case);
        }
        eprintln!("{file}");
        for (row, count) in &table.rows {
            eprintln!("  {count:>6}  {row}");
        }
        assert!(table.failures.is_empty(), "{:#?}", table.failures);
    }
}

/// The kinds of opaque facts in the corpora: what a policy has to name.
#[test]
fn counts_opaque_kinds() {
    for file in FILES {
        let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
        let Some(all) = cases(file) else { return };
        for case in &all {
            let facts = analyse(&case.code);
            let mut found: Vec<_> = facts.opaque.iter().map(|o| o.kind).collect();
            found.sort_unstable();
            found.dedup();
            for kind in found {
                *kinds.entry(kind.as_str()).or_default() += 1;
            }
            *kinds.entry("(none)").or_default() += usize::from(!facts.is_opaque());
            let unknown = |kind| matches!(kind, CommandKind::Unknown);
            *kinds.entry("(name unknown)").or_default() +=
                usize::from(facts.commands.iter().any(|c| unknown(c.kind)));
            if std::env::var_os("LAZARET_SHOW").is_some() {
                for opaque in &facts.opaque {
                    eprintln!(
                        "{}: {} {:?} in {:?}",
                        case.id, opaque.kind, opaque.about, case.code
                    );
                }
            }
        }
        eprintln!("{file}: {} cases", all.len());
        for (kind, count) in &kinds {
            eprintln!("  {count:>6}  {kind}");
        }
    }
}

/// Pieces of texts that are put together at random. Without `time`: bash prints `>x time` as
/// `time > x`, which is another command.
const FRAGMENTS: &[&str] = &[
    "a",
    "b c",
    " ",
    " ",
    "\n",
    ";",
    "&",
    "|",
    "&&",
    "||",
    "(",
    ")",
    "{ ",
    " }",
    "$(",
    "`",
    "\"",
    "'",
    "\\",
    "\\\n",
    "$",
    "${x",
    "}",
    "$((",
    "))",
    "((",
    "[[ ",
    " ]]",
    "<",
    ">",
    "<<E",
    "\nE\n",
    "<<-'F'",
    "\n\tF\n",
    "<<<",
    "<(",
    ">&2",
    "2>",
    "if ",
    "; then ",
    "; fi",
    "for i in ",
    "; do ",
    "; done",
    "while ",
    "case x in ",
    "x) ",
    ";; ",
    "esac",
    "f() ",
    "function g ",
    "coproc ",
    "! ",
    "#",
    "x=",
    "x[",
    "]",
    "=(",
    "*",
    "~",
    "{a,b}",
    "$'",
    "\\'",
    "$\"",
    "eval ",
    "exec ",
    "declare ",
    "=~ ",
    "== ",
    "+=",
    "&>",
    "|&",
    ";&",
    "select ",
    "in",
    "-eq ",
    "\r",
    "é",
    "$[",
    "@(",
    "@",
    "#x",
    "1>",
];

/// A generator of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }

    fn text(&mut self) -> String {
        let length = 2 + self.below(12);
        (0..length)
            .map(|_| FRAGMENTS[self.below(FRAGMENTS.len())])
            .collect()
    }
}

/// Texts that nobody writes, against bash: no disagreement without an opaque fact.
#[test]
fn agrees_with_bash_on_random_texts() {
    let cases: usize = std::env::var("LAZARET_RANDOM_CASES").map_or(1_500, |n| n.parse().unwrap());
    let seed: u64 = std::env::var("LAZARET_SEED").map_or(1, |n| n.parse().unwrap());
    let mut numbers = Numbers(seed);
    let mut table = Table::default();
    for number in 0..cases {
        let code = numbers.text();
        table.check(&Case {
            id: format!("random-{number}"),
            code,
            ..Case::default()
        });
    }
    eprintln!("random texts");
    for (row, count) in &table.rows {
        eprintln!("  {count:>6}  {row}");
    }
    assert!(table.failures.is_empty(), "{:#?}", table.failures);
}

/// The forms of the other tests, against bash itself and not our memory of it.
#[test]
fn agrees_with_bash_on_written_forms() {
    let mut table = Table::default();
    let forms = super::readings::ACCEPTED
        .iter()
        .chain(super::readings::REJECTED);
    for code in forms {
        let accepted = bash_accepts(code);
        let expected = super::readings::ACCEPTED.contains(code);
        assert_eq!(accepted, expected, "bash accepts {code:?}");
        table.check(&Case {
            id: "form".to_owned(),
            code: (*code).to_owned(),
            ..Case::default()
        });
    }
    assert!(table.failures.is_empty(), "{:#?}", table.failures);
}
