//! Prints how long loading and deciding take at 10, 100, 1,000 and 10,000 rules.
//!
//! Not a test: a shared machine has no say in whether the crate is right. The rules are of the
//! kinds that a real policy has (exact, listed, begins with), each with a test; the calls are
//! drawn so that one in three is allowed.
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::{CallId, Policy, Profiles, ToolCall, decide, shipped};
use serde_json::json;

/// Decisions for each size, after as many to warm up.
const ROUNDS: usize = 100_000;

fn main() {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    println!("{:>7} {:>10} {:>9} {:>9}", "rules", "load", "p50", "p99");
    for count in [10, 100, 1_000, 10_000] {
        let text = policy_text(count);
        let started = Instant::now();
        let policy = Policy::load("bench.toml", &text, &profiles).unwrap();
        let load = started.elapsed();
        let (p50, p99) = measure(&policy, &calls(count));
        println!("{count:>7} {load:>10.2?} {p50:>9.0?} {p99:>9.0?}");
    }
}

/// One rule in ten begins a path, three name a team and a project, six a project alone.
fn policy_text(count: usize) -> String {
    let mut text = "version = 1\nname = \"bench\"\n".to_owned();
    for id in 0..count {
        let (effect, condition) = match id % 10 {
            0 => (
                "deny",
                format!("\"arguments.path\" = {{ prefix = \"/srv/{id}/\" }}"),
            ),
            1..4 => (
                "hold",
                format!(
                    "principal = [\"team-{id}\", \"lead-{id}\"], \"arguments.project\" = {{ prefix = \"secret-{id}\" }}"
                ),
            ),
            _ => ("allow", format!("\"arguments.project\" = \"project-{id}\"")),
        };
        let run = if effect == "allow" {
            "run = \"wasm-offline\"\n"
        } else {
            ""
        };
        write!(
            text,
            "[[rule]]\nid = \"rule-{id}\"\neffect = \"{effect}\"\n{run}match = {{ tool = \"execute_code\", {condition} }}\nreason = \"reason {id}\"\n\
             [[rule.test]]\ncall = {{ tool = \"execute_code\", principal = \"team-{id}\", arguments = {{ language = \"python\", project = \"{}{id}\", path = \"/srv/{id}/a\" }} }}\nmatches = true\n",
            if effect == "hold" { "secret-" } else { "project-" },
        )
        .unwrap();
    }
    text
}

fn calls(count: usize) -> Vec<ToolCall> {
    let call = |n: usize| {
        let id = n * 7 % count;
        let arguments = json!({
            "language": "python",
            "code": "print(1)",
            "project": format!("project-{id}"),
            "path": format!("/home/{id}/a"),
        });
        ToolCall::new("execute_code", arguments, "ann", None).unwrap()
    };
    (0..1_000).map(call).collect()
}

fn measure(policy: &Policy, calls: &[ToolCall]) -> (Duration, Duration) {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS * 2 {
        let call = calls
            .iter()
            .cycle()
            .nth(round % calls.len())
            .unwrap()
            .clone();
        let started = Instant::now();
        let decision = black_box(decide(policy, CallId::from_bytes([0; 16]), black_box(call)));
        let took = started.elapsed();
        drop(decision);
        if round >= ROUNDS {
            times.push(took);
        }
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap();
    (at(50), at(99))
}
