//! Texts of 64 KB that repeat what is dear to one part or another of the shell analysis.

use std::time::Duration;

use policy::shell::MAX_TEXT_BYTES;
use serde_json::json;

use crate::commands::by_us;
use crate::sample::{met, show, time};
use crate::{Outcome, ours, table};

/// The best of so many counts, as others share the machine.
const ROUNDS: usize = 15;
/// Rows that are shown.
const SHOWN: usize = 5;
/// The promise for any input.
const CEILING: Duration = Duration::from_millis(10);

/// Measures all and prints the slowest.
pub fn run() -> Outcome<()> {
    let policy = ours::shell_policy()?;
    let mut found: Vec<(Duration, &str)> = Vec::new();
    for (name, unit) in LARGE {
        let line = line(unit);
        let best = (0..ROUNDS).map(|_| time(|| by_us(&line, &policy))).min();
        found.push((best.unwrap_or_default(), name));
    }
    found.sort_by(|a, b| b.cmp(a));
    let rows: Vec<Vec<String>> = found
        .iter()
        .take(SHOWN)
        .map(|(best, name)| [(*name).to_owned(), show(*best), met(*best, CEILING)].to_vec())
        .collect();
    let title = format!(
        "From raw JSON, the slowest of {} texts of 64 KB, best of {ROUNDS}",
        LARGE.len()
    );
    table::print(&title, &["", "time", "target"], &rows);
    Ok(())
}

/// The longest text that is read, as a tool call.
fn line(unit: &str) -> String {
    let text: String = unit.chars().cycle().take(MAX_TEXT_BYTES).collect();
    let text = text
        .get(..text.floor_char_boundary(MAX_TEXT_BYTES))
        .unwrap_or_default();
    json!({"tool": "run_command", "arguments": {"command": text}}).to_string()
}

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
