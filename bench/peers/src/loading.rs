//! Loading: parse, compile, run the tests, lint.

use std::time::Duration;

use crate::rules::rules;
use crate::sample::{Sample, met, show, time};
use crate::{Outcome, ours, table};

const RULES: usize = 1_000;
const ROUNDS: usize = 9;
/// The promise.
const TARGET: Duration = Duration::from_millis(50);

/// Measures and prints.
pub fn run() -> Outcome<()> {
    let text = ours::text(&rules(RULES));
    ours::load(&text)?;
    let mut sample = Sample::default();
    (0..ROUNDS).for_each(|_| sample.add(time(|| ours::load(&text))));
    let (best, p50) = (sample.quantile(1), sample.quantile(500));
    let row = [
        format!("{RULES} rules, a test each"),
        show(best),
        show(p50),
        met(p50, TARGET),
    ];
    table::print(
        "Loading a policy, with its tests and lint",
        &["", "best", "p50", "target"],
        &[row.to_vec()],
    );
    Ok(())
}
