//! Prints how long the comparison of two policies of 1,000 rules takes that differ in one.
//!
//! Not a test: a shared machine has no say in whether the crate is right. The changes are those
//! that a person makes: a literal, a rule dropped, an effect, a wider prefix, a regex, a range.
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::time::Instant;

use policy::compare::diff;
use policy::{Policy, Profiles, shipped};

const RULES: usize = 1_000;

fn main() {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let load = |text: &str| {
        let text = format!("version = 1\nname = \"bench\"\n{text}");
        Policy::load("bench.toml", &text, &profiles).unwrap()
    };
    let old = load(&text(|_, rule| rule));
    let replaced = |at: usize, from: &str, to: &str| {
        load(&text(|n, rule| {
            if n == at {
                rule.replace(from, to)
            } else {
                rule
            }
        }))
    };
    let same = load(&text(|_, rule| rule));
    println!(
        "{:<24} {:>9} {:>8} {:>7}",
        "change", "time", "changes", "proved"
    );
    for (name, new) in [
        ("none", same),
        ("a literal", replaced(505, "project-505", "project-x")),
        (
            "an allow dropped",
            load(&text(|n, rule| keep(n != 505, rule))),
        ),
        (
            "a deny dropped",
            load(&text(|n, rule| keep(n != 500, rule))),
        ),
        ("a hold made a deny", replaced(501, "\"hold\"", "\"deny\"")),
        ("a wider prefix", replaced(500, "/srv/500/", "/srv/50")),
        ("another regex", replaced(503, "drop", "(drop|alter)")),
        ("a wider range", replaced(502, "max = 507", "max = 511")),
        (
            "a hundred rules",
            load(&text(|n, rule| keep(n % 10 != 7, rule))),
        ),
        (
            "all rules",
            load(&text(|_, rule| rule.replace("project-", "task-"))),
        ),
    ] {
        let started = Instant::now();
        let difference = diff(&old, &new);
        let took = started.elapsed();
        let (changes, proved) = (difference.changes.len(), difference.proved());
        println!("{name:<24} {took:>9.1?} {changes:>8} {proved:>7}");
        print!("{difference}");
    }
}

fn keep(there: bool, rule: String) -> String {
    if there { rule } else { String::new() }
}

fn text(change: impl Fn(usize, String) -> String) -> String {
    (0..RULES).map(|n| change(n, rule(n))).collect()
}

fn rule(n: usize) -> String {
    let (effect, matches) = match n % 10 {
        0 => (
            "deny",
            format!("\"arguments.path\" = {{ prefix = \"/srv/{n}/\" }}"),
        ),
        1 => (
            "hold",
            format!(
                "principal = [\"team-{n}\", \"lead-{n}\"], \"arguments.table\" = {{ prefix = \"secret-{n}\" }}"
            ),
        ),
        2 => (
            "hold",
            format!("\"arguments.size\" = {{ min = {n}, max = {} }}", n + 5),
        ),
        3 => (
            "deny",
            format!("\"arguments.query\" = {{ regex = '(?i)drop\\s+table\\s+t{n}\\b' }}"),
        ),
        4 => (
            "deny",
            format!("\"arguments.file\" = {{ glob = \"/data/{n}/*.key\" }}"),
        ),
        _ => ("allow", format!("\"arguments.project\" = \"project-{n}\"")),
    };
    let run = if effect == "allow" {
        "run = \"wasm-offline\"\n"
    } else {
        ""
    };
    format!(
        "[[rule]]\nid = \"r{n}\"\neffect = \"{effect}\"\n{run}reason = \"reason {n}\"\nmatch = {{ tool = \"execute_code\", {matches} }}\n"
    )
}
