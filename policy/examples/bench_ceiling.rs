//! Prints how long the worst of a list of hostile inputs take, each repeated to the longest text
//! that is read, from raw JSON to the decision under a policy that asks for every fact.
//!
//! Not a test: a shared machine has no say in whether the crate is right. That any input ends is
//! held by step budgets, which the fuzz oracles count; here is what a step costs.
//!
//! `bench_ceiling` prints a table. `bench_ceiling NAME [TIMES]` prints nothing and is for a
//! profiler that counts instructions.
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::{CallId, Policy, Profiles, ToolCall, decide, shipped};
use serde_json::json;

/// The longest shell text that is read, and the longest input of the promise.
const BYTES: usize = 64 * 1024;
/// The best of so many, as others share the machine.
const ROUNDS: usize = 9;
/// The promise for any input, on a quiet machine.
const CEILING: Duration = Duration::from_millis(10);
/// Rows that are shown: the slowest.
const SHOWN: usize = 20;

/// Asks for everything that can be read out of a call.
const POLICY: &str = r#"
version = 1
name = "everything"

[[tool]]
name = "fetch"
roles = { url = "url" }

[[rule]]
id = "everything"
effect = "allow"
run = "container-offline"
match = { tool = { glob = "*" } }
unless = { "code.syntax" = "x", "input.chars" = 1 }
reason = "everything is asked for"

[[rule]]
id = "commands"
effect = "allow"
run = "container-offline"
match = { tool = "run_command", "command.name" = { regex = "^[a-z]" } }
reason = "everything is asked for"

[[rule]]
id = "hosts"
effect = "allow"
run = "container-offline"
match = { tool = "run_command", "host.name" = { regex = "^[a-z]" } }
reason = "everything is asked for"

[[rule]]
id = "opaque"
effect = "allow"
run = "container-offline"
match = { tool = "run_command", "opaque.kind" = { exists = true } }
reason = "everything is asked for"

[[rule]]
id = "finds"
effect = "deny"
match = { "secret.kind" = "x", "unicode.kind" = "x", "encoding.kind" = "x" }
reason = "everything is asked for"
"#;

#[derive(Clone, Copy, PartialEq)]
enum Is {
    Shell,
    Python,
    JavaScript,
    Path,
    Url,
}

/// What is repeated; `%n` stands for the number of the repetition.
const UNITS: &[(Is, &str, &str)] = &[
    (Is::Shell, "letters", "a"),
    (Is::Shell, "commands", "ls -la /tmp; "),
    (Is::Shell, "pipes", "a|"),
    (Is::Shell, "words", "a "),
    (Is::Shell, "options", "a --a%n "),
    (Is::Shell, "one command's options", "--a%n "),
    (Is::Shell, "one command's short options", "-abcdefgh "),
    (Is::Shell, "substitutions", "$(a) "),
    (Is::Shell, "unknown commands", "$a;"),
    (Is::Shell, "unknown words", "a $a;"),
    (Is::Shell, "open parentheses", "("),
    (Is::Shell, "open arithmetic", "$(("),
    (Is::Shell, "open subshells", "( "),
    (Is::Shell, "open substitutions", "$("),
    (Is::Shell, "back-ticks", "`"),
    (Is::Shell, "escaped back-ticks", "\\`"),
    (Is::Shell, "double quotes", "\"$("),
    (Is::Shell, "braces", "{a,"),
    (Is::Shell, "brace products", "{a,b}"),
    (Is::Shell, "brace ranges", "{1..400} "),
    (Is::Shell, "open braces", "{"),
    (Is::Shell, "parameters", "${a:-"),
    (Is::Shell, "here-documents", "<<a "),
    (Is::Shell, "nested shells", "sh -c 'a' ; "),
    (Is::Shell, "assignments", "a[b"),
    (Is::Shell, "settings", "a%n=b;"),
    (Is::Shell, "exports", "export a%n=b;"),
    (Is::Shell, "if", "if a; then "),
    (Is::Shell, "case", "case a in a) "),
    (Is::Shell, "tests", "[[ ( "),
    (Is::Shell, "single brackets", "[ a ];"),
    (Is::Shell, "sudo", "sudo "),
    (Is::Shell, "xargs", "xargs "),
    (Is::Shell, "env", "env A%n=b "),
    (Is::Shell, "find", "-exec a {} ; "),
    (Is::Shell, "eval", "eval "),
    (Is::Shell, "evals", "eval a;"),
    (Is::Shell, "awk", "awk '{print | \"a\"}'; "),
    (Is::Shell, "sed", "sed 's/a/b/e'; "),
    (Is::Shell, "sed scripts", "sed 's/a/b/w f%n'; "),
    (Is::Shell, "perl", "perl -e 'a'; "),
    (Is::Shell, "functions", "f(){ a; }; "),
    (Is::Shell, "many functions", "f%n(){ a; }; f%n; "),
    (Is::Shell, "directories", "cd a%n; "),
    (Is::Shell, "alternatives", "cd a || cd b; "),
    (Is::Shell, "redirections", ">a%n;"),
    (Is::Shell, "redirections of one", ">a%n "),
    (Is::Shell, "unicode", "\u{200b}é"),
    (Is::Shell, "globs", "*[a] "),
    (Is::Shell, "hosts", "h%n.co "),
    (Is::Shell, "urls", "curl h%n.co;"),
    (Is::Shell, "addresses", "nc 1.2.3.4 1;"),
    (Is::Shell, "git", "git -c a.b=c d;"),
    (Is::Shell, "aliases", "git -c alias.a=!b a;"),
    (Is::Shell, "ssh", "ssh a b;"),
    (Is::Shell, "paths", "../a%n "),
    (Is::Shell, "long path", "../a/"),
    (Is::Shell, "home", "~/a;"),
    (Is::Shell, "quotes", "''"),
    (Is::Shell, "comments", "#\n"),
    (Is::Shell, "lines", "\\\n"),
    (Is::Shell, "hidden", "a\u{200b}b "),
    (Is::Shell, "mixed scripts", "аa "),
    (Is::Shell, "base64", "YWFhYWFhYWFhYWFhYWFhYWFh "),
    (Is::Shell, "hex", "61616161616161616161616161 "),
    (Is::Shell, "secrets", "AKIAIOSFODNN7EXAMPLE "),
    (Is::Shell, "keys", "password = 'a1b2c3d4e5f6' "),
    (Is::Python, "python names", "a%n=b\n"),
    (Is::Python, "python aliases", "a%n=b%n=c\n"),
    (Is::Python, "python chain", "a=a.b\n"),
    (Is::Python, "python two names", "a=b\nb=a\n"),
    (Is::Python, "python calls", "a()\n"),
    (Is::Python, "python chained calls", "a()."),
    (Is::Python, "python many meanings", "a=b%n\n"),
    (Is::Python, "python members of many", "a=b%n.c\na.d()\n"),
    (Is::Python, "python imports", "import a%n\n"),
    (Is::Python, "python stars", "from a%n import *\n"),
    (Is::Python, "python texts", "'a'+"),
    (Is::Python, "python joined", "a='a'+a\n"),
    (Is::Python, "python doubled", "a=a+a\n"),
    (Is::Python, "python f-strings", "f'{a}{b}'\n"),
    (Is::Python, "python formats", "a='%s'%a\n"),
    (Is::Python, "python lists", "[a,"),
    (Is::Python, "python wide list", "'a%n',"),
    (Is::Python, "python numbers", "1,"),
    (Is::Python, "python paths", "'/a%n/b',"),
    (Is::Python, "python hosts", "'http://h%n.co/',"),
    (Is::Python, "python shell", "os.system('a%n')\n"),
    (Is::Python, "python functions", "def a():pass\n"),
    (Is::Python, "python lambdas", "lambda:"),
    (Is::Python, "python getattr", "getattr(a,'b')()\n"),
    (Is::Python, "python eval", "eval(a)\n"),
    (Is::Python, "python attributes", ".a"),
    (Is::Python, "python comparisons", "a<"),
    (Is::Python, "python operators", "-"),
    (Is::Python, "python errors", "$\n"),
    (Is::Python, "python errors in brackets", "($)"),
    (Is::Python, "python open strings", "'\n"),
    (Is::Python, "python blocks", "if a:\n b\n"),
    (Is::JavaScript, "javascript names", "a%n=b;"),
    (Is::JavaScript, "javascript lets", "let a%n=b;"),
    (Is::JavaScript, "javascript chain", "a=a.b;"),
    (Is::JavaScript, "javascript two names", "a=b;b=a;"),
    (Is::JavaScript, "javascript calls", "a();"),
    (Is::JavaScript, "javascript chained calls", ".a()"),
    (Is::JavaScript, "javascript many meanings", "a=b%n;"),
    (Is::JavaScript, "javascript requires", "require('a%n');"),
    (Is::JavaScript, "javascript texts", "'a'+"),
    (Is::JavaScript, "javascript joined", "a='a'+a;"),
    (Is::JavaScript, "javascript templates", "`${a}`;"),
    (Is::JavaScript, "javascript arrows", "a=>"),
    (Is::JavaScript, "javascript wide list", "'a%n',"),
    (Is::JavaScript, "javascript regexes", "/a/;"),
    (Is::JavaScript, "javascript errors", "@;"),
    (Is::JavaScript, "javascript open", "("),
    (Is::JavaScript, "javascript blocks", "{}"),
    (Is::JavaScript, "javascript functions", "function a%n(){}"),
    (Is::Path, "path up", "../"),
    (Is::Path, "path names", "a/"),
    (Is::Path, "path dots", "./"),
    (Is::Path, "path slashes", "/"),
    (Is::Url, "url dots", "a."),
    (Is::Url, "url ats", "a@"),
    (Is::Url, "url escapes", "%61"),
    (Is::Url, "url unicode", "é."),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let policy = Policy::load("everything.toml", POLICY, &profiles).unwrap();
    match words.split_first() {
        None => table(&policy),
        Some((name, times)) => {
            let unit = UNITS.iter().find(|(_, unit, _)| unit == name).unwrap();
            let line = line(unit);
            let times = times.first().map_or(1, |times| times.parse().unwrap());
            (0..times).for_each(|_| judge(&policy, &line));
        }
    }
}

fn table(policy: &Policy) {
    let mut times: Vec<(Duration, &str)> = UNITS
        .iter()
        .map(|unit| (best(policy, &line(unit)), unit.1))
        .collect();
    times.sort_by(|a, b| b.cmp(a));
    println!(
        "{} inputs of {BYTES} bytes, best of {ROUNDS}; the slowest:",
        UNITS.len()
    );
    for (time, name) in times.iter().take(SHOWN) {
        let word = if *time <= CEILING { "met" } else { "MISSED" };
        println!("{:<32} {:>8.2} ms  {word}", name, time.as_secs_f64() * 1e3);
    }
}

fn best(policy: &Policy, line: &str) -> Duration {
    let timed = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        judge(policy, line);
        started.elapsed()
    });
    timed.min().unwrap_or_default()
}

fn judge(policy: &Policy, line: &str) {
    let call = ToolCall::parse(line.as_bytes()).unwrap();
    drop(black_box(decide(policy, CallId::from_bytes([0; 16]), call)));
}

/// The unit, repeated to the longest text, as a tool call.
fn line((is, _, unit): &(Is, &str, &str)) -> String {
    let mut text = String::new();
    for number in 0_usize.. {
        let next = unit.replace("%n", &number.to_string());
        if text.len() + next.len() > BYTES {
            break;
        }
        text.push_str(&next);
    }
    let (tool, arguments) = match is {
        Is::Shell => ("run_command", json!({"command": text})),
        Is::Python => ("execute_code", json!({"language": "python", "code": text})),
        Is::JavaScript => (
            "execute_code",
            json!({"language": "javascript", "code": text}),
        ),
        Is::Path => ("read_file", json!({"path": text})),
        Is::Url => ("fetch", json!({"url": text})),
    };
    json!({"tool": tool, "arguments": arguments}).to_string()
}
