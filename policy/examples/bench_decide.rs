//! Prints how long a decision takes on facts that are at hand, at growing numbers of rules.
//!
//! Not a test: a shared machine has no say in whether the crate is right. The rules are about
//! different projects, paths and principals, so that a call meets one of them, as `bench/peers` has
//! them. Before each round the second cache is emptied, as other work would do it.
//!
//! `bench_decide` prints a table. `bench_decide RULES DECISIONS` prints nothing and is for a
//! profiler that counts instructions: twice with different numbers of decisions, and the
//! difference.
#![expect(clippy::unwrap_used, reason = "a program for developers")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::{CallId, Context, Inspection, Policy, Profiles, ToolCall, decide_inspected, shipped};
use serde_json::json;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// The calls that are drawn for one policy.
const CALLS: usize = 1_000;
/// The best of so many times counts for each call.
const ROUNDS: usize = 20;
/// Above what a core keeps for itself.
const SWEPT_BYTES: usize = 8 << 20;

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|word| word.parse().unwrap())
        .collect();
    match numbers.as_slice() {
        [rules, decisions] => count(*rules, *decisions),
        _ => table(),
    }
}

fn count(rules: usize, decisions: usize) {
    let (policy, calls) = (policy(rules), calls(rules));
    let inspected: Vec<Inspection> = calls.into_iter().map(|c| policy.inspect(c)).collect();
    let again = inspected.iter().cycle().take(decisions);
    again.for_each(|call| drop(decide(&policy, call.clone())));
}

fn table() {
    println!(
        "{:>7} {:>9} {:>9} {:>9}",
        "rules", "p50", "p99", "swept p50"
    );
    for size in SIZES {
        let policy = policy(size);
        let inspect = |call| policy.inspect(call);
        let calls: Vec<Inspection> = calls(size).into_iter().map(inspect).collect();
        let (warm, swept) = (best(&policy, &calls, false), best(&policy, &calls, true));
        let at = |sorted: &[Duration], per_mille: usize| {
            let rank = sorted.len() * per_mille / 1_000;
            sorted.get(rank).copied().unwrap_or_default().as_nanos()
        };
        println!(
            "{size:>7} {:>6} ns {:>6} ns {:>6} ns",
            at(&warm, 500),
            at(&warm, 990),
            at(&swept, 500)
        );
    }
}

/// The best time of each call, sorted.
fn best(policy: &Policy, calls: &[Inspection], swept: bool) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; calls.len()];
    let mut other = vec![0_u8; SWEPT_BYTES];
    for _ in 0..ROUNDS {
        if swept {
            other.iter_mut().step_by(64).for_each(|byte| *byte ^= 1);
            black_box(&other);
        }
        for (call, best) in calls.iter().zip(&mut best) {
            let call = call.clone();
            let started = Instant::now();
            let decision = black_box(decide(policy, call));
            *best = started.elapsed().min(*best);
            drop(decision);
        }
    }
    best.sort_unstable();
    best
}

fn decide(policy: &Policy, call: Inspection) -> policy::Decision {
    decide_inspected(
        policy,
        &Context::default(),
        CallId::from_bytes([0; 16]),
        call,
    )
}

fn policy(size: usize) -> Policy {
    let mut text = "version = 1\nname = \"bench\"\n".to_owned();
    for id in 0..size {
        let (effect, asked) = match id % 10 {
            0 => (
                "\"deny\"",
                format!("\"arguments.path\" = {{ prefix = \"/srv/{id}/\" }}"),
            ),
            1..4 => (
                "\"hold\"",
                format!(
                    "principal = [\"team-{id}\", \"lead-{id}\"], \"arguments.project\" = {{ prefix = \"secret-{id}\" }}"
                ),
            ),
            _ => (
                "\"allow\"\nrun = \"wasm-offline\"",
                format!("\"arguments.project\" = \"project-{id}\""),
            ),
        };
        write!(
            text,
            "[[rule]]\nid = \"rule-{id}\"\neffect = {effect}\nmatch = {{ tool = \"execute_code\", {asked} }}\nreason = \"reason {id}\"\n"
        )
        .unwrap();
    }
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    Policy::load("bench.toml", &text, &profiles).unwrap()
}

/// Eight in ten are allowed, one meets a deny, one a hold.
fn calls(size: usize) -> Vec<ToolCall> {
    let call = |n: usize| {
        let id = n * 7 % size / 10 * 10;
        let (principal, project, path) = match n % 10 {
            3 => (
                "ann".to_owned(),
                format!("project-{}", id + 4),
                format!("/srv/{id}/a"),
            ),
            7 => (
                format!("team-{}", id + 1),
                format!("secret-{}", id + 1),
                format!("/home/{id}/a"),
            ),
            _ => (
                "ann".to_owned(),
                format!("project-{}", id + 4 + n % 6),
                format!("/home/{id}/a"),
            ),
        };
        let arguments =
            json!({"language": "python", "code": "print(1)", "project": project, "path": path});
        ToolCall::new("execute_code", arguments, &principal, None).unwrap()
    };
    (0..CALLS).map(call).collect()
}
