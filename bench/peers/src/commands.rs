//! From raw JSON with the shell analysis, over the commands that agents ran: a policy
//! that judges each command, redirection and unknown part (`shell.toml`), beside the core of OpenMoat
//! with its default policy.

use std::path::PathBuf;
use std::time::Duration;

use openmoat_core::{Action, CompiledPolicy, DEFAULT_POLICY, EvalContext};
use policy::{CallId, Policy, ToolCall, decide};
use serde_json::{Value, json};

use crate::sample::{Sample, met, ratio, show, time};
use crate::{Outcome, ours, table};

/// Rounds over the corpus; the best of each command counts, as others share the machine.
const ROUNDS: usize = 7;
/// The promises for ours.
const P50: Duration = Duration::from_micros(50);
const P99: Duration = Duration::from_micros(300);

/// Measures and prints; skipped aloud without the corpus.
pub fn run() -> Outcome<()> {
    let Some(lines) = lines()? else {
        println!("\nagent-commands.jsonl is not here: set LAZARET_CORPORA; SKIPPED");
        return Ok(());
    };
    let policy = ours::shell_policy()?;
    let moat = openmoat_core::Policy::parse(DEFAULT_POLICY)?;
    let moat = CompiledPolicy::compile(&moat, &project())?;
    let mut best = vec![[Duration::MAX; 2]; lines.len()];
    for _ in 0..ROUNDS {
        for (line, best) in lines.iter().zip(&mut best) {
            best[0] = best[0].min(time(|| by_us(line, &policy)));
            best[1] = best[1].min(time(|| by_openmoat(line, &moat)));
        }
    }
    print(&best);
    Ok(())
}

fn print(best: &[[Duration; 2]]) {
    let (mut ours, mut moat) = (Sample::default(), Sample::default());
    for [our, their] in best {
        ours.add(*our);
        moat.add(*their);
    }
    let row = |name: &str, per_mille: usize, target: Option<Duration>| {
        let (our, their) = (ours.quantile(per_mille), moat.quantile(per_mille));
        let target = target.map(|target| met(our, target)).unwrap_or_default();
        [
            name.to_owned(),
            show(our),
            show(their),
            ratio(their, our),
            target,
        ]
        .to_vec()
    };
    let title = format!(
        "From raw JSON, {} agent commands, best of {ROUNDS} rounds each",
        best.len()
    );
    table::print(
        &title,
        &[
            "",
            "lazaret",
            "openmoat-core",
            "openmoat to lazaret",
            "target",
        ],
        &[
            row("p50", 500, Some(P50)),
            row("p90", 900, None),
            row("p99", 990, Some(P99)),
            row("max", 1000, None),
        ],
    );
}

/// JSON to call, call to facts, decision.
pub fn by_us(line: &str, policy: &Policy) -> Option<policy::Decision> {
    let call = ToolCall::parse(line.as_bytes()).ok()?;
    Some(decide(policy, CallId::from_bytes([0; 16]), call))
}

fn by_openmoat(line: &str, policy: &CompiledPolicy<'_>) -> Option<openmoat_core::Decision> {
    let call: Value = serde_json::from_str(line).ok()?;
    let command = call.get("arguments")?.get("command")?.as_str()?.to_owned();
    Some(policy.decide(&Action::Shell { command }))
}

fn project() -> EvalContext {
    EvalContext {
        home: "/home/me".into(),
        project: Some("/home/me/project".into()),
        real_home: None,
        real_project: None,
        moved_dirs: Vec::new(),
        cwd: "/home/me/project".into(),
        case_insensitive_paths: false,
    }
}

/// Every command as the JSON of a tool call.
fn lines() -> Outcome<Option<Vec<String>>> {
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let folder = std::env::var_os("LAZARET_CORPORA").map_or(usual, PathBuf::from);
    let file = folder.join("agent-commands.jsonl");
    if !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file)?;
    let call = |line: &str| -> Outcome<String> {
        let case: Value = serde_json::from_str(line)?;
        Ok(json!({"tool": "run_command", "arguments": {"command": case["code"]}}).to_string())
    };
    text.lines().map(call).collect::<Outcome<_>>().map(Some)
}
