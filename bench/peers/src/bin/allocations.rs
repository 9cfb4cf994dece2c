//! Counts what decisions of ours allocate. A program of its own, because counting costs time.

use std::collections::BTreeMap;

use peers::ours::Ours;
use peers::{Outcome, rules, table};

const RULES: usize = 1_000;

fn main() -> Outcome<()> {
    let calls = rules::calls(RULES);
    let ours = Ours::new(&rules::rules(RULES), &calls)?;
    let mut by_verdict: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for call in 0..calls.len() {
        let call = ours.call(call)?;
        let mut decision = None;
        let counted = allocation_counter::measure(|| decision = Some(ours.decide(call)));
        let verdict = decision.ok_or("not decided")?.verdict().to_string();
        let (calls, most) = by_verdict.entry(verdict).or_default();
        *calls += 1;
        *most = counted.count_total.max(*most);
    }
    let rows: Vec<Vec<String>> = by_verdict.iter().map(row).collect();
    let title = "Allocations of one decision, 1,000 rules";
    table::print(title, &["", "calls", "most allocations", "target"], &rows);
    Ok(())
}

fn row((verdict, (calls, most)): (&String, &(usize, u64))) -> Vec<String> {
    let target = match (verdict.as_str(), most) {
        ("allow", 0) => "0: met",
        ("allow", _) => "0: MISSED",
        _ => "",
    };
    [
        verdict.clone(),
        calls.to_string(),
        most.to_string(),
        target.to_owned(),
    ]
    .to_vec()
}
