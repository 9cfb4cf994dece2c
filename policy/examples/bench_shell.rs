//! How long the shell reading takes: each command of agent-commands, and texts of 64 KB.
//!
//! `LAZARET_CORPORA` names the folder of the corpora.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use policy::shell::{MAX_TEXT_BYTES, analyse};

/// Rounds over the corpus; the best of each command counts, as others share the machine.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let folder = std::env::var_os("LAZARET_CORPORA").map_or(usual, PathBuf::from);
    for file in ["agent-commands.jsonl", "redcode-exec-shell.jsonl"] {
        commands(&std::fs::read_to_string(folder.join(file))?, file)?;
    }
    for (name, unit) in LARGE {
        let text: String = unit.chars().cycle().take(MAX_TEXT_BYTES).collect();
        let text = text
            .get(..text.floor_char_boundary(MAX_TEXT_BYTES))
            .unwrap_or("");
        let best = (0..ROUNDS).map(|_| time(text)).min().unwrap_or_default();
        println!("64 KB of {name}: {best:?}");
    }
    Ok(())
}

/// Texts that repeat what is dear to one part or another.
const LARGE: &[(&str, &str)] = &[
    ("letters", "a"),
    ("commands", "ls -la /tmp; "),
    ("pipes", "a|"),
    ("words", "a "),
    ("substitutions", "$(a) "),
    ("open parentheses", "("),
    ("open arithmetic", "$(("),
    ("open subshells", "( "),
    ("open substitutions", "$("),
    ("back-ticks", "`"),
    ("escaped back-ticks", "\\`"),
    ("double quotes", "\"$("),
    ("braces", "{a,"),
    ("brace products", "{a,b}"),
    ("open braces", "{"),
    ("parameters", "${a:-"),
    ("here-documents", "<<a "),
    ("nested shells", "sh -c 'a' ; "),
    ("assignments", "a[b"),
    ("if", "if a; then "),
    ("case", "case a in a) "),
    ("tests", "[[ ( "),
    ("sudo", "sudo "),
    ("xargs", "xargs "),
    ("find", "-exec a {} ; "),
    ("eval", "eval "),
    ("awk", "awk '{print | \"a\"}'; "),
    ("sed", "sed 's/a/b/e'; "),
    ("functions", "f(){ a; }; "),
    ("unicode", "\u{200b}é"),
    ("globs", "*[a] "),
];

fn time(text: &str) -> Duration {
    let start = Instant::now();
    std::hint::black_box(analyse(std::hint::black_box(text)));
    start.elapsed()
}

fn commands(file: &str, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut codes = Vec::new();
    for line in file.lines() {
        let value: serde_json::Value = serde_json::from_str(line)?;
        codes.extend(
            value
                .get("code")
                .and_then(|code| code.as_str())
                .map(str::to_owned),
        );
    }
    let mut best = vec![Duration::MAX; codes.len()];
    for _ in 0..ROUNDS {
        for (code, best) in codes.iter().zip(best.iter_mut()) {
            *best = time(code).min(*best);
        }
    }
    best.sort();
    let at = |share: usize| {
        best.get(best.len() * share / 1000)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name}: {} commands, p50 {:?}, p90 {:?}, p99 {:?}, max {:?}",
        codes.len(),
        at(500),
        at(900),
        at(990),
        best.last().copied().unwrap_or_default()
    );
    Ok(())
}
