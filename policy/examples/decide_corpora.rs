//! Prints what the shipped policies make of the commands of the corpora: a table of verdicts.
//!
//! `LAZARET_CORPORA` names the folder of the corpora.
#![expect(clippy::unwrap_used, reason = "a program for developers")]

#[path = "../tests/support/corpora.rs"]
mod corpora;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use policy::{CallId, Context, Policy, Profiles, ToolCall, Used, decide, decide_at, shipped};
use serde_json::json;

fn main() {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let wanted = std::env::args().nth(1);
    println!(
        "{:<18} {:<24} {:>6} {:>6} {:>6} {:>9} {:>9}",
        "policy", "corpus", "allow", "hold", "deny", "p50", "p99"
    );
    for pack in shipped::PACKS {
        let policy = match Policy::load(pack.file, pack.text, &profiles) {
            Ok(policy) => policy,
            Err(error) => {
                error
                    .problems()
                    .iter()
                    .for_each(|problem| println!("{}", problem.report()));
                continue;
            }
        };
        for corpus in [
            "agent-commands",
            "tldr-commands",
            "redcode-exec-shell",
            "redcode-exec-python",
        ] {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let mut times: Vec<Duration> = Vec::new();
            let mut why: BTreeMap<String, (usize, String)> = BTreeMap::new();
            for case in corpora::cases(corpus).unwrap_or_default() {
                let code = case.code.as_str();
                let bytes =
                    json!({"tool": "run_command", "arguments": {"command": code}}).to_string();
                if case.language == "shell" {
                    let best = (0..3).map(|_| {
                        let started = Instant::now();
                        let call = ToolCall::parse(bytes.as_bytes()).unwrap();
                        drop(decide(&policy, CallId::from_bytes([0; 16]), call));
                        started.elapsed()
                    });
                    times.push(best.min().unwrap());
                }
                let unused = policy.budgets().iter();
                let context = Context {
                    budgets: unused
                        .map(|b| (b.id().to_owned(), Used::default()))
                        .collect(),
                    ..Context::default()
                };
                let decision = decide_at(
                    &policy,
                    &context,
                    CallId::from_bytes([0; 16]),
                    call(&case.language, code),
                );
                *counts.entry(decision.verdict().to_string()).or_default() += 1;
                if decision.verdict() != policy::Verdict::Allow {
                    let reason: String = decision.reason().chars().take(70).collect();
                    let entry = why.entry(reason).or_insert_with(|| (0, code.to_owned()));
                    entry.0 += 1;
                }
            }
            let count = |verdict: &str| counts.get(verdict).copied().unwrap_or_default();
            times.sort();
            let quantile = |permille: usize| {
                times
                    .get(times.len() * permille / 1000)
                    .copied()
                    .unwrap_or_default()
            };
            println!(
                "{:<18} {corpus:<24} {:>6} {:>6} {:>6} {:>9.1?} {:>9.1?}",
                policy.name(),
                count("allow"),
                count("hold"),
                count("deny"),
                quantile(500),
                quantile(990)
            );
            if wanted.as_deref() == Some(policy.name()) {
                let mut why: Vec<_> = why.into_iter().collect();
                why.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
                for (reason, (count, example)) in why.into_iter().take(60) {
                    println!(
                        "  {count:>5} {reason}   e.g. {}",
                        example.chars().take(110).collect::<String>().escape_debug()
                    );
                }
            }
        }
    }
}

fn call(language: &str, code: &str) -> ToolCall {
    let (tool, arguments) = match language {
        "shell" => ("run_command", json!({"command": code})),
        _ => ("execute_code", json!({"language": language, "code": code})),
    };
    ToolCall::new(tool, arguments, "agent", Some("s")).unwrap()
}
